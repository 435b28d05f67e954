/*
 * The diagnostics of losses: values derived by hand, and plain recomputation
 * in long double on random samples.
 */
#include "core/loss_stats.h"
#include "core/random.h"
#include "tests/facts.h"

#include <float.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { BINS = 10, LARGE = 20011 };

static const struct op loss = {.name = "made_up", .easy_below = 0.5};

static void diagnose(struct trial *t, size_t n, double *value, double *grad,
                     double *difficulty)
{
    struct op_samples samples = {n, value, grad, difficulty};
    trial_init(t, OP_FLOAT64, &parallel_serial);
    t->call.op = &loss;
    t->call.samples = &samples;
    assert_int_equal(loss_stats(&t->call), 0);
    t->call.samples = NULL;
}

static void equal_list(const struct trial *t, const char *name, size_t n,
                       const double *want)
{
    const double *got = values(t, name, n);
    for (size_t i = 0; i < n; i++)
        if (!(got[i] == want[i] || (isnan(got[i]) && isnan(want[i]))))
            fail_msg("%s[%zu] is %.17g, not %.17g", name, i, got[i], want[i]);
}

static const double edges[] = {0,   0.1, 0.2, 0.3, 0.4, 0.5,
                               0.6, 0.7, 0.8, 0.9, 1};

static void samples_by_hand(void **state)
{
    (void)state;
    double value[] = {1, 3, 0, 4}, grad[] = {3, 4, 0, 1};
    double difficulty[] = {0.25, 0.5, 0.05, 7};
    const double by_grad[BINS] = {1, 0, 1, 0, 0, 0, 0, 1, 0, 1};
    const double by_difficulty[BINS] = {1, 0, 1, 0, 0, 1, 0, 0, 0, 1};
    const double carried[BINS] = {0, 0, 3. / 8, 0, 0, 4. / 8, 0, 0, 0, 1. / 8};
    struct trial t;
    diagnose(&t, 4, value, grad, difficulty);
    equal(&t, "count", 4);
    equal(&t, "nonfinite_count", 0);
    equal(&t, "mean", 2);
    near(&t, "std", sqrtl(2.5L), 1e-15, 1);
    equal(&t, "min", 0);
    equal(&t, "max", 4);
    near(&t, "grad_norm", sqrtl(26), 1e-15, 1);
    equal(&t, "grad_max", 4);
    equal(&t, "zero_grad_fraction", 1. / 4);
    equal(&t, "easy_fraction", 2. / 4); /* 0.5 is hard */
    equal(&t, "easy_grad_share", 3. / 8);
    equal(&t, "hard_grad_share", 5. / 8);
    equal(&t, "grad_ratio_inlier_outlier", 3. / 5);
    equal(&t, "top_share.1", 4. / 8);
    equal(&t, "top_share.5", 4. / 8);
    equal(&t, "top_share.10", 4. / 8);
    equal_list(&t, "grad_histogram.edges", BINS + 1, edges);
    equal_list(&t, "grad_histogram.counts", BINS, by_grad);
    equal_list(&t, "difficulty_histogram.edges", BINS + 1, edges);
    equal_list(&t, "difficulty_histogram.counts", BINS, by_difficulty);
    equal_list(&t, "difficulty_histogram.grad_share", BINS, carried);
    arena_free(&t.mem);
}

/* Each edge but the last with the number before it and the one after it. */
static void bins_hold_their_lower_edge(void **state)
{
    (void)state;
    double x[3 * BINS], one[3 * BINS];
    struct trial t;
    for (size_t k = 0; k < BINS; k++) {
        x[3 * k] = nextafter(edges[k + 1], 0);
        x[3 * k + 1] = edges[k + 1];
        x[3 * k + 2] = nextafter(edges[k + 1], 2);
        one[3 * k] = one[3 * k + 1] = one[3 * k + 2] = 1;
    }
    const double want[BINS] = {1, 3, 3, 3, 3, 3, 3, 3, 3, 5};
    diagnose(&t, COUNT(x), one, one, x);
    equal_list(&t, "difficulty_histogram.counts", BINS, want);
    arena_free(&t.mem);
    diagnose(&t, COUNT(x) - 1, one, x, one); /* 1 is the largest */
    const double relative[BINS] = {1, 3, 3, 3, 3, 3, 3, 3, 3, 4};
    equal_list(&t, "grad_histogram.counts", BINS, relative);
    arena_free(&t.mem);
}

/* 200 samples, gradients 1 to 200 in some order: top 2, 10 and 20 of them. */
static void top_shares_by_hand(void **state)
{
    (void)state;
    double grad[201], zero[201] = {0};
    const double all = 200 * 201 / 2.;
    for (size_t i = 0; i < 200; i++)
        grad[i] = (double)(i * 77 % 200 + 1);
    struct trial t;
    diagnose(&t, 200, zero, grad, zero);
    equal(&t, "top_share.1", (199 + 200) / all);
    equal(&t, "top_share.5", (191 + 200) * 5 / all);
    equal(&t, "top_share.10", (181 + 200) * 10 / all);
    arena_free(&t.mem);
    grad[200] = 0; /* 201 samples: 3, 11 and 21 of them */
    diagnose(&t, 201, zero, grad, zero);
    equal(&t, "top_share.1", (198 + 199 + 200) / all);
    equal(&t, "top_share.5", (190 + 200) * 11 / 2. / all);
    equal(&t, "top_share.10", (180 + 200) * 21 / 2. / all);
    arena_free(&t.mem);
}

