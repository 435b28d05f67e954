/*
 * Losses of a classification.  The probability that a target speaks against
 * is always computed itself, never as 1 - p: that is what keeps the last
 * digits of a loss near 0.
 */
#include "core/elementary.h"
#include "core/kernels/cross_entropy.h"
#include "core/kernels/logit.h"
#include "core/kernels/loss.h"
#include "core/loss_stats.h"

#define OWN LOSS_OWN_PARAM

/* ---- probabilities ---- */

INLINE struct loss_point bce(double p, double t, const double *param)
{
    /* min(p, 1 - p) is exact; the other's logarithm is ln(1 - min). */
    bool low = p <= 0.5;
    double least = low ? p : 1 - p, most = 1 - least;
    double log_least = log_(least);
    double log_most = -log1p_of_ratio(least, most, PRECISE);
    double log_p = low ? log_least : log_most;
    double log_q = low ? log_most : log_least;
    double variance = p * (1 - p), d = p - t;
    (void)param;
    log_p = log_p < -100 ? -100 : log_p;
    log_q = log_q < -100 ? -100 : log_q;
    return (struct loss_point){
        .loss = 0 - (t * log_p + (1 - t) * log_q),
        .grad = d / (variance < 1e-12 ? 1e-12 : variance),
        .difficulty = fabs(d),
    };
}

static void bce_map(const void *s)
{
    loss_map(s, bce);
}

/* ---- logits ---- */

/* What a loss makes of a logit x, its power l and a target. */
typedef struct loss_point logit_function(double x, struct logit_power l,
                                         double t, const double *param);

/* One loop for each set of results, as loss_map has them. */
INLINE void logit_map(const void *span, bool precise, logit_function *f)
{
    const struct loss_span *s = span;
    const double *p = s->param;
    struct logit_powers power;
    for (size_t at = 0, n; at < s->n; at += n) {
        const real *restrict x = s->input + at, *restrict t = s->target + at;
        double *restrict loss = s->loss + at;
        double *restrict grad = s->grad ? s->grad + at : NULL;
        n = s->n - at < LOGIT_BLOCK ? s->n - at : LOGIT_BLOCK;
        logit_fill(&power, x, n, precise);
        for (size_t i = 0; grad && i < n; i++) {
            struct loss_point y = f(x[i], logit_get(&power, i), t[i], p);
            loss[i] = y.loss;
            grad[i] = y.grad;
        }
        for (size_t i = 0; !grad && i < n; i++)
            loss[i] = f(x[i], logit_get(&power, i), t[i], p).loss;
        double *restrict difficulty = s->difficulty ? s->difficulty + at : NULL;
        for (size_t i = 0; difficulty && i < n; i++)
            difficulty[i] = f(x[i], logit_get(&power, i), t[i], p).difficulty;
    }
}

INLINE struct loss_point bce_point(struct logit l)
{
    double grad = logit_grad(l);
    return (struct loss_point){logit_bce(l), grad, fabs(grad)};
}

INLINE struct loss_point bce_plain(double x, struct logit_power l, double t,
                                   const double *param)
{
    (void)param;
    return bce_point(logit_weigh(l, x, t, 1 - t, PRECISE));
}

/* With a factor for the positive class, broadcast to span->scratch. */
static void bce_weighted(const struct loss_span *s)
{
    const struct op_call *call = s->call;
    const struct op_tensor *in = &call->in[LOSS_INPUT];
    const real *restrict x = s->input, *restrict t = s->target;
    double *restrict factor = s->scratch, *restrict loss = s->loss;
    double *restrict grad = s->grad, *restrict difficulty = s->difficulty;
    loss_broadcast(&call->in[LOSS_INPUTS], in, in->rank, s->first, s->n,
                   factor);
    for (size_t i = 0; i < s->n; i++) {
        struct loss_point y = bce_point(
            logit_of(x[i], factor[i] * t[i], 1 - (double)t[i], PRECISE));
        loss[i] = y.loss;
        if (grad)
            grad[i] = y.grad;
    }
    for (size_t i = 0; difficulty && i < s->n; i++)
        difficulty[i] =
            bce_point(logit_of(x[i], t[i], 1 - (double)t[i], PRECISE))
                .difficulty;
}

