#include "api/inflater.h"

#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* 32 KiB, and gzip alone */
    GZIP_BYTES_MIN = 18,        /* head and trailer */
    GZIP_RATIO_MAX = 1032,      /* deflate: 258 bytes from 2 bits */
    PIECE_BYTES_MAX = 1 << 30,  /* zlib counts in unsigned int */
    HEADER_BYTES_MAX = 18,      /* of a frame of zstd */
    HEADER_BYTES_MIN = 5,
    SKIPPED_HEADER_BYTES = 8,
    WINDOW_LOG_MAX = 23,
};

/* First bytes: of gzip, of zstd, of what is to be skipped (half of it). */
enum { MEMBER = 0x1f, FRAME = 0x28, SKIPPED = 0x50 };

struct inflater {
    enum coding coding;
    bool any;    /* a member has ended */
    bool within; /* a member has begun, and not ended */
    enum inflated verdict;
    const char *fault;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    unsigned char header[HEADER_BYTES_MAX]; /* of the frame, as far as it is */
    size_t header_len;
};

/* What one step works on. */
struct piece {
    const char *in, *end;
    char *out;
    size_t room;
};

struct inflater *inflater_new(enum coding coding)
{
    struct inflater *inf = calloc(1, sizeof(*inf));
    bool good = inf;
    if (!inf)
        return NULL;
    inf->coding = coding;
    if (coding == CODING_GZIP)
        good = inflateInit2(&inf->gzip, GZIP_WINDOW_BITS) == Z_OK;
    if (coding == CODING_ZSTD)
        good = (inf->zstd = ZSTD_createDCtx()) &&
               !ZSTD_isError(ZSTD_DCtx_setParameter(
                   inf->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
    if (good)
        return inf;
    inflater_free(inf);
    return NULL;
}

void inflater_free(struct inflater *inf)
{
    if (!inf)
        return;
    inflateEnd(&inf->gzip); /* does nothing to one that was not begun */
    ZSTD_freeDCtx(inf->zstd);
    free(inf);
}

static enum inflated fail(struct inflater *inf, const char *fault)
{
    inf->fault = fault;
    return inf->verdict = INFLATED_MALFORMED;
}

static enum inflated fail_memory(struct inflater *inf)
{
    inf->fault = "there is no memory to inflate it";
    return inf->verdict = INFLATED_NO_MEMORY;
}

static enum inflated copy(struct piece *p)
{
    size_t n = (size_t)(p->end - p->in);
    if (n > p->room)
        n = p->room;
    memcpy(p->out, p->in, n);
    p->in += n;
    p->out += n;
    p->room -= n;
    return INFLATED_ALL;
}

/*
 * Looks at the first byte of a member.  It tells what follows the end of the
 * stream, plain text and the formats that zstd had before it was one, which
 * the library might read.
 */
static bool begins_member(const struct inflater *inf, unsigned char c)
{
    if (inf->coding == CODING_GZIP)
        return c == MEMBER;
    return c == FRAME || (c & 0xf0) == SKIPPED;
}

static enum inflated begin_member(struct inflater *inf, const struct piece *p)
{
    if (!begins_member(inf, (unsigned char)*p->in))
        return fail(inf, inf->any ? "something else follows its end"
                                  : "it begins as something else");
    inf->header_len = 0;
    inf->within = true;
    if (inf->coding == CODING_GZIP && inflateReset(&inf->gzip) != Z_OK)
        return fail(inf, "it is damaged");
    return INFLATED_ALL;
}

static void end_member(struct inflater *inf)
{
    inf->any = true;
    inf->within = false;
}

static unsigned at_most(size_t n)
{
    return n < PIECE_BYTES_MAX ? (unsigned)n : PIECE_BYTES_MAX;
}

static enum inflated step_gzip(struct inflater *inf, struct piece *p)
{
    z_stream *z = &inf->gzip;
    z->next_in = (const Bytef *)p->in;
    z->avail_in = at_most((size_t)(p->end - p->in));
    z->next_out = (Bytef *)p->out;
    z->avail_out = at_most(p->room);
    int rc = inflate(z, Z_NO_FLUSH);
    p->room -= (size_t)((char *)z->next_out - p->out);
    p->in = (const char *)z->next_in;
    p->out = (char *)z->next_out;
    if (rc == Z_STREAM_END)
        end_member(inf);
    else if (rc == Z_MEM_ERROR)
        return fail_memory(inf);
    else if (rc != Z_OK)
        return fail(inf, z->msg ? z->msg : "it is damaged");
    return INFLATED_ALL;
}

static enum inflated decompress(struct inflater *inf, ZSTD_inBuffer *in,
                                ZSTD_outBuffer *out)
{
    size_t rc = ZSTD_decompressStream(inf->zstd, out, in);
    if (rc == 0)
        end_member(inf);
    if (!ZSTD_isError(rc))
        return INFLATED_ALL;
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_memory_allocation:
        return fail_memory(inf);
    case ZSTD_error_frameParameter_windowTooLarge:
        return fail(inf, "it asks for a window of more than 8 MiB; compress "
                         "without --long and --ultra");
    case ZSTD_error_dictionary_wrong:
        return fail(inf, "it asks for a dictionary");
    case ZSTD_error_checksum_wrong:
        return fail(inf, "incorrect checksum");
    default:
        return fail(inf, "its data is damaged");
    }
}

/* The bytes of a frame's header, of which there are n: RFC 8878, 3.1.1.1. */
static size_t header_bytes(const unsigned char *header, size_t n)
{
    static const unsigned char dictionary[] = {0, 1, 2, 4};
    static const unsigned char content[] = {0, 2, 4, 8};
    size_t bytes = HEADER_BYTES_MIN;
    if (n > 0 && header[0] != FRAME)
        return SKIPPED_HEADER_BYTES;
    if (n < HEADER_BYTES_MIN)
        return bytes;
    bool single = header[4] & 0x20;
    bytes += dictionary[header[4] & 3] + content[header[4] >> 6];
    return bytes + (single ? header[4] >> 6 == 0 : 1);
}

/*
 * The library is given the header of a frame by itself and as a whole: cut
 * within, or followed by all of the frame, it may go ways of its own, on which
 * the size of the window does not count.
 */
static enum inflated step_header(struct inflater *inf, struct piece *p)
{
    ZSTD_inBuffer in = {inf->header, 0, 0};
    ZSTD_outBuffer out = {p->out, 0, 0};
    inf->header[inf->header_len++] = (unsigned char)*p->in++;
    in.size = header_bytes(inf->header, inf->header_len);
    if (inf->header_len < in.size)
        return INFLATED_ALL;
    return decompress(inf, &in, &out); /* without room, as it gives nothing */
}

static enum inflated step_zstd(struct inflater *inf, struct piece *p)
{
    if (inf->header_len < header_bytes(inf->header, inf->header_len))
        return step_header(inf, p);
    ZSTD_inBuffer in = {p->in, (size_t)(p->end - p->in), 0};
    ZSTD_outBuffer out = {p->out, p->room, 0};
    enum inflated rc = decompress(inf, &in, &out);
    p->in += in.pos;
    p->out += out.pos;
    p->room -= out.pos;
    return rc;
}

static enum inflated step(struct inflater *inf, struct piece *p)
{
    if (inf->coding == CODING_IDENTITY)
        return copy(p);
    if (!inf->within && begin_member(inf, p))
        return inf->verdict;
    return inf->coding == CODING_GZIP ? step_gzip(inf, p) : step_zstd(inf, p);
}

enum inflated inflater_take(struct inflater *inf, const char **in,
                            const char *end, char *out, size_t room, size_t *n)
{
    struct piece p = {.in = *in, .end = end, .room = room};
    p.out = out;
    while (inf->verdict == INFLATED_ALL && p.room > 0 && p.in < end)
        inf->verdict = step(inf, &p);
    *n = (size_t)(p.out - out);
    *in = p.in;
    if (inf->verdict != INFLATED_ALL)
        return inf->verdict;
    return p.in < end ? INFLATED_ROOM : INFLATED_ALL;
}

bool inflater_is_whole(const struct inflater *inf)
{
    return inf->verdict == INFLATED_ALL && !inf->within &&
           (inf->any || inf->coding == CODING_IDENTITY);
}

const char *inflater_fault(const struct inflater *inf)
{
    return inf->fault ? inf->fault : "it ends too early";
}

/* The trailer of gzip has the size of its member, modulo 2^32. */
static size_t hint_gzip(const unsigned char *body, size_t len)
{
    size_t size = 0;
    if (len < GZIP_BYTES_MIN)
        return 0;
    for (size_t i = 1; i <= 4; i++)
        size = size << 8 | body[len - i];
    return size / GZIP_RATIO_MAX <= len ? size : 0;
}

size_t inflater_hint(enum coding coding, const char *body, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)body;
    if (coding == CODING_GZIP)
        return hint_gzip(bytes, len);
    if (coding != CODING_ZSTD || len < HEADER_BYTES_MAX || *bytes != FRAME)
        return coding == CODING_IDENTITY ? len : 0;
    unsigned long long size = ZSTD_getFrameContentSize(body, len);
    return size < ZSTD_CONTENTSIZE_ERROR ? (size_t)size : 0;
}

int inflater_fail(enum inflated rc, enum coding coding, const char *fault,
                  size_t bytes_max, struct api_error *err)
{
    if (rc == INFLATED_MALFORMED)
        return api_fail(err, PROBLEM_MALFORMED_CONTENT, NULL,
                        "the body cannot be inflated as %s: %s",
                        coding_name(coding), fault);
    if (rc == INFLATED_ROOM)
        return api_fail(err, PROBLEM_BODY_TOO_LARGE, NULL,
                        "inflated, the body is larger than the limit of %zu "
                        "bytes",
                        bytes_max);
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "there is no memory to inflate the body");
}
