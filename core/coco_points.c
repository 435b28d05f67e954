/* What a score threshold parts: class by class, then of all together. */
#include "core/coco_points.h"

#include "core/key_sort.h"

#include <math.h>
#include <string.h>

double coco_precision(const struct coco_level *l)
{
    return (double)l->tp / ((double)l->tp + l->fp);
}

double coco_recall(const struct coco_level *l, uint32_t positives)
{
    return (double)l->tp / positives;
}

double coco_f1(const struct coco_level *l, uint32_t positives)
{
    return 2.0 * l->tp / ((double)l->tp + l->fp + positives);
}

struct coco_lrp coco_lrp(const struct coco_level *l, uint32_t positives,
                         double iou)
{
    double loss = l->loss / (1 - coco_least_iou(iou));
    double fn = (double)positives - l->tp, errors = fn + l->fp;
    if (positives == 0)
        return (struct coco_lrp){NAN, NAN, NAN, NAN};
    return (struct coco_lrp){.lrp = (loss + errors) / (l->tp + errors),
                             .localisation = l->loss / l->tp,
                             .false_positive = l->fp / ((double)l->tp + l->fp),
                             .false_negative = fn / positives};
}

/* Sums up what is defined. */
struct mean {
    double sum;
    size_t n;
};

static void mean_add(struct mean *m, double x)
{
    if (isnan(x))
        return;
    m->sum += x;
    m->n++;
}

static double mean_of(const struct mean *m)
{
    return m->sum / (double)m->n;
}

struct coco_lrp coco_lrp_mean(const struct coco_points *p, size_t n, double iou,
                              bool best)
{
    struct mean lrp = {0}, localisation = {0}, fp = {0}, fn = {0};
    for (size_t k = 0; k < n; k++) {
        const struct coco_level *l = best ? &p[k].best_lrp : &p[k].threshold;
        struct coco_lrp one = coco_lrp(l, p[k].positives, iou);
        mean_add(&lrp, one.lrp);
        mean_add(&localisation, one.localisation);
        mean_add(&fp, one.false_positive);
        mean_add(&fn, one.false_negative);
    }
    return (struct coco_lrp){mean_of(&lrp), mean_of(&localisation),
                             mean_of(&fp), mean_of(&fn)};
}

double coco_ece(const struct coco_bin *bin, size_t n_bins)
{
    double gaps = 0;
    uint64_t n = 0;
    for (size_t i = 0; i < n_bins; i++) {
        gaps += fabs(bin[i].tp - bin[i].confidence);
        n += bin[i].count;
    }
    return gaps / (double)n;
}

double coco_mce(const struct coco_bin *bin, size_t n_bins)
{
    double most = NAN;
    for (size_t i = 0; i < n_bins; i++)
        if (bin[i].count)
            most =
                fmax(most, fabs(bin[i].tp - bin[i].confidence) / bin[i].count);
    return most;
}

double coco_bin_edge(size_t i, size_t n_bins)
{
    return (double)i / (double)n_bins;
}

/* The bin of a score from 0 to 1; a guess, and its neighbours. */
static size_t bin_of(double score, const double *edge, size_t n_bins)
{
    size_t i = (size_t)(score * (double)n_bins);
    if (i == n_bins)
        i--;
    if (i > 0 && score <= edge[i])
        i--;
    else if (i + 1 < n_bins && score > edge[i + 1])
        i++;
    return i;
}

/* A score at which counts are wanted, and where they go. */
struct asked {
    double score;
    struct coco_level *level;
};

struct job {
    const struct coco_result *r;
    const struct coco_verdicts *v;
    const double *at;
    size_t n_at;
    struct coco_points *out;
    struct asked *asked; /* [workers][n_at + 1] */
    /* Of all classes together: the true positives, best score first. */
    size_t n_tp;
    struct key_order by; /* places of n_tp by their score_keys */
    double edge[COCO_BINS_MAX + 1];
    uint32_t *fp; /* [workers][n_tp + 1]: false ones of each stretch of keys */
};

/* A class being walked over, best score first. */
struct tally {
    const struct job *job;
    struct coco_points *out;
    struct coco_level level;
    double best_f1, best_lrp;
    uint32_t seen;             /* true positives of the groups before */
    const struct asked *asked; /* n_at + 1, highest score first */
    size_t answered;
    uint32_t *fp;   /* of this worker */
    size_t stretch; /* keys of true positives above the one at hand */
};

