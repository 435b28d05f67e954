/* Where the store is: its directory, its lock, the usual path. */
#include "server/store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Cuts the last name off; false when there is none. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return false;
    *slash = '\0';
    return true;
}

static int make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

int store_make_directory(const char *path, char why[STORE_WHY_BYTES])
{
    char parent[PATH_MAX], grand[PATH_MAX];
    snprintf(parent, sizeof(parent), "%s", path);
    if (!to_parent(parent) || make(parent) == 0)
        return 0;
    snprintf(grand, sizeof(grand), "%s", parent);
    if (errno == ENOENT && to_parent(grand) && make(grand) == 0 &&
        make(parent) == 0)
        return 0;
    snprintf(why, STORE_WHY_BYTES, "cannot make the directory %.100s: %s",
             parent, strerror(errno));
    return -1;
}

/* Whose lock it is, for the message; nobody's if that is not to be read. */
static void read_holder(int fd, char *pid, size_t size)
{
    ssize_t n = pread(fd, pid, size - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
}

static void in_use(int fd, const char *path, char why[STORE_WHY_BYTES])
{
    char pid[16];
    read_holder(fd, pid, sizeof(pid));
    snprintf(why, STORE_WHY_BYTES, "%.120s is in use by another evald%s%s%s",
             path, *pid ? " (process " : "", pid, *pid ? ")" : "");
}

static void sign(int fd)
{
    char pid[16];
    int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    /* only a message is the poorer without it */
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, pid, (size_t)n, 0);
}

int store_lock(const char *path, char why[STORE_WHY_BYTES])
{
    char real[PATH_MAX], name[PATH_MAX + sizeof(".lock")];
    struct stat is;
    /* two names of a file would be two locks, and two logs of SQLite's */
    if (stat(path, &is) == 0 && is.st_nlink > 1) {
        snprintf(why, STORE_WHY_BYTES,
                 "%.120s has another name, a hard link; a store needs one",
                 path);
        return -1;
    }
    snprintf(name, sizeof(name), "%s.lock", realpath(path, real) ? real : path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, STORE_WHY_BYTES, "cannot open %.120s: %s", name,
                 strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        sign(fd);
        return fd;
    }
    if (errno == EWOULDBLOCK)
        in_use(fd, path, why);
    else
        snprintf(why, STORE_WHY_BYTES, "cannot lock %.120s: %s", name,
                 strerror(errno));
    close(fd);
    return -1;
}

int store_default_path(char *path, size_t n)
{
    const char *service = getenv("STATE_DIRECTORY"); /* systemd's */
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int written;
    if (service && *service == '/')
        written = snprintf(path, n, "%.*s/runs.db", (int)strcspn(service, ":"),
                           service);
    else if (state && *state == '/')
        written = snprintf(path, n, "%s/evald/runs.db", state);
    else if (home && *home == '/')
        written = snprintf(path, n, "%s/.local/state/evald/runs.db", home);
    else
        return -1;
    return written > 0 && (size_t)written < n ? 0 : -1;
}
