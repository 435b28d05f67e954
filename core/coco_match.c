/*
 * Which detection meets which ground truth, cell by cell.
 *
 * pycocotools walks thresholds, then detections, then ground truths, over a
 * matrix of IoUs.  Here a detection is walked once: the ground truths that it
 * overlaps at all are few, and what earlier detections took is kept as one
 * bit per threshold.  The outcome is the same because a detection's choice
 * depends on the choices of those before it in the same cell, area range and
 * threshold only.
 *
 * Built with -ffp-contract=off, as everything: a fused multiply-add would
 * change the bits.
 */
#include "core/coco_box.h"
#include "core/coco_mark.h"
#include "core/key_sort.h"

#include <math.h>
#include <string.h>

enum { CELLS_PER_ITEM = 256, LONG_LIST = 256 /* of candidates */ };

/* A ground truth that the detection at hand overlaps. */
struct candidate {
    uint32_t gt; /* place within the cell */
    double iou;
};

/* What one worker needs, sized for the largest cell. */
struct scratch {
    struct key_order by;
    struct coco_box *box;
    uint16_t *ignored; /* bit a: ignored in area range a */
    uint8_t *crowd;
    uint64_t *taken; /* [A][n_gt], bit t */
    struct candidate *candidate;
};

struct job {
    const struct coco_result *in;
    struct coco_matches *out;
    double threshold[COCO_IOU_MAX + 1]; /* capped as pycocotools caps them */
    double lowest;
    uint64_t all;            /* a bit for each of them */
    struct scratch *scratch; /* one per worker */
};

/* Puts the cell's detections in score order and marks them as unmatched. */
static uint32_t mark_detections(const struct job *job,
                                const struct coco_cell *cell, struct scratch *s)
{
    const struct coco_result *in = job->in;
    const struct coco_protocol *p = in->protocol;
    struct coco_mark *mark = job->out->mark + cell->dt;
    uint32_t *row = in->index.dt + cell->dt;
    for (size_t i = 0, end;
         (end = stop_reach(job->in->stop, i, cell->n_dt)) > i;)
        for (; i < end; i++) {
            s->by.row[i] = row[i];
            s->by.key[i] = score_key(in->dt->score[row[i]]);
        }
    key_sort(&s->by, cell->n_dt, job->in->stop);
    for (uint32_t i = 0; i < cell->n_dt && !is_stopped(job->in->stop); i++) {
        row[i] = s->by.row[i];
        mark[i] = coco_mark_of(p, i, in->dt->box + 4 * (size_t)row[i]);
    }
    if (job->out->truth)
        memset(job->out->truth + cell->dt, 0xff, /* COCO_UNKNOWN */
               cell->n_dt * sizeof(*job->out->truth));
    uint32_t most = p->max_detections[COCO_LIMITS - 1];
    return cell->n_dt < most ? cell->n_dt : most;
}

static void load_ground_truths(const struct job *job,
                               const struct coco_cell *cell, struct scratch *s)
{
    const struct coco_result *in = job->in;
    for (size_t i = 0, end;
         (end = stop_reach(job->in->stop, i, cell->n_gt)) > i;)
        for (; i < end; i++) {
            uint32_t row = in->index.gt[cell->gt + i];
            s->box[i] = coco_corners(in->gt->box + 4 * (size_t)row);
            s->crowd[i] = in->gt->crowd[row];
            s->ignored[i] = s->crowd[i]
                                ? UINT16_MAX
                                : coco_outside(in->protocol, in->gt->area[row]);
        }
    memset(s->taken, 0, in->protocol->n_areas * cell->n_gt * sizeof(*s->taken));
}

/*
 * Ground truths that reach the lowest threshold, in file order.  Tiny or huge
 * boxes have an IoU of 0/0, which is below no threshold; and nothing is below
 * it, so after one pycocotools takes whatever comes.
 */
