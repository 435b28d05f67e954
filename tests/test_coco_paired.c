/*
 * Intervals of the difference of two runs against resamples whose images are
 * copied for real, the same for both.
 */
#include "tests/replayed.h"

#include <math.h>

enum { ROWS = COCO_VALUES_MAX + CATEGORIES, RESAMPLES = 21 };

/* The second run: what the first found, but for some, with other scores. */
static void make_second(uint64_t seed, const struct made *first,
                        struct made *out)
{
    struct random r = {seed};
    *out = *first;
    struct problem *p = &out->problem;
    p->image = out->image;
    p->category = out->category;
    p->gt = out->gt;
    p->dt = out->dt;
    p->n_dt = 0;
    for (size_t i = 0; i < first->problem.n_dt; i++) {
        if (below(&r, 4) == 0)
            continue;
        out->dt[p->n_dt] = first->dt[i];
        out->dt[p->n_dt++].score = (double)below(&r, 1000) / 1000;
    }
}

/* How often each image is drawn, as test_coco_intervals.c has it. */
static void draw(uint64_t seed, uint64_t i, size_t n, uint32_t *weight)
{
    uint64_t stream = random_stream(seed, i);
    memset(weight, 0, n * sizeof(*weight));
    for (size_t k = 0; k < n; k++)
        weight[random_below(&stream, (uint32_t)n)]++;
}

/* The numbers and the AP of each category, of images that are copied. */
static void score_copies(const struct made *m, const uint32_t *weight,
                         double *out, struct made *copy)
{
    struct trial s;
    copy_images(m, weight, copy);
    trial_init(&s, &copy->problem);
    trial_core(&s, (struct coco_wanted){0}, &parallel_serial);
    size_t numbers = coco_number_count(&s.protocol);
    struct coco_number ap = coco_number(&s.protocol, 0);
    for (size_t j = 0; j < numbers; j++)
        out[j] = core_number(&s, j);
    for (size_t k = 0; k < s.core.index.n_classes; k++)
        out[numbers + k] = coco_value(&s.core, &ap, k);
    arena_free(&s.mem);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Level 0.5 of 21: the quantiles are the 6th and the 16th of all. */
static void check_interval(double *x, size_t n, const struct coco_interval *got,
                           uint64_t seed)
{
    assert_int_equal(got->defined, n);
    if (n == 0)
        assert_true(isnan(got->low) && isnan(got->high));
    if (n < RESAMPLES)
        return;
    qsort(x, n, sizeof(*x), by_value);
    agree(got->low, x[5], "lower quantile", seed);
    agree(got->high, x[15], "upper quantile", seed);
}

static void paired(struct player *p, const struct coco_bootstrap *how,
                   struct coco_interval *out)
{
    const struct coco_result *const r[] = {&p[0].trial.core, &p[1].trial.core};
    const struct coco_replay *const replay[] = {p[0].replay, p[1].replay};
    assert_false(coco_paired_intervals(r, replay, how, out, &p[0].trial.mem,
                                       &parallel_serial));
}

static void differences_are_of_the_same_images(void **state)
{
    (void)state;
    static const struct kind five = {5, 4, 24, 60, 1, false};
    static double value[2][ROWS], x[ROWS][RESAMPLES];
    struct made *m = test_malloc(3 * sizeof(*m));
    size_t partly = 0, negative = 0, positive = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct coco_interval out[ROWS];
        struct coco_bootstrap how = {RESAMPLES, 0.5, seed};
        struct player p[2];
        size_t n[ROWS] = {0};
        make(seed, &five, &m[0]);
        make_second(seed, &m[0], &m[1]);
        for (size_t run = 0; run < 2; run++)
            player_init(&p[run], &m[run].problem, &parallel_serial);
        const struct coco_index *ix = &p[0].trial.core.index;
        size_t rows = coco_number_count(&p[0].trial.protocol) + ix->n_classes;
        for (size_t i = 0; i < RESAMPLES; i++) {
            uint32_t weight[IMAGES];
            draw(seed, i, ix->n_images, weight);
            for (size_t run = 0; run < 2; run++)
                score_copies(&m[run], weight, value[run], &m[2]);
            for (size_t j = 0; j < rows; j++)
                if (value[0][j] > -1 && value[1][j] > -1)
                    x[j][n[j]++] = value[1][j] - value[0][j];
        }
        paired(p, &how, out);
        for (size_t j = 0; j < rows; j++) {
            check_interval(x[j], n[j], &out[j], seed);
            partly += n[j] > 0 && n[j] < RESAMPLES;
            negative += out[j].low<0, positive += out[j].high> 0;
        }
        player_free(&p[0]);
        player_free(&p[1]);
    }
    assert_true(partly > 0 && negative > 0 && positive > 0);
    test_free(m);
}

