/* The log as who reads stderr sees it: stderr is replaced for as long. */
#ifndef EVALD_TESTS_CAPTURED_H
#define EVALD_TESTS_CAPTURED_H

#include "api/route.h"
#include "server/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_BYTES = 1 << 22 };

/* What was stderr, and what is read of what stands for it. */
static int was = -1;
static char text[TEXT_BYTES];

static inline void replace_stderr(int fd)
{
    was = dup(STDERR_FILENO);
    assert_true(was >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static inline void restore_stderr(void)
{
    dup2(was, STDERR_FILENO);
    close(was);
}

static inline int setup(const char *format, const char *level)
{
    int fd = memfd_create("log", 0);
    assert_int_equal(log_setup(format, level), 0);
    replace_stderr(fd);
    return fd;
}

/* All that was written to a file; ends it and stderr's replacement. */
static inline const char *finish(int fd)
{
    restore_stderr();
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    assert_int_equal(log_setup("text", "info"), 0);
    return text;
}

static inline size_t count(const char *in, const char *what)
{
    size_t n = 0;
    for (; (in = strstr(in, what)); in += strlen(what))
        n++;
    return n;
}

/* A line without its time, which has the form of one. */
static inline const char *after_time(const char *line)
{
    int end = 0;
    sscanf(line, "20%*2d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3[0-9]Z%n", &end);
    assert_int_equal(end, 24);
    return line + end;
}

static inline struct finished finished(void)
{
    return (struct finished){.id = "id-1",
                             .method = "POST",
                             .path = "/v1/losses/giou",
                             .client = "::1",
                             .route = route_find("/v1/losses/giou"),
                             .status = 200,
                             .bytes_in = 10,
                             .bytes_out = 2000,
                             .total_ms = 1.25,
                             .sent = true};
}

#endif
