/* Lifting: what leaves a document and what stays, and that nothing is lost. */
#include "core/random.h"
#include "tests/same_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MAX = 6 };

static const char *const operation[] = {"/inputs/*", "/inputs/*/data", NULL};
static const char *const batch[] = {"/requests/*/inputs/*",
                                    "/requests/*/inputs/*/data", NULL};
static const char *const everything[] = {"", "/*", "/*/*", "/*/*/*", NULL};

/* How many arrays are lifted from a text that ends with its memory. */
static size_t count(const char *text, size_t len, const char *const *wanted,
                    size_t max)
{
    size_t n;
    char *exact = malloc(len + !len);
    memcpy(exact, text, len);
    const char *what = documents_differ(exact, len, wanted, max, &n);
    free(exact);
    if (what)
        fail_msg("%.*s: %s differs", (int)len, text, what);
    return n;
}

/* Arrays as an input, and whether they are lifted. */
static const struct {
    const char *text;
    bool lifted;
} arrays[] = {
    {"[1]", true},
    {"[-1.5e3,2]", true},
    {" [ 1 ,\t2\r,\n3 ] ", true},
    {"[[1,2],[3,4]]", true},
    {"[[[1],[2]],[[3],[4]],[[5],[6]]]", true},
    {"[[[[[[[[1]]]]]]]]", true},
    {"[\"NaN\",\"Infinity\",\"-Infinity\",0]", true},
    {"[-0,-0.0,0.0]", true},
    {"[9007199254740991,-9007199254740991]", true},
    {"[9007199254740993.0,1e300,-1e-300]", true},
    {"[0.1000000000000000055511151231257827021181583404541015625]", true},
    {"[9007199254740993]", false}, /* no double */
    {"[-9007199254740993]", false},
    {"[123456789012345678]", false},
    {"[1234567890123456789]", false},
    {"[9223372036854775807]", false},
    {"[9223372036854775808]", false}, /* nor an integer: refused */
    {"[1e999]", false},
    {"[]", false},
    {"[[]]", false},
    {"[[1],[]]", false},
    {"[[1],[2,3]]", false},
    {"[[1,2],[3]]", false},
    {"[1,[2]]", false},
    {"[[1],2]", false},
    {"[[1],[[2]]]", false},
    {"[[[1]],[2]]", false},
    {"[[[[[[[[[1]]]]]]]]]", false},
    {"[true]", false},
    {"[1,null]", false},
    {"[{}]", false},
    {"[\"1\"]", false},
    {"[\"nan\"]", false},
    {"[\"\\u004eaN\"]", false},
    {"1", false},
    {"\"NaN\"", false},
    {"null", false},
    {"{\"a\":[1]}", false},
    {"[1,]", false}, /* no documents */
    {"[,1]", false},
    {"[1 2]", false},
    {"[1}", false},
    {"[01]", false},
    {"[1.]", false},
    {"[NaN]", false},
    {"[1", false},
    {"[[1]", false},
    {"[\"NaN]", false},
    {"[\"NaN", false},
};

static void arrays_are_lifted_or_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(arrays); i++) {
        char text[256];
        int n = snprintf(text, sizeof(text), "{\"inputs\":{\"x\":%s}}",
                         arrays[i].text);
        size_t got = count(text, (size_t)n, operation, MAX);
        if (got != arrays[i].lifted)
            fail_msg("%s: %zu lifted", text, got);
    }
}

