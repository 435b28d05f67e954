/* What requests leave for later ones: who has it, and when it goes. */
#include "server/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES_MAX = 8 << 20, THREADS = 8, ROUNDS = 2000, KEYS = 5 };

static struct cache_entry *hold(struct cache *cache, const char *key,
                                bool alone)
{
    const struct api_cache *calls = cache_calls(cache);
    return calls->hold(calls->self, key, alone, NULL);
}

static void release(struct cache *cache, struct cache_entry *e, bool drop)
{
    const struct api_cache *calls = cache_calls(cache);
    calls->release(calls->self, e, drop);
}

static void fill(struct cache_entry *e, size_t n)
{
    e->value = arena_alloc(&e->mem, n, 1);
    assert_non_null(e->value);
    memset(e->value, 1, n);
}

static void test_what_is_left_is_found(void **state)
{
    struct cache *cache = cache_new(BYTES_MAX);
    (void)state;
    struct cache_entry *e = hold(cache, "a", false);
    assert_null(e->value);
    fill(e, 100);
    void *value = e->value;
    release(cache, e, false);
    e = hold(cache, "b", false);
    assert_null(e->value);
    release(cache, e, false);
    e = hold(cache, "a", true);
    assert_ptr_equal(e->value, value);
    release(cache, e, true);
    e = hold(cache, "a", false);
    assert_null(e->value); /* it was dropped */
    release(cache, e, false);
    struct cache_stats stats = cache_stats(cache);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.entries, 2);
    cache_free(cache);
}

static void test_readers_share(void **state)
{
    struct cache *cache = cache_new(BYTES_MAX);
    (void)state;
    struct cache_entry *e = hold(cache, "a", true);
    fill(e, 1);
    release(cache, e, false);
    struct cache_entry *one = hold(cache, "a", false);
    struct cache_entry *two = hold(cache, "a", false);
    assert_ptr_equal(one, two);
    /* nobody may change it meanwhile: who waits goes when it is stopped */
    atomic_bool stop = true;
    const struct api_cache *calls = cache_calls(cache);
    assert_null(calls->hold(calls->self, "a", true, &stop));
    release(cache, one, false);
    release(cache, two, false);
    e = hold(cache, "a", true);
    assert_ptr_equal(e, one);
    assert_null(calls->hold(calls->self, "a", false, &stop));
    release(cache, e, false);
    cache_free(cache);
}

/* The longest unused goes first, and nothing that somebody has. */
static void test_room_is_made(void **state)
{
    struct cache *cache = cache_new(BYTES_MAX);
    (void)state;
    struct cache_entry *used = hold(cache, "used", false);
    fill(used, BYTES_MAX / 4);
    struct cache_entry *e = hold(cache, "old", false);
    fill(e, BYTES_MAX / 8);
    release(cache, e, false);
    e = hold(cache, "new", false);
    fill(e, BYTES_MAX / 4);
    release(cache, e, false);
    release(cache, hold(cache, "another", false), false);
    e = hold(cache, "old", false);
    assert_null(e->value);
    release(cache, e, false);
    assert_true(cache_stats(cache).evictions >= 1);
    assert_int_equal(((char *)used->value)[BYTES_MAX / 4 - 1], 1);
    release(cache, used, false);
    cache_free(cache);
}

/* Who fails for want of room drops the entry, and that makes some. */
static void test_dropping_makes_room(void **state)
{
    struct cache *cache = cache_new(BYTES_MAX);
    (void)state;
    struct cache_entry *e = hold(cache, "a", false);
    fill(e, BYTES_MAX - (BYTES_MAX >> 3));
    struct cache_entry *other = hold(cache, "b", false);
    assert_null(arena_alloc(&other->mem, BYTES_MAX / 2, 1));
    release(cache, e, false);
    release(cache, other, true);
    other = hold(cache, "b", false);
    fill(other, BYTES_MAX / 2);
    release(cache, other, false);
    cache_free(cache);
}

/* A counter that is only ever changed by one at a time. */
struct counter {
    long n, twice; /* always 2 n */
};

static atomic_long added;

static void *count(void *context)
{
    struct cache *cache = context;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int i = 0; i < ROUNDS; i++) {
        char key[2] = {(char)('a' + rand_r(&seed) % KEYS), '\0'};
        bool alone = rand_r(&seed) % 2;
        struct cache_entry *e = hold(cache, key, alone);
        if (!e->value) {
            e->value = arena_zero(&e->mem, 1, sizeof(struct counter));
            alone = true;
        }
        struct counter *c = e->value;
        if (c->twice != 2 * c->n)
            atomic_fetch_add(&added, ROUNDS * THREADS); /* never right again */
        if (alone) {
            c->n++;
            c->twice = 2 * c->n;
            atomic_fetch_add(&added, 1);
        }
        release(cache, e, false);
    }
    return NULL;
}

static void test_threads_take_turns(void **state)
{
    struct cache *cache = cache_new(BYTES_MAX);
    pthread_t thread[THREADS];
    long sum = 0;
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count, cache), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (char key[2] = "a"; key[0] < 'a' + KEYS; key[0]++) {
        struct cache_entry *e = hold(cache, key, false);
        sum += ((struct counter *)e->value)->n;
        release(cache, e, false);
    }
    assert_int_equal(sum, atomic_load(&added));
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_is_found),
        cmocka_unit_test(test_readers_share),
        cmocka_unit_test(test_room_is_made),
        cmocka_unit_test(test_dropping_makes_room),
        cmocka_unit_test(test_threads_take_turns),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
