/*
 * Content codings: bombs, what clients ask for, and requests and answers that
 * are compressed, against the same ones that are not.
 */
#include "api/api.h"
#include "tests/decoded.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include <jansson.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MIB = 1 << 20 };
static const size_t BUDGET = (size_t)1 << 26;

/* Numbers as JSON has them. */
static void write_text(char *text, size_t n)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = i % 9 == 0 ? ',' : (char)('0' + x / 429496730);
    }
}

static size_t resident_bytes(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (size_t)use.ru_maxrss * 1024;
}

/* A gigabyte of nothing in 36 KB: blocks of one byte, 128 KiB times. */
static char *bomb_zstd(size_t *len)
{
    enum { BLOCKS = 8192 };
    char *bytes = malloc(*len = 6 + 4 * BLOCKS);
    memcpy(bytes, "\x28\xb5\x2f\xfd\0\x68", 6);
    for (size_t i = 0; i < BLOCKS; i++)
        memcpy(bytes + 6 + 4 * i, i + 1 < BLOCKS ? "\2\0\x10" : "\3\0\x10", 4);
    return bytes;
}

/* The same as a thousand members of gzip in 5 MB. */
static char *bomb_gzip(size_t *len)
{
    char *zeros = calloc(MIB, 1), *member = zeros;
    struct arena mem;
    size_t n = MIB;
    arena_init(&mem, BUDGET);
    assert_true(content_encode(CODING_GZIP, &member, &n, &mem));
    char *bytes = malloc(*len = 1024 * n);
    for (size_t i = 0; i < 1024; i++)
        memcpy(bytes + i * n, member, n);
    arena_free(&mem);
    free(zeros);
    return bytes;
}

static void bombs_cost_no_more_than_the_limit(void **state)
{
    (void)state;
    char *(*const bombs[])(size_t *) = {bomb_zstd, bomb_gzip};
    for (size_t i = 0; i < COUNT(bombs); i++) {
        size_t len, n, limit = 40 * MIB + 7;
        char *bytes = bombs[i](&len), number[32];
        const char *text;
        struct api_error err;
        struct arena mem;
        assert_true(len < 6 * MIB);
        arena_init(&mem, BUDGET);
        size_t before = resident_bytes();
        clock_t began = clock();
        enum problem p = decode(i ? CODING_GZIP : CODING_ZSTD, bytes, len,
                                limit, &mem, &text, &n, &err);
        double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
        size_t grown = resident_bytes() - before;
        assert_int_equal(p, PROBLEM_BODY_TOO_LARGE);
        snprintf(number, sizeof(number), "%zu bytes", limit);
        assert_non_null(strstr(err.fault[0].detail, number));
        assert_non_null(strstr(err.fault[0].detail, "nflated"));
        assert_int_equal(mem.bytes_used, 0);
        print_message("# bomb %zu: %.3f s, %zu KB\n", i, seconds, grown >> 10);
#ifndef __SANITIZE_ADDRESS__
        assert_true(grown < 2 * limit); /* and 8 MiB are the window's */
#endif
        assert_true(seconds < 5);
        arena_free(&mem);
        free(bytes);
    }
}

static const struct {
    const char *header;
    enum coding coding;
} content_encodings[] = {
    {NULL, CODING_IDENTITY},        {"", CODING_IDENTITY},
    {"identity", CODING_IDENTITY},  {" Identity\t", CODING_IDENTITY},
    {"gzip", CODING_GZIP},          {"GZip", CODING_GZIP},
    {"  gzip ", CODING_GZIP},       {"x-gzip", CODING_GZIP},
    {"X-GZIP", CODING_GZIP},        {"zstd", CODING_ZSTD},
    {"ZSTD ", CODING_ZSTD},         {"br", CODING_UNKNOWN},
    {"deflate", CODING_UNKNOWN},    {"gzip, zstd", CODING_UNKNOWN},
    {"gzip,", CODING_UNKNOWN},      {"gzip zstd", CODING_UNKNOWN},
    {"gzi", CODING_UNKNOWN},        {"gzipp", CODING_UNKNOWN},
    {"*", CODING_UNKNOWN},          {"x-zstd", CODING_UNKNOWN},
    {"g\xc3\xbcp", CODING_UNKNOWN},
};

static void content_encoding_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(content_encodings); i++)
        if (coding_of(content_encodings[i].header) !=
            content_encodings[i].coding)
            fail_msg("Content-Encoding: %s", content_encodings[i].header);
}