/* Whole texts, and how many arrays are lifted from them. */
static const struct {
    const char *const *wanted;
    const char *text;
    size_t n;
} documents[] = {
    {operation, "", 0},
    {operation, " ", 0},
    {operation, "[1]", 0},
    {operation, "{}", 0},
    {operation, "{\"inputs\":[1]}", 0},
    {operation, "{\"inputs\":[[1],[2]]}", 2},
    {operation, "{\"inputs\":{\"x\":[1],\"y\":[2]},\"outputs\":[3]}", 2},
    {operation, "{\"outputs\":[1],\"inputs\":{\"x\":[1]}}", 1},
    {operation, "{\"inputs\":{\"x\":{\"shape\":[1],\"data\":[1]}}}", 1},
    {operation, "{\"inputs\":{\"x\":{\"data\":[[1]],\"y\":[2]}}}", 1},
    {operation, "{\"inputs\":[{\"data\":[1]},{\"data\":[[2]]}]}", 2},
    {operation, "{\"inputs\":{\"x\":{\"data\":{\"data\":[1]}}}}", 0},
    {operation, "{\"inputs\":{\"x\":{\"datum\":[1],\"dat\":[1]}}}", 0},
    {operation, "{\"a\":{\"inputs\":{\"x\":[1]}}}", 0},
    {operation, "{\"a\":\"]}[\\\"\",\"inputs\":{\"x\":[1]}}", 1},
    {operation, "{\"a\":[{\"b\":[\"}\\\\\"]},-1,true],\"inputs\":{\"x\":[1]}}",
     1},
    {operation, "{\"inputs\":{\"x\":null,\"y\":[1]}}", 1},
    {operation, "{\"inputs\":{\"\":[1],\"~/\":[2],\"\xc3\xa9\":[3]}}", 3},
    {operation, "{\"inputs\":{\"\\u0078\":[1]}}", 0},
    {operation, "{\"inputs/*\":[1],\"inputs/*/data\":[1],\"input\":[[1]]}", 0},
    {operation, "{\"inputs/\":{\"x\":[1]},\"inputsx\":{\"x\":[1]}}", 0},
    {operation, "{\"inputs\":{\"x\":{\"data\\u0000\":[1]}}}", 0},
    {operation, "{\"\\u0069nputs\":{\"x\":[1]}}", 0},
    {operation, "{\"inputs\":{\"x\":[1]}} \n", 1},
    {operation, "{\"inputs\":{\"x\":[1],\"y\":1e400}}", 0}, /* refused */
    {operation, "{\"inputs\":{\"x\":[1],\"x\":[2]}}", 0},
    {operation, "{\"inputs\":{\"x\":[1],\"\\u0078\":[2]}}", 0},
    {operation, "{\"inputs\":{\"x\":[1]}}{", 0},
    {operation, "{\"inputs\":{\"x\":[1]}", 0},
    {operation, "{\"inputs\":{\"x\":[1]]}", 0},
    {operation, "{\"inputs\":{\"x\":[1]5}}", 0},
    {operation, "{\"inputs\":{\"x\" [1]}}", 0},
    {operation, "{\"inputs\":{\"x\"::[1]}}", 0},
    {operation, "{\"inputs\":{x:[1]}}", 0},
    {operation, "{\"inputs\":{,\"x\":[1]}}", 0},
    {operation, "{\"inputs\":{\"x\":[1],}}", 0},
    {operation, "{\"inputs\":{\"x\":[1]\"y\":[1]}}", 0},
    {operation, "{\"inputs\":{\"x\":[1],\"\xff\":[1]}}", 0},
    {operation, "\n\n{\"inputs\":{\"x\":[1,\n2]},\n\"a\":[1,\n!]}", 0},
    {operation, "{\"inputs\":{\"x", 0},
    {operation, "{\"inputs\":{\"", 0},
    {operation, "{\"inputs\":{\"x\\", 0},
    {batch,
     "{\"requests\":[{\"inputs\":{\"x\":[1]}},{\"inputs\":{\"x\":[1]}}]}", 2},
    {batch, "{\"requests\":[[1],{\"inputs\":{\"x\":{\"data\":[1]}}}]}", 1},
    {everything, "[1]", 1},
    {everything, "[1,[2],[[3]]]", 2},
    {everything, "[{\"a\":[1]},[[[2,true],[3]]]]", 2},
};

static void patterns_say_what_is_wanted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++) {
        const char *text = documents[i].text;
        size_t n = count(text, strlen(text), documents[i].wanted, MAX);
        if (n != documents[i].n)
            fail_msg("%s: %zu lifted, not %zu", text, n, documents[i].n);
    }
}

