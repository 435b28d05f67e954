/* Losses of boxes: 1 - IoU and its kin, as three implementations have them. */
#include "core/kernels/box_score.h"
#include "core/kernels/loss.h"
#include "core/loss_stats.h"

#include <string.h>

enum {
    FORMAT = LOSS_OWN_PARAM,
    VARIANT,
    EPS,
    MODE,                  /* iou */
    ALPHA_GRADIENT = MODE, /* ciou */
    ALPHA_GATE,
    ASPECT_SCALE,
};
enum { EXACT, TORCHVISION, MMDET };
enum { LINEAR, SQUARE, LOG };
enum { CONSTANT, FULL };
enum { GATE_NONE, GATE_HALF };
enum { SCALE_TRUE, SCALE_PAPER };

static void settle_eps(double *param, double mmdet)
{
    const double eps[] = {[EXACT] = 0, [TORCHVISION] = 1e-7, [MMDET] = mmdet};
    if (isnan(param[EPS]))
        param[EPS] = eps[(size_t)param[VARIANT]];
}

static void settle_iou(double *param)
{
    settle_eps(param, 1e-6);
}

static void settle(double *param)
{
    settle_eps(param, 1e-7);
}

static void settle_ciou(double *param)
{
    settle(param);
    if (isnan(param[ALPHA_GATE]))
        param[ALPHA_GATE] = param[VARIANT] == MMDET ? GATE_HALF : GATE_NONE;
}

static struct box_rule rule_of(enum box_metric metric, const double *param)
{
    double eps = param[EPS];
    struct box_rule r = {.eps = eps, .alpha_eps = eps};
    if (param[VARIANT] == TORCHVISION)
        r.strict = true;
    if (param[VARIANT] == MMDET) {
        r.floor = metric <= BOX_GIOU;
        r.clamp = true;
        r.alpha_eps = 0;
        r.flat_eps = eps;
    }
    if (metric == BOX_CIOU) {
        r.gate = param[ALPHA_GATE] == GATE_HALF ? 0.5 : 0;
        r.full = param[ALPHA_GRADIENT] == FULL;
        r.paper = param[ASPECT_SCALE] == SCALE_PAPER;
    }
    return r;
}

/* The loss of a score, and its derivative by it. */
static struct point loss_of(double score, int mode)
{
    if (mode == SQUARE)
        return (struct point){(1 - score) * (1 + score), -2 * score};
    if (mode == LOG)
        return (struct point){0 - log(score), -inverse(score)};
    return (struct point){1 - score, -1};
}

INLINE void fill(enum box_metric metric, const struct loss_span *s,
                 enum box_format format)
{
    const struct box_rule rule = rule_of(metric, s->param);
    int mode = metric == BOX_IOU ? (int)s->param[MODE] : LINEAR;
    for (size_t i = 0; i < s->n; i++) {
        const real *p = s->input + 4 * i, *q = s->target + 4 * i;
        struct box_answer y =
            box_plain(p) && box_plain(q)
                ? box_answer(metric, &rule, p, q, false, format)
                : box_answer_wide(metric, &rule, p, q, false, format);
        struct point loss = loss_of(y.value, mode);
        s->loss[i] = loss.value;
        for (size_t k = 0; s->grad && k < 4; k++)
            s->grad[4 * i + k] = loss.grad * y.grad[k] + 0.0; /* no -0 */
        if (s->difficulty)
            s->difficulty[i] = 1 - y.iou;
    }
}

/* A copy of the loop for the most common format. */
INLINE void map_boxes(enum box_metric metric, const void *span)
{
    const struct loss_span *s = span;
    enum box_format format = (enum box_format)s->param[FORMAT];
    if (format == BOX_XYXY)
        fill(metric, s, BOX_XYXY);
    else
        fill(metric, s, format);
}

static void iou_map(const void *s)
{
    map_boxes(BOX_IOU, s);
}

static void giou_map(const void *s)
{
    map_boxes(BOX_GIOU, s);
}

static void diou_map(const void *s)
{
    map_boxes(BOX_DIOU, s);
}

static void ciou_map(const void *s)
{
    map_boxes(BOX_CIOU, s);
}

/*
 * Bounded IoU: the IoU of boxes that differ in one of centre and size along
 * one axis.  Written so that nothing is subtracted from 1.
 */
