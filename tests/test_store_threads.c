/*
 * Many threads at one store, and on a database that is shared at two: whatever
 * they send, and in what order, what is there in the end adds up.
 */
#include "tests/stored.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    THREADS = 8,
    RUNS = 3,
    IMAGES = 60,
    PUTS = 60,
    BATCH = 8,
    VERSIONS = THREADS * PUTS + 2
};

/* What clients were told of one run. */
struct told {
    atomic_int added, replaced;
};

static struct stored the;
static struct store *second;
static const struct api_store *doors[2];
static struct told told[RUNS];
static atomic_bool taken[VERSIONS]; /* whether a put was accepted */
static atomic_int wrong, conflicts, repeats;

/* Who brought an image is its digest; its part begins with it. */
static struct store_image image_of(int64_t id, uint32_t version,
                                   struct arena *mem)
{
    size_t bytes = 8 + version % 5000;
    struct store_image image = stored_image(id, version, bytes, mem);
    memset(image.digest, 0, IMAGE_DIGEST_BYTES);
    memcpy(image.digest, &version, sizeof(version));
    return image;
}

static void count(struct told *t, const enum store_image_fate *fate, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fate[i] == IMAGE_ADDED)
            t->added++;
        else if (fate[i] == IMAGE_REPLACED)
            t->replaced++;
        else if (fate[i] == IMAGE_REPEATED)
            repeats++;
        else
            wrong++;
    }
}

/* Distinct images of a batch, of one version. */
static size_t fill_batch(struct store_image *batch, uint32_t version,
                         unsigned *seed, struct arena *mem)
{
    bool in[IMAGES] = {false};
    size_t n = 0, most = 1 + (size_t)rand_r(seed) % BATCH;
    for (size_t i = 0; i < most; i++) {
        size_t id = (size_t)rand_r(seed) % IMAGES;
        if (!in[id])
            batch[n++] = image_of((int64_t)id, version, mem);
        in[id] = true;
    }
    return n;
}

/* One batch, some twice; some replace, some are the first's very images. */
static void put_one(uint32_t thread, uint32_t k, unsigned *seed,
                    struct arena *mem)
{
    struct store_image batch[BATCH];
    enum store_image_fate fate[BATCH];
    char id[RUN_ID_BYTES];
    const struct api_store *calls = doors[thread % 2];
    bool common = rand_r(seed) % 3 == 0, replace = rand_r(seed) % 3 == 0;
    uint32_t version = common ? 0 : 1 + thread * PUTS + k;
    unsigned run = (unsigned)rand_r(seed) % RUNS;
    size_t n = fill_batch(batch, version, seed, mem);
    for (int again = rand_r(seed) % 2; again >= 0; again--) {
        enum store_status status = calls->put_images(
            calls->self, stored_id(run, id), batch, n, replace, fate, mem);
        if (status == STORE_OK) {
            taken[version] = true;
            count(&told[run], fate, n);
        } else if (status == STORE_CONFLICT && !replace) {
            conflicts++;
        } else {
            wrong++;
        }
    }
}

static void *put_many(void *context)
{
    uint32_t thread = *(uint32_t *)context;
    unsigned seed = thread * 17 + 3;
    struct arena mem;
    arena_init(&mem, SIZE_MAX / 4);
    for (uint32_t k = 0; k < PUTS; k++) {
        put_one(thread, k, &seed, &mem);
        arena_clear(&mem, SIZE_MAX);
    }
    arena_free(&mem);
    return NULL;
}

struct sums {
    int64_t images, detections, bytes, seq;
    bool numbered[THREADS * PUTS * BATCH * 4];
};

static int add_up(void *context, const struct store_image *image)
{
    struct sums *sums = context;
    struct arena mem;
    uint32_t version;
    memcpy(&version, image->digest, sizeof(version));
    assert_true(version < VERSIONS && taken[version]);
    arena_init(&mem, SIZE_MAX / 4);
    struct store_image want = image_of(image->image, version, &mem);
    assert_int_equal(image->part.len, want.part.len);
    assert_memory_equal(image->part.text, want.part.text, want.part.len);
    assert_int_equal(image->detections, want.detections);
    arena_free(&mem);
    assert_true(image->seq > sums->seq);
    sums->seq = image->seq;
    sums->images++;
    sums->detections += image->detections;
    sums->bytes += (int64_t)image->part.len;
    return 0;
}

static int64_t run_adds_up(unsigned run)
{
    static struct sums sums;
    struct store_run r;
    struct arena mem;
    char id[RUN_ID_BYTES];
    sums = (struct sums){.images = 0};
    arena_init(&mem, SIZE_MAX / 4);
    assert_int_equal(
        the.calls->get_run(the.calls->self, stored_id(run, id), &r, &mem),
        STORE_OK);
    assert_int_equal(
        the.calls->each_image(the.calls->self, id, 0, false, add_up, &sums),
        STORE_OK);
    assert_int_equal(r.images, sums.images);
    assert_int_equal(r.images, told[run].added);
    assert_int_equal(r.replaced, told[run].replaced);
    assert_int_equal(r.seq, r.images + r.replaced);
    assert_true(sums.seq == r.seq);
    assert_int_equal(r.detections, sums.detections);
    assert_int_equal(r.bytes, sums.bytes);
    arena_free(&mem);
    return r.bytes;
}

static void whatever_threads_send_adds_up(void **state)
{
    pthread_t thread[THREADS];
    uint32_t number[THREADS];
    char id[RUN_ID_BYTES], why[STORE_WHY_BYTES] = "";
    (void)state;
    stored_make(&the);
    doors[0] = doors[1] = the.calls;
    if (!stored_in_file(&the)) {
        second = store_open(
            &(struct store_options){.where = the.where, .readers = 2}, why);
        assert_non_null(second);
        assert_int_equal(store_start(second), 0);
        doors[1] = store_calls(second);
    }
    for (unsigned run = 0; run < RUNS; run++)
        stored_run(&the, stored_id(run, id));
    for (uint32_t i = 0; i < THREADS; i++) {
        number[i] = i;
        assert_int_equal(pthread_create(&thread[i], NULL, put_many, &number[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(conflicts > 0 && repeats > 0);
    store_close(second);
    stored_reopen(&the);
    int64_t bytes = 1; /* of the dataset */
    for (unsigned run = 0; run < RUNS; run++)
        bytes += run_adds_up(run);
    assert_int_equal(store_stats(the.store).bytes, bytes);
    if (store_check(the.store, why))
        fail_msg("%s", why);
    stored_remove(&the);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_threads_send_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
