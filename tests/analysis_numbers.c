/*
 * Errors and points of the analysis oracle: each AP and each level from the
 * whole list anew.  Built with -ffp-contract=off, as the scoring is.
 */
#include "tests/analysis_oracle.h"
#include "tests/oracle.h"

#include <math.h>

/* A detection that counts, in a list that AP is made of. */
struct entry {
    double score;
    bool tp;
};

/* Behind those of the same score. */
static void put(struct entry *list, size_t *n, double score, bool tp)
{
    size_t j = (*n)++;
    for (; j > 0 && list[j - 1].score < score; j--)
        list[j] = list[j - 1];
    list[j] = (struct entry){score, tp};
}

static double average_precision(struct analysis *a, const struct entry *list,
                                size_t n, size_t positives)
{
    double *precision = analysis_alloc(a, n, sizeof(double));
    double *recall = analysis_alloc(a, n, sizeof(double));
    double *at = analysis_alloc(a, a->p->n_recall, sizeof(double));
    double tp = 0, fp = 0;
    for (size_t i = 0; i < n; i++) {
        tp += list[i].tp;
        fp += !list[i].tp;
        recall[i] = tp / (double)positives;
        precision[i] = tp / ((fp + tp) + 0x1p-52);
    }
    for (size_t r = 0; r < a->p->n_recall; r++)
        for (size_t i = 0; i < n; i++)
            if (recall[i] >= a->p->recall[r])
                at[r] = fmax(at[r], precision[i]);
    return positives ? oracle_mean(at, a->p->n_recall, a->p->summation) : 0;
}

/* COCO_FIXES: nothing is fixed. */
static double ap_with(struct analysis *a, size_t k, int fix)
{
    struct entry *list = analysis_alloc(a, a->n_order + a->n_gt, sizeof(*list));
    size_t n = 0, positives = 0;
    for (size_t i = 0; i < a->n_order; i++) {
        const struct analysis_dt *d = &a->dt[a->by_score[i]];
        bool gone = analysis_is_false(d) &&
                    ((int)d->kind == fix || fix == COCO_FALSE_POSITIVE);
        bool turned = fix == COCO_LOCALISATION && gone &&
                      a->gt[d->truth].claim == a->by_score[i];
        if (analysis_counts(d) && d->cell.class == k && (!gone || turned))
            put(list, &n, a->detections->score[a->by_score[i]],
                turned || !analysis_is_false(d));
    }
    for (size_t g = 0; g < a->n_gt; g++) {
        const struct analysis_gt *t = &a->gt[g];
        if (!t->counts || t->cell.class != k)
            continue;
        bool missed = t->found == ORACLE_NONE;
        bool claimed = t->claim != ORACLE_NONE;
        if (claimed && fix == COCO_CLASSIFICATION &&
            a->dt[t->claim].kind == COCO_CLASSIFICATION)
            put(list, &n, a->detections->score[t->claim], true);
        positives += !(missed && (fix == COCO_FALSE_NEGATIVE ||
                                  (fix == COCO_MISSED && !claimed)));
    }
    return average_precision(a, list, n, positives);
}

static void count_errors(struct analysis *a, size_t k,
                         struct coco_class_errors *e)
{
    bool any = false;
    for (size_t i = 0; i < a->detections->n; i++)
        if (analysis_is_false(&a->dt[i]) && a->dt[i].cell.class == k) {
            e->count[a->dt[i].kind]++;
            e->count[COCO_FALSE_POSITIVE]++;
        }
    for (size_t g = 0; g < a->n_gt; g++)
        if (a->gt[g].counts && a->gt[g].cell.class == k) {
            bool missed = a->gt[g].found == ORACLE_NONE;
            any = true;
            e->count[COCO_FALSE_NEGATIVE] += missed;
            e->count[COCO_MISSED] += missed && a->gt[g].claim == ORACLE_NONE;
        }
    e->ap = any ? 0 : -1;
}

void analysis_errors(struct analysis *a)
{
    size_t k = a->n_classes, with_ap = 0;
    struct coco_class_errors *e = analysis_alloc(a, k + 1, sizeof(*e)),
                             *all = e + k;
    for (size_t c = 0; c < k; c++) {
        count_errors(a, c, &e[c]);
        for (size_t f = 0; f < COCO_FIXES; f++)
            all->count[f] += e[c].count[f];
        if (e[c].ap < 0)
            continue;
        e[c].ap = ap_with(a, c, COCO_FIXES);
        all->ap += e[c].ap;
        for (size_t f = 0; f < COCO_FIXES; f++) {
            e[c].delta[f] = ap_with(a, c, (int)f) - e[c].ap;
            all->delta[f] += e[c].delta[f];
        }
        with_ap++;
    }
    for (size_t f = 0; f < COCO_FIXES && with_ap; f++)
        all->delta[f] /= (double)with_ap;
    all->ap = with_ap ? all->ap / (double)with_ap : -1;
    a->errors = e;
}

double oracle_f1(const struct coco_level *l, uint32_t positives)
{
    return 2.0 * l->tp / ((double)l->tp + l->fp + positives);
}

struct coco_lrp oracle_lrp(const struct coco_level *l, uint32_t positives,
                           double iou)
{
    double tp = l->tp, fp = l->fp, fn = positives - tp;
    double loss = l->loss / (1 - fmin(iou, 1 - 1e-10));
    struct coco_lrp none = {NAN, NAN, NAN, NAN};
    return positives == 0 ? none
                          : (struct coco_lrp){(loss + fp + fn) / (tp + fp + fn),
                                              l->loss / tp, fp / (tp + fp),
                                              fn / positives};
}