static const struct {
    const char *header;
    enum coding coding;
} accept_encodings[] = {
    {NULL, CODING_IDENTITY},
    {"", CODING_IDENTITY},
    {"gzip", CODING_GZIP},
    {"zstd", CODING_ZSTD},
    {"gzip, zstd", CODING_ZSTD},
    {"GZIP", CODING_GZIP},
    {" gzip ;Q=0.5 ", CODING_GZIP},
    {"gzip, deflate, br", CODING_GZIP},
    {"gzip, deflate, br, zstd", CODING_ZSTD},
    {"deflate, br", CODING_IDENTITY},
    {"gzip;q=1, zstd;q=0.9", CODING_GZIP},
    {"gzip;q=0.9, zstd;q=0.9", CODING_ZSTD},
    {"gzip;q=0.001", CODING_GZIP},
    {"gzip;q=0", CODING_IDENTITY},
    {"gzip;q=0.000, zstd; q=0.1", CODING_ZSTD},
    {"*", CODING_ZSTD},
    {"*;q=0.1", CODING_ZSTD},
    {"*;q=0", CODING_IDENTITY},
    {"zstd;q=0, *", CODING_GZIP},
    {"gzip;q=0, zstd;q=0, *", CODING_IDENTITY},
    {"gzip;q=0.4, zstd;q=0, *;q=0.5", CODING_IDENTITY},
    {"gzip, *;q=0", CODING_GZIP},
    {"gzip, *;q=0.5", CODING_GZIP},
    {"*;q=0.5, gzip", CODING_GZIP},
    {"identity", CODING_IDENTITY},
    {"identity, gzip", CODING_GZIP},
    {"identity;q=1, gzip;q=0.5", CODING_IDENTITY},
    {"identity;q=0.5, gzip;q=0.5", CODING_GZIP},
    {"identity;q=0.5, gzip;q=0.4, zstd;q=0.6", CODING_ZSTD},
    {"identity;q=0, gzip;q=0.1", CODING_GZIP},
    {"identity;q=0", CODING_IDENTITY},
    {"identity;q=0, *", CODING_ZSTD},
    {"identity;q=0, *;q=0", CODING_IDENTITY},
    {"gzip;q=nan", CODING_IDENTITY},
    {"gzip;q=", CODING_IDENTITY},
    {"gzip;q=-1", CODING_IDENTITY},
    {"gzip;level=9", CODING_GZIP},
    {",, gzip,", CODING_GZIP},
    {"gzi, gzipp", CODING_IDENTITY},
    {"gzip zstd", CODING_IDENTITY},
    {"x;gzip", CODING_IDENTITY},
    {"\"gzip\"", CODING_IDENTITY},
};

static void accept_encoding_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accept_encodings); i++) {
        enum coding got = coding_wanted(accept_encodings[i].header);
        if (got != accept_encodings[i].coding)
            fail_msg("Accept-Encoding: %s gives %s", accept_encodings[i].header,
                     coding_name(got));
    }
}

/* Encodes twice, to the same bytes, and decodes. */
static void check_round_trip(enum coding coding, const char *text, size_t n)
{
    struct arena mem, again;
    char *body = (char *)(uintptr_t)text, *same = body;
    const char *back;
    size_t len = n, same_len = n;
    struct api_error err;
    arena_init(&mem, BUDGET);
    arena_init(&again, BUDGET);
    assert_true(content_encode(coding, &body, &len, &mem));
    assert_true(len < n);
    memset(arena_alloc(&again, 100000, 1), 0xff, 100000);
    arena_clear(&again, SIZE_MAX);
    assert_true(content_encode(coding, &same, &same_len, &again));
    assert_int_equal(len, same_len);
    assert_memory_equal(body, same, len);
    char *sent = malloc(len);
    memcpy(sent, body, len);
    assert_int_equal(decode(coding, sent, len, n, &mem, &back, &same_len, &err),
                     PROBLEM_NONE);
    assert_int_equal(same_len, n);
    assert_memory_equal(back, text, n);
    free(sent);
    arena_free(&mem);
    arena_free(&again);
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    static const size_t sizes[] = {200,    1024,    65535,  65536,
                                   131073, 1 << 19, 3 * MIB};
    char *text = malloc(3 * MIB);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t zeros = 0; zeros < 2; zeros++) {
            memset(text, 0, sizes[i]);
            if (!zeros)
                write_text(text, sizes[i]);
            check_round_trip(CODING_GZIP, text, sizes[i]);
            check_round_trip(CODING_ZSTD, text, sizes[i]);
        }
    free(text);
}

