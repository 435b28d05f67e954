/*
 * Gradient harmonising: a loss whose samples count the less, the more others
 * have a gradient norm g like theirs.
 *
 * One pass over the samples counts them by g, a second makes the losses and
 * weighs each with what its bin got.  For both losses g is the size of the
 * plain loss's derivative.  The weights are constants for the gradient.
 */
#include "core/kernels/logit.h"
#include "core/kernels/loss.h"
#include "core/loss_stats.h"
#include "core/sum.h"

enum { LABEL_WEIGHT = LOSS_INPUTS, ACC_SUM };
enum { WEIGHTS = LOSS_OUTPUTS, ACC_SUM_OUT };
enum { BINS = LOSS_OWN_PARAM, MOMENTUM, FACTOR, MU };
enum { BINS_MAX = 1000, STRETCH = 32 * LOSS_BLOCK };

/* Bin `bins` is that of samples that do not count: ignored, or NaN. */
struct bins {
    size_t n;
    const real *label_weight; /* NULL = all count */
    double *edge;             /* n + 1 */
    double *count, *acc, *density;
    double *weight, *factor; /* n + 1; factor is times loss_weight */
};

/* ---- the plain losses ---- */

INLINE struct loss_point ghm_c(double x, double t, const double *param)
{
    struct logit l = logit_of(x, t, 1 - t, PRECISE);
    double grad = logit_grad(l);
    (void)param;
    return (struct loss_point){logit_bce(l), grad, fabs(grad)};
}

/*
 * sqrt(d^2 + mu^2) - mu = d^2 / (sqrt(d^2 + mu^2) + mu), everything divided by
 * the larger of |d| and mu, so that no square is too large or small.
 */
INLINE struct loss_point ghm_r(double x, double t, const double *param)
{
    double d = x - t, a = fabs(d), mu = param[MU];
    bool far = a > mu;
    double ratio = far ? mu / a : a / mu, root = sqrt(1 + ratio * ratio);
    double top = far ? 1 : ratio, low = far ? ratio : 1;
    return (struct loss_point){
        .loss = a * (top / (root + low)),
        .grad = loss_sign(d) * (top / root),
        .difficulty = a,
    };
}

/* ---- bins ---- */

/*
 * The bins of gradients first.. of all.  Only the edge nearest to g can be
 * missed by rounding, so that one is compared.
 */
static void find_bins(const struct bins *b, size_t first, size_t n,
                      const double *restrict grad, uint16_t *restrict bin)
{
    double bins = (double)b->n;
    for (size_t i = 0; i < n; i++) {
        double g = fabs(grad[i]);
        double nearest = (g * bins + ROUNDER) - ROUNDER;
        double k = nearest - (g >= nearest / bins ? 0 : 1);
        k = k < bins ? k : bins - 1;
        bin[i] = (uint16_t)(int)(g >= 0 ? k : bins);
    }
    const real *label = b->label_weight;
    for (size_t i = 0; label && i < n; i++)
        bin[i] = label[first + i] > 0 ? bin[i] : (uint16_t)b->n;
}

/* Fills grad with the derivatives of n plain losses. */
typedef void slope_function(size_t n, const real *x, const real *t,
                            const double *param, double *grad);

INLINE void slopes(size_t n, const real *restrict x, const real *restrict t,
                   const double *param, double *restrict grad, loss_function *f)
{
    for (size_t i = 0; i < n; i++)
        grad[i] = f(x[i], t[i], param).grad;
}

static void ghm_c_slopes(size_t n, const real *x, const real *t,
                         const double *param, double *grad)
{
    slopes(n, x, t, param, grad, ghm_c);
}

static void ghm_r_slopes(size_t n, const real *x, const real *t,
                         const double *param, double *grad)
{
    slopes(n, x, t, param, grad, ghm_r);
}

struct counting {
    const struct op_call *call;
    const struct bins *bins;
    slope_function *slopes;
    uint32_t *tables; /* for each item, n + 1 */
};

