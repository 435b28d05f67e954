#include "server/body.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 1 << 16, DRAIN_BYTES_MAX = 4 << 20 };

/* Room for need bytes: all at once where the length is known. */
static int grow(struct body *b, size_t need)
{
    size_t capacity = b->capacity * 2;
    if (capacity < BYTES_FIRST)
        capacity = BYTES_FIRST;
    if (b->expected && !b->spares)
        capacity = b->expected;
    if (capacity < need)
        capacity = need;
    if (!budget_take(b->budget, capacity - b->capacity))
        return -1;
    char *text = realloc(b->text, capacity);
    if (!text) {
        budget_give(b->budget, capacity - b->capacity);
        return -1;
    }
    b->text = text;
    b->capacity = capacity;
    return 0;
}

static void drop(struct body *b)
{
    for (size_t i = 0; i < b->n_waiting; i++)
        spares_give_piece(b->spares, (char *)(uintptr_t)b->waiting[i].text);
    b->n_waiting = 0;
    if (b->text && b->spares) {
        spares_give_piece(b->spares, b->text);
    } else if (b->text) {
        free(b->text);
        budget_give(b->budget, b->capacity);
    }
    b->text = NULL;
    b->len = b->capacity = 0;
}

/* The piece that is being filled is full: another one follows it. */
static int next_piece(struct body *b)
{
    if (b->n_waiting == PIECES_MAX)
        return -1; /* whoever fills it has not looked at body_is_full */
    if (b->text)
        b->waiting[b->n_waiting++] = (struct span){b->text, b->len};
    b->text = spares_take_piece(b->spares);
    b->len = 0;
    b->capacity = b->text ? SPARE_PIECE_BYTES : 0;
    return b->text ? 0 : -1;
}

static int append_pieces(struct body *b, const char *bytes, size_t n)
{
    while (n > 0) {
        if (b->len == b->capacity && next_piece(b))
            return -1;
        size_t some = b->capacity - b->len < n ? b->capacity - b->len : n;
        memcpy(b->text + b->len, bytes, some);
        b->len += some;
        bytes += some;
        n -= some;
    }
    return 0;
}

static int append_whole(struct body *b, const char *bytes, size_t n)
{
    if (n > b->capacity - b->len && grow(b, b->len + n))
        return -1;
    memcpy(b->text + b->len, bytes, n);
    b->len += n;
    return 0;
}

int body_skip(struct body *b, size_t n)
{
    b->bytes += n;
    return b->bytes > b->bytes_max + DRAIN_BYTES_MAX ? -1 : 0;
}

int body_append(struct body *b, const char *bytes, size_t n)
{
    int rc = body_skip(b, n);
    b->too_large = b->bytes > b->bytes_max;
    if (!b->too_large && !b->starved)
        b->starved =
            b->spares ? append_pieces(b, bytes, n) : append_whole(b, bytes, n);
    if (b->too_large || b->starved)
        drop(b);
    return rc;
}

bool body_is_full(const struct body *b)
{
    return b->spares && b->n_waiting >= PIECES_MAX - 1;
}

void body_take(struct body *b, bool all)
{
    memcpy(b->taken, b->waiting, b->n_waiting * sizeof(b->taken[0]));
    b->n_taken = b->n_waiting;
    b->n_waiting = 0;
    if (!all || !b->text)
        return;
    b->taken[b->n_taken++] = (struct span){b->text, b->len};
    b->text = NULL;
    b->len = b->capacity = 0;
}

void body_give_back(struct body *b)
{
    while (b->n_taken)
        spares_give_piece(b->spares,
                          (char *)(uintptr_t)b->taken[--b->n_taken].text);
}

void body_clear(struct body *b)
{
    drop(b);
}
