/* The arena: alignment, a budget kept to the byte, reuse, and poison. */
#include "core/arena.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
#include <sanitizer/asan_interface.h>
enum { GAP = 64 };
#else
enum { GAP = 0 };
#endif

enum { ALIGN = 64 };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a block takes of the budget. */
static size_t cost(size_t bytes)
{
    return (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
}

/* Sizes at which something rounds, or a chunk (64 KiB at first) ends. */
static const size_t sizes[] = {
    1,     2,     63,    64,    65,    100,   127,    128,     129,
    4095,  4096,  65471, 65472, 65473, 65535, 65536,  65537,   131072,
    65408, 65407, 65409, 99999, 1,     1,     262144, 1000000, 3,
};

static void blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    unsigned char *block[COUNT(sizes)];
    struct arena a;
    arena_init(&a, 1 << 24);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        block[i] = arena_alloc(&a, sizes[i], 1);
        assert_non_null(block[i]);
        if ((uintptr_t)block[i] % ALIGN != 0)
            fail_msg("%zu bytes at %p", sizes[i], (void *)block[i]);
        memset(block[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t j = 0; j < sizes[i]; j++)
            if (block[i][j] != i + 1)
                fail_msg("byte %zu of block %zu is %d", j, i, block[i][j]);
    assert_false(a.failed);
    arena_free(&a);
}

static void budget_is_spent_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct arena a;
        arena_init(&a, cost(sizes[i]));
        assert_non_null(arena_alloc(&a, 1, sizes[i]));
        assert_int_equal(a.bytes_used, cost(sizes[i]));
        assert_false(a.failed);
        assert_null(arena_alloc(&a, 1, 1));
        assert_true(a.failed);
        arena_free(&a);
        arena_init(&a, cost(sizes[i]) - 1);
        assert_null(arena_alloc(&a, sizes[i], 1));
        assert_true(a.failed);
        assert_int_equal(a.bytes_used, 0);
        arena_free(&a);
    }
}

static void small_blocks_fill_the_budget(void **state)
{
    (void)state;
    enum { BLOCKS = 3000 };
    struct arena a;
    arena_init(&a, BLOCKS * cost(24) + cost(24) - 1);
    for (int round = 0; round < 3; round++) {
        size_t n = 0;
        while (arena_alloc(&a, 3, 8))
            n++;
        assert_int_equal(n, BLOCKS);
        assert_int_equal(a.bytes_used, BLOCKS * cost(24));
        arena_clear(&a, round ? 0 : 1 << 20);
    }
    arena_free(&a);
}

/* Products that wrap round to little, or come close to it. */
static const struct {
    size_t n, size;
} overflows[] = {
    {SIZE_MAX, 2},
    {2, SIZE_MAX},
    {SIZE_MAX, SIZE_MAX},
    {SIZE_MAX / 2 + 2, 2},
    {SIZE_MAX / 8 + 2, 8},
    {(size_t)1 << 32, (size_t)1 << 32},
    {((size_t)1 << 32) + 1, (size_t)1 << 32},
    {SIZE_MAX, 1},
    {1, SIZE_MAX},
    {1, SIZE_MAX - 62},
    {1, SIZE_MAX - 63},
    {1, SIZE_MAX - 127},
    {SIZE_MAX / 2 + 1, 1},
};

static void overflow_fails(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < COUNT(overflows); i++) {
        if (arena_alloc(&a, overflows[i].n, overflows[i].size))
            fail_msg("alloc of row %zu succeeds", i);
        assert_true(a.failed);
        arena_clear(&a, 0);
        if (arena_zero(&a, overflows[i].n, overflows[i].size))
            fail_msg("zero of row %zu succeeds", i);
        assert_true(a.failed);
        assert_int_equal(a.bytes_used, 0);
        arena_clear(&a, 0);
    }
    arena_free(&a);
}

