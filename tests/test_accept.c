/* Content negotiation, by the examples of RFC 9110. */
#include "api/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NONE "none"

enum { OFFERS_MAX = 4 };

struct offer {
    const char *accept; /* NULL = no header */
    const char *types[OFFERS_MAX + 1];
    const char *want;
};

#define JSON "application/json"
#define TEXT "text/plain"
#define BOTH       \
    {              \
        JSON, TEXT \
    }

/* RFC 9110, section 12.5.1, and what its table of qualities says. */
#define RFC_EXAMPLE                                              \
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, " \
    "text/plain;format=fixed;q=0.4, */*;q=0.5"

static const struct offer offers[] = {
    {NULL, BOTH, JSON},
    {"", BOTH, JSON},
    {"*/*", BOTH, JSON},
    {"application/json", BOTH, JSON},
    {"text/plain", BOTH, TEXT},
    {"text/*", BOTH, TEXT},
    {"application/*", BOTH, JSON},
    {"text/html", BOTH, NONE},
    {"text/plainer", BOTH, NONE},
    {"text/plai", BOTH, NONE},
    {"text", BOTH, NONE},
    {"textual/*", BOTH, NONE},
    {"image/*", BOTH, NONE},
    /* RFC 9110: "I prefer audio/basic, but send me any audio" */
    {"audio/*; q=0.2, audio/basic",
     {"audio/mp3", "audio/basic"},
     "audio/basic"},
    {"audio/*; q=0.2, audio/basic", {"audio/mp3", TEXT}, "audio/mp3"},
    {"audio/*; q=0.2, audio/basic", BOTH, NONE},
    /* RFC 9110: html and x-c equal, then x-dvi, then plain */
    {"text/plain; q=0.5, text/html,\ttext/x-dvi; q=0.8, text/x-c",
     {TEXT, "text/x-dvi", "text/x-c", "text/html"},
     "text/x-c"},
    {"text/plain; q=0.5, text/html,\ttext/x-dvi; q=0.8, text/x-c",
     {TEXT, "text/x-dvi"},
     "text/x-dvi"},
    {RFC_EXAMPLE, {"text/html", "image/jpeg", TEXT}, TEXT},
    {RFC_EXAMPLE, {"text/html", "image/jpeg"}, "image/jpeg"},
    {RFC_EXAMPLE, {"text/html"}, "text/html"},
    /* the closest range counts, not the first or the best */
    {"*/*, text/plain;q=0.1", {TEXT, JSON}, JSON},
    {"text/plain;q=0.1, */*", {TEXT, JSON}, JSON},
    {"text/*;q=0.9, */*;q=0.1, text/plain;q=0.05", {TEXT, "text/x"}, "text/x"},
    {"*/*;q=0.5, text/*;q=0.1", {TEXT, JSON}, JSON},
    /* of equals the server's first */
    {"text/plain, application/json", BOTH, JSON},
    {"text/plain;q=0.5, application/json;q=0.5", BOTH, JSON},
    {"text/plain;q=0.9, application/json;q=0.91", BOTH, JSON},
    {"text/plain;q=0.91, application/json;q=0.909", BOTH, TEXT},
    /* q=0 is "not acceptable" */
    {"application/json;q=0, */*", BOTH, TEXT},
    {"*/*, application/json;q=0", BOTH, TEXT},
    {"*/*;q=0", BOTH, NONE},
    {"application/json;q=0.000", {JSON}, NONE},
    {"text/plain, */*;q=0", BOTH, TEXT},
    {"application/*;q=0, text/*;q=0.001", BOTH, TEXT},
    /* case, blanks, empty elements, the forms of a quality */
    {"TEXT/Plain", BOTH, TEXT},
    {"Text/*", BOTH, TEXT},
    {"text/plain;Q=0.9, application/json;Q=0.8", BOTH, TEXT},
    {"text/plain ; q=0.9 , application/json\t;\tq=0.8", BOTH, TEXT},
    {" , ,text/plain,, ", BOTH, TEXT},
    {"text/plain;q=1, application/json;q=1.000", BOTH, JSON},
    {"text/plain;q=.9, application/json;q=.8", BOTH, TEXT},
    {"text/plain;q=1., application/json;q=0.", BOTH, TEXT},
    {"text/plain;;q=0.1, application/json;q=0.2;", BOTH, JSON},
    {"application/json;charset=utf-8;q=0.1, text/plain;q=0.2", BOTH, TEXT},
    {"application/json; charset=utf-8", BOTH, JSON},
    {"application/json;eq=0, text/plain;q=0.2", BOTH, JSON},
    /* as browsers, and the libraries of Java and Python, send it */
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", BOTH,
     JSON},
    {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", BOTH, JSON},
    {"application/json, text/plain, */*", BOTH, JSON},
};

