/*
 * Memory that all requests share: how much of it is spoken for.
 *
 * Arenas take from it before they ask the system and give back what they
 * return (arena.h), so their sum stays below the limit whoever comes first.
 * Any thread may take and give at any time; nobody waits.
 */
#ifndef EVALD_CORE_BUDGET_H
#define EVALD_CORE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero is a budget without a limit, of which nothing is used. */
struct budget {
    atomic_size_t used; /* bytes; never above max */
    size_t max;         /* 0 = no limit: then it only counts */
};

/* Takes n bytes; false, with nothing changed, if they are not there. */
bool budget_take(struct budget *b, size_t n)
    __attribute__((warn_unused_result));

/* Gives back n bytes that were taken, all at once or in parts. */
void budget_give(struct budget *b, size_t n);

/* Whether more than half of it is taken. */
bool budget_is_crowded(const struct budget *b);

#endif