static void bce_with_logits_map(const void *span)
{
    const struct loss_span *s = span;
    if (s->scratch)
        bce_weighted(s);
    else
        logit_map(s, PRECISE, bce_plain);
}

static int bce_with_logits_shape(struct op_call *call, struct op_fault *fault)
{
    const struct op_tensor *in = &call->in[LOSS_INPUT];
    if (loss_shape(call, fault) != 0)
        return -1;
    return loss_check_broadcast(call, LOSS_INPUTS, in, in->rank, fault);
}

static int bce_with_logits_run(struct op_call *call)
{
    struct loss_plan plan = loss_plan(call, 1, 1);
    plan.scratch = call->in[LOSS_INPUTS].data;
    return loss_run_plan(call, &plan);
}

/* ---- focal ---- */

enum { FOCAL_ALPHA, FOCAL_GAMMA };

/* What focal gets in place of the parameters. */
enum { F_POSITIVE, F_NEGATIVE, F_GAMMA, F_CONSTANTS };

/* The exponents that need no logarithm, and all others. */
enum exponent { POWER_0, POWER_1, POWER_2, POWER_ANY };
#define FOCAL_PRECISE(exponent) (PRECISE || (exponent) == POWER_ANY)

/* m^gamma, and its derivative by |x| divided by gamma p_t's share of m. */
struct focus {
    double factor, turn;
};

/*
 * Of m = 1 - p_t, here still to be multiplied by l.whole.  Where the target is
 * hard and m too small for a double, its logarithm still is known, and m' / m
 * is -1.
 */
INLINE struct focus focus_of(struct logit l, double m, double gamma,
                             enum exponent exponent)
{
    double bend = (l.against - l.with) * l.power.num;
    double whole = l.power.whole, near = m * whole;
    if (exponent == POWER_0)
        return (struct focus){1, 0};
    if (exponent == POWER_1)
        return (struct focus){near, bend * whole};
    if (exponent == POWER_2)
        return (struct focus){near * near, near * (bend * whole)};
    double log_m = l.against == 0 ? -l.size - l.power.soft : log_(near);
    double change = l.against == 0 ? -1 : m == 0 ? 0 : bend / m;
    double factor = exp_(gamma * log_m);
    return (struct focus){factor, factor * change};
}

/*
 * With B = bce, the loss is alpha_t m^gamma B and its derivative alpha_t
 * m^gamma (gamma m' / m B + B'), where m = t (1 - p) + (1 - t) p.
 */
INLINE struct loss_point focal(double x, struct logit_power e, double t,
                               const double *p, enum exponent exponent)
{
    const bool precise = FOCAL_PRECISE(exponent);
    struct logit l = logit_weigh(e, x, t, 1 - t, precise);
    double alpha = t * p[F_POSITIVE] + (1 - t) * p[F_NEGATIVE];
    double den = logit_den(e), m = l.with * e.num + l.against * den;
    double gamma = p[F_GAMMA];
    struct focus f = focus_of(l, m, gamma, exponent);
    /* Here |x| counts only while num is there. */
    double bce = e.soft + l.against * logit_near(x, precise);
    double bent = gamma * f.turn * den * bce;
    return (struct loss_point){
        .loss = alpha * f.factor * logit_bce(l),
        .grad = l.sign * alpha * ((bent + f.factor * l.slope) * e.whole),
        .difficulty = fabs(l.slope) * e.whole,
    };
}

/*
 * The same of a target that is 0 or 1 and gamma 2, to the last bit: with z the
 * logit of the target's class, what is multiplied by 0 is left out.
 */
INLINE struct loss_point focal_hard(double x, struct logit_power e, double t,
                                    const double *p)
{
    real v = (real)x, z = t > 0 ? v : -v;
    /* alpha_t, negative where the loss falls with x */
    double alpha = t > 0 ? -p[F_POSITIVE] : p[F_NEGATIVE];
    real against = z < 0 ? -z : 0, bound = (real)logit_near(against, PRECISE);
    double den = logit_den(e), m = z < 0 ? den : e.num, near = m * e.whole;
    double factor = near * near, turn = near * (e.num * e.whole);
    double bent = 2 * turn * den * (e.soft + bound);
    return (struct loss_point){
        .loss = fabs(alpha) * factor * (e.soft + against),
        .grad = alpha * ((bent + factor * m) * e.whole),
        .difficulty = near,
    };
}

