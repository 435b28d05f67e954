/* Parts of an answer's JSON, shared by the files that write it. */
#ifndef EVALD_API_DETECTION_WRITE_H
#define EVALD_API_DETECTION_WRITE_H

#include "api/detection.h"

#include <math.h>

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
