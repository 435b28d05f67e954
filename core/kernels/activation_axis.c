/* Activations that look along an axis: maxout, softmax, log-softmax. */
#include "core/kernels/activation.h"
#include "core/kernels/row.h"

enum { STRETCH = 1 << 15, INDICES = 2, PIECES = 0, AXIS = 0 };

/* Maxout. */

struct largest {
    real value;
    int32_t place;
};

/* The first largest or NaN of a group. */
INLINE struct largest largest_of(const real *x, size_t pieces)
{
    struct largest best = {x[0], 0};
    for (size_t j = 1; j < pieces; j++) {
        bool more = !(x[j] <= best.value) & !isnan(best.value);
        best.value = more ? x[j] : best.value;
        best.place = more ? (int32_t)j : best.place;
    }
    return best;
}

/* The gradient of groups of two, as a loop of vectors. */
INLINE void maxout_pairs(const real *restrict x, const real *restrict g,
                         size_t n, real *restrict grad)
{
    for (size_t i = 0; i < n; i++) {
        real a = x[2 * i], b = x[2 * i + 1], slope = g ? g[i] : 1;
        bool second = !(b <= a) & !isnan(a);
        grad[2 * i] = second ? 0 : slope;
        grad[2 * i + 1] = second ? slope : 0;
    }
}

/* Groups from..end - 1; as a constant, pieces makes loops of vectors. */
INLINE void maxout_groups(const struct op_call *c, size_t from, size_t end,
                          size_t pieces)
{
    const real *restrict x = c->in[X].data;
    const real *restrict g = c->in[GRAD_OUTPUT].data;
    real *restrict value = c->out[VALUE].data;
    real *restrict grad = c->out[GRAD].data;
    int64_t *restrict indices = c->out[INDICES].data;
    for (size_t i = from; value && i < end; i++)
        value[i] = largest_of(x + i * pieces, pieces).value;
    for (size_t i = from; indices && i < end; i++)
        indices[i] = largest_of(x + i * pieces, pieces).place;
    if (grad && g && pieces == 2)
        maxout_pairs(x + 2 * from, g + from, end - from, grad + 2 * from);
    else if (grad && pieces == 2)
        maxout_pairs(x + 2 * from, NULL, end - from, grad + 2 * from);
    for (size_t i = from; grad && pieces != 2 && i < end; i++) {
        int32_t place = largest_of(x + i * pieces, pieces).place;
        real slope = g ? g[i] : 1;
        for (size_t j = 0; j < pieces; j++)
            grad[i * pieces + j] = (int32_t)j == place ? slope : 0;
    }
}

static void maxout_stretch(void *context, size_t item, size_t worker)
{
    const struct op_call *c = context;
    size_t pieces = (size_t)c->param[PIECES], n = c->in[X].n / pieces;
    size_t each = STRETCH / pieces + 1, end = (item + 1) * each;
    (void)worker;
    end = end < n ? end : n;
    if (pieces == 2)
        maxout_groups(c, item * each, end, 2);
    else
        maxout_groups(c, item * each, end, pieces);
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
    if (g->data &&
        (g->rank != value->rank ||
         memcmp(g->dim, value->dim, g->rank * sizeof(g->dim[0])) != 0))
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
    struct work *work;             /* one for each worker */
    bool log;
};

/* Of a row: itself, e^(x - max), and room for another. */
struct work {
    real *row;
    double *exp, *part;
};

/* Rows are seldom so long that it is worth a look within one. */
INLINE bool long_and_stopped(const struct rows *r)
{
    return r->length > STOP_STRETCH && op_stopped(r->call);
}

/* What follows takes step as a constant, so that 1 makes a plain loop. */

INLINE void softmax_value(const struct rows *r, size_t n, real *restrict value,
                          size_t step, const real *restrict row,
                          const double *restrict exp, double max, double sum,
                          double log)
{
    double share = 1 / sum;
    if (r->log)
        for (size_t i = 0; i < n; i++)
            value[i * step] = (real)((row[i] - max) - log);
    else
        for (size_t i = 0; i < n; i++)
            value[i * step] = (real)(exp[i] * share);
}