static size_t find_candidates(const struct job *job, uint32_t n_gt,
                              const double *xywh, struct scratch *s)
{
    struct coco_box d = coco_corners(xywh);
    size_t n = 0;
    bool undefined = false;
    for (size_t g = 0, end; (end = stop_reach(job->in->stop, g, n_gt)) > g;)
        for (; g < end; g++) {
            double iou = coco_iou(&d, &s->box[g], s->crowd[g]);
            undefined |= isnan(iou);
            if (undefined || !(iou < job->lowest))
                s->candidate[n++] = (struct candidate){(uint32_t)g, iou};
        }
    return n;
}

/*
 * The best candidate that is free at threshold t and, in area range a, is or
 * is not ignored; of equals the last.  Returns n if there is none.
 */
static size_t best_candidate(const struct scratch *s, size_t n, size_t a,
                             uint16_t ignored, size_t t, double threshold,
                             const uint64_t *taken)
{
    size_t best = n;
    double iou = threshold;
    for (size_t i = 0; i < n; i++) {
        const struct candidate *c = &s->candidate[i];
        if ((s->ignored[c->gt] >> a & 1) != ignored)
            continue;
        if ((taken[c->gt] >> t & 1) && !s->crowd[c->gt])
            continue;
        if (c->iou < iou)
            continue;
        iou = c->iou;
        best = i;
    }
    return best;
}

static bool has_id_zero(const struct job *job, const struct coco_cell *cell,
                        uint32_t g)
{
    uint32_t row = job->in->index.gt[cell->gt + g];
    return job->in->gt->id[row] == 0;
}

/* Matches one detection in area range a, at every threshold. */
static struct coco_mask match_one(const struct job *job,
                                  const struct coco_cell *cell, uint32_t place,
                                  size_t a, size_t n, struct scratch *s)
{
    struct coco_mask mask = {0, 0};
    uint64_t *taken = s->taken + a * cell->n_gt;
    bool long_list = n > LONG_LIST;
    for (size_t t = 0; t < job->out->n_thresholds; t++) {
        uint64_t bit = UINT64_C(1) << t;
        double threshold = job->threshold[t];
        uint16_t ignored = 0;
        if (long_list && is_stopped(job->in->stop))
            break;
        size_t best = best_candidate(s, n, a, 0, t, threshold, taken);
        if (best == n) {
            ignored = 1;
            best = best_candidate(s, n, a, 1, t, threshold, taken);
        }
        if (best == n)
            continue;
        const struct candidate *c = &s->candidate[best];
        taken[c->gt] |= bit;
        if (ignored)
            mask.ignored |= bit;
        /* pycocotools stores the id, and takes 0 for "no match" */
        if (!has_id_zero(job, cell, c->gt))
            mask.matched |= bit;
        if (job->out->truth && t == job->out->per_image &&
            a == job->in->protocol->area_all)
            job->out->truth[place] = cell->gt + c->gt;
    }
    if (job->out->mark[place].outside >> a & 1)
        mask.ignored |= job->all & ~mask.matched;
    return mask;
}

static void match_cell(const struct job *job, const struct coco_cell *cell,
                       struct scratch *s)
{
    struct coco_matches *out = job->out;
    uint32_t n_dt = mark_detections(job, cell, s);
    if (cell->n_gt == 0 || is_stopped(job->in->stop))
        return;
    load_ground_truths(job, cell, s);
    for (uint32_t d = 0; d < n_dt && !is_stopped(job->in->stop); d++) {
        uint32_t place = cell->dt + d;
        const double *xywh =
            job->in->dt->box + 4 * (size_t)job->in->index.dt[place];
        size_t n = find_candidates(job, cell->n_gt, xywh, s);
        if (n == 0)
            continue;
        out->mark[place].overlaps = true;
        for (size_t a = 0; a < job->in->protocol->n_areas; a++)
            coco_mask_store(out, place, a,
                            match_one(job, cell, place, a, n, s));
    }
}

