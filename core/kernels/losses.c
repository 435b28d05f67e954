/*
 * Elementwise losses of a regression, d = input - target, and the divergences
 * of Kullback and Leibler.  No formula takes the difference of two numbers
 * that agree: what is small is computed as small.
 */
#include "core/elementary.h"
#include "core/kernels/loss.h"
#include "core/loss_stats.h"

/* The rows of the losses' own parameters. */
enum { OWN };
#define PARAM(row) (LOSS_OWN_PARAM + (row))

INLINE struct loss_point mse(double x, double t, const double *param)
{
    double d = x - t;
    (void)param;
    return (struct loss_point){d * d, 2 * d, fabs(d)};
}

INLINE struct loss_point l1(double x, double t, const double *param)
{
    double d = x - t;
    (void)param;
    return (struct loss_point){fabs(d), loss_sign(d), fabs(d)};
}

INLINE struct loss_point smooth_l1(double x, double t, const double *param)
{
    double beta = param[PARAM(OWN)], d = x - t, a = fabs(d), part = d / beta;
    bool inside = a < beta;
    return (struct loss_point){
        .loss = inside ? 0.5 * d * part : a - 0.5 * beta,
        .grad = inside ? part : loss_sign(d),
        .difficulty = a,
    };
}

INLINE struct loss_point huber(double x, double t, const double *param)
{
    double delta = param[PARAM(OWN)], d = x - t, a = fabs(d);
    bool inside = a < delta;
    return (struct loss_point){
        .loss = inside ? 0.5 * d * d : delta * (a - 0.5 * delta),
        .grad = inside ? d : delta * loss_sign(d),
        .difficulty = a,
    };
}

static void mse_map(const void *s)
{
    loss_map(s, mse);
}

static void l1_map(const void *s)
{
    loss_map(s, l1);
}

static void smooth_l1_map(const void *s)
{
    loss_map(s, smooth_l1);
}

static void huber_map(const void *s)
{
    loss_map(s, huber);
}

/* ---- balanced L1 ---- */

enum { ALPHA, GAMMA, BETA, VARIANT };
enum { MMDET, EXACT };

/* What balanced_l1 gets in place of the parameters. */
enum { B_ALPHA, B_GAMMA, B_BETA, B_STEEP, B_KNEE, B_OFFSET, B_CONSTANTS };

/* ln(1 + u), and (1 + 1/u) ln(1 + u) - 1, for u >= 0. */
struct logs {
    double log, mean;
};

/*
 * The logarithm is k ln 2 + 2 atanh(w), and 2 atanh(w) = w (2 + w^2 T).  Below
 * u = 1 it is w = u / (2 + u) and k = 0, and the second result, where 1 would
 * cancel, is w (1 + (1 + w) w T / 2): a sum of positive terms.
 */
INLINE struct logs logs_of(double u)
{
    bool small = u < 1;
    struct parts of = parts_of(1 + u);
    double num = small ? u : of.m - 1, den = small ? 2 + u : of.m + 1;
    double k = small ? 0 : of.k, w = num / den;
    double tail = w * atanh_tail(w * w, PRECISE);
    double log = k * LN2_HIGH + (w * (2 + w * tail) + k * LN2_LOW);
    return (struct logs){
        .log = log,
        .mean = small ? w * (1 + (1 + w) * tail * 0.5)
                      : log + (log - u) / (small ? 1 : u),
    };
}

/*
 * Of a = |d| inside beta both variants are alpha a times something.  Outside
 * they are gamma (a - knee) + offset, a sum of positive terms where beta is 1.
 */
INLINE struct loss_point balanced_l1(double x, double t, const double *p,
                                     bool exact)
{
    double d = x - t, a = fabs(d), beta = p[B_BETA], alpha = p[B_ALPHA];
    bool inside = a < beta;
    struct logs of = logs_of(a * p[B_STEEP]);
    double mean = of.mean, slope = of.log;
    if (!exact) {
        mean = (mean + (beta - 1) * (of.log - 1)) / beta;
        slope += (1 - beta) / (beta * (1 + a * p[B_STEEP]));
    }
    double outside = p[B_GAMMA] * (a - p[B_KNEE]) + p[B_OFFSET];
    return (struct loss_point){
        .loss = inside ? alpha * a * mean : outside,
        .grad = loss_sign(d) * (inside ? alpha * slope : p[B_GAMMA]),
        .difficulty = a,
    };
}

