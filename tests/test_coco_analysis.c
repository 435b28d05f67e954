/*
 * What is read from the matches at one threshold: core/ against the analysis
 * oracle on random small problems, and what must hold of either.  A failure
 * prints the seed of its problem.
 */
#include "core/coco_mask.h"
#include "tests/crowd.h"
#include "tests/drawn.h"
#include "tests/opinions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct kind small = {"small", 4, 4, 12, 18, false, false};
static const struct kind undefined = {"undefined", 2, 3, 10, 12, false, true};
static const struct kind crowded = {"crowded", 2, 3, 40, 150, false, false};
static const struct kind wide = {"wide", 20, 12, 200, 400, false, false};

/* Scores at which counts are wanted. */
static const double asked[] = {0.5, 0.9, 0, -1, 2, 0.25, 0.499, 0.5};
enum { ASKED = sizeof(asked) / sizeof(*asked) };

/* The row of a detection's place, as the oracle has it. */
static size_t row_of(const struct opinions *c, uint32_t place)
{
    return place == COCO_UNKNOWN ? ORACLE_NONE : c->trial.core.index.dt[place];
}

/* Rows and places are compared as numbers; none is -1. */
static double number(size_t row)
{
    return row == ORACLE_NONE ? -1 : (double)row;
}

static void detections_agree(const struct opinions *c)
{
    const struct coco_verdicts *v = &c->trial.verdicts;
    const struct analysis *o = &c->oracle;
    agree(c, "detections", 0, (double)c->trial.core.index.n_dt,
          (double)o->n_order);
    for (uint32_t i = 0; i < o->n_order; i++) {
        size_t row = o->order[i];
        const struct analysis_dt *d = &o->dt[row];
        agree(c, "order of marks", i, number(row_of(c, i)), number(row));
        agree(c, "kind", row, v->kind[i], d->kind);
        agree(c, "truth", row, v->truth[i] == COCO_UNKNOWN ? -1.0 : v->truth[i],
              number(d->truth));
        if (v->truth[i] != COCO_UNKNOWN)
            agree(c, "IoU", row, coco_match_iou(&c->trial.core, v, i), d->iou);
    }
}

static void ground_truths_agree(const struct opinions *c)
{
    const struct coco_verdicts *v = &c->trial.verdicts;
    const struct coco_index *ix = &c->trial.core.index;
    const struct analysis *o = &c->oracle;
    agree(c, "ground truths", 0, (double)ix->n_gt, (double)o->n_gt);
    for (size_t i = 0; i < o->n_gt; i++) {
        const struct analysis_gt *g = &o->gt[i];
        agree(c, "row", i, ix->gt[i], (double)g->row);
        agree(c, "counts", i, v->counts[i], g->counts);
        if (!g->counts)
            continue;
        agree(c, "found", i, number(row_of(c, v->found[i])), number(g->found));
        agree(c, "claim", i, number(row_of(c, v->claim[i])), number(g->claim));
        agree(c, "confused", i, number(row_of(c, v->confused[i])),
              number(g->confused));
        agree(c, "overlap", i, v->overlap[i], g->overlap);
    }
}

static void confusions_agree(const struct opinions *c)
{
    const struct coco_confusion *m = &c->confusion;
    const struct analysis *o = &c->oracle;
    size_t side = o->n_classes + 1, last = 0;
    for (size_t i = 0; i < m->n; i++) {
        size_t at = m->cell[i].truth * side + m->cell[i].found;
        if (i > 0 && at <= last)
            refuse(c, "order of confusion", i, (double)at, (double)last);
        for (size_t j = i > 0 ? last + 1 : 0; j < at; j++)
            agree(c, "zero of confusion", j, 0, (double)o->matrix[j]);
        agree(c, "confusion", at, m->cell[i].count, (double)o->matrix[at]);
        last = at;
    }
    for (size_t j = m->n > 0 ? last + 1 : 0; j < side * side; j++)
        agree(c, "zero of confusion", j, 0, (double)o->matrix[j]);
}