static void match_cells(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    const struct coco_index *ix = &job->in->index;
    size_t from = item * CELLS_PER_ITEM, to = from + CELLS_PER_ITEM;
    for (size_t c = from;
         c < to && c < ix->n_cells && !is_stopped(job->in->stop); c++)
        match_cell(job, &ix->cell[c], &job->scratch[worker]);
}

/* The protocol's thresholds, and the per-image one if it is not among them. */
static void set_thresholds(struct job *job, const struct coco_protocol *p)
{
    struct coco_matches *out = job->out;
    double raw[COCO_IOU_MAX + 1];
    memcpy(raw, p->iou, p->n_iou * sizeof(*raw));
    raw[p->n_iou] = p->per_image_iou;
    coco_matches_shape(out, p);
    size_t n = out->n_thresholds;
    job->all = UINT64_MAX >> (64 - n);
    job->lowest = 1;
    for (size_t t = 0; t < n; t++) {
        job->threshold[t] = coco_least_iou(raw[t]);
        job->lowest = fmin(job->lowest, job->threshold[t]);
    }
}

static int make_scratch(struct job *job, size_t workers, struct arena *mem)
{
    const struct coco_index *ix = &job->in->index;
    size_t n_dt = 0, n_gt = 0;
    for (size_t c = 0; c < ix->n_cells; c++) {
        n_dt = ix->cell[c].n_dt > n_dt ? ix->cell[c].n_dt : n_dt;
        n_gt = ix->cell[c].n_gt > n_gt ? ix->cell[c].n_gt : n_gt;
    }
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++)
        job->scratch[w] = (struct scratch){
            .by = key_order_alloc(n_dt, mem),
            .box = arena_alloc(mem, n_gt, sizeof(struct coco_box)),
            .ignored = arena_alloc(mem, n_gt, sizeof(uint16_t)),
            .crowd = arena_alloc(mem, n_gt, sizeof(uint8_t)),
            .taken = arena_alloc(mem, n_gt * job->in->protocol->n_areas,
                                 sizeof(uint64_t)),
            .candidate = arena_alloc(mem, n_gt, sizeof(struct candidate)),
        };
    return mem->failed ? -1 : 0;
}

/* Moves the rows that are in use together, and notes where they are. */
static void pack_rows(struct coco_matches *m, size_t n, struct arena *mem)
{
    uint32_t row = 0;
    for (size_t place = 0; place < n; place++) {
        bool overlaps = m->mark[place].overlaps;
        if (overlaps)
            memmove(m->rows + row * m->row_bytes,
                    m->rows + place * m->row_bytes, m->row_bytes);
        row = coco_rank_add(m->rank, place, overlaps, row);
    }
    arena_trim(mem, m->rows, row * m->row_bytes);
}

int coco_match(struct coco_result *r, bool truths, struct arena *mem,
               const struct parallel *par)
{
    const struct coco_index *ix = &r->index;
    struct coco_matches *out = &r->matches;
    *out = (struct coco_matches){0};
    struct job job = {.in = r, .out = out};
    r->stop = par->stop;
    set_thresholds(&job, r->protocol);
    out->mark = arena_alloc(mem, ix->n_dt, sizeof(*out->mark));
    out->rank = arena_alloc(mem, ix->n_dt / 64 + 1, sizeof(*out->rank));
    if (truths)
        out->truth = arena_alloc(mem, ix->n_dt, sizeof(*out->truth));
    out->rows = arena_alloc(mem, ix->n_dt, out->row_bytes); /* one for each */
    struct arena_mark mark = arena_mark(mem);
    if (mem->failed || make_scratch(&job, par->width, mem))
        return -1;
    par->run(par, (ix->n_cells + CELLS_PER_ITEM - 1) / CELLS_PER_ITEM,
             match_cells, &job);
    arena_release(mem, mark);
    if (parallel_stopped(par))
        return -1;
    pack_rows(out, ix->n_dt, mem);
    return 0;
}
