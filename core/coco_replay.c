/*
 * The matches of a result, pressed, and played with weights.
 *
 * Most detections are false positives wherever they count, and of those it is
 * enough to know how many stand before the next true positive: their images
 * are in one row of numbers, which a play adds up the weights of.
 *
 * Built with -ffp-contract=off, as everything.
 */
#include "core/coco_replay.h"
#include "core/coco_mask.h"

#include <float.h>
#include <string.h>

/* A detection that is not a false positive at some threshold. */
struct hit {
    uint64_t tp, ignored; /* bit t; a false positive at the others */
    uint32_t end;         /* detections up to it, itself included */
    uint8_t limit;        /* counts for max_detections[limit] and beyond */
};

/* What makes one curve: of a category, area range and limit. */
struct track {
    uint32_t n, n_hits, positives;
    uint32_t *image; /* n, best score first: those of detections that count */
    struct hit *hit; /* n_hits; the last one is the last true positive */
    uint32_t *truth; /* positives: the images of ground truths that count */
};

struct coco_replay {
    const struct coco_result *r;
    const atomic_bool *stop;
    struct track *track; /* [K][A][n_limits] */
    bool ranges;         /* all area ranges, not only "all" */
    size_t n_limits;
    uint8_t limit[COCO_LIMITS]; /* those that some number has, rising */
    size_t points;              /* true positives of a curve, at most */
};

struct coco_take {
    const struct coco_replay *replay;
    struct coco_result result;
    uint32_t *least; /* R: true positives that each recall asks for */
    /*
     * The curve, per threshold: true positives and precision at each place of
     * one, after a first with neither.
     */
    size_t capacity;
    uint32_t *tp;      /* [T][capacity] */
    double *precision; /* [T][capacity] */
    uint32_t n[COCO_IOU_MAX], ignored[COCO_IOU_MAX];
    uint32_t at_limit[COCO_LIMITS][COCO_IOU_MAX]; /* true positives */
};

/* Where a track belongs. */
struct place {
    size_t k, a;
    uint8_t limit;
};

static struct place place_of(const struct coco_replay *replay, size_t track)
{
    size_t area = track / replay->n_limits;
    size_t n_areas = replay->r->protocol->n_areas;
    return (struct place){.k = area / n_areas,
                          .a = area % n_areas,
                          .limit = replay->limit[track % replay->n_limits]};
}

static uint64_t all_thresholds(const struct coco_protocol *p)
{
    return UINT64_MAX >> (64 - p->n_iou);
}

/* Sets the counts of t; writes its rows, too, if they have been counted. */
static void press_detections(const struct coco_replay *replay, struct place at,
                             struct track *t)
{
    const struct coco_result *r = replay->r;
    const struct coco_matches *m = &r->matches;
    const struct coco_sorted *sorted = m->sorted + r->index.class_dt[at.k];
    uint64_t all = all_thresholds(r->protocol);
    size_t n_sorted = m->class_sorted[at.k];
    uint32_t n = 0, n_hits = 0;
    for (size_t i = 0, end; (end = stop_reach(replay->stop, i, n_sorted)) > i;)
        for (; i < end; i++) {
            struct coco_mask mask = coco_mask(m, sorted[i], at.a);
            uint64_t ignored = mask.ignored & all;
            uint64_t tp = mask.matched & ~mask.ignored & all;
            if (sorted[i].mark.limit > at.limit || ignored == all)
                continue;
            if (t->image && n_hits == t->n_hits)
                return; /* what follows changes nothing */
            if (t->image)
                t->image[n] = r->index.dt_image[r->index.dt[sorted[i].place]];
            n++;
            if (!tp && !ignored)
                continue;
            if (t->hit)
                t->hit[n_hits] =
                    (struct hit){tp, ignored, n, sorted[i].mark.limit};
            n_hits++;
            if (tp && !t->image)
                t->n = n, t->n_hits = n_hits;
        }
}

static void press_truths(const struct coco_result *r, struct place at,
                         uint32_t *truth)
{
    const uint32_t *cells = r->index.class_cell;
    for (size_t c = cells[at.k], end;
         (end = stop_reach(r->stop, c, cells[at.k + 1])) > c;)
        for (; c < end; c++) {
            const struct coco_cell *cell = &r->index.cell[c];
            for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
                if (coco_counts(r, g, at.a))
                    *truth++ = cell->image;
        }
}

static void count_track(void *context, size_t item, size_t worker)
{
    const struct coco_replay *replay = context;
    struct place at = place_of(replay, item);
    struct track *t = &replay->track[item];
    (void)worker;
    if (replay->ranges || at.a == replay->r->protocol->area_all)
        t->positives = replay->r->class[at.k].positives[at.a];
    if (t->positives > 0)
        press_detections(replay, at, t);
}

