/*
 * Precision over recall as it is, and its envelope: what coco_curve.h has, made
 * for showing.
 *
 * A curve is that of one category and threshold of the protocol in area range
 * "all", up to the largest max_detections.  It has a point at each true
 * positive, and one at the last detection that counts: recall rises at no
 * other place, and between two of them precision only falls.  recall is tp /
 * positives, precision tp / (fp + tp + 2^-52), both as pycocotools has them;
 * each detection is a point of its own, of equal scores in AP's order.
 */
#ifndef EVALD_CORE_COCO_RAW_CURVE_H
#define EVALD_CORE_COCO_RAW_CURVE_H

#include "core/coco_curve.h"

struct coco_raw_curve {
    struct coco_curve class; /* all thresholds of the class at hand */
    size_t n;                /* points */
    double *recall, *precision, *score;
    uint32_t detections; /* that count */
    /* n_recall: as AP samples them, 0 where recall does not reach */
    double *envelope, *envelope_score;
    uint32_t *reached; /* scratch of the above */
};

/* Room for any curve of r; -1 when the arena is spent. */
int coco_raw_curve_alloc(struct coco_raw_curve *c, const struct coco_result *r,
                         struct arena *mem) __attribute__((warn_unused_result));

/* Takes up class k.  Without ground truths that count recall is NaN. */
void coco_raw_curve_class(struct coco_raw_curve *c, const struct coco_result *r,
                          size_t k);

/*
 * The points at threshold t of class k, which was taken up last, and the
 * envelope; once per threshold.
 */
void coco_raw_curve_at(struct coco_raw_curve *c, const struct coco_result *r,
                       size_t k, size_t t);

#endif
