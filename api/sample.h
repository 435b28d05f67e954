/*
 * A made-up data set that looks like a detector's validation: crowds, images
 * without objects, frequent and rare classes, jittered and doubled hits,
 * confused classes, false alarms, misses.  The same options give the same
 * bytes.
 */
#ifndef EVALD_API_SAMPLE_H
#define EVALD_API_SAMPLE_H

#include "api/json_out.h"

struct sample_options {
    size_t images;     /* 1 to 10^6 */
    size_t classes;    /* 1 to 10^4 */
    size_t objects;    /* mean number of ground truths per image, to 10^3 */
    size_t detections; /* most detections per image, to 10^4 */
    uint64_t seed;
};

/* Ground truth and detections as COCO's files have them. */
void sample_write(const struct sample_options *options,
                  struct json_out *ground_truth, struct json_out *detections);

#endif
