/*
 * A slow second opinion on what is read from the matches at one threshold
 * (core/coco_verdict.h, core/coco_points.h): plain loops over all detections
 * and ground truths, everything counted anew for every question.
 *
 * Nothing of core/ is used but its structs, constants and arena.  When there
 * is no memory the program ends.
 *
 * Sources: as the two headers say.
 */
#ifndef EVALD_TESTS_ANALYSIS_ORACLE_H
#define EVALD_TESTS_ANALYSIS_ORACLE_H

#include "core/coco_points.h"
#include "core/coco_raw_curve.h"

#define ORACLE_NONE SIZE_MAX

/* Where a row belongs: distinct ids, and classes, counted from the lowest. */
struct analysis_cell {
    size_t class, image, category;
};

/* A ground truth, at its place of coco_index.gt. */
struct analysis_gt {
    size_t row; /* of the input */
    struct analysis_cell cell;
    bool counts;
    size_t found, claim, confused; /* rows of detections, or ORACLE_NONE */
    double overlap;
};

/* A detection, at its row of the input. */
struct analysis_dt {
    struct analysis_cell cell;
    bool known; /* its image and category are; if not nothing else holds */
    enum coco_kind kind;
    size_t truth; /* place of a ground truth, or ORACLE_NONE */
    double iou;   /* with that one */
};

struct analysis {
    const struct coco_protocol *p;
    const struct coco_ground_truth *truths;
    const struct coco_detections *detections;
    size_t n_classes, n_gt, n_order;
    struct analysis_gt *gt;
    struct analysis_dt *dt;           /* all rows */
    size_t *order;                    /* known rows, in order of core's marks */
    size_t *by_score;                 /* known rows, as AP joins its images */
    size_t *matrix;                   /* [K + 1][K + 1], truth by found */
    struct coco_class_errors *errors; /* K + 1 */
    struct coco_points *points;       /* K + 1 */
    struct arena mem;                 /* holds all of it */
};

/* Fills a, which analysis_free releases; it borrows the rest. */
void analysis_make(struct analysis *a, const struct coco_protocol *p,
                   const struct coco_ground_truth *gt,
                   const struct coco_detections *dt);
void analysis_free(struct analysis *a);

/* The next two are analysis_numbers.c; at are n_at scores. */
void analysis_errors(struct analysis *a);
void analysis_points(struct analysis *a, const double *at, size_t n_at);

/* A false positive; a detection that counts. */
bool analysis_is_false(const struct analysis_dt *d);
bool analysis_counts(const struct analysis_dt *d);
/* It has score_threshold or more. */
bool analysis_is_confident(const struct analysis *a, size_t row);

/* Zeros, in memory of a. */
void *analysis_alloc(struct analysis *a, size_t n, size_t size);

/* The numbers of coco_points.h, from their definitions. */
double oracle_f1(const struct coco_level *l, uint32_t positives);
struct coco_lrp oracle_lrp(const struct coco_level *l, uint32_t positives,
                           double iou);
double oracle_ece(const struct coco_bin *bin, size_t n_bins);
double oracle_mce(const struct coco_bin *bin, size_t n_bins);

/*
 * The points of coco_raw_curve for class k, at the threshold that a was made
 * at; arrays in memory of a.
 */
struct coco_raw_curve oracle_raw_curve(struct analysis *a, size_t k);

#endif
