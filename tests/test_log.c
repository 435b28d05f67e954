/* When the log is written, and what if its reader is slow, gone or full. */
#include "tests/captured.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SECONDS_MAX = 120 };

/* Adds to len bytes of text what is in a pipe or socket, without waiting. */
static size_t take(int fd, size_t len)
{
    ssize_t n;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return len;
}

/* When. */

static void lines_wait_for_the_end_of_a_turn(void **state)
{
    int fd = setup("text", "info");
    (void)state;
    log_info("one");
    assert_true(lseek(fd, 0, SEEK_END) > 0);
    off_t before = lseek(fd, 0, SEEK_END);
    log_start();
    log_info("two");
    log_warning("three");
    assert_int_equal(lseek(fd, 0, SEEK_END), before);
    log_flush();
    before = lseek(fd, 0, SEEK_END);
    log_info("four");
    assert_int_equal(lseek(fd, 0, SEEK_END), before);
    log_error("five"); /* at once, and what came before it */
    assert_true(lseek(fd, 0, SEEK_END) > before);
    log_info("six");
    log_stop();
    log_info("seven");
    const char *all = finish(fd);
    static const char *const words[] = {"one",  "two", "three", "four",
                                        "five", "six", "seven"};
    for (size_t i = 0; i < COUNT(words); i++) {
        all = strstr(all, words[i]);
        assert_non_null(all);
    }
}

