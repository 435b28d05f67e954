/*
 * Large requests of every kind.
 *
 * stop: how long work goes on once nobody wants it.  Each is stopped at
 * moments spread over all the time that it takes; told are its size, what it
 * takes as a whole, and the median and the most of what the thread works from
 * setting the flag to the answer.
 *
 * memory: the least that must be reserved of a budget with nothing beside it,
 * by itself and per byte of the body, against what api_reservation says.
 */
#include "api/api.h"
#include "tests/bench/bodies.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOMENTS = 20, PIECE_BYTES = 1 << 19, PIECES = 16, MIB = 1 << 20 };

/* What a thread has worked, whoever else wants its core. */
static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- one request ---- */

struct moment {
    atomic_bool stop, over;
    clockid_t clock; /* of the thread that answers */
    double at_ms, set_ms;
};

static void *set_flag(void *arg)
{
    struct moment *m = arg;
    while (clock_ms(m->clock) < m->at_ms && !atomic_load(&m->over))
        nanosleep(&(struct timespec){0, 50000}, NULL);
    m->set_ms = clock_ms(m->clock);
    atomic_store_explicit(&m->stop, true, memory_order_relaxed);
    return NULL;
}

static void take_pieces(const struct job *job, struct api_intake *in,
                        const atomic_bool *stop)
{
    for (size_t at = 0; at < job->len && !is_stopped(stop);) {
        struct span piece[PIECES];
        size_t n = 0;
        for (; n < PIECES && at < job->len; n++) {
            size_t len = job->len - at;
            piece[n] = (struct span){job->body + at,
                                     len < PIECE_BYTES ? len : PIECE_BYTES};
            at += piece[n].len;
        }
        api_intake_take(in, piece, n);
    }
}

