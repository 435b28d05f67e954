/*
 * Non-maximum suppression: of boxes that overlap the best one stays.
 *
 * Boxes of different labels do not meet, so each label is settled on its own
 * (box_nms.c), and those that stay are put in order at the end.
 */
#include "core/kernels/box_nms.h"

#include "core/key_sort.h"

#include <assert.h>

/*
 * Whether products of the box's numbers stay in range, and its ends, where
 * they are sums, are rounded by no more than 2^-12 of its size.
 */
static bool usual(const struct nms_job *job, uint32_t row)
{
    const real *p = job->raw + 4 * (size_t)row;
    bool fine = box_plain(p);
    for (int k = 0; k < 2 && job->format != BOX_XYXY; k++)
        fine &= p[k + 2] == 0 || fabs((double)p[k]) * 0x1p-40 <= p[k + 2];
    return fine;
}

/* The rows whose score is high enough, by label and score. */
static int sort_rows(struct nms_job *job, struct arena *mem)
{
    size_t n = job->call->in[NMS_BOXES].dim[0];
    const int64_t *labels = job->call->in[NMS_LABELS].data;
    const atomic_bool *stop = job->call->par->stop;
    struct arena_mark mark;
    assert(n < UINT32_MAX);
    job->order = arena_alloc(mem, n, sizeof(*job->order));
    job->runs = arena_alloc(mem, n + 1, sizeof(*job->runs));
    mark = arena_mark(mem);
    struct key_order by = {
        .key = arena_alloc(mem, n, sizeof(uint64_t)),
        .spare_key = arena_alloc(mem, n, sizeof(uint64_t)),
        .row = job->order,
        .spare_row = arena_alloc(mem, n, sizeof(uint32_t)),
    };
    if (mem->failed)
        return -1;
    double least = job->call->param[NMS_SCORE_THRESHOLD];
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            if (nms_score(job, (uint32_t)i) >= least) {
                by.key[job->n] = score_key(nms_score(job, (uint32_t)i));
                job->order[job->n++] = (uint32_t)i;
            }
    if (key_sort(&by, job->n, stop))
        return -1;
    if (labels) {
        for (size_t i = 0, end; (end = stop_reach(stop, i, job->n)) > i;)
            for (; i < end; i++)
                by.key[i] = id_key(labels[job->order[i]]);
        key_sort(&by, job->n, stop);
    }
    if (is_stopped(stop))
        return -1;
    for (uint32_t i = 0; i < job->n; i++)
        if (i == 0 || (labels && by.key[i] != by.key[i - 1]))
            job->runs[job->n_runs++] = i;
    job->runs[job->n_runs] = (uint32_t)job->n;
    arena_release(mem, mark);
    return 0;
}

static int take_memory(struct nms_job *job, struct arena *mem)
{
    size_t n = job->n, rows = job->call->in[NMS_BOXES].dim[0];
    const atomic_bool *stop = job->call->par->stop;
    double **column[] = {&job->slot.x_lo, &job->slot.x_hi, &job->slot.y_lo,
                         &job->slot.y_hi, &job->slot.area, &job->slot.score};
    for (size_t k = 0; k < sizeof(column) / sizeof(column[0]); k++)
        *column[k] = arena_alloc(mem, n, sizeof(double));
    job->slot.row = arena_alloc(mem, n, sizeof(uint32_t));
    job->cell = arena_alloc(mem, n, sizeof(*job->cell));
    job->home = arena_alloc(mem, n, sizeof(*job->home));
    job->final = arena_alloc(mem, rows, sizeof(*job->final));
    if (mem->failed)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(stop, i, rows)) > i;)
        for (; i < end; i++)
            job->final[i] = NAN;
    return is_stopped(stop) ? -1 : 0;
}

/* Writes the rows that stay, best first. */
static int give(const struct nms_job *job, struct op_call *c)
{
    size_t rows = c->in[NMS_BOXES].dim[0], n = 0;
    const atomic_bool *stop = c->par->stop;
    struct key_order by = key_order_alloc(job->n, c->mem);
    if (c->mem->failed)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(stop, i, rows)) > i;)
        for (; i < end; i++)
            if (!isnan(job->final[i])) {
                by.key[n] = score_key(job->final[i]);
                by.row[n++] = (uint32_t)i;
            }
    if (key_sort(&by, n, stop))
        return -1;
    n = n < job->most ? n : job->most;
    int64_t *indices = c->out[NMS_OUT_INDICES].data;
    real *scores = c->out[NMS_OUT_SCORES].data;
    for (size_t i = 0; i < n; i++) {
        if (indices)
            indices[i] = by.row[i];
        if (scores)
            scores[i] = (real)job->final[by.row[i]];
    }
    for (size_t i = 0; i <= NMS_OUT_SCORES; i++)
        c->out[i].dim[0] = c->out[i].n = n;
    return 0;
}

