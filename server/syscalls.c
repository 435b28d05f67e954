#include "server/syscalls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Let through whatever their arguments are: words with spaces between.  Those
 * that this machine or its libseccomp does not have are passed over; some are
 * here for other machines and other C libraries.
 */
static const char any[] =
    /* memory */
    "brk madvise membarrier mremap munmap "
    /* threads */
    "exit exit_group futex get_robust_list gettid rseq sched_getaffinity "
    "sched_yield set_robust_list "
    /* signals */
    "restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack "
    /* time: a machine without a fast clock asks the kernel */
    "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time "
    /* waiting */
    "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
    "eventfd2 pipe pipe2 poll ppoll pselect6 select "
    /* connections that are accepted; for others see below */
    "accept accept4 getpeername getsockname getsockopt recvfrom recvmsg "
    "sendfile sendmsg sendto setsockopt shutdown "
    /* files: which of them, Landlock says */
    "access close close_range dup dup2 dup3 faccessat faccessat2 fcntl fstat "
    "fstatfs getcwd getdents64 lseek lstat newfstatat open openat pread64 "
    "pwrite64 read readlink readlinkat readv rename renameat renameat2 stat "
    "statfs statx unlink unlinkat write writev "
    /* SQLite makes what it has written durable, cuts its files to length, and
     * as user 0 gives those that it makes to whom the database belongs */
    "fchmod fchown fdatasync fsync ftruncate "
    /* what it is and what it has used */
    "getegid geteuid getgid getpid getppid getrandom getrlimit getrusage "
    "getuid sysinfo times uname";

/* Let through when one argument, under a mask, is a value. */
struct rule {
    const char *name;
    struct scmp_arg_cmp argument;
};

static const struct rule some[] = {
/* A thread and no process, in no namespace of its own.  As the filter cannot
 * look into what clone3 points to, the C library has to do without. */
#define NAMESPACES                                                 \
    (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | \
     CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS)
    {"clone", {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | NAMESPACES, CLONE_THREAD}},
    /* No memory becomes code. */
    {"mmap", {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
    {"mprotect", {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
    {"ioctl", {1, SCMP_CMP_EQ, FIOCLEX, 0}},
    {"ioctl", {1, SCMP_CMP_EQ, FIONBIO, 0}},
    {"ioctl", {1, SCMP_CMP_EQ, FIONREAD, 0}},
    {"ioctl", {1, SCMP_CMP_EQ, TCGETS, 0}}, /* stdio asks for a terminal */
    {"prctl", {0, SCMP_CMP_EQ, PR_SET_NAME, 0}},
    /* Threads that compute step back. */
    {"sched_setscheduler", {1, SCMP_CMP_EQ, SCHED_BATCH, 0}},
    {"setpriority", {0, SCMP_CMP_EQ, PRIO_PROCESS, 0}},
    {"prlimit64", {2, SCMP_CMP_EQ, 0, 0}}, /* asks and does not set */
};

/* The same for a daemon that has to connect to its database again. */
static const struct rule connecting[] = {
    {"connect", {2, SCMP_CMP_LE, sizeof(struct sockaddr_storage), 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_INET, 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_INET6, 0}},
};

/* Adds a rule, which the first of a name counts; 0, or a negative errno. */
static int let(scmp_filter_ctx filter, const char *name,
               const struct scmp_arg_cmp *argument, int *count)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0)
        return 0;
    ++*count;
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number,
                                  argument ? 1 : 0, argument);
}

static int let_any(scmp_filter_ctx filter, int *count)
{
    char name[32];
    int rc = 0;
    for (const char *at = any; !rc && *at; at += strspn(at, " ")) {
        int length = (int)strcspn(at, " ");
        snprintf(name, sizeof(name), "%.*s", length, at);
        rc = let(filter, name, NULL, count);
        at += length;
    }
    return rc;
}

static int let_some(scmp_filter_ctx filter, const struct rule *rule, size_t n,
                    int *count)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = let(filter, rule[i].name, &rule[i].argument, count);
        if (i > 0 && strcmp(rule[i - 1].name, rule[i].name) == 0)
            --*count;
    }
    return rc;
}

/* Whoever aborts signals itself, and nobody else. */
static int let_abort(scmp_filter_ctx filter, int *count)
{
    struct scmp_arg_cmp itself = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};
    return let(filter, "tgkill", &itself, count);
}

/*
 * Calls by another architecture's numbers come from no code of ours.  SSB is
 * a mitigation against code that runs in the process without its trust, for
 * which older kernels slow everything that is filtered: there is none here.
 */
static int set_up(scmp_filter_ctx filter)
{
    static const struct {
        enum scmp_filter_attr name;
        uint32_t value;
    } attributes[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
        {SCMP_FLTATR_CTL_TSYNC, 1},
        {SCMP_FLTATR_CTL_SSB, 1},
        {SCMP_FLTATR_CTL_OPTIMIZE, 2}, /* a tree in place of a list */
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        rc = seccomp_attr_set(filter, attributes[i].name, attributes[i].value);
        if (rc && rc != -EOPNOTSUPP)
            return rc;
    }
    return 0;
}

int syscalls_restrict(bool connects)
{
    int count = 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter) {
        errno = ENOMEM;
        return -1;
    }
    int rc = set_up(filter);
    if (rc == 0)
        rc = let_any(filter, &count);
    if (rc == 0)
        rc = let_abort(filter, &count);
    if (rc == 0)
        rc = let_some(filter, some, sizeof(some) / sizeof(some[0]), &count);
    if (rc == 0 && connects)
        rc = let_some(filter, connecting,
                      sizeof(connecting) / sizeof(connecting[0]), &count);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    errno = -rc;
    return rc ? -1 : count;
}
