/* Curves, and what a choice of the score means. */
#include "api/detection_text.h"

#include <math.h>
#include <stdio.h>

enum { SPARK_COLUMNS = 20, BAR_COLUMNS = 20, CURVES_SHOWN = 3 };

/* A score at which a level ends; a dash where nothing is in. */
static void score_cell(struct text_table *t, double score)
{
    if (isinf(score))
        text_cell(t, TEXT_PLAIN, "-");
    else
        text_cell(t, TEXT_PLAIN, "%.3f", score);
}

/* Thresholds of the protocol that get a column: first, middle and last. */
static size_t curve_columns(const struct coco_protocol *p,
                            size_t at[CURVES_SHOWN])
{
    const size_t wanted[CURVES_SHOWN] = {0, p->n_iou / 2, p->n_iou - 1};
    size_t n = 0;
    for (size_t i = 0; i < CURVES_SHOWN; i++)
        if (n == 0 || wanted[i] > at[n - 1])
            at[n++] = wanted[i];
    return n;
}

static void curve_row(struct text_table *t, const void *context, size_t k)
{
    const struct detection_report *rep = context;
    const struct coco_protocol *p = &rep->req->protocol;
    const struct coco_class *class = &rep->result.class[k];
    size_t at[CURVES_SHOWN], n = curve_columns(p, at);
    text_class_cell(t, rep, k);
    text_cell(t, TEXT_PLAIN, "%u", class->positives[p->area_all]);
    for (size_t i = 0; i < n; i++) {
        char spark[TEXT_CELL_BYTES] = "-";
        double ap = -1;
        if (class->positives[p->area_all]) {
            size_t row = coco_precision_row(&rep->result, p->area_all,
                                            COCO_LIMITS - 1, at[i]);
            const double *x = class->precision + row * p->n_recall;
            text_spark(spark, x, p->n_recall, SPARK_COLUMNS);
            ap = coco_mean(x, p->n_recall, p->summation);
        }
        text_ap_cell(t, ap);
        text_cell(t, TEXT_PLAIN, "%s", spark);
    }
}

void text_curves(const struct text_out *to, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    size_t at[CURVES_SHOWN], n = curve_columns(p, at);
    struct text_table t;
    text_title(to, "precision over recall, %g to %g", p->recall[0],
               p->recall[p->n_recall - 1]);
    text_table_init(&t, to);
    text_left(&t, "category");
    text_right(&t, "truths");
    for (size_t i = 0; i < n; i++) {
        char heading[32];
        snprintf(heading, sizeof(heading), "at IoU %g", p->iou[at[i]]);
        text_right(&t, "AP");
        text_left(&t, heading);
    }
    text_table_write(&t, rep->result.index.n_classes, curve_row, rep);
}

/* Of each class first its best F1, then the scores that were asked for. */
static void operating_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    size_t levels = 1 + rep->req->options.n_scores, which = i % levels;
    size_t k = text_overall_class(rep, i / levels);
    const struct coco_points *x = &rep->points[k];
    const struct coco_level *l = which ? &x->at[which - 1] : &x->best_f1;
    text_class_cell(t, rep, k);
    text_cell(t, TEXT_PLAIN, which ? "asked" : "best F1");
    score_cell(t, which ? rep->req->options.score[which - 1] : l->score);
    text_number(t, TEXT_PLAIN, coco_f1(l, x->positives), 3);
    text_number(t, TEXT_PLAIN, coco_precision(l), 3);
    text_number(t, TEXT_PLAIN, coco_recall(l, x->positives), 3);
    text_cell(t, TEXT_PLAIN, "%u", l->tp);
    text_cell(t, TEXT_PLAIN, "%u", l->fp);
    text_cell(t, TEXT_PLAIN, "%u", x->positives - l->tp);
}

void text_operating_points(const struct text_out *to,
                           const struct detection_report *rep)
{
    static const char *const columns[] = {"score", "F1", "precision", "recall",
                                          "tp",    "fp", "fn"};
    struct text_table t;
    text_title(to, "operating points at IoU %g",
               rep->req->protocol.per_image_iou);
    text_table_init(&t, to);
    text_left(&t, "category");
    text_left(&t, "choice");
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        text_right(&t, columns[i]);
    text_table_write(&t,
                     text_overall_rows(rep) * (1 + rep->req->options.n_scores),
                     operating_row, rep);
}

static double bin_precision(const struct coco_bin *bin)
{
    return bin->count ? (double)bin->tp / bin->count : NAN;
}

