/*
 * Whether a part, whose bytes may come from anywhere, goes with the ground
 * truth it says it was matched with; and how to read its numbers.
 */
#ifndef EVALD_CORE_COCO_PART_FIT_H
#define EVALD_CORE_COCO_PART_FIT_H

#include "core/coco_part.h"

#include <string.h>

/* Number i of those at p. */
static inline uint32_t coco_part_u32(const uint8_t *p, size_t i)
{
    uint32_t x;
    memcpy(&x, p + i * sizeof(x), sizeof(x));
    return x;
}

static inline int64_t coco_part_i64(const uint8_t *p, size_t i)
{
    int64_t x;
    memcpy(&x, p + i * sizeof(x), sizeof(x));
    return x;
}

static inline double coco_part_double(const uint8_t *p, size_t i)
{
    double x;
    memcpy(&x, p + i * sizeof(x), sizeof(x));
    return x;
}

static inline bool coco_part_overlaps(const struct coco_part *part,
                                      size_t place)
{
    return part->overlaps[place / 8] >> place % 8 & 1;
}

/* Cell i: its class and detections. */
struct coco_part_cell {
    uint32_t class, n;
};

static inline struct coco_part_cell coco_part_cell(const struct coco_part *part,
                                                   size_t i)
{
    return (struct coco_part_cell){coco_part_u32(part->cell, 2 * i),
                                   coco_part_u32(part->cell, 2 * i + 1)};
}

/*
 * What parts are held against; one per worker.  Once whole.stop is set the
 * answer means nothing.
 */
struct coco_fit {
    struct coco_result whole; /* protocol, ground truth and its index */
    struct coco_matches shape;
    const struct coco_truths *truths;
    bool *taken; /* ground truths of the cell at hand */
};

int coco_fit_init(struct coco_fit *fit, const struct coco_protocol *p,
                  const struct coco_truths *truths, struct arena *mem)
    __attribute__((warn_unused_result));

/*
 * Whether coco_match may have left the part: its image has that many ground
 * truths; every detection of a cell is in its place, by score, once; no area
 * range and threshold has more true positives than ground truths that count;
 * and those at per_image_iou met each another one.  So whatever counts or
 * refers to them stays within bounds, whoever wrote the bytes.
 */
bool coco_part_fits(struct coco_fit *fit, const struct coco_part *part);

#endif
