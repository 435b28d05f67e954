/* The JSON writer: commas, layout, escapes, and jansson reading it back. */
#include "api/json_out.h"
#include "core/random.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FFFD "\xef\xbf\xbd"

enum { PLENTY = 1 << 26 };

/*
 * A letter per call: brackets open and close, capitals are keys, digits are
 * integers, t f n are words, s is a string, x is 0.5.
 */
static void play(struct json_out *out, const char *script)
{
    for (; *script; script++) {
        char c = *script, key[] = {c, '\0'};
        if (c == '[' || c == '{')
            out_open(out, c);
        else if (c == ']' || c == '}')
            out_close(out, c);
        else if (c >= 'A' && c <= 'Z')
            out_key(out, key);
        else if (c >= '0' && c <= '9')
            out_integer(out, c - '0');
        else if (c == 's')
            out_string(out, "s");
        else if (c == 'x')
            out_number(out, 0.5);
        else if (c == 'n')
            out_null(out);
        else
            out_boolean(out, c == 't');
    }
}

static const struct {
    const char *script, *compact, *pretty;
} layouts[] = {
    {"[]", "[]", "[]\n"},
    {"{}", "{}", "{}\n"},
    {"1", "1", "1"},
    {"s", "\"s\"", "\"s\""},
    {"[1]", "[1]", "[\n  1\n]\n"},
    {"[12]", "[1,2]", "[\n  1,\n  2\n]\n"},
    {"{A1}", "{\"A\":1}", "{\n  \"A\": 1\n}\n"},
    {"{A1B2}", "{\"A\":1,\"B\":2}", "{\n  \"A\": 1,\n  \"B\": 2\n}\n"},
    {"{A[]B{}}", "{\"A\":[],\"B\":{}}", "{\n  \"A\": [],\n  \"B\": {}\n}\n"},
    {"[[][]]", "[[],[]]", "[\n  [],\n  []\n]\n"},
    {"[[1]2]", "[[1],2]", "[\n  [\n    1\n  ],\n  2\n]\n"},
    {"[{A1}{}]", "[{\"A\":1},{}]", "[\n  {\n    \"A\": 1\n  },\n  {}\n]\n"},
    {"[tfnsx]", "[true,false,null,\"s\",0.5]",
     "[\n  true,\n  false,\n  null,\n  \"s\",\n  0.5\n]\n"},
    {"{AtBfCnDsEx}",
     "{\"A\":true,\"B\":false,\"C\":null,\"D\":\"s\",\"E\":0.5}",
     "{\n  \"A\": true,\n  \"B\": false,\n  \"C\": null,\n  \"D\": \"s\",\n"
     "  \"E\": 0.5\n}\n"},
    {"{A{B{C[[[]]]}}D1}", "{\"A\":{\"B\":{\"C\":[[[]]]}},\"D\":1}",
     "{\n  \"A\": {\n    \"B\": {\n      \"C\": [\n        [\n          []\n"
     "        ]\n      ]\n    }\n  },\n  \"D\": 1\n}\n"},
};

static void check_text(const struct json_out *out, const char *want)
{
    assert_false(out->failed);
    if (out->len != strlen(want) || memcmp(out->text, want, out->len) != 0)
        fail_msg("got %.*s, want %s", (int)out->len, out->text, want);
}

static void scripts_have_their_layout(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(layouts); i++) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        play(&out, layouts[i].script);
        check_text(&out, layouts[i].compact);
        json_out_init(&out, &mem, true);
        play(&out, layouts[i].script);
        check_text(&out, layouts[i].pretty);
        arena_free(&mem);
    }
}

