#include "server/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const uint64_t second_ns = 1000000000;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * second_ns + (uint64_t)t.tv_nsec;
}

/* Text of a small file, terminated; -1 if it cannot be read. */
static int read_text(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, bytes - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return -1;
    text[n] = '\0';
    return 0;
}

/* Field n of /proc/self/stat, from the third on: a number. */
static uint64_t field(const char *third, int n)
{
    const char *text = third;
    for (int i = 3; text && i < n; i++) {
        text = strchr(text, ' ');
        text += text != NULL;
    }
    return text ? strtoull(text, NULL, 10) : 0;
}

static void read_stat(struct process *p)
{
    char text[1024];
    if (read_text("/proc/self/stat", text, sizeof(text)))
        return;
    /* the second is a name in brackets, which may itself have some */
    const char *name_end = strrchr(text, ')');
    if (!name_end || name_end[1] != ' ')
        return;
    const char *third = name_end + 2;
    uint64_t tick_ns = second_ns / (uint64_t)sysconf(_SC_CLK_TCK);
    p->threads = field(third, 20);
    p->start_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) +
                  field(third, 22) * tick_ns;
    p->virtual_bytes = field(third, 23);
    p->resident_bytes = field(third, 24) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* But for the one that looks. */
static void count_fds(struct process *p)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;
    if (!dir)
        return;
    for (const struct dirent *d; (d = readdir(dir));)
        n += d->d_name[0] != '.';
    closedir(dir);
    p->open_fds = n - 1;
}

void process_look(struct process *p)
{
    struct rlimit files;
    memset(p, 0xff, sizeof(*p));
    p->cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        p->max_fds = files.rlim_cur; /* RLIM_INFINITY is not known either */
    read_stat(p);
    count_fds(p);
}
