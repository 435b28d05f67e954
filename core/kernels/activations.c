/* Activations made of straight lines, and softsign. */
#include "core/kernels/activation.h"

int check_axis(const struct op_call *call, size_t param, struct op_fault *fault)
{
    size_t rank = call->in[X].rank;
    if (isnan(call->param[param]) || axis_of(call, param) < OP_RANK_MAX)
        return 0;
    return op_fail_param(fault, param, "is %g, x has %zu dimension%s",
                         call->param[param], rank, rank == 1 ? "" : "s");
}

int check_channel_axis(const struct op_call *call, struct op_fault *fault)
{
    return check_axis(call, op_param_row(call->op, "channel_axis"), fault);
}

/*
 * Comparisons and choices are made in real, where eight floats go at once.
 * x - x is 0, or NaN where x is.
 */
INLINE struct point relu(double x, const double *param)
{
    real v = (real)x, slope = v > 0 ? 1 : v <= 0 ? 0 : v;
    (void)param;
    return (struct point){v < 0 ? 0 : v, slope};
}

INLINE struct point leaky_relu(double x, const double *param)
{
    real v = (real)x;
    double a = param[0], slope = v <= 0 ? a : x;
    return (struct point){v > 0 ? x : scaled(a, x), v > 0 ? 1 : slope};
}

/* x between two bounds; the slope is 1 there, else 0. */
INLINE struct point cut(double x, double min, double max)
{
    real v = (real)x, low = (real)min, high = (real)max;
    real value = v < low ? low : v, inside = 1 + (v - v);
    real slope = v <= low ? 0 : v >= high ? 0 : inside;
    return (struct point){value > high ? high : value, slope};
}

INLINE struct point relu6(double x, const double *param)
{
    (void)param;
    return cut(x, 0, 6);
}

INLINE struct point hard_tanh(double x, const double *param)
{
    return cut(x, param[0], param[1]);
}

/* A sixth of x: in float the rounding of 1/6 to double is not seen. */
INLINE double sixth(double x)
{
    return PRECISE ? x / 6 : x * (1.0 / 6);
}

INLINE struct point hard_sigmoid(double x, const double *param)
{
    struct point near = cut(x, -3, 3);
    (void)param;
    return (struct point){sixth(near.value + 3), near.grad * (1.0 / 6)};
}

INLINE struct point hard_swish(double x, const double *param)
{
    real v = (real)x, value = (real)(x * sixth(x + 3));
    double slope = sixth(2 * x + 3);
    (void)param;
    value = v <= -3 ? -(real)0 : value;
    slope = v < -3 ? 0 : slope;
    return (struct point){
        v >= 3 ? v : value,
        v > 3 ? 1 : slope,
    };
}

INLINE struct point softsign(double x, const double *param)
{
    double near = clamp(x, -0x1p1000, 0x1p1000); /* not inf / inf */
    double share = 1 / (1 + fabs(x));
    (void)param;
    return (struct point){near / (1 + fabs(near)), share * share};
}

static void relu_map(const void *s)
{
    map(s, relu);
}

static void leaky_relu_map(const void *s)
{
    map(s, leaky_relu);
}

static void relu6_map(const void *s)
{
    map(s, relu6);
}

static void hard_swish_map(const void *s)
{
    map(s, hard_swish);
}

static void softsign_map(const void *s)
{
    map(s, softsign);
}

static void hard_sigmoid_map(const void *s)
{
    map(s, hard_sigmoid);
}

static void hard_tanh_map(const void *s)
{
    map(s, hard_tanh);
}

static int check_hard_tanh(const struct op_call *call, struct op_fault *fault)
{
    if (!(call->param[0] < call->param[1]))
        return op_fail_param(fault, 0, "is %g, must be below max_val, %g",
                             call->param[0], call->param[1]);
    return check_channel_axis(call, fault);
}

const struct op NAME(activations)[] = {
    {
        ELEMENTWISE(relu),
        .check = check_channel_axis,
        .title = "ReLU",
        .summary = "Rectified linear unit: what is negative becomes 0.",
        .formula = "max(x, 0)",
        .formula_tex = "\\max(x, 0)",
        .source = "Nair and Hinton 2010, Rectified linear units improve "
                  "restricted Boltzmann machines",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(leaky_relu),
        .check = check_channel_axis,
        .title = "Leaky ReLU",
        .summary = "A ReLU that lets a part of what is negative through.",
        .formula = "x if x > 0 else negative_slope * x",
        .formula_tex = "\\begin{cases} x & x > 0 \\\\ a x & x \\le 0 "
                       "\\end{cases}",
        .source = "Maas et al. 2013, Rectifier nonlinearities improve neural "
                  "network acoustic models",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,2.0]},"
                   "\"parameters\":{\"negative_slope\":0.1},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"negative_slope", OP_NUMBER, .fallback = 0.01, .min = -1e6,
                   .max = 1e6, .doc = "derivative for x <= 0"},
                  STATS_AXIS},
    },
    {
        ELEMENTWISE(relu6),
        .check = check_channel_axis,
        .title = "ReLU6",
        .summary = "A ReLU that stops at 6.",
        .formula = "min(max(x, 0), 6)",
        .formula_tex = "\\min(\\max(x, 0), 6)",
        .source = "Krizhevsky 2010, Convolutional deep belief networks on "
                  "CIFAR-10",
        .example = "{\"inputs\":{\"x\":[-1.0,3.0,8.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(hard_swish),
        .check = check_channel_axis,
        .aliases = {"hardswish"},
        .title = "Hard swish",
        .summary = "Swish with straight lines in place of its sigmoid.",
        .formula = "x * min(max(x + 3, 0), 6) / 6",
        .formula_tex = "\\frac{x \\min(\\max(x + 3, 0), 6)}{6}",
        .source = "Howard et al. 2019, arXiv:1905.02244",
        .example = "{\"inputs\":{\"x\":[-4.0,-1.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(softsign),
        .check = check_channel_axis,
        .title = "Softsign",
        .summary = "Squeezes to between -1 and 1, slower than tanh does.",
        .formula = "x / (1 + abs(x))",
        .formula_tex = "\\frac{x}{1 + |x|}",
        .source = "Bergstra et al. 2009, Quadratic polynomials learn better "
                  "image features",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,3.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(hard_sigmoid),
        .check = check_channel_axis,
        .aliases = {"hardsigmoid"},
        .title = "Hard sigmoid",
        .summary = "A sigmoid of straight lines, from -3 to 3.",
        .formula = "min(max(x + 3, 0), 6) / 6",
        .formula_tex = "\\frac{\\min(\\max(x + 3, 0), 6)}{6}",
        .source = "Courbariaux et al. 2015, arXiv:1511.00363; with the "
                  "bounds of Howard et al. 2019, arXiv:1905.02244",
        .example = "{\"inputs\":{\"x\":[-4.0,0.0,1.5]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(hard_tanh),
        .aliases = {"hardtanh"},
        .title = "Hard tanh",
        .summary = "Cuts at a lower and an upper bound.",
        .formula = "min(max(x, min_val), max_val)",
        .formula_tex = "\\min(\\max(x, a), b)",
        .source = "Collobert 2004, Large scale machine learning",
        .example = "{\"inputs\":{\"x\":[-2.0,0.5,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"min_val", OP_NUMBER, .fallback = -1, .min = -1e6,
                   .max = 1e6, .doc = "lower bound"},
                  {"max_val", OP_NUMBER, .fallback = 1, .min = -1e6, .max = 1e6,
                   .doc = "upper bound, above min_val"},
                  STATS_AXIS},
        .check = check_hard_tanh,
    },
    {.name = NULL},
};
