/*
 * What it costs to tell of a request: counting it, a line on it in the log as
 * text and as JSON with the writing of it, and, to compare, a line that printf
 * makes and that goes out at once.  On one thread; stderr is a file in memory.
 */
#include "api/route.h"
#include "server/log.h"
#include "server/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 200000, ROUNDS = 7, TURN = 16 };

static struct metrics *m;
static const struct finished *request;

static void count(void)
{
    metrics_request(m, 0, request);
}

/* As many requests end in a turn of a loop. */
static void line(void)
{
    static unsigned n;
    log_access(request);
    if (++n % TURN == 0)
        log_flush();
}

static void printed(void)
{
    const struct finished *r = request;
    log_info("%d %s %.200s in=%zu out=%zu ms=%.3f id=%s", r->status, r->method,
             r->path, r->bytes_in, r->bytes_out, r->total_ms, r->id);
}

/* Of the processor: others may be using it. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The fastest round: the others were disturbed. */
static void measure(const char *what, void (*once)(void))
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        if (ftruncate(STDERR_FILENO, 0))
            abort();
        double start = seconds();
        for (int i = 0; i < TIMES; i++)
            once();
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    printf("%-40s %7.0f ns\n", what, best / TIMES * 1e9);
}

int main(void)
{
    int fd = memfd_create("log", 0);
    struct finished r = {.id = "0123456789abcdef",
                         .method = "POST",
                         .path = "/v1/losses/giou",
                         .client = "127.0.0.1",
                         .token = "trainer",
                         .route = &routes[n_routes / 2],
                         .status = 200,
                         .bytes_in = 12345,
                         .bytes_out = 23456,
                         .total_ms = 1.234,
                         .stage_ms = {0.01, 0.2, 0.7, 0.3},
                         .sent = true};
    request = &r;
    m = metrics_new(1);
    if (!m || fd < 0 || fcntl(fd, F_SETFL, O_APPEND) || dup2(fd, 2) < 0)
        return EXIT_FAILURE;
    puts("a request told of:");
    measure("  counted", count);
    measure("  by printf, at once", printed);
    log_start();
    measure("  as text", line);
    measure("  as text by printf, gathered", printed);
    if (log_setup("json", "info"))
        return EXIT_FAILURE;
    measure("  as JSON", line);
    log_stop();
    metrics_free(m);
    return EXIT_SUCCESS;
}
