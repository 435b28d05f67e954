/* What Landlock takes, whatever the filter of system calls does. */
#include "tests/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int read_other(void)
{
    return reading(scene.other);
}

static int read_passwd(void)
{
    return reading("/etc/passwd");
}

static int list_directory(void)
{
    return reading("/tmp");
}

static int write_other(void)
{
    return result(open(scene.other, O_WRONLY | O_CLOEXEC));
}

static int create_in_tmp(void)
{
    char path[PATH_BYTES];
    scene_name(path, "new");
    return result(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int write_tokens(void)
{
    return result(open(scene.tokens, O_WRONLY | O_CLOEXEC));
}

static int truncate_tokens(void)
{
    return result(truncate(scene.tokens, 0));
}

static int remove_tokens(void)
{
    return result(unlink(scene.tokens));
}

static int write_own_memory(void)
{
    return result(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
}

static int read_parents_environment(void)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/environ", (long)getppid());
    return reading(path);
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

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

/* A thread that is made later is held as well. */
static void *reads_other(void *rc)
{
    *(int *)rc = read_other();
    return NULL;
}

static int read_other_in_thread(void)
{
    int rc = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, reads_other, &rc) == 0)
        pthread_join(thread, NULL);
    return rc;
}

static int execute(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    return result(execve("/bin/true", argv, NULL));
}

/* clang-format off */
static const struct attempt attempts[] = {
    {"read a file", read_other, EACCES, BY_LANDLOCK, 1, 0},
    {"read /etc/passwd", read_passwd, EACCES, BY_LANDLOCK, 1, 0},
    {"read in a thread", read_other_in_thread, EACCES, BY_LANDLOCK, 1, 0},
    {"list a directory", list_directory, EACCES, BY_LANDLOCK, 1, 0},
    {"write a file", write_other, EACCES, BY_LANDLOCK, 1, 0},
    {"create a file", create_in_tmp, EACCES, BY_LANDLOCK, 1, 0},
    {"write the tokens", write_tokens, EACCES, BY_LANDLOCK, 1, 0},
    {"truncate the tokens", truncate_tokens, EACCES, BY_LANDLOCK, 3, 0},
    {"remove the tokens", remove_tokens, EACCES, BY_LANDLOCK, 1, 0},
    {"write its memory by /proc", write_own_memory, EACCES, BY_LANDLOCK, 1, 0},
    {"read its parent's environment", read_parents_environment, EACCES,
     BY_LANDLOCK, 1, 0},
    {"execute a program, by Landlock", execute, EACCES, BY_LANDLOCK, 1, 0},
    {"connect, by Landlock", connect_tcp, EACCES, BY_LANDLOCK, 4, 0},
    {"bind, by Landlock", bind_tcp, EACCES, BY_LANDLOCK, 4, 0},
    {"signal its parent, by Landlock", signal_parent, EPERM, BY_LANDLOCK, 6, 0},
    {0},
};
/* clang-format on */

/* A file to be read again has to be there. */
static int confine_without_tokens(void)
{
    const char *const gone[] = {"/nonexistent/tokens", NULL};
    struct confine_paths where = {.read = gone};
    struct confinement got;
    if (confine(&where, &got) == 0 || got.landlock)
        return NOT_CONFINED;
    return got.landlock_error;
}

static void a_file_that_is_not_there_is_told(void **state)
{
    const struct attempt a = {.try = confine_without_tokens};
    (void)state;
    if (landlock_version() < 1)
        skip();
    assert_int_equal(attempt_run_free(&a), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_not_there_is_told),
    };
    int failed = attempts_test(attempts, scene_make);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
