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
        char query[8], got[64], want[64];
        snprintf(query, sizeof(query), i % 2 ? "%%%02x" : "%%%02X", i);
        snprintf(want, sizeof(want), "<%c|>", i);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(every_byte_is_decoded),
        cmocka_unit_test(memory_may_be_spent),
        cmocka_unit_test(keys_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
