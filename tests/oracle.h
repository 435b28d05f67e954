/*
 * A slow second opinion on core/: COCO's scores by plain loops.
 *
 * Per category, area range, limit of detections and threshold it walks the
 * full matrix of overlaps, concatenates the images, sorts by insertion, adds
 * up one detection at a time and keeps every value of every tensor.  Nothing
 * of core/ is used but its input structs and its arena.  When there is no
 * memory the program ends.
 *
 * Source: github.com/ppwwyyxx/cocoapi, as core/coco.h says.
 */
#ifndef EVALD_TESTS_ORACLE_H
#define EVALD_TESTS_ORACLE_H

#include "core/coco_verdict.h"

struct oracle {
    size_t n_iou, n_recall, n_classes, n_areas; /* T, R, K, A; M is 3 */
    double *precision, *scores;                 /* [T][R][K][A][M], or -1 */
    double *recall;                             /* [T][K][A][M], or -1 */
    double number[COCO_NUMBERS];
    struct arena mem; /* holds all of it */
};

/*
 * Fills o, which oracle_free releases.  Detections of unknown images and
 * categories are left out, as are annotations.
 */
void oracle_score(struct oracle *o, const struct coco_protocol *p,
                  const struct coco_ground_truth *gt,
                  const struct coco_detections *dt);
void oracle_free(struct oracle *o);

/* Places in the tensors. */
size_t oracle_at(const struct oracle *o, size_t t, size_t r, size_t k, size_t a,
                 size_t m);
size_t oracle_recall_at(const struct oracle *o, size_t t, size_t k, size_t a,
                        size_t m);

/*
 * The rows of gt that are scored, in the order in which pycocotools meets
 * them: images ascending, file order within, every occurrence of an id
 * replaced by the last.  In memory from mem.
 */
size_t *oracle_met(const struct coco_protocol *p,
                   const struct coco_ground_truth *gt, size_t *n_out,
                   struct arena *mem);

/* What coco_images says of one image, but for ap, which is left as it is. */
void oracle_image(const struct coco_protocol *p,
                  const struct coco_ground_truth *gt,
                  const struct coco_detections *dt, int64_t image,
                  struct coco_image *out);

/* The mean of n > 0 doubles as numpy adds them up. */
double oracle_mean(const double *x, size_t n, enum coco_summation summation);

#endif
