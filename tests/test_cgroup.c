/* Limits of control groups, read from trees that are made here. */
#include "server/cgroup.h"
#include "server/workers.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PROC "/proc/self/cgroup"
#define TOP "/sys/fs/cgroup"

enum { FILES_MAX = 8, PATH_BYTES = 512 };

struct row {
    const char *name;
    struct {
        const char *path, *text;
    } file[FILES_MAX];
    size_t cpus, memory_bytes;
};

static const struct row rows[] = {
    {"nothing there", {{NULL, NULL}}, SIZE_MAX, SIZE_MAX},
    {"no groups", {{PROC, ""}}, SIZE_MAX, SIZE_MAX},
    {"no limits",
     {{PROC, "0::/a\n"},
      {TOP "/a/cpu.max", "max 100000\n"},
      {TOP "/a/memory.max", "max\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"the group's own",
     {{PROC, "0::/a/b\n"},
      {TOP "/a/b/cpu.max", "200000 100000\n"},
      {TOP "/a/b/memory.max", "1073741824\n"}},
     2,
     1073741824},
    {"less above",
     {{PROC, "0::/a/b\n"},
      {TOP "/a/b/cpu.max", "800000 100000\n"},
      {TOP "/a/b/memory.max", "2000\n"},
      {TOP "/a/cpu.max", "300000 100000\n"},
      {TOP "/a/memory.max", "1000\n"}},
     3,
     1000},
    {"less below",
     {{PROC, "0::/a/b\n"},
      {TOP "/a/b/cpu.max", "100000 100000\n"},
      {TOP "/a/b/memory.max", "1000\n"},
      {TOP "/a/cpu.max", "300000 100000\n"},
      {TOP "/a/memory.max", "2000\n"}},
     1,
     1000},
    {"at the top, of a container",
     {{PROC, "0::/\n"},
      {TOP "/cpu.max", "150000 100000\n"},
      {TOP "/memory.max", "536870912\n"}},
     2,
     536870912},
    {"at the top, under another name",
     {{PROC, "0::/kubepods/pod1/abc\n"},
      {TOP "/cpu.max", "400000 100000\n"},
      {TOP "/memory.max", "4096\n"}},
     4,
     4096},
    {"others' groups say nothing",
     {{PROC, "0::/a\n"},
      {TOP "/b/cpu.max", "100000 100000\n"},
      {TOP "/a/b/memory.max", "1\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"rounded up",
     {{PROC, "0::/\n"}, {TOP "/cpu.max", "100001 100000\n"}},
     2,
     SIZE_MAX},
    {"a part of one",
     {{PROC, "0::/\n"}, {TOP "/cpu.max", "1000 100000\n"}},
     1,
     SIZE_MAX},
    {"a period of nothing",
     {{PROC, "0::/\n"}, {TOP "/cpu.max", "100000 0\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"half a line",
     {{PROC, "0::/\n"}, {TOP "/cpu.max", "100000"}},
     SIZE_MAX,
     SIZE_MAX},
    {"nonsense",
     {{PROC, "0\n0:\n0::\n:::\n0::/a\n\n"},
      {TOP "/a/cpu.max", "\n"},
      {TOP "/a/memory.max", "much\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"version 1",
     {{PROC, "9:name=systemd:/x\n4:memory:/m/n\n2:cpu,cpuacct:/c\n"},
      {TOP "/cpu,cpuacct/c/cpu.cfs_quota_us", "250000\n"},
      {TOP "/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n"},
      {TOP "/memory/m/n/memory.limit_in_bytes", "9223372036854771712\n"},
      {TOP "/memory/m/memory.limit_in_bytes", "65536\n"}},
     3,
     65536},
    {"version 1, no quota",
     {{PROC, "2:cpuacct,cpu:/\n1:cpuset:/\n"},
      {TOP "/cpu/cpu.cfs_quota_us", "-1\n"},
      {TOP "/cpu/cpu.cfs_period_us", "100000\n"},
      {TOP "/memory/memory.limit_in_bytes", "1\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"a controller of another name",
     {{PROC, "1:cpuset,cpu2:/a\n"},
      {TOP "/cpu/a/cpu.cfs_quota_us", "100000\n"},
      {TOP "/cpu/a/cpu.cfs_period_us", "100000\n"}},
     SIZE_MAX,
     SIZE_MAX},
    {"both versions",
     {{PROC, "1:cpu:/a\n0::/b\n"},
      {TOP "/cpu/a/cpu.cfs_quota_us", "600000\n"},
      {TOP "/cpu/a/cpu.cfs_period_us", "100000\n"},
      {TOP "/unified/b/memory.max", "7000\n"}},
     6,
     7000},
};

/* Writes a file and the directories that it is in. */
static void write_file(const char *root, const char *name, const char *text)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int remove_one(const char *path, const struct stat *s, int type,
                      struct FTW *at)
{
    (void)s;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *root)
{
    assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void the_least_of_all_groups_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char root[] = "/tmp/evald-cgroup-XXXXXX";
        const struct row *r = &rows[i];
        assert_non_null(mkdtemp(root));
        for (size_t f = 0; f < FILES_MAX && r->file[f].path; f++)
            write_file(root, r->file[f].path, r->file[f].text);
        struct cgroup_limits got = cgroup_limits(root);
        remove_tree(root);
        if (got.cpus != r->cpus || got.memory_bytes != r->memory_bytes)
            fail_msg("%s: %zu cpus, %zu bytes", r->name, got.cpus,
                     got.memory_bytes);
    }
}

/* A path of more than there is room for is no limit, and no harm. */
static void long_names_set_no_limit(void **state)
{
    (void)state;
    char root[] = "/tmp/evald-cgroup-XXXXXX", *text = calloc(1, 10000);
    memcpy(text, "0::/", 4);
    memset(text + 4, 'a', 9000);
    assert_non_null(mkdtemp(root));
    write_file(root, PROC, text);
    struct cgroup_limits got = cgroup_limits(root);
    assert_true(got.cpus == SIZE_MAX && got.memory_bytes == SIZE_MAX);
    text[4 + 4000] = '\0'; /* fits a line, but no path with what follows */
    write_file(root, PROC, text);
    got = cgroup_limits(root);
    assert_true(got.cpus == SIZE_MAX && got.memory_bytes == SIZE_MAX);
    remove_tree(root);
    free(text);
}

static void the_machine_itself_is_within_bounds(void **state)
{
    (void)state;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    assert_true(workers_default() >= 1);
    assert_true(workers_default() <= (size_t)online);
    assert_true(machine_memory_bytes() >= 1 << 24);
    assert_true(machine_memory_bytes() <= (size_t)sysconf(_SC_PHYS_PAGES) *
                                              (size_t)sysconf(_SC_PAGESIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_of_all_groups_counts),
        cmocka_unit_test(long_names_set_no_limit),
        cmocka_unit_test(the_machine_itself_is_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
