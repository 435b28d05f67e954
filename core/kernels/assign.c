/*
 * Which anchor of a detector learns which box.
 *
 * Blocks of anchors meet all boxes, twice: once for the best box of every
 * anchor and the best anchor of every box, once more for the anchors that
 * share a box's best.  Of the matrix no more exists than one row of a block.
 */
#include "core/kernels/box_columns.h"
#include "core/kernels/box_score.h"

enum { ANCHORS, BOXES };
enum { LABELS, MATCHED, VALUE };
enum { FORMAT, POSITIVE_IOU, NEGATIVE_IOU, FORCE_MATCH };
enum { NEGATIVE = 0, POSITIVE = 1, IGNORED = -1, NOBODY = -1 };
enum { BLOCK = 512 };

static const struct box_rule exact = {.eps = 0};

struct job {
    const struct op_call *call;
    struct box_columns anchors, boxes;
    double *best;     /* of every anchor */
    int64_t *matched; /* the first box that has it; NOBODY below 0 boxes */
    int64_t *forced;  /* 1 where an anchor has a box's best */
    double *box_best; /* of every box; in the first pass per worker */
};

/* Box `row` with n anchors from `first` on. */
INLINE void row_loop(const struct job *job, size_t row, size_t first, size_t n,
                     enum box_format format, double *restrict iou)
{
    const struct box a = box_at(job->boxes.column, row, format, false);
    double *column[BOX_COLUMNS];
    for (int k = 0; k < BOX_COLUMNS; k++)
        column[k] =
            job->anchors.column[k] ? job->anchors.column[k] + first : NULL;
    for (size_t j = 0; j < n; j++) {
        const struct box b = box_at(column, j, format, false);
        iou[j] = box_score(BOX_IOU, &exact, &a, &b, false, format).value;
    }
}

/* Does those again that are not plain. */
static void row_odd(const struct job *job, size_t row, size_t first, size_t n,
                    double *iou)
{
    const struct box_columns *b = &job->anchors;
    const real *p = job->boxes.raw + 4 * row;
    bool all = !box_plain(p);
    for (size_t k = 0; k < (all ? n : b->n_odd); k++) {
        size_t j = all ? first + k : b->odd[k];
        if (j >= first && j < first + n)
            iou[j - first] = box_answer_wide(BOX_IOU, &exact, p, b->raw + 4 * j,
                                             false, b->format)
                                 .value;
    }
}

static void row(const struct job *job, size_t i, size_t first, size_t n,
                double *iou)
{
    if (job->anchors.format == BOX_XYXY)
        row_loop(job, i, first, n, BOX_XYXY, iou);
    else
        row_loop(job, i, first, n, job->anchors.format, iou);
    if (PRECISE)
        row_odd(job, i, first, n, iou);
}

static size_t block_length(const struct job *job, size_t first)
{
    size_t left = job->anchors.n - first;
    return left < BLOCK ? left : BLOCK;
}

/* Strictly better only: of equal boxes the first stays. */
INLINE void keep_better(size_t n, const double *restrict iou, int64_t i,
                        double *restrict best, int64_t *restrict matched)
{
    for (size_t j = 0; j < n; j++) {
        bool better = iou[j] > best[j];
        best[j] = better ? iou[j] : best[j];
        matched[j] = better ? i : matched[j];
    }
}

static double greatest(size_t n, const double *x, double start)
{
    for (size_t j = 0; j < n; j++)
        start = x[j] > start ? x[j] : start;
    return start;
}

static void find_best(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    size_t first = item * BLOCK, n = block_length(job, first);
    size_t m = job->boxes.n;
    double iou[BLOCK], *box_best = job->box_best + worker * m;
    double *best = job->best + first;
    int64_t *matched = job->matched + first;
    for (size_t j = 0; j < n; j++) {
        best[j] = 0;
        matched[j] = 0;
    }
    for (size_t i = 0; i < m && !op_stopped(job->call); i++) {
        row(job, i, first, n, iou);
        keep_better(n, iou, (int64_t)i, best, matched);
        box_best[i] = greatest(n, iou, box_best[i]);
    }
}

static void find_forced(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    size_t first = item * BLOCK, n = block_length(job, first);
    double iou[BLOCK];
    int64_t *forced = job->forced + first;
    (void)worker;
    for (size_t i = 0; i < job->boxes.n && !op_stopped(job->call); i++) {
        double best = job->box_best[i];
        if (!(best > 0))
            continue;
        row(job, i, first, n, iou);
        for (size_t j = 0; j < n; j++)
            forced[j] |= iou[j] == best;
    }
}

static void each_block(const struct job *job, parallel_task *task,
                       struct job *context)
{
    const struct parallel *par = job->call->par;
    par->run(par, (job->anchors.n + BLOCK - 1) / BLOCK, task, context);
}

/* The best of all workers, into the first one's. */
static void join_workers(struct job *job)
{
    size_t m = job->boxes.n;
    for (size_t w = 1; w < job->call->par->width; w++)
        for (size_t i = 0; i < m; i++)
            job->box_best[i] =
                greater(job->box_best[i], job->box_best[w * m + i]);
}

