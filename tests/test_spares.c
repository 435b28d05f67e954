/* Memory that is kept for the next request, and bodies on their way in. */
#include "core/random.h"
#include "server/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MEBI = 1 << 20, DRAINED = 4 * MEBI };

/* Spares on a loop of their own. */
struct stage {
    uv_loop_t loop;
    struct budget budget; /* without a limit */
    struct spares spares;
};

static void stage_init(struct stage *s)
{
    memset(s, 0, sizeof(*s));
    assert_int_equal(uv_loop_init(&s->loop), 0);
    spares_init(&s->spares, &s->loop, &s->budget);
}

static void stage_free(struct stage *s)
{
    spares_drop(&s->spares);
    assert_int_equal(s->budget.used, 0); /* all was given back */
    uv_close((uv_handle_t *)&s->spares.sweep, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

static bool will_sweep(const struct stage *s)
{
    return uv_is_active((const uv_handle_t *)&s->spares.sweep);
}

/* What a few seconds do: the timer fires once, and is set as it was. */
static void sweep(struct stage *s)
{
    uv_timer_t *timer = &s->spares.sweep;
    uint64_t usual_ms = uv_timer_get_repeat(timer);
    assert_true(will_sweep(s) && usual_ms > 1);
    uv_timer_set_repeat(timer, 1);
    uv_timer_again(timer);
    uv_timer_set_repeat(timer, usual_ms);
    while (will_sweep(s) && uv_timer_get_due_in(timer) <= 1)
        uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void pieces_are_used_again(void **state)
{
    struct stage s;
    char *piece[3];
    (void)state;
    stage_init(&s);
    for (size_t i = 0; i < 3; i++) {
        piece[i] = spares_take_piece(&s.spares);
        assert_non_null(piece[i]);
        memset(piece[i], 'a', SPARE_PIECE_BYTES);
    }
    assert_false(will_sweep(&s));
    for (size_t i = 0; i < 3; i++)
        spares_give_piece(&s.spares, piece[i]);
    for (size_t i = 3; i-- > 0;)
        assert_ptr_equal(spares_take_piece(&s.spares), piece[i]);
    assert_int_equal(s.spares.n_pieces, 0);
    for (size_t i = 0; i < 3; i++)
        spares_give_piece(&s.spares, piece[i]);
    stage_free(&s);
}

static void pieces_are_kept_up_to_their_bound(void **state)
{
    enum { MORE = SPARE_PIECES_MAX + 5 };
    static char *piece[MORE];
    struct stage s;
    (void)state;
    stage_init(&s);
    for (size_t i = 0; i < MORE; i++)
        piece[i] = spares_take_piece(&s.spares);
    for (size_t i = 0; i < MORE; i++)
        spares_give_piece(&s.spares, piece[i]);
    assert_int_equal(s.spares.n_pieces, SPARE_PIECES_MAX);
    stage_free(&s);
}

/* What was not used between two sweeps goes; what was used stays. */
static void unused_pieces_are_swept(void **state)
{
    char *piece[4];
    struct stage s;
    (void)state;
    stage_init(&s);
    for (size_t i = 0; i < 4; i++)
        piece[i] = spares_take_piece(&s.spares);
    for (size_t i = 0; i < 4; i++)
        spares_give_piece(&s.spares, piece[i]);
    sweep(&s);
    assert_int_equal(s.spares.n_pieces, 4);
    assert_ptr_equal(spares_take_piece(&s.spares), piece[3]);
    assert_ptr_equal(spares_take_piece(&s.spares), piece[2]);
    spares_give_piece(&s.spares, piece[2]);
    spares_give_piece(&s.spares, piece[3]);
    sweep(&s);
    assert_int_equal(s.spares.n_pieces, 2);
    assert_ptr_equal(s.spares.piece[0], piece[2]);
    assert_ptr_equal(s.spares.piece[1], piece[3]);
    assert_true(will_sweep(&s));
    sweep(&s);
    assert_int_equal(s.spares.n_pieces, 0);
    assert_false(will_sweep(&s));
    spares_give_piece(&s.spares, spares_take_piece(&s.spares));
    assert_true(will_sweep(&s));
    stage_free(&s);
}

/* One that has been used, so that it holds memory. */
static struct arena used_arena(struct stage *s, enum spare_size size)
{
    struct arena a = spares_take_arena(&s->spares, size);
    a.bytes_max = (size_t)64 * MEBI;
    char *p = arena_alloc(&a, MEBI / 2, 1);
    assert_non_null(p);
    memset(p, 'a', MEBI / 2);
    return a;
}

static void arenas_are_used_again_and_swept(void **state)
{
    struct stage s;
    (void)state;
    stage_init(&s);
    struct arena small = used_arena(&s, SPARE_SMALL);
    struct arena large[2] = {used_arena(&s, SPARE_LARGE),
                             used_arena(&s, SPARE_LARGE)};
    const struct arena_chunk *chunk = large[1].chunk;
    spares_give_arena(&s.spares, SPARE_LARGE, &large[0]);
    spares_give_arena(&s.spares, SPARE_LARGE, &large[1]);
    spares_give_arena(&s.spares, SPARE_SMALL, &small);
    sweep(&s);
    struct arena again = used_arena(&s, SPARE_LARGE);
    assert_ptr_equal(again.chunk, chunk);
    assert_int_equal(s.spares.n_arenas[SPARE_LARGE], 1);
    spares_give_arena(&s.spares, SPARE_LARGE, &again);
    assert_int_equal(again.bytes_used, 0);
    sweep(&s);
    assert_int_equal(s.spares.n_arenas[SPARE_SMALL], 0);
    assert_int_equal(s.spares.n_arenas[SPARE_LARGE], 1);
    assert_ptr_equal(s.spares.arena[SPARE_LARGE][0].chunk, chunk);
    sweep(&s);
    assert_int_equal(s.spares.n_arenas[SPARE_LARGE], 0);
    assert_false(will_sweep(&s));
    stage_free(&s);
}

/* The byte that is to be at a place of a body. */
static char byte_at(size_t i)
{
    return (char)('a' + i % 23 + i / 4096 % 3);
}

static int append(struct body *b, size_t n)
{
    static char bytes[MEBI];
    assert_true(n <= MEBI);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(b->bytes + i);
    return body_append(b, bytes, n);
}

static void check_bytes(const char *text, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] != byte_at(from + i))
            fail_msg("byte %zu is %d", from + i, text[i]);
}

static void whole_bodies_are_one_text(void **state)
{
    static const size_t expected[] = {0, 1, 300000, MEBI};
    uint64_t r = 2;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct budget budget = {0};
        struct body b = {
            .budget = &budget, .bytes_max = MEBI, .expected = expected[i]};
        while (b.bytes < 300000) {
            size_t n = 1 + random_next(&r) % 9000;
            assert_int_equal(
                append(&b, n < 300000 - b.bytes ? n : 300000 - b.bytes), 0);
            assert_false(body_is_full(&b));
        }
        assert_int_equal(b.len, 300000);
        assert_true(b.capacity >= expected[i]);
        if (expected[i] == 300000)
            assert_int_equal(b.capacity, 300000);
        check_bytes(b.text, 0, b.len);
        assert_int_equal(budget.used, b.capacity);
        body_clear(&b);
        assert_int_equal(budget.used, 0);
    }
}

