#include "server/pool.h"

#include "server/workers.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* Items being done by whoever has time.  Lives on the stack of its job. */
struct region {
    struct region *next;
    parallel_task *task;
    void *context;
    size_t n;
    atomic_size_t item;      /* the next one to do */
    size_t active;           /* helpers at work; guarded by the pool's mutex */
    bool taken[WORKERS_MAX]; /* worker ids in use; likewise */
};

struct helper {
    struct pool *pool;
    uv_work_t work;
    bool busy;
};

struct queue {
    struct pool_job *head, **tail;
    size_t length;
};

struct pool {
    struct parallel parallel; /* first: a region finds its pool by it */
    uv_loop_t *loop;
    uv_async_t wake;
    size_t workers, queue_max;
    struct queue queue[LANES];
    size_t in_flight; /* work items that libuv has */
    bool closing;
    size_t heavy; /* heavy jobs among them */
    atomic_size_t light_waiting;
    uv_mutex_t mutex; /* guards what follows, and regions */
    uv_cond_t left;   /* a helper left its region */
    struct region *regions;
    struct helper helper[]; /* one per worker */
};

static void do_items(struct region *r, size_t worker, const struct pool *pool)
{
    for (;;) {
        if (worker > 0 && atomic_load(&pool->light_waiting) > 0)
            return;
        size_t i = atomic_fetch_add(&r->item, 1);
        if (i >= r->n)
            return;
        r->task(r->context, i, worker);
    }
}

/* A region with items left and a worker id to give; the mutex is held. */
static struct region *joinable(const struct pool *pool)
{
    for (struct region *r = pool->regions; r; r = r->next)
        if (r->active + 1 < pool->workers && atomic_load(&r->item) < r->n)
            return r;
    return NULL;
}

/* The lowest worker id that is free; 0 is the job's own. */
static size_t take_id(struct region *r)
{
    size_t id = 1;
    while (r->taken[id])
        id++;
    r->taken[id] = true;
    r->active++;
    return id;
}

static void help(uv_work_t *work)
{
    struct pool *pool = ((struct helper *)work->data)->pool;
    struct region *r;
    uv_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->light_waiting) == 0 && (r = joinable(pool))) {
        size_t worker = take_id(r);
        uv_mutex_unlock(&pool->mutex);
        do_items(r, worker, pool);
        uv_mutex_lock(&pool->mutex);
        r->active--;
        r->taken[worker] = false;
        uv_cond_broadcast(&pool->left);
    }
    uv_mutex_unlock(&pool->mutex);
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
    struct pool *pool = (struct pool *)(uintptr_t)self;
    struct region r = {.task = task, .context = context, .n = n};
    if (n < 2 || pool->workers < 2) {
        parallel_serial.run(&parallel_serial, n, task, context);
        return;
    }
    uv_mutex_lock(&pool->mutex);
    r.next = pool->regions;
    pool->regions = &r;
    uv_mutex_unlock(&pool->mutex);
    uv_async_send(&pool->wake);
    do_items(&r, 0, pool);
    uv_mutex_lock(&pool->mutex);
    unlink_region(pool, &r);
    while (r.active > 0)
        uv_cond_wait(&pool->left, &pool->mutex);
    uv_mutex_unlock(&pool->mutex);
}

static void on_closed(uv_handle_t *handle)
{
    struct pool *pool = handle->data;
    uv_cond_destroy(&pool->left);
    uv_mutex_destroy(&pool->mutex);
    free(pool);
}

/* A helper that came too late may still be on its way back. */
static void close_if_idle(struct pool *pool)
{
    if (pool->closing && pool->in_flight == 0)
        uv_close((uv_handle_t *)&pool->wake, on_closed);
}

static void dispatch(struct pool *pool);

static void run_job(uv_work_t *work)
{
    struct pool_job *job = work->data;
    job->run(job);
}

