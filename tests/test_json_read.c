/* Reading JSON: verdicts, words and places. */
#include "api/json_locate.h"
#include "api/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
enum { PLENTY = 1 << 26 };

#define STRING(s) s, sizeof(s) - 1

#define MISSING PROBLEM_MISSING_MEMBER
#define UNKNOWN PROBLEM_UNKNOWN_MEMBER
#define NAN_INF PROBLEM_NON_FINITE
#define BAD PROBLEM_INVALID_VALUE

/* The document's kind, or -1 with *err set; its memory is taken back. */
static int kind_read(const char *text, size_t len, size_t budget,
                     struct api_error *err)
{
    struct arena mem;
    arena_init(&mem, budget);
    *err = (struct api_error){0};
    const json_t *doc = json_read(text, len, &mem, err);
    int kind = doc ? (int)json_typeof(doc) : -1;
    assert_int_equal(kind < 0, err->n == 1);
    arena_free(&mem);
    return kind;
}

static const struct {
    const char *text;
    size_t len;
} valid[] = {
    {STRING("{}")},
    {STRING("[]")},
    {STRING("0")},
    {STRING("\"\"")},
    {STRING(" \t\r\n[1, 2.5e-3, true, false, null, {\"a\": {}}]\r\n")},
    {STRING("{\"a\":1,\"b\":{\"a\":1}}")}, /* the same key, elsewhere */
    {STRING("[9223372036854775807,-9223372036854775808]")},
    {STRING("[1.7976931348623157e308,5e-324,1e-400]")},
    {STRING("\"\\u00e9\\ud83d\\ude00\\n\\/\"")},
    {STRING("\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"")},
};

static void valid_documents_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        struct api_error err;
        if (kind_read(valid[i].text, valid[i].len, PLENTY, &err) < 0)
            fail_msg("%s: %s", valid[i].text, err.fault[0].detail);
    }
}

/* The length given is what counts, not a terminator. */
static void length_bounds_the_text(void **state)
{
    (void)state;
    struct api_error err;
    assert_int_equal(kind_read("[1]]]", 3, PLENTY, &err), JSON_ARRAY);
    assert_int_equal(kind_read("{}[]", 2, PLENTY, &err), JSON_OBJECT);
    assert_int_equal(kind_read("[1]", 2, PLENTY, &err), -1);
}

/* Of a token that jansson does not like the place is its end. */
static const struct {
    const char *text;
    size_t len;
    const char *detail; /* how it begins */
} malformed[] = {
    {STRING(""), "it is empty; a JSON document is expected"},
    {STRING("  \n "), "line 2, column 2 (byte 4): "},
    {STRING("[1,]"), "line 1, column 5 (byte 4): "},
    {STRING("[1"), "line 1, column 3 (byte 2): "},
    {STRING("[1] x"), "line 1, column 6 (byte 5): end of file expected"},
    {STRING("{'a':1}"), "line 1, column 3 (byte 2): "},
    {STRING("[NaN]"), "line 1, column 5 (byte 4): invalid token near 'NaN'"},
    {STRING("[Infinity]"), "line 1, column 10 (byte 9): invalid token"},
    {STRING("{\"a\":1 \"b\":2}"), "line 1, column 11 (byte 10): "},
    {STRING("[1,\n2,\n  x]"), "line 3, column 4 (byte 10): "},
    {STRING("[1,\r\n2,\r\n  x]"), "line 3, column 4 (byte 12): "},
    {STRING("\"abc"), "line 1, column 5 (byte 4): premature end"},
    {STRING("[\"a\nb\"]"), "line 1, column 4 (byte 3): unexpected newline"},
    {STRING("\"\\x\""), "line 1, column 4 (byte 3): invalid escape"},
    {STRING("\"\\ud800\""), "line 1, column 9 (byte 8): "},
    /* keys given twice, at any depth, however written */
    {STRING("{\"a\":1,\n \"a\":2}"), "line 2, column 5 (byte 12): duplicate"},
    {STRING("[{\"b\":[{\"a\":1,\"a\":1}]}]"),
     "line 1, column 18 (byte 17): dup"},
    {STRING("{\"a\":1,\"\\u0061\":2}"), "line 1, column 16 (byte 15): dup"},
    /* bytes that are no UTF-8, and a byte order mark */
    {STRING("[\"\xff\"]"), "line 1, column 3 (byte 2): unable to decode"},
    {STRING("[\"\xc3\"]"), "line 1, column 3 (byte 2): unable to decode"},
    {STRING("[\"a\xed\xa0\x80\"]"), "line 1, column 4 (byte 3): unable"},
    {STRING("[\"\xc0\x80\"]"), "line 1, column 3 (byte 2): unable"},
    {STRING("\xef\xbb\xbf[]"), "line 1, column 4 (byte 3): invalid token"},
    /* NUL: raw ones are found before anything else */
    {STRING("[1,\n \0]"), "line 2, column 2 (byte 5): a NUL byte"},
    {STRING("\0"), "line 1, column 1 (byte 0): a NUL byte"},
    {STRING("[]\0"), "line 1, column 3 (byte 2): a NUL byte"},
    {STRING("[,\"a\0b\"]"), "line 1, column 5 (byte 4): a NUL byte"},
    {STRING("[\"\\u0000\"]"), "line 1, column 10 (byte 9): a NUL character"},
    {STRING("{\"\\u0000\":1}"), "line 1, column 10 (byte 9): NUL byte"},
};