static void errors_agree(const struct opinions *c)
{
    for (size_t k = 0; k <= c->oracle.n_classes; k++) {
        const struct coco_class_errors *e = &c->errors[k],
                                       *o = &c->oracle.errors[k];
        agree_closely(c, "AP of class", k, e->ap, o->ap);
        for (size_t f = 0; f < COCO_FIXES; f++) {
            agree_closely(c, coco_fix_name[f], k, e->delta[f], o->delta[f]);
            agree(c, coco_fix_name[f], k, e->count[f], o->count[f]);
        }
    }
}

static void levels_agree(const struct opinions *c, const char *what, size_t at,
                         const struct coco_level *l, const struct coco_level *o)
{
    agree(c, what, at, l->score, o->score);
    agree(c, what, at, l->tp, o->tp);
    agree(c, what, at, l->fp, o->fp);
    agree_closely(c, what, at, l->loss, o->loss);
}

/*
 * Two scores can have the same LRP on paper, as a match at the threshold costs
 * as much as a miss; which is the lower of two such sums is up to rounding, so
 * any choice as good as the oracle's will do.
 */
static void best_lrps_agree(const struct opinions *c, size_t k)
{
    double iou = c->trial.protocol.per_image_iou;
    const struct coco_points *p = &c->points[k], *o = &c->oracle.points[k];
    agree_closely(c, "lowest LRP", k,
                  oracle_lrp(&p->best_lrp, p->positives, iou).lrp,
                  oracle_lrp(&o->best_lrp, p->positives, iou).lrp);
    if (p->best_lrp.score == o->best_lrp.score)
        levels_agree(c, "best LRP", k, &p->best_lrp, &o->best_lrp);
}

static void lrps_agree(const struct opinions *c, size_t k, struct coco_lrp l,
                       struct coco_lrp o)
{
    agree_closely(c, "LRP", k, l.lrp, o.lrp);
    agree_closely(c, "LRP of localisation", k, l.localisation, o.localisation);
    agree_closely(c, "LRP of fp", k, l.false_positive, o.false_positive);
    agree_closely(c, "LRP of fn", k, l.false_negative, o.false_negative);
}

/* Adds x to a mean of those that are numbers. */
static void add_defined(double *sum, double *n, double x)
{
    *sum += isnan(x) ? 0 : x;
    *n += !isnan(x);
}

static void mean_lrps_agree(const struct opinions *c, bool best)
{
    double iou = c->trial.protocol.per_image_iou;
    double sum[4] = {0}, n[4] = {0};
    size_t classes = c->oracle.n_classes;
    for (size_t k = 0; k < classes; k++) {
        const struct coco_points *p = &c->points[k];
        const struct coco_level *l = best ? &p->best_lrp : &p->threshold;
        struct coco_lrp o = oracle_lrp(l, p->positives, iou);
        lrps_agree(c, k, coco_lrp(l, p->positives, iou), o);
        add_defined(&sum[0], &n[0], o.lrp);
        add_defined(&sum[1], &n[1], o.localisation);
        add_defined(&sum[2], &n[2], o.false_positive);
        add_defined(&sum[3], &n[3], o.false_negative);
    }
    lrps_agree(c, classes, coco_lrp_mean(c->points, classes, iou, best),
               (struct coco_lrp){sum[0] / n[0], sum[1] / n[1], sum[2] / n[2],
                                 sum[3] / n[3]});
}

static void bins_agree(const struct opinions *c, size_t k)
{
    size_t n = c->trial.protocol.n_bins;
    const struct coco_points *p = &c->points[k], *o = &c->oracle.points[k];
    agree(c, "outside", k, p->outside, o->outside);
    for (size_t i = 0; i < n; i++) {
        agree(c, "bin", i, p->bin[i].count, o->bin[i].count);
        agree(c, "hits of bin", i, p->bin[i].tp, o->bin[i].tp);
        agree_closely(c, "confidence of bin", i, p->bin[i].confidence,
                      o->bin[i].confidence);
        agree(c, "edge", i, coco_bin_edge(i, n), (double)i / (double)n);
    }
    agree_closely(c, "ECE", k, coco_ece(p->bin, n), oracle_ece(o->bin, n));
    agree_closely(c, "MCE", k, coco_mce(p->bin, n), oracle_mce(o->bin, n));
}

