/* Built with -ffp-contract=off, as the scoring is. */
#include "tests/oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { M = COCO_LIMITS };
#define BYTES_MAX ((size_t)4 << 30)

static void *need(struct arena *mem, size_t n, size_t size)
{
    void *p = arena_zero(mem, n, size);
    if (!p) {
        fputs("oracle: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

/* Everything that the loops look at. */
struct input {
    struct arena *mem;
    const struct coco_protocol *p;
    const struct coco_ground_truth *gt;
    const struct coco_detections *dt;
    size_t n_images, n_categories, n_met;
    int64_t *image, *category; /* distinct, ascending */
    size_t *met;               /* rows of gt as oracle_met gives them */
    size_t n_iou;
    const double *iou;
};

/* One image and category: rows of the input, and the overlap of each pair. */
struct pairs {
    size_t n_gt, n_dt;
    size_t *gt, *dt;
    double *iou; /* [n_dt][n_gt] */
};

/* One image, category and area range. */
struct verdict {
    size_t n_gt, n_dt;
    double *score;    /* [n_dt] */
    double *match;    /* [T][n_dt], id of the ground truth, 0 = none */
    bool *ignored;    /* [T][n_dt] */
    bool *gt_ignored; /* [n_gt] */
    double *overlap;  /* [T][n_dt], with the match */
};

static bool contains(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static int64_t *sorted_unique(const int64_t *ids, size_t n, size_t *n_out,
                              struct arena *mem)
{
    int64_t *out = need(mem, n, sizeof(*out));
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = contains(out, k, ids[i]) ? 0 : ++k;
        for (; j > 1 && out[j - 2] > ids[i]; j--)
            out[j - 1] = out[j - 2];
        if (j > 0)
            out[j - 1] = ids[i];
    }
    *n_out = k;
    return out;
}

/* A dictionary keeps what was put in last. */
static size_t look_up(const struct coco_ground_truth *gt, int64_t id)
{
    size_t i = gt->n - 1;
    while (gt->id[i] != id)
        i--;
    return i;
}

size_t *oracle_met(const struct coco_protocol *p,
                   const struct coco_ground_truth *gt, size_t *n_out,
                   struct arena *mem)
{
    size_t n_images, *met = need(mem, gt->n, sizeof(*met)), n = 0;
    int64_t *image = sorted_unique(gt->image, gt->n_images, &n_images, mem);
    for (size_t i = 0; i < n_images; i++)
        for (size_t j = 0; j < gt->n; j++) {
            if (gt->image_id[j] != image[i])
                continue;
            if (p->use_categories &&
                !contains(gt->category, gt->n_categories, gt->category_id[j]))
                continue;
            met[n++] = look_up(gt, gt->id[j]);
        }
    *n_out = n;
    return met;
}

/* Order of n keys, smallest first; equal ones stay as they are. */
static size_t *argsort(const double *key, size_t n, struct arena *mem)
{
    size_t *order = need(mem, n, sizeof(*order));
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        for (; j > 0 && key[order[j - 1]] > key[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    return order;
}

static double overlap(const double *d, const double *g, bool crowd)
{
    double w = fmin(d[0] + d[2], g[0] + g[2]) - fmax(d[0], g[0]);
    double h = fmin(d[1] + d[3], g[1] + g[3]) - fmax(d[1], g[1]);
    if (w <= 0 || h <= 0)
        return 0;
    double both = w * h, area = d[2] * d[3];
    return both / (crowd ? area : area + g[2] * g[3] - both);
}

/* Appends the rows of one image and category. */
static void append_cell(const struct input *in, int64_t image, int64_t category,
                        struct pairs *c)
{
    for (size_t i = 0; i < in->n_met; i++) {
        size_t row = in->met[i];
        if (in->gt->image_id[row] == image &&
            in->gt->category_id[row] == category)
            c->gt[c->n_gt++] = row;
    }
    for (size_t i = 0; i < in->dt->n; i++)
        if (in->dt->image_id[i] == image && in->dt->category_id[i] == category)
            c->dt[c->n_dt++] = i;
}

/* Best score first, and no more than the largest limit. */
static void sort_and_cut(const struct input *in, struct pairs *c)
{
    double *key = need(in->mem, c->n_dt, sizeof(*key));
    size_t *old = c->dt;
    for (size_t i = 0; i < c->n_dt; i++)
        key[i] = -in->dt->score[old[i]];
    size_t *order = argsort(key, c->n_dt, in->mem);
    c->dt = need(in->mem, c->n_dt, sizeof(*c->dt));
    for (size_t i = 0; i < c->n_dt; i++)
        c->dt[i] = old[order[i]];
    if (c->n_dt > in->p->max_detections[M - 1])
        c->n_dt = in->p->max_detections[M - 1];
}

static struct pairs make_pairs(const struct input *in, size_t k, int64_t image)
{
    struct pairs c = {.gt = need(in->mem, in->n_met, sizeof(size_t)),
                      .dt = need(in->mem, in->dt->n, sizeof(size_t))};
    if (in->p->use_categories)
        append_cell(in, image, in->category[k], &c);
    else
        for (size_t j = 0; j < in->n_categories; j++)
            append_cell(in, image, in->category[j], &c);
    sort_and_cut(in, &c);
    c.iou = need(in->mem, c.n_dt * c.n_gt, sizeof(double));
    for (size_t d = 0; d < c.n_dt; d++)
        for (size_t g = 0; g < c.n_gt; g++)
            c.iou[d * c.n_gt + g] =
                overlap(in->dt->box + 4 * c.dt[d], in->gt->box + 4 * c.gt[g],
                        in->gt->crowd[c.gt[g]]);
    return c;
}

static bool is_outside(const struct coco_area *r, double area)
{
    return area < r->lo || area > r->hi;
}

/* Matches detections at one threshold; order lists ground truths. */
static void match(const struct input *in, const struct pairs *c,
                  const size_t *order, size_t t, struct verdict *v)
{
    bool *taken = need(in->mem, c->n_gt, sizeof(*taken));
    for (size_t d = 0; d < c->n_dt; d++) {
        double best = in->iou[t] < 1 - 1e-10 ? in->iou[t] : 1 - 1e-10;
        size_t met = SIZE_MAX;
        for (size_t i = 0; i < c->n_gt; i++) {
            size_t g = order[i];
            if (taken[g] && !in->gt->crowd[c->gt[g]])
                continue;
            if (met != SIZE_MAX && !v->gt_ignored[met] && v->gt_ignored[g])
                break;
            if (c->iou[d * c->n_gt + g] < best)
                continue;
            best = c->iou[d * c->n_gt + g];
            met = g;
        }
        if (met == SIZE_MAX)
            continue;
        taken[met] = true;
        v->ignored[t * c->n_dt + d] = v->gt_ignored[met];
        v->match[t * c->n_dt + d] = (double)in->gt->id[c->gt[met]];
        v->overlap[t * c->n_dt + d] = best;
    }
}

/* Detections without a match do not count outside the area range. */
static void ignore_outside(const struct input *in, const struct pairs *c,
                           const struct coco_area *range, struct verdict *v)
{
    for (size_t t = 0; t < in->n_iou; t++)
        for (size_t d = 0; d < c->n_dt; d++) {
            const double *box = in->dt->box + 4 * c->dt[d];
            if (v->match[t * c->n_dt + d] == 0 &&
                is_outside(range, box[2] * box[3]))
                v->ignored[t * c->n_dt + d] = true;
        }
}

static struct verdict judge(const struct input *in, const struct pairs *c,
                            const struct coco_area *range)
{
    size_t n = in->n_iou * c->n_dt;
    struct verdict v = {.n_gt = c->n_gt, .n_dt = c->n_dt};
    v.score = need(in->mem, c->n_dt, sizeof(double));
    v.match = need(in->mem, n, sizeof(double));
    v.overlap = need(in->mem, n, sizeof(double));
    v.ignored = need(in->mem, n, sizeof(bool));
    v.gt_ignored = need(in->mem, c->n_gt, sizeof(bool));
    double *key = need(in->mem, c->n_gt, sizeof(*key));
    for (size_t g = 0; g < c->n_gt; g++) {
        size_t row = c->gt[g];
        v.gt_ignored[g] =
            in->gt->crowd[row] || is_outside(range, in->gt->area[row]);
        key[g] = v.gt_ignored[g];
    }
    size_t *order = argsort(key, c->n_gt, in->mem);
    for (size_t d = 0; d < c->n_dt; d++)
        v.score[d] = in->dt->score[c->dt[d]];
    for (size_t t = 0; t < in->n_iou; t++)
        match(in, c, order, t, &v);
    ignore_outside(in, c, range, &v);
    return v;
}

size_t oracle_at(const struct oracle *o, size_t t, size_t r, size_t k, size_t a,
                 size_t m)
{
    return (((t * o->n_recall + r) * o->n_classes + k) * o->n_areas + a) * M +
           m;
}

size_t oracle_recall_at(const struct oracle *o, size_t t, size_t k, size_t a,
                        size_t m)
{
    return ((t * o->n_classes + k) * o->n_areas + a) * M + m;
}

/* All images of a category end to end, best score first, for one curve. */
struct chain {
    size_t n, positives;
    double *score;
    bool *matched, *ignored; /* [T][n] */
};

static void link_images(const struct input *in, const struct verdict *v,
                        size_t limit, struct chain *c)
{
    size_t at = 0;
    for (size_t i = 0; i < in->n_images; i++) {
        c->n += v[i].n_dt < limit ? v[i].n_dt : limit;
        for (size_t g = 0; g < v[i].n_gt; g++)
            c->positives += !v[i].gt_ignored[g];
    }
    size_t total = c->n, *d = need(in->mem, total, sizeof(*d));
    size_t *image = need(in->mem, total, sizeof(*image));
    double *key = need(in->mem, total, sizeof(*key));
    for (size_t i = 0; i < in->n_images; i++)
        for (size_t j = 0; j < v[i].n_dt && j < limit; j++, at++) {
            image[at] = i;
            d[at] = j;
            key[at] = -v[i].score[j];
        }
    size_t *order = argsort(key, total, in->mem);
    c->score = need(in->mem, total, sizeof(double));
    c->matched = need(in->mem, in->n_iou * total, sizeof(bool));
    c->ignored = need(in->mem, in->n_iou * total, sizeof(bool));
    for (size_t j = 0; j < total; j++) {
        const struct verdict *from = &v[image[order[j]]];
        c->score[j] = from->score[d[order[j]]];
        for (size_t t = 0; t < in->n_iou; t++) {
            size_t cell = t * from->n_dt + d[order[j]];
            c->matched[t * total + j] = from->match[cell] != 0;
            c->ignored[t * total + j] = from->ignored[cell];
        }
    }
}

/* Recall and precision after each detection. */
static void trace(const struct chain *c, size_t t, double *rc, double *pr)
{
    double tp = 0, fp = 0;
    for (size_t j = 0; j < c->n; j++) {
        bool matched = c->matched[t * c->n + j];
        bool counts = !c->ignored[t * c->n + j];
        tp += matched && counts;
        fp += !matched && counts;
        rc[j] = tp / (double)c->positives;
        pr[j] = tp / ((fp + tp) + 0x1p-52);
    }
    for (size_t j = c->n; j-- > 1;)
        if (pr[j] > pr[j - 1])
            pr[j - 1] = pr[j];
}

static void fill_curve(struct oracle *o, const struct input *in,
                       const struct chain *c, size_t k, size_t a, size_t m)
{
    double *rc = need(in->mem, c->n, sizeof(*rc)),
           *pr = need(in->mem, c->n, sizeof(*pr));
    for (size_t t = 0; t < o->n_iou; t++) {
        trace(c, t, rc, pr);
        o->recall[oracle_recall_at(o, t, k, a, m)] = c->n ? rc[c->n - 1] : 0;
        bool reached = true;
        for (size_t r = 0; r < o->n_recall; r++) {
            size_t j = 0;
            while (j < c->n && rc[j] < in->p->recall[r])
                j++;
            reached = reached && j < c->n;
            size_t at = oracle_at(o, t, r, k, a, m);
            o->precision[at] = reached ? pr[j] : 0;
            o->scores[at] = reached ? c->score[j] : 0;
        }
    }
}

static void fill_class(struct oracle *o, const struct input *in, size_t k)
{
    size_t n = in->n_images;
    struct pairs *pairs = need(in->mem, n, sizeof(*pairs));
    struct verdict *v = need(in->mem, n, sizeof(*v));
    for (size_t i = 0; i < n; i++)
        pairs[i] = make_pairs(in, k, in->image[i]);
    for (size_t a = 0; a < o->n_areas; a++) {
        for (size_t i = 0; i < in->n_images; i++)
            v[i] = judge(in, &pairs[i], &in->p->area[a]);
        for (size_t m = 0; m < M; m++) {
            struct chain c = {0};
            link_images(in, v, in->p->max_detections[m], &c);
            if (c.positives > 0)
                fill_curve(o, in, &c, k, a, m);
        }
    }
}

static double sum_pairwise(const double *x, size_t n)
{
    double sum = 0, r[8];
    if (n > 128) {
        size_t left = n / 2 / 8 * 8;
        return sum_pairwise(x, left) + sum_pairwise(x + left, n - left);
    }
    size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i++)
        r[i % 8] = i < 8 ? x[i] : r[i % 8] + x[i];
    if (whole)
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (size_t i = whole; i < n; i++)
        sum += x[i];
    return sum;
}

double oracle_mean(const double *x, size_t n, enum coco_summation summation)
{
    size_t step = summation == COCO_NUMPY1 ? 8192 : n;
    double sum = 0;
    for (size_t i = 0; i < n; i += step)
        sum += sum_pairwise(x + i, i + step < n ? step : n - i);
    return sum / (double)n;
}

/* A mean over tensor cells that are not -1; iou < 0 stands for all. */
static double mean_of(struct oracle *o, const struct coco_protocol *p,
                      bool recall, double iou, const char *area, uint32_t limit)
{
    size_t n = 0, points = recall ? 1 : o->n_recall;
    size_t cells = o->n_iou * points * o->n_classes * o->n_areas * M;
    const double *from = recall ? o->recall : o->precision;
    double *x = need(&o->mem, cells, sizeof(*x));
    for (size_t i = 0; i < cells; i++) {
        size_t m = i % M, a = i / M % o->n_areas, t = i * o->n_iou / cells;
        if ((iou < 0 || p->iou[t] == iou) && p->max_detections[m] == limit &&
            strcmp(p->area[a].name, area) == 0 && from[i] > -1)
            x[n++] = from[i];
    }
    return n ? oracle_mean(x, n, p->summation) : -1;
}

static void summarise(struct oracle *o, const struct coco_protocol *p)
{
    const uint32_t *max = p->max_detections;
    const char *const sizes[] = {"small", "medium", "large"};
    o->number[0] = mean_of(o, p, false, -1, "all", 100);
    o->number[1] = mean_of(o, p, false, 0.5, "all", max[2]);
    o->number[2] = mean_of(o, p, false, 0.75, "all", max[2]);
    for (size_t i = 0; i < 3; i++) {
        o->number[3 + i] = mean_of(o, p, false, -1, sizes[i], max[2]);
        o->number[6 + i] = mean_of(o, p, true, -1, "all", max[i]);
        o->number[9 + i] = mean_of(o, p, true, -1, sizes[i], max[2]);
    }
}

static double *minus_ones(struct oracle *o, size_t n)
{
    double *x = need(&o->mem, n, sizeof(*x));
    while (n-- > 0)
        x[n] = -1;
    return x;
}

static struct input open_input(const struct coco_protocol *p,
                               const struct coco_ground_truth *gt,
                               const struct coco_detections *dt,
                               struct arena *mem)
{
    struct input in = {mem, p, gt, dt, .n_iou = p->n_iou, .iou = p->iou};
    in.image = sorted_unique(gt->image, gt->n_images, &in.n_images, mem);
    in.category =
        sorted_unique(gt->category, gt->n_categories, &in.n_categories, mem);
    in.met = oracle_met(p, gt, &in.n_met, mem);
    return in;
}

void oracle_score(struct oracle *o, const struct coco_protocol *p,
                  const struct coco_ground_truth *gt,
                  const struct coco_detections *dt)
{
    *o = (struct oracle){
        .n_iou = p->n_iou, .n_recall = p->n_recall, .n_areas = p->n_areas};
    arena_init(&o->mem, BYTES_MAX);
    struct input in = open_input(p, gt, dt, &o->mem);
    o->n_classes = p->use_categories ? in.n_categories : 1;
    size_t n = o->n_iou * o->n_classes * o->n_areas * M;
    o->precision = minus_ones(o, n * o->n_recall);
    o->scores = minus_ones(o, n * o->n_recall);
    o->recall = minus_ones(o, n);
    for (size_t k = 0; k < o->n_classes; k++)
        fill_class(o, &in, k);
    summarise(o, p);
}

void oracle_free(struct oracle *o)
{
    arena_free(&o->mem);
}

/* Adds one cell at its only threshold. */
static void count(const struct verdict *v, double score_threshold,
                  struct coco_image *out)
{
    for (size_t g = 0; g < v->n_gt; g++)
        out->positives += !v->gt_ignored[g];
    for (size_t d = 0; d < v->n_dt; d++) {
        if (v->score[d] < score_threshold)
            continue;
        out->detections++;
        if (v->ignored[d]) {
            out->ignored++;
        } else if (v->match[d] != 0) {
            out->tp++;
            out->mean_iou += v->overlap[d];
        } else {
            out->fp++;
        }
    }
}

void oracle_image(const struct coco_protocol *p,
                  const struct coco_ground_truth *gt,
                  const struct coco_detections *dt, int64_t image,
                  struct coco_image *out)
{
    struct arena mem;
    arena_init(&mem, BYTES_MAX);
    struct input in = open_input(p, gt, dt, &mem);
    in.n_iou = 1;
    in.iou = &p->per_image_iou;
    *out = (struct coco_image){.ap = out->ap};
    size_t n = p->use_categories ? in.n_categories : 1;
    for (size_t k = 0; k < n; k++) {
        struct pairs c = make_pairs(&in, k, image);
        struct verdict v = judge(&in, &c, &p->area[p->area_all]);
        count(&v, p->score_threshold, out);
    }
    out->fn = out->positives - out->tp;
    out->mean_iou = out->tp ? out->mean_iou / out->tp : NAN;
    arena_free(&mem);
}
