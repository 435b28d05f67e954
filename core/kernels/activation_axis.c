/* Activations that look along an axis: maxout, softmax, log-softmax. */
#include "core/kernels/activation.h"
#include "core/kernels/power.h"
#include "core/sum.h"

enum { STRETCH = 1 << 15, INDICES = 2, PIECES = 0, AXIS = 0 };

/* Maxout. */

static size_t maxout_first(const real *x, size_t pieces)
{
    size_t best = 0;
    for (size_t j = 1; j < pieces; j++)
        if (x[j] > x[best] || (isnan(x[j]) && !isnan(x[best])))
            best = j;
    return best;
}

static void maxout_stretch(void *context, size_t item, size_t worker)
{
    const struct op_call *c = context;
    size_t pieces = (size_t)c->param[PIECES], n = c->in[X].n / pieces;
    size_t each = STRETCH / pieces + 1, end = (item + 1) * each;
    const real *x = c->in[X].data, *g = c->in[GRAD_OUTPUT].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data;
    int64_t *indices = c->out[INDICES].data;
    (void)worker;
    for (size_t i = item * each; i < end && i < n; i++) {
        size_t best = maxout_first(x + i * pieces, pieces);
        if (value)
            value[i] = x[i * pieces + best];
        if (indices)
            indices[i] = (int64_t)best;
        for (size_t j = 0; grad && j < pieces; j++)
            grad[i * pieces + j] = j != best ? 0 : g ? g[i] : 1;
    }
}

static int maxout_run(struct op_call *c)
{
    size_t pieces = (size_t)c->param[PIECES], n = c->in[X].n / pieces;
    size_t each = STRETCH / pieces + 1, items = (n + each - 1) / each;
    if (items == 1)
        maxout_stretch(c, 0, 0);
    else if (items > 1)
        c->par->run(c->par, items, maxout_stretch, c);
    return 0;
}

static int maxout_shape(struct op_call *c, struct op_fault *fault)
{
    const struct op_tensor *x = &c->in[X], *g = &c->in[GRAD_OUTPUT];
    struct op_tensor *value = &c->out[VALUE], *indices = &c->out[INDICES];
    size_t pieces = (size_t)c->param[PIECES];
    size_t last = x->rank ? x->dim[x->rank - 1] : 1;
    if (last % pieces)
        return op_fail_shape(fault, X,
                             "has %zu in its last dimension, which must be "
                             "divisible by pieces, %zu",
                             last, pieces);
    value->rank = x->rank;
    for (size_t d = 0; d < x->rank; d++)
        value->dim[d] = d + 1 < x->rank ? x->dim[d] : last / pieces;
    indices->rank = value->rank;
    memcpy(indices->dim, value->dim, sizeof(value->dim));
    if (g->data && (g->rank != value->rank ||
                    memcmp(g->dim, value->dim, g->rank * sizeof(g->dim[0]))))
        return op_fail_shape(fault, GRAD_OUTPUT,
                             "must have the shape of value: that of x with "
                             "%zu in the last dimension",
                             last / pieces);
    return 0;
}

/* Softmax. */

/* x as outer * length * inner, and what is made of its rows. */
struct rows {
    struct op_call *call;
    size_t length, inner, n, each; /* rows, and rows of an item */
    double *work;                  /* two rows for each worker */
    bool log;
};

