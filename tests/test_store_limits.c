/* Quotas, full disks, and what goes in the end. */
#include "api/run.h"
#include "server/store_inner.h"

#include "tests/stored.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CALL(name, ...) the.calls->name(the.calls->self, __VA_ARGS__)

enum { MANY = 600, WAIT_ROUNDS = 1000 };

static struct stored the;
static struct arena mem;
static char one[RUN_ID_BYTES], two[RUN_ID_BYTES];

static void make(const struct store_options *o)
{
    arena_init(&mem, SIZE_MAX / 4);
    stored_make_with(&the, o);
    stored_run(&the, stored_id(1, one));
    stored_run(&the, stored_id(2, two));
}

static int unmake(void **state)
{
    (void)state;
    stored_remove(&the);
    arena_free(&mem);
    return 0;
}

static enum store_status put(const char *run, int64_t id, uint64_t version,
                             size_t bytes, bool replace)
{
    enum store_image_fate fate[1];
    struct store_image image = stored_image(id, version, bytes, &mem);
    return CALL(put_images, run, &image, 1, replace, fate, &mem);
}

static int64_t images_of(const char *run)
{
    struct store_run r;
    assert_int_equal(CALL(get_run, run, &r, &mem), STORE_OK);
    return r.images;
}

static void is_sound(void)
{
    char why[STORE_WHY_BYTES];
    if (store_check(the.store, why))
        fail_msg("%s", why);
}

static void a_run_has_its_limit(void **state)
{
    (void)state;
    make(&(struct store_options){.readers = 1, .run_bytes_max = 1000});
    assert_int_equal(put(one, 1, 1, 600, false), STORE_OK);
    assert_int_equal(put(one, 2, 1, 401, false), STORE_FULL);
    assert_string_equal(
        the.calls->why(the.calls->self),
        "the run holds 600 bytes, and 401 more are beyond --run-max");
    assert_int_equal(put(one, 1, 2, 1001, true), STORE_FULL);
    assert_int_equal(images_of(one), 1);
    assert_int_equal(put(one, 1, 1, 600, false), STORE_OK);
    assert_int_equal(put(one, 2, 1, 400, false), STORE_OK);
    assert_int_equal(put(two, 1, 1, 1000, false), STORE_OK);
    assert_int_equal(put(one, 3, 1, 0, false), STORE_OK);
    assert_int_equal(put(one, 1, 3, 600, true), STORE_OK);
    assert_int_equal(put(one, 1, 4, 500, true), STORE_OK);
    is_sound();
}

static void all_has_its_limit(void **state)
{
    bool created, same;
    (void)state;
    make(&(struct store_options){.readers = 1, .bytes_max = 1000});
    struct store_dataset d = {
        .name = "e",
        .sha256 =
            "e000000000000000000000000000000000000000000000000000000000000001"};
    struct span content = {"12345678901", 11};
    const struct etag_condition always = {NULL, NULL};
    assert_int_equal(put(one, 1, 1, 589, false), STORE_OK);
    assert_int_equal(put(two, 1, 1, 400, false), STORE_OK);
    assert_int_equal(store_stats(the.store).bytes, 990); /* 1 of the dataset */
    assert_int_equal(
        CALL(put_dataset, &d, content, false, &always, &created, &same),
        STORE_FULL);
    assert_string_equal(
        the.calls->why(the.calls->self),
        "the store holds 990 bytes, and 11 more are beyond --store-max");
    assert_int_equal(CALL(get_dataset, "e", &d, &mem), STORE_MISSING);
    assert_int_equal(put(two, 2, 1, 11, false), STORE_FULL);
    assert_int_equal(put(two, 2, 1, 10, false), STORE_OK);
    stored_reopen(&the);
    assert_int_equal(put(two, 3, 1, 1, false), STORE_FULL);
    assert_int_equal(put(two, 1, 2, 399, true), STORE_OK);
    assert_int_equal(put(two, 3, 1, 1, false), STORE_OK);
    is_sound();
}

/* Until the writer has done what it does by and by. */
static void wait_for_bytes(int64_t bytes)
{
    for (size_t i = 0; i < WAIT_ROUNDS; i++) {
        if (store_stats(the.store).bytes == bytes)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        char id[RUN_ID_BYTES];
        (void)CALL(update_run, stored_id(9, id), NULL, NULL, NULL);
    }
    fail_msg("%lld bytes", (long long)store_stats(the.store).bytes);
}

