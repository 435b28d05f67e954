/*
 * The diagnostics of activations: plain recomputation on random data, and the
 * same bits from every build and any number of workers.
 */
#include "core/random.h"
#include "tests/activate.h"
#include "tests/crowd.h"

enum { LARGE = 100003, HALVES = 0x7c00 };

/* The half that is next to |v|, of ties the even one; slowly. */
static double nearest_half(double v)
{
    static double half[HALVES + 1];
    size_t low = 0, high = HALVES;
    for (unsigned h = 0; half[HALVES] == 0 && h <= HALVES; h++)
        half[h] = h < 1024 ? ldexp(h, -24)
                           : ldexp(1024 + h % 1024, (int)(h / 1024) - 25);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(half[middle] <= v ? &low : &high) = middle;
    }
    double down = v - half[low], up = half[high] - v;
    bool to_low = down < up || (down <= up && low % 2 == 0);
    return half[to_low ? low : high];
}

/* What stats of float64 say, said anew. */
static void recompute_half(const struct trial *t, size_t n, const double *v)
{
    size_t n_over = 0, n_small = 0, n_finite = 0;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double a = fabs(v[i]);
        if (!isfinite(a))
            continue;
        n_finite++;
        n_small += a > 0 && a < 0x1p-14;
        if (a < 65536 && nearest_half(a) < 65536)
            most = fmax(most, fabs(a - nearest_half(a)));
        else
            n_over++;
    }
    equal(t, "fp16_overflow_fraction", (double)n_over / (double)n_finite);
    equal(t, "fp16_subnormal_fraction", (double)n_small / (double)n_finite);
    equal(t, "fp16_max_abs_error", n_over < n_finite ? most : NAN);
}

static void recompute_moments(const struct trial *t, size_t n, const double *v)
{
    long double sum = 0, size = 0, square = 0, n_finite = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i])) {
            n_finite++;
            sum += v[i];
            size += fabs(v[i]);
        }
    long double mean = sum / n_finite;
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]))
            square += (v[i] - mean) * (v[i] - mean);
    long double std = sqrtl(square / n_finite);
    near(t, "mean", mean, 4e-14, size / n_finite);
    near(t, "std", std, 2e-14, std);
    near(t, "zero_centredness", std > 0 ? mean / std : NAN, 1e-13,
         size / n_finite / std);
}

static void recompute_grad(const struct trial *t, size_t n, const double *g,
                           const double *x)
{
    long double sum = 0, square = 0;
    double most = 0, n_finite = 0, dead = 0, small = 0, low = 0, high = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(g[i]))
            most = fmax(most, fabs(g[i]));
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(g[i]))
            continue;
        bool vanishes = g[i] == 0 || fabs(g[i]) < 0.05 * most;
        n_finite++;
        sum += fabs(g[i]);
        square += (long double)g[i] * g[i];
        dead += g[i] == 0;
        small += vanishes;
        low += vanishes && x[i] < 0;
        high += vanishes && x[i] > 0;
    }
    near(t, "grad_abs_mean", sum / n_finite, 1e-14, sum / n_finite);
    near(t, "grad_sq_mean", square / n_finite, 1e-14, square / n_finite);
    equal(t, "dead_fraction", dead / n_finite);
    equal(t, "vanishing_fraction", small / n_finite);
    equal(t, "saturated_low_fraction", low / n_finite);
    equal(t, "saturated_high_fraction", high / n_finite);
}

static void recompute_histogram(const struct trial *t, size_t n,
                                const double *v)
{
    const double *edge = values(t, "histogram.edges", BINS + 1);
    double want[BINS + 2] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        if (!isfinite(v[i]))
            continue;
        while (k <= BINS && v[i] >= edge[k])
            k++;
        want[k - (v[i] == edge[BINS])]++;
    }
    equal(t, "histogram.underflow", want[0]);
    equal(t, "histogram.overflow", want[BINS + 1]);
    for (size_t k = 0; k < BINS; k++) {
        double width = edge[BINS] - edge[0],
               even = edge[0] + width / BINS * (double)k;
        double got = values(t, "histogram.counts", BINS)[k];
        if (got != want[k + 1])
            fail_msg("bin %zu has %g, not %g", k, got, want[k + 1]);
        assert_true(fabs(edge[k] - even) <= 1e-15 * (width + fabs(even)));
    }
    double mean = fact(t, "mean"), reach = 4 * fact(t, "std");
    double low = fmax(fact(t, "min"), mean - reach);
    double high = fmin(fact(t, "max"), mean + reach);
    assert_true(fabs(edge[0] - low) <= 1e-15 * (reach + fabs(mean)));
    assert_true(fabs(edge[BINS] - high) <= 1e-15 * (reach + fabs(mean)));
}

