/* HTML and SVG, piece by piece; and the reader that checks pages. */
#include "api/html.h"
#include "api/svg.h"
#include "tests/markup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 20 };

/* What a writer writes of a text or a number. */
static void write_cut(struct json_out *out, const char *s, double x)
{
    html_cut(out, s, (size_t)x);
}
static void write_text(struct json_out *out, const char *s, double x)
{
    (void)x;
    html_text(out, s);
}
static void write_count(struct json_out *out, const char *s, double x)
{
    (void)s;
    html_count(out, (uint64_t)x);
}
static void write_three(struct json_out *out, const char *s, double x)
{
    (void)s;
    html_number(out, x);
}
static void write_coordinate(struct json_out *out, const char *s, double x)
{
    (void)s;
    svg_number(out, x);
}

/* A line over 0 to 1 in both, where y is s without its zero: "9" is 0.9. */
static void write_curve(struct json_out *out, const char *s, double x)
{
    const struct svg_plot plot = {0, 0, 10, 10, 0, 1, 0, 1};
    double xs[8] = {0}, ys[8] = {[4] = 0.5};
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        xs[i] = (double)i / 10;
        ys[i] = (s[i] - '0') / 10.0;
    }
    svg_curve(out, &plot,
              &(struct svg_curve){.kind = "k",
                                  .n = n,
                                  .x = xs,
                                  .y = ys,
                                  .to_axis = x > 0,
                                  .mix = -1});
}

static void writers_write(void **state)
{
    static const struct {
        void (*write)(struct json_out *out, const char *s, double x);
        const char *s;
        double x;
        const char *want;
    } rows[] = {
        {write_cut, "abc", 3, "abc"},
        {write_cut, "abcd", 3, "ab…"},
        {write_cut, "äöüß", 3, "äö…"},
        {write_cut, "äöü", 3, "äöü"},
        {write_cut, "<<<<", 3, "&lt;&lt;…"},
        {write_cut, "", 3, ""},
        {write_text, "a\tb\n'\x7f", 0, "a\tb\n'\xef\xbf\xbd"},
        {write_text, "\xf0\x9f\x98\x80\xf0\x9f", 0,
         "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd"},
        {write_count, NULL, 0, "0"},
        {write_count, NULL, 999, "999"},
        {write_count, NULL, 1000, "1,000"},
        {write_count, NULL, 1234567, "1,234,567"},
        {write_three, NULL, 0.0005, "0.001"},
        {write_three, NULL, -3, "-3.000"},
        {write_three, NULL, 1e300, "1e+300"},
        {write_three, NULL, (double)NAN, "–"},
        {write_three, NULL, (double)INFINITY, "–"},
        {write_curve, "9995", 0, "<path class=\"k\" d=\"M0 1L2 1L3 5\"/>\n"},
        {write_curve, "5555", 1,
         "<path class=\"k\" d=\"M0 10L0 5L3 5L3 10\"/>\n"},
        {write_curve, "5", 0, "<path class=\"k\" d=\"M0 5h0\"/>\n"},
        {write_coordinate, NULL, 12, "12"},
        {write_coordinate, NULL, 0.25, "0.2"},
        {write_coordinate, NULL, -0.01, "0"},
        {write_coordinate, NULL, (double)NAN, "0"},
        {write_coordinate, NULL, (double)INFINITY, "100000"},
        {write_coordinate, NULL, -1e300, "-100000"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        rows[i].write(&out, rows[i].s, rows[i].x);
        size_t n = strlen(rows[i].want);
        if (out.len != n || (n && memcmp(out.text, rows[i].want, n) != 0))
            fail_msg("row %zu: %.*s", i, (int)out.len, out.text);
        arena_free(&mem);
    }
}

/* The reader of markup sees what is wrong. */
static void faults_of_markup_are_seen(void **state)
{
    static const char *const wrong[] = {
        "<p>",           "<p></q>",          "<p a=b></p>",
        "<p>&nbsp;</p>", "<p>a & b</p>",     "<p>a < b</p>",
        "<p a=\"<\"/>",  "<svg x=\"nan\"/>", "<path d=\"M1 infL\"/>",
        "</p>",          "<p a=\"b/>",       "<p>\x01</p>",
    };
    struct markup m;
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char text[80];
        int n = snprintf(text, sizeof(text), "<!DOCTYPE html>\n%s", wrong[i]);
        if (markup_read(&m, text, (size_t)n))
            fail_msg("taken: %s", wrong[i]);
    }
    assert_false(markup_read(&m, "<p/>", 4));
    const char *right = "<!DOCTYPE html>\n<p a=\"&lt;\">1<br/></p>";
    assert_true(markup_read(&m, right, strlen(right)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_markup_are_seen),
        cmocka_unit_test(writers_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
