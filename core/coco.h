/*
 * COCO detection scores from columns of numbers, bit for bit as pycocotools
 * 2.0.11 computes them.
 *
 * The stages, each a function of the one before:
 *   columns -> coco_index -> coco_match -> coco_accumulate -> coco_value
 * coco_score runs the second and third.  What else can be read from the same
 * matches is in coco_verdict.h and coco_replay.h.  Memory comes from the arena;
 * every stage that can run out of it says so by returning -1, and nothing else
 * fails: whoever calls has checked lengths, finiteness and bounds.
 *
 * Source: github.com/ppwwyyxx/cocoapi, PythonAPI/pycocotools/cocoeval.py and
 * common/maskApi.c; Lin et al. 2014, arXiv:1405.0312.
 */
#ifndef EVALD_CORE_COCO_H
#define EVALD_CORE_COCO_H

#include "core/arena.h"
#include "core/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COCO_IOU_MAX = 63,      /* thresholds: one bit each, and one to spare */
    COCO_RECALL_MAX = 1001, /* points of the precision-recall curve */
    COCO_AREAS_MAX = 16,
    COCO_AREA_NAME_MAX = 31, /* bytes */
    COCO_LIMITS = 3,         /* values of max_detections */
    COCO_COUNTS_MAX = 16,
    COCO_BINS_MAX = 100,
    COCO_NUMBERS = 12, /* of the summary, as pycocotools has it */
    COCO_VALUES_MAX = COCO_NUMBERS + 2 * COCO_AREAS_MAX, /* with our own */
};
#define COCO_ROWS_MAX ((size_t)UINT32_MAX - 1)

/*
 * How numpy adds up a mean: before 2.3 in chunks of 8,192 from left to right,
 * since then in one pairwise sum.  They differ in the last bit at times.
 */
enum coco_summation { COCO_NUMPY1, COCO_NUMPY2 };

struct coco_area {
    char name[COCO_AREA_NAME_MAX + 1];
    double lo, hi; /* square pixels, both ends inclusive, lo <= hi */
};

/* Images by their number of ground truths, both ends inclusive. */
struct coco_count {
    char name[COCO_AREA_NAME_MAX + 1];
    uint32_t lo, hi; /* lo <= hi; UINT32_MAX = no end */
};

/* What is measured.  coco_protocol_init gives COCO's own. */
struct coco_protocol {
    size_t n_iou, n_recall, n_areas;
    double iou[COCO_IOU_MAX];       /* 0 to 1, any order */
    double recall[COCO_RECALL_MAX]; /* 0 to 1, ascending */
    struct coco_area area[COCO_AREAS_MAX];
    size_t area_all;                      /* the row of area named "all" */
    uint32_t max_detections[COCO_LIMITS]; /* per image and category, rising */
    bool use_categories; /* false: every category counts as the same */
    enum coco_summation summation;
    /*
     * Of everything that is read at one threshold (coco_verdict.h): the
     * scores that count in images, confusion, calibration and LRP; the IoU of
     * a match; the IoU below which a detection is on the background.
     */
    double score_threshold;
    double per_image_iou;  /* 0 to 1 */
    double background_iou; /* 0 to per_image_iou */
    size_t n_bins;         /* of calibration, 1 to COCO_BINS_MAX */
    size_t n_counts;       /* may be 0 */
    struct coco_count count[COCO_COUNTS_MAX];
};

void coco_protocol_init(struct coco_protocol *p);

/* Columns as they were read; file order breaks ties.  Borrowed. */
struct coco_ground_truth {
    size_t n_images, n_categories, n; /* at most COCO_ROWS_MAX each */
    const int64_t *image;    /* n_images ids, any order, no two the same */
    const int64_t *category; /* n_categories ids, any order */
    /* n annotations: */
    const int64_t *id;
    const int64_t *image_id, *category_id; /* unknown ones are left out */
    const double *box;                     /* n*4: x y width height, finite */
    const double *area;                    /* finite; COCO's own, not w*h */
    const uint8_t *crowd;                  /* 1 = a crowd, else 0 */
};