/* The largest.  A row with NaN is NaN by its sum, whatever this gives. */
static double row_max(size_t n, const double *row)
{
    enum { LANES = 16 };
    double lane[LANES], max = row[0];
    for (size_t j = 0; j < LANES; j++)
        lane[j] = max;
    for (size_t i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = row[i + j] > lane[j] ? row[i + j] : lane[j];
    for (size_t i = n - n % LANES; i < n; i++)
        max = row[i] > max ? row[i] : max;
    for (size_t j = 0; j < LANES; j++)
        max = lane[j] > max ? lane[j] : max;
    return max;
}

/* x - max, 0 where they are equal, infinite or not. */
INLINE double below(double x, double max)
{
    return x == max ? 0 : x - max;
}

/* e^(x - max), what the difference loses in rounding included. */
INLINE double exp_below(double x, double max)
{
    double d = x - max, back = d - x;
    double lost = (x - (d - back)) - (max + back);
    struct power e = power_of_pair((struct pair){d, lost}, LOW, 0);
    return e.a / e.b * e.tail;
}

/*
 * Puts e^(x - max) of a row of x into share, 0 for those that are the largest;
 * returns how many these are.
 */
static double exponentials(size_t n, const double *restrict row, double max,
                           double *restrict share)
{
    size_t tops = 0;
    for (size_t i = 0; i < n; i++) {
        double y = exp_below(row[i], max);
        share[i] = row[i] == max ? 0 : y;
    }
    for (size_t i = 0; i < n; i++)
        tops += row[i] == max;
    return (double)tops;
}

/* What follows takes step as a constant, so that 1 makes a plain loop. */

INLINE void softmax_value(const struct rows *r, real *restrict value,
                          size_t step, const double *restrict row,
                          const double *restrict share, double max, double rest)
{
    double log = r->log ? log1p_(rest) : 0;
    if (r->log)
        for (size_t i = 0; i < r->length; i++)
            value[i * step] = (real)(below(row[i], max) - log);
    else
        for (size_t i = 0; i < r->length; i++)
            value[i * step] = (real)share[i];
}

INLINE void softmax_grad(const struct rows *r, const real *restrict g,
                         real *restrict grad, size_t step, double *restrict row,
                         const double *restrict share)
{
    size_t n = r->length;
    for (size_t i = 0; i < n; i++)
        row[i] = (g ? g[i * step] : 1) * (r->log ? 1 : share[i]);
    double total = sum_total(sum_block(n, row));
    for (size_t i = 0; i < n; i++) {
        double t = g ? g[i * step] : 1;
        double y = r->log ? t - share[i] * total : share[i] * (t - total);
        grad[i * step] = (real)y;
    }
}

/*
 * The largest of a row are e^0 = 1.  The first of them is left out of the sum,
 * so that log1p sees what the rest come to with all its digits.
 */
INLINE void softmax_row(const struct rows *r, size_t at, size_t step,
                        double *row)
{
    struct op_call *c = r->call;
    const real *restrict x = (const real *)c->in[X].data + at;
    const real *g = c->in[GRAD_OUTPUT].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data;
    size_t n = r->length;
    double *restrict share = row + n;
    for (size_t i = 0; i < n; i++)
        row[i] = x[i * step];
    double max = row_max(n, row);
    double tops = exponentials(n, row, max, share);
    double rest = sum_total(sum_block(n, share)) + (tops - 1);
    double part = 1 / (1 + rest);
    for (size_t i = 0; i < n; i++)
        share[i] = (row[i] == max ? 1 : share[i]) * part;
    if (value)
        softmax_value(r, value + at, step, row, share, max, rest);
    if (grad)
        softmax_grad(r, g ? g + at : NULL, grad + at, step, row, share);
}

static void softmax_item(void *context, size_t item, size_t worker)
{
    const struct rows *r = context;
    size_t i = item * r->each, end = i + r->each, inner = r->inner;
    double *work = r->work + worker * 2 * r->length;
    end = end < r->n ? end : r->n;
    for (; inner == 1 && i < end; i++)
        softmax_row(r, i * r->length, 1, work);
    for (; i < end; i++)
        softmax_row(r, i / inner * r->length * inner + i % inner, inner, work);
}

static int run_rows(struct op_call *c, bool log)
{
    const struct op_tensor *x = &c->in[X];
    size_t axis = axis_of(c, AXIS);
    struct rows r = {.call = c, .inner = 1, .length = 1, .log = log};
    for (size_t d = axis + 1; d < x->rank; d++)
        r.inner *= x->dim[d];
    if (axis < x->rank)
        r.length = x->dim[axis];
    if (x->n == 0)
        return 0;
    r.n = x->n / r.length;
    r.each = STRETCH / r.length + 1;
    size_t items = (r.n + r.each - 1) / r.each;
    size_t width = items == 1 ? 1 : c->par->width;
    r.work = arena_alloc(c->mem, width * 2 * r.length, sizeof(*r.work));
    if (!r.work)
        return -1;
    if (items == 1)
        softmax_item(&r, 0, 0);
    else
        c->par->run(c->par, items, softmax_item, &r);
    return 0;
}

static int softmax_run(struct op_call *c)
{
    return run_rows(c, false);
}

static int log_softmax_run(struct op_call *c)
{
    return run_rows(c, true);
}

static int log_softmax_check(const struct op_call *c, struct op_fault *fault)
{
    if (c->in[X].rank > 0 && check_axis(c, AXIS, fault))
        return -1;
    return check_channel_axis(c, fault);
}

static int softmax_check(const struct op_call *c, struct op_fault *fault)
{
    if ((c->want[GRAD] || c->want_stats) && !c->in[GRAD_OUTPUT].data) {
        op_fail_shape(fault, GRAD_OUTPUT,
                      "is missing, and grad needs it: the sum of value is 1 "
                      "whatever x is");
        fault->code = "missing";
        return -1;
    }
    return log_softmax_check(c, fault);
}

#define SOFTMAX_AXIS                                                        \
    {                                                                       \
        "axis", OP_INTEGER, .fallback = -1, .min = -OP_RANK_MAX,            \
                            .max = OP_RANK_MAX - 1,                         \
                            .doc = "the axis along which value sums to 1; " \
                                   "negative counts from the "              \
                                   "end"                                    \
    }

const struct op NAME(axis_activations)[] = {
    {
        ACTIVATION(maxout),
        .title = "Maxout",
        .summary = "The largest of each group of neighbours.",
        .formula = "max of each `pieces` consecutive entries of the last axis",
        .formula_tex = "\\max_{j} x_{k i + j}",
        .source = "Goodfellow et al. 2013, arXiv:1302.4389",
        .example = "{\"inputs\":{\"x\":[1.0,3.0,-2.0,-5.0]},"
                   "\"outputs\":[\"value\",\"grad\",\"indices\"]}",
        .in = {INPUT_X,
               {"grad_output", "?", OP_REAL, .optional = true,
                .doc = "multiplies the gradient, of the shape of value; ones "
                       "if missing"}},
        .out = {{"value", "?", OP_REAL,
                 .doc = "the largest of each group, or its NaN"},
                {"grad", "*", OP_REAL, .gradient_of = 1 + X,
                 .doc = "grad_output at the first largest of a group, else 0"},
                {"indices", "?", OP_INDEX,
                 .doc = "where in its group the first largest is"}},
        .param = {{"pieces", OP_INTEGER, .fallback = 2, .min = 1, .max = 0x1p20,
                   .doc = "entries of a group; divides the last axis"},
                  STATS_AXIS},
        .shape = maxout_shape,
        .check = check_channel_axis,
        .run = maxout_run,
    },
    {
        ACTIVATION(softmax),
        .title = "Softmax",
        .summary = "Numbers from 0 to 1 that sum to 1 along an axis; equal "
                   "infinities count as equal numbers.",
        .formula = "exp(x_i) / sum_j exp(x_j)",
        .formula_tex = "\\frac{e^{x_i}}{\\sum_j e^{x_j}}",
        .source = "Bridle 1990, Probabilistic interpretation of feedforward "
                  "classification network outputs",
        .example = "{\"inputs\":{\"x\":[1.0,2.0,3.0],"
                   "\"grad_output\":[1.0,0.0,0.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {INPUT_X,
               {"grad_output", "*", OP_REAL, .optional = true,
                .doc = "derivative of what follows by value; needed for grad"}},
        .out = {OUTPUT_VALUE, OUTPUT_GRAD},
        .param = {SOFTMAX_AXIS, STATS_AXIS},
        .check = softmax_check,
        .run = softmax_run,
    },
    {
        ACTIVATION(log_softmax),
        .title = "Log-softmax",
        .summary = "The logarithm of softmax.",
        .formula = "x_i - log(sum_j exp(x_j))",
        .formula_tex = "x_i - \\ln \\sum_j e^{x_j}",
        .source = "Bridle 1990, Probabilistic interpretation of feedforward "
                  "classification network outputs",
        .example = "{\"inputs\":{\"x\":[1.0,2.0,3.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {INPUT_X, INPUT_GRAD_OUTPUT},
        .out = {OUTPUT_VALUE, OUTPUT_GRAD},
        .param = {SOFTMAX_AXIS, STATS_AXIS},
        .check = log_softmax_check,
        .run = log_softmax_run,
    },
    {.name = NULL},
};
