#include "api/content.h"

#include "api/accept.h"
#include "api/inflater.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

/*
 * Computed numbers are made of digits that nothing foretells, so little more
 * is saved by trying longer.  A million float32 of an activation, 11 MB
 * of JSON: zstd takes 55 ms at level 1 to make 41 % of them, 134 ms at 3 for
 * 41 %, 458 ms at 9 for 32 %; gzip 189 ms at 1 for 47 %, 996 ms at 6 for 42 %.
 * Of /openapi.json level 1 leaves 10 % in 0.2 ms (zstd) and 11 % in
 * 0.9 ms (gzip, 9 % in 2.8 ms at 6).  Answers are computed on the spot, so
 * time counts.
 */
enum {
    ZSTD_LEVEL = 1,
    GZIP_LEVEL = 1,
    GZIP_WINDOW_BITS = 15 + 16, /* 32 KiB, and gzip's head and trailer */
    GZIP_MEMORY_LEVEL = 8,
    ROOM_BYTES_FIRST = 1 << 16,
    RATIO_USUAL = 8, /* of JSON, roughly */
    RATIO_AGAIN = 4,
    LOOK_BYTES = 1 << 18, /* of the content, between looks at the stop */
};

static const char *const names[] = {[CODING_IDENTITY] = "identity",
                                    [CODING_GZIP] = "gzip",
                                    [CODING_ZSTD] = "zstd"};

const char *coding_name(enum coding coding)
{
    return names[coding];
}

enum coding coding_of(const char *content_encoding)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = {
        {"", CODING_IDENTITY}, {"identity", CODING_IDENTITY},
        {"gzip", CODING_GZIP}, {"x-gzip", CODING_GZIP},
        {"zstd", CODING_ZSTD},
    };
    const char *s = content_encoding ? content_encoding : "";
    s += strspn(s, " \t");
    size_t n = strcspn(s, " \t");
    if (s[n + strspn(s + n, " \t")])
        return CODING_UNKNOWN;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
        if (strlen(codings[i].name) == n &&
            strncasecmp(codings[i].name, s, n) == 0)
            return codings[i].coding;
    return CODING_UNKNOWN;
}

enum coding coding_wanted(const char *accept_encoding)
{
    static const enum coding codings[] = {CODING_ZSTD, CODING_GZIP};
    enum coding best = CODING_IDENTITY;
    double most = accept_coding(accept_encoding, names[best]);
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        double q = accept_coding(accept_encoding, names[codings[i]]);
        bool better = best == CODING_IDENTITY ? q >= most : q > most;
        if (q > 0 && better) {
            best = codings[i];
            most = q;
        }
    }
    return best;
}

/* A body being inflated: from what to what. */
struct inflation {
    enum coding coding;
    const char *body;
    size_t len;
    char *out;
    size_t room, n; /* of out; used of it */
    const char *fault;
};

/* What is worth a try first: what the stream says of itself, or JSON does. */
static size_t first_room(const struct inflation *f, size_t most)
{
    size_t room = inflater_hint(f->coding, f->body, f->len), usual;
    if (__builtin_mul_overflow(f->len, RATIO_USUAL, &usual))
        usual = most;
    if (room < usual)
        room = usual;
    if (room < ROOM_BYTES_FIRST)
        room = ROOM_BYTES_FIRST;
    return room < most ? room : most;
}

/* INFLATED_ALL is all of it, and whole. */
static enum inflated inflate_once(struct inflation *f, const atomic_bool *stop)
{
    struct inflater *inf = inflater_new(f->coding);
    const char *in = f->body;
    f->n = 0;
    if (!inf)
        return INFLATED_NO_MEMORY;
    enum inflated rc = INFLATED_ROOM;
    while (rc == INFLATED_ROOM && f->n < f->room && !is_stopped(stop)) {
        size_t room = f->room - f->n, n;
        rc = inflater_take(inf, &in, f->body + f->len, f->out + f->n,
                           room < LOOK_BYTES ? room : LOOK_BYTES, &n);
        f->n += n;
    }
    if (rc == INFLATED_ALL && !inflater_is_whole(inf))
        rc = INFLATED_MALFORMED;
    f->fault = inflater_fault(inf);
    inflater_free(inf);
    return rc;
}

/*
 * One block of mem, in the end of the size of the content.  Where the room
 * does not do, all is inflated anew into four times as much: a third more
 * work, and never two buffers at once.
 */