static bool all_hard(const real *restrict t, size_t n)
{
    int soft = 0;
    for (size_t i = 0; i < n; i++)
        soft |= (t[i] != 0) & (t[i] != 1);
    return soft == 0;
}

INLINE struct loss_point focal_0(double x, struct logit_power l, double t,
                                 const double *p)
{
    return focal(x, l, t, p, POWER_0);
}

INLINE struct loss_point focal_1(double x, struct logit_power l, double t,
                                 const double *p)
{
    return focal(x, l, t, p, POWER_1);
}

INLINE struct loss_point focal_2(double x, struct logit_power l, double t,
                                 const double *p)
{
    return focal(x, l, t, p, POWER_2);
}

INLINE struct loss_point focal_any(double x, struct logit_power l, double t,
                                   const double *p)
{
    return focal(x, l, t, p, POWER_ANY);
}

static void focal_map(const void *span)
{
    struct loss_span s = *(const struct loss_span *)span;
    double alpha = s.param[OWN + FOCAL_ALPHA];
    double gamma = s.param[OWN + FOCAL_GAMMA];
    double constants[F_CONSTANTS] = {
        [F_POSITIVE] = alpha < 0 ? 1 : alpha,
        [F_NEGATIVE] = alpha < 0 ? 1 : 1 - alpha,
        [F_GAMMA] = gamma,
    };
    s.param = constants;
    if (gamma == 0)
        logit_map(&s, PRECISE, focal_0);
    else if (gamma == 1)
        logit_map(&s, PRECISE, focal_1);
    else if (gamma == 2 && all_hard(s.target, s.n))
        logit_map(&s, PRECISE, focal_hard);
    else if (gamma == 2)
        logit_map(&s, PRECISE, focal_2);
    else
        logit_map(&s, true, focal_any);
}

/* ---- rows ---- */

#define TARGET_PORT                                             \
    {                                                           \
        .name = "target", .shape = "*", .kind = OP_PROBABILITY, \
        .doc = "0, 1 or the probability of 1",                  \
    }
#define LOGIT_PORTS                                                \
    {.name = "input", .shape = "*", .doc = "logits"}, TARGET_PORT, \
        LOSS_WEIGHT_PORT
#define OUTPUT_PORTS(dims) LOSS_VALUE_PORT, LOSS_GRAD_PORT(dims)

