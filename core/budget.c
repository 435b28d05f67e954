#include "core/budget.h"

#include <assert.h>
#include <stdint.h>

bool budget_take(struct budget *b, size_t n)
{
    const size_t max = b->max ? b->max : SIZE_MAX;
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    do
        if (n > max - used)
            return false;
    while (!atomic_compare_exchange_weak_explicit(
        &b->used, &used, used + n, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void budget_give(struct budget *b, size_t n)
{
    size_t used = atomic_fetch_sub_explicit(&b->used, n, memory_order_relaxed);
    assert(n <= used); /* or it is given what was not taken */
    (void)used;
}

bool budget_is_crowded(const struct budget *b)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    return b->max && used > b->max / 2;
}
