/* Leaky ReLUs whose slope is learnt, given or drawn for each element. */
#include "core/kernels/activation.h"
#include "core/random.h"
#include "core/sum.h"

enum { STRETCH = 1 << 15 };

/* PReLU. */

enum { WEIGHT = 2, GRAD_WEIGHT = 2, CHANNEL = 0, GROUPS_MAX = 16, TERMS = 512 };

static const real weight_default = (real)0.25;

/*
 * x as outer * channels * inner.  A single weight sees x as rows of `inner`
 * elements, the last of which may be shorter, so that its sum has parts.
 */
struct prelu {
    const struct op_call *call;
    const real *weight;
    size_t n, outer, channels, inner;
    size_t groups;    /* the outer indices are cut into these */
    struct sum *part; /* of grad_weight: groups * channels */
};

static struct prelu prelu_of(const struct op_call *c)
{
    const struct op_tensor *x = &c->in[X], *weight = &c->in[WEIGHT];
    struct prelu p = {.call = c, .weight = &weight_default, .n = x->n};
    if (weight->data)
        p.weight = weight->data;
    if (!weight->data || weight->n == 1) {
        p.channels = 1;
        p.inner = STRETCH;
        p.outer = (x->n + STRETCH - 1) / STRETCH;
    } else {
        size_t axis = axis_of(c, CHANNEL);
        p.channels = weight->n;
        p.outer = p.inner = 1;
        for (size_t d = 0; d < x->rank; d++)
            *(d < axis ? &p.outer : &p.inner) *= d == axis ? 1 : x->dim[d];
    }
    size_t groups = x->n / STRETCH + 1;
    groups = groups < GROUPS_MAX ? groups : GROUPS_MAX;
    p.groups = groups < p.outer ? groups : p.outer;
    return p;
}

static void prelu_value(size_t n, const real *restrict x, double w,
                        real *restrict value)
{
    for (size_t i = 0; i < n; i++)
        value[i] = (real)(x[i] > 0 ? (double)x[i] : scaled(w, x[i]));
}

static void prelu_grad(size_t n, const real *restrict x, double w,
                       const real *restrict g, real *restrict grad)
{
    for (size_t i = 0; i < n; i++) {
        double slope = x[i] > 0 ? 1 : x[i] <= 0 ? w : (double)x[i];
        grad[i] = (real)(g ? g[i] * slope : slope);
    }
}

/* One channel's terms of grad_weight. */
static struct sum prelu_sum(size_t n, const real *x, const real *g,
                            const atomic_bool *stop)
{
    struct sum s = {0, 0};
    double term[TERMS];
    for (size_t at = 0; at < n && !is_stopped(stop); at += TERMS) {
        size_t count = n - at < TERMS ? n - at : TERMS;
        for (size_t i = 0; i < count; i++) {
            double v = x[at + i];
            term[i] = v > 0 ? 0 : g ? v * g[at + i] : v;
        }
        s = sum_join(s, sum_block(count, term));
    }
    return s;
}

/* Channels that lie side by side, one element each. */
static void prelu_add_row(size_t n, const real *restrict x,
                          const real *restrict g, struct sum *restrict sum)
{
    for (size_t i = 0; i < n; i++) {
        double v = x[i];
        sum[i] = sum_add(sum[i], v > 0 ? 0 : g ? v * g[i] : v);
    }
}

/* n elements from at, which share a weight. */
static void prelu_channel(const struct prelu *p, double w, size_t at, size_t n)
{
    const struct op_call *c = p->call;
    const real *x = c->in[X].data, *g = c->in[GRAD_OUTPUT].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data;
    for (size_t i = at, m; i < at + n && (n <= STRETCH || !op_stopped(c));
         i += m) {
        m = at + n - i < STRETCH ? at + n - i : STRETCH;
        if (value)
            prelu_value(m, x + i, w, value + i);
        if (grad)
            prelu_grad(m, x + i, w, g ? g + i : NULL, grad + i);
    }
}

static void prelu_rows(const struct prelu *p, size_t o, struct sum *sum)
{
    const struct op_call *c = p->call;
    const real *x = c->in[X].data, *g = c->in[GRAD_OUTPUT].data;
    size_t at = o * p->channels * p->inner;
    if (sum && p->inner == 1)
        prelu_add_row(p->channels, x + at, g ? g + at : NULL, sum);
    for (size_t k = 0; k < p->channels; k++, at += p->inner) {
        size_t n = p->n - at < p->inner ? p->n - at : p->inner;
        prelu_channel(p, p->weight[k], at, n);
        if (sum && p->inner > 1)
            sum[k] = sum_join(
                sum[k], prelu_sum(n, x + at, g ? g + at : NULL, c->par->stop));
    }
}

