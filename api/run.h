/*
 * Runs: what the handlers of section 6 of the API have in common.  Functions
 * return 0, or -1 with call->err set.
 */
#ifndef EVALD_API_RUN_H
#define EVALD_API_RUN_H

#include "api/dataset.h"

/* A run that is looked at, with all that scoring it needs. */
struct run {
    struct store_run row;
    struct detection_request req; /* protocol as the run was opened with */
    const struct dataset *dataset;
    struct cache_entry *held; /* of the dataset */
};

/*
 * What comes before the ids of all runs that are opened at that time, since
 * 1970, or later.
 */
void run_id_first(char id[RUN_ID_BYTES], int64_t ms);

/* Whether a run may have this id. */
bool run_id_is(const char *text);

/* The run that the path names; run_close whatever it returns. */
int run_open(struct api_call *call, struct run *run);
void run_close(struct api_call *call, struct run *run);

/* Only its row, and only what it measures. */
int run_row(struct api_call *call, struct store_run *row);
int run_parameters(struct api_call *call, const struct store_run *row,
                   struct detection_request *req);

/* Adds a fault for a call to the store that did not end with STORE_OK. */
int run_store_fault(struct api_call *call, enum store_status status,
                    const char *what);

/*
 * Scores the images that are in, as detection_score would score them all at
 * once, into rep with the outputs and options of run->req.
 */
int run_score(struct api_call *call, struct run *run,
              struct detection_report *rep);

/*
 * The summary of the images that are in, from the cache where it can be: the
 * numbers of coco_number.  counts is what they are of.
 */
struct run_summary {
    double value[COCO_VALUES_MAX];
    int64_t seq, images, detections;
    /* What is told of them beside: */
    struct dataset_tally tally;
    size_t unknown_category, cut, negative_size; /* detections */
};
int run_live_summary(struct api_call *call, struct run *run,
                     struct run_summary *summary);

/* How many classes parts of the run are of. */
size_t run_classes(const struct run *run);

/*
 * Has rep and run->req tell what the annotations of the images that are in add
 * up to, and boxes of detections with negative size.
 */
void run_tell(struct run *run, const struct dataset_tally *sum,
              size_t negative_size, struct detection_report *rep);

/* Makes rep of a summary, for outputs that show no more than that. */
void run_summary_report(struct run *run, const struct run_summary *summary,
                        const struct parallel *par,
                        struct detection_report *rep);

/*
 * The members of a run's object, between braces that the caller writes; its
 * protocol, or with NULL only what names it.
 */
void run_write(struct json_out *out, const struct store_run *row,
               const struct coco_protocol *protocol);

/* "open" or "finalized" */
const char *run_state_name(const struct store_run *row);

/* Those of them that say how far it is. */
void run_write_progress(struct json_out *out, const struct store_run *row);

/* "2026-01-31T12:00:00.000Z" */
void write_time(struct json_out *out, const char *key, int64_t ms);
int64_t now_ms(void); /* since 1970 */

#endif
