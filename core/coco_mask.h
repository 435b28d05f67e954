/*
 * A match row: per area range two sets of thresholds, packed.  Bit t of
 * `matched` says that the detection met a ground truth at threshold t, bit t
 * of `ignored` that it does not count there (neither true nor false positive).
 */
#ifndef EVALD_CORE_COCO_MASK_H
#define EVALD_CORE_COCO_MASK_H

#include "core/coco.h"

struct coco_mask {
    uint64_t matched, ignored;
};

static inline uint64_t coco_bits_load(const uint8_t *p, size_t bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)p[i] << (8 * i);
    return bits;
}

static inline void coco_bits_store(uint8_t *p, size_t bytes, uint64_t bits)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(bits >> (8 * i));
}

static inline uint8_t *coco_mask_at(const struct coco_matches *m, uint32_t row,
                                    size_t area)
{
    return m->rows + (size_t)row * m->row_bytes + area * 2 * m->mask_bytes;
}

static inline void coco_mask_store(const struct coco_matches *m, uint32_t row,
                                   size_t area, struct coco_mask mask)
{
    uint8_t *p = coco_mask_at(m, row, area);
    coco_bits_store(p, m->mask_bytes, mask.matched);
    coco_bits_store(p + m->mask_bytes, m->mask_bytes, mask.ignored);
}

/* The mask of any mark, one that needed no row included. */
static inline struct coco_mask coco_mask(const struct coco_matches *m,
                                         const struct coco_mark *mark,
                                         size_t area)
{
    if (mark->row == COCO_UNKNOWN) {
        bool outside = mark->outside >> area & 1;
        return (struct coco_mask){0, outside ? UINT64_MAX : 0};
    }
    const uint8_t *p = coco_mask_at(m, mark->row, area);
    return (struct coco_mask){coco_bits_load(p, m->mask_bytes),
                              coco_bits_load(p + m->mask_bytes, m->mask_bytes)};
}

#endif