/* Kinds of values, by two random numbers from -1 to 1. */
typedef double make_value(double a, double b);

static double plain(double a, double b)
{
    (void)b;
    return 4 * a;
}

static double rectified(double a, double b)
{
    return a > 0 ? 3 * a * b : 0;
}

static double wide(double a, double b)
{
    return ldexp(a, (int)(30 * b));
}

static double spiky(double a, double b)
{
    return b > 0.999 ? 1e6 * a : a;
}

static double steps(double a, double b)
{
    (void)b;
    return round(16 * a) / 8;
}

static double broken(double a, double b)
{
    return b > 0.9 ? NAN : b < -0.95 ? copysign(INFINITY, a) : a;
}

static double shifted(double a, double b)
{
    (void)b;
    return 1e8 + a;
}

static make_value *const kinds[] = {plain, rectified, wide,   spiky,
                                    steps, broken,    shifted};

static void make_all(size_t kind, size_t n, double *v, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double a = (double)(random_next(&seed) >> 11) * 0x1p-52 - 1;
        double b = (double)(random_next(&seed) >> 11) * 0x1p-52 - 1;
        v[i] = kinds[kind](a, b);
    }
}

static const size_t sizes[] = {1, 2, 15, 16, 17, 1000, 32768, 32769, LARGE};

/* As a build of b sees them. */
static void round_all(const struct build *b, size_t n, double *v)
{
    for (size_t i = 0; b->type == OP_FLOAT32 && i < n; i++)
        v[i] = (float)v[i];
}

/* Value and gradient are of different kinds and sizes. */
static void random_values_recomputed(void **state)
{
    (void)state;
    static double v[LARGE], g[LARGE], x[LARGE];
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t k = 0; k < COUNT(kinds) * COUNT(sizes); k++) {
            struct trial t;
            size_t kind = k % COUNT(kinds), size = k / COUNT(kinds);
            struct input in = {.n_value = sizes[size],
                               .n = sizes[(size + kind) % COUNT(sizes)],
                               .value = v,
                               .x = x,
                               .grad = g,
                               .channel_axis = NAN};
            make_all(kind, in.n_value, v, 1);
            make_all((kind + size) % COUNT(kinds), in.n, g, 2);
            make_all(0, in.n, x, 3);
            activate(&t, b, &threads, &in);
            round_all(b, in.n_value, v);
            round_all(b, in.n, g);
            recompute_half(&t, in.n_value, v);
            recompute_moments(&t, in.n_value, v);
            recompute_grad(&t, in.n, g, x);
            if (fact(&t, "std") > 0)
                recompute_histogram(&t, in.n_value, v);
            arena_free(&t.mem);
        }
}

static void check_same(const struct trial *a, const struct trial *b,
                       const char *what)
{
    assert_int_equal(a->call.n_facts, b->call.n_facts);
    for (size_t i = 0; i < a->call.n_facts; i++) {
        const struct op_fact *f = &a->call.fact[i];
        const double *other = values(b, f->name, f->n);
        for (size_t k = 0; k < f->n; k++)
            if (!same_bits(f->value[k], other[k]))
                fail_msg("%s: %s[%zu] is %.17g, not %.17g", what, f->name, k,
                         other[k], f->value[k]);
    }
}

static void workers_and_builds_give_the_same_bits(void **state)
{
    (void)state;
    static const struct parallel *const pars[] = {&parallel_serial, &reverse,
                                                  &threads};
    static const size_t dim[] = {1, LARGE, 1};
    static double v[LARGE];
    for (size_t kind = 0; kind < COUNT(kinds); kind++)
        for (const struct build *b = NULL; (b = next_build(b));)
            for (size_t p = 0; p < COUNT(pars); p++) {
                struct trial base, t;
                struct input in = {LARGE, LARGE, v, v, v, dim, 3, -2};
                make_all(kind, LARGE, v, 4);
                activate(&base, &builds[b->type], pars[0], &in);
                activate(&t, b, pars[p], &in);
                check_same(&base, &t, b->name);
                arena_free(&base.mem);
                arena_free(&t.mem);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values_recomputed),
        cmocka_unit_test(workers_and_builds_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