static void write_track(void *context, size_t item, size_t worker)
{
    const struct coco_replay *replay = context;
    struct place at = place_of(replay, item);
    struct track *t = &replay->track[item];
    (void)worker;
    if (t->positives == 0)
        return;
    press_truths(replay->r, at, t->truth);
    press_detections(replay, at, t);
}

/* Gives every track its part of three arrays of just the right size. */
static int allot(struct coco_replay *replay, size_t n_tracks, struct arena *mem)
{
    size_t images = 0, hits = 0, truths = 0;
    for (size_t i = 0; i < n_tracks; i++) {
        const struct track *t = &replay->track[i];
        images += t->n, hits += t->n_hits, truths += t->positives;
        size_t most = t->n_hits < t->positives ? t->n_hits : t->positives;
        replay->points = most > replay->points ? most : replay->points;
    }
    uint32_t *image = arena_alloc(mem, images, sizeof(*image));
    struct hit *hit = arena_alloc(mem, hits, sizeof(*hit));
    uint32_t *truth = arena_alloc(mem, truths, sizeof(*truth));
    if (mem->failed)
        return -1;
    for (size_t i = 0; i < n_tracks; i++) {
        struct track *t = &replay->track[i];
        t->image = image, t->hit = hit, t->truth = truth;
        image += t->n, hit += t->n_hits, truth += t->positives;
    }
    return 0;
}

struct coco_replay *coco_replay_new(const struct coco_result *r, bool ranges,
                                    struct arena *mem,
                                    const struct parallel *par)
{
    const struct coco_protocol *p = r->protocol;
    struct coco_replay *replay = arena_alloc(mem, 1, sizeof(*replay));
    if (!replay)
        return NULL;
    *replay = (struct coco_replay){.r = r, .stop = par->stop, .ranges = ranges};
    for (size_t m = 0; m < COCO_LIMITS; m++)
        if (m == COCO_LIMITS - 1 || p->max_detections[m] == 100)
            replay->limit[replay->n_limits++] = (uint8_t)m;
    size_t n_tracks = r->index.n_classes * p->n_areas * replay->n_limits;
    replay->track = arena_zero(mem, n_tracks, sizeof(*replay->track));
    if (!replay->track)
        return NULL;
    par->run(par, n_tracks, count_track, replay);
    if (parallel_stopped(par) || allot(replay, n_tracks, mem))
        return NULL;
    par->run(par, n_tracks, write_track, replay);
    return parallel_stopped(par) ? NULL : replay;
}

/* Room for the curves of every category that has ground truth. */
static struct coco_class *make_classes(const struct coco_result *r,
                                       size_t n_slots, struct arena *mem)
{
    const struct coco_protocol *p = r->protocol;
    size_t n = r->index.n_classes, curves = p->n_areas * n_slots * p->n_iou;
    size_t recalls = p->n_areas * COCO_LIMITS * p->n_iou;
    struct coco_class *class = arena_zero(mem, n, sizeof(*class));
    for (size_t k = 0; k < n && !mem->failed; k++) {
        class[k].n_dt = r->class[k].n_dt;
        if (!r->class[k].recall)
            continue;
        class[k].recall = arena_alloc(mem, recalls, sizeof(double));
        class[k].precision =
            arena_alloc(mem, curves * p->n_recall, sizeof(double));
    }
    return class;
}

struct coco_take *coco_take_new(const struct coco_replay *replay,
                                struct arena *mem)
{
    const struct coco_protocol *p = replay->r->protocol;
    struct coco_take *take = arena_alloc(mem, 1, sizeof(*take));
    if (!take)
        return NULL;
    *take = (struct coco_take){
        .replay = replay, .result = *replay->r, .capacity = replay->points + 1};
    size_t n_classes = replay->r->index.n_classes;
    size_t points = p->n_iou * take->capacity;
    take->result.stop = replay->stop;
    take->result.class = make_classes(replay->r, replay->n_limits, mem);
    take->result.n_slots = replay->n_limits;
    for (size_t i = 0; i < replay->n_limits; i++)
        take->result.slot[replay->limit[i]] = i;
    take->result.values =
        arena_alloc(mem, n_classes * p->n_iou * p->n_recall, sizeof(double));
    take->least = arena_alloc(mem, p->n_recall, sizeof(*take->least));
    take->tp = arena_alloc(mem, points, sizeof(*take->tp));
    take->precision = arena_alloc(mem, points, sizeof(*take->precision));
    return mem->failed ? NULL : take;
}

/* The weights of these images, added up. */
static uint32_t weigh(const uint32_t *image, size_t n, const uint32_t *weight,
                      const atomic_bool *stop)
{
    uint32_t sum = 0;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            sum += weight[image[i]];
    return sum;
}