enum { BETA = LOSS_OWN_PARAM + 1, BOUNDED_EPS, PLUS1 };

/* 1 - max((T - 2|D|) / (T + 2|D| + eps), 0), its slope by the centre. */
static struct point centre_loss(double shift, double target, double eps)
{
    double away = fabs(shift), sum = target + away + eps;
    if (!(sum > 0))
        return (struct point){1, 0};
    double slope = (2 * target + eps) / sum / sum * 2;
    slope *= away < target ? 1 : away == target ? 0.5 : 0;
    return (struct point){fmin((2 * away + eps) / sum, 1), shift > 0   ? slope
                                                           : shift < 0 ? -slope
                                                                       : 0};
}

/* 1 - min(T / (size + eps), size / (T + eps)), its slope by the size. */
static struct point size_loss(double size, double target, double eps)
{
    double most = greater(size, target) + eps;
    if (!(most > 0))
        return (struct point){1, 0};
    double larger = target / most / most, smaller = -1 / most;
    double slope = size > target   ? larger
                   : size < target ? smaller
                                   : (larger + smaller) * 0.5;
    return (struct point){(fabs(size - target) + eps) / most, slope};
}

static struct point smooth_l1(struct point loss, double beta)
{
    bool near = loss.value < beta;
    return (struct point){near ? loss.value / beta * loss.value * 0.5
                               : loss.value - 0.5 * beta,
                          loss.grad * (near ? loss.value / beta : 1)};
}

/* What a format makes of the slopes by centre and size. */
static void bounded_gradient(enum box_format format, double centre, double size,
                             double *grad)
{
    if (format == BOX_XYXY) {
        grad[0] = 0.5 * centre - size;
        grad[2] = 0.5 * centre + size;
        return;
    }
    grad[0] = centre;
    grad[2] = format == BOX_XYWH ? 0.5 * centre + size : size;
}

/* One axis; loss, weight and grad are those of a box, from that axis on. */
static void bounded_axis(struct side a, struct side b, const double *param,
                         double unit, double *loss, const double *weight,
                         double *grad)
{
    enum box_format format = (enum box_format)param[FORMAT];
    double plus = param[PLUS1] != 0 ? unit : 0;
    double eps = param[BOUNDED_EPS] * unit, target = b.size + plus;
    double shift = side_meet(a, b, format).shift;
    struct point centre =
        smooth_l1(centre_loss(shift, target, eps), param[BETA]);
    struct point size =
        smooth_l1(size_loss(a.size + plus, target, eps), param[BETA]);
    loss[0] = centre.value;
    loss[2] = size.value;
    if (grad)
        bounded_gradient(format, centre.grad * (weight ? weight[0] : 1) * unit,
                         size.grad * (weight ? weight[2] : 1) * unit, grad);
}

/*
 * In units in which sums of coordinates do not overflow; almost always that is
 * the client's.
 */
static double bounded_unit(const real *p, const real *q, real *a, real *b)
{
    double most = 0;
    for (int k = 0; k < 4; k++)
        most = fmax(most, fmax(fabs((double)p[k]), fabs((double)q[k])));
    double unit = PRECISE && most > 0x1p1000 ? 0x1p-8 : 1;
    for (int k = 0; k < 4; k++) {
        a[k] = (real)(p[k] * unit);
        b[k] = (real)(q[k] * unit);
    }
    return unit;
}

static double bounded_difficulty(const real *p, const real *q,
                                 enum box_format format)
{
    const struct box_rule rule = {.eps = 0};
    struct box_answer y =
        box_plain(p) && box_plain(q)
            ? box_answer(BOX_IOU, &rule, p, q, false, format)
            : box_answer_wide(BOX_IOU, &rule, p, q, false, format);
    return 1 - y.iou;
}

static void bounded_map(const void *span)
{
    const struct loss_span *s = span;
    enum box_format format = (enum box_format)s->param[FORMAT];
    for (size_t i = 0; i < s->n; i++) {
        const real *p = s->input + 4 * i, *q = s->target + 4 * i;
        real a[4], b[4];
        double unit = bounded_unit(p, q, a, b);
        for (int k = 0; k < 2; k++)
            bounded_axis(side_read(a, k, format), side_read(b, k, format),
                         s->param, unit, s->loss + 4 * i + k,
                         s->weight ? s->weight + 4 * i + k : NULL,
                         s->grad ? s->grad + 4 * i + k : NULL);
        if (s->difficulty)
            s->difficulty[i] = bounded_difficulty(p, q, format);
    }
}

