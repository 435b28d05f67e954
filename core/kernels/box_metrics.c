/*
 * IoU, GIoU, DIoU and CIoU of boxes: every a with every b, the best few b of
 * every a, or pair by pair with gradients.
 */
#include "core/kernels/box_best.h"
#include "core/kernels/box_columns.h"
#include "core/kernels/box_score.h"

enum { BOXES_A, BOXES_B, CROWD_B };
enum { VALUE, INDICES, GRAD };
enum { FORMAT, MODE, EPS, TOP_K };
enum { MATRIX, PAIRS };

enum {
    BLOCK = 512,              /* columns that stay in the first-level cache */
    PAIRS_PER_ITEM = 1 << 16, /* large against the cost of handing it out */
};

/* Some columns of one row of the matrix, or n pairs. */
struct stretch {
    bool pairs;
    size_t n;
    enum box_format format;
    double eps;
    const int64_t *crowd; /* of n b; NULL = none */
    real *value;          /* n or, of pairs, NULL */
    /* of a row */
    const struct box_columns *a, *b;
    size_t row, first; /* in a, in b */
    /* of pairs */
    const real *p, *q; /* n*4 */
    real *grad;        /* n*4 or NULL */
};

/* What every call is about. */
struct job {
    const struct op_call *call;
    struct box_columns a, b;
    size_t rows; /* of an item */
    /* of the best few */
    size_t k;
    real *value;    /* n*k */
    int64_t *index; /* n*k */
};

/* The metrics' gradients are the whole truth: alpha is no constant. */
INLINE struct box_rule rule_of(double eps)
{
    return (struct box_rule){.eps = eps, .alpha_eps = eps, .full = true};
}

INLINE void row_loop(enum box_metric metric, const struct stretch *s,
                     const int64_t *crowd, enum box_format format,
                     real *restrict value)
{
    const struct box_rule rule = rule_of(s->eps);
    bool angle = metric == BOX_CIOU;
    const struct box a = box_at(s->a->column, s->row, format, angle);
    double *column[BOX_COLUMNS];
    for (int k = 0; k < BOX_COLUMNS; k++)
        column[k] = s->b->column[k] ? s->b->column[k] + s->first : NULL;
    for (size_t j = 0; j < s->n; j++) {
        struct box b = box_at(column, j, format, angle);
        bool crowded = crowd && crowd[j] != 0;
        value[j] =
            (real)box_score(metric, &rule, &a, &b, crowded, format).value;
    }
}

/* Does those again that are not plain. */
static void row_odd(enum box_metric metric, const struct stretch *s)
{
    const struct box_rule rule = rule_of(s->eps);
    const struct box_columns *b = s->b;
    const real *p = s->a->raw + 4 * s->row;
    bool all = !box_plain(p);
    for (size_t k = 0; k < (all ? s->n : b->n_odd); k++) {
        size_t j = all ? s->first + k : b->odd[k];
        if (j < s->first || j >= s->first + s->n)
            continue;
        bool crowd = s->crowd && s->crowd[j - s->first];
        s->value[j - s->first] =
            (real)box_answer_wide(metric, &rule, p, b->raw + 4 * j, crowd,
                                  s->format)
                .value;
    }
}

INLINE void row_fill(enum box_metric metric, const struct stretch *s)
{
    if (metric == BOX_IOU && s->crowd)
        row_loop(metric, s, s->crowd, s->format, s->value);
    else if (s->format == BOX_XYXY)
        row_loop(metric, s, NULL, BOX_XYXY, s->value);
    else
        row_loop(metric, s, NULL, s->format, s->value);
    if (PRECISE)
        row_odd(metric, s);
}

INLINE void pairs_fill(enum box_metric metric, const struct stretch *s)
{
    const struct box_rule rule = rule_of(s->eps);
    for (size_t i = 0; i < s->n; i++) {
        const real *p = s->p + 4 * i, *q = s->q + 4 * i;
        bool crowd = s->crowd && s->crowd[i];
        struct box_answer y =
            box_plain(p) && box_plain(q)
                ? box_answer(metric, &rule, p, q, crowd, s->format)
                : box_answer_wide(metric, &rule, p, q, crowd, s->format);
        if (s->value)
            s->value[i] = (real)y.value;
        for (size_t k = 0; s->grad && k < 4; k++)
            s->grad[4 * i + k] = (real)y.grad[k];
    }
}