static void points_agree(const struct opinions *c)
{
    for (size_t k = 0; k <= c->oracle.n_classes; k++) {
        const struct coco_points *p = &c->points[k], *o = &c->oracle.points[k];
        agree(c, "positives", k, p->positives, o->positives);
        levels_agree(c, "all of", k, &p->all, &o->all);
        levels_agree(c, "threshold of", k, &p->threshold, &o->threshold);
        levels_agree(c, "best F1", k, &p->best_f1, &o->best_f1);
        agree_closely(c, "F1", k, coco_f1(&p->best_f1, p->positives),
                      oracle_f1(&p->best_f1, p->positives));
        for (size_t i = 0; i < ASKED; i++)
            levels_agree(c, "at score", i, &p->at[i], &o->at[i]);
        best_lrps_agree(c, k);
        bins_agree(c, k);
    }
    mean_lrps_agree(c, true);
    mean_lrps_agree(c, false);
}

static void opinions_agree(const struct opinions *c)
{
    detections_agree(c);
    ground_truths_agree(c);
    confusions_agree(c);
    errors_agree(c);
    points_agree(c);
}

/* What AP's own matches say of class k: tp and fp of a score or more. */
static struct coco_level walk(const struct opinions *c, size_t k, double score)
{
    const struct coco_result *r = &c->trial.core;
    const struct coco_matches *m = &r->matches;
    struct coco_level l = {0};
    for (uint32_t i = r->index.class_dt[k]; i < r->index.class_dt[k + 1]; i++) {
        struct coco_sorted d = {i, m->mark[i]};
        struct coco_mask mask = coco_mask(m, d, r->protocol->area_all);
        if (d.mark.limit >= COCO_LIMITS || (mask.ignored >> m->per_image & 1) ||
            coco_score_at(r, i) < score)
            continue;
        if (mask.matched >> m->per_image & 1)
            l.tp++;
        else
            l.fp++;
    }
    return l;
}

/* Everything is counted once. */
static void counts_add_up(const struct opinions *c)
{
    const struct coco_protocol *p = &c->trial.protocol;
    size_t n = c->oracle.n_classes;
    for (size_t k = 0; k < n; k++) {
        const struct coco_points *q = &c->points[k];
        const struct coco_class_errors *e = &c->errors[k];
        uint32_t positives = c->trial.core.class[k].positives[p->area_all];
        uint32_t row = 0, column = 0, kinds = 0, binned = q->outside;
        for (size_t i = 0; i < c->confusion.n; i++) {
            const struct coco_confused *m = &c->confusion.cell[i];
            row += m->truth == k ? m->count : 0;
            column += m->found == k ? m->count : 0;
            if (m->truth == k && m->found == k)
                agree(c, "diagonal", k, m->count, q->threshold.tp);
        }
        for (size_t i = 0; i < COCO_FALSE_KINDS; i++)
            kinds += e->count[i];
        for (size_t i = 0; i < p->n_bins; i++)
            binned += q->bin[i].count;
        struct coco_level all = walk(c, k, -HUGE_VAL);
        struct coco_level some = walk(c, k, p->score_threshold);
        agree(c, "positives of AP", k, q->positives, positives);
        agree(c, "sum of a row", k, row, positives);
        agree(c, "sum of a column", k, column, some.tp + some.fp);
        agree(c, "tp of AP", k, q->threshold.tp, some.tp);
        agree(c, "fp of AP", k, q->threshold.fp, some.fp);
        agree(c, "all tp of AP", k, q->all.tp, all.tp);
        agree(c, "false positives", k, e->count[COCO_FALSE_POSITIVE], all.fp);
        agree(c, "kinds of errors", k, kinds, all.fp);
        agree(c, "missed", k, e->count[COCO_FALSE_NEGATIVE],
              positives - all.tp);
        agree(c, "binned", k, binned, some.tp + some.fp);
    }
}

/*
 * Taking false positives away, or ground truths that nothing met, lowers no
 * point of the curve, and neither does one true positive more; and rounding
 * keeps the order of sums.  So every fix is worth 0 or more, to the bit, in a
 * class, and in the mean.
 */
static void fixes_do_no_harm(const struct opinions *c)
{
    for (size_t k = 0; k <= c->oracle.n_classes; k++)
        for (size_t f = 0; f < COCO_FIXES; f++)
            if (!(c->errors[k].delta[f] >= 0))
                refuse(c, coco_fix_name[f], k, c->errors[k].delta[f], 0);
}