static const struct {
    const char *bytes, *want;
} strings[] = {
    {"", ""},
    {"plain /'<>", "plain /'<>"},
    {"\"\\/", "\\\"\\\\/"},
    {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
    {"\x01\x02\x07\x0b\x0e\x1f", "\\u0001\\u0002\\u0007\\u000b\\u000e\\u001f"},
    {"\x20\x7f", "\x20\x7f"},
    /* first and last of each length: RFC 3629, section 4 */
    {"\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf"},
    {"\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf"},
    {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"\xe1\x80\x80\xec\xbf\xbf", "\xe1\x80\x80\xec\xbf\xbf"},
    {"\xf1\x80\x80\x80\xf3\xbf\xbf\xbf", "\xf1\x80\x80\x80\xf3\xbf\xbf\xbf"},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa8\xe2\x80\xa9"},
    /* stray continuations, bytes that no sequence has */
    {"a\x80z", "a" FFFD "z"},
    {"a\xbfz", "a" FFFD "z"},
    {"a\xfez\xff", "a" FFFD "z" FFFD},
    {"\xf8\x88", FFFD FFFD},
    /* overlong */
    {"\xc0\x80", FFFD FFFD},
    {"\xc1\xbf", FFFD FFFD},
    {"\xe0\x80\x80", FFFD FFFD FFFD},
    {"\xe0\x9f\xbf", FFFD FFFD FFFD},
    {"\xf0\x80\x80\x80", FFFD FFFD FFFD FFFD},
    {"\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD},
    /* surrogates, beyond U+10FFFF */
    {"\xed\xa0\x80", FFFD FFFD FFFD},
    {"\xed\xbf\xbf", FFFD FFFD FFFD},
    {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
    {"\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD},
    /* truncated, by the end or by something else */
    {"\xc3", FFFD},
    {"\xe2\x82", FFFD FFFD},
    {"\xe2", FFFD},
    {"\xf0\x9f\x98", FFFD FFFD FFFD},
    {"\xf0\x9f", FFFD FFFD},
    {"\xf0", FFFD},
    {"\xc3(", FFFD "("},
    {"\xe2\x82\"", FFFD FFFD "\\\""},
    {"\xe2\xc3\xa9", FFFD "\xc3\xa9"},
    {"\xf0\x9f\x98\n", FFFD FFFD FFFD "\\n"},
};

static void strings_are_escaped_and_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        char want[200];
        struct arena mem;
        struct json_out out;
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        out_string(&out, strings[i].bytes);
        snprintf(want, sizeof(want), "\"%s\"", strings[i].want);
        check_text(&out, want);
        json_out_init(&out, &mem, false);
        out_open(&out, '{');
        out_member_string(&out, strings[i].bytes, strings[i].bytes);
        out_close(&out, '}');
        snprintf(want, sizeof(want), "{\"%s\":\"%s\"}", strings[i].want,
                 strings[i].want);
        check_text(&out, want);
        json_t *v = json_loadb(out.text, out.len, 0, NULL);
        if (!v)
            fail_msg("jansson refuses %.*s", (int)out.len, out.text);
        json_decref(v);
        arena_free(&mem);
    }
}

/* Of any bytes at all the writer makes a string that jansson reads. */
static void random_bytes_are_readable(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct arena mem;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < 20000; i++) {
        char bytes[24] = "";
        struct json_out out;
        size_t n = random_next(&seed) % sizeof(bytes);
        for (size_t j = 0; j < n; j++) {
            uint64_t r = random_next(&seed);
            bytes[j] = (char)(r % 3 ? 0x80 | (r >> 8 & 0x7f) : r >> 16 & 0xff);
        }
        bytes[n] = '\0';
        json_out_init(&out, &mem, false);
        out_string(&out, bytes);
        json_t *v = json_loadb(out.text, out.len, JSON_DECODE_ANY, NULL);
        if (!v)
            fail_msg("jansson refuses %.*s", (int)out.len, out.text);
        json_decref(v);
        arena_clear(&mem, 1 << 20);
    }
    arena_free(&mem);
}

static void numbers_are_json(void **state)
{
    (void)state;
    struct arena mem;
    struct json_out out;
    arena_init(&mem, PLENTY);
    json_out_init(&out, &mem, false);
    out_open(&out, '{');
    out_member_number(&out, "nan", (double)NAN);
    out_member_number(&out, "inf", (double)INFINITY);
    out_member_number(&out, "-inf", -(double)INFINITY);
    out_member_number(&out, "-0", -0.0);
    out_member_number(&out, "most", 1.7976931348623157e308);
    out_member_number(&out, "one", 1);
    out_member_integer(&out, "max", INT64_MAX);
    out_member_integer(&out, "min", INT64_MIN);
    out_close(&out, '}');
    check_text(&out,
               "{\"nan\":null,\"inf\":null,\"-inf\":null,\"-0\":-0.0,"
               "\"most\":1.7976931348623157e308,\"one\":1.0,"
               "\"max\":9223372036854775807,\"min\":-9223372036854775808}");
    arena_free(&mem);
}

static void plain_bytes_and_formats_follow_each_other(void **state)
{
    (void)state;
    enum { WIDE = 10000 };
    struct arena mem;
    struct json_out out;
    arena_init(&mem, PLENTY);
    json_out_init(&out, &mem, false);
    out_bytes(&out, "a\0b", 3);
    out_format(&out, "%s%d", "", 7);
    out_format(&out, "%s", "");
    out_format(&out, "%*d", WIDE, 5);
    out_format(&out, "%*d", WIDE, 6);
    assert_false(out.failed);
    assert_int_equal(out.len, 4 + 2 * WIDE);
    assert_memory_equal(out.text, "a\0b7 ", 5);
    assert_int_equal(out.text[4 + WIDE - 1], '5');
    assert_int_equal(out.text[4 + 2 * WIDE - 1], '6');
    arena_free(&mem);
}

/* A document of about 30 KB, which outgrows its memory several times. */
static void write_large(struct json_out *out)
{
    out_open(out, '[');
    for (int i = 0; i < 400; i++) {
        out_open(out, '{');
        out_member_string(out, "name", "caf\xc3\xa9\n\x01\xff");
        out_member_integer(out, "number", i);
        out_member_number(out, "third", i / 3.0);
        out_key(out, "list");
        play(out, "[tfn]");
        out_close(out, '}');
    }
    out_close(out, ']');
    out_format(out, "%d", 1);
}

static void spent_arena_fails_for_good(void **state)
{
    (void)state;
    struct arena plenty, mem;
    struct json_out want, out;
    size_t failures = 0;
    arena_init(&plenty, PLENTY);
    json_out_init(&want, &plenty, true);
    write_large(&want);
    assert_false(want.failed);
    for (size_t budget = 0; budget <= (size_t)1 << 18; budget += 1021) {
        arena_init(&mem, budget);
        json_out_init(&out, &mem, true);
        write_large(&out);
        assert_true(out.len <= out.capacity && out.len <= want.len);
        if (!out.failed)
            assert_int_equal(out.len, want.len);
        if (out.len)
            assert_memory_equal(out.text, want.text, out.len);
        failures += out.failed;
        size_t len = out.len;
        out_null(&out);
        assert_int_equal(out.len == len, out.failed);
        arena_free(&mem);
    }
    assert_true(failures > 0 && failures < 200);
    assert_false(out.failed);
    arena_free(&plenty);
}

/* What came after a failure is dropped too, even if it would fit. */
static void nothing_follows_a_failure(void **state)
{
    (void)state;
    struct arena mem;
    struct json_out out;
    arena_init(&mem, 20000);
    json_out_init(&out, &mem, false);
    out_format(&out, "%50000d", 1);
    assert_true(out.failed);
    out_format(&out, "%5000d", 1);
    out_open(&out, '[');
    out_string(&out, "text");
    out_number(&out, 1);
    out_close(&out, ']');
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    arena_free(&mem);
}

/* Numbers that come again are copied: the right one, from where it stands. */
static void numbers_that_come_again(void **state)
{
    (void)state;
    static const double x[] = {0.1, 0.1, -0.0, 0.0, 0.0, 1e300, 0.1};
    static const float f[] = {0.1f, 0.1f, -0.0f, 0.0f};
    struct arena mem;
    struct json_out out, before;
    arena_init(&mem, 1 << 20);
    json_out_init(&out, &mem, false);
    out_open(&out, '[');
    for (size_t i = 0; i < COUNT(x); i++)
        out_number(&out, x[i]);
    out_numbers(&out, x, COUNT(x));
    out_floats(&out, f, COUNT(f));
    before = out;
    out_number(&out, 0.25);
    out_number(&out, 0.25);
    out_rewind(&out, &before);
    out_string(&out, "over what stood there");
    out_number(&out, 0.25);
    out_number(&out, 0.1);
    out_integer(&out, INT64_MIN);
    out_close(&out, ']');
    static const char want[] =
        "[0.1,0.1,-0.0,0.0,0.0,1e300,0.1,0.1,0.1,-0.0,0.0,0.0,1e300,0.1,"
        "0.1,0.1,-0.0,0.0,\"over what stood there\",0.25,0.1,"
        "-9223372036854775808]";
    assert_int_equal(out.len, sizeof(want) - 1);
    assert_memory_equal(out.text, want, out.len);
    arena_free(&mem);
}

/* A random string: ASCII, control characters, and up to four bytes each. */
static void random_string(uint64_t *seed, char *s)
{
    static const char *const parts[] = {
        "a",
        "\"",
        "\\",
        "\n",
        "\x01",
        "\x1f",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "/",
        " ",
        "{",
        ",",
        ":",
        "\x7f",
        "z",
    };
    size_t n = random_next(seed) % 12;
    for (*s = '\0'; n > 0; n--)
        strcat(s, parts[random_next(seed) % COUNT(parts)]);
}

static json_t *random_leaf(uint64_t *seed, struct json_out *out)
{
    char s[64];
    uint64_t r = random_next(seed);
    switch (r % 5) {
    case 0:
        random_string(seed, s);
        out_string(out, s);
        return json_string(s);
    case 1:
        out_integer(out, (int64_t)r);
        return json_integer((json_int_t)r);
    case 2:
        out_number(out, (double)(r >> 20) / 1000);
        return json_real((double)(r >> 20) / 1000);
    case 3:
        out_boolean(out, r & 8);
        return json_boolean(r & 8);
    default:
        out_null(out);
        return json_null();
    }
}

/* Writes a random value and returns the same, made by jansson. */
static json_t *random_value(uint64_t *seed, unsigned depth,
                            struct json_out *out)
{
    uint64_t r = random_next(seed);
    char key[80];
    if (depth == 0 || r % 3 == 0)
        return random_leaf(seed, out);
    bool object = r & 64;
    json_t *v = object ? json_object() : json_array();
    out_open(out, object ? '{' : '[');
    for (size_t i = 0; i < (r >> 8) % 6; i++) {
        if (object) {
            random_string(seed, key);
            snprintf(key + strlen(key), 8, "%zu", i);
            out_key(out, key);
        }
        json_t *item = random_value(seed, depth - 1, out);
        int rc = object ? json_object_set_new(v, key, item)
                        : json_array_append_new(v, item);
        assert_int_equal(rc, 0);
    }
    out_close(out, object ? '}' : ']');
    return v;
}

static void jansson_reads_what_was_written(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, PLENTY);
    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t seed = i / 2;
        struct json_out out;
        json_out_init(&out, &mem, i % 2);
        json_t *want = random_value(&seed, 6, &out);
        json_t *got = json_loadb(
            out.text, out.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        if (out.failed || !got || !json_equal(got, want))
            fail_msg("document %zu differs: %.*s", (size_t)i, (int)out.len,
                     out.text);
        json_decref(want);
        json_decref(got);
        arena_clear(&mem, 1 << 20);
    }
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_have_their_layout),
        cmocka_unit_test(strings_are_escaped_and_valid),
        cmocka_unit_test(random_bytes_are_readable),
        cmocka_unit_test(numbers_are_json),
        cmocka_unit_test(plain_bytes_and_formats_follow_each_other),
        cmocka_unit_test(spent_arena_fails_for_good),
        cmocka_unit_test(nothing_follows_a_failure),
        cmocka_unit_test(numbers_that_come_again),
        cmocka_unit_test(jansson_reads_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
