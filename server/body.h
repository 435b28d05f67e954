/*
 * A request's body on its way in: as a whole, or in pieces that are read, and
 * given back, while the rest is still coming.
 *
 * All of it is for the loop's thread, but for the pieces that were taken:
 * those belong to whoever reads them until they are given back.
 */
#ifndef EVALD_SERVER_BODY_H
#define EVALD_SERVER_BODY_H

#include "api/api.h"
#include "server/spares.h"

enum { PIECES_MAX = 16 }; /* that wait; then the client has to */

struct body {
    struct spares *spares; /* NULL = it is kept as a whole */
    struct budget *budget; /* what it is taken from, if so */
    size_t bytes;          /* that have come */
    size_t bytes_max;      /* that may come */
    size_t expected;       /* 0 = not known */
    bool too_large;        /* there were more, and all is dropped */
    bool starved;          /* there was no room for it, and all is dropped */
    char *text;            /* all of it, or the piece that is being filled */
    size_t len, capacity;
    struct span waiting[PIECES_MAX + 1], taken[PIECES_MAX + 1];
    size_t n_waiting, n_taken;
};

/*
 * Keeps n more bytes, as far as there is room.  -1 when a client goes on long
 * after it went too far.
 */
int body_append(struct body *b, const char *bytes, size_t n);

/* Counts n more bytes that are not kept; -1 when there are too many. */
int body_skip(struct body *b, size_t n);

/* Whether there are as many pieces as may wait. */
bool body_is_full(const struct body *b);

/* Takes what waits into b->taken; with the piece that is not full if `all`. */
void body_take(struct body *b, bool all);

/* Gives back what was taken. */
void body_give_back(struct body *b);

/* Releases everything; nothing is taken. */
void body_clear(struct body *b);

#endif