double oracle_ece(const struct coco_bin *bin, size_t n_bins)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < n_bins; i++) {
        sum += fabs(bin[i].tp - bin[i].confidence);
        n += bin[i].count;
    }
    return sum / n;
}

double oracle_mce(const struct coco_bin *bin, size_t n_bins)
{
    double most = NAN;
    for (size_t i = 0; i < n_bins; i++)
        if (bin[i].count)
            most = fmax(most,
                        fabs((bin[i].tp - bin[i].confidence) / bin[i].count));
    return most;
}

/* Class k, or n_classes for all of them. */
static bool is_of(const struct analysis *a, size_t k, size_t class)
{
    return k == a->n_classes || k == class;
}

static struct coco_level level(struct analysis *a, size_t k, double score)
{
    struct coco_level l = {.score = INFINITY};
    for (size_t i = 0; i < a->detections->n; i++) {
        const struct analysis_dt *d = &a->dt[i];
        if (!analysis_counts(d) || !is_of(a, k, d->cell.class) ||
            a->detections->score[i] < score)
            continue;
        l.score = fmin(l.score, a->detections->score[i]);
        l.fp += analysis_is_false(d);
        l.tp += !analysis_is_false(d);
        if (!analysis_is_false(d))
            l.loss += isnan(d->iou) ? 1 - fmin(a->p->per_image_iou, 1 - 1e-10)
                                    : 1 - d->iou;
    }
    return l;
}

/* F1, or 1 - LRP: higher is better, and what is not defined is the worst. */
static double worth(const struct analysis *a, bool lrp,
                    const struct coco_level *l, uint32_t positives)
{
    double value = lrp ? 1 - oracle_lrp(l, positives, a->p->per_image_iou).lrp
                       : oracle_f1(l, positives);
    return isnan(value) ? 0 : value;
}

/* Tries none, then every score. */
static struct coco_level best(struct analysis *a, size_t k, bool lrp,
                              uint32_t positives)
{
    struct coco_level best = level(a, k, INFINITY);
    for (size_t i = 0; i < a->detections->n; i++) {
        if (!analysis_counts(&a->dt[i]) || !is_of(a, k, a->dt[i].cell.class))
            continue;
        struct coco_level l = level(a, k, a->detections->score[i]);
        double most = worth(a, lrp, &best, positives);
        double value = worth(a, lrp, &l, positives);
        if (value > most || (value == most && l.score > best.score))
            best = l;
    }
    return best;
}

static void fill_bins(struct analysis *a, size_t k, struct coco_points *out)
{
    size_t n = a->p->n_bins;
    out->bin = analysis_alloc(a, n, sizeof(*out->bin));
    for (size_t i = 0; i < a->detections->n; i++) {
        const struct analysis_dt *d = &a->dt[i];
        double score = a->detections->score[i];
        if (!analysis_counts(d) || !is_of(a, k, d->cell.class) ||
            !analysis_is_confident(a, i))
            continue;
        out->outside += score < 0 || score > 1;
        for (size_t b = 0; b < n; b++) {
            double lo = (double)b / (double)n, hi = (double)(b + 1) / (double)n;
            if ((score > lo || (b == 0 && score == 0)) && score <= hi) {
                out->bin[b].count++;
                out->bin[b].tp += !analysis_is_false(d);
                out->bin[b].confidence += score;
            }
        }
    }
}

void analysis_points(struct analysis *a, const double *at, size_t n_at)
{
    a->points = analysis_alloc(a, a->n_classes + 1, sizeof(*a->points));
    for (size_t k = 0; k <= a->n_classes; k++) {
        struct coco_points *out = &a->points[k];
        for (size_t g = 0; g < a->n_gt; g++)
            out->positives +=
                a->gt[g].counts && is_of(a, k, a->gt[g].cell.class);
        out->all = level(a, k, -INFINITY);
        out->threshold = level(a, k, a->p->score_threshold);
        out->best_f1 = best(a, k, false, out->positives);
        out->best_lrp = best(a, k, true, out->positives);
        out->at = analysis_alloc(a, n_at, sizeof(*out->at));
        for (size_t i = 0; i < n_at; i++)
            out->at[i] = level(a, k, at[i]);
        fill_bins(a, k, out);
    }
}

struct coco_raw_curve oracle_raw_curve(struct analysis *a, size_t k)
{
    size_t n = a->n_order, tp = 0, positives = 0, last = ORACLE_NONE;
    struct coco_raw_curve c = {0};
    c.recall = analysis_alloc(a, n, sizeof(double));
    c.precision = analysis_alloc(a, n, sizeof(double));
    c.score = analysis_alloc(a, n, sizeof(double));
    for (size_t g = 0; g < a->n_gt; g++)
        positives += a->gt[g].counts && a->gt[g].cell.class == k;
    for (size_t i = 0; i < n; i++)
        if (analysis_counts(&a->dt[a->by_score[i]]) &&
            a->dt[a->by_score[i]].cell.class == k)
            last = i;
    for (size_t i = 0; i < n; i++) {
        const struct analysis_dt *d = &a->dt[a->by_score[i]];
        if (!analysis_counts(d) || d->cell.class != k)
            continue;
        c.detections++;
        tp += !analysis_is_false(d);
        if (analysis_is_false(d) && i != last)
            continue;
        c.recall[c.n] = (double)tp / (double)positives;
        c.precision[c.n] = (double)tp / ((double)c.detections + 0x1p-52);
        c.score[c.n++] = a->detections->score[a->by_score[i]];
    }
    return c;
}
