/* Tables in a terminal: widths, names, sparklines and bars, letter by letter.
 */
#include "api/text_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEN "abcdefghij"

static const struct {
    const char *name;
    size_t most;
    const char *shown;
} names[] = {
    {"cat", 32, "cat"},
    {"", 32, ""},
    {"Straße", 32, "Straße"},
    {"人", 32, "人"},
    /* what drives a terminal: ESC, BEL, CSI as one character, DEL */
    {"\033[31mred\033[0m", 32, "?[31mred?[0m"},
    {"a\tb\nc\rd", 32, "a?b?c?d"},
    {"\a\b\177", 32, "???"},
    {"\xc2\x9b"
     "31m",
     32, "?31m"},
    {"\xc2\xa0", 32, "\xc2\xa0"}, /* the first behind those */
    /* what turns the line round, or takes no room */
    {"a\u202eb", 32, "a?b"},
    {"a\u2066b", 32, "a?b"},
    {"a\u200bb", 32, "a?b"},
    {"\ufeffa", 32, "?a"},
    /* no UTF-8: stray, overlong, cut off */
    {"a\x80z", 32, "a?z"},
    {"\xc0\xaf", 32, "??"},
    {"\xe2\x82", 32, "??"},
    /* as long as it may be, and longer */
    {TEN, 10, TEN},
    {TEN "k", 10, "abcdefghi…"},
    {"äöüäöüä", 7, "äöüäöüä"},
    {"äöüäöüäö", 7, "äöüäöü…"},
    {"😀😀😀", 2, "😀…"},
    {"ab", 1, "…"},
    {TEN TEN TEN TEN, 32, TEN TEN TEN "a…"},
};

static void names_are_fit_for_a_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char got[TEXT_NAME_BYTES];
        text_name(got, names[i].name, names[i].most);
        if (strcmp(got, names[i].shown) != 0)
            fail_msg("row %zu: %s, not %s", i, got, names[i].shown);
    }
}

static void any_bytes_are_a_name(void **state)
{
    char name[300], got[TEXT_NAME_BYTES];
    uint32_t draw = 1;
    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        size_t n = round % (sizeof(name) - 1), most = 1 + round % TEXT_NAME_MAX;
        for (size_t i = 0; i < n; i++) {
            draw = draw * 1664525 + 1013904223;
            name[i] = (char)(draw >> 24 ? draw >> 24 : 1);
        }
        name[n] = '\0';
        memset(got, 'x', sizeof(got));
        text_name(got, name, most);
        assert_true(memchr(got, '\0', sizeof(got)));
        for (const char *c = got; *c; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

static const struct {
    double x[8];
    size_t n, columns;
    const char *line;
} sparks[] = {
    {{0}, 1, 20, "▁"},
    {{1}, 1, 20, "█"},
    {{NAN}, 1, 20, "·"},
    {{0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875}, 8, 8, "▁▂▃▄▅▆▇█"},
    {{0.124, 0.126, 0.99, -1, 2}, 5, 20, "▁▂█▁█"},
    /* means of several, NaN left out */
    {{0, 1, 1, 1}, 4, 2, "▅█"},
    {{NAN, 1, NAN, NAN}, 4, 2, "█·"},
    {{0, 0, 1, 1, 1}, 5, 2, "▁█"},
};

static void sparklines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sparks); i++) {
        char got[TEXT_CELL_BYTES];
        text_spark(got, sparks[i].x, sparks[i].n, sparks[i].columns);
        if (strcmp(got, sparks[i].line) != 0)
            fail_msg("row %zu: %s, not %s", i, got, sparks[i].line);
    }
}

static const struct {
    double x, most;
    const char *bar;
} bars[] = {
    {1, 1, "████"},     {0.5, 1, "██"},      {0.25, 0.5, "██"},
    {0, 1, ""},         {-1, 1, ""},         {NAN, 1, ""},
    {1, 0, ""},         {2, 1, "████"},      {1.0 / 32, 1, "▏"},
    {7.0 / 32, 1, "▉"}, {9.0 / 32, 1, "█▏"}, {1.0 / 100, 1, ""},
};

static void bars_in_eighths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bars); i++) {
        char got[TEXT_CELL_BYTES];
        text_bar(got, bars[i].x, bars[i].most, 4);
        if (strcmp(got, bars[i].bar) != 0)
            fail_msg("row %zu: %s, not %s", i, got, bars[i].bar);
    }
}

