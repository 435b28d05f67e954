#include "server/spares.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 4000 };
static const size_t BYTES_KEPT[SPARE_SIZES] = {
    [SPARE_SMALL] = (size_t)1 << 20,
    [SPARE_LARGE] = (size_t)1 << 30,
    [SPARE_VITAL] = (size_t)1 << 20,
};
static const size_t ARENAS_KEPT[SPARE_SIZES] = {
    [SPARE_SMALL] = SPARE_ARENAS_MAX,
    [SPARE_LARGE] = 4,
    [SPARE_VITAL] = 4,
};

/* Frees the arenas that lay at the bottom of the stack since the last time. */
static void sweep_arenas(struct spares *s, size_t size)
{
    struct arena *arena = s->arena[size];
    size_t unused = s->arenas_unused[size];
    for (size_t i = 0; i < unused; i++)
        arena_free(&arena[i]);
    s->n_arenas[size] -= unused;
    memmove(arena, arena + unused, s->n_arenas[size] * sizeof(*arena));
    s->arenas_unused[size] = s->n_arenas[size];
}

static char *piece_new(struct spares *s)
{
    if (!budget_take(s->budget, SPARE_PIECE_BYTES))
        return NULL;
    char *piece = malloc(SPARE_PIECE_BYTES);
    if (!piece)
        budget_give(s->budget, SPARE_PIECE_BYTES);
    return piece;
}

static void piece_free(struct spares *s, char *piece)
{
    free(piece);
    budget_give(s->budget, SPARE_PIECE_BYTES);
}

static void sweep_pieces(struct spares *s)
{
    for (size_t i = 0; i < s->pieces_unused; i++)
        piece_free(s, s->piece[i]);
    s->n_pieces -= s->pieces_unused;
    memmove(s->piece, s->piece + s->pieces_unused,
            s->n_pieces * sizeof(s->piece[0]));
    s->pieces_unused = s->n_pieces;
}

/*
 * The allocator keeps tens of MiB of what it was given back.  When large
 * requests have not come for a while the system gets it.
 */
static void on_sweep(uv_timer_t *sweep)
{
    struct spares *s = sweep->data;
    bool large = s->arenas_unused[SPARE_LARGE] + s->pieces_unused > 0;
    size_t n = 0;
    for (size_t size = 0; size < SPARE_SIZES; size++) {
        sweep_arenas(s, size);
        n += s->n_arenas[size];
    }
    sweep_pieces(s);
    if (large)
        malloc_trim(0);
    if (n + s->n_pieces == 0)
        uv_timer_stop(sweep);
}

static void start_sweep(struct spares *s)
{
    if (!uv_is_active((const uv_handle_t *)&s->sweep))
        uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

void spares_init(struct spares *s, uv_loop_t *loop, struct budget *budget)
{
    s->budget = budget;
    uv_timer_init(loop, &s->sweep);
    s->sweep.data = s;
}

struct arena spares_take_arena(struct spares *s, enum spare_size size)
{
    struct arena fresh;
    size_t *n = &s->n_arenas[size];
    arena_init(&fresh, 0);
    fresh.budget = size == SPARE_VITAL ? NULL : s->budget;
    if (*n == 0)
        return fresh;
    --*n;
    if (s->arenas_unused[size] > *n)
        s->arenas_unused[size] = *n;
    return s->arena[size][*n];
}

void spares_give_arena(struct spares *s, enum spare_size size, struct arena *a)
{
    arena_clear(a, BYTES_KEPT[size]);
    if (s->n_arenas[size] < ARENAS_KEPT[size] && !budget_is_crowded(s->budget))
        s->arena[size][s->n_arenas[size]++] = *a;
    else
        arena_free(a);
    start_sweep(s);
}

char *spares_take_piece(struct spares *s)
{
    if (s->n_pieces == 0)
        return piece_new(s);
    s->n_pieces--;
    if (s->pieces_unused > s->n_pieces)
        s->pieces_unused = s->n_pieces;
    return s->piece[s->n_pieces];
}

void spares_give_piece(struct spares *s, char *piece)
{
    if (s->n_pieces < SPARE_PIECES_MAX)
        s->piece[s->n_pieces++] = piece;
    else
        piece_free(s, piece);
    start_sweep(s);
}

void spares_drop(struct spares *s)
{
    for (size_t size = 0; size < SPARE_SIZES; size++) {
        while (s->n_arenas[size])
            arena_free(&s->arena[size][--s->n_arenas[size]]);
        s->arenas_unused[size] = 0;
    }
    while (s->n_pieces)
        piece_free(s, s->piece[--s->n_pieces]);
    s->pieces_unused = 0;
}