/*
 * w true positives at once, counted detections up to them in all.  Of the
 * points that lie between one by one the last is the highest, so it is what
 * the envelope makes of each.
 */
static void add_tp(struct coco_take *take, size_t t, uint32_t w,
                   uint32_t counted)
{
    size_t at = t * take->capacity + take->n[t]++;
    uint32_t tp = take->tp[at] + w;
    take->tp[at + 1] = tp;
    take->precision[at + 1] = tp / (counted + DBL_EPSILON);
}

static void clear_curve(struct coco_take *take, size_t n_thresholds)
{
    memset(take->n, 0, sizeof(take->n));
    memset(take->ignored, 0, sizeof(take->ignored));
    memset(take->at_limit, 0, sizeof(take->at_limit));
    for (size_t t = 0; t < n_thresholds; t++)
        take->tp[t * take->capacity] = 0;
}

static void fill_curve(struct coco_take *take, const struct track *track,
                       const uint32_t *weight)
{
    const atomic_bool *stop = take->replay->stop;
    uint32_t begin = 0, counted = 0;
    for (size_t i = 0; i < track->n_hits && !is_stopped(stop); i++) {
        const struct hit *hit = &track->hit[i];
        counted += weigh(track->image + begin, hit->end - begin, weight, stop);
        begin = hit->end;
        uint32_t w = weight[track->image[begin - 1]];
        if (w == 0)
            continue;
        for (uint64_t bits = hit->ignored; bits; bits &= bits - 1)
            take->ignored[__builtin_ctzll(bits)] += w;
        for (uint64_t bits = hit->tp; bits; bits &= bits - 1) {
            size_t t = (size_t)__builtin_ctzll(bits);
            take->at_limit[hit->limit][t] += w;
            add_tp(take, t, w, counted - take->ignored[t]);
        }
    }
}

/*
 * The least true positives, at least 1, with which recall is not below each
 * recall threshold; by the same division that says so of a curve.  The product
 * is too low at times, for all roundings, but never one too high.
 */
static void set_least(uint32_t *least, const struct coco_protocol *p,
                      uint32_t positives)
{
    for (size_t r = 0; r < p->n_recall; r++) {
        uint32_t tp = (uint32_t)(p->recall[r] * positives);
        while (tp < 1 || (double)tp / positives < p->recall[r])
            tp++;
        least[r] = tp;
    }
}

/*
 * From the last point to the first: the highest precision so far is that of
 * all recall thresholds that the points before do not reach.
 */
static void sample_curve(const struct coco_take *take, size_t t,
                         size_t n_recall, double *precision)
{
    const uint32_t *tp = take->tp + t * take->capacity;
    const double *at = take->precision + t * take->capacity;
    double best = 0;
    for (size_t i = take->n[t], r = n_recall;; i--) {
        while (r > 0 && take->least[r - 1] > tp[i])
            precision[--r] = best;
        if (r == 0)
            return;
        best = at[i] > best ? at[i] : best;
    }
}

static void set_recalls(const struct coco_take *take, struct coco_class *class,
                        size_t a)
{
    size_t n_iou = take->result.protocol->n_iou;
    for (size_t t = 0; t < n_iou; t++) {
        uint32_t tp = 0;
        for (size_t m = 0; m < COCO_LIMITS; m++) {
            tp += take->at_limit[m][t];
            class->recall[coco_recall_row(&take->result, a, m, t)] =
                (double)tp / class->positives[a];
        }
    }
}

static void play_track(struct coco_take *take, size_t item,
                       const uint32_t *weight)
{
    const struct coco_protocol *p = take->result.protocol;
    const struct track *track = &take->replay->track[item];
    const atomic_bool *stop = take->replay->stop;
    struct place at = place_of(take->replay, item);
    struct coco_class *class = &take->result.class[at.k];
    uint32_t positives = weigh(track->truth, track->positives, weight, stop);
    class->positives[at.a] = positives;
    if (positives == 0 || is_stopped(stop))
        return;
    clear_curve(take, p->n_iou);
    fill_curve(take, track, weight);
    if (at.limit == COCO_LIMITS - 1)
        set_recalls(take, class, at.a);
    set_least(take->least, p, positives);
    for (size_t t = 0; t < p->n_iou && !is_stopped(stop); t++)
        sample_curve(take, t, p->n_recall,
                     class->precision +
                         coco_precision_row(&take->result, at.a, at.limit, t) *
                             p->n_recall);
}

const struct coco_result *coco_replay_play(const struct coco_replay *replay,
                                           const uint32_t *weight,
                                           struct coco_take *take)
{
    size_t n = replay->r->index.n_classes * replay->r->protocol->n_areas *
               replay->n_limits;
    for (size_t i = 0; i < n && !is_stopped(replay->stop); i++)
        play_track(take, i, weight);
    return &take->result;
}
