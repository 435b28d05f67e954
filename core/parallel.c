#include "core/parallel.h"

static void run_serial(const struct parallel *self, size_t n,
                       parallel_task *task, void *context)
{
    for (size_t i = 0; i < n && !parallel_stopped(self); i++)
        task(context, i, 0);
}

const struct parallel parallel_serial = {
    .width = 1, .run = run_serial, .owner = NULL, .stop = NULL};