static void nothing_is_a_valid_pointer(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    assert_non_null(arena_alloc(&a, 0, 8));
    assert_non_null(arena_alloc(&a, 8, 0));
    assert_non_null(arena_alloc(&a, 0, SIZE_MAX));
    assert_non_null(arena_alloc(&a, SIZE_MAX, 0));
    assert_non_null(arena_zero(&a, 0, 0));
    assert_false(a.failed);
    arena_free(&a);
}

static void failure_lasts_until_clear(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, cost(1000));
    assert_null(arena_alloc(&a, 1, 2000));
    assert_true(a.failed);
    assert_non_null(arena_alloc(&a, 1, 10));
    assert_true(a.failed);
    arena_clear(&a, 1 << 20);
    assert_false(a.failed);
    assert_int_equal(a.bytes_used, 0);
    assert_int_equal(a.bytes_max, cost(1000));
    assert_non_null(arena_alloc(&a, 1, 1000));
    assert_false(a.failed);
    arena_free(&a);
}

static void zero_is_zero_on_used_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        if (sizes[i] > 100000)
            continue;
        unsigned char *dirty = arena_alloc(&a, sizes[i], 3);
        assert_non_null(dirty);
        memset(dirty, 0xa5, 3 * sizes[i]);
        arena_clear(&a, 1 << 20);
        unsigned char *clean = arena_zero(&a, sizes[i], 3);
        assert_non_null(clean);
        for (size_t j = 0; j < 3 * sizes[i]; j++)
            if (clean[j] != 0)
                fail_msg("byte %zu of %zu is %d", j, sizes[i], clean[j]);
        arena_clear(&a, 1 << 20);
    }
    arena_free(&a);
}

static void memory_is_used_again(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    void *first = arena_alloc(&a, 1, 1000);
    for (int i = 0; i < 100; i++) {
        arena_clear(&a, 1 << 20);
        assert_ptr_equal(arena_alloc(&a, 1, 1000), first);
    }
    arena_clear(&a, 0);
    assert_null(a.chunk);
    arena_free(&a);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/*
 * Seven chunks, 64 KiB to 4 MiB, of which the largest that fits should stay.
 * Sanitizers have a heap of their own: there nothing is seen of it.
 */
static void clear_keeps_at_most_keep(void **state)
{
    (void)state;
    enum { SLACK = 3 * 4096, BLOCK = 10000, BLOCKS = 600 };
    static const size_t keeps[] = {0,      1,      65535,   65536,       65600,
                                   200000, 300000, 1 << 20, 3000000000U, 0};
    struct arena a;
    arena_init(&a, 1 << 24);
    size_t before = heap_bytes();
    for (size_t i = 0; i < COUNT(keeps); i++) {
        for (size_t j = 0; j < BLOCKS; j++)
            assert_non_null(arena_alloc(&a, BLOCK, 1));
        arena_clear(&a, keeps[i]);
        size_t held = heap_bytes() - before;
        if (held > keeps[i] + SLACK)
            fail_msg("%zu bytes held, %zu to keep", held, keeps[i]);
        if (keeps[i] < 65536 ? a.chunk != NULL
                             : keeps[i] > 70000 && a.chunk == NULL)
            fail_msg("wrong chunk kept of %zu bytes", keeps[i]);
    }
    arena_free(&a);
    assert_null(a.chunk);
    assert_true(heap_bytes() <= before + SLACK);
}

static void many_chunks_hold_what_was_written(void **state)
{
    (void)state;
    enum { BLOCKS = 5000 };
    struct arena a;
    uint64_t **block;
    arena_init(&a, (size_t)1 << 26);
    block = arena_alloc(&a, BLOCKS, sizeof(*block));
    assert_non_null(block);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t n = 1 + i * 7919 % 1000;
        block[i] = arena_alloc(&a, n, sizeof(uint64_t));
        assert_non_null(block[i]);
        for (size_t j = 0; j < n; j++)
            block[i][j] = i << 32 | j;
    }
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < 1 + i * 7919 % 1000; j++)
            if (block[i][j] != (i << 32 | j))
                fail_msg("item %zu of block %zu was overwritten", j, i);
    arena_free(&a);
}

