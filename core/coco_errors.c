/*
 * What AP would be without errors of a kind: the detections of a category in
 * the order of their scores are walked once per fix, each time with other
 * ones left out or turned.
 */
#include "core/coco_curve.h"
#include "core/coco_verdict.h"
#include "core/key_sort.h"

const char *const coco_fix_name[COCO_FIXES] = {
    [COCO_CLASSIFICATION] = "classification",
    [COCO_LOCALISATION] = "localisation",
    [COCO_BOTH] = "both",
    [COCO_DUPLICATE] = "duplicate",
    [COCO_BACKGROUND] = "background",
    [COCO_MISSED] = "missed",
    [COCO_FALSE_POSITIVE] = "false_positive",
    [COCO_FALSE_NEGATIVE] = "false_negative",
};

enum { NO_FIX = COCO_FIXES, CURVES }; /* the curve as it is comes last */

struct scratch {
    struct coco_curve curve;
    uint8_t *kind; /* of the detections of a class that count, in order */
    double *score;
    bool *claims; /* whether it may have met a ground truth that was missed */
    uint32_t n;
    double *extra; /* scores of those that belong here by their place */
    uint32_t n_extra;
    struct key_order by; /* to sort these */
};

struct job {
    const struct coco_result *r;
    const struct coco_verdicts *v;
    struct coco_class_errors *out;
    double *precision; /* [CURVES][n_classes][R] */
    struct scratch *scratch;
};

/* What a fix makes of a false positive. */
enum fate { STAYS, GOES, TURNS };

static enum fate fate_of(uint8_t kind, bool claims, int fix)
{
    if (fix == COCO_FALSE_POSITIVE)
        return GOES;
    if (fix != kind)
        return STAYS;
    return kind == COCO_LOCALISATION && claims ? TURNS : GOES;
}

/* Ground truths that still count. */
static uint32_t positives_with(const struct coco_class_errors *e,
                               uint32_t positives, int fix)
{
    if (fix == COCO_MISSED || fix == COCO_FALSE_NEGATIVE)
        return positives - e->count[fix];
    return positives;
}

/* Fills the scratch's curve with what the fix leaves. */
static void walk(struct scratch *s, int fix)
{
    uint32_t fp = 0, extra = 0;
    uint32_t n_extra = fix == COCO_CLASSIFICATION ? s->n_extra : 0;
    s->curve.n_tp[0] = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        for (; extra < n_extra && s->extra[extra] > s->score[i]; extra++)
            coco_curve_add(&s->curve, 0, fp);
        enum fate fate = s->kind[i] == COCO_TRUE_POSITIVE
                             ? TURNS
                             : fate_of(s->kind[i], s->claims[i], fix);
        if (fate == TURNS)
            coco_curve_add(&s->curve, 0, fp);
        fp += fate == STAYS;
    }
    for (; extra < n_extra; extra++)
        coco_curve_add(&s->curve, 0, fp);
}

/* Takes the detections of class k that count from the verdicts. */
static void load(const struct job *job, size_t k, struct scratch *s,
                 struct coco_class_errors *e)
{
    const struct coco_result *r = job->r;
    const struct coco_verdicts *v = job->v;
    const struct coco_sorted *sorted = r->matches.sorted + r->index.class_dt[k];
    size_t n = r->matches.class_sorted[k];
    s->n = 0;
    for (size_t i = 0, end; (end = stop_reach(r->stop, i, n)) > i;)
        for (; i < end; i++) {
            coco_look_ahead(r, v, sorted, i, n);
            uint32_t place = sorted[i].place;
            uint8_t kind = v->kind[place];
            if (kind > COCO_TRUE_POSITIVE)
                continue;
            s->kind[s->n] = kind;
            s->score[s->n] = coco_score_at(r, place);
            s->claims[s->n++] =
                kind == COCO_LOCALISATION && v->claim[v->truth[place]] == place;
            if (kind < COCO_FALSE_KINDS) {
                e->count[kind]++;
                e->count[COCO_FALSE_POSITIVE]++;
            }
        }
}

/* The missed ground truths of class k, and what claims them from elsewhere. */
static void load_truths(const struct job *job, size_t k, struct scratch *s,
                        struct coco_class_errors *e)
{
    const struct coco_result *r = job->r;
    const struct coco_verdicts *v = job->v;
    uint32_t n = 0;
    for (uint32_t g = r->index.class_gt[k]; g < r->index.class_gt[k + 1]; g++) {
        uint32_t claim = v->claim[g];
        if (!v->counts[g] || v->found[g] != COCO_UNKNOWN)
            continue;
        e->count[COCO_FALSE_NEGATIVE]++;
        e->count[COCO_MISSED] += claim == COCO_UNKNOWN;
        if (claim == COCO_UNKNOWN || v->kind[claim] != COCO_CLASSIFICATION)
            continue;
        s->by.key[n] = score_key(coco_score_at(r, claim));
        s->by.row[n++] = claim;
    }
    s->n_extra = key_sort(&s->by, n, r->stop) ? 0 : n;
    for (uint32_t i = 0; i < s->n_extra; i++)
        s->extra[i] = coco_score_at(r, s->by.row[i]);
}

