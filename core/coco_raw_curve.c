/* Built with -ffp-contract=off, as everything. */
#include "core/coco_raw_curve.h"

int coco_raw_curve_alloc(struct coco_raw_curve *c, const struct coco_result *r,
                         struct arena *mem)
{
    const struct coco_protocol *p = r->protocol;
    uint32_t most = 0;
    for (size_t k = 0; k < r->index.n_classes; k++) {
        uint32_t n = r->class[k].positives[p->area_all];
        most = n > most ? n : most;
    }
    size_t points = (size_t)most + 1;
    c->n = 0;
    c->recall = arena_alloc(mem, points, sizeof(double));
    c->precision = arena_alloc(mem, points, sizeof(double));
    c->score = arena_alloc(mem, points, sizeof(double));
    c->envelope = arena_alloc(mem, p->n_recall, sizeof(double));
    c->envelope_score = arena_alloc(mem, p->n_recall, sizeof(double));
    c->reached = arena_alloc(mem, p->n_recall, sizeof(*c->reached));
    return coco_curve_alloc(&c->class, p->n_iou, most, true, mem);
}

void coco_raw_curve_class(struct coco_raw_curve *c, const struct coco_result *r,
                          size_t k)
{
    const struct coco_protocol *p = r->protocol;
    c->class.positives = r->class[k].positives[p->area_all];
    coco_curve_fill(&c->class, &r->matches,
                    r->matches.sorted + r->index.class_dt[k],
                    r->matches.class_sorted[k], p->area_all, COCO_LIMITS - 1,
                    p->n_iou, r->stop);
}

/* The last of n marks that counts at t, or n. */
static size_t last_counted(const struct coco_result *r,
                           const struct coco_sorted *sorted, size_t n, size_t t)
{
    size_t all = r->protocol->area_all;
    for (size_t i = n; i-- > 0;)
        if (!(coco_mask(&r->matches, sorted[i], all).ignored >> t & 1))
            return i;
    return n;
}

static void add_point(struct coco_raw_curve *c, uint32_t tp, double precision,
                      double score)
{
    c->recall[c->n] = (double)tp / c->class.positives;
    c->precision[c->n] = precision;
    c->score[c->n++] = score;
}

static void sample(struct coco_raw_curve *c, const struct coco_result *r,
                   const struct coco_sorted *sorted, size_t t)
{
    coco_curve_sample(&c->class, t, r->protocol, c->envelope, c->reached);
    for (size_t i = 0; i < r->protocol->n_recall; i++)
        c->envelope_score[i] =
            c->reached[i] == COCO_UNKNOWN
                ? 0
                : coco_score_at(r, sorted[c->reached[i]].place);
}

void coco_raw_curve_at(struct coco_raw_curve *c, const struct coco_result *r,
                       size_t k, size_t t)
{
    const struct coco_sorted *sorted = r->matches.sorted + r->index.class_dt[k];
    size_t first = t * c->class.capacity, n = r->matches.class_sorted[k];
    uint32_t tp = c->class.n_tp[t], fp = c->class.n_fp[t];
    c->n = 0;
    c->detections = tp + fp;
    for (uint32_t i = 0; i < tp; i++) {
        uint32_t mark = c->class.mark[first + i];
        add_point(c, i + 1, c->class.precision[first + i],
                  coco_score_at(r, sorted[mark].place));
    }
    size_t last = last_counted(r, sorted, n, t);
    if (last < n && (tp == 0 || last > c->class.mark[first + tp - 1]))
        add_point(c, tp, coco_curve_precision(tp, fp),
                  coco_score_at(r, sorted[last].place));
    sample(c, r, sorted, t);
}
