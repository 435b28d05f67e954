/*
 * What matching does not decide: the marks of detections that follow from
 * their boxes and places, and how match rows are laid out.
 */
#ifndef EVALD_CORE_COCO_MARK_H
#define EVALD_CORE_COCO_MARK_H

#include "core/coco_mask.h"

/* Bit a: the area is outside range a. */
static inline uint16_t coco_outside(const struct coco_protocol *p, double area)
{
    uint16_t bits = 0;
    for (size_t a = 0; a < p->n_areas; a++)
        if (area < p->area[a].lo || area > p->area[a].hi)
            bits |= (uint16_t)(1u << a);
    return bits;
}

/* Of the i-th best of its cell, as long as it overlaps nothing. */
static inline struct coco_mark coco_mark_of(const struct coco_protocol *p,
                                            uint32_t i, const double *xywh)
{
    uint8_t limit = 0;
    while (limit < COCO_LIMITS && i >= p->max_detections[limit])
        limit++;
    return (struct coco_mark){
        .outside = coco_outside(p, xywh[2] * xywh[3]),
        .limit = limit,
    };
}

/* Sets what all rows have in common. */
static inline void coco_matches_shape(struct coco_matches *m,
                                      const struct coco_protocol *p)
{
    m->per_image = 0;
    while (m->per_image < p->n_iou && p->iou[m->per_image] != p->per_image_iou)
        m->per_image++;
    m->n_thresholds = p->n_iou + (m->per_image == p->n_iou);
    m->mask_bytes = (m->n_thresholds + 7) / 8;
    m->row_bytes = p->n_areas * 2 * m->mask_bytes;
}

/*
 * Notes a place after all those before it; `row` of them have rows.  Returns
 * how many have rows now.
 */
static inline uint32_t coco_rank_add(struct coco_rank *rank, size_t place,
                                     bool overlaps, uint32_t row)
{
    if (place % 64 == 0)
        rank[place / 64] = (struct coco_rank){.before = row};
    rank[place / 64].overlaps |= (uint64_t)overlaps << place % 64;
    return row + overlaps;
}

#endif
