/*
 * Compressed streams: however they are cut into pieces, cut off, damaged,
 * followed by others or odd, the same comes out, and the same verdict.
 */
#include "api/inflater.h"
#include "tests/decoded.h"

#include <stdio.h>
#include <time.h>

#include <zlib.h>
#include <zstd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { TEXT_BYTES = 3000, BYTES_MAX = 1 << 20, MIB = 1 << 20 };
static const size_t BUDGET = (size_t)1 << 26;

/* What some stream of a coding is, and what it becomes. */
struct stream {
    enum coding coding;
    size_t len, text_len;
    char bytes[3 * TEXT_BYTES];
    char text[2 * TEXT_BYTES];
};

/* Numbers as JSON has them. */
static void write_text(char *text, size_t n)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = i % 9 == 0 ? ',' : (char)('0' + x / 429496730);
    }
}

/* Adds a member, with its checksum, that becomes n more bytes of text. */
static void add(struct stream *s, size_t n)
{
    char *to = s->bytes + s->len;
    size_t room = sizeof(s->bytes) - s->len;
    write_text(s->text + s->text_len, n);
    if (s->coding == CODING_ZSTD) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, s->len > 0);
        ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 19);
        size_t rc = ZSTD_compress2(c, to, room, s->text + s->text_len, n);
        assert_false(ZSTD_isError(rc));
        s->len += rc;
        ZSTD_freeCCtx(c);
    } else {
        z_stream z = {0};
        deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)s->text + s->text_len;
        z.avail_in = (unsigned)n;
        z.next_out = (Bytef *)to;
        z.avail_out = (unsigned)room;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        s->len += z.total_out;
        deflateEnd(&z);
    }
    s->text_len += n;
}

static void add_bytes(struct stream *s, const char *bytes, size_t n)
{
    memcpy(s->bytes + s->len, bytes, n);
    s->len += n;
}

/* Of each coding one member, and several, some of them empty. */
static struct stream *streams(void)
{
    static struct stream s[4];
    for (size_t i = 0; i < COUNT(s); i++) {
        s[i] = (struct stream){.coding = i < 2 ? CODING_GZIP : CODING_ZSTD};
        if (i == 3)
            add_bytes(&s[i], "\x5f\x2a\x4d\x18\0\0\0\0", 8);
        add(&s[i], i % 2 ? 700 : TEXT_BYTES);
        if (i % 2 == 0)
            continue;
        add(&s[i], 0);
        if (i == 3)
            add_bytes(&s[i], "\x50\x2a\x4d\x18\4\0\0\0skip", 12);
        add(&s[i], 900);
        add(&s[i], 0);
    }
    return s;
}

/* A verdict on all of a stream, in the words of content_decode. */
struct verdict {
    bool whole;
    char text[1 << 16];
    size_t n;
};

/* Takes what comes of in, with so much room at a time. */
static enum inflated take(struct inflater *inf, const char *in, const char *end,
                          size_t room, struct verdict *v)
{
    enum inflated rc = INFLATED_ROOM;
    while (rc == INFLATED_ROOM) {
        size_t n = 0, left = sizeof(v->text) - v->n;
        if (left == 0)
            return rc; /* too much, which only damage can do */
        rc = inflater_take(inf, &in, end, v->text + v->n,
                           room < left ? room : left, &n);
        assert_true(n <= room);
        v->n += n;
    }
    assert_true(rc != INFLATED_ALL || in == end);
    return rc;
}

/* The stream in pieces: first, and then so many bytes at a time. */
static void in_pieces(enum coding coding, const char *bytes, size_t len,
                      size_t first, size_t piece, size_t room,
                      struct verdict *v)
{
    struct inflater *inf = inflater_new(coding);
    enum inflated rc = INFLATED_ALL;
    assert_non_null(inf);
    v->n = 0;
    for (size_t at = 0, n = first; rc == INFLATED_ALL; n = piece) {
        if (n > len - at)
            n = len - at;
        char *copy = malloc(n ? n : 1); /* to the byte, so that ASan sees */
        memcpy(copy, bytes + at, n);
        rc = take(inf, copy, copy + n, room, v);
        free(copy);
        at += n;
        if (at == len)
            break;
    }
    v->whole = rc == INFLATED_ALL && inflater_is_whole(inf);
    if (rc == INFLATED_MALFORMED) { /* and so it stays */
        const char *in = bytes;
        size_t n;
        assert_int_equal(inflater_take(inf, &in, in + 1, v->text, 1, &n), rc);
    }
    assert_true(v->whole || strlen(inflater_fault(inf)) > 5);
    inflater_free(inf);
}