static void job_ended(uv_work_t *work, int status)
{
    struct pool_job *job = work->data;
    struct pool *pool = job->pool;
    (void)status;
    pool->in_flight--;
    pool->heavy -= job->lane == LANE_HEAVY;
    job->done(job);
    if (!pool->closing)
        dispatch(pool);
}

static void help_ended(uv_work_t *work, int status)
{
    struct helper *helper = work->data;
    (void)status;
    helper->busy = false;
    helper->pool->in_flight--;
    dispatch(helper->pool);
    close_if_idle(helper->pool);
}

/* The next job that may start now, or NULL. */
static struct pool_job *take_job(struct pool *pool)
{
    size_t heavy_max = pool->workers > 1 ? pool->workers - 1 : 1;
    for (size_t lane = 0; lane < LANES; lane++) {
        struct queue *q = &pool->queue[lane];
        if (!q->head || (lane == LANE_HEAVY && pool->heavy >= heavy_max))
            continue;
        struct pool_job *job = q->head;
        q->head = job->next;
        if (!q->head)
            q->tail = &q->head;
        q->length--;
        return job;
    }
    return NULL;
}

static void start_job(struct pool *pool, struct pool_job *job)
{
    pool->heavy += job->lane == LANE_HEAVY;
    if (job->lane == LANE_LIGHT)
        atomic_fetch_sub(&pool->light_waiting, 1);
    job->work.data = job;
    int rc = uv_queue_work(pool->loop, &job->work, run_job, job_ended);
    assert(rc == 0); /* fails for a NULL callback only */
    (void)rc;
}

/* Sends an idle thread to the regions; false if nobody is wanted there. */
static bool start_helper(struct pool *pool)
{
    uv_mutex_lock(&pool->mutex);
    bool wanted = joinable(pool);
    uv_mutex_unlock(&pool->mutex);
    if (!wanted)
        return false;
    struct helper *h = pool->helper;
    while (h->busy)
        h++;
    h->busy = true;
    h->work.data = h;
    int rc = uv_queue_work(pool->loop, &h->work, help, help_ended);
    assert(rc == 0);
    (void)rc;
    return true;
}

/* Gives every idle thread something to do: jobs first, then helping. */
static void dispatch(struct pool *pool)
{
    while (pool->in_flight < pool->workers) {
        struct pool_job *job = take_job(pool);
        if (job)
            start_job(pool, job);
        else if (!start_helper(pool))
            return;
        pool->in_flight++;
    }
}

static void on_wake(uv_async_t *wake)
{
    dispatch(wake->data);
}

struct pool *pool_new(uv_loop_t *loop, size_t workers, size_t queue_max)
{
    struct pool *pool =
        calloc(1, sizeof(*pool) + workers * sizeof(pool->helper[0]));
    if (!pool)
        return NULL;
    pool->parallel = (struct parallel){.width = workers, .run = run_parallel};
    pool->loop = loop;
    pool->workers = workers;
    pool->queue_max = queue_max;
    for (size_t lane = 0; lane < LANES; lane++)
        pool->queue[lane].tail = &pool->queue[lane].head;
    for (size_t i = 0; i < workers; i++)
        pool->helper[i].pool = pool;
    if (uv_async_init(loop, &pool->wake, on_wake) ||
        uv_mutex_init(&pool->mutex) || uv_cond_init(&pool->left)) {
        free(pool);
        return NULL;
    }
    pool->wake.data = pool;
    return pool;
}

int pool_submit(struct pool *pool, struct pool_job *job)
{
    struct queue *q = &pool->queue[job->lane];
    if (q->length >= pool->queue_max)
        return -1;
    job->next = NULL;
    job->pool = pool;
    *q->tail = job;
    q->tail = &job->next;
    q->length++;
    if (job->lane == LANE_LIGHT)
        atomic_fetch_add(&pool->light_waiting, 1);
    dispatch(pool);
    return 0;
}

const struct parallel *pool_parallel(const struct pool *pool)
{
    return &pool->parallel;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pool->closing = true;
    close_if_idle(pool);
}
