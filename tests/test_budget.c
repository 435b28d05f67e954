/* The budget that requests share: never above its limit, nothing lost. */
#include "core/arena.h"
#include "core/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 20000, MAX = 1000, ARENA_ROUNDS = 400 };

static void takes_up_to_the_limit(void **state)
{
    (void)state;
    struct budget b = {.max = 100};
    assert_true(budget_take(&b, 60));
    assert_false(budget_take(&b, 41));
    assert_int_equal(b.used, 60);
    assert_false(budget_take(&b, SIZE_MAX));
    assert_true(budget_take(&b, 40));
    assert_false(budget_take(&b, 1));
    assert_true(budget_take(&b, 0));
    budget_give(&b, 30);
    assert_true(budget_take(&b, 30));
    budget_give(&b, 100);
    assert_int_equal(b.used, 0);
}

static void without_limit_it_counts(void **state)
{
    (void)state;
    struct budget b = {.max = 0};
    assert_true(budget_take(&b, SIZE_MAX / 2));
    assert_int_equal(b.used, SIZE_MAX / 2);
    assert_true(budget_take(&b, SIZE_MAX / 2));
    assert_false(budget_take(&b, 2)); /* it cannot be counted */
    budget_give(&b, SIZE_MAX / 2);
    budget_give(&b, SIZE_MAX / 2);
    assert_int_equal(b.used, 0);
}

struct crowd {
    struct budget budget;
    atomic_size_t taken; /* what all threads say they have */
    atomic_size_t most, refused;
    atomic_uint started;
};

static void note(struct crowd *c, size_t now)
{
    size_t most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
}

/* Whoever has taken adds to taken, and whoever gives takes away before. */
static void *take_and_give(void *arg)
{
    struct crowd *c = arg;
    uint64_t random = atomic_fetch_add(&c->started, 1);
    while (atomic_load(&c->started) < THREADS)
        ;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t n = (size_t)(random_next(&random) % (MAX / 2 + 2));
        if (!budget_take(&c->budget, n)) {
            atomic_fetch_add(&c->refused, 1);
            continue;
        }
        note(c, atomic_fetch_add(&c->taken, n) + n);
        atomic_fetch_sub(&c->taken, n);
        budget_give(&c->budget, n / 2);
        budget_give(&c->budget, n - n / 2);
    }
    return NULL;
}

static void run_crowd(struct crowd *c, void *(*work)(void *))
{
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, c), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

static void threads_never_exceed_it(void **state)
{
    (void)state;
    struct crowd c = {.budget = {.max = MAX}};
    run_crowd(&c, take_and_give);
    assert_true(c.most <= MAX);
    assert_int_equal(c.budget.used, 0);
    assert_int_equal(c.taken, 0);
}

/* Requests of any sizes, each with a reservation or without. */
static void *serve(void *arg)
{
    struct crowd *c = arg;
    uint64_t random = atomic_fetch_add(&c->started, 1);
    struct arena a;
    arena_init(&a, SIZE_MAX / 4);
    a.budget = &c->budget;
    for (size_t i = 0; i < ARENA_ROUNDS; i++) {
        size_t want = (size_t)(random_next(&random) % (1 << 21));
        if (i % 2 && !arena_prepay(&a, want))
            atomic_fetch_add(&c->refused, 1);
        struct arena_mark mark = arena_mark(&a);
        for (size_t n = 0; n < 8; n++) {
            char *p = arena_alloc(&a, want / 8 + 1, 1);
            if (p)
                *p = 1;
            else
                atomic_fetch_add(&c->refused, 1);
            if (n == 4)
                arena_release(&a, mark);
        }
        note(c, atomic_load(&c->budget.used));
        arena_clear(&a, i % 3 ? 1 << 20 : 0);
    }
    arena_free(&a);
    return NULL;
}

static void arenas_share_it(void **state)
{
    (void)state;
    struct crowd c = {.budget = {.max = 3 << 20}};
    run_crowd(&c, serve);
    assert_true(c.most <= c.budget.max);
    assert_true(c.refused > 0);
    assert_int_equal(c.budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_up_to_the_limit),
        cmocka_unit_test(without_limit_it_counts),
        cmocka_unit_test(threads_never_exceed_it),
        cmocka_unit_test(arenas_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
