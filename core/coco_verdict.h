/*
 * What became of every detection and every ground truth at one threshold: the
 * IoU per_image_iou, in area range "all", up to the largest max_detections.
 *
 * The matches are AP's own, so whatever is counted here adds up with AP: of
 * category k, true positives and misses are its ground truths that count, true
 * and false positives its detections that count.  Ground truths count unless
 * they are crowds or outside range "all"; detections unless they are ignored
 * (met a crowd, or met nothing and are outside the range) or cut.
 *
 * False positives are of TIDE's types, asked in this order, where "overlap" is
 * the highest IoU with ground truths that count, on the same image (an IoU of
 * 0 / 0, of tiny or huge boxes, is none):
 *   localisation    overlaps its own category by background_iou or more, but
 *                   by less than per_image_iou
 *   classification  overlaps another category by per_image_iou or more
 *   duplicate       overlaps its own category by per_image_iou or more; a
 *                   better detection has met that one (or it has id 0, which
 *                   counts as met by none)
 *   background      overlaps nothing by background_iou or more
 *   both            what is left: overlaps another category, too little
 *
 * Source: Bolya et al. 2020, arXiv:2008.08115, section 2.2.
 */
#ifndef EVALD_CORE_COCO_VERDICT_H
#define EVALD_CORE_COCO_VERDICT_H

#include "core/coco.h"

enum coco_kind {
    COCO_CLASSIFICATION,
    COCO_LOCALISATION,
    COCO_BOTH,
    COCO_DUPLICATE,
    COCO_BACKGROUND,
    COCO_FALSE_KINDS, /* those above are the false positives */
    COCO_TRUE_POSITIVE = COCO_FALSE_KINDS,
    COCO_IGNORED,
    COCO_CUT,
};

/* Places are those of matches.mark and of index.gt. */
struct coco_verdicts {
    /* Per detection: */
    uint8_t *kind; /* enum coco_kind */
    /*
     * The ground truth it met (also of what is ignored for that), or by which
     * a false positive is of its kind, of equal IoU the first by category,
     * then file; COCO_UNKNOWN where there is none.  It is matches.truth.
     */
    uint32_t *truth;
    /* Per ground truth: */
    bool *counts;
    uint32_t *found; /* the detection that met it; COCO_UNKNOWN = missed */
    /*
     * Of one that was missed: the best-scoring classification or localisation
     * error that could have met it, else COCO_UNKNOWN.  Of equal scores the
     * first by category, then file.
     */
    uint32_t *claim;
    /*
     * With detections of score_threshold or more: the detection of another
     * category that takes its place in the confusion (see coco_confusion),
     * else COCO_UNKNOWN; the highest IoU with any that counts or is ignored.
     */
    uint32_t *confused;
    double *overlap;
};

/*
 * For loops over sorted detections: has the kind and the score of one that
 * comes soon loaded, for they lie anywhere.  Inlined by demand, as gcc 12
 * takes a call that only prefetches for one without effect.
 */
__attribute__((always_inline)) static inline void coco_look_ahead(
    const struct coco_result *r, const struct coco_verdicts *v,
    const struct coco_sorted *sorted, size_t i, size_t n)
{
    enum { SOON = 32, LATER = 64 };
    if (i + LATER >= n)
        return;
    uint32_t later = sorted[i + LATER].place, soon = sorted[i + SOON].place;
    __builtin_prefetch(&v->kind[later]);
    __builtin_prefetch(&r->index.dt[later]);
    __builtin_prefetch(&r->dt->score[r->index.dt[soon]]);
}

/* The IoU of a detection with verdicts.truth, which is not COCO_UNKNOWN. */
double coco_match_iou(const struct coco_result *r,
                      const struct coco_verdicts *v, uint32_t place);

/* Whether the detection at a place counts at score_threshold. */
static inline bool coco_is_shown(const struct coco_result *r, uint32_t place)
{
    return coco_score_at(r, place) >= r->protocol->score_threshold;
}

/* Whether nothing that counts there has met the ground truth at a place. */
static inline bool coco_is_missed(const struct coco_result *r,
                                  const struct coco_verdicts *v, uint32_t truth)
{
    uint32_t found = v->found[truth];
    return found == COCO_UNKNOWN || !coco_is_shown(r, found);
}