static void malformed_documents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct api_error err;
        const struct api_fault *f = &err.fault[0];
        int kind = kind_read(malformed[i].text, malformed[i].len, PLENTY, &err);
        if (kind >= 0 || f->kind != PROBLEM_MALFORMED_JSON || *f->pointer ||
            strncmp(f->detail, malformed[i].detail,
                    strlen(malformed[i].detail)) != 0)
            fail_msg("%s: %zu faults, kind %d at '%s': %s", malformed[i].text,
                     err.n, (int)f->kind, f->pointer, f->detail);
    }
}

static void deep_documents_are_refused(void **state)
{
    (void)state;
    static char text[100000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "[{\"a\":"[i % 6];
    struct api_error err;
    assert_int_equal(kind_read(text, sizeof(text), PLENTY, &err), -1);
    memset(text, '[', sizeof(text));
    assert_int_equal(kind_read(text, sizeof(text), PLENTY, &err), -1);
    assert_int_equal(err.fault[0].kind, PROBLEM_MALFORMED_JSON);
}

static const struct {
    const char *text, *pointer, *detail;
} overflows[] = {
    {"1e999", "", "line 1, column 6 (byte 5) does not fit in a double"},
    {"[1e400,2]", "/0", "line 1, column 7 (byte 6) does not fit in a double"},
    {"[1 , -1e400 ]", "/1", "(byte 11) does not fit in a double"},
    {"9223372036854775808", "", "does not fit in a 64-bit integer"},
    {"{\"a\":\n[-9223372036854775809]}", "/a/0",
     "line 2, column 22 (byte 27) does not fit in a 64-bit integer"},
    {"{\"a\":[1,{\"b\":1e999}]}", "/a/1/b", "does not fit in a double"},
    {"{\"k\":{\"l\":1},\"a\":[[],{\"x\":{}},99999999999999999999]}", "/a/2",
     "does not fit in a 64-bit integer"},
    {"{\"integer\":1e400}", "/integer", "does not fit in a double"},
    {"{\"real\":[\"]\",\"\\\"[\",10000000000000000000]}", "/real/2",
     "does not fit in a 64-bit integer"},
};

static void numbers_too_large_have_a_pointer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(overflows); i++) {
        struct api_error err;
        const struct api_fault *f = &err.fault[0];
        const char *text = overflows[i].text;
        if (kind_read(text, strlen(text), PLENTY, &err) >= 0 ||
            f->kind != PROBLEM_NUMBER_RANGE ||
            strcmp(f->pointer, overflows[i].pointer) != 0 ||
            !strstr(f->detail, overflows[i].detail))
            fail_msg("%s: kind %d at '%s': %s", overflows[i].text, (int)f->kind,
                     f->pointer, f->detail);
    }
}

/*
 * Whatever memory there is: the document, or a 413 that says so.  Many small
 * values, then a long one: jansson 2.14 ignores that its buffer cannot grow.
 */
static void spent_memory_is_told(void **state)
{
    (void)state;
    enum { SMALL = 9000, LONG = 90000 };
    static char text[SMALL + LONG + 8] = "[";
    struct api_error err;
    size_t read = 0;
    for (size_t i = 0; i < SMALL; i++)
        text[1 + i] = "[],"[i % 3];
    text[1 + SMALL] = '"';
    memset(text + 2 + SMALL, 'a', LONG);
    strcpy(text + 2 + SMALL + LONG, "\"]");
    for (size_t budget = 0; budget < (size_t)1 << 21; budget += 5003) {
        int kind = kind_read(text, strlen(text), budget, &err);
        read += kind == JSON_ARRAY;
        if (kind < 0 && err.fault[0].kind != PROBLEM_MEMORY)
            fail_msg("with %zu bytes: kind %d, %s", budget,
                     (int)err.fault[0].kind, err.fault[0].detail);
    }
    assert_true(read > 0);
}