static void tied_gradients_count_once_each(void **state)
{
    (void)state;
    double grad[50], zero[50] = {0};
    for (size_t i = 0; i < COUNT(grad); i++)
        grad[i] = i % 2 ? 3 : 1;
    struct trial t;
    diagnose(&t, COUNT(grad), zero, grad, zero);
    equal(&t, "top_share.1", 3. / 100);
    equal(&t, "top_share.5", 9. / 100);
    equal(&t, "top_share.10", 15. / 100);
    arena_free(&t.mem);
}

static void check_null(const struct trial *t)
{
    static const char *const null[] = {
        "mean",
        "std",
        "min",
        "max",
        "grad_norm",
        "grad_max",
        "top_share.1",
        "top_share.5",
        "top_share.10",
        "zero_grad_fraction",
        "easy_fraction",
        "easy_grad_share",
        "hard_grad_share",
        "grad_ratio_inlier_outlier",
    };
    const double zero[BINS] = {0};
    for (size_t i = 0; i < COUNT(null); i++)
        equal(t, null[i], NAN);
    equal_list(t, "grad_histogram.counts", BINS, zero);
    equal_list(t, "difficulty_histogram.counts", BINS, zero);
    for (size_t k = 0; k < BINS; k++)
        assert_true(
            isnan(values(t, "difficulty_histogram.grad_share", BINS)[k]));
}

static void nothing_is_null(void **state)
{
    (void)state;
    double nan[] = {NAN, NAN};
    for (size_t n = 0; n <= COUNT(nan); n += COUNT(nan)) {
        struct trial t;
        diagnose(&t, n, nan, nan, nan);
        equal(&t, "count", (double)n);
        equal(&t, "nonfinite_count", (double)n);
        check_null(&t);
        arena_free(&t.mem);
    }
}

/* Without a gradient the loss is still known. */
static void shares_of_no_gradient_are_null(void **state)
{
    (void)state;
    double value[] = {0.1, 0.1, 0.1}, grad[] = {0, -0.0, 0};
    struct trial t;
    diagnose(&t, 3, value, grad, grad);
    equal(&t, "mean", 0.1);
    equal(&t, "std", 0);
    equal(&t, "grad_norm", 0);
    equal(&t, "zero_grad_fraction", 1);
    equal(&t, "easy_fraction", 1);
    equal(&t, "easy_grad_share", NAN);
    equal(&t, "hard_grad_share", NAN);
    equal(&t, "grad_ratio_inlier_outlier", NAN);
    equal(&t, "top_share.10", NAN);
    assert_true(values(&t, "grad_histogram.counts", BINS)[0] == 3);
    arena_free(&t.mem);
    grad[1] = 2; /* easy ones only */
    diagnose(&t, 3, value, grad, value);
    equal(&t, "easy_grad_share", 1);
    equal(&t, "hard_grad_share", 0);
    equal(&t, "grad_ratio_inlier_outlier", NAN);
    arena_free(&t.mem);
}

static void broken_samples_are_left_out(void **state)
{
    (void)state;
    double value[] = {1, NAN, 2, INFINITY, 3, 9};
    double grad[] = {1, 1, INFINITY, 1, 4, 9};
    double difficulty[] = {0, 0, 0, 0, -1e-17, NAN};
    struct trial t;
    diagnose(&t, 6, value, grad, difficulty);
    equal(&t, "count", 6);
    equal(&t, "nonfinite_count", 4);
    equal(&t, "mean", 2);
    equal(&t, "easy_fraction", 1);
    equal(&t, "top_share.10", 4. / 5);
    assert_true(values(&t, "difficulty_histogram.counts", BINS)[0] == 2);
    arena_free(&t.mem);
}

