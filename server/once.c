#include "server/once.h"

#include "server/pool.h"
#include "server/workers.h"

struct once {
    struct pool_job job; /* first: the job's once is found by it */
    struct pool *pool;
    once_work *work;
    void *context;
};

static void run(struct pool_job *job)
{
    struct once *o = (struct once *)job;
    o->work(o->context, pool_parallel(o->pool));
}

static void done(struct pool_job *job)
{
    pool_free(((struct once *)job)->pool);
}

int once_run(size_t workers, once_work *work, void *context)
{
    uv_loop_t loop;
    struct once o = {
        .job = {.run = run, .done = done}, .work = work, .context = context};
    workers_set(workers);
    if (uv_loop_init(&loop))
        return -1;
    o.pool = pool_new(&loop, workers, 1);
    if (!o.pool || pool_submit(o.pool, &o.job))
        return -1;
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}
