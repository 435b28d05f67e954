/*
 * Bootstrap intervals against resamples whose images are copied for real, and
 * against quantiles by hand; workers, stopping, memory that ends.
 */
#include "server/pool.h"
#include "tests/counting.h"
#include "tests/replayed.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

/*
 * Resample i as core/random.h has it: its own stream of SplitMix64, and
 * x * n / 2^32 of numbers x below 2^32, those left out that would make some
 * images likelier than others.
 */
static void draw(uint64_t seed, uint64_t i, size_t n, uint32_t *weight)
{
    uint64_t key = random_next(&seed) ^ i, state = random_next(&key);
    memset(weight, 0, n * sizeof(*weight));
    for (size_t k = 0; k < n;) {
        uint64_t x = random_next(&state) >> 32;
        if (x * n % ((uint64_t)1 << 32) < ((uint64_t)1 << 32) % n)
            continue;
        weight[x * n >> 32]++;
        k++;
    }
}

/* Of 2^32 numbers 3 * 2^30 are kept: else a third would come twice. */
static void no_image_is_likelier(void **state)
{
    (void)state;
    uint64_t stream = random_stream(1, 2);
    size_t count[3] = {0};
    for (size_t i = 0; i < 30000; i++) {
        uint32_t drawn = random_below(&stream, 3u << 30);
        assert_true(drawn < 3u << 30);
        count[drawn % 3]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(count[i] > 9600 && count[i] < 10400);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool close_to(double a, double b)
{
    return fabs(a - b) <= 1e-14 || (isnan(a) && isnan(b));
}

static void find_intervals(struct player *p, const struct coco_bootstrap *how,
                           struct coco_interval *out,
                           const struct parallel *par)
{
    assert_int_equal(
        coco_intervals(&p->trial.core, p->replay, how, out, &p->trial.mem, par),
        0);
}

enum { ROWS = COCO_VALUES_MAX + CATEGORIES, RESAMPLES = 21 };

/* Level 0.5 of 21: the quantiles are the 6th and the 16th of all. */
static void check_interval(double *x, const struct coco_interval *got,
                           uint64_t seed)
{
    double kept[RESAMPLES], sum = 0, squares = 0;
    size_t n = 0;
    for (size_t i = 0; i < RESAMPLES; i++)
        if (x[i] > -1)
            sum += kept[n++] = x[i];
    for (size_t i = 0; i < n; i++)
        squares += (kept[i] - sum / (double)n) * (kept[i] - sum / (double)n);
    qsort(kept, n, sizeof(*kept), by_value);
    double std = n > 1 ? sqrt(squares / (double)(n - 1)) : (double)NAN;
    assert_int_equal(got->defined, n);
    assert_true(close_to(got->std, std));
    if (n == 0)
        assert_true(isnan(got->low) && isnan(got->high));
    if (n == RESAMPLES) {
        agree(got->low, kept[5], "lower quantile", seed);
        agree(got->high, kept[15], "upper quantile", seed);
    }
}

static void intervals_are_those_of_copied_images(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    static double x[ROWS][RESAMPLES];
    static const struct kind four = {4, 4, 20, 40, 1, false};
    size_t undefined = 0;
    for (uint64_t seed = 21; seed < 41; seed++) {
        struct coco_interval out[ROWS];
        struct coco_bootstrap how = {RESAMPLES, 0.5, seed};
        struct player p;
        make(seed, &four, &m[0]);
        player_init(&p, &m[0].problem, &parallel_serial);
        size_t numbers = coco_number_count(&p.trial.protocol);
        size_t rows = numbers + p.trial.core.index.n_classes;
        for (size_t i = 0; i < RESAMPLES; i++) {
            uint32_t weight[IMAGES];
            struct trial s;
            draw(seed, i, p.trial.core.index.n_images, weight);
            copy_images(&m[0], weight, &m[1]);
            trial_init(&s, &m[1].problem);
            trial_core(&s, (struct coco_wanted){0}, &parallel_serial);
            struct coco_number ap = coco_number(&s.protocol, 0);
            for (size_t j = 0; j < rows; j++)
                x[j][i] = j < numbers ? core_number(&s, j)
                                      : coco_value(&s.core, &ap, j - numbers);
            arena_free(&s.mem);
        }
        find_intervals(&p, &how, out, &parallel_serial);
        for (size_t j = 0; j < rows; j++) {
            check_interval(x[j], &out[j], seed);
            undefined += out[j].defined > 0 && out[j].defined < RESAMPLES;
        }
        player_free(&p);
    }
    assert_true(undefined > 0);
    test_free(m);
}

/*
 * Two images with one object each, of which the first one's is found: AP is
 * 0, some 51/101 or 1 with 0, 1 or 2 of the first image.  Category 2 is on the
 * second image only, category 3 on none.
 */
static void make_two(struct made *m)
{
    made_init(m);
    struct problem *p = &m->problem;
    m->image[0] = 1, m->image[1] = 2;
    for (int64_t k = 0; k < 3; k++)
        m->category[k] = k + 1;
    m->gt[0] = (struct gt_row){1, 1, 1, {0, 0, 9, 9}, 81, 0};
    m->gt[1] = (struct gt_row){2, 2, 1, {0, 0, 9, 9}, 81, 0};
    m->gt[2] = (struct gt_row){3, 2, 2, {0, 0, 9, 9}, 81, 0};
    m->dt[0] = (struct dt_row){1, 1, {0, 0, 9, 9}, 0.9};
    m->dt[1] = (struct dt_row){2, 2, {0, 0, 9, 9}, 0.9};
    p->n_images = 2, p->n_categories = 3, p->n_gt = 3, p->n_dt = 2;
}

/* How many of the two draws of resample i are the first image. */
static uint32_t firsts(uint64_t seed, uint64_t i)
{
    uint32_t weight[2];
    draw(seed, i, 2, weight);
    return weight[0];
}

static void quantiles_by_hand(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval out[ROWS];
    struct player p;
    make_two(m);
    player_init(&p, &m->problem, &parallel_serial);
    uint64_t seed = 0; /* resamples of 1, 0, 2, 1 of the first image */
    while (firsts(seed, 0) != 1 || firsts(seed, 1) != 0 ||
           firsts(seed, 2) != 2 || firsts(seed, 3) != 1)
        seed++;
    const double half = 51.0 / 101, mean = (2 * half + 1) / 4;
    const double squares = mean * mean + 2 * (half - mean) * (half - mean) +
                           (1 - mean) * (1 - mean);
    const struct coco_interval *ap = &out[COCO_NUMBERS];
    find_intervals(&p, &(struct coco_bootstrap){4, 0.5, seed}, out,
                   &parallel_serial);
    assert_true(close_to(ap[0].low, 0.75 * half));
    assert_true(close_to(ap[0].high, half + 0.25 * (1 - half)));
    assert_true(close_to(ap[0].std, sqrt(squares / 3)));
    assert_int_equal(ap[0].defined, 4);
    find_intervals(&p, &(struct coco_bootstrap){4, 0.9, seed}, out,
                   &parallel_serial);
    assert_true(close_to(ap[0].low, 0.15 * half));
    assert_true(close_to(ap[0].high, half + 0.85 * (1 - half)));
    find_intervals(&p, &(struct coco_bootstrap){1, 0.9, seed}, out,
                   &parallel_serial);
    assert_true(close_to(ap[0].low, half) && isnan(ap[0].std));
    agree(ap[0].low, ap[0].high, "one resample", seed);
    player_free(&p);
    test_free(m);
}

static void undefined_resamples_are_left_out(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval out[ROWS];
    struct player p;
    make_two(m);
    player_init(&p, &m->problem, &parallel_serial);
    const struct coco_interval *ap = &out[COCO_NUMBERS];
    find_intervals(&p, &(struct coco_bootstrap){100, 0.95, 5}, out,
                   &parallel_serial);
    uint32_t defined = 0;
    for (uint64_t i = 0; i < 100; i++)
        defined += firsts(5, i) < 2;
    assert_true(defined > 50 && defined < 100);
    assert_int_equal(ap[1].defined, defined);
    assert_true(close_to(ap[1].low, 1) && close_to(ap[1].high, 1));
    assert_int_equal(ap[2].defined, 0);
    assert_true(isnan(ap[2].low) && isnan(ap[2].high) && isnan(ap[2].std));
    assert_int_equal(out[0].defined, 100);
    assert_int_equal(out[4].defined, 0); /* AP_medium */
    player_free(&p);
    test_free(m);
}

static void workers_do_not_matter(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 2, 3, 8}, no_jobs[LANES];
    struct made *m = test_malloc(sizeof(*m));
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct coco_interval want[ROWS], got[ROWS], other[ROWS];
        struct coco_slice slices[COCO_COUNTS_MAX], same[COCO_COUNTS_MAX];
        struct coco_bootstrap how = {50, 0.9, seed}, next_seed = how;
        struct player p, q;
        next_seed.seed++;
        make(seed, &wide, m);
        player_init(&p, &m->problem, &parallel_serial);
        size_t rows =
            coco_number_count(&p.trial.protocol) + p.trial.core.index.n_classes;
        find_intervals(&p, &how, want, &parallel_serial);
        find_intervals(&p, &next_seed, other, &parallel_serial);
        assert_true(want[8].std > 0 && !same_bits(want[8].std, other[8].std));
        assert_false(coco_count_slices(&p.trial.core, p.replay, slices,
                                       &p.trial.mem, &parallel_serial));
        for (size_t w = 0; w < 4; w++) {
            struct pool *pool = pool_new(widths[w], 0, no_jobs);
            player_init(&q, &m->problem, pool_parallel(pool));
            find_intervals(&q, &how, got, pool_parallel(pool));
            assert_false(coco_count_slices(&q.trial.core, q.replay, same,
                                           &q.trial.mem, pool_parallel(pool)));
            for (size_t i = 0; i < rows; i++) {
                assert_memory_equal(&got[i].low, &want[i].low,
                                    3 * sizeof(double));
                assert_int_equal(got[i].defined, want[i].defined);
            }
            assert_memory_equal(slices, same,
                                p.trial.protocol.n_counts * sizeof(*same));
            player_free(&q);
            pool_free(pool);
        }
        player_free(&p);
    }
    test_free(m);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *stop_soon(void *flag)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void stopping_ends_it(void **state)
{
    (void)state;
    atomic_bool stop = false;
    struct parallel par = parallel_serial;
    struct made *m = test_malloc(sizeof(*m));
    static struct coco_interval out[ROWS];
    struct coco_slice slices[COCO_COUNTS_MAX];
    struct coco_bootstrap how = {COCO_RESAMPLES_MAX, 0.9, 0};
    struct player p;
    pthread_t thread;
    par.stop = &stop;
    make(21, &wide, m);
    player_init(&p, &m->problem, &par);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
    double start = now();
    assert_int_equal(
        coco_intervals(&p.trial.core, p.replay, &how, out, &p.trial.mem, &par),
        -1);
    assert_true(atomic_load(&stop) && now() - start < 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(
        coco_count_slices(&p.trial.core, p.replay, slices, &p.trial.mem, &par),
        -1);
    assert_null(coco_replay_new(&p.trial.core, true, &p.trial.mem, &par));
    player_free(&p);
    test_free(m);
}

/* Stopped at any moment: the very bits, or the word that it was stopped. */
static void stopping_anywhere_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval want[ROWS], got[ROWS];
    struct coco_slice slices[COCO_COUNTS_MAX];
    struct coco_bootstrap how = {5, 0.9, 0};
    struct player p;
    make(21, &wide, m);
    coco_protocol_init(&m->problem.protocol);
    player_init(&p, &m->problem, &parallel_serial);
    struct coco_result *r = &p.trial.core;
    find_intervals(&p, &how, want, &parallel_serial);
    size_t stopped[4] = {0};
    for (size_t items = 0; stopped[3] == 0; items++) {
        struct counting lent;
        counting_init(&lent, items);
        struct coco_replay *replay =
            coco_replay_new(r, true, &p.trial.mem, &lent.par);
        size_t stage = 0;
        if (replay && ++stage &&
            !coco_count_slices(r, replay, slices, &p.trial.mem, &lent.par) &&
            ++stage &&
            !coco_intervals(r, replay, &how, got, &p.trial.mem, &lent.par))
            stage++;
        assert_int_equal(stage < 3, atomic_load(&lent.stop));
        stopped[stage]++;
    }
    assert_true(stopped[0] > 9 && stopped[1] == 4 &&
                stopped[2] > how.resamples);
    agree(got[0].low, want[0].low, "not stopped", 0);
    player_free(&p);
    test_free(m);
}

/* With any amount of memory: the very bits, or the word that it is spent. */
static void memory_that_ends_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval want[ROWS], got[ROWS];
    struct coco_slice slices[COCO_COUNTS_MAX];
    struct coco_bootstrap how = {200, 0.9, 0};
    struct player p;
    make(21, &wide, m);
    player_init(&p, &m->problem, &parallel_serial);
    struct coco_result *r = &p.trial.core;
    find_intervals(&p, &how, want, &parallel_serial);
    size_t spent = 0;
    for (size_t bytes = 0, done = 0; !done; bytes += 1024) {
        struct arena mem;
        arena_init(&mem, bytes);
        struct coco_replay *replay =
            coco_replay_new(r, true, &mem, &parallel_serial);
        done = replay &&
               !coco_count_slices(r, replay, slices, &mem, &parallel_serial) &&
               !coco_intervals(r, replay, &how, got, &mem, &parallel_serial);
        spent += !done;
        if (done)
            agree(got[0].low, want[0].low, "with just enough memory", bytes);
        arena_free(&mem);
    }
    assert_true(spent > 10);
    player_free(&p);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_image_is_likelier),
        cmocka_unit_test(intervals_are_those_of_copied_images),
        cmocka_unit_test(quantiles_by_hand),
        cmocka_unit_test(undefined_resamples_are_left_out),
        cmocka_unit_test(workers_do_not_matter),
        cmocka_unit_test(stopping_ends_it),
        cmocka_unit_test(stopping_anywhere_is_told),
        cmocka_unit_test(memory_that_ends_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
