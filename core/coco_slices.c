/* Scores by the size of objects, and by how many an image has. */
#include "core/coco_replay.h"

#include <string.h>

/* The mean of one kind over all categories, at the largest max_detections. */
static double value(const struct coco_result *r, size_t area, double iou,
                    bool recall)
{
    const struct coco_protocol *p = r->protocol;
    const struct coco_number number = {.recall = recall,
                                       .iou = iou,
                                       .area = p->area[area].name,
                                       .limit =
                                           p->max_detections[COCO_LIMITS - 1]};
    return coco_value(r, &number, COCO_ALL_CLASSES);
}

static struct coco_slice slice(const struct coco_result *r, size_t area,
                               uint32_t images)
{
    struct coco_slice s = {.images = images,
                           .ap = value(r, area, 0, false),
                           .ap50 = value(r, area, 0.5, false),
                           .ap75 = value(r, area, 0.75, false),
                           .ar = value(r, area, 0, true)};
    for (size_t k = 0; k < r->index.n_classes; k++)
        s.positives += r->class[k].positives[area];
    return s;
}

void coco_size_slices(const struct coco_result *r, struct coco_slice *out)
{
    for (size_t a = 0; a < r->protocol->n_areas; a++)
        out[a] = slice(r, a, (uint32_t)r->index.n_images);
}

/* What one worker needs. */
struct scratch {
    struct coco_take *take;
    uint32_t *weight;
};

struct job {
    const struct coco_result *r;
    const struct coco_replay *replay;
    const uint32_t *positives; /* per image */
    struct scratch *scratch;
    struct coco_slice *out;
};

static void count_positives(const struct coco_result *r, uint32_t *positives)
{
    const struct coco_index *ix = &r->index;
    for (size_t c = 0, end; (end = stop_reach(r->stop, c, ix->n_cells)) > c;)
        for (; c < end; c++) {
            const struct coco_cell *cell = &ix->cell[c];
            for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
                positives[cell->image] +=
                    coco_counts(r, g, r->protocol->area_all);
        }
}

static void score_count(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    const struct coco_protocol *p = job->r->protocol;
    const struct coco_count *range = &p->count[item];
    const struct scratch *s = &job->scratch[worker];
    uint32_t images = 0;
    for (size_t i = 0; i < job->r->index.n_images; i++) {
        uint32_t n = job->positives[i];
        s->weight[i] = n >= range->lo && n <= range->hi;
        images += s->weight[i];
    }
    job->out[item] = slice(coco_replay_play(job->replay, s->weight, s->take),
                           p->area_all, images);
}

int coco_count_slices(const struct coco_result *r,
                      const struct coco_replay *replay, struct coco_slice *out,
                      struct arena *mem, const struct parallel *par)
{
    struct arena_mark mark = arena_mark(mem);
    size_t n_images = r->index.n_images;
    uint32_t *positives = arena_zero(mem, n_images, sizeof(*positives));
    struct job job = {
        .r = r, .replay = replay, .positives = positives, .out = out};
    job.scratch = arena_alloc(mem, par->width, sizeof(*job.scratch));
    for (size_t w = 0; w < par->width && !mem->failed; w++) {
        struct scratch *s = &job.scratch[w];
        s->take = coco_take_new(replay, mem);
        s->weight = arena_alloc(mem, n_images, sizeof(*s->weight));
    }
    if (mem->failed)
        return -1;
    count_positives(r, positives);
    par->run(par, r->protocol->n_counts, score_count, &job);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
