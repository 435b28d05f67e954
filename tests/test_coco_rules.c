/*
 * core/ and the oracle must both agree with the rules' table.  Breaking any
 * rule in core/ fails a row: tests/mutants.sh tries.
 */
#include "core/coco.h"
#include "tests/coco_rules.h"
#include "tests/oracle.h"
#include "tests/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What core/ says of a check. */
static double core_says(const struct trial *s, const struct check *c)
{
    switch (c->what) {
    case 'n':
        return core_number(s, c->at.t);
    case 'K':
        return (double)s->core.index.n_classes;
    case 'c':
        return (double)s->core.matches.cut;
    case 'i':
        return s->protocol.iou[c->at.t];
    case 'g':
        return s->protocol.recall[c->at.t];
    default:
        return core_at(s, c->what, c->at);
    }
}

/* What the oracle says, or what is wanted where it has no say. */
static double oracle_says(const struct oracle *o, const struct check *c)
{
    struct place at = c->at;
    switch (c->what) {
    case 'p':
        return o->precision[oracle_at(o, at.t, at.r, at.k, at.a, at.m)];
    case 's':
        return o->scores[oracle_at(o, at.t, at.r, at.k, at.a, at.m)];
    case 'r':
        return o->recall[oracle_recall_at(o, at.t, at.k, at.a, at.m)];
    case 'n':
        return o->number[at.t];
    case 'K':
        return (double)o->n_classes;
    default:
        return c->want;
    }
}

static void check(const char *who, double got, const struct check *c, size_t i)
{
    if (!same_bits(got, c->want))
        fail_msg("check %zu ('%c'): %s has %.17g (%a), not %.17g", i, c->what,
                 who, got, got, c->want);
}

static struct problem problem_of(const struct rule *rule)
{
    static const int64_t images[] = {1, 2}, categories[] = {1};
    struct problem p = {.n_images = 2,
                        .n_categories = 1,
                        .image = images,
                        .category = categories,
                        .gt = rule->gt,
                        .dt = rule->dt,
                        .n_gt = rule->n_gt,
                        .n_dt = rule->n_dt};
    if (rule->n_images > 0) {
        p.n_images = rule->n_images;
        p.image = rule->image;
    }
    if (rule->n_categories > 0) {
        p.n_categories = rule->n_categories;
        p.category = rule->category;
    }
    coco_protocol_init(&p.protocol);
    if (rule->adjust)
        rule->adjust(&p.protocol);
    return p;
}

static void rule_holds(void **state)
{
    const struct rule *rule = *state;
    struct problem p = problem_of(rule);
    struct trial s;
    trial_init(&s, &p);
    trial_oracle(&s);
    trial_core(&s, (struct coco_wanted){.scores = true, .limits = true},
               &parallel_serial);
    for (size_t i = 0; i < rule->n_checks; i++) {
        check("the oracle", oracle_says(&s.oracle, &rule->checks[i]),
              &rule->checks[i], i);
        check("core", core_says(&s, &rule->checks[i]), &rule->checks[i], i);
    }
    trial_core(&s, (struct coco_wanted){0}, &parallel_serial);
    for (size_t i = 0; i < rule->n_checks; i++)
        if (rule->checks[i].what == 'n')
            check("core without scores", core_says(&s, &rule->checks[i]),
                  &rule->checks[i], i);
    trial_free(&s);
}

/* 2: enough detections for the other way of sorting them. */
static void many_equal_scores_keep_file_order(void **state)
{
    (void)state;
    enum { N = 90 };
    const struct gt_row gt[] = {G(1, 0, 0, 10, 10)};
    struct dt_row dt[N];
    for (size_t i = 0; i < N; i++)
        dt[i] = (struct dt_row)D(i % 2 ? .5 : .25, 50, 0, 10, 10);
    memcpy(dt[1].box, gt[0].box, sizeof(gt[0].box)); /* first of the best */
    const struct rule rule = {
        .gt = gt,
        .n_gt = 1,
        .dt = dt,
        .n_dt = N,
        WANT(P(T50, 0, ALL, ONE), R_AT(T50, 0, ALL, M10, 1))};
    void *row = (void *)(uintptr_t)&rule;
    rule_holds(&row);
}

