/* Scanning: correctly rounded numbers, and what is declined. */
#include "api/decimal.h"
#include "api/scan.h"
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Scans the whole of text as a number, in memory that ends with it. */
static bool scan_whole(const char *text, double *out)
{
    size_t len = strlen(text);
    char *exact = malloc(len);
    struct scan s;
    memcpy(exact, text, len);
    s = (struct scan){.at = exact, .end = exact + len};
    bool ok = scan_number(&s, out) && s.at == s.end;
    free(exact);
    return ok;
}

static void check_number(const char *text)
{
    double got = 0, want = strtod(text, NULL);
    if (!scan_whole(text, &got))
        fail_msg("%s is declined", text);
    if (memcmp(&got, &want, sizeof(got)) != 0)
        fail_msg("%s is %a, not %a", text, got, want);
}

/* Halfway cases and their neighbours; scores as float32 prints; limits. */
static void hard_numbers_are_rounded_correctly(void **state)
{
    static const char *const texts[] = {
        "0",
        "0.0",
        "-0.0",
        "1",
        "-1",
        "0.1",
        "9007199254740993.0",
        "9007199254740992.9999",
        "9007199254740993.0000000001",
        "0.23600000143051147",
        "0.9999999999999999",
        "123456789012345678.5",
        "1.7976931348623157e200",
        "5e-300",
        "1e22",
        "1e23",
        "8.5e-20",
        "0.000000000000000000000000001",
        "18446744073709551615e-5",
        "1844674407370955161.5",
        "1.8446744073709551615",
        "18446744073709551616.5",
        "3.141592653589793238462643383279502884197",
        "6250000000000000.5e-1",
        "45035996273704.975",
        "4503599627370497.5",
        "4503599627370496.5",
        "900719925474099.25e1",
        "11920928955078125e-23", /* 5^23, a power of two */
        "7450580596923828125e-27",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        check_number(texts[i]);
}

static void random_numbers_are_rounded_correctly(void **state)
{
    uint64_t r = 1;
    (void)state;
    for (size_t i = 0; i < 1000000; i++) {
        char text[64];
        uint64_t m = random_next(&r) >> random_next(&r) % 64,
                 point = random_next(&r) % 20;
        double scale = 1;
        for (uint64_t k = 0; k < point; k++)
            scale *= 10;
        if (i % 3 == 0)
            snprintf(text, sizeof(text), "%.*f", (int)point, (double)m / scale);
        else if (i % 3 == 1)
            snprintf(text, sizeof(text), "%.17g", (float)m / (float)scale);
        else
            snprintf(text, sizeof(text), "%llu.0e-%llu", (unsigned long long)m,
                     (unsigned long long)point);
        if (strlen(text) <= 60 && strpbrk(text, ".e"))
            check_number(text);
    }
}

/* Quotients that lie on, or just beside, the middle of two doubles. */
static void ties_are_broken_to_even(void **state)
{
    uint64_t r = 2;
    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        char text[64];
        uint64_t odd = (UINT64_C(1) << 53 | random_next(&r) >> 11) | 1;
        uint64_t five = odd * 5; /* 54 bits and a half: x.5 after / 10 */
        snprintf(text, sizeof(text), "%llu.%llu",
                 (unsigned long long)(five / 10),
                 (unsigned long long)(five % 10));
        check_number(text);
    }
}

static void what_is_no_number_is_declined(void **state)
{
    static const char *const texts[] = {
        "",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "--1",
        "0x1",
        "NaN",
        "-.5",
        "1.e1",
        "1e400",
        "1e309",
        "Infinity",
        "1e1.5",
        "1 2",
        "nul",
        "1_0",
        "1.7976931348623159e308",
        "9223372036854775808",
        "-9223372036854775809",
        "12345678901234567890",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        double ignored;
        if (scan_whole(texts[i], &ignored))
            fail_msg("%s is accepted", texts[i]);
    }
}

/* Values that are looked through: 1 accepted, 0 declined. */
static const struct {
    const char *text;
    bool accepted;
} values[] = {
    {"null", true},
    {"true", true},
    {"[ ]", true},
    {"{ }", true},
    {"[1, \"a\", {\"b\": [[]]}]", true},
    {"\"\\u00e9 \\n \xc3\xa9\"", true},
    {"\"\\ud83d\\ude00\\uD83D\\uDE00\"", true},
    {"\"\\ud83d\"", false},
    {"\"\\ud83d\\u0041\"", false},
    {"\"\\ude00\\ud83d\"", false},
    {"\"\\u00g0\"", false},
    {"\"\\u0000\"", false},
    {"\"\\x\"", false},
    {"\"\x01\"", false},
    {"\"\xff\"", false},
    {"\"\xc0\x80\"", false},
    {"\"", false},
    {"\"\\", false},
    {"\"\\u12", false},
    {"[1,]", false},
    {"[,1]", false},
    {"[1 2]", false},
    {"{\"a\":1,}", false},
    {"{\"a\":1,\"a\":2}", false},
    {"{\"a\" 1}", false},
    {"{a:1}", false},
    {"{1:1}", false},
    {"[1}", false},
    {"[", false},
    {"nulL", false},
    {"tru", false},
    {"", false},
};

static void values_are_looked_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        size_t len = strlen(values[i].text);
        char *exact = malloc(len);
        struct scan s;
        memcpy(exact, values[i].text, len);
        s = (struct scan){.at = exact, .end = exact + len};
        bool ok = scan_skip(&s) && s.at == s.end;
        free(exact);
        if (ok != values[i].accepted)
            fail_msg("%s is %s", values[i].text, ok ? "accepted" : "declined");
    }
}

static void depth_is_bounded(void **state)
{
    char text[200];
    struct scan s;
    (void)state;
    for (size_t depth = 1; depth <= 100; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        s = (struct scan){.at = text, .end = text + 2 * depth};
        assert_int_equal(scan_skip(&s), depth <= 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_numbers_are_rounded_correctly),
        cmocka_unit_test(random_numbers_are_rounded_correctly),
        cmocka_unit_test(ties_are_broken_to_even),
        cmocka_unit_test(what_is_no_number_is_declined),
        cmocka_unit_test(values_are_looked_through),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
