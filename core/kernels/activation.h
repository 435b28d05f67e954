/* What the rows of activations have in common. */
#ifndef EVALD_CORE_KERNELS_ACTIVATION_H
#define EVALD_CORE_KERNELS_ACTIVATION_H

#include "core/kernels/activation_stats.h"
#include "core/kernels/map.h"

#include <float.h>

/* slope x; where the slope is 0 the limit of that, 0, and not NaN. */
INLINE double scaled(double slope, double x)
{
    double low = slope == 0 ? -DBL_MAX : -(double)INFINITY;
    return slope * (x < low ? low : x);
}

/* Of every activation: the rows of its ports. */
enum { X, GRAD_OUTPUT };
enum { VALUE, GRAD };

#define INPUT_X                                       \
    {                                                 \
        "x", "*", OP_REAL, .doc = "where to evaluate" \
    }
#define INPUT_GRAD_OUTPUT                                     \
    {                                                         \
        "grad_output", "*", OP_REAL,                          \
            .optional = true,                                 \
            .doc = "multiplies the gradient; ones if missing" \
    }
#define OUTPUT_VALUE                         \
    {                                        \
        "value", "*", OP_REAL, .doc = "f(x)" \
    }
#define OUTPUT_GRAD                                               \
    {                                                             \
        "grad", "*", OP_REAL,                                     \
            .gradient_of = 1 + X,                                 \
            .doc = "f'(x), times grad_output where that is given" \
    }

#define CHANNEL_AXIS(fallback_, doc_)                                     \
    {                                                                     \
        "channel_axis", OP_INTEGER, .fallback = (fallback_),              \
                                    .min = -OP_RANK_MAX,                  \
                                    .max = OP_RANK_MAX - 1, .doc = (doc_) \
    }

/* The members that all rows share. */
#define ACTIVATION(word) \
    .group = "activations", .name = #word, .stats = activation_stats

/* As well, those of a row whose kernel is word_map. */
#define ELEMENTWISE(word)                                                 \
    ACTIVATION(word), .in = {INPUT_X, INPUT_GRAD_OUTPUT},                 \
                      .out = {OUTPUT_VALUE, OUTPUT_GRAD}, .run = map_run, \
                      .map = word##_map

#define STATS_AXIS                                                        \
    CHANNEL_AXIS(NAN, "the axis of x whose channels stats judges apart; " \
                      "negative counts from the end")

/*
 * The axis of x that a parameter names, negative ones counted from the end;
 * OP_RANK_MAX when x has no such axis.
 */
static inline size_t axis_of(const struct op_call *call, size_t param)
{
    double rank = (double)call->in[X].rank, axis = call->param[param];
    axis += axis < 0 ? rank : 0;
    return axis >= 0 && axis < rank ? (size_t)axis : OP_RANK_MAX;
}

/* Faults an axis that x does not have; null is none and passes. */
int NAME(check_axis)(const struct op_call *call, size_t param,
                     struct op_fault *fault);
#define check_axis NAME(check_axis)

/* For op->check: the same of channel_axis. */
int NAME(check_channel_axis)(const struct op_call *call,
                             struct op_fault *fault);
#define check_channel_axis NAME(check_channel_axis)

#endif