/* One object and a run that finds it, another that does not: 1 less is 1. */
static void the_whole_of_it_can_be_lost(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    struct coco_interval out[ROWS];
    struct coco_bootstrap how = {10, 0.9, 1};
    struct player p[2];
    for (size_t run = 0; run < 2; run++) {
        made_init(&m[run]);
        m[run].image[0] = m[run].category[0] = 1;
        m[run].gt[0] = (struct gt_row){1, 1, 1, {0, 0, 9, 9}, 81, 0};
        m[run].dt[0] = (struct dt_row){1, 1, {0, 0, 9, 9}, 0.9};
        m[run].problem.n_images = m[run].problem.n_categories = 1;
        m[run].problem.n_gt = 1, m[run].problem.n_dt = 1 - run;
        player_init(&p[run], &m[run].problem, &parallel_serial);
    }
    double ap = core_number(&p[0].trial, 8); /* AR is just 1 */
    assert_true(same_bits(ap, 1));
    paired(p, &how, out);
    assert_true(same_bits(out[8].low, -1) && same_bits(out[8].high, -1));
    assert_int_equal(out[8].defined, 10);
    assert_int_equal(out[4].defined, 0); /* AP_medium */
    assert_true(isnan(out[4].low));
    player_free(&p[0]);
    player_free(&p[1]);
    test_free(m);
}

static void a_run_does_not_differ_from_itself(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval out[ROWS], own[ROWS];
    struct coco_bootstrap how = {30, 0.9, 5};
    struct player p[2];
    make(21, &wide, m);
    player_init(&p[0], &m->problem, &parallel_serial);
    player_init(&p[1], &m->problem, &parallel_serial);
    paired(p, &how, out);
    assert_false(coco_intervals(&p[0].trial.core, p[0].replay, &how, own,
                                &p[0].trial.mem, &parallel_serial));
    for (size_t i = 0; i < COCO_NUMBERS; i++) {
        assert_int_equal(out[i].defined, own[i].defined);
        assert_true(out[i].defined == 0 ||
                    (out[i].low == 0 && out[i].high == 0 && out[i].std == 0));
    }
    player_free(&p[0]);
    player_free(&p[1]);
    test_free(m);
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct coco_interval out[ROWS];
    struct coco_bootstrap how = {30, 0.9, 5};
    struct player p;
    make(21, &wide, m);
    player_init(&p, &m->problem, &parallel_serial);
    const struct coco_result *const r[] = {&p.trial.core, &p.trial.core};
    const struct coco_replay *const replay[] = {p.replay, p.replay};
    size_t spent = 0;
    for (size_t bytes = 0, done = 0; !done; bytes += 1024) {
        struct arena mem;
        arena_init(&mem, bytes);
        done = !coco_paired_intervals(r, replay, &how, out, &mem,
                                      &parallel_serial);
        spent += !done;
        arena_free(&mem);
    }
    assert_true(spent > 10);
    atomic_bool stop = true;
    struct parallel par = parallel_serial;
    par.stop = &stop;
    assert_int_equal(
        coco_paired_intervals(r, replay, &how, out, &p.trial.mem, &par), -1);
    player_free(&p);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_of_the_same_images),
        cmocka_unit_test(the_whole_of_it_can_be_lost),
        cmocka_unit_test(a_run_does_not_differ_from_itself),
        cmocka_unit_test(memory_that_ends_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