struct coco_detections {
    size_t n; /* at most COCO_ROWS_MAX */
    const int64_t *image_id, *category_id;
    const double *box;   /* n*4: x y width height, finite */
    const double *score; /* finite */
};

/*
 * A cell is one image and category (or one image, when categories are not
 * used) that has a ground truth or a detection.
 */
struct coco_cell {
    uint32_t image, category; /* rows of the index */
    uint32_t gt, n_gt;        /* a range of index.gt */
    uint32_t dt, n_dt;        /* a range of index.dt */
};

#define COCO_UNKNOWN UINT32_MAX

/* Ids become rows, and rows are sorted into cells. */
struct coco_index {
    size_t n_images, n_categories;
    int64_t *image, *category; /* distinct ids, ascending */
    size_t n_classes;          /* n_categories, or 1 if they are not used */
    size_t n_gt, n_dt, n_cells;
    /*
     * Input rows in cell order, then file order; once coco_match has been
     * there, detections have the best score of their cell first.
     */
    uint32_t *gt, *dt;
    struct coco_cell *cell; /* by class, then image */
    /* n_classes + 1 each: where a class begins in gt, dt and cell */
    uint32_t *class_gt, *class_dt, *class_cell;
    uint32_t *dt_image; /* per detection of the input: its image, or UNKNOWN */
    /* What was noticed on the way: */
    size_t unknown_image_dt, unknown_category_dt; /* detections */
    size_t unknown_gt;       /* annotations of unknown image or category */
    size_t duplicate_gt_ids; /* annotations whose id a later one has too */
    size_t zero_gt_ids;      /* annotations with id 0 */
};

/*
 * Fills ix.  Detections of unknown images are counted and left out: the
 * caller refuses them.  Returns -1 when the arena is spent, or when stopped.
 */
