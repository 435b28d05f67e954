/*
 * A match row: per area range two sets of thresholds, packed.  Bit t of
 * `matched` says that the detection met a ground truth at threshold t, bit t
 * of `ignored` that it does not count there (neither true nor false positive).
 * Few detections overlap anything, so rows stand close together, and how many
 * stand before that of a place is looked up in matches.rank.
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

static inline uint8_t *coco_mask_at(const struct coco_matches *m, size_t row,
                                    size_t area)
{
    return m->rows + row * m->row_bytes + area * 2 * m->mask_bytes;
}

/* Where the row of a place stands, which overlaps. */
static inline size_t coco_row(const struct coco_matches *m, uint32_t place)
{
    const struct coco_rank *rank = &m->rank[place / 64];
    uint64_t behind = UINT64_MAX << place % 64;
    return rank->before +
           (size_t)__builtin_popcountll(rank->overlaps & ~behind);
}

static inline void coco_mask_store(const struct coco_matches *m, size_t row,
                                   size_t area, struct coco_mask mask)
{
    uint8_t *p = coco_mask_at(m, row, area);
    coco_bits_store(p, m->mask_bytes, mask.matched);
    coco_bits_store(p + m->mask_bytes, m->mask_bytes, mask.ignored);
}

/* The mask of any detection, one that needed no row included. */
static inline struct coco_mask coco_mask(const struct coco_matches *m,
                                         struct coco_sorted d, size_t area)
{
    if (!d.mark.overlaps) {
        bool outside = d.mark.outside >> area & 1;
        return (struct coco_mask){0, outside ? UINT64_MAX : 0};
    }
    const uint8_t *p = coco_mask_at(m, coco_row(m, d.place), area);
    return (struct coco_mask){coco_bits_load(p, m->mask_bytes),
                              coco_bits_load(p + m->mask_bytes, m->mask_bytes)};
}

#endif
