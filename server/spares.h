/*
 * Memory that requests have used and others will use: arenas and pieces of
 * bodies.  A first touch of fresh memory costs more than any kernel, so as
 * much is kept as is in use; what nobody needed for a few seconds goes back
 * to the system.  All of it is for the loop's thread.
 */
#ifndef EVALD_SERVER_SPARES_H
#define EVALD_SERVER_SPARES_H

#include "core/arena.h"

#include <uv.h>

enum {
    SPARE_PIECE_BYTES = 1 << 19,
    SPARE_ARENAS_MAX = 64,
    SPARE_PIECES_MAX = 64
};

/*
 * Large requests have arenas of their own, so that small ones hold none.
 * Health and metrics are answered whatever the load: theirs are outside the
 * budget.
 */
enum spare_size { SPARE_SMALL, SPARE_LARGE, SPARE_VITAL, SPARE_SIZES };

struct spares {
    struct arena arena[SPARE_SIZES][SPARE_ARENAS_MAX];
    size_t n_arenas[SPARE_SIZES], arenas_unused[SPARE_SIZES];
    char *piece[SPARE_PIECES_MAX];
    size_t n_pieces, pieces_unused;
    struct budget *budget;
    uv_timer_t sweep; /* whoever owns it closes it */
};

/* All of it is taken from budget. */
void spares_init(struct spares *s, uv_loop_t *loop, struct budget *budget);

/* An empty arena, whose bytes_max is still to be set. */
struct arena spares_take_arena(struct spares *s, enum spare_size size);

/* Steals the arena. */
void spares_give_arena(struct spares *s, enum spare_size size, struct arena *a);

/* SPARE_PIECE_BYTES, or NULL when there is no memory or no room. */
char *spares_take_piece(struct spares *s);

/* Steals the piece. */
void spares_give_piece(struct spares *s, char *piece);

/* Gives back to the system what nobody uses: others need the room. */
void spares_drop(struct spares *s);

#endif