/* Two tables take turns, since equal bins in a row would wait in one. */
static void count_stretch(void *context, size_t item, size_t worker)
{
    const struct counting *c = context;
    const struct op_tensor *in = c->call->in;
    const real *x = in[LOSS_INPUT].data, *t = in[LOSS_TARGET].data;
    size_t end = item * STRETCH + STRETCH, size = c->bins->n + 1;
    uint32_t *even = c->tables + item * 2 * size, *odd = even + size;
    double grad[LOSS_BLOCK];
    uint16_t bin[LOSS_BLOCK + 1];
    (void)worker;
    if (end > in[LOSS_INPUT].n)
        end = in[LOSS_INPUT].n;
    for (size_t at = item * STRETCH, n; at < end; at += n) {
        n = end - at < LOSS_BLOCK ? end - at : LOSS_BLOCK;
        c->slopes(n, x + at, t + at, c->call->param, grad);
        find_bins(c->bins, at, n, grad, bin);
        bin[n] = (uint16_t)c->bins->n;
        for (size_t i = 0; i < n; i += 2) {
            even[bin[i]]++;
            odd[bin[i + 1]]++;
        }
    }
}

static int count_bins(struct op_call *call, struct bins *b,
                      slope_function *slope)
{
    size_t items = (call->in[LOSS_INPUT].n + STRETCH - 1) / STRETCH;
    size_t size = b->n + 1;
    struct counting c = {
        .call = call,
        .bins = b,
        .slopes = slope,
        .tables = arena_zero(call->mem, items * 2 * size, sizeof(*c.tables)),
    };
    if (!c.tables)
        return -1;
    if (items == 1)
        count_stretch(&c, 0, 0);
    else
        call->par->run(call->par, items, count_stretch, &c);
    if (op_stopped(call))
        return -1;
    for (size_t k = 0; k < b->n; k++)
        for (size_t i = 0; i < 2 * items; i++)
            b->count[k] += c.tables[i * size + k];
    return 0;
}

