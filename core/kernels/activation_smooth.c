/* Activations made of an exponential. */
#include "core/kernels/activation.h"
#include "core/kernels/power.h"

/*
 * Both numerators of 1 / (1 + e^-x), for f' = s(x) s(-x).  In double e^x would
 * overflow in the square, so there it is e^-|x|.
 */
INLINE struct point sigmoid(double x, const double *param)
{
    (void)param;
    struct power e = power(PRECISE ? at_least(-size((real)x), LOW)
                                   : within((real)x, LOW, -LOW));
    double sum = e.a + e.b;
    double num = PRECISE && x > 0 ? e.b : e.a * e.tail;
    return (struct point){num / sum, e.a * e.b / (sum * sum) * e.tail};
}

/* (e^2x - 1) / (e^2x + 1), combined so that no digit is lost next to 0. */
INLINE struct point tanh_(double x, const double *param)
{
    (void)param;
    const real end = PRECISE ? 32 : 100;
    struct power e = power(2 * within((real)x, -end, end));
    struct power g =
        PRECISE ? power(2 * at_least(-size((real)x), (real)(0.5 * LOW))) : e;
    double more = e.e.s + 1, less = 1 - e.e.s, sum = g.a + g.b;
    return (struct point){
        (more * e.e.q - less * e.e.p) / (more * e.e.p - less * e.e.q),
        4 * g.a * g.b / (sum * sum) * g.tail,
    };
}

INLINE struct point elu_of(double x, double scale, double below)
{
    struct power e = power(at_least((real)x, LOW));
    return (struct point){
        x >= 0 ? scale * x : below * less_1(e.e),
        x > 0 ? scale : below * (e.a / e.b) * e.tail,
    };
}

INLINE struct point elu(double x, const double *param)
{
    return elu_of(x, 1, param[0]);
}

INLINE struct point selu(double x, const double *param)
{
    (void)param;
    const double scale = 1.0507009873554804934193349852946;
    return elu_of(x, scale, 1.7580993408473768599402175208123);
}

INLINE struct point celu(double x, const double *param)
{
    double alpha = param[0], t = x / alpha;
    struct pair back = product(t, alpha);
    double rest = ((x - back.high) - back.low) / alpha;
    struct power e = power_of_pair((struct pair){t, rest}, LOW, HIGH);
    /* Next to 0 x is the answer, and t may have no digits left. */
    bool linear = PRECISE ? t > -0x1p-60 : x >= 0;
    return (struct point){
        linear ? x : alpha * less_1(e.e),
        x > 0 ? 1 : e.a / e.b * e.tail,
    };
}

/* ln(1 + e^x) and its derivative, where real is double. */
INLINE struct point softplus_unit(real x)
{
    struct power e = power(at_least(-size(x), LOW));
    double log1p = log1p_of_ratio(e.a, e.b, PRECISE) * e.tail;
    double a = e.a * e.tail;
    return (struct point){
        at_least(x, 0) + log1p,
        (x < 0 ? a : e.b) / (a + e.b),
    };
}

INLINE struct point softplus_1(double x, const double *param)
{
    real v = (real)x, threshold = (real)param[1];
    struct point y = softplus_unit(v);
    return (struct point){
        v > threshold ? x : y.value,
        v > threshold ? 1 : y.grad,
    };
}

/* The same in two steps for float: first a / (a + 2 b) of e^-|x| = a / b. */
INLINE double softplus_share(double x)
{
    struct power e = power(-size_within((real)x, -LOW));
    return e.a / (e.a + 2 * e.b);
}

INLINE struct point softplus_of(real x, double share)
{
    return (struct point){
        at_least(x, 0) + log1p_of_share(share, false),
        (x < 0 ? 2 * share : 1 - share) / (1 + share),
    };
}

INLINE struct point softplus_second(double x, double share, const double *param)
{
    real v = (real)x, threshold = (real)param[1];
    struct point y = softplus_of(v, share);
    return (struct point){
        v > threshold ? x : y.value,
        v > threshold ? 1 : y.grad,
    };
}

INLINE struct point log_sigmoid_second(double x, double share,
                                       const double *param)
{
    struct point y = softplus_of(-(real)x, share);
    (void)param;
    return (struct point){-y.value, y.grad};
}

INLINE struct point softplus(double x, const double *param)
{
    double beta = param[0], threshold = param[1];
    struct pair z = product(fabs(x), -beta);
    struct power e = power_of_pair(z, LOW, 0);
    double log1p = log1p_of_ratio(e.a, e.b, PRECISE);
    log1p = (PRECISE ? log1p / beta : log1p * (1 / beta)) * e.tail;
    double a = e.a * e.tail;
    bool line = beta * x > threshold;
    return (struct point){
        line ? x : at_least((real)x, 0) + log1p,
        line ? 1 : (x < 0 ? a : e.b) / (a + e.b),
    };
}

INLINE struct point log_sigmoid(double x, const double *param)
{
    (void)param;
    struct point y = softplus_unit(-(real)x);
    return (struct point){-y.value, y.grad};
}

static void sigmoid_map(const void *s)
{
    map(s, sigmoid);
}

