/* The per-image table. */
#include "core/coco_curve.h"

#include <math.h>
#include <string.h>

struct scratch {
    struct coco_curve curve;
    double *sampled; /* [cells of the image][T][R] */
    double *values;  /* the same, in the order of the mean */
};

struct job {
    const struct coco_result *r;
    struct coco_image *out;
    uint32_t *image_cell; /* n_images+1: where an image's cells begin */
    uint32_t *cell;       /* cells by image, then category */
    struct scratch *scratch;
};

static uint32_t positives(const struct coco_result *r,
                          const struct coco_cell *cell)
{
    const struct coco_area *all = &r->protocol->area[r->protocol->area_all];
    uint32_t n = 0;
    for (uint32_t i = 0; i < cell->n_gt; i++) {
        uint32_t row = r->index.gt[cell->gt + i];
        double area = r->gt->area[row];
        n += !r->gt->crowd[row] && !(area < all->lo || area > all->hi);
    }
    return n;
}

/* Adds one cell's detections to the image's counts. */
static void count_cell(const struct coco_result *r,
                       const struct coco_cell *cell, struct coco_image *out,
                       double *iou_sum)
{
    const struct coco_matches *m = &r->matches;
    const struct coco_mark *mark = m->mark + cell->dt;
    for (uint32_t i = 0; i < cell->n_dt; i++) {
        double score = r->dt->score[mark[i].detection];
        if (mark[i].limit >= COCO_LIMITS ||
            score < r->protocol->score_threshold)
            break; /* best score first, so are all that follow */
        struct coco_mask mask = coco_mask(m, &mark[i], r->protocol->area_all);
        bool matched = mask.matched >> m->per_image & 1;
        bool ignored = mask.ignored >> m->per_image & 1;
        out->detections++;
        out->ignored += ignored;
        out->fp += !ignored && !matched;
        if (!ignored && matched) {
            out->tp++;
            *iou_sum += m->iou[mark[i].row];
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
    coco_curve_fill(&s->curve, &r->matches, r->matches.mark + cell->dt,
                    cell->n_dt, p->area_all, COCO_LIMITS - 1, p->n_iou,
                    job->r->stop);
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
    for (size_t i = 0; i < points && !is_stopped(job->r->stop); i++)
        for (size_t slot = 0; slot < n; slot++)
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
    for (uint32_t c = job->image_cell[image];
         c < job->image_cell[image + 1] && !is_stopped(job->r->stop); c++) {
        const struct coco_cell *cell = &r->index.cell[job->cell[c]];
        uint32_t n = positives(r, cell);
        out.positives += n;
        count_cell(r, cell, &out, &iou_sum);
        if (n > 0)
            sample_cell(job, cell, n, s, slots++);
    }
    out.fn = out.positives - out.tp;
    out.mean_iou = out.tp ? iou_sum / out.tp : NAN;
    if (is_stopped(job->r->stop))
        return;
    out.ap = image_ap(job, s, slots);
    job->out[image] = out;
}

/* Cells are sorted by category; here they are wanted by image. */
static void group_cells(struct job *job)
{
    const struct coco_index *ix = &job->r->index;
    uint32_t *start = job->image_cell;
    size_t n = ix->n_cells;
    memset(start, 0, (ix->n_images + 2) * sizeof(*start));
    for (size_t c = 0, end; (end = stop_reach(job->r->stop, c, n)) > c;)
        for (; c < end; c++)
            start[ix->cell[c].image + 2]++;
    for (size_t i = 0; i < ix->n_images; i++)
        start[i + 2] += start[i + 1];
    for (size_t c = 0, end; (end = stop_reach(job->r->stop, c, n)) > c;)
        for (; c < end; c++)
            job->cell[start[ix->cell[c].image + 1]++] = (uint32_t)c;
}

int coco_images(const struct coco_result *r, struct coco_image *out,
                struct arena *mem, const struct parallel *par)
{
    const struct coco_index *ix = &r->index;
    const struct coco_protocol *p = r->protocol;
    struct job job = {.r = r, .out = out};
    job.image_cell = arena_alloc(mem, ix->n_images + 2, sizeof(uint32_t));
    job.cell = arena_alloc(mem, ix->n_cells, sizeof(uint32_t));
    job.scratch = arena_alloc(mem, par->width, sizeof(*job.scratch));
    if (mem->failed)
        return -1;
    group_cells(&job);
    if (parallel_stopped(par))
        return -1;
    size_t most = 0, n_gt = 0;
    for (size_t i = 0; i < ix->n_images; i++)
        if (job.image_cell[i + 1] - job.image_cell[i] > most)
            most = job.image_cell[i + 1] - job.image_cell[i];
    for (size_t c = 0; c < ix->n_cells; c++)
        n_gt = ix->cell[c].n_gt > n_gt ? ix->cell[c].n_gt : n_gt;
    size_t values = most * p->n_iou * p->n_recall;
    for (size_t w = 0; w < par->width; w++) {
        job.scratch[w].sampled = arena_alloc(mem, values, sizeof(double));
        job.scratch[w].values = arena_alloc(mem, values, sizeof(double));
        if (coco_curve_alloc(&job.scratch[w].curve, p->n_iou, n_gt, false, mem))
            return -1;
    }
    par->run(par, ix->n_images, score_image, &job);
    return parallel_stopped(par) ? -1 : 0;
}