/* What the weights are shares of: the samples that count. */
static double total(const struct op_call *call, bool by_weight)
{
    const real *label = call->in[LABEL_WEIGHT].data;
    const atomic_bool *stop = call->par->stop;
    size_t n = call->in[LOSS_INPUT].n;
    struct sum sum = {label ? 0 : (double)n, 0};
    for (size_t i = 0, end; label && (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            sum = sum_add(sum, by_weight ? label[i] : label[i] > 0);
    return fmax(sum_total(sum), 1);
}

/* From counts to weights; what was counted before comes in by momentum. */
static void weigh_bins(const struct op_call *call, struct bins *b, double whole)
{
    const real *before = call->in[ACC_SUM].data;
    real *after = call->out[ACC_SUM_OUT].data;
    double momentum = call->param[MOMENTUM], used = 0;
    for (size_t k = 0; k < b->n; k++) {
        double acc = before ? before[k] : 0, count = b->count[k];
        b->acc[k] = count > 0 ? momentum * acc + (1 - momentum) * count : acc;
        b->density[k] = b->acc[k] * (double)b->n;
        used += count > 0;
        if (after)
            after[k] = (real)b->acc[k];
    }
    for (size_t k = 0; k < b->n; k++) {
        b->weight[k] = b->count[k] > 0 ? whole / b->acc[k] / used : 0;
        b->factor[k] = b->weight[k] * call->param[FACTOR];
    }
}

static int bins_init(struct bins *b, struct op_call *call, double last_edge)
{
    size_t n = (size_t)call->param[BINS];
    double *all = arena_zero(call->mem, 6 * (n + 1), sizeof(*all));
    if (!all)
        return -1;
    *b = (struct bins){
        .n = n,
        .label_weight = call->in[LABEL_WEIGHT].data,
        .edge = all,
        .count = all + (n + 1),
        .acc = all + 2 * (n + 1),
        .density = all + 3 * (n + 1),
        .weight = all + 4 * (n + 1),
        .factor = all + 5 * (n + 1),
    };
    for (size_t k = 0; k < n; k++)
        b->edge[k] = (double)k / (double)n;
    b->edge[n] = last_edge;
    return 0;
}

/* ---- losses ---- */

/* The plain loss, times the weight of its bin. */
INLINE void ghm_map(const void *span, loss_function *plain)
{
    struct loss_span s = *(const struct loss_span *)span;
    const struct bins *b = s.state;
    real *weights = s.call->out[WEIGHTS].data;
    const double *factor = b->factor;
    double *restrict loss = s.loss;
    uint16_t bin[LOSS_BLOCK];
    if (!s.grad)
        s.grad = s.scratch;
    loss_map(&s, plain);
    find_bins(b, s.first, s.n, s.grad, bin);
    double *restrict grad = s.grad;
    for (size_t i = 0; i < s.n; i++) {
        loss[i] *= factor[bin[i]];
        grad[i] *= factor[bin[i]];
    }
    for (size_t i = 0; weights && i < s.n; i++)
        weights[s.first + i] = (real)b->weight[bin[i]];
}

static void ghm_c_map(const void *span)
{
    ghm_map(span, ghm_c);
}

static void ghm_r_map(const void *span)
{
    ghm_map(span, ghm_r);
}

static void note_bins(struct op_call *call, const struct bins *b)
{
    op_fact_list(call, "bins.edges", OP_FACT_NUMBER, b->edge, b->n + 1);
    op_fact_list(call, "bins.counts", OP_FACT_COUNT, b->count, b->n);
    op_fact_list(call, "bins.densities", OP_FACT_NUMBER, b->density, b->n);
    op_fact_list(call, "bins.weights", OP_FACT_NUMBER, b->weight, b->n);
}

static int ghm_run(struct op_call *call, slope_function *slope,
                   double last_edge, bool by_weight)
{
    struct loss_plan plan = loss_plan(call, 1, 1);
    struct bins bins;
    if (bins_init(&bins, call, last_edge) != 0 ||
        count_bins(call, &bins, slope) != 0)
        return -1;
    plan.count = total(call, by_weight);
    plan.scratch = true;
    plan.state = &bins;
    weigh_bins(call, &bins, plan.count);
    if (call->want_stats)
        note_bins(call, &bins);
    return loss_run_plan(call, &plan);
}

static int ghm_c_run(struct op_call *call)
{
    return ghm_run(call, ghm_c_slopes, 1 + 1e-6, false);
}

static int ghm_r_run(struct op_call *call)
{
    return ghm_run(call, ghm_r_slopes, 1e3, true);
}

static int ghm_shape(struct op_call *call, struct op_fault *fault)
{
    size_t bins = (size_t)call->param[BINS];
    const struct op_tensor *before = &call->in[ACC_SUM];
    struct op_tensor *after = &call->out[ACC_SUM_OUT];
    if (before->data && (before->rank != 1 || before->dim[0] != bins))
        return op_fail_shape(fault, ACC_SUM,
                             "must be a list of %zu numbers, one for each of "
                             "the bins",
                             bins);
    after->rank = 1;
    after->n = after->dim[0] = bins;
    return loss_shape(call, fault);
}

/* ---- rows ---- */

#define GHM_PORTS                                                              \
    LOSS_WEIGHT_PORT,                                                          \
        {.name = "label_weight",                                               \
         .shape = "*",                                                         \
         .kind = OP_NATURAL,                                                   \
         .optional = true,                                                     \
         .doc = "samples where it is 0 are left out"},                         \
    {                                                                          \
        .name = "acc_sum", .shape = "?", .kind = OP_NATURAL, .optional = true, \
        .doc = "running counts of the bins, as the last call gave them; "      \
               "zeros to begin with",                                          \
    }
#define GHM_OUT                                                       \
    {                                                                 \
        LOSS_VALUE_PORT, LOSS_GRAD_PORT("*"),                         \
            {.name = "weights",                                       \
             .shape = "*",                                            \
             .doc = "what each sample was weighted with"},            \
            {.name = "acc_sum",                                       \
             .shape = "?",                                            \
             .doc = "running counts of the bins, for the next call"}, \
    }
#define GHM_PARAMS                                                            \
    LOSS_PARAMS,                                                              \
        {.name = "bins",                                                      \
         .type = OP_INTEGER,                                                  \
         .fallback = 10,                                                      \
         .min = 1,                                                            \
         .max = BINS_MAX,                                                     \
         .doc = "how many equal parts the gradient norms, 0 to 1, are "       \
                "counted in"},                                                \
        {.name = "momentum",                                                  \
         .type = OP_NUMBER,                                                   \
         .max = 0.999999,                                                     \
         .doc = "share of the running counts in the new ones"},               \
    {                                                                         \
        .name = "loss_weight", .type = OP_NUMBER, .fallback = 1, .min = -1e6, \
        .max = 1e6, .doc = "factor of the whole loss"                         \
    }
#define GHM_FORMULA                                                          \
    "weight = tot / (samples in the bin of g) / (bins that are not empty), " \
    "value = loss_weight sum(weight loss) / tot, "

const struct op NAME(ghm)[] = {
    {
        .group = "losses",
        .name = "ghm_c",
        .title = "GHM-C",
        .summary = "Binary cross entropy of logits, in which samples with a "
                   "common gradient norm count less.",
        .formula = GHM_FORMULA "loss = bce_with_logits(x, t), g = "
                               "|sigmoid(x) - t|, tot = number of samples "
                               "with label_weight > 0, at least 1",
        .formula_tex = "\\frac{1}{N} \\sum_i \\beta_i "
                       "\\mathrm{BCE}(\\sigma(x_i), t_i), \\quad \\beta_i = "
                       "\\frac{N}{GD(g_i)}",
        .source = "Li et al. 2019, Gradient Harmonized Single-stage "
                  "Detector, arXiv:1811.05181",
        .example = "{\"inputs\":{\"input\":[-4.0,-3.5,0.5,3.0],"
                   "\"target\":[0.0,0.0,1.0,0.0]},"
                   "\"outputs\":[\"value\",\"grad\",\"weights\"]}",
        .in = {{.name = "input", .shape = "*", .doc = "logits"},
               {.name = "target",
                .shape = "*",
                .kind = OP_PROBABILITY,
                .doc = "0, 1 or the probability of 1"},
               GHM_PORTS},
        .out = GHM_OUT,
        .param = {GHM_PARAMS},
        .easy_below = 0.5,
        .shape = ghm_shape,
        .run = ghm_c_run,
        .stats = loss_stats,
        .map = ghm_c_map,
    },
    {
        .group = "losses",
        .name = "ghm_r",
        .title = "GHM-R",
        .summary = "A smooth absolute error, in which samples with a common "
                   "gradient norm count less.",
        .formula = GHM_FORMULA "loss = sqrt(d^2 + mu^2) - mu, g = |d| / "
                               "sqrt(d^2 + mu^2), d = input - target, tot = "
                               "sum of label_weight, at least 1",
        .formula_tex = "\\frac{1}{N} \\sum_i \\beta_i \\left("
                       "\\sqrt{d_i^2 + \\mu^2} - \\mu\\right), \\quad "
                       "\\beta_i = \\frac{N}{GD(g_i)}",
        .source = "Li et al. 2019, Gradient Harmonized Single-stage "
                  "Detector, arXiv:1811.05181",
        .example = "{\"inputs\":{\"input\":[0.01,-0.02,0.5,3.0],"
                   "\"target\":[0.0,0.0,0.0,0.0]},"
                   "\"outputs\":[\"value\",\"grad\",\"weights\"]}",
        .in = {{.name = "input", .shape = "*", .doc = "predictions"},
               {.name = "target", .shape = "*", .doc = "what they should be"},
               GHM_PORTS},
        .out = GHM_OUT,
        .param = {GHM_PARAMS,
                  {.name = "mu",
                   .type = OP_NUMBER,
                   .fallback = 0.02,
                   .min = 1e-6,
                   .max = 1e6,
                   .doc = "how far from 0 the loss is rounded, in units of "
                          "input"}},
        .easy_below = 1,
        .shape = ghm_shape,
        .run = ghm_r_run,
        .stats = loss_stats,
        .map = ghm_r_map,
    },
    {.name = NULL},
};