INLINE void fill(enum box_metric metric, const void *stretch)
{
    const struct stretch *s = stretch;
    if (s->pairs)
        pairs_fill(metric, s);
    else
        row_fill(metric, s);
}

static void iou_map(const void *s)
{
    fill(BOX_IOU, s);
}

static void giou_map(const void *s)
{
    fill(BOX_GIOU, s);
}

static void diou_map(const void *s)
{
    fill(BOX_DIOU, s);
}

static void ciou_map(const void *s)
{
    fill(BOX_CIOU, s);
}

static void do_pairs(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    const struct op_call *c = job->call;
    size_t at = item * PAIRS_PER_ITEM, left = c->in[BOXES_A].dim[0] - at;
    const int64_t *crowd = c->in[CROWD_B].data;
    real *value = c->out[VALUE].data, *grad = c->out[GRAD].data;
    (void)worker;
    struct stretch s = {
        .pairs = true,
        .n = left < PAIRS_PER_ITEM ? left : PAIRS_PER_ITEM,
        .format = (enum box_format)c->param[FORMAT],
        .eps = c->param[EPS],
        .p = (const real *)c->in[BOXES_A].data + 4 * at,
        .q = (const real *)c->in[BOXES_B].data + 4 * at,
        .crowd = crowd ? crowd + at : NULL,
        .value = value ? value + at : NULL,
        .grad = grad ? grad + 4 * at : NULL,
    };
    c->op->map(&s);
}

static size_t block_length(const struct job *job, size_t first)
{
    size_t left = job->b.n - first;
    return left < BLOCK ? left : BLOCK;
}

/* Row i from column `first` on, as far as a block goes, to value. */
/* NOLINTNEXTLINE(readability-non-const-parameter): op->map writes there */
static void do_row(const struct job *job, size_t i, size_t first, real *value)
{
    const struct op_call *c = job->call;
    const int64_t *crowd = c->in[CROWD_B].data;
    struct stretch s = {
        .n = block_length(job, first),
        .format = job->b.format,
        .eps = c->param[EPS],
        .crowd = crowd ? crowd + first : NULL,
        .value = value,
        .a = &job->a,
        .b = &job->b,
        .row = i,
        .first = first,
    };
    c->op->map(&s);
}

static size_t rows_end(const struct job *job, size_t item)
{
    size_t end = (item + 1) * job->rows;
    return end < job->a.n ? end : job->a.n;
}

static void do_rows(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    real *value = job->call->out[VALUE].data;
    size_t m = job->b.n, end = rows_end(job, item);
    (void)worker;
    for (size_t first = 0; first < m; first += BLOCK)
        for (size_t i = item * job->rows; i < end && !op_stopped(job->call);
             i++)
            do_row(job, i, first, value + i * m + first);
}

static void do_best(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    size_t m = job->b.n, k = job->k, end = rows_end(job, item);
    real block[BLOCK];
    (void)worker;
    for (size_t i = item * job->rows; i < end; i++) {
        struct best h = {0, k, job->value + i * k, job->index + i * k};
        for (size_t first = 0; first < m && !op_stopped(job->call);
             first += BLOCK) {
            do_row(job, i, first, block);
            for (size_t j = 0; j < block_length(job, first); j++)
                best_add(&h, block[j], first + j);
        }
        best_sort(&h, job->call->par->stop);
    }
}

/* The two arrays of heaps, which need be no outputs. */
static int take_heaps(struct job *job, struct op_call *c)
{
    job->k = (size_t)c->param[TOP_K];
    job->value = c->out[VALUE].data;
    job->index = c->out[INDICES].data;
    size_t n = job->a.n * job->k;
    if (!job->value)
        job->value = arena_alloc(c->mem, n, sizeof(*job->value));
    if (!job->index)
        job->index = arena_alloc(c->mem, n, sizeof(*job->index));
    return job->value && job->index ? 0 : -1;
}

static int take_boxes(struct job *job, struct op_call *c)
{
    const struct op_tensor *a = &c->in[BOXES_A], *b = &c->in[BOXES_B];
    enum box_format format = (enum box_format)c->param[FORMAT];
    if (box_columns_init(&job->a, c->mem, a->data, a->dim[0], format) ||
        box_columns_init(&job->b, c->mem, b->data, b->dim[0], format))
        return -1;
    return box_columns_angles(&job->a, c->mem) ||
                   box_columns_angles(&job->b, c->mem)
               ? -1
               : 0;
}

