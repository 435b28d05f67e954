/* Activations that are x times something from 0 to 1: swish, mish, gelu. */
#include "core/kernels/activation.h"
#include "core/kernels/power.h"

/*
 * A derivative f' next to its root, where a double evaluation has digits left
 * only of the root: (x - root) times a polynomial in x - root.
 */
enum {
    ROOT_TERMS = 14,
    TERMS = PRECISE ? 14 : 0,
    GELU_TERMS = PRECISE ? 14 : 6
};

struct root {
    double high, low, c[ROOT_TERMS];
};

static const struct root swish_root = {
    -1.2784645427610737,
    -1.0946994183093437e-16,
    {
        0.2178117057198001,
        0.1466487969969469,
        0.018874814223782378,
        -0.015222655223188133,
        -0.00660658913837336,
        0.00012662741009242864,
        0.0007985218834419616,
        0.0001857072431290427,
        -4.0905415729143875e-05,
        -2.9733535464288396e-05,
        -2.9409073276846056e-06,
        2.3461008603571375e-06,
        8.398446840569118e-07,
        -3.3208290354757775e-08,
    },
};

static const struct root mish_root = {
    -1.1924312145154952,
    -4.8484829848031044e-17,
    {
        0.2669479140495345,
        0.20473126408010586,
        0.04190782104360914,
        -0.020271822716682195,
        -0.015821126561545138,
        -0.0033606849272846888,
        0.001092405522806627,
        0.0009898181163674783,
        0.0002541301961743329,
        -4.19618706128091e-05,
        -5.584853806309819e-05,
        -1.7294625085424893e-05,
        1.1727579517990092e-06,
        2.888553245604199e-06,
    },
};

static const struct root gelu_root = {
    -0.7517915246935645,
    1.4956759177009883e-17,
    {
        0.4314939923140469,
        0.388284982990552,
        -0.018199676398671483,
        -0.11400823329722036,
        -0.01477152214814236,
        0.019421679838016466,
        0.00453922836931091,
        -0.0022395380585967413,
        -0.0007448263889398063,
        0.00018633949302070834,
        8.61488967858048e-05,
        -1.1211124846732177e-05,
        -7.62485513020364e-06,
        4.1660380763715963e-07,
    },
};

static const struct root gelu_tanh_root = {
    -0.7524614220710163,
    3.635560509207687e-17,
    {
        0.4304000910248585,
        0.3875184461357889,
        -0.01578285352184966,
        -0.1139444830809502,
        -0.01661932834263196,
        0.01968230945862158,
        0.005261059214299577,
        -0.0024227317721709192,
        -0.0009274401549803375,
        0.00026392535272639646,
        0.00012420814058176119,
        -3.491860622240443e-05,
        -1.543198463255527e-05,
        5.610521095959744e-06,
    },
};

/*
 * At x + low, where that is near the root; else far.  Six terms will do for
 * float, whose far is good that close to the root; with none it is good always.
 */
INLINE double around(const struct root *r, double x, double low, double far,
                     int terms)
{
    double t = (x - r->high) - (r->low - low);
    if (terms == 0)
        return far;
    double near = t * polynomial(t, r->c, terms);
    return fabs(t) < (terms == ROOT_TERMS ? 0.25 : 0.0625) ? near : far;
}

/* x / (1 + e^-z) and its derivative s(z) (1 + z s(-z)); z is beta x. */
INLINE struct point swish(double x, const double *param)
{
    /* 0 times inf is 0 */
    struct pair z = product(clamp(x, -0x1p1023, 0x1p1023), param[0]);
    double near = clamp(z.high, LOW, HIGH);
    struct power e = power_of_pair(z, LOW, HIGH);
    struct power g = PRECISE ? e : power_long(near);
    double factor = z.high < LOW ? copysign(1, x) : x; /* not inf times 0 */
    double sum = g.a + g.b;
    double slope = g.a * (sum + near * g.b) / (sum * sum) * g.tail;
    return (struct point){
        factor * (e.a / (e.a + e.b)) * e.tail,
        around(&swish_root, z.high, z.low, slope, TERMS),
    };
}

/* The same with beta 1, for which bounds on x do. */
INLINE struct point silu(double x, const double *param)
{
    (void)param;
    double below = at_least((real)x, LOW), near = within((real)x, LOW, HIGH);
    struct power e = power(near), g = power_long(near);
    double sum = g.a + g.b;
    double slope = g.a * (sum + near * g.b) / (sum * sum) * g.tail;
    return (struct point){
        below * (e.a / (e.a + e.b)) * e.tail,
        around(&swish_root, x, 0, slope, TERMS),
    };
}

/*
 * With e^x = a/b, tanh(ln(1 + e^x)) = w / (w + 2 b^2) where w = a (a + 2b);
 * its derivative is 4 a (a + b) b^2 / (w + 2 b^2)^2.
 */
INLINE struct point mish(double x, const double *param)
{
    (void)param;
    double below = at_least((real)x, LOW), near = within((real)x, LOW, HIGH);
    struct power e = power(near), g = power_long(near);
    double w = e.a * (e.a + 2 * e.b);
    double two = g.a + 2 * g.b, square = g.b * g.b;
    double sum = g.a * two + 2 * square;
    double slope =
        g.a * (two * sum + 4 * near * (g.a + g.b) * square) / (sum * sum);
    return (struct point){
        below * (w / (w + 2 * e.b * e.b)) * e.tail,
        around(&mish_root, x, 0, slope * g.tail, TERMS),
    };
}