/* Without room a body is dropped, and the rest of it drained. */
static void bodies_without_room_are_dropped(void **state)
{
    (void)state;
    for (size_t pieces = 0; pieces < 2; pieces++) {
        struct stage s;
        stage_init(&s);
        s.budget.max = MEBI;
        struct body b = {.spares = pieces ? &s.spares : NULL,
                         .budget = &s.budget,
                         .bytes_max = 64 * (size_t)MEBI};
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(append(&b, MEBI / 2), 0);
            assert_true(s.budget.used <= MEBI);
        }
        assert_true(b.starved && !b.too_large);
        assert_true(!b.text && b.n_waiting == 0);
        body_clear(&b);
        stage_free(&s);
    }
}

/* Takes what waits; *from is how much of the body was taken before. */
static void take(struct body *b, bool all, size_t *from)
{
    body_take(b, all);
    assert_int_equal(b->n_waiting, 0);
    for (size_t i = 0; i < b->n_taken; i++) {
        const struct span *piece = &b->taken[i];
        assert_true(all || piece->len == SPARE_PIECE_BYTES);
        check_bytes(piece->text, *from, piece->len);
        *from += piece->len;
    }
}

static void pieces_are_the_body_in_order(void **state)
{
    struct stage s;
    uint64_t r = 3;
    size_t from = 0;
    (void)state;
    stage_init(&s);
    struct body b = {.spares = &s.spares, .bytes_max = 64 * (size_t)MEBI};
    while (b.bytes < 20 * (size_t)MEBI) {
        assert_int_equal(append(&b, 1 + random_next(&r) % 100000), 0);
        if (b.n_taken && random_next(&r) % 40 == 0)
            body_give_back(&b);
        if (!b.n_taken && b.n_waiting)
            take(&b, false, &from);
        assert_false(body_is_full(&b));
    }
    body_give_back(&b);
    take(&b, true, &from);
    assert_int_equal(from, b.bytes);
    assert_true(!b.text && b.len == 0);
    body_give_back(&b);
    body_take(&b, true);
    assert_int_equal(b.n_taken, 0);
    assert_true(s.spares.n_pieces < 20);
    body_clear(&b);
    stage_free(&s);
}

