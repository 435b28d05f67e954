/*
 * Precision over recall from true positives in score order.
 *
 * Only true positives are kept: recall rises at no other place, and between
 * two of them precision only falls, so every point that the envelope or a
 * recall threshold can pick is the place of a true positive.
 */
#ifndef EVALD_CORE_COCO_CURVE_H
#define EVALD_CORE_COCO_CURVE_H

#include "core/coco_mask.h"

#include <float.h>

struct coco_curve {
    size_t capacity;       /* true positives per threshold, at most */
    uint32_t positives;    /* ground truths not ignored, at least 1 */
    uint32_t *n_tp, *n_fp; /* per threshold */
    double *precision;     /* [T][capacity], at each true positive */
    uint32_t *mark;        /* [T][capacity], the mark it is, or NULL */
    uint32_t first;        /* the first mark walked, or COCO_UNKNOWN */
};

/* As pycocotools has it, with its 2^-52, and added up in its order. */
static inline double coco_curve_precision(uint32_t tp, uint32_t fp)
{
    return tp / ((double)fp + tp + DBL_EPSILON);
}

/* Notes a true positive at threshold t, after fp false ones. */
static inline void coco_curve_add(struct coco_curve *c, size_t t, uint32_t fp)
{
    size_t at = t * c->capacity + c->n_tp[t]++;
    c->precision[at] = coco_curve_precision(c->n_tp[t], fp);
}

/* Memory for curves of n_thresholds with at most capacity positives. */
int coco_curve_alloc(struct coco_curve *c, size_t n_thresholds, size_t capacity,
                     bool marks, struct arena *mem)
    __attribute__((warn_unused_result));

/*
 * Walks n detections, best score first, those beyond max_detections[limit] left
 * out, and notes every true positive of area range a at n_thresholds.  Once
 * stop, which may be NULL, is set c is not to be sampled.
 */
void coco_curve_fill(struct coco_curve *c, const struct coco_matches *m,
                     const struct coco_sorted *sorted, size_t n, size_t area,
                     uint8_t limit, size_t n_thresholds,
                     const atomic_bool *stop);

/*
 * The precision at each recall threshold, as pycocotools samples it: the
 * highest at this recall or beyond, 0 where recall does not reach.
 *   precision  n_recall doubles
 *   mark       n_recall marks at which that recall is met, COCO_UNKNOWN where
 *              it is not; or NULL
 * Rearranges c, so once per fill and threshold.
 */
void coco_curve_sample(struct coco_curve *c, size_t t,
                       const struct coco_protocol *p, double *precision,
                       uint32_t *mark);

/* The detections of a class that are in use, best score first. */
struct coco_ranked {
    const struct coco_sorted *at;
    size_t n;
};

/*
 * The second stage of coco_accumulate, from n_classes of these: fills all that
 * r->class has but positives and n_dt, which are there already, n_slots, slot
 * and values.  Of r it reads protocol, index.n_classes, and rows and rank of
 * the matches; with wanted.scores also index.dt and dt.  -1 when the arena is
 * spent, or when stopped.
 */
int coco_curves(struct coco_result *r, const struct coco_ranked *ranked,
                struct coco_wanted wanted, struct arena *mem,
                const struct parallel *par) __attribute__((warn_unused_result));

#endif
