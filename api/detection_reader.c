#include "api/detection_reader.h"

#include "api/detection_levels.h"

#include <string.h>

enum {
    GUESSES_MAX = 16,
    PIECE_BYTES = 1 << 19, /* of a longer text, when it is cut up */
    CARRY_STEP = 1 << 12,
};

struct detection_reader {
    struct levels levels;
    const struct parallel *par;
    size_t expected;
    char *carry; /* text of earlier pieces that is not read yet */
    size_t carry_len, carry_capacity;
    size_t retry_at;         /* a longer carry may be complete */
    void *rows[GUESSES_MAX]; /* memory for what is read ahead */
    size_t row_bytes[GUESSES_MAX];
};

struct detection_reader *detection_reader_new(
    enum detection_part part, const char *name, struct detection_request *req,
    size_t expected, const struct parallel *par, struct arena *mem)
{
    struct detection_reader *r = arena_zero(mem, 1, sizeof(*r));
    if (!r)
        return NULL;
    r->par = par;
    r->expected = expected;
    r->levels.part = part;
    r->levels.name = name;
    r->levels.req = req;
    r->levels.mem = mem;
    r->levels.origin = (struct json_origin){NULL, 0, 1, 1};
    json_out_init(&r->levels.settings, mem, false);
    out_bytes(&r->levels.settings, "{", 1);
    arena_init(&r->levels.documents, mem->bytes_max);
    r->levels.documents.stop = mem->stop;
    r->levels.documents.parent = mem;
    return r;
}

void detection_reader_expect(struct detection_reader *r, size_t expected)
{
    r->expected = expected;
}

/* Reads text that is at hand, and returns how much of it is done with. */
static size_t run(struct detection_reader *r, const char *text, size_t len,
                  const struct guess *guess, bool last)
{
    struct levels *l = &r->levels;
    struct scan s = {text, text + len, l->mem->stop};
    size_t left =
        r->expected > l->origin.byte ? r->expected - l->origin.byte : 0;
    l->text = text;
    l->rest = left > len ? left : len;
    l->guess = guess;
    l->last = last;
    levels_run(l, &s);
    levels_move(l, s.at);
    return (size_t)(s.at - text);
}

static int keep(struct detection_reader *r, const char *text, size_t n)
{
    size_t need = r->carry_len + n;
    if (need > r->carry_capacity) {
        size_t capacity = need * 2;
        char *carry = arena_alloc(r->levels.mem, capacity, 1);
        if (!carry) {
            r->levels.failed = true;
            r->levels.err.n = 0;
            return api_fail(&r->levels.err, PROBLEM_MEMORY, NULL,
                            "one record does not fit in the memory of one "
                            "request");
        }
        if (r->carry_len)
            stop_copy(r->levels.mem->stop, carry, r->carry, r->carry_len);
        r->carry = carry;
        r->carry_capacity = capacity;
    }
    memcpy(r->carry + r->carry_len, text, n);
    r->carry_len = need;
    return 0;
}

/*
 * Completes what was carried over with a piece's beginning.  Returns how much
 * of the piece is done with.  What is carried on is looked at again when it
 * has doubled, so that a long record costs no more than twice its length.
 */
static size_t finish_carry(struct detection_reader *r, const char *text,
                           size_t len)
{
    size_t at = 0;
    while (r->carry_len > 0 && at < len && !r->levels.failed) {
        size_t before = r->carry_len, n = CARRY_STEP;
        if (before + n < r->retry_at)
            n = r->retry_at - before;
        if (n > len - at)
            n = len - at;
        if (keep(r, text + at, n))
            return len;
        at += n;
        if (r->carry_len < r->retry_at)
            continue;
        size_t done = run(r, r->carry, r->carry_len, NULL, false);
        if (done >= before) {
            r->carry_len = r->retry_at = 0;
            return at - n + (done - before);
        }
        r->carry_len -= done;
        memmove(r->carry, r->carry + done, r->carry_len);
        r->retry_at = 2 * r->carry_len;
    }
    return at;
}

