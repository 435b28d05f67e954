/* Means over the curves, added up in numpy's order. */
#include "core/coco.h"

#include <string.h>

enum { PLAIN_BELOW = 8, BLOCK = 128, CHUNK = 8192 };

/*
 * numpy's pairwise sum of contiguous doubles.  Halves n, so it is at most
 * log2(n / BLOCK) + 1 deep.
 */
/* NOLINTNEXTLINE(misc-no-recursion) */
static double pairwise(const double *x, size_t n)
{
    if (n < PLAIN_BELOW) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[i];
        return sum;
    }
    if (n > BLOCK) {
        size_t half = n / 2 - n / 2 % 8;
        return pairwise(x, half) + pairwise(x + half, n - half);
    }
    double r[8];
    memcpy(r, x, sizeof(r));
    size_t i = 8;
    for (; i < n - n % 8; i += 8)
        for (size_t j = 0; j < 8; j++)
            r[j] += x[i + j];
    double sum =
        ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += x[i];
    return sum;
}

double coco_mean(const double *x, size_t n, enum coco_summation summation)
{
    if (summation == COCO_NUMPY2)
        return pairwise(x, n) / (double)n;
    double sum = 0;
    for (size_t i = 0; i < n; i += CHUNK)
        sum += pairwise(x + i, n - i < CHUNK ? n - i : CHUNK);
    return sum / (double)n;
}

/* The row of the area range of this name, or n_areas. */
static size_t area_row(const struct coco_protocol *p, const char *name)
{
    size_t a = 0;
    while (a < p->n_areas && strcmp(p->area[a].name, name) != 0)
        a++;
    return a;
}

static size_t limit_row(const struct coco_protocol *p, uint32_t limit)
{
    size_t m = 0;
    while (m < COCO_LIMITS && p->max_detections[m] != limit)
        m++;
    return m;
}

/* One number's slice of the tensors. */
struct slice {
    size_t area, limit, first_class, end_class;
    const struct coco_number *number;
};

/*
 * Copies the slice into out, in the order of pycocotools' flattened arrays:
 * threshold, recall, category.  Categories without ground truth are the -1s
 * that pycocotools leaves out of the mean.
 */
static size_t gather(const struct coco_result *r, const struct slice *s,
                     double *out)
{
    const struct coco_protocol *p = r->protocol;
    bool from_recall = s->number->recall;
    size_t points = from_recall ? 1 : p->n_recall, n = 0;
    for (size_t t = 0; t < p->n_iou; t++) {
        if (s->number->iou > 0 && p->iou[t] != s->number->iou)
            continue;
        size_t row = from_recall ? coco_recall_row(r, s->area, s->limit, t)
                                 : coco_precision_row(r, s->area, s->limit, t);
        for (size_t i = 0; i < points && !is_stopped(r->stop); i++)
            for (size_t k = s->first_class; k < s->end_class; k++) {
                const struct coco_class *class = &r->class[k];
                if (class->positives[s->area] == 0)
                    continue;
                out[n++] = from_recall ? class->recall[row]
                                       : class->precision[row * points + i];
            }
    }
    return n;
}

double coco_value(const struct coco_result *r, const struct coco_number *number,
                  size_t k)
{
    const struct coco_protocol *p = r->protocol;
    struct slice s = {.area = area_row(p, number->area),
                      .limit = limit_row(p, number->limit),
                      .number = number};
    if (s.area == p->n_areas || s.limit == COCO_LIMITS)
        return -1;
    s.first_class = k == COCO_ALL_CLASSES ? 0 : k;
    s.end_class = k == COCO_ALL_CLASSES ? r->index.n_classes : k + 1;
    size_t n = gather(r, &s, r->values);
    return n ? coco_mean(r->values, n, p->summation) : -1;
}
