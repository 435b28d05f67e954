#include "server/pool.h"

#include "server/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 20,
    NICENESS = 19, /* as kind as can be */
    NAME_BYTES = 16,
};

/* Items being done by whoever has time.  Lives on the stack of its job. */
struct region {
    struct region *next;
    const struct parallel *par; /* the job's, with its stop flag */
    parallel_task *task;
    void *context;
    size_t n;
    atomic_size_t item;      /* the next one to do */
    size_t active;           /* helpers at work; guarded by the pool's mutex */
    bool taken[WORKERS_MAX]; /* worker ids in use; likewise */
};

struct queue {
    struct pool_job *head, **tail;
    size_t length, length_max;
};

struct pool {
    struct parallel parallel;
    size_t workers, heavy_max;
    atomic_size_t light_waiting; /* as the lane's length, for helpers to see */
    pthread_mutex_t mutex;       /* guards what follows, regions and ports */
    pthread_cond_t work;         /* there is some for one idle thread */
    pthread_cond_t errand;       /* there is some for one that waits */
    pthread_cond_t left; /* a region has no helper, a port no job; or settled */
    struct queue queue[LANES];
    size_t running[LANES], helpers, idle;
    struct region *regions;
    bool closing;
    size_t started, settled; /* threads */
    pthread_t thread[];
};

struct pool_port {
    struct pool *pool;
    uv_async_t wake;
    _Atomic(struct pool_job *) finished; /* the newest first */
    size_t jobs; /* that its loop has not been told of; guarded by the pool */
};

/* A region with items left and a worker id to give. */
static struct region *joinable(const struct pool *pool)
{
    for (struct region *r = pool->regions; r; r = r->next)
        if (r->active + 1 < pool->workers && atomic_load(&r->item) < r->n &&
            !parallel_stopped(r->par))
            return r;
    return NULL;
}

/* The first job that may start now, or NULL. */
static struct pool_job *startable(const struct pool *pool)
{
    if (pool->queue[LANE_LIGHT].head)
        return pool->queue[LANE_LIGHT].head;
    if (pool->running[LANE_HEAVY] < pool->heavy_max)
        return pool->queue[LANE_HEAVY].head;
    return NULL;
}

/*
 * Whether to wake an idle thread.  It asks this, too, when it has taken
 * something: so as many wake up, one after the other, as there is work for.
 */
static bool wants_thread(const struct pool *pool)
{
    return pool->idle > 0 && (startable(pool) || joinable(pool));
}

/* Unlocks the pool, and then wakes a thread if one is wanted. */
static void unlock_and_wake(struct pool *pool)
{
    bool wanted = wants_thread(pool);
    pthread_mutex_unlock(&pool->mutex);
    if (wanted)
        pthread_cond_signal(&pool->work);
}

static void enqueue(struct pool *pool, struct pool_job *job)
{
    struct queue *q = &pool->queue[job->lane];
    job->next = NULL;
    job->link = q->tail;
    *q->tail = job;
    q->tail = &job->next;
    q->length++;
    atomic_store(&pool->light_waiting, pool->queue[LANE_LIGHT].length);
}

static void dequeue(struct pool *pool, struct pool_job *job)
{
    struct queue *q = &pool->queue[job->lane];
    *job->link = job->next;
    if (job->next)
        job->next->link = job->link;
    else
        q->tail = job->link;
    job->link = NULL;
    q->length--;
    atomic_store(&pool->light_waiting, pool->queue[LANE_LIGHT].length);
}

static void do_items(struct region *r, size_t worker, const struct pool *pool)
{
    while (!parallel_stopped(r->par)) {
        if (worker > 0 && atomic_load(&pool->light_waiting) > 0)
            return;
        size_t i = atomic_fetch_add(&r->item, 1);
        if (i >= r->n)
            return;
        r->task(r->context, i, worker);
    }
}

/* The lowest worker id that is free; 0 is the job's own. */
static size_t take_id(struct region *r)
{
    size_t id = 1;
    while (r->taken[id])
        id++;
    r->taken[id] = true;
    return id;
}

