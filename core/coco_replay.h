/*
 * Scores of the same matches with other weights of the images: of those with
 * so many objects, and of resamples.  An image of weight w counts as if it
 * were there w times, its detections next to each other among equal scores.
 *
 * Source: the bootstrap: Efron 1979, doi:10.1214/aos/1176344552; percentile
 * intervals: Efron and Tibshirani 1993, chapter 13.
 */
#ifndef EVALD_CORE_COCO_REPLAY_H
#define EVALD_CORE_COCO_REPLAY_H

#include "core/coco.h"

/*
 * The matches of a scored result, pressed to what AP and AR need, so that
 * playing them again touches little memory.  Read only, so that workers share
 * it.
 */
struct coco_replay;

/*
 * New, in mem; NULL when the arena is spent, or when stopped.  With ranges
 * false it plays area range "all" only, which count slices need; in the
 * others a play finds no ground truth.
 */
struct coco_replay *coco_replay_new(const struct coco_result *r, bool ranges,
                                    struct arena *mem,
                                    const struct parallel *par)
    __attribute__((warn_unused_result));

/* One worker's room for what comes out: a result that coco_value reads. */
struct coco_take;
struct coco_take *coco_take_new(const struct coco_replay *replay,
                                struct arena *mem)
    __attribute__((warn_unused_result));

/*
 * Scores with these weights, n_images of them in the index's order.  The
 * result is borrowed, and holds until the next play into this take.  With
 * weights of 1 every number has the bits of r's own.  Once stopped the numbers
 * mean nothing.
 */
const struct coco_result *coco_replay_play(const struct coco_replay *replay,
                                           const uint32_t *weight,
                                           struct coco_take *take);

/* AP, AP50, AP75 and AR at the largest max_detections; -1 where undefined. */
struct coco_slice {
    uint32_t images;    /* in it */
    uint32_t positives; /* ground truths that count */
    double ap, ap50, ap75, ar;
};

/* One row per area range of the protocol, over all images. */
void coco_size_slices(const struct coco_result *r, struct coco_slice *out);

/*
 * One row per count range of the protocol: the images that have so many ground
 * truths, crowds and those outside area range "all" left out, in that range.
 */
int coco_count_slices(const struct coco_result *r,
                      const struct coco_replay *replay, struct coco_slice *out,
                      struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

struct coco_bootstrap {
    uint32_t resamples; /* 1 to COCO_RESAMPLES_MAX */
    double level;       /* of confidence, more than 0, less than 1 */
    uint64_t seed;
};

#define COCO_RESAMPLES_MAX 100000

/*
 * What a number is in the resamples where it is defined: quantiles
 * (1 - level) / 2 and (1 + level) / 2, interpolated between neighbours, and
 * the standard deviation (with n - 1).  NaN where that is not defined.
 */
struct coco_interval {
    double low, high, std;
    uint32_t defined; /* resamples */
};

/*
 * Confidence intervals by resampling images with replacement: as many as there
 * are, those without ground truth and detections too.
 *   out  coco_number_count rows, one per number of the summary; then
 *        n_classes rows, the AP of each category
 * Equal seeds give equal bits, whatever the number of workers: resample i has
 * random numbers of its own.
 */
int coco_intervals(const struct coco_result *r,
                   const struct coco_replay *replay,
                   const struct coco_bootstrap *how, struct coco_interval *out,
                   struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/*
 * The same of the difference, second less first, of two runs on the same
 * images, with the same protocol and categories: over the resamples where both
 * are defined.  What is drawn is drawn for both, and it is what coco_intervals
 * draws with this seed.
 */
int coco_paired_intervals(const struct coco_result *const r[2],
                          const struct coco_replay *const replay[2],
                          const struct coco_bootstrap *how,
                          struct coco_interval *out, struct arena *mem,
                          const struct parallel *par)
    __attribute__((warn_unused_result));

#endif