static void tanh_map(const void *s)
{
    map(s, tanh_);
}

static void elu_map(const void *s)
{
    map(s, elu);
}

static void selu_map(const void *s)
{
    map(s, selu);
}

static void celu_map(const void *s)
{
    if (((const struct span *)s)->param[0] == 1)
        map(s, elu); /* the same, and cheaper */
    else
        map(s, celu);
}

static void softplus_map(const void *s)
{
    if (((const struct span *)s)->param[0] != 1)
        map(s, softplus);
    else if (PRECISE)
        map(s, softplus_1);
    else
        map_in_two(s, softplus_share, softplus_second);
}

static void log_sigmoid_map(const void *s)
{
    if (PRECISE)
        map(s, log_sigmoid);
    else
        map_in_two(s, softplus_share, log_sigmoid_second);
}

#define ALPHA(doc_)                                                 \
    {                                                               \
        "alpha", OP_NUMBER, .fallback = 1, .min = -1e6, .max = 1e6, \
                            .doc = (doc_)                           \
    }

const struct op NAME(smooth_activations)[] = {
    {
        ELEMENTWISE(sigmoid),
        .check = check_channel_axis,
        .title = "Sigmoid",
        .summary = "Squeezes any number to between 0 and 1.",
        .formula = "1 / (1 + exp(-x))",
        .formula_tex = "\\frac{1}{1 + e^{-x}}",
        .source = "Verhulst 1838, the logistic function",
        .example = "{\"inputs\":{\"x\":[-2.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(tanh),
        .check = check_channel_axis,
        .title = "Hyperbolic tangent",
        .summary = "Squeezes any number to between -1 and 1, and is odd.",
        .formula = "tanh(x)",
        .formula_tex = "\\tanh x",
        .source = "LeCun et al. 1998, Efficient BackProp",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,1.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(elu),
        .check = check_channel_axis,
        .title = "ELU",
        .summary = "Exponential linear unit: levels off at -alpha.",
        .formula = "x if x > 0 else alpha * (exp(x) - 1)",
        .formula_tex = "\\begin{cases} x & x > 0 \\\\ "
                       "\\alpha (e^x - 1) & x \\le 0 \\end{cases}",
        .source = "Clevert et al. 2015, arXiv:1511.07289",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"parameters\":{\"alpha\":0.5},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {ALPHA("minus the limit at minus infinity"), STATS_AXIS},
    },
    {
        ELEMENTWISE(selu),
        .check = check_channel_axis,
        .title = "SELU",
        .summary = "ELU scaled so that mean 0 and variance 1 are kept.",
        .formula = "lambda * (x if x > 0 else alpha * (exp(x) - 1)), "
                   "lambda = 1.0507009873554805, alpha = 1.6732632423543772",
        .formula_tex = "\\lambda \\begin{cases} x & x > 0 \\\\ "
                       "\\alpha (e^x - 1) & x \\le 0 \\end{cases}",
        .source = "Klambauer et al. 2017, arXiv:1706.02515",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(celu),
        .check = check_channel_axis,
        .title = "CELU",
        .summary = "ELU whose slope has no jump at 0, whatever alpha is.",
        .formula = "x if x > 0 else alpha * (exp(x / alpha) - 1)",
        .formula_tex = "\\begin{cases} x & x > 0 \\\\ "
                       "\\alpha (e^{x / \\alpha} - 1) & x \\le 0 \\end{cases}",
        .source = "Barron 2017, arXiv:1704.07483",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"parameters\":{\"alpha\":2.0},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"alpha", OP_NUMBER, .fallback = 1, .min = 0, .max = 1e6,
                   .open = true, .doc = "minus the limit at minus infinity"},
                  STATS_AXIS},
    },
    {
        ELEMENTWISE(softplus),
        .check = check_channel_axis,
        .title = "Softplus",
        .summary = "A smooth ReLU; its derivative is the sigmoid.",
        .formula = "log(1 + exp(beta * x)) / beta; "
                   "x where beta * x > threshold",
        .formula_tex = "\\frac{1}{\\beta} \\ln(1 + e^{\\beta x})",
        .source = "Dugas et al. 2001, Incorporating second-order functional "
                  "knowledge for better option pricing",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,30.0]},"
                   "\"parameters\":{\"threshold\":null},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"beta", OP_NUMBER, .fallback = 1, .min = 0, .max = 1e6,
                   .open = true, .doc = "sharpness of the bend"},
                  {"threshold", OP_NUMBER, .fallback = 20, .min = -1e6,
                   .max = 1e6, .nullable = true,
                   .doc = "beta * x above which f(x) is x; null for none"},
                  STATS_AXIS},
    },
    {
        ELEMENTWISE(log_sigmoid),
        .check = check_channel_axis,
        .aliases = {"logsigmoid"},
        .title = "Log-sigmoid",
        .summary = "The logarithm of the sigmoid.",
        .formula = "-log(1 + exp(-x))",
        .formula_tex = "-\\ln(1 + e^{-x})",
        .source = "Collobert et al. 2011, Torch7",
        .example = "{\"inputs\":{\"x\":[-2.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {.name = NULL},
};