static void bin_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    size_t n = rep->req->protocol.n_bins;
    const struct coco_bin *bin =
        &rep->points[rep->result.index.n_classes].bin[i];
    double confidence = bin->confidence / bin->count; /* NaN of none */
    double precision = bin_precision(bin), gap = precision - confidence;
    char bar[TEXT_CELL_BYTES];
    text_bar(bar, precision, 1, BAR_COLUMNS);
    text_cell(t, TEXT_PLAIN, "%.3f to %.3f", coco_bin_edge(i, n),
              coco_bin_edge(i + 1, n));
    text_cell(t, TEXT_PLAIN, "%u", bin->count);
    text_number(t, TEXT_PLAIN, confidence, 3);
    text_number(t, TEXT_PLAIN, precision, 3);
    if (isnan(gap))
        text_cell(t, TEXT_PLAIN, "-");
    else
        text_cell(t, text_grade(fabs(gap), 0.2, 0.05), "%+.3f", gap);
    text_cell(t, TEXT_PLAIN, "%s", bar);
}

static void calibration_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    const struct coco_protocol *p = &rep->req->protocol;
    size_t k = text_overall_class(rep, i);
    const struct coco_points *x = &rep->points[k];
    double precision[COCO_BINS_MAX], ece = coco_ece(x->bin, p->n_bins);
    char spark[TEXT_CELL_BYTES];
    uint32_t found = 0;
    for (size_t b = 0; b < p->n_bins; b++) {
        precision[b] = bin_precision(&x->bin[b]);
        found += x->bin[b].count;
    }
    text_spark(spark, precision, p->n_bins, SPARK_COLUMNS);
    text_class_cell(t, rep, k);
    text_cell(t, TEXT_PLAIN, "%u", found);
    text_number(t, text_grade(ece, 0.2, 0.05), ece, 3);
    text_number(t, TEXT_PLAIN, coco_mce(x->bin, p->n_bins), 3);
    text_cell(t, TEXT_PLAIN, "%s", spark);
}

void text_calibration(const struct text_out *to,
                      const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    const struct coco_points *all = &rep->points[rep->result.index.n_classes];
    struct text_table t;
    text_title(to, "calibration at IoU %g, score >= %g", p->per_image_iou,
               p->score_threshold);
    if (all->outside)
        out_format(to->out, "%u scores are not from 0 to 1 and left out\n",
                   all->outside);
    text_table_init(&t, to);
    text_left(&t, "scores");
    text_right(&t, "found");
    text_right(&t, "mean score");
    text_right(&t, "precision");
    text_right(&t, "gap");
    text_left(&t, "");
    text_table_write(&t, p->n_bins, bin_row, rep);
    out_bytes(to->out, "\n", 1);
    text_table_init(&t, to);
    text_left(&t, "category");
    text_right(&t, "found");
    text_right(&t, "ECE");
    text_right(&t, "MCE");
    text_left(&t, "precision by score");
    text_table_write(&t, text_overall_rows(rep), calibration_row, rep);
}

/* The row "mean" has no score of its own. */
static void lrp_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    double iou = rep->req->protocol.per_image_iou;
    size_t n = rep->result.index.n_classes, k = text_overall_class(rep, i);
    const struct coco_points *x = &rep->points[k];
    struct coco_lrp best, now;
    if (i) {
        best = coco_lrp(&x->best_lrp, x->positives, iou);
        now = coco_lrp(&x->threshold, x->positives, iou);
        text_class_cell(t, rep, k);
    } else {
        best = coco_lrp_mean(rep->points, n, iou, true);
        now = coco_lrp_mean(rep->points, n, iou, false);
        text_cell(t, TEXT_PLAIN, "mean");
    }
    text_number(t, text_grade(best.lrp, 0.8, 0.5), best.lrp, 3);
    text_number(t, TEXT_PLAIN, best.localisation, 3);
    text_number(t, TEXT_PLAIN, best.false_positive, 3);
    text_number(t, TEXT_PLAIN, best.false_negative, 3);
    score_cell(t, i ? x->best_lrp.score : INFINITY);
    text_number(t, TEXT_PLAIN, now.lrp, 3);
}

void text_lrp(const struct text_out *to, const struct detection_report *rep)
{
    static const char *const columns[] = {
        "oLRP", "localisation", "false positive", "false negative", "score"};
    const struct coco_protocol *p = &rep->req->protocol;
    char heading[48];
    struct text_table t;
    snprintf(heading, sizeof(heading), "LRP at %g", p->score_threshold);
    text_title(to, "localisation recall precision at IoU %g, lower is better",
               p->per_image_iou);
    text_table_init(&t, to);
    text_left(&t, "category");
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        text_right(&t, columns[i]);
    text_right(&t, heading);
    text_table_write(&t, text_overall_rows(rep), lrp_row, rep);
}