/* Locked before and after, as for run_job. */
static void help(struct pool *pool, struct region *r)
{
    size_t worker = take_id(r);
    r->active++;
    pool->helpers++;
    unlock_and_wake(pool);
    do_items(r, worker, pool);
    pthread_mutex_lock(&pool->mutex);
    pool->helpers--;
    r->taken[worker] = false;
    if (--r->active == 0)
        pthread_cond_broadcast(&pool->left);
}

static void unlink_region(struct pool *pool, const struct region *r)
{
    struct region **link = &pool->regions;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
}

static void run_parallel(const struct parallel *self, size_t n,
                         parallel_task *task, void *context)
{
    struct pool *pool = self->owner;
    struct region r = {.par = self, .task = task, .context = context, .n = n};
    if (n < 2 || pool->workers < 2) {
        parallel_serial.run(self, n, task, context);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    r.next = pool->regions;
    pool->regions = &r;
    unlock_and_wake(pool);
    do_items(&r, 0, pool);
    pthread_mutex_lock(&pool->mutex);
    unlink_region(pool, &r);
    while (r.active > 0)
        pthread_cond_wait(&pool->left, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

/* The first of a batch wakes the loop.  It has the job as soon as it can. */
static void give_back(struct pool_port *port, struct pool_job *job)
{
    struct pool_job *newest = atomic_load(&port->finished);
    do
        job->next = newest;
    while (!atomic_compare_exchange_weak(&port->finished, &newest, job));
    if (!newest)
        uv_async_send(&port->wake);
}

static void run_job(struct pool *pool, struct pool_job *job)
{
    struct pool_port *port = job->port;
    enum pool_lane lane = job->lane;
    dequeue(pool, job);
    pool->running[lane]++;
    unlock_and_wake(pool);
    job->run(job);
    give_back(port, job);
    pthread_mutex_lock(&pool->mutex);
    pool->running[lane]--;
    if (--port->jobs == 0)
        pthread_cond_broadcast(&pool->left);
}

/*
 * Lets the loops' threads go first.  A scheduler that is fair owes these
 * threads their share, and pays it in whole ticks of some ms, for which a loop
 * has to wait: so their share is the least there is.  SCHED_BATCH has one that
 * is woken for a job not take the processor from the loop that gives it.
 */
static void stand_back(void)
{
    const struct sched_param none = {0};
    pid_t self = gettid();
    sched_setscheduler(self, SCHED_BATCH, &none);
    setpriority(PRIO_PROCESS, (id_t)self, NICENESS);
}

/* The beginning of every thread, which locks the pool. */
static void settle(struct pool *pool)
{
    stand_back();
    pthread_mutex_lock(&pool->mutex);
    pool->settled++;
    pthread_cond_broadcast(&pool->left);
}

/* For jobs that wait. */
static void *wait_upon(void *context)
{
    struct pool *pool = context;
    settle(pool);
    while (!pool->closing) {
        struct pool_job *job = pool->queue[LANE_STORE].head;
        if (job)
            run_job(pool, job);
        else
            pthread_cond_wait(&pool->errand, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void *work(void *context)
{
    struct pool *pool = context;
    settle(pool);
    while (!pool->closing) {
        struct pool_job *job = startable(pool);
        struct region *r = job ? NULL : joinable(pool);
        if (job) {
            run_job(pool, job);
        } else if (r) {
            help(pool, r);
        } else {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->mutex);
            pool->idle--;
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* The next thread; signals are for those that were there before. */
static int start_thread(struct pool *pool)
{
    char name[NAME_BYTES];
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t *thread = &pool->thread[pool->started];
    if (pthread_attr_init(&attr))
        return -1;
    sigfillset(&all);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool works = pool->started < pool->workers;
    int rc = pthread_create(thread, &attr, works ? work : wait_upon, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc)
        return -1;
    pool->started++;
    snprintf(name, sizeof(name), works ? "evald-work-%zu" : "evald-wait-%zu",
             pool->started);
    pthread_setname_np(*thread, name);
    return 0;
}

struct pool *pool_new(size_t workers, size_t waiters,
                      const size_t queue_max[LANES])
{
    size_t threads = workers + waiters;
    struct pool *pool =
        calloc(1, sizeof(*pool) + threads * sizeof(pool->thread[0]));
    if (!pool)
        return NULL;
    pool->parallel =
        (struct parallel){.width = workers, .run = run_parallel, .owner = pool};
    pool->workers = workers;
    pool->heavy_max = workers > 1 ? workers - 1 : 1;
    for (size_t lane = 0; lane < LANES; lane++)
        pool->queue[lane] = (struct queue){.tail = &pool->queue[lane].head,
                                           .length_max = queue_max[lane]};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->left, NULL);
    pthread_cond_init(&pool->errand, NULL);
    while (pool->started < threads)
        if (start_thread(pool)) {
            pool_free(pool);
            return NULL;
        }
    pthread_mutex_lock(&pool->mutex);
    while (pool->settled < threads)
        pthread_cond_wait(&pool->left, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_cond_broadcast(&pool->errand);
    while (pool->started > 0)
        pthread_join(pool->thread[--pool->started], NULL);
    pthread_cond_destroy(&pool->left);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->errand);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

/* The list with its oldest first. */
static struct pool_job *reversed(struct pool_job *job)
{
    struct pool_job *list = NULL;
    while (job) {
        struct pool_job *next = job->next;
        job->next = list;
        list = job;
        job = next;
    }
    return list;
}

static void on_wake(uv_async_t *wake)
{
    struct pool_port *port = wake->data;
    struct pool_job *job = reversed(atomic_exchange(&port->finished, NULL));
    while (job) {
        struct pool_job *next = job->next;
        job->done(job);
        job = next;
    }
}

struct pool_port *pool_port_new(struct pool *pool, uv_loop_t *loop)
{
    struct pool_port *port = calloc(1, sizeof(*port));
    if (!port)
        return NULL;
    port->pool = pool;
    if (uv_async_init(loop, &port->wake, on_wake)) {
        free(port);
        return NULL;
    }
    port->wake.data = port;
    return port;
}

static void on_closed(uv_handle_t *wake)
{
    free(wake->data);
}

void pool_port_free(struct pool_port *port)
{
    if (!port)
        return;
    /* a thread whose job is done may still be at its end */
    pthread_mutex_lock(&port->pool->mutex);
    while (port->jobs > 0)
        pthread_cond_wait(&port->pool->left, &port->pool->mutex);
    pthread_mutex_unlock(&port->pool->mutex);
    uv_close((uv_handle_t *)&port->wake, on_closed);
}

int pool_submit(struct pool_job *job)
{
    struct pool *pool = job->port->pool;
    pthread_mutex_lock(&pool->mutex);
    const struct queue *q = &pool->queue[job->lane];
    bool full = q->length >= q->length_max;
    if (!full) {
        enqueue(pool, job);
        job->port->jobs++;
    }
    unlock_and_wake(pool);
    if (job->lane == LANE_STORE)
        pthread_cond_signal(&pool->errand);
    return full ? -1 : 0;
}

bool pool_cancel(struct pool_job *job)
{
    struct pool *pool = job->port->pool;
    pthread_mutex_lock(&pool->mutex);
    bool waits = job->link;
    if (waits) {
        dequeue(pool, job);
        job->port->jobs--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return waits;
}

const struct parallel *pool_parallel(const struct pool *pool)
{
    return &pool->parallel;
}

struct pool_stats pool_stats(struct pool *pool)
{
    struct pool_stats stats;
    pthread_mutex_lock(&pool->mutex);
    for (size_t lane = 0; lane < LANES; lane++) {
        stats.waiting[lane] = pool->queue[lane].length;
        stats.running[lane] = pool->running[lane];
    }
    stats.helpers = pool->helpers;
    pthread_mutex_unlock(&pool->mutex);
    return stats;
}