/* The pointer is of what stands before the '^', or of the end. */
static const struct {
    const char *text, *pointer;
    size_t size;
} places[] = {
    {"", "", 200},
    {"1", "", 200},
    {"[1^]", "/0", 200},
    {"[[],[[],[1,^", "/1/1/1", 200},
    {"[1]^", "", 200},
    {"{\"a\":^1}", "/a", 200},
    {"{\"a\":1,\"b\" :\n ^2}", "/b", 200},
    {"{\"a\":{\"b\":{\"c\":1}},\"d\":{\"e\":[0,^", "/d/e/1", 200},
    {"{\"a\":[1,2,3],\"b\":^", "/b", 200},
    {"{\"a\":\"b\",\"c\":^", "/c", 200},
    {"{\"a\":\",\",\"b\":\"}]\",\"c\":[\"[{\",^", "/c/1", 200},
    {"[\"\\\"\",\"\\\\\",\"a\\\",b\",^", "/3", 200},
    {"{\"\":^", "/", 200},
    {"[{\"a\":1},{\"a\":2},{\"a\":^", "/2/a", 200},
    {"{\"long\":[1,^", "/long/1", 12},
    {"{\"l\":{\"long\":[^", "/l", 8}, /* what does not fit ends it */
    {"{\"long\":[1,^", "", 5},
    {"{\"long\":[1,^", "", 3},
    {"{\"long\":[1,^", "", 1},
};

static void check_place(const char *text, size_t size, const char *want)
{
    char pointer[400];
    memset(pointer, '#', sizeof(pointer));
    json_locate(text, strcspn(text, "^"), pointer, size);
    for (size_t i = size; i < sizeof(pointer); i++)
        assert_int_equal(pointer[i], '#');
    if (strcmp(pointer, want) != 0)
        fail_msg("%s: '%s', not '%s'", text, pointer, want);
}

static void places_are_located(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++)
        check_place(places[i].text, places[i].size, places[i].pointer);
}

/* RFC 6901, section 4: the decoded key, its ~ as ~0 and its / as ~1. */
static void located_keys_are_escaped(void **state)
{
    (void)state;
    check_place("{\"a/b\":^", 200, "/a~1b");
    check_place("{\"a~b\":^", 200, "/a~0b");
    check_place("{\"~1\":[^", 200, "/~01/0");
    check_place("{\"a\\\"b\":^", 200, "/a\"b");
    check_place("{\"\\u00e9\":^", 200, "/\xc3\xa9");
}

/* Of more brackets the first 64 are told; back at 58, all are. */
static void depth_beyond_64_is_cut(void **state)
{
    (void)state;
    enum { TOLD = 64, LEFT = 58, DEEP = 200 };
    for (size_t depth = TOLD; depth < DEEP; depth++) {
        char text[2 * DEEP + 20] = "", want[2 * TOLD + 8] = "";
        memset(text, '[', depth);
        strcpy(text + depth, "1,\"a\",2");
        for (size_t i = 0; i < TOLD; i++)
            strcat(want, "/0");
        if (depth == TOLD)
            want[2 * TOLD - 1] = '2';
        check_place(text, 400, want);
        char *end = strchr(text, '\0');
        memset(end, ']', depth - LEFT);
        strcpy(end + depth - LEFT, ",5");
        strcpy(want + 2 * LEFT - 1, "1");
        check_place(text, 400, want);
    }
}

static void pointers_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *key, *pointer;
    } rows[] = {
        {"", "/7/"},        {"plain", "/7/plain"},
        {"a/b", "/7/a~1b"}, {"m~n", "/7/m~0n"},
        {"~1", "/7/~01"},   {"//~~", "/7/~1~1~0~0"},
        {"a b", "/7/a b"},  {"caf\xc3\xa9", "/7/caf\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char pointer[POINTER_BYTES];
        struct at list = {NULL, NULL, 7};
        at_pointer(&(struct at){&list, rows[i].key, 0}, pointer);
        assert_string_equal(pointer, rows[i].pointer);
    }
    char pointer[POINTER_BYTES];
    at_pointer(NULL, pointer);
    assert_string_equal(pointer, "");
    at_pointer(&(struct at){NULL, NULL, SIZE_MAX}, pointer);
    assert_string_equal(pointer, "/18446744073709551615");
}

