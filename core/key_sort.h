/* Stable sort of rows by key: a score, an id. */
#ifndef EVALD_CORE_KEY_SORT_H
#define EVALD_CORE_KEY_SORT_H

#include "core/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Rising keys are falling scores; -0.0 ties with 0.0.  score is no NaN. */
static inline uint64_t score_key(double score)
{
    uint64_t bits;
    score += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &score, sizeof(bits));
    return bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
}

/* Rising keys are rising ids. */
static inline uint64_t id_key(int64_t id)
{
    return (uint64_t)id ^ UINT64_C(1) << 63;
}

/* What is sorted, and as much room to spare. */
struct key_order {
    uint64_t *key, *spare_key; /* such as score_key's */
    uint32_t *row, *spare_row; /* payloads */
};

/* Room for n rows; look at mem->failed. */
struct key_order key_order_alloc(size_t n, struct arena *mem);

/*
 * Sorts the first n rows along with their keys: lower keys first, and rows of
 * equal keys keep their order.  What is to spare is clobbered.
 *   stop   NULL, or the request's: once it is set key and row are anything
 * Returns -1 when stopped.
 */
int key_sort(const struct key_order *by, size_t n, const atomic_bool *stop);

/*
 * Makes room for n ids and sorts them: row becomes their places, of equal ones
 * the first first, and key their id_key.  n is below UINT32_MAX.  Returns -1
 * when the arena is spent, or when stopped.
 */
int key_sort_ids(struct key_order *by, const int64_t *id, size_t n,
                 struct arena *mem, const atomic_bool *stop);

#endif
