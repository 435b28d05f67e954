/*
 * The overlap of two boxes as pycocotools has it, to the last bit: double, and
 * no fused multiply-add (the build has -ffp-contract=off).
 */
#ifndef EVALD_CORE_COCO_BOX_H
#define EVALD_CORE_COCO_BOX_H

#include <stdbool.h>

struct coco_box {
    double x1, y1, x2, y2, area;
};

/* From x, y, width, height. */
static inline struct coco_box coco_corners(const double *xywh)
{
    return (struct coco_box){xywh[0], xywh[1], xywh[0] + xywh[2],
                             xywh[1] + xywh[3], xywh[2] * xywh[3]};
}

/* Of numbers that are no NaN; unlike fmin they are one instruction. */
static inline double coco_lower(double a, double b)
{
    return a < b ? a : b;
}

static inline double coco_higher(double a, double b)
{
    return a > b ? a : b;
}

/*
 * The part that two boxes share of what they cover together, or, where g is a
 * crowd, of d.  Boxes that only touch have 0; tiny or huge ones may have NaN.
 */
static inline double coco_iou(const struct coco_box *d,
                              const struct coco_box *g, bool crowd)
{
    double w = coco_lower(d->x2, g->x2) - coco_higher(d->x1, g->x1);
    double h = coco_lower(d->y2, g->y2) - coco_higher(d->y1, g->y1);
    if (!((w > 0) & (h > 0))) /* one branch, and nearly always this one */
        return 0;
    double i = w * h;
    double u = crowd ? d->area : d->area + g->area - i;
    return i / u;
}

#endif