static void grades_either_way(void **state)
{
    (void)state;
    assert_int_equal(text_grade(0.2, 0.2, 0.5), TEXT_RED);
    assert_int_equal(text_grade(0.3, 0.2, 0.5), TEXT_YELLOW);
    assert_int_equal(text_grade(0.5, 0.2, 0.5), TEXT_GREEN);
    assert_int_equal(text_grade(0.8, 0.8, 0.5), TEXT_RED);
    assert_int_equal(text_grade(0.6, 0.8, 0.5), TEXT_YELLOW);
    assert_int_equal(text_grade(0.5, 0.8, 0.5), TEXT_GREEN);
    assert_int_equal(text_grade(NAN, 0.2, 0.5), TEXT_PLAIN);
    assert_int_equal(text_grade(-1, 0.2, 0.5), TEXT_PLAIN);
}

/* Rows of a table under test. */
static const struct row {
    const char *name;
    double x;
    enum text_tone tone;
    const char *last;
} rows[] = {
    {"cat", 0.5, TEXT_GREEN, "x"},         {"", -1, TEXT_PLAIN, ""},
    {"größer", -0.0001, TEXT_RED, "more"}, {"d", NAN, TEXT_PLAIN, ""},
    {"e", -0.25, TEXT_BOLD, "z"},          {"f", 123.4567, TEXT_YELLOW, ""},
};

static void make_row(struct text_table *t, const void *context, size_t i)
{
    const struct row *row = (const struct row *)context + i;
    text_cell(t, TEXT_PLAIN, "%s", row->name);
    text_number(t, row->tone, row->x, 3);
    text_cell(t, TEXT_PLAIN, "%s", row->last);
    text_cell(t, TEXT_PLAIN, "one cell more than there are columns");
}

static void write_table(const struct text_out *to)
{
    struct text_table t;
    text_table_init(&t, to);
    text_left(&t, "name");
    text_right(&t, "number");
    text_left(&t, "");
    text_title(to, "a %s", "title");
    text_table_write(&t, COUNT(rows), make_row, rows);
}

static void expect(bool colour, const char *want)
{
    struct arena mem;
    struct json_out out;
    arena_init(&mem, 1 << 20);
    json_out_init(&out, &mem, false);
    write_table(&(struct text_out){&out, colour});
    out_bytes(&out, "", 1);
    assert_false(out.failed);
    assert_string_equal(out.text, want);
    arena_free(&mem);
}

static void columns_are_as_wide_as_their_content(void **state)
{
    (void)state;
    expect(false, "a title\n"
                  "name     number\n"
                  "cat       0.500  x\n"
                  "              -\n"
                  "größer    0.000  more\n"
                  "d             -\n"
                  "e        -0.250  z\n"
                  "f       123.457\n");
}

static void colour_takes_no_columns(void **state)
{
    (void)state;
    expect(true, "\033[1ma title\033[0m\n"
                 "\033[1mname\033[0m     \033[1mnumber\033[0m\n"
                 "cat       \033[32m0.500\033[0m  x\n"
                 "              -\n"
                 "größer    \033[31m0.000\033[0m  more\n"
                 "d             -\n"
                 "e        \033[1m-0.250\033[0m  z\n"
                 "f       \033[33m123.457\033[0m\n");
}

static void little_memory_is_told(void **state)
{
    bool failed = false, whole = false;
    (void)state;
    for (size_t bytes = 0; bytes < 16384; bytes += 512) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, bytes);
        json_out_init(&out, &mem, false);
        write_table(&(struct text_out){&out, false});
        *(out.failed ? &failed : &whole) = true;
        arena_free(&mem);
    }
    assert_true(failed && whole);
}

static void more_columns_than_there_may_be_are_left_out(void **state)
{
    struct arena mem;
    struct json_out out;
    struct text_table t;
    (void)state;
    arena_init(&mem, 1 << 20);
    json_out_init(&out, &mem, false);
    text_table_init(&t, &(struct text_out){&out, false});
    for (size_t i = 0; i < TEXT_COLUMNS_MAX + 3; i++)
        text_right(&t, "x");
    text_table_write(&t, 0, make_row, NULL);
    assert_int_equal(out.len, 3 * TEXT_COLUMNS_MAX - 2 + 1);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_fit_for_a_terminal),
        cmocka_unit_test(any_bytes_are_a_name),
        cmocka_unit_test(sparklines),
        cmocka_unit_test(bars_in_eighths),
        cmocka_unit_test(grades_either_way),
        cmocka_unit_test(columns_are_as_wide_as_their_content),
        cmocka_unit_test(colour_takes_no_columns),
        cmocka_unit_test(little_memory_is_told),
        cmocka_unit_test(more_columns_than_there_may_be_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
