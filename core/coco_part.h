/*
 * What is kept of one image of a run: its detections as they came, and their
 * matches, as bytes.  Parts are made where an image arrives, are stored, and
 * meet again in coco_join: whatever the order, the result has the bits of
 * coco_score over all images at once.
 *
 *   columns of one image -> coco_index -> coco_match -> coco_part_pack
 *   parts of many -> coco_join -> coco_accumulate, coco_verdicts, ...
 *
 * Bytes of a part, little endian: a head (struct coco_part says what), the
 * columns in the order in which detections came, then by place: which
 * detection, whether it overlaps, and of those that do the match row and the
 * ground truth that it met.  Match data takes 4 bytes per detection and
 * row_bytes + 4 per detection that overlaps, which is 4 to 24 under COCO's own
 * protocol; columns 48 (box 32, score 8, category 8).
 */
#ifndef EVALD_CORE_COCO_PART_H
#define EVALD_CORE_COCO_PART_H

#include "core/coco_verdict.h"

/*
 * The ground truth of a whole, image by image, made once for all runs on it.
 * What an image has cannot be told from its own annotations: of those that
 * share an id the last stands for each (coco_index), and it may lie on another
 * image.
 */
struct coco_truths {
    const struct coco_ground_truth *gt; /* borrowed */
    bool use_categories;
    struct coco_index index; /* of gt, without detections */
    struct coco_by_image by_image;
};

/* -1 when mem is spent, or when stopped; read only from then on. */
int coco_truths_init(struct coco_truths *t, const struct coco_ground_truth *gt,
                     bool use_categories, struct arena *mem,
                     const struct parallel *par)
    __attribute__((warn_unused_result));

/* The row of an image in t->index.image, or COCO_UNKNOWN. */
uint32_t coco_truths_image(const struct coco_truths *t, int64_t id);

/*
 * The ground truth of n images, rows of t->index.image, as a whole of its own:
 * what is made of it has the bits of what is made of those images of the
 * whole.  Costs in proportion to what these images have; categories are
 * borrowed from t->gt.  -1 when mem is spent, or when stopped.
 */
int coco_ground_truth_of_images(struct coco_ground_truth *out,
                                const struct coco_truths *t,
                                const uint32_t *image, size_t n,
                                struct arena *mem)
    __attribute__((warn_unused_result));

/* A part whose bytes were looked at: views into them, unaligned. */
struct coco_part {
    int64_t image;           /* its id */
    uint32_t n_dt;           /* detections, those of unknown categories too */
    uint32_t n_placed;       /* of known ones: they have places */
    uint32_t n_rows;         /* of these, those that overlap */
    uint32_t n_cells;        /* categories with a detection */
    uint32_t n_truths;       /* ground truths of the image in the index */
    uint32_t negative_size;  /* boxes of negative width or height */
    uint16_t row_bytes;      /* of the protocol that it was matched under */
    const uint8_t *category; /* n_dt int64, ids */
    const uint8_t *box;      /* n_dt * 4 double */
    const uint8_t *score;    /* n_dt double */
    const uint8_t *cell;     /* n_cells pairs of uint32: class, detections */
    const uint8_t *order;    /* n_placed uint32: detection at each place */
    const uint8_t *overlaps; /* (n_placed + 7) / 8: a bit per place */
    const uint8_t *rows;     /* n_rows * row_bytes */
    /*
     * n_rows uint32: the ground truth it met at per_image_iou in area range
     * "all", as its rank in its cell of the index; COCO_UNKNOWN = none
     */
    const uint8_t *truth;
};

/*
 * Packs the one image of r, which was matched with truths, before
 * coco_verdicts changes those; what has no place is kept, too.  r->gt is the
 * image's (coco_ground_truth_of_images).  The bytes are in mem; NULL when it
 * is spent.
 */
uint8_t *coco_part_pack(const struct coco_result *r, size_t *n_bytes,
                        struct arena *mem) __attribute__((warn_unused_result));

/*
 * Looks at bytes that may be anything: -1 unless they are a part, whole, of
 * the protocol p with n_classes classes; every count and reference in it is
 * within bounds then.
 */
int coco_part_open(struct coco_part *part, const uint8_t *bytes, size_t n_bytes,
                   const struct coco_protocol *p, size_t n_classes)
    __attribute__((warn_unused_result));

/*
 * Images with parts become a result that stands where coco_match leaves one
 * with truths: r->protocol is set by the caller; gt, dt, index and matches are
 * filled here.
 *   truths  of the whole ground truth, or of more images than there are parts;
 *           what lies on images without part is left out.  Made with the
 *           protocol's use_categories
 *   part    n of them, ascending by image, no two of the same
 * Detections are numbered by image, then as they came; what the index counts
 * of odd annotations is of the whole.  Returns -1 when the
 * arena is spent, when stopped, or when a part does not go with the truths
 * (*odd is its number then, else n).
 */
int coco_join(struct coco_result *r, const struct coco_truths *truths,
              const struct coco_part *part, size_t n, size_t *odd,
              struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

#endif