static bool becomes(const struct verdict *v, const struct stream *s)
{
    return v->whole && v->n == s->text_len &&
           memcmp(v->text, s->text, v->n) == 0;
}

static void any_split_gives_the_same(void **state)
{
    (void)state;
    static const size_t rooms[] = {1, 2, 63, 2 * TEXT_BYTES};
    struct stream *s = streams();
    static struct verdict v;
    for (size_t i = 0; i < 4; i++) {
        for (size_t at = 0; at <= s[i].len; at++)
            for (size_t r = 0; r < COUNT(rooms); r++) {
                in_pieces(s[i].coding, s[i].bytes, s[i].len, at, s[i].len,
                          rooms[r], &v);
                if (!becomes(&v, &s[i]))
                    fail_msg("stream %zu cut at %zu, room %zu", i, at,
                             rooms[r]);
            }
        for (size_t piece = 1; piece < s[i].len; piece += piece / 4 + 1) {
            in_pieces(s[i].coding, s[i].bytes, s[i].len, piece, piece, 17, &v);
            assert_true(becomes(&v, &s[i]));
        }
    }
}

/* The verdict of content_decode, held against that on single bytes. */
static bool decodes(enum coding coding, const char *bytes, size_t len,
                    struct verdict *v)
{
    static struct verdict single;
    struct api_error err;
    struct arena mem;
    const char *text;
    arena_init(&mem, BUDGET);
    enum problem p =
        decode(coding, bytes, len, BYTES_MAX, &mem, &text, &v->n, &err);
    assert_true(p == PROBLEM_NONE || p == PROBLEM_MALFORMED_CONTENT);
    v->whole = p == PROBLEM_NONE;
    if (v->whole)
        memcpy(v->text, text, v->n);
    in_pieces(coding, bytes, len, 1, 1, sizeof(v->text), &single);
    assert_int_equal(single.whole, v->whole);
    if (v->whole)
        assert_true(single.n == v->n && !memcmp(single.text, v->text, v->n));
    arena_free(&mem);
    return v->whole;
}

/* Only where a member ends may a stream end. */
static void what_is_cut_off_is_told(void **state)
{
    (void)state;
    struct stream *s = streams();
    static struct verdict v;
    for (size_t i = 0; i < 4; i++) {
        size_t ends = 0;
        for (size_t len = 0; len <= s[i].len; len++)
            if (decodes(s[i].coding, s[i].bytes, len, &v)) {
                assert_memory_equal(v.text, s[i].text, v.n);
                ends++;
            }
        static const size_t want[] = {1, 4, 1, 6};
        if (ends != want[i])
            fail_msg("stream %zu may end in %zu places", i, ends);
    }
}

/* Every bit matters, but for those of heads that say nothing of the text. */
static void what_is_damaged_is_told(void **state)
{
    (void)state;
    struct stream *s = streams();
    static struct verdict v;
    for (size_t i = 0; i < 4; i++) {
        size_t faults = 0;
        for (size_t bit = 0; bit < 8 * s[i].len; bit++) {
            char *byte = &s[i].bytes[bit / 8];
            *byte = (char)(*byte ^ 1 << bit % 8);
            bool whole = decodes(s[i].coding, s[i].bytes, s[i].len, &v);
            if (whole && !becomes(&v, &s[i]))
                fail_msg("stream %zu with bit %zu flipped goes unseen", i, bit);
            faults += !whole;
            *byte = (char)(*byte ^ 1 << bit % 8);
        }
        if (faults < 8 * (s[i].len - 80))
            fail_msg("stream %zu: %zu faults", i, faults);
    }
}

#define ZSTD_EMPTY "\x28\xb5\x2f\xfd\x20\0\1\0\0"

/* Streams as bytes, and a part of what is said of them; NULL: they are good */
static const struct {
    enum coding coding;
    const char *bytes;
    size_t len;
    const char *says;
} odd[] = {
#define ROW(coding, bytes, says)               \
    {                                          \
        coding, bytes, sizeof(bytes) - 1, says \
    }
    ROW(CODING_GZIP, "", "too early"),
    ROW(CODING_ZSTD, "", "too early"),
    ROW(CODING_GZIP, "{\"inputs\":{}}", "as something else"),
    ROW(CODING_ZSTD, "{\"inputs\":{}}", "as something else"),
    ROW(CODING_GZIP, "\x78\x9c\3\0\0\0\0\1", "as something else"), /* zlib */
    ROW(CODING_ZSTD, "\x27\xb5\x2f\xfd\0\0\0\0\0\0", "as something else"),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfc\0\0\0\0\0\0", "damaged"),
    ROW(CODING_ZSTD, ZSTD_EMPTY, NULL),
    ROW(CODING_ZSTD, ZSTD_EMPTY ZSTD_EMPTY, NULL),
    ROW(CODING_ZSTD, ZSTD_EMPTY "\0", "follows its end"),
    ROW(CODING_ZSTD, "\x55\x2a\x4d\x18\1\0\0\0x", NULL),
    ROW(CODING_ZSTD, "\x55\x2a\x4d\x18\1\0\0\0", "too early"),
    /* windows of 8 MiB, 9 MiB, 2 TiB; a size that is the window */
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\0\x68\1\0\0", NULL),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\0\x69\1\0\0", "8 MiB"),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\0\xf8\1\0\0", "8 MiB"),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\xa0\1\0\x80\0\1\0\0", "8 MiB"),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\x21\7\0\1\0\0", "dictionary"),
    /* a frame in the header of a frame, which the library may mistake */
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\x20\x28\xb5\x2f\xfd\x20\0\1\0\0",
        "damaged"),
    ROW(CODING_ZSTD, "\x28\xb5\x2f\xfd\x60\x28\xb5\x2f\xfd\x20\0\1\0\0",
        "damaged"),