static void put_many(const char *run)
{
    static struct store_image image[MANY];
    static enum store_image_fate fate[MANY];
    for (int64_t i = 0; i < MANY; i++)
        image[i] = stored_image(i, 1, 10, &mem);
    assert_int_equal(CALL(put_images, run, image, MANY, false, fate, &mem),
                     STORE_OK);
}

static void a_run_that_is_deleted_gives_back_its_room(void **state)
{
    (void)state;
    make(&(struct store_options){.readers = 2});
    put_many(one);
    assert_int_equal(put(two, 1, 1, 5, false), STORE_OK);
    assert_int_equal(CALL(delete_run, one), STORE_OK);
    struct store_run r;
    assert_int_equal(CALL(get_run, one, &r, &mem), STORE_MISSING);
    assert_int_equal(put(one, 1, 1, 1, false), STORE_MISSING);
    stored_run(&the, one); /* again, with nothing of the one before */
    assert_int_equal(images_of(one), 0);
    wait_for_bytes(6);
    assert_int_equal(images_of(two), 1);
    is_sound();
}

/* What was left to be deleted when the daemon ended. */
static void trash_is_found_again(void **state)
{
    char why[STORE_WHY_BYTES];
    (void)state;
    make(&(struct store_options){.readers = 2});
    put_many(one);
    assert_int_equal(CALL(delete_run, one), STORE_OK);
    stored_reopen(&the);
    wait_for_bytes(1);
    put_many(two);
    assert_int_equal(CALL(delete_run, two), STORE_OK);
    store_close(the.store);
    the.store = store_open(
        &(struct store_options){.where = the.where, .readers = 1}, why);
    assert_int_equal(store_vacuum(the.store, why), 0);
    is_sound();
    stored_reopen(&the);
    wait_for_bytes(1);
}

static void untouched_runs_go(void **state)
{
    struct store_run r;
    (void)state;
    make(&(struct store_options){.readers = 2, .keep_ms = 300});
    char recent[RUN_ID_BYTES];
    run_id_first(recent, store_now_ms());
    stored_run(&the, recent);
    put_many(one);
    for (size_t i = 0; i < WAIT_ROUNDS; i++) {
        assert_int_equal(CALL(update_run, two, "touched", NULL, NULL),
                         STORE_OK);
        if (CALL(get_run, one, &r, &mem) == STORE_MISSING)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_int_equal(CALL(get_run, one, &r, &mem), STORE_MISSING);
    assert_int_equal(CALL(get_run, recent, &r, &mem), STORE_MISSING);
    assert_int_equal(CALL(get_run, two, &r, &mem), STORE_OK);
    wait_for_bytes(1);
}

static void kept_runs_stay(void **state)
{
    (void)state;
    make(&(struct store_options){.readers = 2, .keep_ms = 60000});
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    assert_int_equal(images_of(one), 0);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_told_and_survived(void **state)
{
    enum store_status status = STORE_OK;
    int64_t n = 0;
    (void)state;
    make(&(struct store_options){.readers = 2});
    if (!stored_in_file(&the))
        skip();
    signal(SIGXFSZ, SIG_IGN);
    limit_files(4000000);
    for (; n < 1000 && status == STORE_OK; n++)
        status = put(one, n, 1, 5000, false);
    bool told = *the.calls->why(the.calls->self);
    bool kept = put(two, 1, 1, 100000, false) == STORE_FULL;
    int64_t images = images_of(one);
    limit_files(RLIM_INFINITY);
    assert_int_equal(status, STORE_FULL);
    assert_true(told && kept);
    assert_true(n > 20);
    assert_int_equal(images, n - 1);
    assert_int_equal(images_of(two), 0);
    is_sound();
    assert_int_equal(put(one, n - 1, 1, 5000, false), STORE_OK);
    assert_int_equal(put(two, 1, 1, 100000, false), STORE_OK);
    stored_reopen(&the);
    assert_int_equal(images_of(one), n);
    is_sound();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, unmake)
    const struct CMUnitTest tests[] = {
        TEST(a_run_has_its_limit),
        TEST(all_has_its_limit),
        TEST(a_run_that_is_deleted_gives_back_its_room),
        TEST(trash_is_found_again),
        TEST(untouched_runs_go),
        TEST(kept_runs_stay),
        TEST(a_full_disk_is_told_and_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
