/*
 * A problem, analysed by core/ and by the analysis oracle.
 *
 * Counts, scores and choices are the same bits.  Sums of doubles may differ in
 * the last bits, as the oracle adds them up in another order.
 */
#ifndef EVALD_TESTS_OPINIONS_H
#define EVALD_TESTS_OPINIONS_H

#include "tests/analysis_oracle.h"
#include "tests/problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct opinions {
    struct trial trial;
    struct analysis oracle;
    struct coco_confusion confusion;
    struct coco_class_errors *errors;
    struct coco_points *points;
    uint64_t seed;
};

/* What core/ says; at are n_at scores. */
static inline void opinions_core(struct opinions *c, const struct problem *p,
                                 const double *at, size_t n_at,
                                 const struct parallel *par)
{
    struct trial *s = &c->trial;
    const struct coco_result *r = &s->core;
    trial_init(s, p);
    trial_core(s, (struct coco_wanted){.scores = true, .truths = true}, par);
    size_t rows = r->index.n_classes + 1;
    c->errors = trial_alloc(s, rows, sizeof(*c->errors));
    c->points = trial_alloc(s, rows, sizeof(*c->points));
    if (coco_confusion(&c->confusion, r, &s->verdicts, &s->mem, par) ||
        coco_errors(c->errors, r, &s->verdicts, &s->mem, par) ||
        coco_points(c->points, r, &s->verdicts, at, n_at, &s->mem, par))
        abort();
}

static inline void opinions_oracle(struct opinions *c, const double *at,
                                   size_t n_at)
{
    analysis_make(&c->oracle, &c->trial.protocol, &c->trial.gt, &c->trial.dt);
    analysis_errors(&c->oracle);
    analysis_points(&c->oracle, at, n_at);
}

static inline void opinions_free(struct opinions *c)
{
    analysis_free(&c->oracle);
    arena_free(&c->trial.mem);
}

static inline void refuse(const struct opinions *c, const char *what, size_t at,
                          double got, double want)
{
    fail_msg("%s %zu: %.17g, not %.17g (seed %llu)", what, at, got, want,
             (unsigned long long)c->seed);
}

/* Equal, or both NaN; zeros of either sign are equal. */
static inline bool same(double x, double y)
{
    return x == y || (isnan(x) && isnan(y));
}

static inline bool close_to(double x, double y)
{
    double margin = isinf(y) ? 0 : 1e-12 * fmax(1, fabs(y));
    return same(x, y) || fabs(x - y) <= margin;
}

static inline void agree(const struct opinions *c, const char *what, size_t at,
                         double got, double want)
{
    if (!same(got, want))
        refuse(c, what, at, got, want);
}

static inline void agree_closely(const struct opinions *c, const char *what,
                                 size_t at, double got, double want)
{
    if (!close_to(got, want))
        refuse(c, what, at, got, want);
}

#endif
