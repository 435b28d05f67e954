/*
 * Stable sort of rows by key.
 *   n      rows
 *   key    n keys, such as score_key's; rearranged along with row
 *   row    n payloads
 *   spare_key, spare_row  n items each, clobbered
 *   stop   NULL, or the request's: once it is set key and row are anything
 * Lower keys first; rows of equal keys keep their order.  Cannot fail.
 */
#ifndef EVALD_CORE_KEY_SORT_H
#define EVALD_CORE_KEY_SORT_H

#include "core/stop.h"

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

void key_sort(size_t n, uint64_t *key, uint32_t *row, uint64_t *spare_key,
              uint32_t *spare_row, const atomic_bool *stop);

#endif