/*
 * A threshold may be here: all of this score are in, none of the next.  It can
 * be the best only if one of them is right, as another false positive makes
 * F1 and LRP worse.
 */
static void end_group(struct tally *t)
{
    if (t->level.tp == t->seen)
        return;
    t->seen = t->level.tp;
    double iou = t->job->r->protocol->per_image_iou;
    double f1 = coco_f1(&t->level, t->out->positives);
    double lrp = coco_lrp(&t->level, t->out->positives, iou).lrp;
    if (f1 > t->best_f1) {
        t->best_f1 = f1;
        t->out->best_f1 = t->level;
    }
    if (lrp < t->best_lrp) {
        t->best_lrp = lrp;
        t->out->best_lrp = t->level;
    }
}

/* Answers what is asked at scores above this one. */
static void answer_above(struct tally *t, double score)
{
    while (t->answered <= t->job->n_at && t->asked[t->answered].score > score)
        *t->asked[t->answered++].level = t->level;
}

static void add_to_bin(struct coco_points *out, const struct job *job,
                       double score, bool tp)
{
    if (!(score >= 0 && score <= 1)) {
        out->outside++;
        return;
    }
    struct coco_bin *bin =
        &out->bin[bin_of(score, job->edge, job->r->protocol->n_bins)];
    bin->count++;
    bin->tp += tp;
    bin->confidence += score;
}

/* For the walk over all: between which true positives this false one is. */
static void note_false(struct tally *t, double score)
{
    uint64_t key = score_key(score);
    while (t->stretch < t->job->n_tp && t->job->by.key[t->stretch] < key)
        t->stretch++;
    t->fp[t->stretch]++;
}

/* Of a true positive: 1 - IoU; the most there is where that is undefined. */
static double loss_of(const struct job *job, uint32_t place)
{
    double iou = coco_match_iou(job->r, job->v, place);
    return isnan(iou) ? 1 - coco_least_iou(job->r->protocol->per_image_iou)
                      : 1 - iou;
}

static void add(struct tally *t, double score, uint32_t place)
{
    const struct job *job = t->job;
    bool tp = job->v->kind[place] == COCO_TRUE_POSITIVE;
    if (score < t->level.score) {
        end_group(t);
        answer_above(t, score);
        t->level.score = score;
    }
    t->level.tp += tp;
    t->level.fp += !tp;
    if (tp)
        t->level.loss += loss_of(job, place);
    else
        note_false(t, score);
    if (score >= job->r->protocol->score_threshold)
        add_to_bin(t->out, job, score, tp);
}

/* The asked scores and the threshold, highest first. */
static void sort_asked(const struct job *job, struct coco_points *out,
                       struct asked *asked)
{
    for (size_t i = 0; i <= job->n_at; i++) {
        struct asked a = {job->r->protocol->score_threshold, &out->threshold};
        if (i < job->n_at)
            a = (struct asked){job->at[i], &out->at[i]};
        size_t j = i;
        for (; j > 0 && asked[j - 1].score < a.score; j--)
            asked[j] = asked[j - 1];
        asked[j] = a;
    }
}

/* Before any detection: all is missed, which is LRP 1. */
static struct tally tally_begin(const struct job *job, struct coco_points *out)
{
    const struct coco_level none = {.score = INFINITY};
    out->best_f1 = out->best_lrp = none;
    return (struct tally){.job = job, .out = out, .level = none, .best_lrp = 1};
}

static void tally_class(void *context, size_t k, size_t worker)
{
    struct job *job = context;
    const struct coco_result *r = job->r;
    const struct coco_sorted *sorted = r->matches.sorted + r->index.class_dt[k];
    struct coco_points *out = &job->out[k];
    struct asked *asked = job->asked + worker * (job->n_at + 1);
    out->positives = r->class[k].positives[r->protocol->area_all];
    struct tally t = tally_begin(job, out);
    t.asked = asked;
    t.fp = job->fp + worker * (job->n_tp + 1);
    sort_asked(job, out, asked);
    size_t n = r->matches.class_sorted[k];
    for (size_t i = 0, end; (end = stop_reach(r->stop, i, n)) > i;)
        for (; i < end; i++) {
            coco_look_ahead(r, job->v, sorted, i, n);
            if (job->v->kind[sorted[i].place] <= COCO_TRUE_POSITIVE)
                add(&t, coco_score_at(r, sorted[i].place), sorted[i].place);
        }
    end_group(&t);
    answer_above(&t, -INFINITY);
    out->all = t.level;
}

