/*
 * A detection request as multipart/form-data: the parts ground_truth and
 * detections as files (JSON, or .npy for detections), and settings as JSON.
 */
#ifndef EVALD_API_DETECTION_FORM_H
#define EVALD_API_DETECTION_FORM_H

#include "api/detection_reader.h"
#include "api/json_read.h"

struct detection_form;

/*
 * A form of the type that the header Content-Type says.  It fills *req;
 * expected is how long the body will be, 0 if that is not known.  All memory
 * is from mem; NULL when that is spent.
 */
struct detection_form *detection_form_new(const char *content_type,
                                          struct detection_request *req,
                                          size_t expected,
                                          const struct parallel *par,
                                          struct arena *mem)
    __attribute__((warn_unused_result));

/* Says anew how long the whole body will be. */
void detection_form_expect(struct detection_form *f, size_t expected);

/* The next n pieces of the body, which are not kept. */
void detection_form_take(struct detection_form *f, const struct span *piece,
                         size_t n);

/* The body has ended.  0, or -1 with *err set. */
int detection_form_finish(struct detection_form *f, struct api_error *err)
    __attribute__((warn_unused_result));

/* Releases what is not in mem. */
void detection_form_free(struct detection_form *f);

/*
 * Detections from the bytes of a .npy file: rows of image_id, x, y, width,
 * height, score, category_id.  0, or -1 with *err set.
 */
int detection_read_npy(const char *bytes, size_t len, const struct at *at,
                       struct detection_request *req, struct arena *mem,
                       struct api_error *err)
    __attribute__((warn_unused_result));

#endif