INLINE struct loss_point balanced_mmdet(double x, double t, const double *p)
{
    return balanced_l1(x, t, p, false);
}

INLINE struct loss_point balanced_exact(double x, double t, const double *p)
{
    return balanced_l1(x, t, p, true);
}

static void balanced_l1_map(const void *span)
{
    struct loss_span s = *(const struct loss_span *)span;
    const double *own = s.param + LOSS_OWN_PARAM;
    double alpha = own[ALPHA], gamma = own[GAMMA], beta = own[BETA];
    bool exact = own[VARIANT] == EXACT || beta == 1; /* they agree then */
    double b = expm1_(gamma / alpha), mean = logs_of(b).mean;
    double constants[B_CONSTANTS] = {
        [B_ALPHA] = alpha,
        [B_GAMMA] = gamma,
        [B_BETA] = beta,
        [B_STEEP] = b / beta,
        [B_KNEE] = exact ? beta : 1,
        [B_OFFSET] = alpha * (exact ? beta * mean : mean + (1 - beta)),
    };
    s.param = constants;
    if (exact)
        loss_map(&s, balanced_exact);
    else
        loss_map(&s, balanced_mmdet);
}

static int balanced_l1_check(const struct op_call *call, struct op_fault *fault)
{
    const double *own = call->param + LOSS_OWN_PARAM;
    double ratio = own[GAMMA] / own[ALPHA];
    if (!(ratio <= 700))
        return op_fail_param(fault, PARAM(GAMMA),
                             "is %g times alpha, must be at most 700 times",
                             ratio);
    return 0;
}

/* ---- divergences ---- */

INLINE struct loss_point kl_div(double x, double t, const double *param)
{
    double all = t * (log_(t) - x);
    (void)param;
    return (struct loss_point){
        .loss = t == 0 && !isnan(x) ? 0 : all,
        .grad = isnan(x) ? x : 0 - t,
        .difficulty = fabs(exp_(x) - t),
    };
}

INLINE struct loss_point kl_div_log(double x, double t, const double *param)
{
    double p = exp_(t), all = p * (t - x);
    (void)param;
    return (struct loss_point){
        .loss = p == 0 && !isnan(x) ? 0 : all,
        .grad = isnan(x) ? x : 0 - p,
        .difficulty = fabs(exp_(x) - p),
    };
}

static void kl_div_map(const void *span)
{
    const struct loss_span *s = span;
    if (s->param[PARAM(OWN)] != 0)
        loss_map(s, kl_div_log);
    else
        loss_map(s, kl_div);
}

/*
 * The scale e^-a is the fourth power of q, applied in steps: it may be huge
 * where the rest is tiny and the result is neither.
 */
static void kl_box_map(const void *span)
{
    const struct loss_span *s = span;
    const real *restrict x = s->input, *restrict t = s->target;
    const real *restrict log_variance = s->call->in[LOSS_INPUTS].data;
    double *restrict loss = s->loss, *restrict grad = s->grad;
    double *restrict grad_other = s->grad_other;
    double *restrict difficulty = s->difficulty;
    for (size_t i = 0; i < s->n; i++) {
        double d = x[i] - (double)t[i], a = fabs(d);
        double variance = log_variance[s->first + i];
        double q = exp_(clamp(-0.25 * variance, -1000, 709));
        bool inside = a <= 1;
        double near = d * q * q, far = (a - 0.5) * q * q * q * q;
        double part = inside ? 0.5 * near * near : far;
        loss[i] = part == (double)INFINITY ? part : part + 0.5 * variance;
        if (grad)
            grad[i] = (inside ? d : loss_sign(d)) * q * q * q * q;
        if (grad_other)
            grad_other[i] = 0.5 - part;
        if (difficulty)
            difficulty[i] = a;
    }
}

static int kl_box_run(struct op_call *call)
{
    struct loss_plan plan = loss_plan(call, 1, 1);
    plan.other = true;
    return loss_run_plan(call, &plan);
}

/* ---- rows ---- */

#define INPUT_PORTS                                                     \
    {.name = "input", .shape = "*", .doc = "predictions"},              \
        {.name = "target", .shape = "*", .doc = "what they should be"}, \
        LOSS_WEIGHT_PORT
#define OUTPUT_PORTS LOSS_VALUE_PORT, LOSS_GRAD_PORT("*")
#define ELEMENTWISE(word)                                        \
    .group = "losses", .name = #word, .in = {INPUT_PORTS},       \
    .out = {OUTPUT_PORTS}, .easy_below = 1, .shape = loss_shape, \
    .run = loss_run, .stats = loss_stats, .map = word##_map