static void a_long_turn_does_not_keep_all(void **state)
{
    int fd = setup("text", "info");
    struct finished r = finished();
    uint64_t dropped = log_dropped();
    (void)state;
    log_start();
    for (int i = 0; i < 20000; i++)
        log_access(&r);
    log_stop();
    assert_int_equal(count(finish(fd), "\n"), 20000);
    assert_int_equal(log_dropped(), dropped);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How many lines the notices among them say were dropped. */
static uint64_t told_dropped(const char *all)
{
    uint64_t n = 0;
    for (const char *p = all; (p = strstr(p, " lines were dropped")); p++) {
        const char *digit = p;
        while (digit > all && digit[-1] >= '0' && digit[-1] <= '9')
            digit--;
        n += strtoull(digit, NULL, 10);
    }
    return n;
}

/* What is written to the second may be read from the first. */
static void open_pipe(int end[2])
{
    assert_int_equal(pipe(end), 0);
}

static void open_sockets(int end[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
}

static void open_terminal(int end[2])
{
    struct termios raw;
    end[0] = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(end[0] >= 0 && grantpt(end[0]) == 0 && unlockpt(end[0]) == 0);
    end[1] = open(ptsname(end[0]), O_RDWR | O_NOCTTY);
    assert_int_equal(tcgetattr(end[1], &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(end[1], TCSANOW, &raw), 0);
}

/* A reader that reads nothing for a while. */
static void nobody_waits_for_a_reader(void **state)
{
    enum { LINES = 50000 };
    (void)state;
    static void (*const kinds[])(int end[2]) = {open_pipe, open_sockets,
                                                open_terminal};
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        int end[2];
        struct finished r = finished();
        kinds[kind](end);
        replace_stderr(end[1]);
        int flags = fcntl(end[1], F_GETFL);
        uint64_t dropped = log_dropped();
        log_start();
        double start = seconds();
        for (int i = 0; i < LINES; i++) {
            log_access(&r);
            if (i % 100 == 0)
                log_flush();
        }
        log_error("an error");
        if (seconds() - start > 30)
            fail_msg("took %g s", seconds() - start);
        uint64_t lost = log_dropped() - dropped;
        assert_in_range(lost, LINES / 2, LINES - 100);
        /* the reader comes back, and so does the log */
        size_t len = 0;
        for (int i = 0; i < 100; i++) {
            len = take(end[0], len);
            if (i == 10)
                log_info("last");
            log_flush();
        }
        assert_int_equal(log_dropped() - dropped, lost);
        assert_int_equal(count(text, " 200 POST "), LINES - lost);
        assert_int_equal(count(text, " last\n"), 1);
        assert_int_equal(count(text, " an error\n"), 1);
        assert_int_equal(told_dropped(text), lost);
        /* others who have it open are not made not to wait */
        assert_int_equal(fcntl(end[1], F_GETFL), flags);
        log_stop();
        restore_stderr();
        close(end[0]);
        close(end[1]);
    }
}

struct other {
    int fd;
    atomic_bool stop;
};

/* Fills what room there is in a pipe that is not its own. */
static void *fill(void *context)
{
    struct other *o = context;
    static const char page[4096];
    while (!atomic_load(&o->stop))
        if (write(o->fd, page, sizeof(page)) < 0 && errno != EAGAIN)
            break;
    return NULL;
}

/* Others may write to the same pipe just when there was room. */
static void others_may_fill_the_pipe_first(void **state)
{
    enum { TIMES = 20000 };
    int end[2];
    char path[32];
    pthread_t id;
    (void)state;
    open_pipe(end);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", end[1]);
    struct other o = {.fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
    assert_true(o.fd >= 0);
    replace_stderr(end[1]);
    log_start();
    assert_int_equal(pthread_create(&id, NULL, fill, &o), 0);
    fcntl(end[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < TIMES; i++) {
        assert_true(read(end[0], text, 4096) >= 0 || errno == EAGAIN);
        log_info("a line");
        log_flush();
    }
    atomic_store(&o.stop, true);
    pthread_join(id, NULL);
    log_stop();
    restore_stderr();
    close(o.fd);
    close(end[0]);
    close(end[1]);
}

/* To stop is not to wait forever. */
static void stopping_is_bounded(void **state)
{
    int end[2];
    struct finished r = finished();
    (void)state;
    assert_int_equal(pipe(end), 0);
    replace_stderr(end[1]);
    log_start();
    for (int i = 0; i < 5000; i++)
        log_access(&r);
    double start = seconds();
    log_stop();
    assert_true(seconds() - start < 5);
    take(end[0], 0);
    log_info("the end");
    take(end[0], 0);
    assert_non_null(strstr(text, "the end\n"));
    restore_stderr();
    close(end[0]);
    close(end[1]);
}

static void a_reader_that_is_gone_costs_lines_only(void **state)
{
    int end[2];
    uint64_t dropped = log_dropped();
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(end), 0);
    replace_stderr(end[1]);
    log_start();
    close(end[0]);
    for (int i = 0; i < 10; i++)
        log_info("a line");
    log_flush();
    assert_int_equal(log_dropped(), dropped + 10);
    log_stop();
    restore_stderr();
    close(end[1]);
}

/* A file that may not grow is a disk that is full. */
static void a_full_disk_cuts_no_line_in_two(void **state)
{
    enum { ROOM = 1000, LINES = 30 };
    int fd = setup("json", "info");
    struct rlimit limit, old;
    uint64_t dropped = log_dropped();
    (void)state;
    log_info("first"); /* what was dropped before is told now */
    off_t start = lseek(fd, 0, SEEK_END);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){(rlim_t)start + ROOM, old.rlim_max};
    log_start();
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < LINES; i++)
        log_info("before %d", i);
    log_flush();
    setrlimit(RLIMIT_FSIZE, &old);
    uint64_t lost = log_dropped() - dropped;
    log_info("after");
    log_stop();
    const char *all = finish(fd) + start;
    const char *cut = all + ROOM;
    assert_in_range(lost, LINES / 2, LINES - 5);
    assert_int_equal(count(all, "\"}\n"), LINES - lost + 2);
    assert_true(cut[-1] != '\n'); /* or else this shows nothing */
    assert_memory_equal(cut, "\n{\"time\":", 9);
    assert_non_null(strstr(cut, "\"message\":\"after\"}\n"));
    assert_int_equal(told_dropped(cut), lost);
}

/* Threads. */

enum { THREADS = 4, EACH = 5000 };

static void *write_many(void *context)
{
    (void)context;
    struct finished r = finished();
    for (int i = 0; i < EACH; i++) {
        log_access(&r);
        if (i % 10 == 0)
            log_flush();
    }
    return NULL;
}

static void lines_of_threads_stay_whole(void **state)
{
    pthread_t id[THREADS];
    int fd = setup("text", "info");
    (void)state;
    log_start();
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, write_many, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    log_stop();
    size_t n = 0;
    for (const char *p = finish(fd); *p; p = strchr(p, '\n') + 1, n++)
        if (strncmp(after_time(p), " info  200 POST /v1/losses/giou in=10 ",
                    38) != 0)
            fail_msg("%.100s", p);
    assert_int_equal(n, THREADS * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_wait_for_the_end_of_a_turn),
        cmocka_unit_test(a_long_turn_does_not_keep_all),
        cmocka_unit_test(nobody_waits_for_a_reader),
        cmocka_unit_test(others_may_fill_the_pipe_first),
        cmocka_unit_test(stopping_is_bounded),
        cmocka_unit_test(a_reader_that_is_gone_costs_lines_only),
        cmocka_unit_test(a_full_disk_cuts_no_line_in_two),
        cmocka_unit_test(lines_of_threads_stay_whole),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    alarm(SECONDS_MAX); /* what hangs dies */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
