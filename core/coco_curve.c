/* Built with -ffp-contract=off, as everything. */
#include "core/coco_curve.h"

#include <string.h>

int coco_curve_alloc(struct coco_curve *c, size_t n_thresholds, size_t capacity,
                     bool marks, struct arena *mem)
{
    *c = (struct coco_curve){.capacity = capacity};
    size_t n;
    if (__builtin_mul_overflow(n_thresholds, capacity, &n))
        return -1;
    c->n_tp = arena_alloc(mem, n_thresholds, sizeof(*c->n_tp));
    c->n_fp = arena_alloc(mem, n_thresholds, sizeof(*c->n_fp));
    c->precision = arena_alloc(mem, n, sizeof(*c->precision));
    if (marks)
        c->mark = arena_alloc(mem, n, sizeof(*c->mark));
    return mem->failed ? -1 : 0;
}

void coco_curve_fill(struct coco_curve *c, const struct coco_matches *m,
                     const struct coco_sorted *sorted, size_t n, size_t area,
                     uint8_t limit, size_t n_thresholds,
                     const atomic_bool *stop)
{
    uint64_t all = UINT64_MAX >> (64 - n_thresholds);
    uint32_t fp_everywhere = 0; /* the usual case, counted once for all t */
    c->first = COCO_UNKNOWN;
    memset(c->n_tp, 0, n_thresholds * sizeof(*c->n_tp));
    memset(c->n_fp, 0, n_thresholds * sizeof(*c->n_fp));
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++) {
            if (sorted[i].mark.limit > limit)
                continue;
            if (c->first == COCO_UNKNOWN)
                c->first = (uint32_t)i;
            struct coco_mask mask = coco_mask(m, sorted[i], area);
            uint64_t tp = mask.matched & ~mask.ignored & all;
            uint64_t fp = ~mask.matched & ~mask.ignored & all;
            if (fp == all)
                fp_everywhere++;
            else
                for (; fp; fp &= fp - 1)
                    c->n_fp[__builtin_ctzll(fp)]++;
            for (; tp; tp &= tp - 1) {
                size_t t = (size_t)__builtin_ctzll(tp);
                if (c->mark)
                    c->mark[t * c->capacity + c->n_tp[t]] = (uint32_t)i;
                coco_curve_add(c, t, fp_everywhere + c->n_fp[t]);
            }
        }
    for (size_t t = 0; t < n_thresholds; t++)
        c->n_fp[t] += fp_everywhere;
}

/* Each precision becomes the highest from here on. */
static void envelope(double *precision, size_t n)
{
    for (size_t i = n; i-- > 1;)
        if (precision[i] > precision[i - 1])
            precision[i - 1] = precision[i];
}

void coco_curve_sample(struct coco_curve *c, size_t t,
                       const struct coco_protocol *p, double *precision,
                       uint32_t *mark)
{
    double *at_tp = c->precision + t * c->capacity;
    size_t r = 0, n = c->n_tp[t];
    envelope(at_tp, n);
    for (size_t i = 0; i < n && r < p->n_recall; i++) {
        double recall = (double)(i + 1) / c->positives;
        for (; r < p->n_recall && recall >= p->recall[r]; r++) {
            precision[r] = at_tp[i];
            if (mark)
                mark[r] = c->mark[t * c->capacity + i];
        }
    }
    for (; r < p->n_recall; r++) {
        precision[r] = 0;
        if (mark)
            mark[r] = COCO_UNKNOWN;
    }
    /* Recall 0 is met before any true positive. */
    for (r = 0; mark && r < p->n_recall && p->recall[r] <= 0; r++)
        mark[r] = c->first;
}