static int answer(const struct job *job, struct arena *mem,
                  const atomic_bool *stop, size_t *reservation)
{
    struct parallel par = parallel_serial;
    par.stop = stop;
    struct api_env env = {
        .par = &par, .body_bytes_max = (size_t)512 * MIB, .workers = 1};
    struct api_request req = {.method = "POST",
                              .path = job->path,
                              .query = job->query ? job->query : "",
                              .accept = job->accept,
                              .accept_encoding = job->coding,
                              .content_encoding = job->coding,
                              .content_type =
                                  job->type ? job->type : "application/json",
                              .length_known = true,
                              .content_length = job->len,
                              .body = job->body,
                              .body_len = job->len};
    struct api_route route = api_find(&req);
    struct api_response res;
    mem->bytes_max =
        api_memory_bytes(job->coding ? (size_t)256 * MIB : job->len);
    must(api_admit(&env, &req, mem, &res), job->name);
    *reservation = api_reservation(&env, &req, &route);
    if (route.in_pieces)
        req.intake = api_intake_new(&env, &req, mem);
    if (req.intake)
        take_pieces(job, req.intake, stop);
    api_answer(&env, &req, mem, &res);
    if (req.intake)
        api_intake_free(req.intake);
    return res.status;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_stop(const struct job *job)
{
    struct arena mem;
    double late[MOMENTS], worst_at = 0, worst = 0;
    size_t n = 0, reservation;
    arena_init(&mem, 0);
    clockid_t clock;
    must(pthread_getcpuclockid(pthread_self(), &clock) == 0, "a clock");
    double start = clock_ms(clock);
    int status = answer(job, &mem, NULL, &reservation);
    double whole = clock_ms(clock) - start;
    for (size_t i = 0; i < MOMENTS; i++) {
        double after = whole * ((double)i + 0.5) / MOMENTS;
        pthread_t thread;
        arena_free(&mem);
        arena_init(&mem, 0);
        struct moment m = {.clock = clock, .at_ms = clock_ms(clock) + after};
        must(pthread_create(&thread, NULL, set_flag, &m) == 0, "a thread");
        int got = answer(job, &mem, &m.stop, &reservation);
        double done = clock_ms(clock);
        atomic_store(&m.over, true);
        pthread_join(thread, NULL);
        if (got != 504)
            continue;
        late[n] = done - m.set_ms;
        if (late[n] > worst) {
            worst = late[n];
            worst_at = after;
        }
        n++;
    }
    arena_free(&mem);
    qsort(late, n, sizeof(late[0]), by_size);
    printf("%-44s %6.1f MB %4d %8.1f %8.2f %8.2f  at %.0f\n", job->name,
           (double)job->len / 1e6, status, whole, n ? late[n / 2] : 0, worst,
           worst_at);
    fflush(stdout);
}

/* Whether so much does. */
static bool suffices(const struct job *job, size_t bytes, size_t *reservation)
{
    struct budget budget = {.max = bytes};
    struct arena mem;
    arena_init(&mem, 0);
    mem.budget = &budget;
    bool paid = arena_prepay(&mem, bytes);
    int status = answer(job, &mem, NULL, reservation);
    arena_free(&mem);
    return paid && status != 503;
}

static void measure_memory(const struct job *job)
{
    size_t reservation, low = 0, high = (size_t)1 << 30;
    while (high < (size_t)8 << 30 && !suffices(job, high, &reservation))
        high *= 2;
    while (high - low > high / 64) {
        size_t middle = low + (high - low) / 2;
        if (suffices(job, middle, &reservation))
            high = middle;
        else
            low = middle;
    }
    printf("%-44s %6.1f MB %8.1f %8.2f %8.1f\n", job->name,
           (double)job->len / 1e6, (double)high / 1e6,
           (double)high / (double)job->len, (double)reservation / 1e6);
    fflush(stdout);
}

static void (*measure)(const struct job *job);

#define RUN(text, make, ...)                            \
    do {                                                \
        struct job job = {.name = (text), __VA_ARGS__}; \
        if (!only || strstr((text), only)) {            \
            make;                                       \
            measure(&job);                              \
            free(job.body);                             \
        }                                               \
    } while (0)

static void operations(const char *only)
{
    RUN("nms, 100k boxes", nms(&job, 100000, 4000, "hard"),
        .path = "/v1/boxes/nms");
    RUN("nms, 20k boxes in one place", nms(&job, 20000, 1, "diou"),
        .path = "/v1/boxes/nms");
    RUN("nms gaussian, 20k boxes in one place", nms(&job, 20000, 1, "gaussian"),
        .path = "/v1/boxes/nms");
    RUN("iou 4k x 4k to JSON", matrix(&job, 4000, 4000, ""),
        .path = "/v1/boxes/iou");
    RUN("ciou 4k x 4k to .npy", matrix(&job, 4000, 4000, ""),
        .path = "/v1/boxes/ciou", .accept = NPY_TYPE);
    RUN("iou 2 x 1M, top_k 1M", matrix(&job, 2, 1000000, "\"top_k\":1000000"),
        .path = "/v1/boxes/iou");
    RUN("assign 1M x 100", assign(&job, 1000000, 100),
        .path = "/v1/boxes/assign");
    RUN("assign 100 x 1M", assign(&job, 100, 1000000),
        .path = "/v1/boxes/assign");
    RUN("softmax, 10M in one row, f4", npy(&job, 1, 10000000, "f4"),
        .path = "/v1/activations/softmax", .type = NPY_TYPE,
        .accept = NPY_TYPE);
    RUN("softmax, 10M in one row, f8", npy(&job, 1, 10000000, "f8"),
        .path = "/v1/activations/softmax", .type = NPY_TYPE,
        .accept = NPY_TYPE);
    RUN("log_softmax, 10k x 1k, f4 to JSON", npy(&job, 10000, 1000, "f4"),
        .path = "/v1/activations/log_softmax", .type = NPY_TYPE);
    RUN("mish stats, 20M f4", npy(&job, 1, 20000000, "f4"),
        .path = "/v1/activations/mish", .query = "outputs=stats",
        .type = NPY_TYPE);
    RUN("mish to JSON, 50 MB",
        vector(&job, 4600000, ",\"outputs\":[\"value\",\"grad\"]"),
        .path = "/v1/activations/mish");
    RUN("focal stats",
        loss(&job, "input", 2000000, "target", 0, 1,
             ",\"outputs\":[\"value\",\"stats\"]"),
        .path = "/v1/losses/focal");
    RUN("ghm_c", loss(&job, "input", 2000000, "target", 0, 1, ""),
        .path = "/v1/losses/ghm_c");
}

static void texts(const char *only)
{
    static const char path[] = "/v1/activations/mish";
    RUN("a string of 50 MB",
        repeat(&job, "{\"inputs\":{\"x\":\"", "0123456789", 5000000, "\"}}"),
        .path = path);
    RUN("a string of 50 MB with escapes",
        repeat(&job, "{\"inputs\":{\"x\":\"", "01234567\\n", 5000000, "\"}}"),
        .path = path);
    RUN("numbers that stay, 50 MB",
        repeat(&job, "{\"inputs\":{\"x\":[[1],", "12345,", 8000000, "1]}}"),
        .path = path);
    RUN("small arrays, 50 MB",
        repeat(&job, "{\"inputs\":{\"x\":[", "[1,2],", 8000000, "[1,2]]}}"),
        .path = path);
    RUN("unknown members, 50 MB",
        repeat(&job, "{\"other\":[", "{\"a\":[1]},", 5000000, "1]}"),
        .path = path);
    RUN("cut off, 50 MB",
        repeat(&job, "{\"inputs\":{\"x\":[", "12345,", 8000000, ""),
        .path = path);
    RUN("a string, 200 MB",
        repeat(&job, "{\"inputs\":{\"x\":\"", "0123456789", 20000000, "\"}}"),
        .path = path);
    RUN("detection, a string of 200 MB",
        repeat(&job, "{\"ground_truth\":{\"info\":\"", "0123456789", 20000000,
               "\"}}"),
        .path = "/v1/detection/evaluate");
    RUN("detection, a skipped array of 100 MB",
        repeat(&job, "{\"ground_truth\":{\"info\":[", "[1,2.5],", 12000000,
               "1]}}"),
        .path = "/v1/detection/evaluate");
    RUN("batch of 256",
        repeat(&job, "{\"requests\":[",
               "{\"operation\":\"activations/mish\",\"inputs\":{\"x\":[1,2]}},",
               200, "{\"operation\":\"activations/mish\"}]}"),
        .path = "/v1/batch");
}

static void detections(const char *only)
{
    static const char path[] = "/v1/detection/evaluate";
    static const char all[] =
        ",\"outputs\":[\"summary\",\"per_class\",\"per_image\",\"arrays\"]";
    RUN("detection, 500k", detection(&job, 5000, 80, 36000, 500000, ""),
        .path = path);
    RUN("detection, 500k, all outputs",
        detection(&job, 5000, 80, 36000, 500000, all), .path = path);
    RUN("detection, form", form(&job, 5000, 80, 36000, 500000), .path = path,
        .type = "multipart/form-data; boundary=b");
    RUN("detection, gzip", detection(&job, 5000, 80, 36000, 500000, all);
        compress(&job, CODING_GZIP), .path = path);
    RUN("detection, zstd", detection(&job, 5000, 80, 36000, 500000, all);
        compress(&job, CODING_ZSTD), .path = path);
    RUN("detection, one cell",
        detection(&job, 1, 1, 5000, 20000,
                  ",\"parameters\":{\"max_detections\":[1,10,1000000]}"),
        .path = path);
    RUN("detection, 500k images",
        detection(&job, 500000, 1, 500000, 500000, all), .path = path);
    RUN("detection, 20k categories",
        detection(&job, 100, 20000, 500000, 500000, all), .path = path);
    RUN("mish, zstd both ways", vector(&job, 4600000, "");
        compress(&job, CODING_ZSTD), .path = "/v1/activations/mish");
    RUN("mish, gzip both ways", vector(&job, 4600000, "");
        compress(&job, CODING_GZIP), .path = "/v1/activations/mish");
}

/* large [stop|memory] [word]: of cases only those with the word in the name */
int main(int argc, char **argv)
{
    bool memory = argc > 1 && strcmp(argv[1], "memory") == 0;
    const char *only = argc > 2 ? argv[2] : NULL;
    measure = memory ? measure_memory : measure_stop;
    if (memory)
        printf("%-44s %9s %8s %8s %8s\n", "memory (MB)", "body", "least",
               "per byte", "reserved");
    else
        printf("%-44s %9s %4s %8s %8s %8s\n", "stopped (ms)", "body", "",
               "whole", "median", "most");
    operations(only);
    texts(only);
    detections(only);
    return 0;
}
