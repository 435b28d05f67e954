/*
 * Work for libuv's threads: a bounded queue of jobs in two lanes, and
 * helpers for a job that splits itself into items.
 *
 * Never more of libuv's work items are in flight than there are threads, so
 * nothing queues where it cannot be seen, counted or refused.  Heavy jobs
 * leave one thread to light ones.  A job calls `parallel` from its thread;
 * threads that are idle at that time join in and leave when there is
 * nothing left, or when a light job waits.
 */
#ifndef EVALD_SERVER_POOL_H
#define EVALD_SERVER_POOL_H

#include "core/parallel.h"

#include <uv.h>

enum pool_lane { LANE_LIGHT, LANE_HEAVY, LANES };

struct pool_job {
    void (*run)(struct pool_job *job);  /* on a thread of the pool */
    void (*done)(struct pool_job *job); /* on the loop's thread, afterwards */
    enum pool_lane lane;
    struct pool_job *next; /* the pool's own, as what follows */
    struct pool *pool;
    uv_work_t work;
};

/*
 * A pool of `workers` threads, 1 to WORKERS_MAX, on loop; UV_THREADPOOL_SIZE
 * says the same. Holds at most queue_max jobs that wait, per lane.  NULL when
 * there is no memory.  All functions but parallel->run are for the loop's
 * thread.
 */
struct pool *pool_new(uv_loop_t *loop, size_t workers, size_t queue_max)
    __attribute__((warn_unused_result));

/* Queues a job; -1 when its lane is full. */
int pool_submit(struct pool *pool, struct pool_job *job)
    __attribute__((warn_unused_result));

/* For jobs of this pool to split their work with. */
const struct parallel *pool_parallel(const struct pool *pool);

/* Releases a pool without jobs once its helpers are back, by the loop. */
void pool_free(struct pool *pool);

#endif
