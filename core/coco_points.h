/*
 * What a choice of the score threshold means, at the IoU and with the matches
 * of coco_verdict.h: counts at a score, the score of best F1, the score of
 * lowest LRP, calibration.
 *
 * Detections of equal scores stand or fall together: a threshold cannot part
 * them.  Precisions here are tp / (tp + fp) as it is, no envelope.
 *
 * Sources: LRP: Oksuz et al. 2018, arXiv:1807.01696; calibration: Guo et al.
 * 2017, arXiv:1706.04599, with the precision of detections in the place of
 * accuracy, as Küppers et al. 2020, arXiv:2004.13546 (confidence only).
 */
#ifndef EVALD_CORE_COCO_POINTS_H
#define EVALD_CORE_COCO_POINTS_H

#include "core/coco_verdict.h"

/* Counts over the detections that count and score at least this much. */
struct coco_level {
    double score; /* of the last group in; +infinity: none is in */
    uint32_t tp, fp;
    /*
     * The sum of 1 - IoU over the true positives; one whose IoU is 0 / 0 has
     * the most that a match can have.
     */
    double loss;
};

/* Detections whose score s is in lo < s <= hi; the first has 0, too. */
struct coco_bin {
    uint32_t count, tp;
    double confidence; /* the sum of their scores */
};

struct coco_points {
    uint32_t positives;          /* ground truths that count */
    struct coco_level all;       /* every detection that counts */
    struct coco_level threshold; /* those of score_threshold or more */
    struct coco_level best_f1;   /* of equal F1 the highest score */
    struct coco_level best_lrp;  /* of equal LRP the highest score */
    struct coco_level *at;       /* n_at, at the asked scores */
    /* With scores of score_threshold or more: */
    struct coco_bin *bin; /* n_bins of equal width from 0 to 1 */
    uint32_t outside;     /* scores below 0 or above 1, in no bin */
};

/* NaN where that is not defined: 0 / 0. */
double coco_precision(const struct coco_level *l);
double coco_recall(const struct coco_level *l, uint32_t positives);
double coco_f1(const struct coco_level *l, uint32_t positives);

/*
 * LRP and its parts, each 0 to 1, lower is better:
 *   lrp             (loss / (1 - iou) + fp + fn) / (tp + fp + fn)
 *   localisation    loss / tp, the mean of 1 - IoU: at most 1 - iou
 *   false_positive  fp / (tp + fp), which is 1 - precision
 *   false_negative  fn / positives, which is 1 - recall
 * iou is at most 1 - 1e-10, as in matching.  Each is NaN where that is 0 / 0,
 * and all where nothing is to be found.
 */
struct coco_lrp {
    double lrp, localisation, false_positive, false_negative;
};
struct coco_lrp coco_lrp(const struct coco_level *l, uint32_t positives,
                         double iou);

/*
 * The mean over n classes, each at its best_lrp (oLRP) or else at threshold;
 * of each part over the classes where it is defined.  NaN where none is.
 */
struct coco_lrp coco_lrp_mean(const struct coco_points *p, size_t n, double iou,
                              bool best);

/*
 * Expected and maximal calibration error: the mean over the detections, and
 * the largest, of |precision - mean score| of a bin.  NaN without detections.
 */
double coco_ece(const struct coco_bin *bin, size_t n_bins);
double coco_mce(const struct coco_bin *bin, size_t n_bins);
/* The edge below bin i, and above bin i - 1. */
double coco_bin_edge(size_t i, size_t n_bins);

/*
 * Fills n_classes rows, and one for all detections together whatever their
 * category.  at are n_at scores at which counts are wanted, any order.
 */
int coco_points(struct coco_points *out, const struct coco_result *r,
                const struct coco_verdicts *v, const double *at, size_t n_at,
                struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

#endif
