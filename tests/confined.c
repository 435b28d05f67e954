#include "tests/confined.h"

#include "server/landlock.h"
#include "server/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scene scene;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

void scene_name(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", scene.dir, name);
}

static void make_files(void)
{
    char path[PATH_BYTES];
    snprintf(scene.dir, sizeof(scene.dir), "/tmp/evald-confine-XXXXXX");
    assert_non_null(mkdtemp(scene.dir));
    for (const char *const *name =
             (const char *[]){"in", "out", "away", "kept", NULL};
         *name; name++) {
        scene_name(path, *name);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    scene_name(scene.tokens, "in/tokens");
    scene_name(scene.next, "in/tokens.next");
    scene_name(scene.link, "in/link");
    scene_name(scene.target, "away/target");
    scene_name(scene.ready, "out/ready");
    scene_name(scene.other, "other");
    scene_name(scene.store, "kept/runs.db");
    write_file(scene.tokens, "old");
    write_file(scene.target, "old");
    write_file(scene.other, "other");
    assert_int_equal(symlink("../away/target", scene.link), 0);
}

static void make_sockets(void)
{
    socklen_t size = sizeof(scene.address);
    scene.listener = socket(AF_INET, SOCK_STREAM, 0);
    scene.client = socket(AF_INET, SOCK_STREAM, 0);
    scene.fresh = socket(AF_INET, SOCK_STREAM, 0);
    scene.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = (struct sockaddr *)&scene.address;
    assert_int_equal(bind(scene.listener, address, size), 0);
    assert_int_equal(listen(scene.listener, 8), 0);
    assert_int_equal(getsockname(scene.listener, address, &size), 0);
    assert_int_equal(connect(scene.client, address, size), 0);

    struct sockaddr_un name = {.sun_family = AF_UNIX};
    scene_name(name.sun_path, "out/observer");
    scene.observer = socket(AF_UNIX, SOCK_DGRAM, 0);
    scene.datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    const struct sockaddr *at = (const struct sockaddr *)&name;
    assert_int_equal(bind(scene.observer, at, sizeof(name)), 0);
    assert_int_equal(connect(scene.datagram, at, sizeof(name)), 0);
}

int scene_make(void **state)
{
    (void)state;
    make_files();
    make_sockets();
    return 0;
}

int scene_remove(void **state)
{
    static const char *const names[] = {"new",
                                        "in/cert",
                                        "in/key",
                                        "in/tokens",
                                        "in/tokens.next",
                                        "in/link",
                                        "in",
                                        "out/ready",
                                        "out/next",
                                        "out/observer",
                                        "out",
                                        "other",
                                        "away/target",
                                        "away/next",
                                        "away",
                                        "kept/runs.db",
                                        "kept/runs.db-wal",
                                        "kept/runs.db-shm",
                                        "kept/runs.db.lock",
                                        "kept/file",
                                        "kept",
                                        ""};
    char path[PATH_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scene_name(path, names[i]);
        (void)remove(path);
    }
    const int open[] = {scene.listener, scene.client, scene.fresh,
                        scene.datagram, scene.observer};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        close(open[i]);
    return 0;
}

static const char *read_again[3];

struct confine_paths scene_paths(void)
{
    read_again[0] = scene.tokens;
    read_again[1] = scene.link;
    return (struct confine_paths){.read = read_again,
                                  .ready_file = scene.ready,
                                  .store = scene.store,
                                  .connect = scene.connect};
}

int result(long rc)
{
    return rc < 0 ? errno : 0;
}

int reading(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = result(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

int landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* Confines itself as the attempt says; what it was about is tried after. */
static bool confined(enum how how)
{
    struct confinement got;
    struct confine_paths where = scene_paths();
    if (how == BY_ALL)
        return confine(&where, &got) == 0 || got.no_new_privs;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return false;
    return (how == BY_LANDLOCK ? landlock_restrict(&where)
                               : syscalls_restrict(where.connect)) > 0;
}

/* In a child: says when it is confined, and goes on when it is told. */
static int child(const struct attempt *a, int tell, int told)
{
    char byte = 0;
    if (!confined(a->how))
        return NOT_CONFINED;
    if (write(tell, &byte, 1) != 1 || read(told, &byte, 1) != 1)
        return NOT_TOLD;
    if (a->try)
        return a->try();
    return result(syscall(a->call, -1, 0, 0, 0, 0, 0));
}

/* As whoever administers the machine does while the daemon runs. */
static void replace_files(void)
{
    char path[PATH_BYTES];
    scene_name(path, "away/next");
    write_file(path, "new");
    assert_int_equal(rename(path, scene.target), 0);
    write_file(scene.next, "new");
    assert_int_equal(rename(scene.next, scene.tokens), 0);
}

int attempt_run(const struct attempt *a)
{
    int up[2], down[2], status;
    char byte;
    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(down), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(up[0]);
        close(down[1]);
        alarm(20);
        _exit(child(a, up[1], down[0]));
    }
    close(up[1]);
    close(down[0]);
    if (read(up[0], &byte, 1) == 1) {
        replace_files();
        assert_int_equal(write(down[1], "", 1), 1);
    }
    close(up[0]);
    close(down[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int attempt_run_free(const struct attempt *a)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(a->try());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Why this cannot be tried here; NULL if it can. */
static const char *missing(const struct attempt *a)
{
    if (a->how == BY_FILTER && confine_sanitized())
        return "a sanitizer is no friend of filters";
    if (a->how == BY_FILTER && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        return "this kernel has no filters of system calls";
    if (a->how == BY_LANDLOCK && landlock_version() < a->landlock)
        return "this kernel has no such Landlock";
    if (a->how == BY_LANDLOCK && confine_sanitized() &&
        (strncmp(a->name, "read", 4) == 0 || strncmp(a->name, "list", 4) == 0))
        return "with a sanitizer all files stay readable";
    return NULL;
}

static void attempt_ends_as_it_should(void **state)
{
    const struct attempt *a = *state;
    const char *why = missing(a);
    if (why) {
        print_message("%s\n", why);
        skip();
    }
    int got = attempt_run(a);
    if (got == NOT_CONFINED && a->how != BY_ALL) {
        print_message("nothing to confine with in this container\n");
        skip();
    }
    if (got != a->want)
        fail_msg("%s: %d (%s), want %d", a->name, got,
                 got > 0 ? strerror(got) : "signal", a->want);
}

/* Ends with an attempt that has no name. */
static void unconfined_it_is_possible(void **state)
{
    for (const struct attempt *a = *state; a->name; a++)
        if (a->try && a->want && attempt_run_free(a) == a->want)
            fail_msg("%s is refused to everybody", a->name);
}

int attempts_test(const struct attempt *attempts, int (*make)(void **state))
{
    static struct CMUnitTest tests[ATTEMPTS_MAX + 1];
    size_t n = 0;
    for (; attempts[n].name; n++) {
        assert_true(n < ATTEMPTS_MAX);
        tests[n] = (struct CMUnitTest){.name = attempts[n].name,
                                       .test_func = attempt_ends_as_it_should,
                                       .initial_state =
                                           (void *)(uintptr_t)&attempts[n]};
    }
    tests[n] =
        (struct CMUnitTest){.name = "unconfined it is possible",
                            .test_func = unconfined_it_is_possible,
                            .initial_state = (void *)(uintptr_t)attempts};
    return _cmocka_run_group_tests("attempts", tests, n + 1, make,
                                   scene_remove);
}