/*
 * 16: means of n quotients (2a-1)/b, a and b of splitmix64 from seed 40.
 * The first column is numpy 1.24's own mean, the second a pairwise sum in one
 * pass by its description.
 */
static const struct {
    size_t n;
    double chunks, one_pass;
} means[] = {
    {1, -0x1.2dd9a2f0fb55bp-1, -0x1.2dd9a2f0fb55bp-1},
    {7, 0x1.99c0bb1524d3ep-1, 0x1.99c0bb1524d3ep-1},
    {12, 0x1.c0787faa1e461p-2, 0x1.c0787faa1e461p-2},
    {15, 0x1.24c24114bc406p-1, 0x1.24c24114bc406p-1},
    {100, -0x1.c6ab810148e9cp+0, -0x1.c6ab810148e9cp+0},
    {128, -0x1.6cb6035861dc0p+0, -0x1.6cb6035861dc0p+0},
    {129, -0x1.6b6d65d35c1b8p+0, -0x1.6b6d65d35c1b8p+0},
    {200, -0x1.8ce957dff5ddap-2, -0x1.8ce957dff5ddap-2},
    {300, -0x1.2242e900bca0ap-3, -0x1.2242e900bca0ap-3},
    {1010, -0x1.4f28e3b4ae467p-6, -0x1.4f28e3b4ae467p-6},
    {8192, 0x1.7c20c3eac70cep+0, 0x1.7c20c3eac70cep+0},
    {9000, 0x1.4e9d2f4dd56d4p+0, 0x1.4e9d2f4dd56d4p+0},
    {10010, 0x1.094d1643df394p+0, 0x1.094d1643df395p+0},
    {12345, 0x1.fab5ca5547f21p-1, 0x1.fab5ca5547f1ep-1},
    {20000, 0x1.80b86e26e0794p-1, 0x1.80b86e26e0795p-1},
    {30000, -0x1.70dbf9802c9fep-2, -0x1.70dbf9802c9fcp-2},
};

static void means_are_numpys(void **state)
{
    (void)state;
    size_t n = means[sizeof(means) / sizeof(*means) - 1].n;
    double *x = test_malloc(n * sizeof(*x));
    struct random r = {40};
    for (size_t i = 0; i < n; i++) {
        double a = (double)(next(&r) >> 11) * 0x1p-53;
        x[i] = (2 * a - 1) / ((double)(next(&r) >> 11) * 0x1p-53);
    }
    for (size_t i = 0; i < sizeof(means) / sizeof(*means); i++) {
        const double got[] = {coco_mean(x, means[i].n, COCO_NUMPY1),
                              oracle_mean(x, means[i].n, COCO_NUMPY1),
                              coco_mean(x, means[i].n, COCO_NUMPY2),
                              oracle_mean(x, means[i].n, COCO_NUMPY2)};
        for (size_t j = 0; j < 4; j++)
            if (!same_bits(got[j], j < 2 ? means[i].chunks : means[i].one_pass))
                fail_msg("mean %zu of %zu: %a", j, means[i].n, got[j]);
    }
    test_free(x);
}

enum { RULES = sizeof(rules) / sizeof(*rules) };

int main(void)
{
    struct CMUnitTest tests[RULES + 2] = {
        [RULES] = cmocka_unit_test(many_equal_scores_keep_file_order),
        [RULES + 1] = cmocka_unit_test(means_are_numpys)};
    for (size_t i = 0; i < RULES; i++)
        tests[i] =
            (struct CMUnitTest){.name = rules[i].name,
                                .test_func = rule_holds,
                                .initial_state = (void *)(uintptr_t)&rules[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