const struct op NAME(class_losses)[] = {
    {
        .group = "losses",
        .name = "bce",
        .title = "Binary cross entropy",
        .summary = "The surprise of the target under a probability; "
                   "logarithms end at -100.",
        .formula = "-(t max(ln p, -100) + (1 - t) max(ln(1 - p), -100)), "
                   "p = input, t = target; gradient "
                   "(p - t) / max(p (1 - p), 1e-12)",
        .formula_tex = "-t \\ln p - (1 - t) \\ln(1 - p)",
        .source = "Good 1952, Rational Decisions",
        .example = "{\"inputs\":{\"input\":[0.9,0.2,0.5],"
                   "\"target\":[1.0,0.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {{.name = "input",
                .shape = "*",
                .kind = OP_PROBABILITY,
                .doc = "probabilities of 1"},
               TARGET_PORT,
               LOSS_WEIGHT_PORT},
        .out = {OUTPUT_PORTS("*")},
        .param = {LOSS_PARAMS},
        .easy_below = 0.5,
        .shape = loss_shape,
        .run = loss_run,
        .stats = loss_stats,
        .map = bce_map,
    },
    {
        .group = "losses",
        .name = "bce_with_logits",
        .title = "Binary cross entropy of logits",
        .summary = "The surprise of the target under sigmoid(input), exact "
                   "for logits of any size.",
        .formula = "max(x, 0) - x t + ln(1 + exp(-|x|)), x = input, "
                   "t = target; with pos_weight w: w t softplus(-x) + "
                   "(1 - t) softplus(x)",
        .formula_tex = "\\max(x, 0) - x t + \\ln(1 + e^{-|x|})",
        .source = "Good 1952, Rational Decisions",
        .example = "{\"inputs\":{\"input\":[2.0,-1.0,50.0],"
                   "\"target\":[1.0,0.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {LOGIT_PORTS,
               {.name = "pos_weight",
                .shape = "?",
                .kind = OP_NATURAL,
                .optional = true,
                .doc = "factor of the positive class; a shape that "
                       "broadcasts to input's from the right"}},
        .out = {OUTPUT_PORTS("*")},
        .param = {LOSS_PARAMS},
        .easy_below = 0.5,
        .shape = bce_with_logits_shape,
        .run = bce_with_logits_run,
        .stats = loss_stats,
        .map = bce_with_logits_map,
    },
    {
        .group = "losses",
        .name = "cross_entropy",
        .title = "Cross entropy",
        .summary = "The surprise of the target class under the softmax of "
                   "the logits.",
        .formula = "-w_t ln softmax(input)_t; mean divides by the sum of w_t "
                   "of the targets that are not ignored; with label "
                   "smoothing s: (1 - s) of that plus s / c times the sum "
                   "over all classes",
        .formula_tex = "-w_t \\ln \\frac{e^{x_t}}{\\sum_k e^{x_k}}",
        .source = "Good 1952, Rational Decisions; label smoothing Szegedy et "
                  "al. 2016, arXiv:1512.00567",
        .example = "{\"inputs\":{\"input\":[[2.0,0.5,-1.0],[0.0,0.0,0.0]],"
                   "\"target\":[0,2]},\"outputs\":[\"value\",\"grad\"]}",
        .in = {{.name = "input",
                .shape = "n,c",
                .doc = "logits, one row for each sample"},
               {.name = "target",
                .shape = "n",
                .kind = OP_INDEX,
                .doc = "class of each sample, from 0 to c - 1, or "
                       "ignore_index"},
               LOSS_WEIGHT_PORT,
               {.name = "class_weight",
                .shape = "c",
                .kind = OP_NATURAL,
                .optional = true,
                .doc = "factor of each class"}},
        .out = {OUTPUT_PORTS("n,c")},
        .param = {LOSS_PARAMS,
                  [CROSS_ENTROPY_IGNORE] =
                      {.name = "ignore_index",
                       .type = OP_INTEGER,
                       .fallback = -100,
                       .min = -0x1p53,
                       .max = 0x1p53,
                       .doc = "samples of this class have no loss and no "
                              "gradient"},
                  [CROSS_ENTROPY_SMOOTHING] =
                      {.name = "label_smoothing",
                       .type = OP_NUMBER,
                       .max = 1,
                       .doc = "how much of the target is spread evenly over "
                              "all classes"}},
        .easy_below = 0.5,
        .shape = loss_shape_rows,
        .check = cross_entropy_check,
        .run = cross_entropy_run,
        .stats = loss_stats,
        .map = cross_entropy_map,
    },
    {
        .group = "losses",
        .name = "focal",
        .title = "Sigmoid focal loss",
        .summary = "Binary cross entropy of logits in which easy samples "
                   "count less.",
        .formula = "alpha_t (1 - p_t)^gamma bce_with_logits(x, t), with "
                   "1 - p_t = t sigmoid(-x) + (1 - t) sigmoid(x), alpha_t = "
                   "alpha t + (1 - alpha) (1 - t), x = input, t = target",
        .formula_tex = "-\\alpha_t (1 - p_t)^\\gamma \\ln p_t",
        .source = "Lin et al. 2017, Focal Loss for Dense Object Detection, "
                  "arXiv:1708.02002",
        .example = "{\"inputs\":{\"input\":[2.0,-1.0,0.0],"
                   "\"target\":[1.0,0.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .in = {LOGIT_PORTS},
        .out = {OUTPUT_PORTS("*")},
        .param = {LOSS_PARAMS,
                  [OWN + FOCAL_ALPHA] = {.name = "alpha",
                                         .type = OP_NUMBER,
                                         .fallback = 0.25,
                                         .min = -1,
                                         .max = 1,
                                         .doc = "factor of the positive "
                                                "class, 1 - alpha that of "
                                                "the other; negative = "
                                                "neither has one"},
                  [OWN + FOCAL_GAMMA] = {.name = "gamma",
                                         .type = OP_NUMBER,
                                         .fallback = 2,
                                         .max = 100,
                                         .doc = "how much less easy samples "
                                                "count; 0 = not at all"}},
        .easy_below = 0.5,
        .shape = loss_shape,
        .run = loss_run,
        .stats = loss_stats,
        .map = focal_map,
    },
    {.name = NULL},
};