static void check_offer(const struct offer *o)
{
    size_t n = 0;
    while (n < OFFERS_MAX && o->types[n])
        n++;
    size_t row = accept_pick(o->accept, o->types);
    assert_true(row <= n);
    const char *got = row < n ? o->types[row] : NONE;
    if (strcmp(got, o->want) != 0)
        fail_msg("%s: %s, not %s", o->accept, got, o->want);
}

static void best_type_is_picked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(offers); i++)
        check_offer(&offers[i]);
}

/* A range with a parameter that the type lacks does not fit it. */
static const struct offer parameters[] = {
    {"text/plain;format=flowed;q=0.1, text/plain;q=0.9, "
     "application/json;q=0.5",
     BOTH, TEXT},
    {"text/plain;format=fixed;q=0, text/plain, application/json;q=0.5", BOTH,
     TEXT},
};

static void parameters_narrow_a_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(parameters); i++)
        check_offer(&parameters[i]);
}

/* RFC 9110, section 5.6.4: between quotes ',' and ';' are plain bytes. */
static const struct offer quoted[] = {
    {"text/html;a=\",text/plain,\", application/json;q=0.5", BOTH, JSON},
    {"application/json;a=\";q=0\", text/plain;q=0.5", BOTH, JSON},
};

static void quotes_hide_separators(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(quoted); i++)
        check_offer(&quoted[i]);
}

struct content {
    const char *type;
    bool json;
};

static const struct content contents[] = {
    {NULL, false},
    {"", false},
    {"application/json", true},
    {"Application/JSON", true},
    {"application/json;charset=utf-8", true},
    {"application/json; charset=UTF-8", true},
    {"application/json ;\tcharset=utf-8", true},
    {"application/json; charset=\"utf-8\"", true},
    {"application/json; Charset=Utf-8", true},
    {"application/json; charset=utf-8; foo=bar", true},
    {"application/json; foo=bar", true},
    {"application/json;", true},
    {"application/json; charset=iso-8859-1", false},
    {"application/json; charset=utf-16", false},
    {"application/json; charset=\"latin1\"", false},
    {"application/json; charset=", false},
    {"application/json; foo=bar; charset=us-ascii", false},
    {"application/jsonl", false},
    {"application/json5; charset=utf-8", false},
    {"application/jso", false},
    {"application/ld+json", false},
    {"text/json", false},
    {"text/plain", false},
    {"*/*", false},
    {"application/x-www-form-urlencoded", false},
    {"multipart/form-data; boundary=application/json", false},
};

static void check_content(const struct content *c)
{
    static const char *const types[] = {"application/json", NULL};
    if ((content_pick(c->type, types) == 0) != c->json)
        fail_msg("%s is %s JSON", c->type, c->json ? "not" : "taken for");
}

static void json_in_utf_8_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(contents); i++)
        check_content(&contents[i]);
}

/* The parameter's whole name and whole value count. */
static const struct content alike[] = {
    {"application/json; charset=utf-80", false},
    {"application/json; charset=utf-8859-1", false},
    {"application/json; x-charset=latin1", true},
    {"application/json; x-charset=utf-8; charset=latin1", false},
};

static void other_charsets_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(alike); i++)
        check_content(&alike[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_type_is_picked),
        cmocka_unit_test(parameters_narrow_a_range),
        cmocka_unit_test(quotes_hide_separators),
        cmocka_unit_test(json_in_utf_8_is_known),
        cmocka_unit_test(other_charsets_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
