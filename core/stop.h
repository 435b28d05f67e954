/*
 * Stopping: what nobody wants any more is not computed to its end.
 *
 * A request has one flag.  Another thread sets it, and it never goes back.
 * It travels in struct parallel and in struct arena; both are looked at
 * every few ten thousand elements, by whoever has the one or the other:
 *   - parallel->run leaves out the items that have not begun,
 *   - arena_alloc fails,
 *   - a long loop goes from stretch to stretch with stop_reach.
 *
 * What a function was to write is not set once the flag is: who goes on with
 * it, be it as a length or an index, looks at the flag first.  A callee that
 * saw it set, on any thread, has returned before its caller looks, so the
 * caller sees the same.  A function that can say that there is no memory says
 * so when it is stopped; in the end api_answer puts 504 in place of whatever
 * has come of it.
 */
#ifndef EVALD_CORE_STOP_H
#define EVALD_CORE_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Elements between two looks: some 10 to 500 us of work. */
enum { STOP_STRETCH = 1 << 15 };

/* stop may be NULL: never. */
static inline bool is_stopped(const atomic_bool *stop)
{
    return stop && atomic_load_explicit(stop, memory_order_relaxed);
}

/*
 * How far a loop that has come to i of n may go before it looks again: i
 * itself when it is at the end or stopped.
 *
 *     for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
 *         for (; i < end; i++)
 */
static inline size_t stop_reach(const atomic_bool *stop, size_t i, size_t n)
{
    if (is_stopped(stop))
        return i;
    return n - i < STOP_STRETCH ? n : i + STOP_STRETCH;
}

/* memcpy of what may be long; once stopped, only a part of it. */
static inline void stop_copy(const atomic_bool *stop, void *to,
                             const void *from, size_t n)
{
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i; i = end)
        memcpy((char *)to + i, (const char *)from + i, end - i);
}

#endif
