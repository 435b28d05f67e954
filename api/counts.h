/* How much was computed, counted by whoever computes; any thread. */
#ifndef EVALD_API_COUNTS_H
#define EVALD_API_COUNTS_H

#include <stdatomic.h>
#include <stddef.h>

struct api_counts {
    atomic_ullong *elements; /* of the first inputs, by row of core/ops.h */
    atomic_ullong detections, images; /* that were scored */
};

static inline void counts_add(atomic_ullong *count, size_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

/* An operation was computed on n elements; c may be NULL. */
static inline void counts_operation(struct api_counts *c, size_t row, size_t n)
{
    if (c)
        counts_add(&c->elements[row], n);
}

/* An evaluation was computed; c may be NULL. */
static inline void counts_evaluation(struct api_counts *c, size_t detections,
                                     size_t images)
{
    if (!c)
        return;
    counts_add(&c->detections, detections);
    counts_add(&c->images, images);
}

#endif