static void share_out(const struct op_call *c, size_t items,
                      parallel_task *task, void *context)
{
    if (items == 1)
        task(context, 0, 0);
    else
        c->par->run(c->par, items, task, context);
}

static int run(struct op_call *c)
{
    struct job job = {.call = c};
    size_t n = c->in[BOXES_A].dim[0], m = c->in[BOXES_B].dim[0];
    if (c->param[MODE] == PAIRS) {
        share_out(c, (n + PAIRS_PER_ITEM - 1) / PAIRS_PER_ITEM, do_pairs, &job);
        return 0;
    }
    if (n == 0 || m == 0 || !(c->out[VALUE].data || c->out[INDICES].data))
        return 0;
    if (take_boxes(&job, c))
        return -1;
    bool few = !isnan(c->param[TOP_K]);
    if (few && take_heaps(&job, c))
        return -1;
    job.rows = m < PAIRS_PER_ITEM ? PAIRS_PER_ITEM / m : 1;
    share_out(c, (n + job.rows - 1) / job.rows, few ? do_best : do_rows, &job);
    return 0;
}

static int shape_pairs(struct op_call *c, struct op_fault *fault)
{
    size_t n = c->in[BOXES_A].dim[0], m = c->in[BOXES_B].dim[0];
    if (!isnan(c->param[TOP_K]))
        return op_fail_param(fault, TOP_K, "is for the mode matrix only");
    if (m != n)
        return op_fail_shape(fault, BOXES_B,
                             "has %zu rows, \"boxes_a\" has %zu: the mode "
                             "pairs needs as many",
                             m, n);
    c->out[VALUE].rank = 1;
    return 0;
}

static int shape(struct op_call *c, struct op_fault *fault)
{
    size_t n = c->in[BOXES_A].dim[0], m = c->in[BOXES_B].dim[0];
    bool few = !isnan(c->param[TOP_K]);
    if (few && c->unasked) /* the values alone would not say whose they are */
        c->want[INDICES] = true;
    if (c->want[INDICES] && !few)
        return op_fail_param(fault, TOP_K,
                             "is null, the output \"indices\" needs it");
    if (few && !(c->param[TOP_K] <= (double)m))
        return op_fail_param(fault, TOP_K,
                             "is %g, \"boxes_b\" has %zu rows only",
                             c->param[TOP_K], m);
    struct op_tensor *value = &c->out[VALUE];
    *value = (struct op_tensor){.rank = 2,
                                .dim = {n, few ? (size_t)c->param[TOP_K] : m}};
    c->out[INDICES].rank = 2;
    c->out[INDICES].dim[0] = n;
    c->out[INDICES].dim[1] = few ? value->dim[1] : 0;
    if (c->param[MODE] == PAIRS)
        return shape_pairs(c, fault);
    if (c->want[GRAD])
        return op_fail_param(fault, MODE,
                             "is matrix, the output \"grad\" needs pairs");
    return 0;
}

#define PORT_A                                               \
    {                                                        \
        .name = "boxes_a", .shape = "n,4", .kind = OP_BOXES, \
        .doc = "boxes in any one unit, as format says",      \
    }
#define PORT_B                                               \
    {                                                        \
        .name = "boxes_b", .shape = "m,4", .kind = OP_BOXES, \
        .doc = "boxes to compare with",                      \
    }
#define OUTPUTS                                                              \
    .out = {{.name = "value",                                                \
             .shape = "?",                                                   \
             .doc = "of every pair: (n, m), with top_k (n, k), best first; " \
                    "in the mode pairs (n)"},                                \
            {.name = "indices",                                              \
             .shape = "?",                                                   \
             .kind = OP_INDEX,                                               \
             .doc = "rows of boxes_b that value is of; with top_k only"},    \
            {.name = "grad",                                                 \
             .shape = "n,4",                                                 \
             .gradient_of = 1 + BOXES_A,                                     \
             .doc = "derivative by the numbers of boxes_a; in the mode "     \
                    "pairs only"}}
