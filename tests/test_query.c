/* Queries: keys, values, and what they decode to. */
#include "api/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MUST "; two hexadecimal digits must follow a %, and not 00"

/* The pairs of a query as <key|value>; "!" and the fault at its end. */
static void read_all(const char *query, char *out, size_t room)
{
    struct arena mem;
    struct api_error err = {.n = 0};
    struct query_pair pair;
    size_t n = 0;
    int more;
    arena_init(&mem, 1 << 20);
    out[0] = '\0';
    while ((more = query_next(&query, &mem, &pair, &err)) > 0)
        n += (size_t)snprintf(out + n, room - n, "<%s|%s>", pair.key,
                              pair.value);
    if (more < 0)
        snprintf(out + n, room - n, "!%s", err.fault[0].detail);
    assert_int_equal(err.n, more < 0);
    arena_free(&mem);
}

static const struct {
    const char *query, *want;
} rows[] = {
    {"", ""},
    {"a", "<a|>"},
    {"a=", "<a|>"},
    {"a=b", "<a|b>"},
    {"a=b=c", "<a|b=c>"},
    {"=b", "<|b>"},
    {"=", "<|>"},
    {"a=1&b=2", "<a|1><b|2>"},
    {"&&a=1&&&b&", "<a|1><b|>"},
    {"&", ""},
    {"a=1&a=2", "<a|1><a|2>"},
    {"a+b=c+d", "<a b|c d>"},
    {"%61%3D=%26%2b%25", "<a=|&+%>"},
    {"a=%C3%a9", "<a|\xc3\xa9>"},
    {"a%=1", "!the query has \"%\"" MUST},
    {"a=%", "!the query has \"%\"" MUST},
    {"a=%4", "!the query has \"%4\"" MUST},
    {"a=%4&b=1", "!the query has \"%4\"" MUST},
    {"%4=1", "!the query has \"%4\"" MUST},
    {"x=1&a=%4g", "<x|1>!the query has \"%4g\"" MUST},
    {"a=%g4", "!the query has \"%g4\"" MUST},
    {"a=%%41", "!the query has \"%%4\"" MUST},
    {"a=%00", "!the query has \"%00\"" MUST},
    {"a=%-1", "!the query has \"%-1\"" MUST},
};

static void queries_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char got[512], *query = strdup(rows[i].query);
        read_all(query, got, sizeof(got));
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].query, got);
        free(query);
    }
}

static void every_byte_is_decoded(void **state)
{
    (void)state;
    for (int i = 1; i < 256; i++) {
        char query[8], got[128], want[64];
        snprintf(query, sizeof(query), i % 2 ? "%%%02x" : "%%%02X", i);
        /* beyond ASCII one alone is no character */
        snprintf(want, sizeof(want),
                 i < 128 ? "<%c|>" : "!the query has bytes that are not UTF-8",
                 i);
        read_all(query, got, sizeof(got));
        if (strcmp(got, want) != 0)
            fail_msg("%s: %s", query, got);
    }
}

static void memory_may_be_spent(void **state)
{
    struct arena mem;
    struct api_error err = {.n = 0};
    struct query_pair pair;
    const char *query = "a=b";
    (void)state;
    arena_init(&mem, 64);
    assert_int_equal(query_next(&query, &mem, &pair, &err), -1);
    assert_int_equal(err.fault[0].kind, PROBLEM_MEMORY);
    arena_free(&mem);
}