static void prelu_group(void *context, size_t group, size_t worker)
{
    const struct prelu *p = context;
    size_t o = group * p->outer / p->groups;
    size_t end = (group + 1) * p->outer / p->groups;
    struct sum *sum = p->part ? p->part + group * p->channels : NULL;
    (void)worker;
    for (; o < end && !op_stopped(p->call); o++)
        prelu_rows(p, o, sum);
}

static int prelu_run(struct op_call *c)
{
    struct prelu p = prelu_of(c);
    real *grad_weight = c->out[GRAD_WEIGHT].data;
    if (grad_weight) {
        p.part = arena_zero(c->mem, p.groups * p.channels, sizeof(*p.part));
        if (!p.part)
            return -1;
    }
    if (p.groups == 1)
        prelu_group(&p, 0, 0);
    else if (p.groups > 1)
        c->par->run(c->par, p.groups, prelu_group, &p);
    if (op_stopped(c))
        return -1;
    for (size_t k = 0; grad_weight && k < p.channels; k++) {
        struct sum s = {0, 0};
        for (size_t g = 0; g < p.groups; g++)
            s = sum_join(s, p.part[g * p.channels + k]);
        grad_weight[k] = (real)sum_total(s);
    }
    return 0;
}

static int prelu_shape(struct op_call *c, struct op_fault *fault)
{
    const struct op_tensor *weight = &c->in[WEIGHT];
    struct op_tensor *grad = &c->out[GRAD_WEIGHT];
    size_t axis = axis_of(c, CHANNEL);
    grad->rank = 0;
    if (!weight->data)
        return 0;
    grad->rank = weight->rank;
    for (size_t d = 0; d < weight->rank; d++)
        grad->dim[d] = weight->dim[d];
    if (weight->n == 1)
        return 0;
    if (check_axis(c, CHANNEL, fault))
        return -1;
    if (weight->rank == 1 && weight->dim[0] == c->in[X].dim[axis])
        return 0;
    return op_fail_shape(fault, WEIGHT,
                         "must be one number, or one for each of the %zu "
                         "channels of x (axis %zu)",
                         c->in[X].dim[axis], axis);
}

/* RReLU. */

enum { SLOPES = 2 };
enum { LOWER, UPPER, TRAINING, SEED };

/*
 * The slope of element i, rounded to real as it is answered: number i of the
 * sequence of SplitMix64 that starts at the seed.
 */
INLINE real slope_drawn(const double *param, size_t i)
{
    uint64_t state = (uint64_t)param[SEED] + i * UINT64_C(0x9e3779b97f4a7c15);
    double share = (double)(random_next(&state) >> 11) * 0x1p-53;
    return (real)(param[LOWER] + (param[UPPER] - param[LOWER]) * share);
}

struct rrelu {
    const struct op_call *call;
    const real *slopes; /* as given or drawn; NULL = one for all */
    double slope;       /* that one */
    real *drawn;        /* where to draw them */
};

static void rrelu_apply(const struct rrelu *r, size_t at, size_t n)
{
    const struct op_call *c = r->call;
    const real *x = c->in[X].data, *g = c->in[GRAD_OUTPUT].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data;
    for (size_t i = at; value && i < at + n; i++) {
        double slope = r->slopes ? r->slopes[i] : r->slope;
        value[i] = (real)(x[i] > 0 ? (double)x[i] : scaled(slope, x[i]));
    }
    for (size_t i = at; grad && i < at + n; i++) {
        double slope = r->slopes ? r->slopes[i] : r->slope;
        slope = x[i] > 0 ? 1 : x[i] <= 0 ? slope : (double)x[i];
        grad[i] = (real)(g ? g[i] * slope : slope);
    }
}

static void rrelu_stretch(void *context, size_t item, size_t worker)
{
    const struct rrelu *r = context;
    const struct op_call *c = r->call;
    size_t at = item * STRETCH, n = c->in[X].n - at;
    real *answer = c->out[SLOPES].data;
    (void)worker;
    n = n < STRETCH ? n : STRETCH;
    for (size_t i = at; r->drawn && i < at + n; i++)
        r->drawn[i] = slope_drawn(c->param, i);
    for (size_t i = at; answer && answer != r->drawn && i < at + n; i++)
        answer[i] = r->slopes ? r->slopes[i] : (real)r->slope;
    rrelu_apply(r, at, n);
}