/*
 * The shares sum to 1, so that of all of g any number may be taken: with that
 * of the largest share nothing cancels where it has all but everything.
 */
INLINE void softmax_grad(const struct rows *r, const real *restrict g,
                         real *restrict grad, size_t step, size_t top,
                         const double *restrict exp, double *restrict part,
                         double sum)
{
    size_t n = r->length;
    double share = 1 / sum, base = r->log || !g ? 0 : g[top * step];
    base = isfinite(base) ? base : 0;
    for (size_t i = 0; i < n; i++)
        part[i] =
            ((g ? g[i * step] : 1) - base) * (r->log ? 1 : exp[i] * share);
    double total = row_sum(n, part);
    if (long_and_stopped(r))
        return;
    for (size_t i = 0; i < n; i++) {
        double t = (g ? g[i * step] : 1) - base, y = exp[i] * share;
        grad[i * step] = (real)(r->log ? t - y * total : y * (t - total));
    }
}

/*
 * The row in one piece, with a finite max: in a row of infinities, equal ones
 * count as 0 and all others are infinitely far below.
 */
INLINE const real *softmax_input(const struct rows *r, const real *restrict x,
                                 size_t step, real *restrict row, real *max)
{
    size_t n = r->length;
    for (size_t i = 0; step > 1 && i < n; i++)
        row[i] = x[i * step];
    const real *in = step > 1 ? row : x;
    *max = row_max(n, in);
    if (!isinf(*max))
        return in;
    for (size_t i = 0; i < n; i++) {
        real far = isnan(x[i * step]) ? x[i * step] : -(real)INFINITY;
        row[i] = x[i * step] == *max ? 0 : far;
    }
    *max = 0;
    return row;
}

/*
 * The largest is e^0 = 1.  The first of them is left out of the sum, so that
 * log1p sees what the rest come to with all its digits.
 */
INLINE void softmax_row(const struct rows *r, size_t at, size_t step,
                        const struct work *work)
{
    struct op_call *c = r->call;
    const real *g = c->in[GRAD_OUTPUT].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data, max;
    size_t n = r->length;
    const real *row = softmax_input(r, (const real *)c->in[X].data + at, step,
                                    work->row, &max);
    double *exp = work->exp;
    size_t top = row_find(n, row, max);
    for (size_t i = 0, m; i < n && !long_and_stopped(r); i += m) {
        m = n - i < STOP_STRETCH ? n - i : STOP_STRETCH;
        row_exp(m, row + i, max, LOW, exp + i);
    }
    if (long_and_stopped(r))
        return;
    double largest = exp[top];
    exp[top] = 0;
    double rest = row_sum(n, exp) + (largest - 1), sum = 1 + rest;
    exp[top] = largest;
    double log = r->log && value ? log1p_(rest) : 0;
    for (size_t i = 0, m; value && i < n && !long_and_stopped(r); i += m) {
        m = n - i < STOP_STRETCH ? n - i : STOP_STRETCH;
        softmax_value(r, m, value + at + i * step, step, row + i, exp + i, max,
                      sum, log);
    }
    if (grad && !long_and_stopped(r))
        softmax_grad(r, g ? g + at : NULL, grad + at, step, top, exp,
                     work->part, sum);
}

static void softmax_item(void *context, size_t item, size_t worker)
{
    const struct rows *r = context;
    size_t i = item * r->each, end = i + r->each, inner = r->inner;
    const struct work *work = &r->work[worker];
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
    r.work = arena_alloc(c->mem, width, sizeof(*r.work));
    for (size_t i = 0; r.work && i < width; i++)
        r.work[i] = (struct work){
            .row = arena_alloc(c->mem, r.length, sizeof(real)),
            .exp = arena_alloc(c->mem, r.length, sizeof(double)),
            .part = arena_alloc(c->mem, r.length, sizeof(double)),
        };
    if (!r.work || c->mem->failed)
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