static void keys_are_found(void **state)
{
    static const struct {
        const char *query;
        bool has;
    } queries[] = {
        {"pretty", true},        {"pretty=0", true},  {"a&pretty", true},
        {"a=1&pretty=&b", true}, {"", false},         {"prett", false},
        {"prettyx", false},      {"a=pretty", false}, {"xpretty", false},
        {"a=1&prettyy", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++)
        if (query_has(queries[i].query, "pretty") != queries[i].has)
            fail_msg("%s", queries[i].query);
}

/* Queries of two lists, x and y, and of force, n and near. */
static const struct {
    const char *query, *want;
} known[] = {
    {"", "||||"},
    {"x=1", "1||||"},
    {"x=1&y=5&x=2,3&x=&y=6", "1,2,3,|5,6|||"},
    {"force", "||||"},
    {"pretty&force=1&pretty=0", "||1||"},
    {"n=1&n=2", "!/n: n is twice in the query, must be there once"},
    {"forced=1",
     "!/forced: forced is not a known member; did you mean \"force\"?"},
    {"quite=1", "!/quite: quite is not a known member; known are x, y, force, "
                "n, near"},
    {"n=%4", "!: the query has \"%4\"" MUST},
};

static void known_keys_are_read(void **state)
{
    static const char *const names[] = {"x", "y", "force", "n", "near"};
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        const char *value[COUNT(names)];
        struct arena mem;
        struct api_error err = {.n = 0};
        char got[512] = "", *query = strdup(known[i].query);
        arena_init(&mem, 1 << 20);
        int rc = query_read(query, names, COUNT(names), 2, value, &mem, &err);
        for (size_t k = 0; k < COUNT(names) && rc == 0; k++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
                     k ? "|" : "", value[k] ? value[k] : "");
        if (rc)
            snprintf(got, sizeof(got), "!%s: %s", err.fault[0].pointer,
                     err.fault[0].detail);
        if (strcmp(got, known[i].want) != 0)
            fail_msg("%s: %s", known[i].query, got);
        free(query);
        arena_free(&mem);
    }
}

static void flags_are_read(void **state)
{
    static const struct {
        const char *value;
        int rc;
        bool was, is;
    } flags[] = {
        {NULL, 0, false, false},  {NULL, 0, true, false},
        {"", 0, false, true},     {"true", 0, false, true},
        {"1", 0, false, true},    {"false", 0, true, false},
        {"0", 0, true, false},    {"yes", -1, false, false},
        {"TRUE", -1, true, true}, {"2", -1, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(flags); i++) {
        struct api_error err = {.n = 0};
        bool flag = flags[i].was;
        assert_int_equal(query_flag("force", flags[i].value, &flag, &err),
                         flags[i].rc);
        assert_int_equal(flag, flags[i].is);
        assert_int_equal(err.n, flags[i].rc ? 1 : 0);
    }
}

static void integers_are_read(void **state)
{
    static const struct {
        const char *value;
        int64_t lo, hi, want; /* lo - 1 = refused */
    } integers[] = {
        {NULL, 0, 9, 5},
        {"0", 0, 9, 0},
        {"9", 0, 9, 9},
        {"10", 0, 9, -1},
        {"-1", 0, 9, -1},
        {"", 0, 9, -1},
        {" 1", 0, 9, -1},
        {"1 ", 0, 9, -1},
        {"+1", 0, 9, -1},
        {"-", 0, 9, -1},
        {"0x1", 0, 9, -1},
        {"1.0", 0, 9, -1},
        {"-007", -9, 9, -7},
        {"9223372036854775807", 0, INT64_MAX, INT64_MAX},
        {"9223372036854775808", 0, INT64_MAX, -1},
        {"99999999999999999999999", 0, INT64_MAX, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(integers); i++) {
        struct api_error err = {.n = 0};
        int64_t got = 5, lo = integers[i].lo;
        bool fine = integers[i].want >= lo;
        int rc = query_integer("n", integers[i].value, lo, integers[i].hi, &got,
                               &err);
        if (rc != (fine ? 0 : -1) || got != (fine ? integers[i].want : 5))
            fail_msg("%s: %lld", integers[i].value, (long long)got);
    }
}

static void lists_are_cut(void **state)
{
    char text[] = "1,,b", *list = text;
    (void)state;
    assert_string_equal(query_item(&list), "1");
    assert_string_equal(query_item(&list), "");
    assert_string_equal(query_item(&list), "b");
    assert_null(query_item(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(every_byte_is_decoded),
        cmocka_unit_test(memory_may_be_spent),
        cmocka_unit_test(keys_are_found),
        cmocka_unit_test(known_keys_are_read),
        cmocka_unit_test(flags_are_read),
        cmocka_unit_test(integers_are_read),
        cmocka_unit_test(lists_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