static int match(struct job *job, struct op_call *c)
{
    const struct op_tensor *a = &c->in[ANCHORS], *b = &c->in[BOXES];
    enum box_format format = (enum box_format)c->param[FORMAT];
    size_t width = c->par->width;
    if (box_columns_init(&job->anchors, c->mem, a->data, a->dim[0], format) ||
        box_columns_init(&job->boxes, c->mem, b->data, b->dim[0], format))
        return -1;
    job->best = arena_zero(c->mem, a->dim[0], sizeof(*job->best));
    job->matched = arena_alloc(c->mem, a->dim[0], sizeof(*job->matched));
    job->forced = arena_zero(c->mem, a->dim[0], sizeof(*job->forced));
    job->box_best = arena_zero(c->mem, b->dim[0], width * sizeof(double));
    if (!job->best || !job->matched || !job->forced || !job->box_best)
        return -1;
    each_block(job, find_best, job);
    if (op_stopped(c))
        return -1;
    join_workers(job);
    if (c->param[FORCE_MATCH] != 0)
        each_block(job, find_forced, job);
    return op_stopped(c) ? -1 : 0;
}

static int64_t label_of(const struct job *job, size_t i)
{
    const double *param = job->call->param;
    if (job->boxes.n == 0)
        return NEGATIVE;
    if (job->forced[i] || job->best[i] >= param[POSITIVE_IOU])
        return POSITIVE;
    return job->best[i] < param[NEGATIVE_IOU] ? NEGATIVE : IGNORED;
}

static int run(struct op_call *c)
{
    struct job job = {.call = c};
    int64_t *labels = c->out[LABELS].data, *matched = c->out[MATCHED].data;
    real *value = c->out[VALUE].data;
    if (match(&job, c))
        return -1;
    for (size_t i = 0; i < job.anchors.n && !op_stopped(c); i++) {
        int64_t label = label_of(&job, i);
        if (labels)
            labels[i] = label;
        if (matched)
            matched[i] = label == POSITIVE ? job.matched[i] : NOBODY;
        if (value)
            value[i] = (real)job.best[i];
    }
    return 0;
}

static int check(const struct op_call *c, struct op_fault *fault)
{
    if (c->param[NEGATIVE_IOU] > c->param[POSITIVE_IOU])
        return op_fail_param(fault, NEGATIVE_IOU,
                             "is %g, above positive_iou, which is %g",
                             c->param[NEGATIVE_IOU], c->param[POSITIVE_IOU]);
    return 0;
}

const struct op NAME(assign)[] = {
    {.group = "boxes",
     .name = "assign",
     .title = "Assignment of anchors to boxes",
     .summary = "Which anchors are to find an object, and which one, by IoU.",
     .formula = "label = 1 if best IoU >= positive_iou, 0 if below "
                "negative_iou, else -1; with force_match 1 too where IoU is "
                "the best that a box has with any anchor and above 0",
     .formula_tex = "\\max_j \\mathrm{IoU}(a_i, b_j)",
     .source = "Ren et al. 2015, Faster R-CNN, section 3.1.2, "
               "arXiv:1506.01497",
     .example = "{\"inputs\":{\"anchors\":[[0,0,2,2],[1,0,3,2],[8,8,9,9]],"
                "\"boxes\":[[0,0,2,3]]},\"outputs\":[\"labels\",\"matched\","
                "\"value\"]}",
     .in = {{.name = "anchors",
             .shape = "n,4",
             .kind = OP_BOXES,
             .doc = "boxes in any one unit, as format says"},
            {.name = "boxes",
             .shape = "m,4",
             .kind = OP_BOXES,
             .doc = "the objects' boxes"}},
     .out = {{.name = "labels",
              .shape = "n",
              .kind = OP_INDEX,
              .unasked = true,
              .doc = "1 an object, 0 background, -1 neither: leave it out"},
             {.name = "matched",
              .shape = "n",
              .kind = OP_INDEX,
              .unasked = true,
              .doc = "of anchors with label 1 the row of the box of highest "
                     "IoU, the first of equal ones; else -1"},
             {.name = "value",
              .shape = "n",
              .doc = "highest IoU with any box; 0 without boxes"}},
     .param = {BOX_FORMAT_PARAM,
               {.name = "positive_iou",
                .type = OP_NUMBER,
                .fallback = 0.7,
                .min = 0,
                .max = 1,
                .doc = "from this IoU on an anchor is an object"},
               {.name = "negative_iou",
                .type = OP_NUMBER,
                .fallback = 0.3,
                .min = 0,
                .max = 1,
                .doc = "below this IoU an anchor is background; at most "
                       "positive_iou"},
               {.name = "force_match",
                .type = OP_BOOLEAN,
                .fallback = 1,
                .min = 0,
                .max = 1,
                .doc = "whether the anchors that come closest to a box are "
                       "objects whatever their IoU"}},
     .check = check,
     .run = run},
    {.name = NULL},
};
