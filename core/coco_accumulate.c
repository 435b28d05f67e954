/*
 * From matches to precision, recall and scores, a category at a time, in two
 * stages: sorting, and curves from what is sorted.
 */
#include "core/coco_curve.h"
#include "core/key_sort.h"

#include <string.h>

_Static_assert(sizeof(struct coco_sorted) >= sizeof(uint64_t),
               "sorted is lent as room for keys");

struct sorting {
    const struct coco_result *r;
    struct coco_matches *out;
    struct key_order *sorter; /* one per worker */
};

struct scratch {
    uint32_t *reached; /* one per recall threshold */
    struct coco_curve curve;
};

struct job {
    struct coco_result *r;
    const struct coco_ranked *ranked;
    struct scratch *scratch; /* one per worker */
};

/*
 * Best score first over all images; marks lie in image order, which breaks
 * ties.  Those beyond every limit are left out.
 */
static void sort_class(void *context, size_t k, size_t worker)
{
    const struct sorting *job = context;
    struct coco_matches *m = job->out;
    struct key_order *by = &job->sorter[worker];
    uint32_t n = 0;
    const uint32_t *class = job->r->index.class_dt;
    for (size_t i = class[k], end;
         (end = stop_reach(job->r->stop, i, class[k + 1])) > i;)
        for (; i < end; i++) {
            if (m->mark[i].limit >= COCO_LIMITS)
                continue;
            by->key[n] = score_key(coco_score_at(job->r, (uint32_t)i));
            by->row[n++] = (uint32_t)i;
        }
    struct coco_sorted *sorted = m->sorted + class[k];
    by->spare_key = (void *)sorted; /* not in use yet, as large as keys */
    key_sort(by, n, job->r->stop);
    for (uint32_t i = 0; i < n && !is_stopped(job->r->stop); i++)
        sorted[i] = (struct coco_sorted){by->row[i], m->mark[by->row[i]]};
    m->class_sorted[k] = n;
}

/* Precision is sampled for the limits that some number of the summary has. */
static void choose_slots(struct coco_result *r, bool all)
{
    r->n_slots = 0;
    for (size_t limit = 0; limit < COCO_LIMITS; limit++)
        r->slot[limit] = all || limit == COCO_LIMITS - 1 ||
                                 r->protocol->max_detections[limit] == 100
                             ? r->n_slots++
                             : COCO_LIMITS;
}

/* One curve: category k, area range a, max_detections[limit]. */
static void fill_block(struct job *job, size_t k, size_t a, size_t limit,
                       struct scratch *s)
{
    const struct coco_result *r = job->r;
    const struct coco_protocol *p = r->protocol;
    const struct coco_sorted *sorted = job->ranked[k].at;
    struct coco_class *class = &r->class[k];
    s->curve.positives = class->positives[a];
    coco_curve_fill(&s->curve, &r->matches, sorted, job->ranked[k].n, a,
                    (uint8_t)limit, p->n_iou, r->stop);
    if (is_stopped(job->r->stop))
        return;
    for (size_t t = 0; t < p->n_iou; t++) {
        class->recall[coco_recall_row(r, a, limit, t)] =
            (double)s->curve.n_tp[t] / s->curve.positives;
        if (r->slot[limit] == COCO_LIMITS)
            continue;
        size_t row = coco_precision_row(r, a, limit, t) * p->n_recall;
        coco_curve_sample(&s->curve, t, p, class->precision + row,
                          class->scores ? s->reached : NULL);
        if (!class->scores)
            continue;
        for (size_t i = 0; i < p->n_recall; i++) {
            uint32_t at = s->reached[i];
            class->scores[row + i] =
                at == COCO_UNKNOWN ? 0 : coco_score_at(r, sorted[at].place);
        }
    }
}

static void fill_area(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    size_t k = item / job->r->protocol->n_areas;
    size_t a = item % job->r->protocol->n_areas;
    if (job->r->class[k].positives[a] == 0)
        return;
    for (size_t limit = 0; limit < COCO_LIMITS && !is_stopped(job->r->stop);
         limit++)
        fill_block(job, k, a, limit, &job->scratch[worker]);
}

/* Room for the curves of category k, unless no area range has any. */
static int make_class(struct coco_result *r, size_t k, bool scores,
                      struct arena *mem)
{
    const struct coco_protocol *p = r->protocol;
    struct coco_class *class = &r->class[k];
    uint32_t any = 0;
    for (size_t a = 0; a < p->n_areas; a++)
        any |= class->positives[a];
    if (!any)
        return 0;
    size_t recalls = p->n_areas * COCO_LIMITS * p->n_iou;
    size_t curves = p->n_areas * r->n_slots * p->n_iou;
    class->recall = arena_alloc(mem, recalls, sizeof(double));
    class->precision = arena_alloc(mem, curves * p->n_recall, sizeof(double));
    if (scores)
        class->scores = arena_alloc(mem, curves * p->n_recall, sizeof(double));
    return mem->failed ? -1 : 0;
}

