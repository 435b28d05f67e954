/* What the service manager is told, and what it hands over. */
#include "server/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The manager's end: a datagram socket by a path or an abstract name. */
struct manager {
    int fd;
    char name[96]; /* as the environment has it */
};

static void manager_init(struct manager *m, char first)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(m->name, sizeof(m->name), "/tmp/evald-notify-%ld", (long)getpid());
    size_t length = strlen(m->name);
    memcpy(at.sun_path, m->name, length);
    if (first == '@')
        at.sun_path[0] = '\0';
    m->name[0] = first;
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(m->fd >= 0);
    assert_int_equal(
        bind(m->fd, (const struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static void manager_free(struct manager *m)
{
    unsetenv("NOTIFY_SOCKET");
    close(m->fd);
    if (m->name[0] == '/')
        unlink(m->name);
}

/* The next message, "" if there is none. */
static const char *heard(const struct manager *m)
{
    static char text[1024];
    ssize_t n = recv(m->fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void all_is_told_by_path_and_by_abstract_name(void **state)
{
    (void)state;
    for (const char *first = "/@"; *first; first++) {
        struct manager m;
        struct notify n;
        manager_init(&m, *first);
        assert_int_equal(notify_open(&n), 0);
        notify_ready(&n);
        assert_string_equal(heard(&m), "READY=1");
        notify_alive(&n);
        assert_string_equal(heard(&m), "WATCHDOG=1");
        notify_stopping(&n, 30000);
        assert_string_equal(heard(&m),
                            "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000");
        notify_status(&n, "%d requests", 3);
        assert_string_equal(heard(&m), "STATUS=3 requests");
        assert_string_equal(heard(&m), "");
        notify_close(&n);
        manager_free(&m);
    }
}

/* The manager compares the time with its own. */
static void a_reload_tells_the_time(void **state)
{
    static const char head[] = "RELOADING=1\nMONOTONIC_USEC=";
    struct manager m;
    struct notify n;
    struct timespec now;
    char *end;
    (void)state;
    manager_init(&m, '@');
    assert_int_equal(notify_open(&n), 0);
    notify_reloading(&n);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const char *message = heard(&m);
    assert_memory_equal(message, head, sizeof(head) - 1);
    long long told_us = strtoll(message + sizeof(head) - 1, &end, 10);
    long long now_us = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    assert_true(*end == '\0' && told_us <= now_us);
    assert_true(now_us - told_us < 10000000);
    notify_close(&n);
    manager_free(&m);
}

static void a_status_stays_one_line_and_is_cut(void **state)
{
    struct manager m;
    struct notify n;
    char longest[2 * NOTIFY_STATUS_BYTES];
    (void)state;
    manager_init(&m, '@');
    assert_int_equal(notify_open(&n), 0);
    notify_status(&n, "a\nREADY=1\x7f");
    assert_string_equal(heard(&m), "STATUS=a?READY=1?");
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    notify_status(&n, "%s", longest);
    assert_int_equal(strlen(heard(&m)), 7 + NOTIFY_STATUS_BYTES - 1);
    notify_close(&n);
    manager_free(&m);
}

static void nobody_is_told_nothing(void **state)
{
    struct notify n;
    (void)state;
    for (size_t empty = 0; empty < 2; empty++) {
        if (empty)
            setenv("NOTIFY_SOCKET", "", 1);
        assert_int_equal(notify_open(&n), 0);
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.alive_ms, 0);
        notify_ready(&n);
        notify_reloading(&n);
        notify_stopping(&n, 1);
        notify_alive(&n);
        notify_status(&n, "x");
        notify_close(&n);
    }
    unsetenv("NOTIFY_SOCKET");
}

static void what_is_no_manager_is_an_error(void **state)
{
    char longest[256];
    const struct {
        const char *name;
        int want;
    } rows[] = {
        {"relative", EAFNOSUPPORT},
        {"/", EAFNOSUPPORT},
        {"@", EAFNOSUPPORT},
        {"vsock:2:1234", EAFNOSUPPORT},
        {longest, EAFNOSUPPORT},
        {"/nonexistent/notify", ENOENT},
        {"@evald-nobody-listens", ECONNREFUSED},
    };
    struct notify n;
    (void)state;
    memset(longest, '/', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setenv("NOTIFY_SOCKET", rows[i].name, 1);
        errno = 0;
        assert_int_equal(notify_open(&n), -1);
        assert_int_equal(errno, rows[i].want);
        assert_int_equal(n.fd, -1);
    }
    unsetenv("NOTIFY_SOCKET");
}

/* A manager that is gone, or reads nothing, ends and stops nobody. */
static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
    struct manager m;
    struct notify n;
    time_t began = time(NULL);
    (void)state;
    manager_init(&m, '@');
    assert_int_equal(notify_open(&n), 0);
    int nowait = fcntl(n.fd, F_GETFL);
    fcntl(n.fd, F_SETFL, nowait | O_NONBLOCK); /* fills the queue at once */
    for (size_t i = 0; i < 10000; i++)
        notify_alive(&n);
    fcntl(n.fd, F_SETFL, nowait);
    notify_alive(&n);
    close(m.fd);
    m.fd = -1;
    notify_alive(&n);
    assert_true(time(NULL) - began < 8);
    notify_close(&n);
    manager_free(&m);
}

static void the_watchdog_is_asked_for_by_its_variables(void **state)
{
    char own[24];
    const struct {
        const char *usec, *pid;
        uint64_t want_ms;
    } rows[] = {
        {"30000000", NULL, 15000},
        {"30000000", own, 15000},
        {"30000000", "1", 0},
        {"30000000", "", 0},
        {"1999", NULL, 1},
        {"2000", NULL, 1},
        {"5000", NULL, 2},
        {"0", NULL, 0},
        {NULL, own, 0},
        {"", NULL, 0},
        {"-30000000", NULL, 0},
        {" 30000000", NULL, 0},
        {"30000000s", NULL, 0},
        {"99999999999999999999999", NULL, 0},
    };
    struct manager m;
    struct notify n;
    (void)state;
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    manager_init(&m, '@');
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (rows[i].pid)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        assert_int_equal(notify_open(&n), 0);
        if (n.alive_ms != rows[i].want_ms)
            fail_msg("row %zu: %" PRIu64, i, n.alive_ms);
        notify_close(&n);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    manager_free(&m);
}

/* Sockets by a letter: TCP that listens, of IPv4 and IPv6; TCP that does not;
 * UDP; a local stream that listens; a pipe; none. */
static int make(char kind)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = -1, ends[2];
    switch (kind) {
    case '4':
    case '6':
        fd = socket(kind == '4' ? AF_INET : AF_INET6, SOCK_STREAM, 0);
        if (fd < 0) /* this machine has no IPv6 */
            fd = socket(AF_INET, SOCK_STREAM, 0);
        return fd < 0 || listen(fd, 1) ? -1 : fd;
    case 't':
        return socket(AF_INET, SOCK_STREAM, 0);
    case 'u':
        return socket(AF_INET, SOCK_DGRAM, 0);
    case 'l':
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        return bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t)) ||
                       listen(fd, 1)
                   ? -1
                   : fd;
    case 'p':
        return pipe(ends) ? -1 : ends[0];
    default:
        return -1;
    }
}

