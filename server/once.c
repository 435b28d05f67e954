#include "server/once.h"

#include "server/pool.h"

int once_run(size_t workers, once_work *work, void *context)
{
    static const size_t no_jobs[LANES];
    struct pool *pool = pool_new(workers, 0, no_jobs);
    if (!pool)
        return -1;
    work(context, pool_parallel(pool));
    pool_free(pool);
    return 0;
}