/* Each part is told whole or not at all, within bounds. */
static void long_keys_end_a_pointer(void **state)
{
    (void)state;
    for (size_t len = 1; len < 400; len++) {
        char key[400], whole[820], pointer[POINTER_BYTES + 1];
        memset(key, len % 2 ? '~' : 'k', len);
        key[len] = '\0';
        memset(pointer, '#', sizeof(pointer));
        struct at list = {NULL, NULL, 7}, item = {&list, key, 0};
        at_pointer(&(struct at){&item, NULL, 8}, pointer);
        assert_int_equal(pointer[POINTER_BYTES], '#');
        size_t n = 3, got = strlen(pointer);
        strcpy(whole, "/7/");
        for (size_t k = 0; k < len; k++)
            n += (size_t)sprintf(whole + n, len % 2 ? "~0" : "k");
        strcpy(whole + n, "/8");
        /* else it is of the list around it, not of another place */
        if (strcmp(pointer, "/7") != 0 || len < 60)
            assert_true(strncmp(pointer, whole, got) == 0 && got >= n);
    }
}

/* Each JSON kind, and what each reader makes of it: 0 or the problem. */
static const struct {
    const char *text; /* NULL = missing */
    const char *kind;
    enum problem integer, number, array, object;
    int64_t as_integer;
    double as_number;
} kinds[] = {
    {NULL, "null", MISSING, MISSING, MISSING, MISSING, 0, 0},
    {"null", "null", BAD, BAD, BAD, BAD, 0, 0},
    {"true", "a boolean", BAD, BAD, BAD, BAD, 0, 0},
    {"false", "a boolean", BAD, BAD, BAD, BAD, 0, 0},
    {"\"1\"", "a string", BAD, BAD, BAD, BAD, 0, 0},
    {"\"NaN\"", "a string", BAD, NAN_INF, BAD, BAD, 0, 0},
    {"\"Infinity\"", "a string", BAD, NAN_INF, BAD, BAD, 0, 0},
    {"\"-Infinity\"", "a string", BAD, NAN_INF, BAD, BAD, 0, 0},
    {"\"nan\"", "a string", BAD, BAD, BAD, BAD, 0, 0},
    {"[]", "an array", BAD, BAD, PROBLEM_NONE, BAD, 0, 0},
    {"{}", "an object", BAD, BAD, BAD, PROBLEM_NONE, 0, 0},
    {"0", "a number", 0, 0, BAD, BAD, 0, 0},
    {"-7", "a number", 0, 0, BAD, BAD, -7, -7},
    {"9223372036854775807", "a number", 0, 0, BAD, BAD, INT64_MAX, 0x1p63},
    {"-9223372036854775808", "a number", 0, 0, BAD, BAD, INT64_MIN, -0x1p63},
    {"3.0", "a number", 0, 0, BAD, BAD, 3, 3},
    {"-0.0", "a number", 0, 0, BAD, BAD, 0, -0.0},
    {"1e3", "a number", 0, 0, BAD, BAD, 1000, 1000},
    {"9007199254740992.0", "a number", 0, 0, BAD, BAD, 9007199254740992,
     0x1p53},
    {"-9007199254740992.0", "a number", 0, 0, BAD, BAD, -9007199254740992,
     -0x1p53},
    {"9007199254740994.0", "a number", BAD, 0, BAD, BAD, 0, 0x1p53 + 2},
    {"1e300", "a number", BAD, 0, BAD, BAD, 0, 1e300},
    {"0.5", "a number", BAD, 0, BAD, BAD, 0, 0.5},
    {"5e-324", "a number", BAD, 0, BAD, BAD, 0, 5e-324},
};

static json_t *parse(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

/* The verdict of a reader, told of the place /box/2, and its words. */
static void check_verdict(const char *text, const char *what, int rc,
                          const struct api_error *err, enum problem want,
                          const char *kind, const char *must)
{
    const struct api_fault *f = &err->fault[0];
    char detail[DETAIL_BYTES];
    if ((rc == 0) != (want == PROBLEM_NONE) || (err->n == 0) != (rc == 0) ||
        (rc && (rc != -1 || f->kind != want)))
        fail_msg("%s of %s: %d, kind %d, not %d", what, text ? text : "none",
                 rc, (int)f->kind, (int)want);
    if (rc == 0 || want == PROBLEM_NON_FINITE)
        return;
    assert_string_equal(f->pointer, "/box/2");
    if (want == MISSING)
        snprintf(detail, sizeof(detail), "box[2] is missing; it must be %s",
                 must);
    else
        snprintf(detail, sizeof(detail), "box[2] is %s, must be %s", kind,
                 must);
    assert_string_equal(f->detail, detail);
}

static void readers_know_their_kinds(void **state)
{
    (void)state;
    struct at box = {NULL, "box", 0}, at = {&box, NULL, 2};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct api_error err = {0};
        int64_t n = 0;
        double x = 0;
        const char *text = kinds[i].text, *kind = kinds[i].kind;
        json_t *v = parse(text);
        assert_string_equal(json_kind(v), kind);
        int rc = read_integer(v, &at, &n, &err);
        check_verdict(text, "read_integer", rc, &err, kinds[i].integer, kind,
                      "an integer");
        assert_true(n == kinds[i].as_integer);
        err.n = 0;
        rc = read_number(v, &at, &x, &err);
        check_verdict(text, "read_number", rc, &err, kinds[i].number, kind,
                      "a number");
        assert_memory_equal(&x, &kinds[i].as_number, sizeof(x));
        err.n = 0;
        rc = read_array(v, &at, &err);
        check_verdict(text, "read_array", rc, &err, kinds[i].array, kind,
                      "an array");
        err.n = 0;
        rc = read_object(v, &at, &err);
        check_verdict(text, "read_object", rc, &err, kinds[i].object, kind,
                      "an object");
        json_decref(v);
    }
}

