/* One piece of work with a pool of its own, for commands that do one thing. */
#ifndef EVALD_SERVER_ONCE_H
#define EVALD_SERVER_ONCE_H

#include "core/parallel.h"

typedef void once_work(void *context, const struct parallel *par);

/*
 * Calls work(context, par), whose par splits over this thread and others, so
 * that `workers`, 1 to WORKERS_MAX, compute.  Returns when it is done; -1 if
 * threads cannot be had.
 */
int once_run(size_t workers, once_work *work, void *context)
    __attribute__((warn_unused_result));

#endif
