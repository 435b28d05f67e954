#include "server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel has it today; Debian 12's header knows the first member. */
struct ruleset {
    uint64_t files, network, scoped;
};

/* Rights that came after Debian 12's header, and since which version. */
static const uint64_t FILE_TRUNCATE = 1 << 14;     /* 3 */
static const uint64_t FILE_IOCTL_DEVICE = 1 << 15; /* 5 */
static const uint64_t NETWORK_BIND_CONNECT = 3;    /* 4, of TCP */
static const uint64_t NETWORK_CONNECT = 2;
static const uint64_t SCOPE_ABSTRACT_AND_SIGNAL = 3; /* 6 */

enum {
    FIRST_VERSION = LANDLOCK_ACCESS_FS_REFER - 1, /* all rights before it */
    READ = LANDLOCK_ACCESS_FS_READ_FILE,
    READ_AND_LIST = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    OF_FILES = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
               LANDLOCK_ACCESS_FS_READ_FILE,
    REPLACE = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE |
              LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

/*
 * For metrics; where jansson gets the seed that keeps clients from choosing
 * keys that collide; where GnuTLS looks when certificates are loaded.
 */
static const struct {
    const char *path;
    uint64_t rights;
} fixed[] = {
    {"/proc/self", READ_AND_LIST},
    {"/sys/fs/cgroup", READ},
    {"/dev/urandom", READ},
    {"/etc/gnutls", READ},
};

static struct ruleset all_rights(int version)
{
    struct ruleset all = {.files = FIRST_VERSION};
    if (version >= 2)
        all.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        all.files |= FILE_TRUNCATE;
    if (version >= 4)
        all.network = NETWORK_BIND_CONNECT;
    if (version >= 5)
        all.files |= FILE_IOCTL_DEVICE;
    if (version >= 6)
        all.scoped = SCOPE_ABSTRACT_AND_SIGNAL;
    return all;
}

/* A rule for a port, and its number among kinds of rules. */
struct port {
    uint64_t rights, port;
};
enum { RULE_NET_PORT = 2 };

struct rules {
    int fd;
    struct ruleset handled; /* rights that are taken where no rule is */
};

/* Returns 0, or -1 with errno set. */
static int allow(const struct rules *rules, const char *path, uint64_t rights)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rights &= OF_FILES | FILE_TRUNCATE;
    struct landlock_path_beneath_attr rule = {
        .parent_fd = fd, .allowed_access = rights & rules->handled.files};
    long rc = syscall(SYS_landlock_add_rule, rules->fd,
                      LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int saved = errno;
    /*
     * A rule holds for a file in the kernel's memory.  That of /proc/self is
     * made anew when it was forgotten, and the rule would be lost: an open
     * descriptor keeps it.
     */
    if (strcmp(path, "/proc/self") != 0)
        close(fd);
    errno = saved;
    return rc ? -1 : 0;
}

/* Allows it in the file's directory, or on the file itself if that is "/". */
static int allow_beside(const struct rules *rules, const char *path,
                        uint64_t rights)
{
    const char *slash = strrchr(path, '/');
    if (slash == path)
        return allow(rules, path, rights);
    if (!slash)
        return allow(rules, ".", rights);
    char *directory = strndup(path, (size_t)(slash - path));
    int rc = directory ? allow(rules, directory, rights) : -1;
    int saved = errno;
    free(directory);
    errno = saved;
    return rc;
}

/* Allows to read what is beside the file, and beside what it links to. */
static int allow_reading(const struct rules *rules, const char *path)
{
    char *target = realpath(path, NULL);
    if (!target)
        return -1;
    int rc = allow_beside(rules, target, READ);
    if (rc == 0)
        rc = allow_beside(rules, path, READ);
    int saved = errno;
    free(target);
    errno = saved;
    return rc;
}

static int allow_ports(const struct rules *rules, const uint16_t *port)
{
    for (; rules->handled.network && port && *port; port++) {
        struct port rule = {NETWORK_CONNECT, *port};
        if (syscall(SYS_landlock_add_rule, rules->fd, RULE_NET_PORT, &rule, 0))
            return -1;
    }
    return 0;
}

static int allow_all(const struct rules *rules,
                     const struct confine_paths *paths)
{
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (allow(rules, fixed[i].path, fixed[i].rights) && errno != ENOENT &&
            errno != EACCES)
            return -1;
    for (size_t i = 0; paths->read && paths->read[i]; i++)
        if (allow_reading(rules, paths->read[i]))
            return -1;
    if (paths->ready_file &&
        allow_beside(rules, paths->ready_file, REPLACE | FILE_TRUNCATE))
        return -1;
    if (paths->store && allow_beside(rules, paths->store,
                                     REPLACE | READ_AND_LIST | FILE_TRUNCATE))
        return -1;
    if (allow_ports(rules, paths->connect))
        return -1;
    return confine_sanitized() ? allow(rules, "/", READ_AND_LIST) : 0;
}

int landlock_restrict(const struct confine_paths *paths)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                               LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return -1;
    struct ruleset all = all_rights(version);
    struct rules rules = {
        .fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0),
        .handled = all};
    if (rules.fd < 0)
        return -1;
    int rc = allow_all(&rules, paths);
    if (rc == 0)
        rc = (int)syscall(SYS_landlock_restrict_self, rules.fd, 0);
    int saved = errno;
    close(rules.fd);
    errno = saved;
    return rc ? -1 : version;
}
