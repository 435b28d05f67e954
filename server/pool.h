/*
 * Threads that compute, for any number of event loops: bounded queues of jobs
 * in two lanes, and helpers for a job that splits itself into items.
 *
 * Light jobs go first, and heavy ones leave one thread to them.  A job calls
 * `parallel` from its thread; threads that are idle at that time join in, and
 * leave when there is nothing left, or when a light job waits.  A loop has a
 * port to the pool: jobs that have been run come back to its thread there.
 *
 * Jobs that mostly wait, for a store to commit, have a lane and threads of
 * their own: many wait at once, and none of those that compute waits.
 *
 * The threads have a lower priority than those that start the pool.  So where
 * all processors compute, a loop's thread that wakes up has one at once.
 */
#ifndef EVALD_SERVER_POOL_H
#define EVALD_SERVER_POOL_H

#include "core/parallel.h"

#include <uv.h>

enum pool_lane { LANE_LIGHT, LANE_HEAVY, LANE_STORE, LANES };

struct pool_job {
    void (*run)(struct pool_job *job);  /* on a thread of the pool */
    void (*done)(struct pool_job *job); /* on its loop's thread, afterwards */
    enum pool_lane lane;
    struct pool_port *port; /* of the loop that done is called on */
    struct pool_job *next;  /* the pool's own, as what follows; begins as 0 */
    struct pool_job **link; /* what points to it while it waits */
};

/* What the pool has to do at one moment. */
struct pool_stats {
    size_t waiting[LANES], running[LANES]; /* jobs */
    size_t helpers;                        /* threads at other jobs' items */
};

/*
 * Starts `workers` threads, 1 to WORKERS_MAX, and `waiters` for LANE_STORE; at
 * most queue_max jobs wait in a lane.  NULL when there is no memory, or there
 * are no threads to be had.
 */
struct pool *pool_new(size_t workers, size_t waiters,
                      const size_t queue_max[LANES])
    __attribute__((warn_unused_result));

/* Ends the threads of a pool that has no jobs; NULL is none. */
void pool_free(struct pool *pool);

/* A loop's end of the pool, for the loop's thread; NULL without memory. */
struct pool_port *pool_port_new(struct pool *pool, uv_loop_t *loop)
    __attribute__((warn_unused_result));

/* Releases a port whose jobs are all done or cancelled, by its loop. */
void pool_port_free(struct pool_port *port);

/* Queues a job, from any thread; -1 when its lane is full. */
int pool_submit(struct pool_job *job) __attribute__((warn_unused_result));

/*
 * Takes back a job that waits: true, and neither run nor done will be called.
 * False if it runs or ran, and done will be called as ever.  For the loop's
 * thread, before done.
 */
bool pool_cancel(struct pool_job *job);

/*
 * For jobs of this pool to split their work with; copies of it may have a stop
 * flag of their own.
 */
const struct parallel *pool_parallel(const struct pool *pool);

struct pool_stats pool_stats(struct pool *pool);

#endif