static void nul_bytes_are_refused(void **state)
{
    static const char text[] = "{\"inputs\":{\"x\":[1,2],\"y\":[3]}} ";
    char broken[sizeof(text)];
    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        memcpy(broken, text, sizeof(text));
        broken[i] = '\0';
        assert_int_equal(count(broken, sizeof(text) - 1, operation, MAX), 0);
    }
}

static void bounds_hold(void **state)
{
    static const char text[] =
        "{\"inputs\":{\"a\":[1],\"b\":[[2]],\"c\":{\"data\":[3]},\"d\":[4]}}";
    (void)state;
    for (size_t max = 0; max <= MAX; max++)
        assert_int_equal(count(text, strlen(text), operation, max),
                         max < 4 ? max : 4);
}

/* Whoever has too little memory for the numbers reads them as a document. */
static void memory_is_bounded(void **state)
{
    enum { NUMBERS = 100000 };
    static char text[2 * NUMBERS + 64];
    static struct api_error err;
    struct lifted lifted;
    struct arena mem;
    (void)state;
    char *to = stpcpy(text, "{\"inputs\":{\"x\":[0");
    for (size_t i = 1; i < NUMBERS; i++)
        to = stpcpy(to, ",0");
    to = stpcpy(to, "]}}");
    for (size_t bytes = 1 << 12; bytes <= 1 << 21; bytes *= 2) {
        arena_init(&mem, bytes);
        err.n = 0;
        const json_t *doc = lift_read(text, (size_t)(to - text), operation, MAX,
                                      &mem, &lifted, &err);
        if (doc) {
            assert_int_equal(lifted.n, 1);
            assert_int_equal(lifted.lift[0].array.n, NUMBERS);
            assert_int_equal((uintptr_t)lifted.lift[0].array.data % 64, 0);
        } else {
            assert_int_equal(err.n, 1);
            assert_int_equal(err.fault[0].kind, PROBLEM_MEMORY);
        }
        assert_int_equal(doc != NULL, bytes >= 1 << 20);
        arena_free(&mem);
    }
}

/* What commas elsewhere were taken for is given back. */
static void memory_is_given_back(void **state)
{
    enum { COMMAS = 100000 };
    static char text[COMMAS + 64];
    static struct api_error err;
    struct lifted lifted;
    struct arena mem;
    (void)state;
    char *to = stpcpy(text, "{\"inputs\":{\"x\":[0]},\"a\":\"");
    memset(to, ',', COMMAS);
    to = stpcpy(to + COMMAS, "\"}");
    arena_init(&mem, 1 << 24);
    assert_non_null(lift_read(text, (size_t)(to - text), operation, MAX, &mem,
                              &lifted, &err));
    assert_int_equal(lifted.n, 1);
    assert_true(mem.bytes_used / 4 < COMMAS);
    arena_free(&mem);
}

/* Open brackets around an array; jansson goes down 2048 of them. */
static void depth_is_bounded(void **state)
{
    static const size_t depths[] = {1,    62,   63,   64,    65,
                                    2046, 2047, 2048, 300000};
    (void)state;
    for (size_t i = 0; i < COUNT(depths); i++) {
        size_t n = depths[i];
        char *text = malloc(2 * n + 64), *to = text;
        assert_non_null(text);
        to = stpcpy(to, "{\"inputs\":{\"x\":[1]},\"a\":");
        to = (char *)memset(to, '[', n) + n;
        to = (char *)memset(to, ']', n) + n;
        to = stpcpy(to, "}");
        size_t got = count(text, (size_t)(to - text), operation, MAX);
        assert_int_equal(got, n < 2048);
        free(text);
    }
}