/* e^(-x^2 / 2): the square to more digits than a double has. */
INLINE struct power gauss(double x)
{
    double high = from_bits(bits_of(x) & ~UINT64_C(0x7ffffff));
    double low = -0.5 * (x - high) * (x + high);
    return power_of(PRECISE ? exponential_long(-0.5 * high * high, low, true)
                            : exponential_short(-0.5 * x * x));
}

/*
 * x Phi(x), where Phi(-x) = e^(-x^2 / 2) num/den for x >= 0.  Its derivative
 * Phi(x) + x phi(x) has the same symmetry.
 */
INLINE struct point gelu(double x, const double *param)
{
    (void)param;
    const real end = PRECISE ? 40 : 16;
    const double phi_0 = 0.39894228040143267794; /* 1 / sqrt(2 pi) */
    double near = size_within((real)x, end);
    struct power e = gauss(near);
    struct fraction t = normal_tail(near, PRECISE);
    double tail = e.a * t.num / (e.b * t.den);
    double slope = e.a * (t.num - phi_0 * near * t.den) / (e.b * t.den);
    slope *= e.tail;
    return (struct point){
        at_least((real)x, -(real)0) - near * tail * e.tail,
        around(&gelu_root, x, 0, x < 0 ? slope : 1 - slope, GELU_TERMS),
    };
}

/* 2 sqrt(2/pi) (x + 0.044715 x^3) */
INLINE struct pair gelu_cubic(double x)
{
    const struct pair one = {1.5957691216057308, -9.96930880911092e-17};
    const struct pair three = {0.07135481627260025, -6.175149918155315e-19};
    if (!PRECISE)
        return (struct pair){x * (one.high + three.high * (x * x)), 0};
    struct pair square = product(x, x);
    struct pair term = product(three.high, square.high);
    term.low += three.high * square.low + three.low * square.high;
    double sum = one.high + term.high, kept = sum - one.high;
    double lost = (one.high - (sum - kept)) + (term.high - kept);
    struct pair z = product(x, sum);
    z.low += x * (lost + (one.low + term.low));
    return z;
}

/* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 = x / (1 + e^-z). */
INLINE struct point gelu_tanh(double x, const double *param)
{
    (void)param;
    const real low = PRECISE ? -24 : -14;
    double below = at_least((real)x, low), near = within((real)x, low, 8);
    struct pair z = gelu_cubic(near);
    struct power e = PRECISE ? power_of_pair(z, LOW, HIGH) : power(z.high);
    struct power g = PRECISE ? e : power_long(z.high);
    double sum = g.a + g.b;
    double turn =
        near * (1.5957691216057308 + 3 * 0.07135481627260025 * (near * near));
    double slope = g.a * (sum + turn * g.b) / (sum * sum) * g.tail;
    return (struct point){
        below * (e.a / (e.a + e.b)) * e.tail,
        around(&gelu_tanh_root, x, 0, slope, TERMS),
    };
}

static void swish_map(const void *s)
{
    if (((const struct span *)s)->param[0] == 1)
        map(s, silu);
    else
        map(s, swish);
}

static void mish_map(const void *s)
{
    map(s, mish);
}

static void gelu_map(const void *s)
{
    if (((const struct span *)s)->param[0] == 0)
        map(s, gelu);
    else
        map(s, gelu_tanh);
}

static const char *const approximations[] = {"none", "tanh", NULL};

const struct op NAME(gated_activations)[] = {
    {
        ELEMENTWISE(swish),
        .check = check_channel_axis,
        .aliases = {"silu"},
        .title = "Swish",
        .summary = "x times its own sigmoid.",
        .formula = "x / (1 + exp(-beta * x))",
        .formula_tex = "\\frac{x}{1 + e^{-\\beta x}}",
        .source = "Ramachandran et al. 2017, arXiv:1710.05941",
        .example = "{\"inputs\":{\"x\":[-2.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"beta", OP_NUMBER, .fallback = 1, .min = -1e6, .max = 1e6,
                   .doc = "factor of x within the sigmoid"},
                  STATS_AXIS},
    },
    {
        ELEMENTWISE(mish),
        .check = check_channel_axis,
        .title = "Mish",
        .summary = "x times the hyperbolic tangent of its softplus.",
        .formula = "x * tanh(log(1 + exp(x)))",
        .formula_tex = "x \\tanh(\\ln(1 + e^x))",
        .source = "Misra 2019, arXiv:1908.08681",
        .example = "{\"inputs\":{\"x\":[-2.0,0.0,2.0]},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {STATS_AXIS},
    },
    {
        ELEMENTWISE(gelu),
        .check = check_channel_axis,
        .title = "GELU",
        .summary = "x times the chance that a normal variable is below x.",
        .formula = "x * (1 + erf(x / sqrt(2))) / 2; tanh: x * (1 + "
                   "tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2",
        .formula_tex = "x \\Phi(x)",
        .source = "Hendrycks and Gimpel 2016, arXiv:1606.08415",
        .example = "{\"inputs\":{\"x\":[-1.0,0.0,1.0]},"
                   "\"parameters\":{\"approximate\":\"tanh\"},"
                   "\"outputs\":[\"value\",\"grad\"]}",
        .param = {{"approximate", OP_CHOICE, .choices = approximations,
                   .max = 1, .doc = "none, or tanh for the article's formula"},
                  STATS_AXIS},
    },
    {.name = NULL},
};
