/*
 * Doing n independent items of work, on one thread or on several.
 *
 * The core starts no threads; whoever calls it lends it this.  Results never
 * depend on the number of workers or on who does which item.
 */
#ifndef EVALD_CORE_PARALLEL_H
#define EVALD_CORE_PARALLEL_H

#include "core/stop.h"

#include <stddef.h>

typedef void parallel_task(void *context, size_t item, size_t worker);

struct parallel {
    size_t width; /* at least 1: how many items may be in work at once */
    /*
     * Calls task(context, item, worker) once for every item < n, with
     * worker < width; no two calls with the same worker at the same time.
     * Returns when all are done, or left out: see stop.
     */
    void (*run)(const struct parallel *self, size_t n, parallel_task *task,
                void *context);
    void *owner; /* what run works with; of whoever made this */
    /*
     * NULL, or the flag of the request (stop.h): once it is set, items that
     * have not begun are left out.  A request has a copy of the struct with
     * its own.
     */
    const atomic_bool *stop;
};

/* Everything on the calling thread, in order.  width is 1. */
extern const struct parallel parallel_serial;

/* To be asked after run, by whoever reads what items were to write. */
static inline bool parallel_stopped(const struct parallel *p)
{
    return is_stopped(p->stop);
}

#endif