/* In the order of the text, against it, and where nothing is. */
static void places_are_found(void **state)
{
    static const char text[] =
        "{\"requests\":[{\"inputs\":{\"x\":[0],\"y\":[1],\"xy\":[2]}},"
        "{\"inputs\":{\"y\":[3],\"x\":{\"data\":[4]}}},{\"inputs\":[[5]]}]}";
    static struct api_error err;
    static const struct {
        size_t request;
        const char *key, *data;
        double want; /* -1 = nothing */
    } rows[] = {
        {0, "x", NULL, 0},  {0, "y", NULL, 1},   {0, "xy", NULL, 2},
        {1, "x", NULL, -1}, {1, "x", "data", 4}, {1, "y", NULL, 3},
        {0, "y", NULL, 1},  {0, "x", NULL, 0},   {0, "x", "data", -1},
        {2, NULL, NULL, 5}, {2, "", NULL, -1},   {3, "x", NULL, -1},
        {0, "", NULL, -1},  {1, "xy", NULL, -1},
    };
    struct lifted lifted;
    struct arena mem;
    struct at in = {NULL, "requests", 0};
    (void)state;
    arena_init(&mem, 1 << 20);
    assert_non_null(
        lift_read(text, strlen(text), batch, MAX, &mem, &lifted, &err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct at item = {&in, NULL, rows[i].request};
        struct at inputs = {&item, "inputs", 0};
        struct at x = {&inputs, rows[i].key, 0}, data = {&x, "data", 0};
        struct op_tensor *t = lift_find(&lifted, rows[i].data ? &data : &x);
        double got = t ? ((const double *)t->data)[0] : -1;
        if (!(got == rows[i].want))
            fail_msg("row %zu finds %g", i, got);
        assert_int_equal(t ? (uintptr_t)t->data % 64 : 0, 0);
    }
    struct at before = {NULL, "a", 0}, requests = {&before, "requests", 0};
    struct at item = {&requests, NULL, 0}, inputs = {&item, "inputs", 0};
    assert_null(lift_find(&lifted, &(struct at){&inputs, "x", 0}));
    assert_null(lift_find(&lifted, NULL));
    assert_null(lift_find(NULL, &in));
    arena_free(&mem);
}

/* Whatever is broken, the words are those about the whole text. */
static void broken_documents_are_read_alike(void **state)
{
    static const char text[] =
        "{\"inputs\" :{\"x\":[[1,-2.5e3],[\"NaN\",4]],\n \"y\":{\"shape\":[2],"
        "\"data\":[5,\"-Infinity\"]},\"z\":{}},\"a\":[true,\"\\u00e9\\\"\",\n"
        "{\"b\":null,\"inputs\":[-0,1e999]}],\"requests\":[{\"inputs\":{"
        "\"x\":[1,2,3]}}]}";
    static const char bytes[] = "\"\\,:[]{}0-.e 9n\xc3\0";
    static const char *const *const wanted[] = {operation, batch, everything};
    char broken[sizeof(text)];
    uint64_t r = 4;
    (void)state;
    for (size_t i = 0; i < 100000; i++) {
        size_t len = sizeof(text) - 1, at = random_next(&r) % len;
        memcpy(broken, text, len);
        switch (random_next(&r) % 4) {
        case 0:
            broken[at] = bytes[random_next(&r) % (sizeof(bytes) - 1)];
            break;
        case 1:
            memmove(broken + at, broken + at + 1, --len - at);
            break;
        case 2:
            memmove(broken + at + 1, broken + at, len++ - at);
            break;
        default:
            len = at;
        }
        count(broken, len, wanted[i % COUNT(wanted)], MAX);
    }
}

/* Time grows with the text, not with its square. */
static void many_arrays_are_lifted(void **state)
{
    enum { ARRAYS = 200000, MANY = 1536 };
    char *text = malloc((size_t)ARRAYS * 16), *to = text;
    (void)state;
    assert_non_null(text);
    to = stpcpy(to, "{\"inputs\":[");
    for (int i = 0; i < ARRAYS; i++)
        to += sprintf(to, "%s[%d]", i ? "," : "", i);
    to = stpcpy(to, "]}");
    assert_int_equal(count(text, (size_t)(to - text), operation, MANY), MANY);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_lifted_or_stay),
        cmocka_unit_test(patterns_say_what_is_wanted),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(memory_is_given_back),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(broken_documents_are_read_alike),
        cmocka_unit_test(many_arrays_are_lifted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