static int rrelu_run(struct op_call *c)
{
    struct rrelu r = {
        .call = c,
        .slopes = c->in[SLOPES].data,
        .slope = 0.5 * (c->param[LOWER] + c->param[UPPER]),
    };
    if (!r.slopes && c->param[TRAINING] != 0) {
        r.drawn = c->out[SLOPES].data;
        if (!r.drawn)
            r.drawn = arena_alloc(c->mem, c->in[X].n, sizeof(*r.drawn));
        if (!r.drawn)
            return -1;
        r.slopes = r.drawn;
    }
    size_t items = (c->in[X].n + STRETCH - 1) / STRETCH;
    if (items == 1)
        rrelu_stretch(&r, 0, 0);
    else if (items > 1)
        c->par->run(c->par, items, rrelu_stretch, &r);
    return 0;
}

static int rrelu_check(const struct op_call *c, struct op_fault *fault)
{
    if (c->param[LOWER] > c->param[UPPER])
        return op_fail_param(fault, LOWER, "is %g, must not be above upper, %g",
                             c->param[LOWER], c->param[UPPER]);
    return check_channel_axis(c, fault);
}

const struct op NAME(slope_activations)[] = {
    {
        ACTIVATION(prelu),
        .title = "PReLU",
        .summary = "A leaky ReLU whose slope is learnt.",
        .formula = "x if x > 0 else weight * x",
        .formula_tex = "\\begin{cases} x & x > 0 \\\\ w_c x & x \\le 0 "
                       "\\end{cases}",
        .source = "He et al. 2015, arXiv:1502.01852",
        .example = "{\"inputs\":{\"x\":[[-1.0,2.0],[-3.0,-4.0]],"
                   "\"weight\":[0.25,0.5]},"
                   "\"outputs\":[\"value\",\"grad\",\"grad_weight\"]}",
        .in = {INPUT_X,
               INPUT_GRAD_OUTPUT,
               {"weight", "?", OP_REAL, .optional = true,
                .doc = "derivative for x <= 0: one number or one for each "
                       "channel; 0.25 if missing"}},
        .out = {OUTPUT_VALUE,
                OUTPUT_GRAD,
                {"grad_weight", "?", OP_REAL, .gradient_of = 1 + WEIGHT,
                 .doc = "sum of x over x <= 0, times grad_output where that "
                        "is given"}},
        .param = {CHANNEL_AXIS(1, "the axis of x that weight runs along; "
                                  "negative counts from the end")},
        .shape = prelu_shape,
        .run = prelu_run,
    },
    {
        ACTIVATION(rrelu),
        .title = "RReLU",
        .summary = "A leaky ReLU whose slopes are drawn at random in training.",
        .formula = "x if x > 0 else a * x; a uniform between lower and upper, "
                   "(lower + upper) / 2 outside training",
        .formula_tex = "\\begin{cases} x & x > 0 \\\\ a_i x & x \\le 0 "
                       "\\end{cases}",
        .source = "Xu et al. 2015, arXiv:1505.00853",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"parameters\":{\"training\":true,\"seed\":7},"
                   "\"outputs\":[\"value\",\"grad\",\"slopes\"]}",
        .in = {INPUT_X,
               INPUT_GRAD_OUTPUT,
               {"slopes", "*", OP_REAL, .optional = true,
                .doc = "derivatives for x <= 0, such as an earlier answer "
                       "gave; drawn if missing"}},
        .out = {OUTPUT_VALUE,
                OUTPUT_GRAD,
                {"slopes", "*", OP_REAL, .doc = "the slopes used"}},
        .param = {{"lower", OP_NUMBER, .fallback = 1.0 / 8, .min = -1e6,
                   .max = 1e6, .doc = "smallest slope"},
                  {"upper", OP_NUMBER, .fallback = 1.0 / 3, .min = -1e6,
                   .max = 1e6, .doc = "largest slope"},
                  {"training", OP_BOOLEAN, .max = 1,
                   .doc = "draw slopes, else take the middle"},
                  {"seed", OP_INTEGER, .max = 0x1p53 - 1,
                   .doc = "what the slopes are drawn from"},
                  STATS_AXIS},
        .check = rrelu_check,
        .run = rrelu_run,
    },
    {.name = NULL},
};
