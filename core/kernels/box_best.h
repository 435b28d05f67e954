/*
 * The k best of many values, found in one pass and k places.
 *
 *     struct best h = {0, k, value, index};
 *     best_add(&h, x, i);   for i = 0, 1, 2, ...
 *     best_sort(&h, stop);  highest first, of equal ones the lower index
 */
#ifndef EVALD_CORE_KERNELS_BOX_BEST_H
#define EVALD_CORE_KERNELS_BOX_BEST_H

#include "core/real.h"
#include "core/stop.h"

#include <stddef.h>
#include <stdint.h>

/* The best so far: a heap whose root is the worst of them. */
struct best {
    size_t n, k;
    real *value;
    int64_t *index;
};

static inline bool best_worse(const struct best *h, size_t i, size_t j)
{
    return h->value[i] < h->value[j] ||
           (h->value[i] == h->value[j] && h->index[i] > h->index[j]);
}

static inline void best_swap(struct best *h, size_t i, size_t j)
{
    real value = h->value[i];
    int64_t index = h->index[i];
    h->value[i] = h->value[j];
    h->index[i] = h->index[j];
    h->value[j] = value;
    h->index[j] = index;
}

static inline void best_sift_up(struct best *h, size_t i)
{
    for (; i && best_worse(h, i, (i - 1) / 2); i = (i - 1) / 2)
        best_swap(h, i, (i - 1) / 2);
}

static inline void best_sift_down(struct best *h, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && best_worse(h, child + 1, child))
            child++;
        if (!best_worse(h, child, i))
            return;
        best_swap(h, i, child);
    }
}

/* Takes in a value whose index is above all that were taken in before. */
static inline void best_add(struct best *h, real value, size_t index)
{
    bool full = h->n == h->k;
    if (full && !(value > h->value[0]))
        return;
    size_t at = full ? 0 : h->n++;
    h->value[at] = value;
    h->index[at] = (int64_t)index;
    if (full)
        best_sift_down(h, 0);
    else
        best_sift_up(h, at);
}

/* Best first: the worst goes to the end, again and again. */
static inline void best_sort(struct best *h, const atomic_bool *stop)
{
    while (h->n > 1 && !is_stopped(stop)) {
        best_swap(h, 0, --h->n);
        best_sift_down(h, 0);
    }
}

#endif
