/*
 * Non-maximum suppression: what nms.c prepares and box_nms.c works on.
 */
#ifndef EVALD_CORE_KERNELS_BOX_NMS_H
#define EVALD_CORE_KERNELS_BOX_NMS_H

#include "core/kernels/box.h"

#include <stdint.h>

enum { NMS_BOXES, NMS_SCORES, NMS_LABELS };
enum { NMS_OUT_INDICES, NMS_OUT_SCORES };
enum {
    NMS_FORMAT,
    NMS_METHOD,
    NMS_IOU_THRESHOLD,
    NMS_SCORE_THRESHOLD,
    NMS_BETA,
    NMS_SIGMA,
    NMS_MAX_OUTPUT
};
enum { NMS_HARD, NMS_DIOU, NMS_LINEAR, NMS_GAUSSIAN };

/* Boxes by cell: those of a cell are a stretch of `start` and `count`. */
struct nms_slots {
    double *x_lo, *x_hi, *y_lo, *y_hi, *area;
    double *score; /* so far */
    uint32_t *row; /* of the input */
};

struct nms_cell {
    uint32_t start, count;
    uint32_t best; /* soft: the slot of the highest score */
};

struct nms_job {
    const struct op_call *call;
    const real *raw;
    enum box_format format;
    int method;
    double t;      /* the least IoU that has an effect */
    double margin; /* I > margin U is true of all that have an effect */
    bool odd;      /* not all are plain: no quick test, no cells */
    size_t n, n_runs, most;
    uint32_t *order; /* n rows by label, then by score, best first */
    uint32_t *runs;  /* where each label begins, n_runs + 1 */
    double *final;   /* of each row of the input; NaN = not kept */
    struct nms_slots slot;
    struct nms_cell *cell;
    uint32_t *home; /* the cell of each of order */
};

/* The score of a row as given. */
static inline double nms_score(const struct nms_job *job, uint32_t row)
{
    return ((const real *)job->call->in[NMS_SCORES].data)[row];
}

/* Settles all rows of label `item`: a parallel_task whose context is a job. */
void NAME(nms_label)(void *context, size_t item, size_t worker);
#define nms_label NAME(nms_label)

#endif
