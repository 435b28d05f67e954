/*
 * The first byte picks a coding, how the rest is cut into pieces, and how much
 * room there is at a time.  The rest as a stream: in pieces the same comes
 * out, and the same verdict, as of the whole.  What comes out, or else the
 * rest as text, is encoded and decoded again, to the same bytes.
 */
#include "api/inflater.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 18 };
static const size_t MEMORY = (size_t)16 << 20;

struct content {
    enum problem problem;
    const char *text;
    size_t n;
};

static struct content whole(enum coding coding, const char *bytes, size_t len,
                            struct arena *mem)
{
    struct content c = {PROBLEM_NONE, bytes, len};
    struct api_error err = {.n = 0};
    size_t left = mem->bytes_max - mem->bytes_used;
    if (content_decode(coding, &c.text, &c.n, BYTES_MAX, mem, &err))
        c.problem = err.fault[0].kind;
    if (mem->bytes_max - mem->bytes_used != left || c.n > BYTES_MAX + len)
        abort();
    return c;
}

/* All that comes of one piece. */
static enum inflated take(struct inflater *inf, const char *in, const char *end,
                          size_t room, char *out, size_t *n)
{
    enum inflated rc = INFLATED_ROOM;
    while (rc == INFLATED_ROOM && *n <= BYTES_MAX) {
        size_t more = 0, left = BYTES_MAX + 1 - *n;
        rc = inflater_take(inf, &in, end, out + *n, room < left ? room : left,
                           &more);
        *n += more;
    }
    if (rc == INFLATED_ALL && in != end)
        abort();
    return rc;
}

static struct content in_pieces(enum coding coding, const char *bytes,
                                size_t len, size_t piece, size_t room,
                                struct arena *mem)
{
    char *out = arena_alloc(mem, BYTES_MAX + 1, 1);
    struct inflater *inf = inflater_new(coding);
    struct content c = {PROBLEM_NONE, out, 0};
    enum inflated rc = INFLATED_ALL;
    if (!out || !inf)
        abort();
    for (size_t at = 0, n; at < len && rc == INFLATED_ALL; at += n) {
        n = piece < len - at ? piece : len - at;
        char *copy = malloc(n); /* to the byte, so that a step beyond is seen */
        memcpy(copy, bytes + at, n);
        rc = take(inf, copy, copy + n, room, out, &c.n);
        free(copy);
    }
    if (c.n > BYTES_MAX)
        c.problem = PROBLEM_BODY_TOO_LARGE;
    else if (!inflater_is_whole(inf))
        c.problem = PROBLEM_MALFORMED_CONTENT;
    inflater_free(inf);
    return c;
}

static void round_trip(enum coding coding, const struct content *c,
                       struct arena *mem)
{
    char *body = (char *)(uintptr_t)c->text;
    size_t len = c->n;
    if (!content_encode(coding, &body, &len, mem))
        return;
    struct content back = whole(coding, body, len, mem);
    if (len >= c->n || back.problem || back.n != c->n ||
        memcmp(back.text, c->text, c->n) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 2, 3, 7, 18, 100, 4096, BYTES_MAX + 1};
    struct arena mem;
    if (size == 0)
        return 0;
    enum coding coding = data[0] & 1 ? CODING_ZSTD : CODING_GZIP;
    size_t piece = sizes[data[0] >> 1 & 7], room = sizes[data[0] >> 4 & 7];
    const char *bytes = (const char *)data + 1;
    arena_init(&mem, MEMORY);
    struct content a = whole(coding, bytes, size - 1, &mem);
    struct content b = in_pieces(coding, bytes, size - 1, piece, room, &mem);
    /* what is damaged just where the limit is may be told as either */
    if (!a.problem != !b.problem ||
        (!a.problem && (a.n != b.n || memcmp(a.text, b.text, a.n) != 0)))
        abort();
    if (a.problem)
        a = (struct content){PROBLEM_NONE, bytes, size - 1};
    round_trip(CODING_GZIP, &a, &mem);
    round_trip(CODING_ZSTD, &a, &mem);
    arena_free(&mem);
    return 0;
}