int coco_index(struct coco_index *ix, const struct coco_ground_truth *gt,
               const struct coco_detections *dt, bool use_categories,
               struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/* The row of id among n ascending ones, or COCO_UNKNOWN. */
uint32_t coco_row_of(int64_t id, const int64_t *ids, size_t n);

/*
 * What became of a detection.  It needs a match row only when it overlaps some
 * ground truth enough for the lowest threshold; otherwise it is a false
 * positive, or ignored where its area is outside the range.
 */
struct coco_mark {
    uint16_t outside; /* bit a: its area is outside range a */
    uint8_t limit;    /* counts for max_detections[limit] and beyond */
    bool overlaps;    /* has a match row */
};

/* A mark away from its place. */
struct coco_sorted {
    uint32_t place;
    struct coco_mark mark;
};

/* Which of 64 places have match rows, and how many rows stand before them. */
struct coco_rank {
    uint64_t overlaps;
    uint32_t before;
};

/* By place means: as index.dt has the detections. */
struct coco_matches {
    struct coco_mark *mark;     /* n_dt, by place */
    struct coco_sorted *sorted; /* n_dt, by class, best score first */
    uint32_t *class_sorted;     /* n_classes: how many of a class are in use */
    uint8_t *rows;              /* of those that overlap, by place */
    struct coco_rank *rank;     /* n_dt / 64 + 1: where a row is */
    size_t mask_bytes, row_bytes;
    size_t n_thresholds; /* of the protocol, and per_image_iou if not there */
    size_t per_image;    /* which of them per_image_iou is */
    /*
     * By place: which of index.gt it met there in area range "all", or
     * COCO_UNKNOWN; NULL if not wanted.
     */
    uint32_t *truth;
    size_t cut; /* detections beyond the largest max_detections */
};

/* Scores of one category. */
struct coco_class {
    uint32_t n_dt;                      /* detections, those cut included */
    uint32_t positives[COCO_AREAS_MAX]; /* ground truths not ignored */
    double *recall;                     /* [A][M][T] */
    double *precision; /* [A][S][T][R]: S of the M, see coco_result.slot */
    double *scores;    /* as precision, or NULL if not wanted */
    /* Where positives[a] is 0 the values of a are not set: they are -1. */
};

struct coco_wanted {
    bool scores; /* the scores at each recall threshold */
    /*
     * Precision, and scores, at every value of max_detections, not only at
     * the largest and at 100, which is all that numbers need.
     */
    bool limits;
    bool truths; /* matches.truth */
};

/* The least IoU of a match at threshold t, as pycocotools caps it. */
static inline double coco_least_iou(double t)
{
    return t < 1 - 1e-10 ? t : 1 - 1e-10;
}

/* The whole of it.  Pointers reach into the arena and the inputs. */
struct coco_result {
    const struct coco_protocol *protocol;
    const struct coco_ground_truth *gt;
    const struct coco_detections *dt;
    struct coco_index index;
    struct coco_matches matches;
    struct coco_class *class; /* n_classes */
    /* Which of S each of M is; COCO_LIMITS = it is left out. */
    size_t n_slots, slot[COCO_LIMITS];
    double *values;          /* scratch of the means: T*R*K doubles */
    const atomic_bool *stop; /* of par, for the means */
};

/* Which row of recall, and which of precision, these have. */
static inline size_t coco_recall_row(const struct coco_result *r, size_t area,
                                     size_t limit, size_t t)
{
    return (area * COCO_LIMITS + limit) * r->protocol->n_iou + t;
}

static inline size_t coco_precision_row(const struct coco_result *r,
                                        size_t area, size_t limit, size_t t)
{
    return (area * r->n_slots + r->slot[limit]) * r->protocol->n_iou + t;
}

/*
 * Whether the ground truth at a place of index.gt counts in an area range; one
 * that does not is ignored there.
 */
static inline bool coco_counts(const struct coco_result *r, uint32_t place,
                               size_t area)
{
    const struct coco_area *range = &r->protocol->area[area];
    uint32_t row = r->index.gt[place];
    return !r->gt->crowd[row] &&
           !(r->gt->area[row] < range->lo || r->gt->area[row] > range->hi);
}

/* The score of the detection at a place of index.dt. */
static inline double coco_score_at(const struct coco_result *r, uint32_t place)
{
    return r->dt->score[r->index.dt[place]];
}

/*
 * Scores r->index, which the caller has filled and looked at, together with
 * protocol, gt and dt.  Returns -1 when the arena is spent, or when stopped.
 */
int coco_score(struct coco_result *r, struct coco_wanted wanted,
               struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/* The two stages of coco_score. */
int coco_match(struct coco_result *r, bool truths, struct arena *mem,
               const struct parallel *par) __attribute__((warn_unused_result));
int coco_accumulate(struct coco_result *r, struct coco_wanted wanted,
                    struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/* The class of a place of index.dt: the last to begin there or before. */
size_t coco_class_at(const struct coco_index *ix, uint32_t place);

/* One number of a summary: what is averaged, and its name. */
struct coco_number {
    char name[COCO_AREA_NAME_MAX + 4]; /* AP, AP50, AP_small, AR_10, … */
    bool recall;      /* a mean of recalls, not of precisions */
    double iou;       /* of this threshold; 0 = over all of them */
    const char *area; /* a name; may be one the protocol has not */
    uint32_t limit;   /* max_detections; 100 for AP even if not there */
};

/*
 * The numbers of a summary: the first COCO_NUMBERS are pycocotools' own in
 * its order, then follow AP and AR of each area range of another name.
 */
size_t coco_number_count(const struct coco_protocol *p);
struct coco_number coco_number(const struct coco_protocol *p, size_t i);

#define COCO_ALL_CLASSES SIZE_MAX

/*
 * The mean that number asks for over category k (a row, or
 * COCO_ALL_CLASSES); -1 when there is nothing to average.
 */
double coco_value(const struct coco_result *r, const struct coco_number *number,
                  size_t k);

/* The mean of n > 0 doubles as numpy adds them up. */
double coco_mean(const double *x, size_t n, enum coco_summation summation);

#endif