#undef ROW
};

static void odd_streams_are_told_however_cut(void **state)
{
    (void)state;
    static struct verdict v;
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct api_error err;
        struct arena mem;
        const char *text;
        size_t n;
        arena_init(&mem, BUDGET);
        enum problem p = decode(odd[i].coding, odd[i].bytes, odd[i].len,
                                BYTES_MAX, &mem, &text, &n, &err);
        if ((p == PROBLEM_NONE) != !odd[i].says ||
            (p && !strstr(err.fault[0].detail, odd[i].says)))
            fail_msg("odd stream %zu: %s", i,
                     p ? err.fault[0].detail : "it is good");
        arena_free(&mem);
        for (size_t at = 0; at <= odd[i].len; at++) {
            in_pieces(odd[i].coding, odd[i].bytes, odd[i].len, at, odd[i].len,
                      sizeof(v.text), &v);
            if (v.whole != !odd[i].says)
                fail_msg("odd stream %zu, cut at %zu", i, at);
        }
    }
}

/* Exactly as much as may be, one byte more, and less by far. */
static void the_limit_is_of_the_content(void **state)
{
    (void)state;
    struct stream *s = streams();
    for (size_t i = 0; i < 4; i++) {
        size_t maxima[] = {0, 1, 100, s[i].text_len - 1, s[i].text_len};
        for (size_t k = 0; k < COUNT(maxima); k++) {
            struct api_error err;
            struct arena mem;
            const char *text;
            size_t n;
            arena_init(&mem, BUDGET);
            enum problem p = decode(s[i].coding, s[i].bytes, s[i].len,
                                    maxima[k], &mem, &text, &n, &err);
            assert_int_equal(p, k == 4 ? PROBLEM_NONE : PROBLEM_BODY_TOO_LARGE);
            arena_free(&mem);
        }
    }
}

/* Each member is 20 bytes and becomes none: work without output. */
static void many_members_take_linear_time(void **state)
{
    (void)state;
    static const char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0\0\0";
    for (size_t i = 0; i < 2; i++) {
        size_t size = i ? 20 : 9, n, len = (size_t)4 * MIB / size * size;
        char *bytes = malloc(len);
        struct api_error err;
        struct arena mem;
        const char *text;
        for (size_t at = 0; at < len; at += size)
            memcpy(bytes + at, i ? gzip : ZSTD_EMPTY, size);
        arena_init(&mem, BUDGET);
        clock_t began = clock();
        assert_int_equal(decode(i ? CODING_GZIP : CODING_ZSTD, bytes, len,
                                BYTES_MAX, &mem, &text, &n, &err),
                         PROBLEM_NONE);
        double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
        print_message("# 4 MiB of empty members: %.3f s\n", seconds);
        assert_true(n == 0 && seconds < 5);
        arena_free(&mem);
        free(bytes);
    }
}

static void identity_is_passed_through(void **state)
{
    (void)state;
    static struct verdict v;
    struct stream *s = streams();
    for (size_t at = 0; at < s->text_len; at += 97) {
        in_pieces(CODING_IDENTITY, s->text, s->text_len, at, 1000, 64, &v);
        assert_true(becomes(&v, s));
    }
    in_pieces(CODING_IDENTITY, "", 0, 0, 1, 1, &v);
    assert_true(v.whole && v.n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(what_is_cut_off_is_told),
        cmocka_unit_test(what_is_damaged_is_told),
        cmocka_unit_test(odd_streams_are_told_however_cut),
        cmocka_unit_test(the_limit_is_of_the_content),
        cmocka_unit_test(identity_is_passed_through),
        cmocka_unit_test(many_members_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