/* The true positives of all classes, best score first, then by class. */
static void gather_true(struct job *job)
{
    const struct coco_result *r = job->r;
    for (size_t g = 0; g < r->index.n_gt; g++) {
        uint32_t found = job->v->found[g];
        if (found == COCO_UNKNOWN)
            continue;
        job->by.key[job->n_tp] = score_key(coco_score_at(r, found));
        job->by.row[job->n_tp++] = found;
    }
    key_sort(&job->by, job->n_tp, r->stop);
}

static void add_level(struct coco_level *to, const struct coco_level *l)
{
    to->score = l->score < to->score ? l->score : to->score;
    to->tp += l->tp;
    to->fp += l->fp;
    to->loss += l->loss;
}

/* What is a sum over the classes. */
static void sum_classes(const struct job *job, struct coco_points *out)
{
    out->all.score = out->threshold.score = INFINITY;
    for (size_t i = 0; i < job->n_at; i++)
        out->at[i].score = INFINITY;
    for (size_t k = 0; k < job->r->index.n_classes; k++) {
        const struct coco_points *p = &job->out[k];
        out->positives += p->positives;
        out->outside += p->outside;
        add_level(&out->all, &p->all);
        add_level(&out->threshold, &p->threshold);
        for (size_t i = 0; i < job->n_at; i++)
            add_level(&out->at[i], &p->at[i]);
        for (size_t i = 0; i < job->r->protocol->n_bins; i++) {
            out->bin[i].count += p->bin[i].count;
            out->bin[i].tp += p->bin[i].tp;
            out->bin[i].confidence += p->bin[i].confidence;
        }
    }
}

/* The best of all detections together, from one true positive to the next. */
static void find_best(const struct job *job, struct coco_points *out,
                      size_t workers)
{
    const struct coco_result *r = job->r;
    struct tally t = tally_begin(job, out);
    for (size_t i = 0; i < job->n_tp && !is_stopped(r->stop); i++) {
        t.level.score = coco_score_at(r, job->by.row[i]);
        t.level.tp++;
        t.level.loss += loss_of(job, job->by.row[i]);
        for (size_t w = 0; w < workers; w++)
            t.level.fp += job->fp[w * (job->n_tp + 1) + i];
        if (i + 1 == job->n_tp || job->by.key[i + 1] != job->by.key[i])
            end_group(&t);
    }
}

int coco_points(struct coco_points *out, const struct coco_result *r,
                const struct coco_verdicts *v, const double *at, size_t n_at,
                struct arena *mem, const struct parallel *par)
{
    size_t n = r->index.n_classes, n_gt = r->index.n_gt;
    struct job job = {.r = r, .v = v, .at = at, .n_at = n_at, .out = out};
    memset(out, 0, (n + 1) * sizeof(*out));
    for (size_t k = 0; k <= n && !mem->failed; k++) {
        out[k].at = arena_zero(mem, n_at, sizeof(*out[k].at));
        out[k].bin = arena_zero(mem, r->protocol->n_bins, sizeof(*out[k].bin));
    }
    struct arena_mark mark = arena_mark(mem);
    job.by = key_order_alloc(n_gt, mem);
    job.asked = arena_alloc(mem, par->width * (n_at + 1), sizeof(*job.asked));
    if (mem->failed)
        return -1;
    gather_true(&job);
    for (size_t i = 0; i <= r->protocol->n_bins; i++)
        job.edge[i] = coco_bin_edge(i, r->protocol->n_bins);
    job.fp = arena_zero(mem, par->width * (job.n_tp + 1), sizeof(*job.fp));
    if (!job.fp || parallel_stopped(par))
        return -1;
    par->run(par, n, tally_class, &job);
    if (parallel_stopped(par))
        return -1;
    sum_classes(&job, &out[n]);
    find_best(&job, &out[n], par->width);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}