static void too_many_pieces_are_seen_and_refused(void **state)
{
    struct stage s;
    size_t from = 0;
    (void)state;
    stage_init(&s);
    struct body b = {.spares = &s.spares, .bytes_max = 64 * (size_t)MEBI};
    while (!body_is_full(&b))
        assert_int_equal(append(&b, 10000), 0);
    assert_int_equal(b.n_waiting, PIECES_MAX - 1);
    while (b.n_waiting < PIECES_MAX || b.len < b.capacity)
        assert_int_equal(
            append(&b, b.capacity - b.len ? b.capacity - b.len : 1), 0);
    assert_false(b.starved);
    assert_int_equal(append(&b, 1), 0);
    assert_true(b.starved);
    take(&b, true, &from);
    assert_int_equal(b.n_taken, 0);
    body_clear(&b);
    stage_free(&s);
}

/* The most is taken; of a byte more all is dropped, and then drained. */
static void bodies_have_their_bound(void **state)
{
    (void)state;
    for (size_t pieces = 0; pieces < 2; pieces++) {
        struct stage s;
        stage_init(&s);
        struct body b = {.spares = pieces ? &s.spares : NULL,
                         .budget = &s.budget,
                         .bytes_max = 3 * (size_t)MEBI};
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(append(&b, MEBI), 0);
        assert_false(b.too_large);
        assert_int_equal(append(&b, 1), 0);
        assert_true(b.too_large);
        assert_true(!b.text && b.n_waiting == 0 && b.len == 0);
        while (b.bytes < b.bytes_max + DRAINED)
            assert_int_equal(append(&b, b.bytes % MEBI == 1 ? MEBI - 1 : MEBI),
                             0);
        assert_int_equal(append(&b, 1), -1);
        assert_true(!b.text && b.n_waiting == 0);
        body_take(&b, true);
        assert_int_equal(b.n_taken, 0);
        body_clear(&b);
        stage_free(&s);
    }
}

/* A body that grows too large leaves alone what somebody reads. */
static void what_is_taken_stays(void **state)
{
    struct stage s;
    size_t from = 0;
    (void)state;
    stage_init(&s);
    struct body b = {.spares = &s.spares, .bytes_max = MEBI};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(append(&b, MEBI / 2), 0);
    take(&b, false, &from);
    assert_int_equal(b.n_taken, 1);
    assert_int_equal(append(&b, 1), 0);
    assert_true(b.too_large);
    check_bytes(b.taken[0].text, 0, b.taken[0].len);
    body_give_back(&b);
    assert_int_equal(s.spares.n_pieces, 2);
    body_clear(&b);
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_used_again),
        cmocka_unit_test(pieces_are_kept_up_to_their_bound),
        cmocka_unit_test(unused_pieces_are_swept),
        cmocka_unit_test(arenas_are_used_again_and_swept),
        cmocka_unit_test(whole_bodies_are_one_text),
        cmocka_unit_test(bodies_without_room_are_dropped),
        cmocka_unit_test(pieces_are_the_body_in_order),
        cmocka_unit_test(too_many_pieces_are_seen_and_refused),
        cmocka_unit_test(bodies_have_their_bound),
        cmocka_unit_test(what_is_taken_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
