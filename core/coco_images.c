/* The per-image table. */
#include "core/coco_box.h"
#include "core/coco_curve.h"
#include "core/coco_verdict.h"

#include <math.h>
#include <string.h>

struct scratch {
    struct coco_sorted *cell; /* of the cell at hand */
    struct coco_curve curve;
    double *sampled; /* [cells of the image][T][R] */
    double *values;  /* the same, in the order of the mean */
};

struct job {
    const struct coco_result *r;
    const struct coco_verdicts *v;
    const struct coco_by_image *by;
    bool aps;
    struct coco_image *out;
    struct scratch *scratch;
};

static uint32_t positives(const struct coco_verdicts *v,
                          const struct coco_cell *cell)
{
    uint32_t n = 0;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
        n += v->counts[g];
    return n;
}

double coco_match_iou(const struct coco_result *r,
                      const struct coco_verdicts *v, uint32_t place)
{
    size_t d = r->index.dt[place];
    size_t g = r->index.gt[v->truth[place]];
    struct coco_box found = coco_corners(r->dt->box + 4 * d);
    struct coco_box truth = coco_corners(r->gt->box + 4 * g);
    return coco_iou(&found, &truth, r->gt->crowd[g]);
}

/* Adds one cell's detections to the image's counts. */
static void count_cell(const struct job *job, const struct coco_cell *cell,
                       struct coco_image *out, double *iou_sum)
{
    const struct coco_result *r = job->r;
    for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
        double score = coco_score_at(r, d);
        uint8_t kind = job->v->kind[d];
        if (kind == COCO_CUT || score < r->protocol->score_threshold)
            break; /* best score first, so are all that follow */
        out->detections++;
        out->ignored += kind == COCO_IGNORED;
        out->fp += kind < COCO_FALSE_KINDS;
        if (kind == COCO_TRUE_POSITIVE) {
            out->tp++;
            *iou_sum += coco_match_iou(r, job->v, d);
        }
    }
}

/* Samples one cell's curve into s->sampled, at slot. */
static void sample_cell(const struct job *job, const struct coco_cell *cell,
                        uint32_t n_positive, struct scratch *s, size_t slot)
{
    const struct coco_result *r = job->r;
    const struct coco_protocol *p = r->protocol;
    s->curve.positives = n_positive;
    for (uint32_t i = 0; i < cell->n_dt; i++)
        s->cell[i] =
            (struct coco_sorted){cell->dt + i, r->matches.mark[cell->dt + i]};
    coco_curve_fill(&s->curve, &r->matches, s->cell, cell->n_dt, p->area_all,
                    COCO_LIMITS - 1, p->n_iou, job->r->stop);
    for (size_t t = 0; t < p->n_iou && !is_stopped(job->r->stop); t++)
        coco_curve_sample(&s->curve, t, p,
                          s->sampled + (slot * p->n_iou + t) * p->n_recall,
                          NULL);
}

/* AP over the n cells sampled, as pycocotools would flatten them. */
static double image_ap(const struct job *job, struct scratch *s, size_t n)
{
    const struct coco_result *r = job->r;
    size_t points = r->protocol->n_iou * r->protocol->n_recall;
    if (n == 0)
        return -1;
    if (n == 1)
        return coco_mean(s->sampled, points, r->protocol->summation);
    for (size_t slot = 0; slot < n && !is_stopped(r->stop); slot++)
        for (size_t i = 0; i < points; i++)
            s->values[i * n + slot] = s->sampled[slot * points + i];
    return coco_mean(s->values, points * n, r->protocol->summation);
}

static void score_image(void *context, size_t image, size_t worker)
{
    struct job *job = context;
    const struct coco_result *r = job->r;
    struct scratch *s = &job->scratch[worker];
    struct coco_image out = {0};
    double iou_sum = 0;
    size_t slots = 0;
    for (uint32_t c = job->by->first[image];
         c < job->by->first[image + 1] && !is_stopped(job->r->stop); c++) {
        const struct coco_cell *cell = &r->index.cell[job->by->cell[c]];
        uint32_t n = positives(job->v, cell);
        out.positives += n;
        count_cell(job, cell, &out, &iou_sum);
        if (n > 0 && job->aps)
            sample_cell(job, cell, n, s, slots++);
    }
    out.fn = out.positives - out.tp;
    out.mean_iou = out.tp ? iou_sum / out.tp : NAN;
    if (is_stopped(job->r->stop))
        return;
    out.ap = image_ap(job, s, slots);
    job->out[image] = out;
}

/*
 * Cells are sorted by category; here they are wanted by image.  start has one
 * item more than by->first shows, for the counting.
 */
int coco_by_image(struct coco_by_image *by, const struct coco_index *ix,
                  struct arena *mem, const struct parallel *par)
{
    uint32_t *start = arena_zero(mem, ix->n_images + 2, sizeof(*start));
    size_t n = ix->n_cells;
    by->first = start;
    by->cell = arena_alloc(mem, n, sizeof(*by->cell));
    if (mem->failed)
        return -1;
    for (size_t c = 0, end; (end = stop_reach(par->stop, c, n)) > c;)
        for (; c < end; c++)
            start[ix->cell[c].image + 2]++;
    for (size_t i = 0; i < ix->n_images; i++)
        start[i + 2] += start[i + 1];
    for (size_t c = 0, end; (end = stop_reach(par->stop, c, n)) > c;)
        for (; c < end; c++)
            by->cell[start[ix->cell[c].image + 1]++] = (uint32_t)c;
    return parallel_stopped(par) ? -1 : 0;
}

/* Room for the curves of the image that has most. */
static int make_scratch(struct job *job, size_t workers, struct arena *mem)
{
    const struct coco_index *ix = &job->r->index;
    const struct coco_protocol *p = job->r->protocol;
    size_t most = 0, n_gt = 0, n_dt = 0;
    for (size_t i = 0; i < ix->n_images; i++)
        if (job->by->first[i + 1] - job->by->first[i] > most)
            most = job->by->first[i + 1] - job->by->first[i];
    for (size_t c = 0; c < ix->n_cells; c++) {
        n_gt = ix->cell[c].n_gt > n_gt ? ix->cell[c].n_gt : n_gt;
        n_dt = ix->cell[c].n_dt > n_dt ? ix->cell[c].n_dt : n_dt;
    }
    size_t values = most * p->n_iou * p->n_recall;
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++) {
        job->scratch[w].cell =
            arena_alloc(mem, n_dt, sizeof(struct coco_sorted));
        job->scratch[w].sampled = arena_alloc(mem, values, sizeof(double));
        job->scratch[w].values = arena_alloc(mem, values, sizeof(double));
        if (coco_curve_alloc(&job->scratch[w].curve, p->n_iou, n_gt, false,
                             mem))
            return -1;
    }
    return mem->failed ? -1 : 0;
}

int coco_images(const struct coco_result *r, const struct coco_verdicts *v,
                const struct coco_by_image *by, bool aps,
                struct coco_image *out, struct arena *mem,
                const struct parallel *par)
{
    struct job job = {.r = r, .v = v, .by = by, .aps = aps, .out = out};
    struct arena_mark mark = arena_mark(mem);
    if (make_scratch(&job, par->width, mem))
        return -1;
    par->run(par, r->index.n_images, score_image, &job);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
