#include "server/workers.h"

#include "server/cgroup.h"

#include <sched.h>
#include <unistd.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t workers_default(void)
{
    cpu_set_t set;
    size_t n = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (size_t)CPU_COUNT(&set);
    return least(least(n, cgroup_limits("").cpus), WORKERS_MAX);
}

size_t machine_memory_bytes(void)
{
    size_t bytes = (size_t)sysconf(_SC_PHYS_PAGES);
    if (__builtin_mul_overflow(bytes, sysconf(_SC_PAGESIZE), &bytes))
        bytes = (size_t)-1;
    return least(bytes, cgroup_limits("").memory_bytes);
}
