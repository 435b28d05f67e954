/* What the process's control groups leave it of the machine. */
#ifndef EVALD_SERVER_CGROUP_H
#define EVALD_SERVER_CGROUP_H

#include <stddef.h>

struct cgroup_limits {
    size_t cpus;         /* whole ones, at least 1; SIZE_MAX = no limit */
    size_t memory_bytes; /* SIZE_MAX = no limit */
};

/*
 * The least that the process's groups and all above them allow, of version 1
 * and 2.  Reads root/proc/self/cgroup and root/sys/fs/cgroup; root is "" but
 * for tests.  What cannot be read sets no limit.
 */
struct cgroup_limits cgroup_limits(const char *root);

#endif