const struct op NAME(losses)[] = {
    {
        ELEMENTWISE(mse),
        .title = "Mean squared error",
        .summary = "The square of the difference.",
        .formula = "d^2, d = input - target",
        .formula_tex = "(x - t)^2",
        .source = "Legendre 1805, Nouvelles methodes pour la determination "
                  "des orbites des cometes",
        .example = "{\"inputs\":{\"input\":[0.5,2.0,-1.0],"
                   "\"target\":[0.0,2.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {LOSS_PARAMS},
    },
    {
        ELEMENTWISE(l1),
        .title = "Mean absolute error",
        .summary = "The size of the difference; its gradient at 0 is 0.",
        .formula = "|d|, d = input - target",
        .formula_tex = "|x - t|",
        .source = "Boscovich 1757; Laplace 1793",
        .example = "{\"inputs\":{\"input\":[0.5,2.0,-1.0],"
                   "\"target\":[0.0,2.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {LOSS_PARAMS},
    },
    {
        ELEMENTWISE(smooth_l1),
        .title = "Smooth L1",
        .summary = "A parabola near 0 and the absolute error further out.",
        .formula = "d^2 / (2 beta) if |d| < beta else |d| - beta / 2, "
                   "d = input - target",
        .formula_tex = "\\begin{cases} d^2/(2\\beta) & |d| < \\beta \\\\ "
                       "|d| - \\beta/2 & \\text{else} \\end{cases}",
        .source = "Girshick 2015, Fast R-CNN, arXiv:1504.08083",
        .example = "{\"inputs\":{\"input\":[0.5,2.0,-1.0],"
                   "\"target\":[0.0,2.0,1.0]},\"parameters\":{\"beta\":1.0},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {LOSS_PARAMS,
                  {.name = "beta",
                   .type = OP_NUMBER,
                   .fallback = 1,
                   .min = 0,
                   .max = 1e6,
                   .doc = "where the parabola ends, in units of input; 0 "
                          "makes it l1"}},
    },
    {
        ELEMENTWISE(huber),
        .title = "Huber loss",
        .summary = "A parabola near 0 and a straight line of slope delta "
                   "further out: delta times smooth_l1.",
        .formula = "d^2 / 2 if |d| < delta else delta (|d| - delta / 2), "
                   "d = input - target",
        .formula_tex = "\\begin{cases} d^2/2 & |d| < \\delta \\\\ "
                       "\\delta\\,(|d| - \\delta/2) & \\text{else} "
                       "\\end{cases}",
        .source = "Huber 1964, Robust Estimation of a Location Parameter",
        .example = "{\"inputs\":{\"input\":[0.5,2.0,-1.0],"
                   "\"target\":[0.0,2.0,1.0]},\"parameters\":{\"delta\":1.5},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {LOSS_PARAMS,
                  {.name = "delta",
                   .type = OP_NUMBER,
                   .fallback = 1,
                   .min = 0,
                   .max = 1e6,
                   .open = true,
                   .doc = "where the parabola ends, in units of input, and "
                          "the slope beyond"}},
    },
    {
        ELEMENTWISE(balanced_l1),
        .title = "Balanced L1",
        .summary = "Smooth L1 with larger gradients for the inliers, of which "
                   "there are most.",
        .formula =
            "with b = exp(gamma / alpha) - 1, d = input - target: if |d| < "
            "beta: alpha / b (b |d| + 1) ln(b |d| / beta + 1) - alpha |d|, "
            "else gamma |d| + gamma / b - alpha beta; variant exact: inside "
            "alpha beta / b (b |d| / beta + 1) ln(b |d| / beta + 1) - alpha "
            "|d|, outside gamma |d| + beta (gamma / b - alpha)",
        .formula_tex = "\\begin{cases} \\frac{\\alpha}{b} (b|d| + 1) "
                       "\\ln(b|d|/\\beta + 1) - \\alpha|d| & |d| < \\beta \\\\ "
                       "\\gamma|d| + \\gamma/b - \\alpha\\beta & \\text{else} "
                       "\\end{cases}, \\quad b = e^{\\gamma/\\alpha} - 1",
        .source = "Pang et al. 2019, Libra R-CNN, arXiv:1904.02701",
        .example = "{\"inputs\":{\"input\":[0.1,0.5,-2.0],"
                   "\"target\":[0.0,0.0,0.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {LOSS_PARAMS,
                  [PARAM(ALPHA)] = {.name = "alpha",
                                    .type = OP_NUMBER,
                                    .fallback = 0.5,
                                    .min = 1e-6,
                                    .max = 1e6,
                                    .doc = "the lower, the larger the "
                                           "gradient of inliers"},
                  [PARAM(GAMMA)] = {.name = "gamma",
                                    .type = OP_NUMBER,
                                    .fallback = 1.5,
                                    .min = 1e-6,
                                    .max = 1e6,
                                    .doc = "the gradient of outliers; at "
                                           "most 700 alpha"},
                  [PARAM(BETA)] = {.name = "beta",
                                   .type = OP_NUMBER,
                                   .fallback = 1,
                                   .min = 1e-6,
                                   .max = 1e6,
                                   .doc = "where outliers begin, in units "
                                          "of input"},
                  [PARAM(VARIANT)] =
                      {.name = "variant",
                       .type = OP_CHOICE,
                       .fallback = MMDET,
                       .choices = (const char *const[]){"mmdet", "exact", NULL},
                       .doc = "mmdet as in MMDetection, whose "
                              "gradient jumps at beta unless beta "
                              "is 1; exact without the jump"}},
        .check = balanced_l1_check,
    },
    {
        .group = "losses",
        .name = "kl_div",
        .title = "Kullback-Leibler divergence",
        .summary = "How far a distribution, given as log-probabilities, is "
                   "from the target's.",
        .formula = "target (ln target - input); with log_target "
                   "exp(target) (target - input); 0 ln 0 = 0",
        .formula_tex = "t\\,(\\ln t - x)",
        .source = "Kullback and Leibler 1951, On Information and Sufficiency",
        .example = "{\"inputs\":{\"input\":[[-0.5,-1.5],[-0.7,-0.7]],"
                   "\"target\":[[0.5,0.5],[1.0,0.0]]},"
                   "\"parameters\":{\"reduction\":\"batchmean\"},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {{.name = "input", .shape = "*", .doc = "log-probabilities"},
               {.name = "target",
                .shape = "*",
                .doc = "probabilities, or with log_target their logarithms"},
               LOSS_WEIGHT_PORT},
        .param = {{.name = "reduction",
                   .type = OP_CHOICE,
                   .fallback = LOSS_MEAN,
                   .choices = (const char *const[]){"none", "mean", "sum",
                                                    "batchmean", NULL},
                   .doc = "none keeps the loss of each element, mean "
                          "averages, sum adds up, batchmean divides the sum "
                          "by the first dimension"},
                  LOSS_AVG_FACTOR_PARAM,
                  {.name = "log_target",
                   .type = OP_BOOLEAN,
                   .max = 1,
                   .doc = "whether target holds logarithms"}},
        .out = {OUTPUT_PORTS},
        .easy_below = 0.5,
        .shape = loss_shape,
        .run = loss_run,
        .stats = loss_stats,
        .map = kl_div_map,
    },
    {
        .group = "losses",
        .name = "kl_box",
        .title = "KL loss of box regression",
        .summary = "A regression that also learns how sure it is: smooth L1 "
                   "over a predicted variance.",
        .formula = "exp(-a) d^2 / 2 + a / 2 if |d| <= 1 else "
                   "exp(-a) (|d| - 1/2) + a / 2, a = log_variance, "
                   "d = input - target",
        .formula_tex =
            "\\frac{a}{2} + e^{-a} \\begin{cases} d^2/2 & |d| \\le 1 \\\\ "
            "|d| - \\tfrac12 & \\text{else} \\end{cases}",
        .source = "He et al. 2019, Bounding Box Regression with Uncertainty "
                  "for Accurate Object Detection, arXiv:1809.08545",
        .example = "{\"inputs\":{\"input\":[0.5,2.0],\"target\":[0.0,0.0],"
                   "\"log_variance\":[-1.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\",\"grad_log_variance\"]}",
        .in = {INPUT_PORTS,
               {.name = "log_variance",
                .shape = "*",
                .doc = "logarithm of the predicted variance"}},
        .out = {OUTPUT_PORTS,
                {.name = "grad_log_variance",
                 .shape = "*",
                 .gradient_of = 1 + LOSS_INPUTS,
                 .doc = "derivative of value by log_variance"}},
        .param = {LOSS_PARAMS},
        .easy_below = 1,
        .shape = loss_shape,
        .run = kl_box_run,
        .stats = loss_stats,
        .map = kl_box_map,
    },
    {.name = NULL},
};