static void take_one(struct detection_reader *r, const struct span *piece,
                     const struct guess *guess)
{
    size_t at = finish_carry(r, piece->text, piece->len);
    if (at == piece->len || r->levels.failed)
        return;
    at += run(r, piece->text + at, piece->len - at, guess, false);
    if (at < piece->len && !r->levels.failed) {
        keep(r, piece->text + at, piece->len - at);
        r->retry_at = 2 * r->carry_len;
    }
}

/* What several threads do: each guess is its own. */
struct ahead {
    const struct span *piece;
    const struct kind *likely;
    struct guess guess[GUESSES_MAX];
    void **rows;
    const atomic_bool *stop;
};

static void look_ahead(void *context, size_t item, size_t worker)
{
    struct ahead *a = context;
    (void)worker;
    guess_make(&a->guess[item], a->likely, &a->piece[item], a->rows[item],
               a->stop);
}

/* The kind of the list that is open, if one is. */
static const struct kind *open_kind(const struct levels *l)
{
    const struct level *level = l->depth ? &l->level[l->depth - 1] : NULL;
    return level && level->type == LEVEL_LIST ? level->table->kind : NULL;
}

/* Memory for guesses about the pieces; false if there is none to spare. */
static bool make_room(struct detection_reader *r, const struct span *piece,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t bytes = guess_bytes(piece[i].len);
        if (bytes <= r->row_bytes[i])
            continue;
        r->rows[i] = arena_alloc(r->levels.mem, bytes, 1);
        r->row_bytes[i] = r->rows[i] ? bytes : 0;
        if (!r->rows[i])
            return false;
    }
    return true;
}

/* Up to GUESSES_MAX pieces. */
static void take_some(struct detection_reader *r, const struct span *piece,
                      size_t n)
{
    const atomic_bool *stop = r->levels.mem->stop;
    struct ahead ahead = {.piece = piece,
                          .likely = open_kind(&r->levels),
                          .rows = r->rows,
                          .stop = stop};
    bool many = n > 1 && r->par->width > 1 && make_room(r, piece, n);
    if (many)
        r->par->run(r->par, n, look_ahead, &ahead);
    for (size_t i = 0; i < n && !r->levels.failed; i++) {
        if (is_stopped(stop)) /* guesses may not have been made */
            levels_spent(&r->levels);
        else
            take_one(r, &piece[i], many ? &ahead.guess[i] : NULL);
    }
}

void detection_reader_take(struct detection_reader *r, const struct span *piece,
                           size_t n)
{
    struct span part[GUESSES_MAX];
    size_t n_parts = 0;
    for (size_t i = 0; i < n && !r->levels.failed; i++)
        for (size_t at = 0; at < piece[i].len; at += PIECE_BYTES) {
            size_t len = piece[i].len - at;
            part[n_parts++] = (struct span){
                piece[i].text + at, len < PIECE_BYTES ? len : PIECE_BYTES};
            if (n_parts == GUESSES_MAX) {
                take_some(r, part, n_parts);
                n_parts = 0;
            }
        }
    if (n_parts && !r->levels.failed)
        take_some(r, part, n_parts);
}

void detection_reader_free(struct detection_reader *r)
{
    arena_free(&r->levels.documents);
}

int detection_reader_finish(struct detection_reader *r, struct api_error *err)
{
    struct levels *l = &r->levels;
    if (!l->failed && is_stopped(l->mem->stop))
        levels_spent(l);
    if (!l->failed)
        run(r, r->carry ? r->carry : "", r->carry_len, NULL, true);
    if (!l->failed)
        levels_finish(l, err);
    for (size_t i = 0; i < l->err.n && !api_full(err); i++)
        err->fault[err->n++] = l->err.fault[i];
    detection_reader_free(r);
    return err->n ? -1 : 0;
}