/* Where the naive sum, or that of squares, would be infinite or 0. */
static void outlandish_samples_stay_in_range(void **state)
{
    (void)state;
    static const double scales[] = {DBL_MAX / 4, 1e300, 1e-300, 0x1p-1070};
    double difficulty[] = {0, 1, 1};
    for (size_t i = 0; i < COUNT(scales); i++) {
        const double k = scales[i];
        double value[] = {4 * k, 4 * k, -2 * k}, grad[] = {2 * k, k, 2 * k};
        struct trial t;
        diagnose(&t, 3, value, grad, difficulty);
        near(&t, "mean", 2.L * k, 1e-15, 2 * k);
        near(&t, "std", sqrtl(8) * k, 1e-15, 3 * k);
        near(&t, "grad_norm", 3.L * k, 1e-15, 3 * k);
        near(&t, "easy_grad_share", 2.L / 5, 1e-15, 1);
        near(&t, "hard_grad_share", 3.L / 5, 1e-15, 1);
        near(&t, "top_share.10", 2.L / 5, 1e-15, 1);
        arena_free(&t.mem);
    }
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static long double sum_of(size_t n, const double *x)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static void recompute_top(const struct trial *t, size_t n, const double *grad)
{
    static double sorted[LARGE];
    memcpy(sorted, grad, n * sizeof(*grad));
    qsort(sorted, n, sizeof(*sorted), rising);
    const long double all = sum_of(n, sorted);
    const struct {
        const char *name;
        size_t k;
    } top[] = {{"top_share.1", (n + 99) / 100},
               {"top_share.5", (5 * n + 99) / 100},
               {"top_share.10", (n + 9) / 10}};
    for (size_t i = 0; i < COUNT(top); i++)
        near(t, top[i].name, sum_of(top[i].k, sorted + n - top[i].k) / all,
             1e-15, 1);
}

static void recompute_bins(const struct trial *t, size_t n, const double *grad,
                           const double *difficulty)
{
    const double *by_grad = values(t, "grad_histogram.counts", BINS);
    const double *count = values(t, "difficulty_histogram.counts", BINS);
    const double *carried = values(t, "difficulty_histogram.grad_share", BINS);
    double max = fact(t, "grad_max");
    for (size_t k = 0; k < BINS; k++) {
        const double low = edges[k], high = k + 1 < BINS ? edges[k + 1] : 1e9;
        double n_grad = 0, n_difficulty = 0;
        long double sum = 0;
        for (size_t i = 0; i < n; i++) {
            n_grad += grad[i] / max >= low && grad[i] / max < high;
            if (difficulty[i] >= low && difficulty[i] < high) {
                n_difficulty++;
                sum += grad[i];
            }
        }
        assert_true(by_grad[k] == n_grad && count[k] == n_difficulty);
        assert_true(fabsl(carried[k] - sum / sum_of(n, grad)) <= 1e-15);
    }
}

static void recompute(const struct trial *t, size_t n, const double *value,
                      const double *grad, const double *difficulty)
{
    long double mean = sum_of(n, value) / n, square = 0, norm = 0;
    long double easy = 0, hard = 0, n_easy = 0;
    for (size_t i = 0; i < n; i++) {
        square += (value[i] - mean) * (value[i] - mean);
        norm += (long double)grad[i] * grad[i];
        n_easy += difficulty[i] < 0.5;
        *(difficulty[i] < 0.5 ? &easy : &hard) += grad[i];
    }
    near(t, "mean", mean, 1e-15, mean);
    near(t, "std", sqrtl(square / n), 1e-15, sqrtl(square / n));
    near(t, "grad_norm", sqrtl(norm), 1e-15, sqrtl(norm));
    near(t, "easy_fraction", n_easy / n, 1e-15, 1);
    near(t, "easy_grad_share", easy / (easy + hard), 1e-15, 1);
    near(t, "hard_grad_share", hard / (easy + hard), 1e-15, 1);
    near(t, "grad_ratio_inlier_outlier", hard > 0 ? easy / hard : NAN, 1e-15,
         easy / hard);
}

static void random_samples_recomputed(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 9, 10, 11, 99, 101, 1000, LARGE};
    static double value[LARGE], grad[LARGE], difficulty[LARGE];
    uint64_t seed = 1;
    for (size_t s = 0; s < 2 * COUNT(sizes); s++) {
        const size_t n = sizes[s / 2];
        for (size_t i = 0; i < n; i++) {
            difficulty[i] = (double)(random_next(&seed) % 1301) / 1000;
            value[i] = (s % 2 ? 1e6 : 0) + pow(difficulty[i], 3);
            grad[i] = s % 2 ? fmin(difficulty[i], 1)
                            : ldexp((double)(random_next(&seed) % 100 + 1),
                                    -(int)(random_next(&seed) % 20));
        }
        struct trial t;
        diagnose(&t, n, value, grad, difficulty);
        recompute(&t, n, value, grad, difficulty);
        recompute_top(&t, n, grad);
        recompute_bins(&t, n, grad, difficulty);
        arena_free(&t.mem);
    }
}

static void spent_memory_is_said(void **state)
{
    (void)state;
    double x[] = {1, NAN, 2};
    for (size_t room = 0, rc = 1; rc != 0; room += 64) {
        struct op_samples samples = {3, x, x, x};
        struct trial t;
        trial_init(&t, OP_FLOAT64, &parallel_serial);
        t.call.op = &loss;
        t.call.samples = &samples;
        t.mem.bytes_max = room;
        rc = (size_t)-loss_stats(&t.call);
        assert_true(room < 1 << 16 && (rc == 1) == t.mem.failed);
        arena_free(&t.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_by_hand),
        cmocka_unit_test(bins_hold_their_lower_edge),
        cmocka_unit_test(top_shares_by_hand),
        cmocka_unit_test(tied_gradients_count_once_each),
        cmocka_unit_test(nothing_is_null),
        cmocka_unit_test(shares_of_no_gradient_are_null),
        cmocka_unit_test(broken_samples_are_left_out),
        cmocka_unit_test(outlandish_samples_stay_in_range),
        cmocka_unit_test(random_samples_recomputed),
        cmocka_unit_test(spent_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
