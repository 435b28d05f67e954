/*
 * Image by image, because a detection may have met what belongs to another
 * category.  Built with -ffp-contract=off, as everything.
 */
#include "core/coco_verdict.h"

#include "core/coco_box.h"
#include "core/coco_mask.h"
#include "core/key_sort.h"

#include <string.h>

enum { IMAGES_PER_ITEM = 16 };

/* A ground truth of the image at hand that counts. */
struct truth {
    struct coco_box box;
    uint32_t class, place;
    bool open; /* for the confusion */
};

/* What one worker needs, sized for the image that has most. */
struct scratch {
    struct truth *truth;
    size_t n_truth;
    /* False positives that are near an open truth of another category. */
    struct key_order by;
    size_t n_rest;
};

struct job {
    const struct coco_result *r;
    const struct coco_by_image *by;
    struct coco_verdicts *v;
    double iou; /* of a match, capped as pycocotools caps it */
    bool apart; /* boxes that share nothing are nothing to each other */
    struct scratch *scratch;
};

/* The ground truth that overlaps most, of those that were asked about. */
struct nearest {
    double iou;
    uint32_t place;
};

static struct coco_box box_of(const struct coco_result *r, uint32_t place)
{
    return coco_corners(r->dt->box + 4 * (size_t)r->index.dt[place]);
}

static const struct coco_cell *cell_at(const struct job *job, uint32_t c)
{
    return &job->r->index.cell[job->by->cell[c]];
}

/* The kinds that a mark tells by itself; any false one for the rest. */
static uint8_t kind_of_mark(const struct coco_result *r, uint32_t place)
{
    const struct coco_matches *m = &r->matches;
    struct coco_sorted d = {place, m->mark[place]};
    if (d.mark.limit >= COCO_LIMITS)
        return COCO_CUT;
    struct coco_mask mask = coco_mask(m, d, r->protocol->area_all);
    if (mask.ignored >> m->per_image & 1)
        return COCO_IGNORED;
    return mask.matched >> m->per_image & 1 ? COCO_TRUE_POSITIVE
                                            : COCO_BACKGROUND;
}

/* Notes what AP's matches say of a cell. */
static void note_matches(const struct job *job, const struct coco_cell *cell)
{
    const struct coco_result *r = job->r;
    struct coco_verdicts *v = job->v;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++) {
        v->counts[g] = coco_counts(r, g, r->protocol->area_all);
        v->found[g] = v->claim[g] = v->confused[g] = COCO_UNKNOWN;
        v->overlap[g] = 0;
    }
    for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
        v->kind[d] = kind_of_mark(r, d);
        if (v->kind[d] == COCO_TRUE_POSITIVE)
            v->found[v->truth[d]] = d;
    }
}

static void load_truths(const struct job *job, const struct coco_cell *cell,
                        struct scratch *s)
{
    const struct coco_result *r = job->r;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++) {
        if (job->v->counts[g])
            s->truth[s->n_truth++] = (struct truth){
                coco_corners(r->gt->box + 4 * (size_t)r->index.gt[g]),
                cell->category, g, coco_is_missed(r, job->v, g)};
    }
}

/* What a detection overlaps. */
struct overlaps {
    struct nearest own, other; /* of its category, of the others */
    bool rest;                 /* it may take an open one of another category */
};

static struct overlaps overlap_all(const struct job *job, struct scratch *s,
                                   uint32_t place, uint32_t class)
{
    struct overlaps o = {{-1, COCO_UNKNOWN}, {-1, COCO_UNKNOWN}, false};
    struct coco_box box = box_of(job->r, place);
    bool shown = coco_is_shown(job->r, place);
    for (size_t i = 0; i < s->n_truth; i++) {
        const struct truth *t = &s->truth[i];
        double iou = coco_iou(&box, &t->box, false);
        if (iou <= 0 && job->apart)
            continue;
        bool own = t->class == class;
        struct nearest *best = own ? &o.own : &o.other;
        if (iou > best->iou)
            *best = (struct nearest){iou, t->place};
        if (!shown)
            continue;
        if (iou > job->v->overlap[t->place])
            job->v->overlap[t->place] = iou;
        o.rest |= !own && t->open && iou >= job->iou;
    }
    return o;
}

/* The type of a false positive, and by which ground truth it is of it. */
static enum coco_kind kind_of_false(const struct job *job,
                                    const struct overlaps *o, uint32_t *truth)
{
    double background = job->r->protocol->background_iou;
    if (o->own.iou >= background && o->own.iou < job->iou) {
        *truth = o->own.place;
        return COCO_LOCALISATION;
    }
    if (o->other.iou >= job->iou) {
        *truth = o->other.place;
        return COCO_CLASSIFICATION;
    }
    if (o->own.iou >= job->iou) {
        *truth = o->own.place;
        return COCO_DUPLICATE;
    }
    if (o->other.iou >= background) {
        *truth = o->other.place;
        return COCO_BOTH;
    }
    *truth = COCO_UNKNOWN;
    return COCO_BACKGROUND;
}

