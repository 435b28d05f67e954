#include "server/workers.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

size_t workers_default(void)
{
    cpu_set_t set;
    size_t n = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (size_t)CPU_COUNT(&set);
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

void workers_set(size_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%zu", n);
    setenv("UV_THREADPOOL_SIZE", text, 1);
}