/* Noise, nothing, nobody asks, no memory: the answer stays as it is. */
static void what_saves_nothing_is_left(void **state)
{
    (void)state;
    char noise[2000], text[2000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(noise); i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (char)(x >> 24);
    }
    write_text(text, sizeof(text));
    for (enum coding c = CODING_IDENTITY; c < CODING_UNKNOWN; c++)
        for (size_t i = 0; i < 4; i++) {
            char *body = i ? text : noise;
            size_t n = i == 1 ? 0 : sizeof(noise), len = n;
            struct arena mem;
            arena_init(&mem, i == 2 ? 1000 : BUDGET);
            bool good = content_encode(c, &body, &len, &mem);
            assert_int_equal(good, i == 3 && c != CODING_IDENTITY);
            if (!good)
                assert_true(body == (i ? text : noise) && len == n &&
                            mem.bytes_used == 0 && !mem.failed);
            arena_free(&mem);
        }
}

/* A request and what became of it. */
struct exchange {
    struct api_request req;
    struct arena mem;
    struct api_route route;
    struct api_response res;
};

static void run(struct exchange *x, size_t body_bytes_max)
{
    struct api_env env = {.par = &parallel_serial,
                          .body_bytes_max = body_bytes_max,
                          .workers = 1};
    x->req.query = "";
    x->req.request_id = "7";
    x->req.content_type = "application/json";
    arena_init(&x->mem, BUDGET);
    x->route = api_find(&x->req);
    if (api_admit(&env, &x->req, &x->mem, &x->res))
        api_answer(&env, &x->req, &x->mem, &x->res);
}

/* The answer's body, inflated; in its arena. */
static void inflate_answer(struct exchange *x, const char **text, size_t *n)
{
    struct api_error err;
    const struct api_response *res = &x->res;
    *text = res->body;
    *n = res->body_len;
    if (!res->content_encoding)
        return;
    enum problem p = decode(coding_of(res->content_encoding), res->body,
                            res->body_len, 4 * MIB, &x->mem, text, n, &err);
    assert_int_equal(p, PROBLEM_NONE);
}

#define MISH "/v1/activations/mish"
enum { NUMBERS = 4000, REQUEST_BYTES = 8 * NUMBERS };

/* A request of some numbers, most of which are in its spaces. */
static char *request(size_t *len)
{
    char *text = malloc(REQUEST_BYTES);
    size_t n = (size_t)sprintf(text, "{\"inputs\":{\"x\":[0");
    for (size_t i = 1; i < NUMBERS; i++)
        n += (size_t)sprintf(text + n, ",%zu.5", i % 50);
    *len = n + (size_t)sprintf(text + n, "]}}");
    return text;
}

static void compressed_requests_are_as_others(void **state)
{
    (void)state;
    size_t len, n;
    char *text = request(&len);
    struct exchange plain = {
        .req = {.method = "POST", .path = MISH, .body = text, .body_len = len}};
    run(&plain, len);
    assert_int_equal(plain.res.status, 200);
    assert_int_equal(plain.route.encoded, false);
    assert_true(plain.route.inline_bytes_max > 0);
    for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++)
        for (size_t less = 0; less < 2; less++) {
            struct arena mem;
            char *body = text;
            const char *answer;
            n = len;
            arena_init(&mem, BUDGET);
            assert_true(content_encode(c, &body, &n, &mem));
            struct exchange x = {.req = {.method = "POST",
                                         .path = MISH,
                                         .content_encoding = coding_name(c),
                                         .accept_encoding = coding_name(c),
                                         .body = body,
                                         .body_len = n}};
            run(&x, len - less);
            assert_int_equal(x.route.encoded, true);
            assert_int_equal(x.route.inline_bytes_max, 0);
            assert_int_equal(x.res.status, less ? 413 : 200);
            if (!less) {
                assert_string_equal(x.res.content_encoding, coding_name(c));
                assert_true(x.mem.bytes_max >= BUDGET + len +
                                                   api_memory_bytes(len) -
                                                   api_memory_bytes(n));
                inflate_answer(&x, &answer, &n);
                assert_int_equal(n, plain.res.body_len);
                assert_memory_equal(answer, plain.res.body, n);
            }
            arena_free(&x.mem);
            arena_free(&mem);
        }
    arena_free(&plain.mem);
    free(text);
}

/* Paths with answers that are long and short, tagged and not. */
static const struct {
    const char *path;
    bool is_long, tagged;
} answers[] = {
    {"/openapi.json", true, true},  {"/docs", true, true},
    {"/v1/operations", true, true}, {"/v1", true, false},
    {"/livez", false, false},       {"/problems/not-found", false, true},
};
static const char *const asked[] = {NULL, "gzip", "zstd", "br"};

