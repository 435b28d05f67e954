/* Which category stands for which: counted from the verdicts. */
#include "core/coco_verdict.h"
#include "core/key_sort.h"

#include <string.h>

struct job {
    const struct coco_result *r;
    const struct coco_verdicts *v;
    struct coco_confusion *out;
    uint32_t *unmatched; /* per class: false positives that stand for nothing */
    struct key_order by;
};

/* False positives of a class, whatever they stand for. */
static void count_false(void *context, size_t k, size_t worker)
{
    struct job *job = context;
    const uint32_t *class = job->r->index.class_dt;
    uint32_t n = 0;
    (void)worker;
    for (size_t i = class[k], end;
         (end = stop_reach(job->r->stop, i, class[k + 1])) > i;)
        for (; i < end; i++)
            n += job->v->kind[i] < COCO_FALSE_KINDS &&
                 coco_is_shown(job->r, (uint32_t)i);
    job->unmatched[k] = n;
}

/* The class that was found in place of ground truth g of class k. */
static uint32_t found_for(const struct job *job, uint32_t g, uint32_t k)
{
    uint32_t other = job->v->confused[g];
    if (!coco_is_missed(job->r, job->v, g))
        return k;
    if (other == COCO_UNKNOWN)
        return (uint32_t)job->r->index.n_classes;
    return (uint32_t)coco_class_at(&job->r->index, other);
}

static void emit(struct coco_confusion *c, uint32_t truth, uint32_t found,
                 uint32_t count)
{
    if (count)
        c->cell[c->n++] = (struct coco_confused){truth, found, count};
}

/* The row of class k: what was found for each of its ground truths. */
static void write_row(struct job *job, uint32_t k)
{
    const struct coco_index *ix = &job->r->index;
    size_t n = 0;
    for (uint32_t g = ix->class_gt[k]; g < ix->class_gt[k + 1]; g++)
        if (job->v->counts[g])
            job->by.key[n++] = found_for(job, g, k);
    memset(job->by.row, 0, n * sizeof(*job->by.row));
    key_sort(&job->by, n, job->r->stop);
    for (size_t i = 0, from = 0; i < n && !is_stopped(job->r->stop); i++) {
        if (i + 1 < n && job->by.key[i + 1] == job->by.key[i])
            continue;
        uint32_t found = (uint32_t)job->by.key[i],
                 count = (uint32_t)(i + 1 - from);
        emit(job->out, k, found, count);
        if (found != k && found < ix->n_classes)
            job->unmatched[found] -= count;
        from = i + 1;
    }
}

int coco_confusion(struct coco_confusion *c, const struct coco_result *r,
                   const struct coco_verdicts *v, struct arena *mem,
                   const struct parallel *par)
{
    const struct coco_index *ix = &r->index;
    uint32_t n = (uint32_t)ix->n_classes;
    struct job job = {.r = r, .v = v, .out = c};
    *c = (struct coco_confusion){
        .cell = arena_alloc(mem, ix->n_gt + n, sizeof(*c->cell))};
    struct arena_mark mark = arena_mark(mem);
    job.unmatched = arena_alloc(mem, n, sizeof(*job.unmatched));
    job.by = key_order_alloc(ix->n_gt, mem);
    if (mem->failed)
        return -1;
    par->run(par, n, count_false, &job);
    for (uint32_t k = 0; k < n && !parallel_stopped(par); k++)
        write_row(&job, k);
    for (uint32_t k = 0; k < n && !parallel_stopped(par); k++)
        emit(c, n, k, job.unmatched[k]);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
