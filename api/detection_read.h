/* Parts of a detection request, from jansson's documents to columns. */
#ifndef EVALD_API_DETECTION_READ_H
#define EVALD_API_DETECTION_READ_H

#include "api/detection.h"
#include "api/json_read.h"

/* v may be NULL for a missing member; 0, or -1 with *err set. */
int read_ground_truth(const json_t *v, const struct at *at,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err);
int read_detections(const json_t *v, const struct at *at,
                    struct detection_request *req, struct arena *mem,
                    struct api_error *err);
int read_parameters(const json_t *v, const struct at *at,
                    struct detection_request *req, struct api_error *err);
int read_outputs(const json_t *v, const struct at *at,
                 struct detection_request *req, struct api_error *err);

/* Two places with the same id. */
struct id_pair {
    size_t first, again;
};

/*
 * How many of n ids are there already; the first pairs_max of them, in the
 * order of the ids, go to pair.  0 with mem->failed when there is no memory.
 */
size_t repeated_ids(const int64_t *id, size_t n, struct id_pair *pair,
                    size_t pairs_max, struct arena *mem);

/*
 * The whole of a body by way of a document: every fault is found and told.
 * The slow half of decode_body; of use by itself to compare the two.
 */
int decode_body_document(const char *text, size_t len,
                         struct detection_request *req, struct arena *mem,
                         struct api_error *err);

#endif