static int make_scratch(struct job *job, bool scores, size_t workers,
                        struct arena *mem)
{
    const struct coco_result *r = job->r;
    const struct coco_protocol *p = r->protocol;
    size_t positives = 0;
    for (size_t k = 0; k < r->index.n_classes; k++)
        for (size_t a = 0; a < p->n_areas; a++)
            if (r->class[k].positives[a] > positives)
                positives = r->class[k].positives[a];
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++) {
        struct scratch *s = &job->scratch[w];
        s->reached = arena_alloc(mem, p->n_recall, sizeof(*s->reached));
        if (coco_curve_alloc(&s->curve, p->n_iou, positives, scores, mem))
            return -1;
    }
    return mem->failed ? -1 : 0;
}

int coco_curves(struct coco_result *r, const struct coco_ranked *ranked,
                struct coco_wanted wanted, struct arena *mem,
                const struct parallel *par)
{
    size_t n = r->index.n_classes;
    struct job job = {.r = r, .ranked = ranked};
    size_t values = n * r->protocol->n_iou * r->protocol->n_recall;
    r->stop = par->stop;
    r->values = arena_alloc(mem, values, sizeof(*r->values));
    if (mem->failed)
        return -1;
    choose_slots(r, wanted.limits);
    for (size_t k = 0; k < n; k++)
        if (make_class(r, k, wanted.scores, mem))
            return -1;
    struct arena_mark mark = arena_mark(mem);
    if (make_scratch(&job, wanted.scores, par->width, mem))
        return -1;
    par->run(par, n * r->protocol->n_areas, fill_area, &job);
    if (parallel_stopped(par))
        return -1;
    arena_release(mem, mark);
    return 0;
}

static int make_sorters(struct sorting *job, size_t workers, struct arena *mem)
{
    const struct coco_index *ix = &job->r->index;
    size_t n = 0;
    for (size_t k = 0; k < ix->n_classes; k++)
        if (ix->class_dt[k + 1] - ix->class_dt[k] > n)
            n = ix->class_dt[k + 1] - ix->class_dt[k];
    job->sorter = arena_alloc(mem, workers, sizeof(*job->sorter));
    for (size_t w = 0; w < workers && !mem->failed; w++)
        job->sorter[w] = (struct key_order){
            .key = arena_alloc(mem, n, sizeof(uint64_t)),
            .row = arena_alloc(mem, n, sizeof(uint32_t)),
            .spare_row = arena_alloc(mem, n, sizeof(uint32_t)),
        };
    return mem->failed ? -1 : 0;
}

/* Fills sorted, class_sorted and cut of the matches. */
static int sort_classes(struct coco_result *r, struct arena *mem,
                        const struct parallel *par)
{
    struct coco_matches *m = &r->matches;
    struct sorting job = {.r = r, .out = m};
    size_t n = r->index.n_classes;
    m->sorted = arena_alloc(mem, r->index.n_dt, sizeof(*m->sorted));
    m->class_sorted = arena_alloc(mem, n, sizeof(*m->class_sorted));
    struct arena_mark mark = arena_mark(mem);
    if (mem->failed || make_sorters(&job, par->width, mem))
        return -1;
    par->run(par, n, sort_class, &job);
    if (parallel_stopped(par))
        return -1;
    arena_release(mem, mark);
    m->cut = r->index.n_dt;
    for (size_t k = 0; k < n; k++)
        m->cut -= m->class_sorted[k];
    return 0;
}

/* Ground truths of category k that count in each area range. */
static void count_positives(const struct coco_result *r, size_t k,
                            struct coco_class *class)
{
    const struct coco_protocol *p = r->protocol;
    const struct coco_index *ix = &r->index;
    for (size_t i = ix->class_gt[k], end;
         (end = stop_reach(r->stop, i, ix->class_gt[k + 1])) > i;)
        for (; i < end; i++)
            for (size_t a = 0; a < p->n_areas; a++)
                class->positives[a] += coco_counts(r, (uint32_t)i, a);
}

int coco_accumulate(struct coco_result *r, struct coco_wanted wanted,
                    struct arena *mem, const struct parallel *par)
{
    const struct coco_matches *m = &r->matches;
    const struct coco_index *ix = &r->index;
    r->stop = par->stop;
    r->class = arena_zero(mem, ix->n_classes, sizeof(*r->class));
    struct coco_ranked *ranked =
        arena_alloc(mem, ix->n_classes, sizeof(*ranked));
    if (mem->failed || sort_classes(r, mem, par))
        return -1;
    for (size_t k = 0; k < ix->n_classes; k++) {
        count_positives(r, k, &r->class[k]);
        r->class[k].n_dt = ix->class_dt[k + 1] - ix->class_dt[k];
        ranked[k] = (struct coco_ranked){m->sorted + ix->class_dt[k],
                                         m->class_sorted[k]};
    }
    return coco_curves(r, ranked, wanted, mem, par);
}