/* A missed ground truth goes to the best score that might have met it. */
static void claim(const struct job *job, uint32_t place)
{
    struct coco_verdicts *v = job->v;
    uint32_t g = v->truth[place];
    if (v->found[g] != COCO_UNKNOWN)
        return;
    if (v->claim[g] == COCO_UNKNOWN ||
        coco_score_at(job->r, place) > coco_score_at(job->r, v->claim[g]))
        v->claim[g] = place;
}

static void judge_cell(const struct job *job, const struct coco_cell *cell,
                       struct scratch *s)
{
    struct coco_verdicts *v = job->v;
    for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
        if (v->kind[d] == COCO_CUT || is_stopped(job->r->stop))
            break; /* so are all that follow */
        struct overlaps o = overlap_all(job, s, d, cell->category);
        if (v->kind[d] >= COCO_FALSE_KINDS)
            continue;
        v->kind[d] = (uint8_t)kind_of_false(job, &o, &v->truth[d]);
        if (v->kind[d] == COCO_CLASSIFICATION ||
            v->kind[d] == COCO_LOCALISATION)
            claim(job, d);
        if (o.rest) {
            s->by.key[s->n_rest] = score_key(coco_score_at(job->r, d));
            s->by.row[s->n_rest++] = d;
        }
    }
}

/* The open ground truth of another category that box overlaps most. */
static struct truth *best_open(const struct scratch *s,
                               const struct coco_box *box, uint32_t class,
                               double iou)
{
    struct truth *best = NULL;
    for (size_t i = 0; i < s->n_truth; i++) {
        struct truth *t = &s->truth[i];
        if (!t->open || t->class == class)
            continue;
        double is = coco_iou(box, &t->box, false);
        if (is >= iou) {
            iou = is;
            best = t;
        }
    }
    return best;
}

/* Matches what AP left over across categories, best score first. */
static void confuse(const struct job *job, struct scratch *s)
{
    const struct coco_result *r = job->r;
    key_sort(&s->by, s->n_rest, r->stop);
    for (size_t i = 0; i < s->n_rest && !is_stopped(r->stop); i++) {
        uint32_t place = s->by.row[i];
        struct coco_box box = box_of(r, place);
        uint32_t class = (uint32_t)coco_class_at(&r->index, place);
        struct truth *t = best_open(s, &box, class, job->iou);
        if (!t)
            continue;
        t->open = false;
        job->v->confused[t->place] = place;
    }
}

static void judge_image(const struct job *job, size_t image, struct scratch *s)
{
    uint32_t from = job->by->first[image], to = job->by->first[image + 1];
    s->n_truth = s->n_rest = 0;
    for (uint32_t c = from; c < to; c++)
        note_matches(job, cell_at(job, c));
    for (uint32_t c = from; c < to; c++)
        load_truths(job, cell_at(job, c), s);
    for (uint32_t c = from; c < to; c++)
        judge_cell(job, cell_at(job, c), s);
    confuse(job, s);
}

static void judge_images(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    size_t from = item * IMAGES_PER_ITEM, to = from + IMAGES_PER_ITEM;
    for (size_t i = from;
         i < to && i < job->r->index.n_images && !is_stopped(job->r->stop); i++)
        judge_image(job, i, &job->scratch[worker]);
}

static int make_scratch(struct job *job, size_t workers, struct arena *mem)
{
    const struct coco_index *ix = &job->r->index;
    size_t n_gt = 0, n_dt = 0;
    for (size_t i = 0; i < ix->n_images; i++) {
        size_t gt = 0, dt = 0;
        for (uint32_t c = job->by->first[i]; c < job->by->first[i + 1]; c++) {
            gt += cell_at(job, c)->n_gt;
            dt += cell_at(job, c)->n_dt;
        }
        n_gt = gt > n_gt ? gt : n_gt;
        n_dt = dt > n_dt ? dt : n_dt;
    }
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++)
        job->scratch[w] = (struct scratch){
            .truth = arena_alloc(mem, n_gt, sizeof(struct truth)),
            .by = key_order_alloc(n_dt, mem),
        };
    return mem->failed ? -1 : 0;
}

int coco_verdicts(struct coco_verdicts *v, const struct coco_result *r,
                  const struct coco_by_image *by, struct arena *mem,
                  const struct parallel *par)
{
    const struct coco_index *ix = &r->index;
    struct job job = {
        .r = r,
        .by = by,
        .v = v,
        .iou = coco_least_iou(r->protocol->per_image_iou),
        .apart = r->protocol->background_iou > 0,
    };
    *v = (struct coco_verdicts){
        .kind = arena_alloc(mem, ix->n_dt, sizeof(*v->kind)),
        .truth = r->matches.truth,
        .counts = arena_alloc(mem, ix->n_gt, sizeof(*v->counts)),
        .found = arena_alloc(mem, ix->n_gt, sizeof(*v->found)),
        .claim = arena_alloc(mem, ix->n_gt, sizeof(*v->claim)),
        .confused = arena_alloc(mem, ix->n_gt, sizeof(*v->confused)),
        .overlap = arena_alloc(mem, ix->n_gt, sizeof(*v->overlap)),
    };
    struct arena_mark mark = arena_mark(mem);
    if (mem->failed || make_scratch(&job, par->width, mem))
        return -1;
    par->run(par, (ix->n_images + IMAGES_PER_ITEM - 1) / IMAGES_PER_ITEM,
             judge_images, &job);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