/* An answer to GET or HEAD in the coding that was asked for. */
static void check_answer(size_t i, const char *asks, const char *method)
{
    struct exchange plain = {.req = {.method = "GET", .path = answers[i].path}};
    struct exchange x = {.req = {.method = method,
                                 .path = answers[i].path,
                                 .accept_encoding = asks}};
    const char *text;
    size_t n;
    run(&plain, MIB);
    run(&x, MIB);
    bool long_enough = plain.res.body_len >= CONTENT_BYTES_MIN;
    bool encoded = long_enough && coding_wanted(asks) != CODING_IDENTITY;
    assert_int_equal(answers[i].is_long, long_enough);
    assert_int_equal(x.res.content_encoding != NULL, encoded);
    assert_int_equal(x.res.vary != NULL, long_enough);
    assert_int_equal(plain.res.vary != NULL, long_enough);
    assert_int_equal(x.res.etag != NULL, answers[i].tagged);
    if (encoded)
        assert_string_equal(x.res.content_encoding, asks);
    if (answers[i].tagged) /* another name for other bytes */
        assert_int_equal(strcmp(x.res.etag, plain.res.etag) != 0, encoded);
    inflate_answer(&x, &text, &n);
    assert_int_equal(n, plain.res.body_len);
    assert_memory_equal(text, plain.res.body, n);
    if (answers[i].tagged) {
        struct exchange y = {.req = x.req};
        y.req.if_none_match = x.res.etag;
        run(&y, MIB);
        assert_int_equal(y.res.status, 304);
        assert_string_equal(y.res.etag, x.res.etag);
        assert_true(!y.res.vary == !x.res.vary && !y.res.content_encoding);
        arena_free(&y.mem);
    }
    arena_free(&x.mem);
    arena_free(&plain.mem);
}

static void answers_are_compressed_where_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++)
        for (size_t k = 0; k < COUNT(asked); k++) {
            check_answer(i, asked[k], "GET");
            check_answer(i, asked[k], "HEAD");
        }
}

/* Twenty faults are a long problem. */
static void problems_are_compressed_too(void **state)
{
    (void)state;
    static const char body[] =
        "{\"inputs\":{\"x\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]},"
        "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1}";
    struct exchange x = {.req = {.method = "POST",
                                 .path = MISH,
                                 .accept_encoding = "zstd",
                                 .body = body,
                                 .body_len = sizeof(body) - 1}};
    const char *text;
    size_t n;
    run(&x, MIB);
    assert_int_equal(x.res.status, 422);
    assert_string_equal(x.res.content_encoding, "zstd");
    assert_string_equal(x.res.vary, "Accept-Encoding");
    inflate_answer(&x, &text, &n);
    assert_true(n > CONTENT_BYTES_MIN);
    json_t *v = json_loadb(text, n, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(v, "status")), 422);
    json_decref(v);
    arena_free(&x.mem);
}

/* RFC 9110, 12.5.3: Accept-Encoding says that the coding was the reason. */
static void unknown_codings_are_told(void **state)
{
    (void)state;
    static const char *const types[] = {"application/json", "text/html"};
    for (size_t i = 0; i < COUNT(types); i++) {
        struct exchange x = {.req = {.method = "POST",
                                     .path = "/v1/detection/evaluate",
                                     .content_encoding = i ? "gzip" : "br",
                                     .body = "{}",
                                     .body_len = 2}};
        struct api_env env = {.body_bytes_max = MIB};
        x.req.query = "";
        x.req.content_type = types[i];
        arena_init(&x.mem, BUDGET);
        assert_false(api_admit(&env, &x.req, &x.mem, &x.res));
        assert_int_equal(x.res.status, 415);
        assert_int_equal(x.res.accept_encoding != NULL, i == 0);
        assert_non_null(x.res.accept_post);
        if (i == 0)
            assert_string_equal(x.res.accept_encoding, CONTENT_CODINGS);
        arena_free(&x.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first, as it looks at the most memory that was ever used */
        cmocka_unit_test(bombs_cost_no_more_than_the_limit),
        cmocka_unit_test(content_encoding_is_read),
        cmocka_unit_test(accept_encoding_is_read),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(what_saves_nothing_is_left),
        cmocka_unit_test(compressed_requests_are_as_others),
        cmocka_unit_test(answers_are_compressed_where_asked),
        cmocka_unit_test(problems_are_compressed_too),
        cmocka_unit_test(unknown_codings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