static int run(struct op_call *c)
{
    const double *param = c->param;
    struct nms_job job = {
        .call = c,
        .raw = c->in[NMS_BOXES].data,
        .format = (enum box_format)param[NMS_FORMAT],
        .method = (int)param[NMS_METHOD],
        .t = param[NMS_METHOD] == NMS_GAUSSIAN ? 0 : param[NMS_IOU_THRESHOLD],
        .most = isnan(param[NMS_MAX_OUTPUT]) ? SIZE_MAX
                                             : (size_t)param[NMS_MAX_OUTPUT],
    };
    job.margin =
        job.format == BOX_XYXY ? job.t * (1 - 0x1p-48) : job.t - 0x1p-9;
    if (sort_rows(&job, c->mem) || take_memory(&job, c->mem))
        return -1;
    for (size_t i = 0; i < job.n && !op_stopped(c); i++)
        job.odd |= !usual(&job, job.order[i]);
    if (job.n_runs == 1)
        nms_label(&job, 0, 0);
    else
        c->par->run(c->par, job.n_runs, nms_label, &job);
    if (op_stopped(c))
        return -1;
    return give(&job, c);
}

static void settle(double *param)
{
    bool soft =
        param[NMS_METHOD] == NMS_LINEAR || param[NMS_METHOD] == NMS_GAUSSIAN;
    if (isnan(param[NMS_SCORE_THRESHOLD]))
        param[NMS_SCORE_THRESHOLD] = soft ? 0.001 : 0;
}

/* As many as there are boxes; run says how many stay. */
static int shape(struct op_call *c, struct op_fault *fault)
{
    (void)fault;
    for (size_t i = 0; i <= NMS_OUT_SCORES; i++)
        c->out[i] =
            (struct op_tensor){.rank = 1, .dim = {c->in[NMS_BOXES].dim[0]}};
    return 0;
}

const struct op NAME(nms)[] = {
    {.group = "boxes",
     .name = "nms",
     .title = "Non-maximum suppression",
     .summary = "Of boxes that overlap the one of highest score stays; the "
                "soft methods lower the scores of the others instead.",
     .formula = "box j falls to a better box i if iou > iou_threshold; diou: "
                "if iou - (d2 / c2)^beta > iou_threshold; linear: score_j *= "
                "1 - iou if iou > iou_threshold; gaussian: score_j *= "
                "exp(-iou^2 / sigma)",
     .formula_tex = "s_j \\leftarrow s_j\\, e^{-\\mathrm{IoU}(i, j)^2 / "
                    "\\sigma}",
     .source = "Zheng et al. 2020, arXiv:1911.08287 (diou); Bodla et al. "
               "2017, arXiv:1704.04503 (linear, gaussian)",
     .example = "{\"inputs\":{\"boxes\":[[0,0,2,2],[0,0,2,3],[5,5,6,6]],"
                "\"scores\":[0.8,0.9,0.7]},\"outputs\":[\"indices\","
                "\"scores\"]}",
     .in = {{.name = "boxes",
             .shape = "n,4",
             .kind = OP_BOXES,
             .doc = "boxes in any one unit, as format says"},
            {.name = "scores",
             .shape = "n",
             .kind = OP_FINITE,
             .doc = "higher is better; of equal scores the lower row goes "
                    "first"},
            {.name = "labels",
             .shape = "n",
             .kind = OP_INDEX,
             .optional = true,
             .doc = "boxes of different labels do not suppress each other"}},
     .out = {{.name = "indices",
              .shape = "?",
              .kind = OP_INDEX,
              .doc = "the rows that stay, (k), by final score, highest first"},
             {.name = "scores",
              .shape = "?",
              .doc = "their final scores, (k)"}},
     .param = {BOX_FORMAT_PARAM,
               {.name = "method",
                .type = OP_CHOICE,
                .fallback = NMS_HARD,
                .choices = (const char *const[]){"hard", "diou", "linear",
                                                 "gaussian", NULL},
                .doc = "hard and diou remove boxes, linear and gaussian lower "
                       "scores"},
               {.name = "iou_threshold",
                .type = OP_NUMBER,
                .fallback = 0.5,
                .min = 0,
                .max = 1,
                .doc = "boxes strictly above it overlap too much; gaussian "
                       "has no threshold"},
               {.name = "score_threshold",
                .type = OP_NUMBER,
                .fallback = NAN,
                .min = -1e6,
                .max = 1e6,
                .doc = "boxes with lower scores go, also negative ones of "
                       "logits; null is 0 of hard and diou, 0.001 of linear "
                       "and gaussian"},
               {.name = "beta",
                .type = OP_NUMBER,
                .fallback = 1,
                .min = 0,
                .max = 1e6,
                .doc = "diou: power of the distance term d2 / c2"},
               {.name = "sigma",
                .type = OP_NUMBER,
                .fallback = 0.5,
                .min = 0,
                .max = 1e6,
                .open = true,
                .doc = "gaussian: the larger, the less scores fall"},
               {.name = "max_output",
                .type = OP_INTEGER,
                .fallback = NAN,
                .min = 1,
                .max = 1e9,
                .doc = "keep this many at most, of all labels together; null "
                       "keeps all"}},
     .settle = settle,
     .shape = shape,
     .run = run},
    {.name = NULL},
};