static const char *const names[] = {"summary", "per_class", "per_image"};

static const struct {
    const char *text, *detail;
    enum problem kind;
    size_t row;
} choices[] = {
    {"\"summary\"", NULL, 0, 0},
    {"\"per_image\"", NULL, 0, 2},
    {"\"sumary\"", "did you mean \"summary\"?", UNKNOWN, 0},
    {"\"per_clas\"", "did you mean \"per_class\"?", UNKNOWN, 0},
    {"\"Summary\"", "did you mean \"summary\"?", UNKNOWN, 0},
    {"\"curves\"", "known are summary, per_class, per_image", UNKNOWN, 0},
    {"\"\"", "known are summary, per_class, per_image", UNKNOWN, 0},
    {"1", "is a number, must be a string", BAD, 0},
    {"null", "is null, must be a string", BAD, 0},
    {NULL, "is missing; it must be a string", MISSING, 0},
};

static void choices_are_told(void **state)
{
    (void)state;
    struct at at = {NULL, "outputs", 0};
    for (size_t i = 0; i < COUNT(choices); i++) {
        struct api_error err = {0};
        size_t row = 99;
        json_t *v = parse(choices[i].text);
        int rc = read_choice(v, &at, names, COUNT(names), &row, &err);
        const struct api_fault *f = &err.fault[0];
        if (!choices[i].detail)
            assert_true(rc == 0 && err.n == 0 && row == choices[i].row);
        else if (rc != -1 || err.n != 1 || f->kind != choices[i].kind ||
                 strcmp(f->pointer, "/outputs") != 0 ||
                 !strstr(f->detail, choices[i].detail))
            fail_msg("%s: %d, kind %d at %s: %s", choices[i].text, rc,
                     (int)f->kind, f->pointer, f->detail);
        json_decref(v);
    }
}

static void unknown_members_are_told(void **state)
{
    (void)state;
    struct at at = {NULL, "parameters", 0};
    struct api_error err = {0};
    json_t *v = parse("{\"per_class\":1,\"sumary\":2,\"a/b\":3,\"summary\":4}");
    assert_int_equal(read_known(v, &at, names, COUNT(names), &err), -1);
    assert_int_equal(err.n, 2);
    assert_int_equal(err.fault[0].kind, UNKNOWN);
    assert_string_equal(err.fault[0].pointer, "/parameters/sumary");
    assert_non_null(strstr(err.fault[0].detail, "did you mean \"summary\"?"));
    assert_string_equal(err.fault[1].pointer, "/parameters/a~1b");
    assert_non_null(strstr(err.fault[1].detail, "known are summary, "));
    json_decref(v);
    v = parse("{\"per_class\":1,\"summary\":4}");
    err.n = 0;
    assert_int_equal(read_known(v, &at, names, COUNT(names), &err), 0);
    assert_int_equal(err.n, 0);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_documents_are_read),
        cmocka_unit_test(length_bounds_the_text),
        cmocka_unit_test(malformed_documents_are_refused),
        cmocka_unit_test(deep_documents_are_refused),
        cmocka_unit_test(numbers_too_large_have_a_pointer),
        cmocka_unit_test(places_are_located),
        cmocka_unit_test(located_keys_are_escaped),
        cmocka_unit_test(depth_beyond_64_is_cut),
        cmocka_unit_test(pointers_are_escaped),
        cmocka_unit_test(long_keys_end_a_pointer),
        cmocka_unit_test(readers_know_their_kinds),
        cmocka_unit_test(choices_are_told),
        cmocka_unit_test(unknown_members_are_told),
        cmocka_unit_test(spent_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
