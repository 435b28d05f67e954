#include "server/log.h"

#include "api/route.h"
#include "server/log_text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 1 << 16,
    WRITE_BYTES = BUFFER_BYTES / 2, /* that wait are written */
    ERROR_BYTES = 2 * LINE_BYTES,   /* are kept free for errors */
    PIECE_BYTES = 4096,             /* a pipe with any room has room for */
    DIRECT_WAIT_MS = 1000,          /* for a reader, if nobody serves */
    STOP_WAIT_MS = 100,
    FIELD_BYTES = 128, /* of what is no path */
    PATH_BYTES = 200,
};

static const char *const levels[] = {"debug", "info", "warning", "error"};

/* The lines that wait, whoever wrote them. */
static struct {
    pthread_mutex_t lock;
    int fd;
    bool json, gathering;
    enum log_level level; /* the lowest that is written */
    bool cut;             /* the latest byte that was written ends no line */
    size_t len;
    char text[BUFFER_BYTES];
    uint64_t told; /* of the dropped lines */
    atomic_ullong dropped;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .fd = STDERR_FILENO,
          .level = LEVEL_INFO};

static int level_of(const char *name)
{
    for (int i = LEVEL_DEBUG; i <= LEVEL_ERROR; i++)
        if (strcmp(name, levels[i]) == 0)
            return i;
    return -1;
}

int log_setup(const char *format, const char *level)
{
    bool json = strcmp(format, "json") == 0;
    int lowest = level_of(level);
    if (lowest < 0 || (!json && strcmp(format, "text") != 0))
        return -1;
    sink.json = json;
    sink.level = (enum log_level)lowest;
    return 0;
}

static void drop(size_t lines)
{
    atomic_fetch_add_explicit(&sink.dropped, lines, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&sink.dropped, memory_order_relaxed);
}

static bool append(const struct line *l, size_t room)
{
    if (sink.len + 1 + l->len > room)
        return false;
    if (sink.len == 0 && sink.cut) /* its rest is lost */
        sink.text[sink.len++] = '\n';
    memcpy(sink.text + sink.len, l->text, l->len);
    sink.len += l->len;
    return true;
}

/*
 * Writes a piece without waiting longer than that.  What poll says can be
 * written to takes a small piece at once.
 */
static ssize_t write_piece(const char *text, size_t n, int wait_ms)
{
    struct pollfd p = {.fd = sink.fd, .events = POLLOUT};
    int ready = poll(&p, 1, wait_ms);
    if (ready == 0)
        errno = EAGAIN;
    if (ready <= 0)
        return -1;
    return write(sink.fd, text, n < PIECE_BYTES ? n : PIECE_BYTES);
}

/* Nobody will ever read what waits. */
static void lose(void)
{
    size_t lines = 0;
    for (size_t i = 0; i < sink.len; i++)
        lines += sink.text[i] == '\n';
    drop(lines);
    sink.len = 0;
}

/* Writes what waits; true if all of it went out. */
static bool write_out(int wait_ms)
{
    size_t done = 0;
    bool failed = false;
    while (done < sink.len && !failed) {
        ssize_t n = write_piece(sink.text + done, sink.len - done, wait_ms);
        if (n >= 0)
            done += (size_t)n;
        else
            failed = errno != EINTR;
    }
    bool lost = failed && errno != EAGAIN;
    if (done > 0) {
        sink.cut = sink.text[done - 1] != '\n';
        sink.len -= done;
        memmove(sink.text, sink.text + done, sink.len);
    }
    if (lost)
        lose();
    return !failed;
}

static void tell_dropped(void)
{
    uint64_t dropped = log_dropped();
    struct line l;
    char words[64];
    snprintf(words, sizeof(words), "%llu lines were dropped here",
             (unsigned long long)(dropped - sink.told));
    line_begin(&l, sink.json, levels[LEVEL_WARNING]);
    line_string(&l, (struct field){"", "message"}, words, sizeof(words));
    line_end(&l);
    if (append(&l, BUFFER_BYTES))
        sink.told = dropped;
}

/* Writes what waits; after what was dropped, once that works, how much. */
static void flush(int wait_ms)
{
    if (sink.len == 0)
        return;
    if (write_out(wait_ms) && sink.told < log_dropped()) {
        tell_dropped();
        write_out(wait_ms);
    }
}