static int bounded_run(struct op_call *call)
{
    struct loss_plan plan = loss_plan(call, 4, 4);
    return loss_run_plan(call, &plan);
}

#define BOX_PORTS                                                      \
    .in = {{.name = "input",                                           \
            .shape = "n,4",                                            \
            .kind = OP_BOXES,                                          \
            .doc = "predicted boxes in any one unit, as format says"}, \
           {.name = "target",                                          \
            .shape = "n,4",                                            \
            .kind = OP_BOXES,                                          \
            .doc = "the boxes they should be"},                        \
           LOSS_WEIGHT_PORT}
#define VARIANT_PARAM                                                         \
    {                                                                         \
        .name = "variant", .type = OP_CHOICE, .fallback = EXACT,              \
        .choices =                                                            \
            (const char *const[]){"exact", "torchvision", "mmdet", NULL},     \
        .doc =                                                                \
            "exact: a quotient whose denominator is 0 is 0 with zero "        \
            "gradient; torchvision: eps is added to denominators, and boxes " \
            "that only touch have no gradient of I; mmdet: U and C of iou "   \
            "and giou are raised to eps, else it is added, also to the "      \
            "height in an angle, and scores are clamped"                      \
    }
#define EPS_PARAM                                                            \
    {                                                                        \
        .name = "eps", .type = OP_NUMBER, .fallback = NAN, .min = 0,         \
        .max = 1e6,                                                          \
        .doc =                                                               \
            "for denominators; null is 0 of exact, 1e-7 of torchvision and " \
            "mmdet, 1e-6 of mmdet's iou"                                     \
    }
#define COMMON_PARAMS LOSS_PARAMS, BOX_FORMAT_PARAM, VARIANT_PARAM, EPS_PARAM
#define BOX_ROW(word)                                                    \
    .group = "losses", .name = #word, BOX_PORTS, .easy_below = 0.5,      \
    .shape = loss_shape_rows, .run = loss_run_rows, .stats = loss_stats, \
    .map = word##_map
#define OUT .out = {LOSS_VALUE_PORT, LOSS_GRAD_PORT("n,4")}
#define EXAMPLE                                                           \
    "{\"inputs\":{\"input\":[[0,0,2,2],[1,1,4,3]],\"target\":[[1,1,3,3]," \
    "[1,1,4,4]]},\"parameters\":{\"reduction\":\"none\"},\"outputs\":["   \
    "\"value\",\"grad\"]}"