/* One image at score_threshold. */
struct coco_image {
    uint32_t positives;  /* ground truths that count */
    uint32_t detections; /* with score >= score_threshold, those cut left out */
    uint32_t tp, fp, fn; /* fn = positives - tp */
    uint32_t ignored;    /* detections */
    double mean_iou;     /* of the true positives; NaN when there is none */
    double ap;           /* COCO AP of this image alone, or -1 */
};

/* Cells by image, then category; index.cell has them by category. */
struct coco_by_image {
    uint32_t *first; /* n_images + 1: where an image's cells begin in cell */
    uint32_t *cell;  /* n_cells rows of index.cell */
};

int coco_by_image(struct coco_by_image *by, const struct coco_index *ix,
                  struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/*
 * Fills v; r was scored with wanted.truths.  Fills matches.truth for false
 * positives, so once per score.  Returns -1 when the arena is spent, or when
 * stopped, as all that follow.
 */
int coco_verdicts(struct coco_verdicts *v, const struct coco_result *r,
                  const struct coco_by_image *by, struct arena *mem,
                  const struct parallel *par)
    __attribute__((warn_unused_result));

/*
 * Fills out, n_images rows in the index's order.  ap takes every detection of
 * the image, whatever its score, at the largest max_detections; it is left
 * out, as -1, unless aps.
 */
int coco_images(const struct coco_result *r, const struct coco_verdicts *v,
                const struct coco_by_image *by, bool aps,
                struct coco_image *out, struct arena *mem,
                const struct parallel *par) __attribute__((warn_unused_result));

/* How often a detection of class `found` stood for one of class `truth`. */
struct coco_confused {
    uint32_t truth, found; /* class, or n_classes = background */
    uint32_t count;        /* at least 1 */
};

/*
 * The confusion matrix at score_threshold, without its zeros, by truth, then
 * found.  The diagonal are AP's matches.  What they left over of one image,
 * false positives and missed ground truths of different categories, is then
 * matched in the same way: the best score chooses first (of equal ones the
 * first by category, then file), it takes the one of highest IoU, of equal
 * ones the last by category, then file, if that is per_image_iou or more.
 * What is left now is the background's.  So row k adds up to the ground truths
 * of k that count, tp + fn, and column k to its detections that count,
 * tp + fp.
 */
struct coco_confusion {
    size_t n;
    struct coco_confused *cell;
};

int coco_confusion(struct coco_confusion *c, const struct coco_result *r,
                   const struct coco_verdicts *v, struct arena *mem,
                   const struct parallel *par)
    __attribute__((warn_unused_result));

/*
 * What AP at per_image_iou would be without errors of one kind, less what it
 * is.  The first COCO_FALSE_KINDS are those of enum coco_kind.
 *   classification  the best-scoring one that claims a missed ground truth
 *                   becomes a true positive of that one's category, behind
 *                   detections of the same score; all others are removed
 *   localisation    in the same way in its own category, where it stands
 *   both, duplicate, background   are removed
 *   missed          ground truths that were missed and are claimed by no
 *                   error are not counted
 *   false positive  all of them are removed
 *   false negative  no missed ground truth is counted
 * A category whose last ground truth is not counted any more keeps its place
 * in the mean, with AP 0 (as the authors' program has it).
 */
enum coco_fix {
    COCO_MISSED = COCO_FALSE_KINDS,
    COCO_FALSE_POSITIVE,
    COCO_FALSE_NEGATIVE,
    COCO_FIXES
};

/* The name of a kind or fix in answers: "classification" and so on. */
extern const char *const coco_fix_name[COCO_FIXES];

struct coco_class_errors {
    double ap;                  /* -1: it has no ground truth that counts */
    double delta[COCO_FIXES];   /* AP with the fix, less ap; 0 if ap is -1 */
    uint32_t count[COCO_FIXES]; /* errors of this kind, whatever their score */
};

/*
 * The errors of every category: n_classes rows and one of all of them, whose
 * ap and deltas are means over the categories that have an ap (-1 and 0
 * without any), and whose counts are sums.  Errors of categories without
 * ground truth are counted, too.
 */
int coco_errors(struct coco_class_errors *out, const struct coco_result *r,
                const struct coco_verdicts *v, struct arena *mem,
                const struct parallel *par) __attribute__((warn_unused_result));

#endif