struct row {
    const char *kinds, *names, *count, *pid;
    const char *want; /* h or a per socket, or a word of what is wrong */
};

/* In a child, whose descriptors are its own. */
static int inherit(const struct row *row)
{
    struct inherited in;
    const char *why = "";
    char pid[24], got[INHERITED_MAX + 1] = "";
    int made[16];
    size_t n = strlen(row->kinds);
    for (size_t i = 0; i < n; i++) { /* out of the way of what they become */
        int fd = make(row->kinds[i]);
        made[i] = fd < 0 ? fd : fcntl(fd, F_DUPFD, 64);
    }
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    for (size_t i = 0; i < n; i++)
        if (made[i] >= 0)
            dup2(made[i], 3 + (int)i);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", row->pid ? row->pid : pid, 1);
    setenv("LISTEN_FDS", row->count, 1);
    if (row->names)
        setenv("LISTEN_FDNAMES", row->names, 1);
    if (notify_inherit(&in, &why))
        return strstr(why, row->want) ? 0 : 1;
    for (size_t i = 0; i < in.n; i++) {
        got[i] = in.at[i].admin ? 'a' : 'h';
        if (in.at[i].fd != 3 + (int)i ||
            !(fcntl(in.at[i].fd, F_GETFL) & O_NONBLOCK) ||
            fcntl(in.at[i].fd, F_GETFD) != FD_CLOEXEC)
            return 2;
    }
    return strcmp(got, row->want) == 0 ? 0 : 3;
}

static void sockets_are_taken_over_when_they_are_right(void **state)
{
    static const struct row rows[] = {
        {"4", NULL, "1", NULL, "h"},
        {"6", "http", "1", NULL, "h"},
        {"46", "http:http", "2", NULL, "hh"},
        {"46", "http:admin", "2", NULL, "ha"},
        {"44", "admin:http", "2", NULL, "ah"},
        {"44", "admin", "2", NULL, "ah"},
        {"44", "evald.socket:unknown", "2", NULL, "hh"},
        {"44", ":admin", "2", NULL, "ha"},
        {"44444444", NULL, "8", NULL, "hhhhhhhh"},
        {"4", NULL, "1", "1", ""},
        {"4", NULL, "1", "", ""},
        {"4", NULL, "0", NULL, ""},
        {"4", NULL, "x", NULL, ""},
        {"4", NULL, "1x", NULL, ""},
        {"", NULL, "-1", NULL, ""},
        {"4", "metrics", "1", NULL, "metrics must be http or admin"},
        {"4", ".socket", "1", NULL, ".socket must be"},
        {"4", "adminx", "1", NULL, "adminx"},
        {"t", "http", "1", NULL, "descriptor 3 (http) is no listening TCP"},
        {"4u", "http:admin", "2", NULL, "descriptor 4 (admin)"},
        {"l", "http", "1", NULL, "descriptor 3"},
        {"p", "http", "1", NULL, "descriptor 3"},
        {"4-", "http:http", "2", NULL, "descriptor 4"},
        {"444444444", NULL, "9", NULL, "at most 8"},
        {"4", NULL, "99999999999", NULL, "at most 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(inherit(&rows[i]));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("row %zu: %d", i, WEXITSTATUS(status));
    }
}

static void nothing_is_inherited_from_nobody(void **state)
{
    struct inherited in;
    const char *why;
    (void)state;
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    assert_int_equal(notify_inherit(&in, &why), 0);
    assert_int_equal(in.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_told_by_path_and_by_abstract_name),
        cmocka_unit_test(a_reload_tells_the_time),
        cmocka_unit_test(a_status_stays_one_line_and_is_cut),
        cmocka_unit_test(nobody_is_told_nothing),
        cmocka_unit_test(what_is_no_manager_is_an_error),
        cmocka_unit_test(a_manager_that_does_not_read_is_not_waited_for),
        cmocka_unit_test(the_watchdog_is_asked_for_by_its_variables),
        cmocka_unit_test(sockets_are_taken_over_when_they_are_right),
        cmocka_unit_test(nothing_is_inherited_from_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
