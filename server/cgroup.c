#include "server/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = PATH_MAX + 256, NUMBERS_MAX = 2 };

/*
 * The first numbers of a file; how many there are.  One that is negative or
 * a word ("max") ends them.
 */
static size_t read_numbers(const char *directory, const char *name,
                           unsigned long long number[NUMBERS_MAX])
{
    char path[PATH_MAX], line[64];
    size_t n = 0;
    int len = snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *f = len < (int)sizeof(path) ? fopen(path, "r") : NULL;
    const char *at = f ? fgets(line, sizeof(line), f) : NULL;
    while (at && n < NUMBERS_MAX) {
        char *end;
        at += strspn(at, " \t");
        number[n] = strtoull(at, &end, 10);
        if (end == at || *at == '-')
            break;
        at = end;
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

static void limit_cpus(struct cgroup_limits *limits, unsigned long long quota,
                       unsigned long long period)
{
    if (quota == 0 || period == 0)
        return;
    unsigned long long cpus = quota / period + (quota % period != 0);
    if (cpus < limits->cpus)
        limits->cpus = cpus;
}

static void read_cpu_max(const char *directory, struct cgroup_limits *limits)
{
    unsigned long long number[NUMBERS_MAX];
    if (read_numbers(directory, "cpu.max", number) == 2)
        limit_cpus(limits, number[0], number[1]);
}

static void read_cfs(const char *directory, struct cgroup_limits *limits)
{
    unsigned long long quota[NUMBERS_MAX], period[NUMBERS_MAX];
    if (read_numbers(directory, "cpu.cfs_quota_us", quota) &&
        read_numbers(directory, "cpu.cfs_period_us", period))
        limit_cpus(limits, quota[0], period[0]);
}

static void limit_memory(const char *directory, const char *name,
                         struct cgroup_limits *limits)
{
    unsigned long long number[NUMBERS_MAX];
    if (read_numbers(directory, name, number) &&
        number[0] < limits->memory_bytes)
        limits->memory_bytes = number[0];
}

static void read_memory_max(const char *directory, struct cgroup_limits *limits)
{
    limit_memory(directory, "memory.max", limits);
}

static void read_memory_limit(const char *directory,
                              struct cgroup_limits *limits)
{
    limit_memory(directory, "memory.limit_in_bytes", limits);
}

/* Where a controller's groups are; version 2 has them all in one tree. */
static const struct {
    const char *controller, *directory;
    void (*read)(const char *directory, struct cgroup_limits *limits);
} rows[] = {
    {"", "/sys/fs/cgroup", read_cpu_max},
    {"", "/sys/fs/cgroup", read_memory_max},
    {"", "/sys/fs/cgroup/unified", read_cpu_max},
    {"", "/sys/fs/cgroup/unified", read_memory_max},
    {"cpu", "/sys/fs/cgroup/cpu", read_cfs},
    {"cpu", "/sys/fs/cgroup/cpu,cpuacct", read_cfs},
    {"memory", "/sys/fs/cgroup/memory", read_memory_limit},
};

/* Whether a list such as "cpu,cpuacct" has the controller; "" has "". */
static bool lists(const char *list, const char *controller)
{
    size_t n = strlen(controller);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, controller, n) == 0 && (!at[n] || at[n] == ','))
            return true;
    }
    return false;
}

/*
 * The group's directory and all above it.  A container may see its group at
 * the top of the tree, under another name than it has there.
 */
static void read_groups(const char *root, const char *controllers,
                        const char *group, struct cgroup_limits *limits)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[PATH_MAX];
        int top = snprintf(path, sizeof(path), "%s%s", root, rows[i].directory);
        int len = snprintf(path, sizeof(path), "%s%s%s", root,
                           rows[i].directory, group);
        if (!lists(controllers, rows[i].controller) || len >= PATH_MAX)
            continue;
        rows[i].read(path, limits);
        while (strlen(path) > (size_t)top) {
            *strrchr(path, '/') = '\0';
            rows[i].read(path, limits);
        }
    }
}

struct cgroup_limits cgroup_limits(const char *root)
{
    struct cgroup_limits limits = {SIZE_MAX, SIZE_MAX};
    char path[PATH_MAX], line[LINE_BYTES];
    int len = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *f = len < PATH_MAX ? fopen(path, "r") : NULL;
    while (f && fgets(line, sizeof(line), f)) {
        /* number:controllers:group */
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group || group[1] != '/')
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        read_groups(root, controllers + 1, group, &limits);
    }
    if (f)
        fclose(f);
    return limits;
}