static void submit(const struct line *l, enum log_level level)
{
    pthread_mutex_lock(&sink.lock);
    bool urgent = level >= LEVEL_ERROR || !sink.gathering;
    if (!append(l, urgent ? BUFFER_BYTES : BUFFER_BYTES - ERROR_BYTES))
        drop(1);
    if (urgent || sink.len >= WRITE_BYTES)
        flush(sink.gathering ? 0 : DIRECT_WAIT_MS);
    pthread_mutex_unlock(&sink.lock);
}

void log_flush(void)
{
    pthread_mutex_lock(&sink.lock);
    flush(0);
    pthread_mutex_unlock(&sink.lock);
}

/*
 * Pipes and terminals are opened once more, to be written to without waiting:
 * what stderr is open as, others may share, who do not expect that.
 */
static int open_without_waiting(void)
{
    struct stat st;
    int fd = -1;
    if (fstat(STDERR_FILENO, &st) == 0 &&
        (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        fd = open("/proc/self/fd/2",
                  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? STDERR_FILENO : fd;
}

void log_start(void)
{
    sink.fd = open_without_waiting();
    sink.gathering = true;
}

void log_stop(void)
{
    pthread_mutex_lock(&sink.lock);
    flush(STOP_WAIT_MS);
    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    sink.fd = STDERR_FILENO;
    sink.gathering = false;
    pthread_mutex_unlock(&sink.lock);
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    struct line l;
    va_list args;
    if (level < sink.level)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    line_begin(&l, sink.json, levels[level]);
    line_string(&l, (struct field){"", "message"}, message, sizeof(message));
    line_end(&l);
    submit(&l, level);
}

static void put_stages(struct line *l, const struct finished *r)
{
    static const struct field fields[STAGES] = {
        [STAGE_QUEUE] = {"queue", "queue_ms"},
        [STAGE_PARSE] = {"parse", "parse_ms"},
        [STAGE_COMPUTE] = {"compute", "compute_ms"},
        [STAGE_ENCODE] = {"encode", "encode_ms"},
    };
    for (size_t i = 0; i < STAGES; i++)
        if (r->stage_ms[i] > 0)
            line_ms(l, fields[i], r->stage_ms[i]);
}

static void put_outcome(struct line *l, const struct finished *r)
{
    enum reason reason = finished_reason(r);
    const char *name = reason_names[reason];
    if (l->json) {
        line_string(l, (struct field){"", "outcome"}, r->sent ? "sent" : name,
                    FIELD_BYTES);
        line_string(l, (struct field){"", "reason"}, name, FIELD_BYTES);
    } else if (reason) {
        line_words(l, " (");
        line_words(l, reason_words[reason]);
        line_words(l, ")");
    }
}

void log_access(const struct finished *r)
{
    enum log_level level = r->status >= 500 ? LEVEL_WARNING : LEVEL_INFO;
    struct line l;
    if (level < sink.level)
        return;
    line_begin(&l, sink.json, levels[level]);
    if (l.json)
        line_string(&l, (struct field){"", "message"}, "request", FIELD_BYTES);
    line_count(&l, (struct field){"", "status"}, (uint64_t)r->status);
    line_string(&l, (struct field){"", "method"}, r->method, FIELD_BYTES);
    line_string(&l, (struct field){"", "path"}, r->path, PATH_BYTES);
    if (l.json)
        line_string(&l, (struct field){"", "route"},
                    r->route ? r->route->path : NULL, FIELD_BYTES);
    line_count(&l, (struct field){"in", "bytes_in"}, r->bytes_in);
    line_count(&l, (struct field){"out", "bytes_out"}, r->bytes_out);
    line_ms(&l, (struct field){"ms", "total_ms"}, r->total_ms);
    put_stages(&l, r);
    line_string(&l, (struct field){"id", "request_id"}, r->id, FIELD_BYTES);
    line_string(&l, (struct field){"trace", "trace_id"}, r->trace, FIELD_BYTES);
    line_string(&l, (struct field){"client", "client"}, r->client, FIELD_BYTES);
    line_string(&l, (struct field){"token", "token"}, r->token, FIELD_BYTES);
    put_outcome(&l, r);
    line_end(&l);
    submit(&l, level);
}
