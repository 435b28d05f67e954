/*
 * How fast images are stored: by one client, whose every batch is a commit of
 * its own, and by many at once, whose batches share commits; and how fast they
 * are read again.
 *
 *   store [PATH|URL]   default: a file in the directory that TMPDIR names, or
 *                      /tmp; it is removed afterwards
 */
#include "server/store.h"
#include "tests/stored.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IMAGES = 5000, BATCH = 16, BYTES = 5000, CLIENTS = 8 };

static const struct api_store *calls;
static atomic_int next_batch;
static char run_id[RUN_ID_BYTES];
static struct store_image image[IMAGES];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static void *put_batches(void *context)
{
    enum store_image_fate fate[BATCH];
    struct arena mem;
    (void)context;
    arena_init(&mem, SIZE_MAX / 4);
    for (int i; (i = next_batch++ * BATCH) < IMAGES;) {
        size_t n = i + BATCH <= IMAGES ? BATCH : IMAGES - (size_t)i;
        must(calls->put_images(calls->self, run_id, image + i, n, false, fate,
                               &mem) == STORE_OK,
             "putting images");
        arena_clear(&mem, SIZE_MAX);
    }
    arena_free(&mem);
    return NULL;
}

/* Stores all images in a new run; images per second. */
static double put_all(const struct stored *s, unsigned run, size_t clients)
{
    pthread_t thread[CLIENTS];
    stored_run(s, stored_id(run, run_id));
    next_batch = 0;
    double begun = now();
    for (size_t i = 0; i < clients; i++)
        must(pthread_create(&thread[i], NULL, put_batches, NULL) == 0,
             "a thread");
    for (size_t i = 0; i < clients; i++)
        pthread_join(thread[i], NULL);
    return IMAGES / (now() - begun);
}

static int add_bytes(void *context, const struct store_image *one)
{
    size_t *sum = context;
    for (size_t i = 0; i < one->part.len; i += 64)
        *sum += (unsigned char)one->part.text[i];
    return 0;
}

static double read_all(bool by_image)
{
    size_t sum = 0;
    double begun = now();
    must(calls->each_image(calls->self, run_id, 0, by_image, add_bytes, &sum) ==
             STORE_OK,
         "reading images");
    return IMAGES / (now() - begun);
}

static void measure(struct stored *s)
{
    for (size_t clients = 1, run = 1; clients <= CLIENTS; clients *= 2, run++) {
        uint64_t before = store_stats(s->store).commits;
        double rate = put_all(s, (unsigned)run, clients);
        printf("store: %zu clients: %.0f images/s, %.1f batches a commit\n",
               clients, rate,
               (double)(IMAGES / BATCH) /
                   (double)(store_stats(s->store).commits - before));
    }
    read_all(false);
    printf("store: read by seq %.0f images/s, by image %.0f images/s\n",
           read_all(false), read_all(true));
}

int main(int argc, char **argv)
{
    struct stored s = {.dir = ""};
    struct arena mem;
    struct stat st = {.st_size = 0};
    char why[STORE_WHY_BYTES];
    const char *tmp = getenv("TMPDIR");
    snprintf(s.dir, sizeof(s.dir), "%.40s/evald-bench-XXXXXX",
             tmp ? tmp : "/tmp");
    must(mkdtemp(s.dir), "a directory");
    if (argc > 1)
        snprintf(s.where, sizeof(s.where), "%s", argv[1]);
    else
        snprintf(s.where, sizeof(s.where), "%s/runs.db", s.dir);
    s.store = store_open(
        &(struct store_options){.where = s.where, .readers = 1}, why);
    must(s.store && store_start(s.store) == 0, "opening");
    calls = s.calls = store_calls(s.store);
    arena_init(&mem, SIZE_MAX / 4);
    for (size_t i = 0; i < IMAGES; i++) /* ids are in no order */
        image[i] = stored_image((int64_t)(i * 7919 % IMAGES), 1, BYTES, &mem);
    measure(&s);
    int64_t bytes = store_stats(s.store).bytes;
    char path[sizeof(s.where)];
    snprintf(path, sizeof(path), "%s", s.where);
    store_close(s.store);
    s.store = NULL;
    if (argc == 1 && stat(path, &st) == 0)
        printf("store: a file of %.1f MB for %.1f MB\n",
               (double)st.st_size / 1e6, (double)bytes / 1e6);
    stored_remove(&s);
    arena_free(&mem);
    return EXIT_SUCCESS;
}
