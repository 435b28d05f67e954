/* What the filter of system calls refuses, whatever Landlock does. */
#include "tests/confined.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static int execute(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    return result(execve("/bin/true", argv, NULL));
}

static int connect_tcp(void)
{
    return result(connect(scene.fresh, (struct sockaddr *)&scene.address,
                          sizeof(scene.address)));
}

static int bind_tcp(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return result(bind(scene.fresh, (struct sockaddr *)&any, sizeof(any)));
}

static int make_process(void)
{
    long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    return result(child);
}

static int make_process_by_clone3(void)
{
    uint64_t args[8] = {[4] = SIGCHLD};
    long child = syscall(SYS_clone3, args, sizeof(args));
    if (child == 0)
        _exit(0);
    return result(child);
}

static int make_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static int trace(void)
{
    return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_others_memory(void)
{
    return result(
        syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int make_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int make_unix_socket(void)
{
    return result(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int make_memory_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int turn_memory_to_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0
                           : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int set_limit(void)
{
    struct rlimit limit = {0, 0};
    return result(setrlimit(RLIMIT_CORE, &limit));
}

static int be_dumpable_again(void)
{
    return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int ask_terminal(void)
{
    struct winsize size;
    return result(ioctl(0, TIOCGWINSZ, &size));
}

/* clang-format off */
static const struct attempt attempts[] = {
    {"execute a program", execute, ENOSYS, BY_FILTER, 0, 0},
    {"make a process", make_process, ENOSYS, BY_FILTER, 0, 0},
    {"make one by clone3", make_process_by_clone3, ENOSYS, BY_FILTER, 0, 0},
    {"make a namespace", make_namespace, ENOSYS, BY_FILTER, 0, 0},
    {"be traced", trace, ENOSYS, BY_FILTER, 0, 0},
    {"read another's memory", read_others_memory, ENOSYS, BY_FILTER, 0, 0},
    {"make a socket", make_socket, ENOSYS, BY_FILTER, 0, 0},
    {"make a local socket", make_unix_socket, ENOSYS, BY_FILTER, 0, 0},
    {"connect", connect_tcp, ENOSYS, BY_FILTER, 0, 0},
    {"bind", bind_tcp, ENOSYS, BY_FILTER, 0, 0},
    {"map memory as code", make_memory_code, ENOSYS, BY_FILTER, 0, 0},
    {"turn memory into code", turn_memory_to_code, ENOSYS, BY_FILTER, 0, 0},
    {"bpf", NULL, ENOSYS, BY_FILTER, 0, SYS_bpf},
    {"keyctl", NULL, ENOSYS, BY_FILTER, 0, SYS_keyctl},
    {"mount", NULL, ENOSYS, BY_FILTER, 0, SYS_mount},
    {"io_uring_setup", NULL, ENOSYS, BY_FILTER, 0, SYS_io_uring_setup},
    {"perf_event_open", NULL, ENOSYS, BY_FILTER, 0, SYS_perf_event_open},
    {"userfaultfd", NULL, ENOSYS, BY_FILTER, 0, SYS_userfaultfd},
    {"pidfd_open", NULL, ENOSYS, BY_FILTER, 0, SYS_pidfd_open},
    {"kill", NULL, ENOSYS, BY_FILTER, 0, SYS_kill},
    {"chroot", NULL, ENOSYS, BY_FILTER, 0, SYS_chroot},
    {"personality", NULL, ENOSYS, BY_FILTER, 0, SYS_personality},
    {"memfd_create", NULL, ENOSYS, BY_FILTER, 0, SYS_memfd_create},
    {"setuid", NULL, ENOSYS, BY_FILTER, 0, SYS_setuid},
    {"set a limit", set_limit, ENOSYS, BY_FILTER, 0, 0},
    {"be dumpable again", be_dumpable_again, ENOSYS, BY_FILTER, 0, 0},
    {"ask a terminal", ask_terminal, ENOSYS, BY_FILTER, 0, 0},
    {0},
};
/* clang-format on */

/* Aborting is a signal to itself, which is let through. */
static int abort_itself(void)
{
    abort();
}

static void a_confined_process_can_abort(void **state)
{
    const struct attempt a = {"abort", abort_itself, 0, BY_ALL, 0, 0};
    (void)state;
    if (!confine_sanitized())
        assert_int_equal(attempt_run(&a), -SIGABRT);
}

/* The filter holds for threads that were there before; Landlock does not. */
static int pipes[2];

static void *waits_and_makes_socket(void *rc)
{
    char byte;
    if (read(pipes[0], &byte, 1) == 1)
        *(int *)rc = make_socket();
    return NULL;
}

static int earlier_thread(void)
{
    int rc = 0;
    pthread_t thread;
    struct confinement got;
    struct confine_paths where = scene_paths();
    if (pipe(pipes) ||
        pthread_create(&thread, NULL, waits_and_makes_socket, &rc))
        return NOT_TOLD;
    if (confine(&where, &got) == 0 || got.threads != 1)
        return NOT_CONFINED;
    if (write(pipes[1], "", 1) != 1 || pthread_join(thread, NULL))
        return NOT_TOLD;
    return got.calls ? rc : ENOSYS;
}

static void threads_from_before_are_counted_and_filtered(void **state)
{
    const struct attempt a = {.try = earlier_thread};
    (void)state;
    if (confine_sanitized())
        skip();
    assert_int_equal(attempt_run_free(&a), ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_confined_process_can_abort),
        cmocka_unit_test(threads_from_before_are_counted_and_filtered),
    };
    int failed = attempts_test(attempts, scene_make);
    return failed + cmocka_run_group_tests(tests, scene_make, scene_remove);
}