static enum inflated inflate_body(struct inflation *f, size_t bytes_max,
                                  struct arena *mem)
{
    size_t most = bytes_max < SIZE_MAX / 4 ? bytes_max + 1 : SIZE_MAX / 4;
    struct arena_mark mark = arena_mark(mem);
    f->room = first_room(f, most);
    for (;;) {
        f->out = arena_alloc(mem, f->room, 1);
        enum inflated rc =
            f->out ? inflate_once(f, mem->stop) : INFLATED_NO_MEMORY;
        if (rc == INFLATED_ALL && f->n <= bytes_max) {
            arena_trim(mem, f->out, f->n);
            return rc;
        }
        if (is_stopped(mem->stop))
            return INFLATED_NO_MEMORY;
        arena_release(mem, mark);
        if (f->n > bytes_max)
            return INFLATED_ROOM;
        if (rc != INFLATED_ROOM)
            return rc;
        f->room = f->room < most / RATIO_AGAIN ? f->room * RATIO_AGAIN : most;
    }
}

int content_decode(enum coding coding, const char **body, size_t *len,
                   size_t bytes_max, struct arena *mem, struct api_error *err)
{
    struct inflation f = {.coding = coding, .body = *body, .len = *len};
    size_t budget = mem->bytes_max, used = mem->bytes_used;
    if (coding == CODING_IDENTITY)
        return 0;
    mem->bytes_max = SIZE_MAX / 2; /* bytes_max is what bounds it */
    enum inflated rc = inflate_body(&f, bytes_max, mem);
    mem->bytes_max = budget + (mem->bytes_used - used);
    if (rc != INFLATED_ALL)
        return inflater_fail(rc, coding, f.fault, bytes_max, err);
    *body = f.out;
    *len = f.n;
    return 0;
}

/* Memory of zlib, which is given back with what it is for. */
static void *give(void *mem, unsigned n, unsigned size)
{
    return arena_alloc(mem, n, size);
}

static void take_back(void *mem, void *p)
{
    (void)mem;
    (void)p;
}

/* Each writes at most room bytes and says how many; 0 if that does not do. */

static size_t encode_gzip(const char *text, size_t len, char *out, size_t room,
                          struct arena *mem)
{
    struct arena_mark mark = arena_mark(mem);
    z_stream z = {.zalloc = give, .zfree = take_back, .opaque = mem};
    size_t n = 0;
    if (len <= INT_MAX &&
        deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS,
                     GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK) {
        int rc = Z_OK;
        z.next_out = (Bytef *)out;
        z.avail_out = (unsigned)room;
        for (size_t i = 0, some; rc == Z_OK && !is_stopped(mem->stop);
             i += some) {
            some = len - i < LOOK_BYTES ? len - i : LOOK_BYTES;
            z.next_in = (const Bytef *)text + i;
            z.avail_in = (unsigned)some;
            rc = deflate(&z, i + some < len ? Z_NO_FLUSH : Z_FINISH);
            if (z.avail_in > 0 || i + some == len)
                break; /* there is no room left, or all is done */
        }
        if (rc == Z_STREAM_END)
            n = room - z.avail_out;
        deflateEnd(&z);
    }
    arena_release(mem, mark);
    return n;
}

static size_t encode_zstd(const char *text, size_t len, char *out, size_t room,
                          const atomic_bool *stop)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_outBuffer to = {.size = room};
    size_t rc = 1;
    to.dst = out;
    if (z &&
        !ZSTD_isError(
            ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
        !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(z, len)))
        for (size_t i = 0, some; i < len && !is_stopped(stop); i += some) {
            some = len - i < LOOK_BYTES ? len - i : LOOK_BYTES;
            ZSTD_inBuffer from = {text + i, some, 0};
            rc = ZSTD_compressStream2(
                z, &to, &from, i + some < len ? ZSTD_e_continue : ZSTD_e_end);
            if (ZSTD_isError(rc) || from.pos < some)
                break;
            if (i + some < len)
                rc = 1; /* it is not the end */
        }
    ZSTD_freeCCtx(z);
    return rc ? 0 : to.pos;
}

bool content_encode(enum coding coding, char **body, size_t *len,
                    struct arena *mem)
{
    struct arena_mark mark = arena_mark(mem);
    size_t room = *len - (*len > 0), n = 0;
    if (coding == CODING_IDENTITY)
        return false;
    char *out = arena_alloc(mem, room, 1);
    if (out && coding == CODING_GZIP)
        n = encode_gzip(*body, *len, out, room, mem);
    if (out && coding == CODING_ZSTD)
        n = encode_zstd(*body, *len, out, room, mem->stop);
    if (n == 0) {
        arena_release(mem, mark);
        return false;
    }
    arena_trim(mem, out, n);
    *body = out;
    *len = n;
    return true;
}
