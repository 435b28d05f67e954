/*
 * Losses: what they share, which is all but the formula.
 *
 * A loss has samples: single elements of the input, or rows of it (a box, the
 * logits of a class).  Its row names in `map` a function that fills a span:
 * the loss of each of n samples and the gradients, as doubles, unweighted.
 * The driver below weighs, reduces, rounds, splits the work and notes the
 * samples for the diagnostics.
 *
 * Of an elementwise loss that function is one line about a formula:
 *
 *     INLINE struct loss_point l1(double x, double t, const double *param)
 *     static void l1_map(const void *s) { loss_map(s, l1); }
 *
 * Rows begin with the ports and parameters that stand here as macros:
 *
 *     .in = {{"input", ...}, {"target", ...}, LOSS_WEIGHT_PORT, ...},
 *     .out = {LOSS_VALUE_PORT, LOSS_GRAD_PORT("*"), ...},
 *     .param = {LOSS_PARAMS, ...},
 *     .shape = loss_shape, .run = loss_run, .map = l1_map,
 */
#ifndef EVALD_CORE_KERNELS_LOSS_H
#define EVALD_CORE_KERNELS_LOSS_H

#include "core/kernels/map.h"

#include <math.h>

/* Where every loss has its inputs, outputs and parameters. */
enum { LOSS_INPUT, LOSS_TARGET, LOSS_WEIGHT, LOSS_INPUTS };
enum { LOSS_VALUE, LOSS_GRAD, LOSS_OUTPUTS };
enum { LOSS_REDUCTION, LOSS_AVG_FACTOR, LOSS_OWN_PARAM };

/* The most samples of a span; wide ones are fewer, down to 1. */
enum { LOSS_BLOCK = 1024 };

enum loss_reduction { LOSS_NONE, LOSS_MEAN, LOSS_SUM, LOSS_BATCHMEAN };

#define LOSS_WEIGHT_PORT                                                   \
    {                                                                      \
        .name = "weight", .shape = "?", .optional = true,                  \
        .doc = "factor of each loss: the shape of the unreduced loss, or " \
               "one that broadcasts to it from the right",                 \
    }

#define LOSS_VALUE_PORT                                                       \
    {                                                                         \
        .name = "value", .shape = "?",                                        \
        .doc = "the loss: one number, or with reduction none one per sample", \
    }

#define LOSS_GRAD_PORT(dims)                                               \
    {                                                                      \
        .name = "grad", .shape = (dims), .gradient_of = 1 + LOSS_INPUT,    \
        .doc = "derivative of value by input; with reduction none of the " \
               "sum of value",                                             \
    }

#define LOSS_AVG_FACTOR_PARAM                                               \
    {                                                                       \
        .name = "avg_factor", .type = OP_NUMBER, .fallback = NAN, .min = 0, \
        .max = 1e300, .open = true,                                         \
        .doc = "what mean divides the sum by, in place of its own count; "  \
               "only with reduction mean",                                  \
    }

#define LOSS_PARAMS                                                            \
    {.name = "reduction",                                                      \
     .type = OP_CHOICE,                                                        \
     .fallback = LOSS_MEAN,                                                    \
     .choices = (const char *const[]){"none", "mean", "sum", NULL},            \
     .doc = "none keeps the loss of each sample, mean averages, sum adds up"}, \
        LOSS_AVG_FACTOR_PARAM

/* A stretch of samples; NULL is what nobody wants. */
struct loss_span {
    size_t n;     /* samples */
    size_t first; /* the first one's place among all samples */
    size_t width; /* elements of input that make up a sample */
    const struct op_call *call;
    const void *state;   /* of the plan */
    const double *param; /* of the call */
    /* n*width each; target only where its shape is that of input */
    const real *input, *target;
    /* n*losses, or NULL = ones; look only if losses > 1 (see struct plan) */
    const double *weight;
    double *loss; /* n*losses; always there */
    /* n*width: the derivative of a sample's loss by its elements of input */
    double *grad;
    /* the same by the input of row LOSS_INPUTS, for output LOSS_OUTPUTS */
    double *grad_other;
    double *difficulty; /* n; see struct op_samples */
    double *scratch;    /* n*width, if the plan asks for it */
};

/* How a loss is laid out. */
struct loss_plan {
    size_t width; /* elements of input that make up a sample: 1, 4, c */
    /*
     * Losses of a sample: 1, or width where each element has one.  In the
     * second case `map` gives the gradient of the sum of loss times weight.
     */
    size_t losses;
    double count;      /* what "mean" divides the sum by */
    bool other;        /* whether there is a second gradient, grad_other */
    bool scratch;      /* whether `map` wants span->scratch */
    const void *state; /* for `map` */
};

/* The usual plan: the number of losses is what "mean" divides by. */
struct loss_plan NAME(loss_plan)(const struct op_call *call, size_t width,
                                 size_t losses);
#define loss_plan(call, width, losses) NAME(loss_plan)(call, width, losses)

/* Runs op->map over all samples.  -1 when call->mem is spent. */
int NAME(loss_run_plan)(struct op_call *call, const struct loss_plan *plan);
#define loss_run_plan NAME(loss_run_plan)

/* For `run` of losses whose samples are elements, and rows of input. */
int NAME(loss_run)(struct op_call *call);
int NAME(loss_run_rows)(struct op_call *call);
#define loss_run NAME(loss_run)
#define loss_run_rows NAME(loss_run_rows)

/*
 * For `shape` of the two: gives value its shape, and checks that weight
 * broadcasts to the unreduced loss and avg_factor goes with the reduction.
 */
int NAME(loss_shape)(struct op_call *call, struct op_fault *fault);
int NAME(loss_shape_rows)(struct op_call *call, struct op_fault *fault);
#define loss_shape NAME(loss_shape)
#define loss_shape_rows NAME(loss_shape_rows)

/*
 * Whether an input broadcasts from the right to the first `rank` dimensions
 * of `to`; if not, notes the fault and returns -1.
 */
int NAME(loss_check_broadcast)(const struct op_call *call, size_t input,
                               const struct op_tensor *to, size_t rank,
                               struct op_fault *fault);
#define loss_check_broadcast NAME(loss_check_broadcast)

/* Elements first.. of an input that broadcasts so, as n doubles. */
void NAME(loss_broadcast)(const struct op_tensor *from,
                          const struct op_tensor *to, size_t rank, size_t first,
                          size_t n, double *out);
#define loss_broadcast NAME(loss_broadcast)

/* What an elementwise loss is at one element. */
struct loss_point {
    double loss, grad, difficulty;
};

typedef struct loss_point loss_function(double x, double t,
                                        const double *param);

/* The sign of d; of 0 and NaN itself. */
INLINE double loss_sign(double d)
{
    return d > 0 ? 1 : d < 0 ? -1 : d;
}

/* One loop for each set of results, so that no loop asks what is wanted. */
INLINE void loss_map(const void *span, loss_function *f)
{
    const struct loss_span *s = span;
    const real *restrict x = s->input, *restrict t = s->target;
    const double *p = s->param;
    double *restrict loss = s->loss, *restrict grad = s->grad;
    if (grad)
        for (size_t i = 0; i < s->n; i++) {
            struct loss_point y = f(x[i], t[i], p);
            loss[i] = y.loss;
            grad[i] = y.grad;
        }
    else
        for (size_t i = 0; i < s->n; i++)
            loss[i] = f(x[i], t[i], p).loss;
    double *restrict difficulty = s->difficulty;
    if (difficulty)
        for (size_t i = 0; i < s->n; i++)
            difficulty[i] = f(x[i], t[i], p).difficulty;
}

#endif