const struct op NAME(box_losses)[] = {
    {BOX_ROW(iou), .title = "IoU loss",
     .summary = "One less the intersection over union; also its square and "
                "its logarithm.",
     .formula = "1 - I / U; square: 1 - (I / U)^2; log: -ln(I / U)",
     .formula_tex = "1 - \\frac{I}{U}",
     .source = "Yu et al. 2016, arXiv:1608.01471", .example = EXAMPLE, OUT,
     .param = {COMMON_PARAMS,
               {.name = "mode",
                .type = OP_CHOICE,
                .fallback = LINEAR,
                .choices = (const char *const[]){"linear", "square", "log",
                                                 NULL},
                .doc = "1 - iou, 1 - iou^2 or -ln iou; the logarithm of boxes "
                       "that do not meet is infinite, with zero gradient"}},
     .settle = settle_iou},
    {BOX_ROW(giou), .title = "GIoU loss",
     .summary = "One less the generalised intersection over union.",
     .formula = "1 - I / U + (C - U) / C",
     .formula_tex = "1 - \\frac{I}{U} + \\frac{C - U}{C}",
     .source = "Rezatofighi et al. 2019, arXiv:1902.09630", .example = EXAMPLE,
     OUT, .param = {COMMON_PARAMS}, .settle = settle},
    {BOX_ROW(diou), .title = "DIoU loss",
     .summary = "One less the distance intersection over union.",
     .formula = "1 - I / U + d2 / c2",
     .formula_tex = "1 - \\frac{I}{U} + \\frac{d^2}{c^2}",
     .source = "Zheng et al. 2020, arXiv:1911.08287", .example = EXAMPLE, OUT,
     .param = {COMMON_PARAMS}, .settle = settle},
    {BOX_ROW(ciou), .title = "CIoU loss",
     .summary = "One less the complete intersection over union.",
     .formula = "1 - I / U + d2 / c2 + alpha * v, "
                "v = 4 / pi^2 * (atan2(W, H) - atan2(w, h))^2, "
                "alpha = v / (1 - I / U + v)",
     .formula_tex =
         "1 - \\frac{I}{U} + \\frac{d^2}{c^2} + \\alpha v,\\quad v = "
         "\\frac{4}{\\pi^2}\\left(\\arctan\\frac{W}{H} - "
         "\\arctan\\frac{w}{h}\\right)^2,\\quad \\alpha = "
         "\\frac{v}{1 - I/U + v}",
     .source = "Zheng et al. 2020, arXiv:1911.08287", .example = EXAMPLE,
     .out = {LOSS_VALUE_PORT,
             {.name = "grad",
              .shape = "n,4",
              .gradient_of = 1 + LOSS_INPUT,
              .doc = "derivative of value by input, for which alpha is held "
                     "constant unless alpha_gradient is full; with reduction "
                     "none of the sum of value"}},
     .param = {COMMON_PARAMS,
               {.name = "alpha_gradient",
                .type = OP_CHOICE,
                .fallback = CONSTANT,
                .choices = (const char *const[]){"constant", "full", NULL},
                .doc = "whether the gradient takes alpha for a constant, as "
                       "its authors do, or for the function of the box that "
                       "it is"},
               {.name = "alpha_gate",
                .type = OP_CHOICE,
                .fallback = NAN,
                .choices = (const char *const[]){"none", "0.5", NULL},
                .doc = "0.5: alpha is 0 unless iou is above; null is 0.5 of "
                       "mmdet, else none"},
               {.name = "aspect_scale",
                .type = OP_CHOICE,
                .fallback = SCALE_TRUE,
                .choices = (const char *const[]){"true", "paper", NULL},
                .doc = "paper: the gradient of v is without its factor "
                       "1 / (w^2 + h^2)"}},
     .settle = settle_ciou},
    {.group = "losses",
     .name = "bounded_iou",
     .title = "Bounded IoU loss",
     .summary = "Smooth L1 of what one coordinate at a time, all others being "
                "right, leaves of the IoU.",
     .formula = "smooth_l1(1 - max((T - 2 |D|) / (T + 2 |D| + eps), 0)) of x "
                "and y, smooth_l1(1 - min(T / (w + eps), w / (T + eps))) of "
                "w and h; T the target's size, D the centres' difference",
     .formula_tex =
         "L_\\beta\\left(1 - \\max\\left(\\frac{T - 2|D|}{T + 2|D| + "
         "\\epsilon}, 0\\right)\\right),\\quad L_\\beta\\left(1 - \\min\\left("
         "\\frac{T}{w + \\epsilon}, \\frac{w}{T + \\epsilon}\\right)\\right)",
     .source = "Tychsen-Smith, Petersson 2018, arXiv:1711.00164",
     .example = EXAMPLE,
     BOX_PORTS,
     .out = {{.name = "value",
              .shape = "?",
              .doc = "the loss: one number, or with reduction none four per "
                     "box, of centre x and y, width and height"},
             LOSS_GRAD_PORT("n,4")},
     .param = {LOSS_PARAMS,
               BOX_FORMAT_PARAM,
               {.name = "beta",
                .type = OP_NUMBER,
                .fallback = 0.2,
                .min = 0,
                .max = 1e6,
                .doc = "where smooth L1 turns from a parabola to a line"},
               {.name = "eps",
                .type = OP_NUMBER,
                .fallback = 1e-3,
                .min = 0,
                .max = 1e6,
                .doc = "added to denominators"},
               {.name = "plus1",
                .type = OP_BOOLEAN,
                .fallback = 0,
                .min = 0,
                .max = 1,
                .doc = "whether sizes are counted in pixels, ends included"}},
     .easy_below = 0.5,
     .shape = loss_shape,
     .run = bounded_run,
     .stats = loss_stats,
     .map = bounded_map},
    {.name = NULL},
};