static void freed_arena_starts_again(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    arena_free(&a);
    arena_clear(&a, 100);
    assert_non_null(arena_alloc(&a, 1, 100));
    arena_free(&a);
    arena_free(&a);
    assert_null(a.chunk);
    assert_non_null(arena_zero(&a, 1, 100));
    arena_free(&a);
}

#ifdef POISONS
static void only_what_is_handed_out_is_readable(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *p = arena_alloc(&a, 100, 1), *q = arena_alloc(&a, 1, 64);
    char *none = arena_alloc(&a, 0, 1);
    assert_null(__asan_region_is_poisoned(p, 100));
    assert_null(__asan_region_is_poisoned(q, 64));
    assert_true(__asan_address_is_poisoned(p + 100));
    assert_true(__asan_address_is_poisoned(q + 64));
    assert_true(__asan_address_is_poisoned(q - 1));
    assert_true(__asan_address_is_poisoned(none));
    arena_clear(&a, 1 << 20);
    assert_non_null(a.chunk);
    for (size_t i = 0; i < 100; i++)
        assert_true(__asan_address_is_poisoned(p + i));
    assert_true(__asan_address_is_poisoned(q));
    assert_ptr_equal(arena_alloc(&a, 50, 1), p);
    assert_false(__asan_address_is_poisoned(p + 49));
    assert_true(__asan_address_is_poisoned(p + 50));
    arena_free(&a);
    assert_true(__asan_address_is_poisoned(p));
}
#endif

/* What is held is paid, and nothing else but a reservation. */
static void check_paid(const struct arena *a, size_t reserved)
{
    size_t wanted = a->held > reserved ? a->held : reserved;
    assert_int_equal(a->paid, wanted);
    assert_int_equal(a->budget->used, wanted);
}

static void chunks_are_paid_for(void **state)
{
    (void)state;
    struct budget b = {.max = 1 << 20};
    struct arena a;
    arena_init(&a, SIZE_MAX / 4);
    a.budget = &b;
    assert_non_null(arena_alloc(&a, 1000, 1));
    assert_true(a.held > 1 << 16); /* the first chunk, and its head */
    check_paid(&a, 0);
    struct arena_mark mark = arena_mark(&a);
    assert_non_null(arena_alloc(&a, 300000, 1));
    assert_true(a.held > 360000);
    check_paid(&a, 0);
    arena_release(&a, mark);
    assert_true(a.held < 100000);
    check_paid(&a, 0);
    arena_clear(&a, 0);
    assert_int_equal(a.held, 0);
    check_paid(&a, 0);
    assert_ptr_equal(a.budget, &b);
    assert_non_null(arena_alloc(&a, 200000, 1));
    arena_clear(&a, 1 << 18);
    assert_true(a.held > 200000);
    check_paid(&a, 0);
    arena_free(&a);
    assert_int_equal(b.used, 0);
}

/* Refused is only what does not fit, however large a chunk might have been. */
static void budget_refuses(void **state)
{
    (void)state;
    struct budget b = {.max = 1 << 20};
    struct arena a, other;
    arena_init(&a, SIZE_MAX / 4);
    arena_init(&other, SIZE_MAX / 4);
    a.budget = other.budget = &b;
    assert_non_null(arena_alloc(&other, 1 << 18, 1));
    assert_null(arena_alloc(&a, 1 << 20, 1));
    assert_true(a.failed && !a.starved); /* nor would it if it were alone */
    a.failed = false;
    a.beside = 1 << 18;
    assert_null(arena_alloc(&a, (1 << 20) - (1 << 17), 1));
    assert_true(a.failed && !a.starved); /* its owner has a part beside */
    a.beside = 0;
    assert_null(arena_alloc(&a, (1 << 20) - (1 << 17), 1));
    assert_true(a.failed && a.starved);
    assert_non_null(arena_alloc(&a, 1 << 18, 1));
    size_t left = b.max - b.used;
    assert_non_null(arena_alloc(&a, left - 1024, 1));
    assert_null(arena_alloc(&a, 2048, 1));
    assert_true(a.starved);
    arena_clear(&a, 0);
    assert_false(a.starved || a.failed);
    arena_init(&a, 100);
    a.budget = &b;
    assert_null(arena_alloc(&a, 101, 1));
    assert_true(a.failed && !a.starved); /* its own limit is at fault */
    arena_free(&other);
    assert_int_equal(b.used, 0);
}