static double *precision_at(const struct job *job, int curve, size_t k)
{
    const struct coco_result *r = job->r;
    size_t n = r->index.n_classes;
    return job->precision + ((size_t)curve * n + k) * r->protocol->n_recall;
}

static double mean_precision(const struct job *job, int curve, size_t k)
{
    const struct coco_protocol *p = job->r->protocol;
    return coco_mean(precision_at(job, curve, k), p->n_recall, p->summation);
}

static void fix_class(void *context, size_t k, size_t worker)
{
    struct job *job = context;
    const struct coco_protocol *p = job->r->protocol;
    struct scratch *s = &job->scratch[worker];
    struct coco_class_errors *e = &job->out[k];
    uint32_t positives = job->r->class[k].positives[p->area_all];
    *e = (struct coco_class_errors){.ap = -1};
    load(job, k, s, e);
    load_truths(job, k, s, e);
    if (positives == 0)
        return;
    for (int fix = 0; fix < CURVES && !is_stopped(job->r->stop); fix++) {
        s->curve.positives = positives_with(e, positives, fix);
        s->curve.n_tp[0] = 0;
        if (s->curve.positives)
            walk(s, fix);
        coco_curve_sample(&s->curve, 0, p, precision_at(job, fix, k), NULL);
    }
    if (is_stopped(job->r->stop))
        return;
    e->ap = mean_precision(job, NO_FIX, k);
    for (int fix = 0; fix < COCO_FIXES; fix++)
        e->delta[fix] = mean_precision(job, fix, k) - e->ap;
}

/* The mean over all categories, in AP's order: recall, then category. */
static double mean_of_all(const struct job *job, int curve)
{
    const struct coco_result *r = job->r;
    size_t n = 0;
    for (size_t i = 0; i < r->protocol->n_recall && !is_stopped(r->stop); i++)
        for (size_t k = 0; k < r->index.n_classes; k++)
            if (job->out[k].ap > -1)
                r->values[n++] = precision_at(job, curve, k)[i];
    return n ? coco_mean(r->values, n, r->protocol->summation) : -1;
}

static void sum_up(struct job *job)
{
    size_t n = job->r->index.n_classes;
    struct coco_class_errors *all = &job->out[n];
    *all = (struct coco_class_errors){.ap = mean_of_all(job, NO_FIX)};
    for (int fix = 0; fix < COCO_FIXES; fix++) {
        for (size_t k = 0; k < n; k++)
            all->count[fix] += job->out[k].count[fix];
        if (all->ap > -1)
            all->delta[fix] = mean_of_all(job, fix) - all->ap;
    }
}

/* For the class that has most of each. */
static int make_scratch(struct job *job, size_t workers, struct arena *mem)
{
    const struct coco_result *r = job->r;
    uint32_t n_dt = 0, n_gt = 0;
    for (size_t k = 0; k < r->index.n_classes; k++) {
        uint32_t gt = r->index.class_gt[k + 1] - r->index.class_gt[k];
        n_gt = gt > n_gt ? gt : n_gt;
        n_dt = r->class[k].n_dt > n_dt ? r->class[k].n_dt : n_dt;
    }
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++) {
        struct scratch *s = &job->scratch[w];
        s->kind = arena_alloc(mem, n_dt, sizeof(*s->kind));
        s->score = arena_alloc(mem, n_dt, sizeof(*s->score));
        s->claims = arena_alloc(mem, n_dt, sizeof(*s->claims));
        s->extra = arena_alloc(mem, n_gt, sizeof(*s->extra));
        s->by = key_order_alloc(n_gt, mem);
        if (coco_curve_alloc(&s->curve, 1, n_gt, false, mem))
            return -1;
    }
    return mem->failed ? -1 : 0;
}

int coco_errors(struct coco_class_errors *out, const struct coco_result *r,
                const struct coco_verdicts *v, struct arena *mem,
                const struct parallel *par)
{
    struct job job = {.r = r, .v = v, .out = out};
    struct arena_mark mark = arena_mark(mem);
    job.precision = arena_alloc(mem, CURVES * r->index.n_classes,
                                r->protocol->n_recall * sizeof(double));
    if (mem->failed || make_scratch(&job, par->width, mem))
        return -1;
    par->run(par, r->index.n_classes, fix_class, &job);
    if (parallel_stopped(par))
        return -1;
    sum_up(&job);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