/* Where AP has the threshold too, it is the same number. */
static void ap_is_aps(const struct opinions *c)
{
    const struct coco_protocol *p = &c->trial.protocol;
    if (c->trial.core.matches.n_thresholds > p->n_iou || p->per_image_iou == 0)
        return;
    struct coco_number ap = {.iou = p->per_image_iou,
                             .area = p->area[p->area_all].name,
                             .limit = p->max_detections[COCO_LIMITS - 1]};
    size_t n = c->oracle.n_classes, times = 0;
    for (size_t t = 0; t < p->n_iou; t++)
        times += p->iou[t] == p->per_image_iou;
    for (size_t k = 0; k <= n; k++) {
        double want =
            coco_value(&c->trial.core, &ap, k < n ? k : COCO_ALL_CLASSES);
        if (times == 1)
            agree(c, "AP", k, c->errors[k].ap, want);
        else /* a threshold that is there twice is added up twice */
            agree_closely(c, "AP", k, c->errors[k].ap, want);
    }
}

/* Over all categories LRP is added up in two orders. */
static void best_is_best(const struct opinions *c)
{
    double iou = c->trial.protocol.per_image_iou;
    for (size_t k = 0; k <= c->oracle.n_classes; k++) {
        const struct coco_points *p = &c->points[k];
        double f1 = coco_f1(&p->best_f1, p->positives);
        double lrp = coco_lrp(&p->best_lrp, p->positives, iou).lrp;
        for (size_t i = 0; i < ASKED; i++) {
            if (coco_f1(&p->at[i], p->positives) > f1)
                refuse(c, "F1 at score", i, f1, p->at[i].score);
            double at = coco_lrp(&p->at[i], p->positives, iou).lrp;
            if (at < lrp && !close_to(at, lrp))
                refuse(c, "LRP at score", i, lrp, at);
        }
    }
}

static void curves_agree(struct opinions *c)
{
    const struct coco_result *r = &c->trial.core;
    struct coco_raw_curve got;
    if (r->matches.n_thresholds > r->protocol->n_iou)
        return;
    if (coco_raw_curve_alloc(&got, r, &c->trial.mem))
        abort();
    for (size_t k = 0; k < r->index.n_classes; k++) {
        if (c->points[k].positives == 0)
            continue;
        struct coco_raw_curve want = oracle_raw_curve(&c->oracle, k);
        coco_raw_curve_class(&got, r, k);
        coco_raw_curve_at(&got, r, k, r->matches.per_image);
        agree(c, "detections of curve", k, got.detections, want.detections);
        agree(c, "points of curve", k, (double)got.n, (double)want.n);
        for (size_t i = 0; i < want.n; i++) {
            agree(c, "recall", i, got.recall[i], want.recall[i]);
            agree(c, "precision", i, got.precision[i], want.precision[i]);
            agree(c, "score", i, got.score[i], want.score[i]);
        }
        struct place at = {.t = r->matches.per_image,
                           .k = k,
                           .a = r->protocol->area_all,
                           .m = COCO_LIMITS - 1};
        for (; at.r < r->protocol->n_recall; at.r++) {
            agree(c, "envelope", at.r, got.envelope[at.r],
                  core_at(&c->trial, 'p', at));
            agree(c, "its score", at.r, got.envelope_score[at.r],
                  core_at(&c->trial, 's', at));
        }
    }
}

/* Choices of this file's own, and detections of the wrong category. */
static void draw(uint64_t seed, const struct kind *kind, struct made *m)
{
    static const double part[] = {0, 0.2, 0.5, 1, 0.1};
    static const size_t bins[] = {1, 2, 10, 15, 100};
    struct random r = {seed + 1000000};
    struct coco_protocol *p = &m->problem.protocol;
    make(seed, kind, m);
    p->background_iou = p->per_image_iou * PICK(&r, part);
    p->n_bins = PICK(&r, bins);
    for (size_t i = 0; i < m->problem.n_dt; i++)
        if (below(&r, 3) == 0)
            m->dt[i].category = m->category[below(&r, m->problem.n_categories)];
}

