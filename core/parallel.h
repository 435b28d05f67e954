/*
 * Doing n independent items of work, on one thread or on several.
 *
 * The core starts no threads; whoever calls it lends it this.  Results never
 * depend on the number of workers or on who does which item.
 */
#ifndef EVALD_CORE_PARALLEL_H
#define EVALD_CORE_PARALLEL_H

#include <stddef.h>

typedef void parallel_task(void *context, size_t item, size_t worker);

struct parallel {
    size_t width; /* at least 1: how many items may be in work at once */
    /*
     * Calls task(context, item, worker) once for every item < n, with
     * worker < width; no two calls with the same worker at the same time.
     * Returns when all are done.
     */
    void (*run)(const struct parallel *self, size_t n, parallel_task *task,
                void *context);
};

/* Everything on the calling thread, in order.  width is 1. */
extern const struct parallel parallel_serial;

#endif