#define PARAMS                                                               \
    .param = {                                                               \
        BOX_FORMAT_PARAM,                                                    \
        {.name = "mode",                                                     \
         .type = OP_CHOICE,                                                  \
         .fallback = MATRIX,                                                 \
         .choices = (const char *const[]){"matrix", "pairs", NULL},          \
         .doc = "every box of boxes_a with every one of boxes_b, or row by " \
                "row"},                                                      \
        {.name = "eps",                                                      \
         .type = OP_NUMBER,                                                  \
         .fallback = 0,                                                      \
         .min = 0,                                                           \
         .max = 1e6,                                                         \
         .doc = "added to every denominator; with 0 a quotient whose "       \
                "denominator is 0 is 0"},                                    \
        {.name = "top_k",                                                    \
         .type = OP_INTEGER,                                                 \
         .fallback = NAN,                                                    \
         .min = 1,                                                           \
         .max = 1e9,                                                         \
         .doc = "give the k highest of each row, ties by lower index, in "   \
                "place of the matrix"}}
#define KERNEL(name) .shape = shape, .run = run, .map = name##_map

const struct op NAME(box_metrics)[] = {
    {.group = "boxes",
     .name = "iou",
     .title = "Intersection over union",
     .summary = "The area two boxes share, as a part of the area they cover.",
     .formula = "I / U",
     .formula_tex = "\\frac{|A \\cap B|}{|A \\cup B|}",
     .source = "Jaccard 1912; crowds as in COCO, Lin et al. 2014, "
               "arXiv:1405.0312",
     .example = "{\"inputs\":{\"boxes_a\":[[0,0,2,2],[1,1,3,3]],"
                "\"boxes_b\":[[0,0,2,2],[2,0,4,2]]}}",
     .in = {PORT_A,
            PORT_B,
            {.name = "crowd_b",
             .shape = "m",
             .kind = OP_FLAG,
             .optional = true,
             .doc = "whether a box of boxes_b is a crowd: the union is then "
                    "the area of a alone"}},
     OUTPUTS,
     PARAMS,
     KERNEL(iou)},
    {.group = "boxes",
     .name = "giou",
     .title = "Generalised intersection over union",
     .summary = "IoU less the part of the smallest enclosing box that "
                "neither covers.",
     .formula = "I / U - (C - U) / C",
     .formula_tex = "\\frac{I}{U} - \\frac{C - U}{C}",
     .source = "Rezatofighi et al. 2019, arXiv:1902.09630",
     .example = "{\"inputs\":{\"boxes_a\":[[0,0,2,2]],"
                "\"boxes_b\":[[1,1,3,3],[3,0,5,2]]}}",
     .in = {PORT_A, PORT_B},
     OUTPUTS,
     PARAMS,
     KERNEL(giou)},
    {.group = "boxes",
     .name = "diou",
     .title = "Distance intersection over union",
     .summary = "IoU less the squared distance of the centres over the "
                "squared diagonal of the smallest enclosing box.",
     .formula = "I / U - d2 / c2",
     .formula_tex = "\\frac{I}{U} - \\frac{d^2}{c^2}",
     .source = "Zheng et al. 2020, arXiv:1911.08287",
     .example = "{\"inputs\":{\"boxes_a\":[[0,0,2,2]],"
                "\"boxes_b\":[[0,0,2,2],[2,2,4,4]]}}",
     .in = {PORT_A, PORT_B},
     OUTPUTS,
     PARAMS,
     KERNEL(diou)},
    {.group = "boxes",
     .name = "ciou",
     .title = "Complete intersection over union",
     .summary = "DIoU less a penalty for another aspect ratio; grad takes "
                "alpha for the function of the box that it is.",
     .formula = "I / U - d2 / c2 - alpha * v, "
                "v = 4 / pi^2 * (atan2(W, H) - atan2(w, h))^2, "
                "alpha = v / (1 - I / U + v)",
     .formula_tex = "\\frac{I}{U} - \\frac{d^2}{c^2} - \\alpha v,\\quad v = "
                    "\\frac{4}{\\pi^2}\\left(\\arctan\\frac{W}{H} - "
                    "\\arctan\\frac{w}{h}\\right)^2,\\quad \\alpha = "
                    "\\frac{v}{1 - I/U + v}",
     .source = "Zheng et al. 2020, arXiv:1911.08287",
     .example = "{\"inputs\":{\"boxes_a\":[[0,0,4,2]],"
                "\"boxes_b\":[[0,0,2,4]]},\"parameters\":{\"mode\":\"pairs\"},"
                "\"outputs\":[\"value\",\"grad\"]}",
     .in = {PORT_A, PORT_B},
     OUTPUTS,
     PARAMS,
     KERNEL(ciou)},
    {.name = NULL},
};