static void compare(const struct kind *kind, uint64_t seeds, size_t n)
{
    struct made *m = test_malloc(sizeof(*m));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct opinions c = {.seed = seed};
        draw(seed, kind, m);
        opinions_core(&c, &m->problem, asked, ASKED, &parallel_serial);
        opinions_oracle(&c, asked, ASKED);
        opinions_agree(&c);
        counts_add_up(&c);
        fixes_do_no_harm(&c);
        ap_is_aps(&c);
        best_is_best(&c);
        curves_agree(&c);
        opinions_free(&c);
    }
    test_free(m);
}

static void small_problems_agree(void **state)
{
    (void)state;
    compare(&small, 1, 3000);
}

static void undefined_overlaps_agree(void **state)
{
    (void)state;
    compare(&undefined, 30001, 500);
}

static void crowded_problems_agree(void **state)
{
    (void)state;
    compare(&crowded, 10001, 40);
}

static void wide_problems_agree(void **state)
{
    (void)state;
    compare(&wide, 20001, 5);
}

static void same_bytes(const struct opinions *c, const char *what,
                       const void *x, const void *y, size_t n, size_t size)
{
    if (memcmp(x, y, n * size) != 0)
        refuse(c, what, 0, 1, 0);
}

/* One field of every detection or ground truth, of two structs of arrays. */
#define SAME(field, n) \
    same_bytes(c, #field, x->field, y->field, n, sizeof(*x->field))

static void same_verdicts(const struct opinions *c, const struct opinions *d)
{
    const struct coco_verdicts *x = &c->trial.verdicts, *y = &d->trial.verdicts;
    size_t n_dt = c->trial.core.index.n_dt, n_gt = c->trial.core.index.n_gt;
    SAME(kind, n_dt);
    SAME(truth, n_dt);
    SAME(counts, n_gt);
    SAME(found, n_gt);
    SAME(claim, n_gt);
    SAME(confused, n_gt);
    SAME(overlap, n_gt);
}

static void same_points(const struct opinions *c, const struct coco_points *x,
                        const struct coco_points *y)
{
    size_t levels = sizeof(struct coco_level);
    agree(c, "positives", 0, x->positives, y->positives);
    agree(c, "outside", 0, x->outside, y->outside);
    same_bytes(c, "all", &x->all, &y->all, 1, levels);
    same_bytes(c, "threshold", &x->threshold, &y->threshold, 1, levels);
    same_bytes(c, "best F1", &x->best_f1, &y->best_f1, 1, levels);
    same_bytes(c, "best LRP", &x->best_lrp, &y->best_lrp, 1, levels);
    SAME(at, ASKED);
    SAME(bin, c->trial.protocol.n_bins);
}

static void compare_workers(const struct kind *kind, uint64_t seed,
                            const struct parallel *par)
{
    struct made *m = test_malloc(sizeof(*m));
    struct opinions c = {.seed = seed}, d = {.seed = seed};
    draw(seed, kind, m);
    opinions_core(&c, &m->problem, asked, ASKED, &parallel_serial);
    opinions_core(&d, &m->problem, asked, ASKED, par);
    size_t rows = c.trial.core.index.n_classes + 1;
    same_verdicts(&c, &d);
    agree(&c, "cells", 0, (double)c.confusion.n, (double)d.confusion.n);
    same_bytes(&c, "confusion", c.confusion.cell, d.confusion.cell,
               c.confusion.n, sizeof(*c.confusion.cell));
    same_bytes(&c, "errors", c.errors, d.errors, rows, sizeof(*c.errors));
    for (size_t k = 0; k < rows; k++)
        same_points(&c, &c.points[k], &d.points[k]);
    arena_free(&c.trial.mem);
    arena_free(&d.trial.mem);
    test_free(m);
}

static void workers_do_not_matter(void **state)
{
    (void)state;
    for (size_t width = 1; width <= 8; width += width < 3 ? 1 : 5) {
        struct parallel backwards = {.width = width, .run = run_reverse};
        struct parallel at_once = {.width = width, .run = run_threads};
        for (uint64_t seed = 40001; seed < 40101; seed++)
            compare_workers(&small, seed, &backwards);
        for (uint64_t seed = 50001; seed < 50021; seed++)
            compare_workers(&wide, seed, &at_once);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_problems_agree),
        cmocka_unit_test(undefined_overlaps_agree),
        cmocka_unit_test(crowded_problems_agree),
        cmocka_unit_test(wide_problems_agree),
        cmocka_unit_test(workers_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