static void reservations_are_used_first(void **state)
{
    (void)state;
    enum { RESERVED = 1 << 20 };
    struct budget b = {.max = 3 << 19};
    struct arena a;
    arena_init(&a, SIZE_MAX / 4);
    assert_true(arena_prepay(&a, RESERVED)); /* nothing to pay from */
    a.budget = &b;
    assert_false(arena_prepay(&a, b.max + 1));
    check_paid(&a, 0);
    assert_true(arena_prepay(&a, RESERVED));
    assert_true(arena_prepay(&a, RESERVED / 2));
    check_paid(&a, RESERVED);
    struct arena_mark mark = arena_mark(&a);
    arena_reserve(&a, 4 * RESERVED); /* no more than is paid */
    check_paid(&a, RESERVED);
    assert_true(a.held > RESERVED / 10 * 9);
    arena_release(&a, mark);
    check_paid(&a, RESERVED);
    for (size_t i = 0; i < 15; i++)
        assert_non_null(arena_alloc(&a, 60000, 1));
    check_paid(&a, RESERVED);
    assert_non_null(arena_alloc(&a, 400000, 1));
    assert_true(a.held > RESERVED);
    check_paid(&a, RESERVED);
    arena_release(&a, mark);
    assert_int_equal(a.held, 0);
    check_paid(&a, RESERVED);
    arena_clear(&a, 0);
    check_paid(&a, 0);
    arena_free(&a);
}

/* What a child holds is paid for as its parent's, reservation included. */
static void parents_pay(void **state)
{
    (void)state;
    enum { RESERVED = 1 << 18 };
    struct budget b = {.max = RESERVED};
    struct arena a, child;
    arena_init(&a, SIZE_MAX / 4);
    arena_init(&child, SIZE_MAX / 4);
    a.budget = &b;
    child.parent = &a;
    assert_true(arena_prepay(&a, RESERVED));
    assert_non_null(arena_alloc(&child, 100000, 1));
    assert_true(a.held > 100000);
    check_paid(&a, RESERVED);
    assert_null(arena_alloc(&child, 200000, 1));
    assert_true(child.failed && !child.starved);
    arena_clear(&child, 0);
    assert_int_equal(a.held, 0);
    check_paid(&a, RESERVED);
    assert_non_null(arena_alloc(&child, 200000, 1));
    arena_free(&child);
    assert_int_equal(a.held, 0);
    arena_free(&a);
    assert_int_equal(b.used, 0);
    assert_true(budget_take(&b, 100000)); /* somebody else */
    assert_false(budget_is_crowded(&b));
    assert_null(arena_alloc(&child, 200000, 1));
    assert_true(child.starved && a.starved);
    assert_true(budget_take(&b, 100000));
    assert_true(budget_is_crowded(&b));
    budget_give(&b, 200000);
    arena_free(&child);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(budget_is_spent_to_the_byte),
        cmocka_unit_test(small_blocks_fill_the_budget),
        cmocka_unit_test(overflow_fails),
        cmocka_unit_test(nothing_is_a_valid_pointer),
        cmocka_unit_test(failure_lasts_until_clear),
        cmocka_unit_test(zero_is_zero_on_used_memory),
        cmocka_unit_test(memory_is_used_again),
        cmocka_unit_test(clear_keeps_at_most_keep),
        cmocka_unit_test(many_chunks_hold_what_was_written),
        cmocka_unit_test(freed_arena_starts_again),
        cmocka_unit_test(chunks_are_paid_for),
        cmocka_unit_test(budget_refuses),
        cmocka_unit_test(reservations_are_used_first),
        cmocka_unit_test(parents_pay),
#ifdef POISONS
        cmocka_unit_test(only_what_is_handed_out_is_readable),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
