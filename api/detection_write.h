/* Parts of an answer's JSON, shared by the files that write it. */
#ifndef EVALD_API_DETECTION_WRITE_H
#define EVALD_API_DETECTION_WRITE_H

#include "api/detection.h"

#include <math.h>

/* How many of n rows are shown, and which is the i-th of them. */
static inline size_t rows_shown(const struct detection_rows *rows, size_t n)
{
    return rows->row ? rows->n : n;
}

static inline size_t row_shown(const struct detection_rows *rows, size_t i)
{
    return rows->row ? rows->row[i] : i;
}

enum { ROW_NUMBER_BYTES = COCO_AREA_NAME_MAX + 4 };

/*
 * The numbers of a list's rows, in their order.  The first is the id, for which
 * value has the row instead: they rise together.
 */
struct row_numbers {
    /* The name of number i, which may be in buf; NULL behind the last. */
    const char *(*name)(const struct coco_protocol *p, size_t i,
                        char buf[ROW_NUMBER_BYTES]);
    /* What a row has there; NAN where it is null. */
    double (*value)(const struct detection_report *rep, size_t i, size_t row);
};
extern const struct row_numbers class_numbers; /* of per_class */
extern const struct row_numbers image_numbers; /* of per_image */

/* 2 tp / (2 tp + fp + fn); NAN where that is not defined. */
double image_f1(const struct coco_image *m);

/* The members "summary" and "summary_array". */
void write_summary(struct json_out *out, const struct detection_report *rep);

/* The member "protocol". */
void write_protocol(struct json_out *out, const struct coco_protocol *p);

/* What decode_parameters would read as p, member by member. */
void write_parameters(struct json_out *out, const struct coco_protocol *p);

/* A member that is an array of n numbers. */
void write_numbers(struct json_out *out, const char *key, const double *x,
                   size_t n);

/* A member that is -1, as pycocotools has it, where it is null. */
void write_value(struct json_out *out, const char *key, double x);

/* Members category_id and name of a class; without categories both null. */
void write_category(struct json_out *out, const struct detection_report *rep,
                    size_t k);

/* A count range as a pair; no end is null. */
void write_count_range(struct json_out *out, const char *key,
                       const struct coco_count *count);

/* Opens the object of an output, and says at which IoU it is. */
void open_at_iou(struct json_out *out, const struct detection_report *rep,
                 const char *key);

/* The member per_class: an object of each class, with these members, too. */
void write_each_class(struct json_out *out, const struct detection_report *rep,
                      void (*members)(struct json_out *out,
                                      const struct detection_report *rep,
                                      size_t k));

/* The members of an image's row in per_image behind its id and two counts. */
void write_image_scores(struct json_out *out,
                        const struct detection_report *rep, size_t row);

/* The members of the outputs; each writes its key and value. */
void write_images(struct json_out *out, const struct detection_report *rep);
void write_curves(struct json_out *out, const struct detection_report *rep);
void write_operating_points(struct json_out *out,
                            const struct detection_report *rep);
void write_confusion(struct json_out *out, const struct detection_report *rep);
void write_errors(struct json_out *out, const struct detection_report *rep);
void write_calibration(struct json_out *out,
                       const struct detection_report *rep);
void write_lrp(struct json_out *out, const struct detection_report *rep);
void write_slices(struct json_out *out, const struct detection_report *rep);
void write_intervals(struct json_out *out, const struct detection_report *rep);

#endif
