/*
 * Numbers out of text: by bits what strtod and jansson make of it, on random
 * patterns, in the middle of two doubles and a hair beside, at any length.
 *
 * EVALD_NUMBERS=100000000 in the environment reads so many random patterns
 * (some minutes) instead of those that fit in a test run.
 */
#include "api/scan.h"
#include "core/random.h"

#include <assert.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    PATTERNS = 400000,
    MIDDLES = 6000,
    LONG_NUMBERS = 20000,
    PER_EXPONENT = 300,
    TEXT_BYTES = 4096,
    MIDDLE_DIGITS = 1100, /* behind the point, which the smallest needs */
};

static_assert(LDBL_MANT_DIG > DBL_MANT_DIG, "middles are long doubles");

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static bool same_bits(double x, double y)
{
    return memcmp(&x, &y, sizeof(x)) == 0;
}

/* Reads the number that text begins with; returns its length, 0 if declined. */
static size_t scan(const char *text, double *x)
{
    size_t len = strlen(text);
    char *exact = malloc(len ? len : 1); /* ends with its memory */
    assert_non_null(exact);
    memcpy(exact, text, len);
    struct scan s = {.at = exact, .end = exact + len};
    size_t n = scan_number(&s, x) ? (size_t)(s.at - exact) : 0;
    free(exact);
    return n;
}

/* Read as want, or declined if that is not finite. */
static void check(const char *text, double want)
{
    double got = 0;
    bool ok = scan(text, &got) == strlen(text);
    if (ok != (bool)isfinite(want))
        fail_msg("%s is %s", text, ok ? "accepted" : "declined");
    if (ok && !same_bits(got, want))
        fail_msg("%s is %a, not %a", text, got, want);
}

static void check_by_strtod(const char *text)
{
    check(text, strtod(text, NULL));
}

static size_t patterns(void)
{
    const char *n = getenv("EVALD_NUMBERS");
    return n ? strtoull(n, NULL, 10) : PATTERNS;
}

/* Every fourth is subnormal, or has few bits, or an exponent near 0. */
static double random_double(uint64_t *seed)
{
    uint64_t bits = random_next(seed), kind = random_next(seed);
    if (kind % 16 == 0)
        bits &= UINT64_C(0x800fffffffffffff) >> (kind >> 8) % 53;
    else if (kind % 16 == 1)
        bits &= ~UINT64_C(0) << (kind >> 8) % 53;
    else if (kind % 16 < 4)
        bits = (bits & UINT64_C(0x800fffffffffffff)) |
               (1023 - 64 + (kind >> 8) % 128) << 52;
    return from_bits(bits);
}

/* Whole, by the point alone or with an exponent; reals, unlike %g's. */
static void print(char *text, int digits, double x)
{
    snprintf(text, TEXT_BYTES, "%.*g", digits, x);
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
}

static void random_patterns_are_read_as_by_strtod(void **state)
{
    (void)state;
    uint64_t seed = 1;
    size_t n = patterns(), done = 0;
    while (done < n) {
        char text[TEXT_BYTES];
        double x = random_double(&seed);
        if (!isfinite(x))
            continue;
        print(text, 17, x);
        check(text, x);
        print(text, (int)(done % 16) + 1, x);
        check_by_strtod(text);
        done++;
    }
    print_message("%zu patterns, each with 17 and with fewer digits\n", done);
}

/*
 * The last digit before the exponent that is not 0; or one that is behind the
 * point, and so far that a unit of it is less than doubles tell apart.
 */
static char *last_digit(char *text)
{
    char *e = strchr(text, 'e'), *p = e ? e : strchr(text, '\0');
    while (p[-1] == '0' && p[-2] != '.' && p > text + 24)
        p--;
    return p - 1;
}

/* Cuts text behind its last digit, takes a unit of that, appends digits. */
static void change(char *text, const char *from, int less, const char *digits)
{
    char *last = strcpy(text, from), *p;
    const char *e = strchr(from, 'e');
    last = p = last_digit(text);
    if (less) {
        for (; *p == '0' || *p == '.'; p--)
            *p = *p == '0' ? '9' : '.';
        --*p;
    }
    snprintf(last + 1, TEXT_BYTES - (size_t)(last + 1 - text), "%s%s", digits,
             e ? e : "");
    if (text[0] == '0' && text[1] != '.')
        memmove(text, text + 1, strlen(text));
}

/*
 * The middle of x > 0 and the next double, exactly, to the even one; with any
 * digit behind it to the upper; with nines for a unit of the last to the lower.
 */
static void check_middle(double x, const char *format)
{
    char exact[TEXT_BYTES], text[TEXT_BYTES], zeros[1000], nines[1000];
    double next = nextafter(x, INFINITY);
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    long double middle = ((long double)x + (long double)next) / 2;
    snprintf(exact, sizeof(exact), format, (int)MIDDLE_DIGITS, middle);
    check(exact, bits & 1 ? next : x);
    snprintf(zeros, sizeof(zeros), "%0999d", 1);
    memset(nines, '9', sizeof(nines));
    nines[sizeof(nines) - 1] = '\0';
    const char *const behind[] = {"1", "0000000000000000000001", zeros};
    for (size_t i = 0; i < COUNT(behind); i++) {
        change(text, exact, 0, behind[i]);
        check(text, next);
    }
    const char *const below[] = {"99999999999999999999", nines};
    for (size_t i = 0; i < COUNT(below); i++) {
        change(text, exact, 1, below[i]);
        check(text, x);
    }
}

static void middles_are_read_to_even(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (size_t i = 0; i < MIDDLES; i++) {
        double x = fabs(random_double(&seed));
        if (x < DBL_MAX)
            check_middle(x, i % 2 ? "%.*Le" : "%.*Lf");
    }
    static const double ends[] = {
        0,      DBL_TRUE_MIN, DBL_MIN, 1,    0x1p53,
        0x1p52, 1e22,         9e15,    1e23, 0x1p-1022 - 0x1p-1074};
    for (size_t i = 0; i < COUNT(ends); i++) {
        check_middle(ends[i], "%.*Le");
        check_middle(ends[i], "%.*Lf");
    }
}

/* From the middle between the largest double and what would be the next. */
static void the_largest_is_the_last(void **state)
{
    (void)state;
    char text[TEXT_BYTES], exact[TEXT_BYTES];
    snprintf(text, sizeof(text), "%.1Lf", (long double)DBL_MAX + 0x1p969L);
    check(text, DBL_MAX);
    snprintf(exact, sizeof(exact), "%.1Lf", (long double)DBL_MAX + 0x1p970L);
    check(exact, INFINITY);
    change(text, exact, 1, "");
    check(text, DBL_MAX);
    change(text, exact, 1, "99999999999999999999999999");
    check(text, DBL_MAX);
}

static void long_numbers_are_read_as_by_strtod(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t i = 0; i < LONG_NUMBERS; i++) {
        char text[TEXT_BYTES];
        size_t n = random_next(&seed) % 900 + 1;
        size_t point = random_next(&seed) % n + 1;
        size_t zeros = random_next(&seed) % 4 ? 0 : random_next(&seed) % n;
        char *p = text;
        if (i % 2)
            *p++ = '-';
        for (size_t k = 0; k < n; k++) {
            uint64_t r = random_next(&seed);
            if (k == point)
                *p++ = '.';
            *p++ = (char)('0' + (k < zeros ? 0 : k ? r % 10 : r % 9 + 1));
            if (k == 0 && p[-1] == '0' && point > 0)
                point = n > 1 ? 1 : n; /* no zero in front of another */
        }
        sprintf(p, "e%d", (int)(random_next(&seed) % 1800) - 1200);
        check_by_strtod(text);
    }
}

static void all_exponents_are_read_as_by_strtod(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int e = -420; e <= 330; e++) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof(text), "1e%d", e);
        check_by_strtod(text);
        snprintf(text, sizeof(text), "9.999999999999999999999999999E%+05d", e);
        check_by_strtod(text);
        snprintf(text, sizeof(text), "0.%0*d", abs(e) + 1, 1);
        check_by_strtod(text);
        snprintf(text, sizeof(text), "1%0*d.0", abs(e) + 1, 0);
        check_by_strtod(text);
        for (size_t i = 0; i < PER_EXPONENT; i++) {
            uint64_t m = random_next(&seed) >> random_next(&seed) % 64;
            snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m, e);
            check_by_strtod(text);
        }
    }
}

static void integers_are_rounded_from_their_value(void **state)
{
    (void)state;
    for (int k = 50; k <= 64; k++)
        for (int64_t d = -2000; d <= 2000; d++) {
            char text[64];
            uint64_t i = (k < 64 ? UINT64_C(1) << k : 0) + (uint64_t)d;
            bool wraps = k == 64 && d >= 0;
            if (wraps)
                continue;
            snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
            check(text, i <= INT64_MAX ? (double)i : INFINITY);
            strcat(text, ".0");
            check(text, (double)i);
            snprintf(text, sizeof(text), "-%llu", (unsigned long long)i);
            check(text, i <= (uint64_t)INT64_MAX + 1 ? -(double)i : INFINITY);
        }
}

/* What is rare, and what is no number; z stands for a thousand zeros. */
static const char *const forms[] = {
    "0",
    "-0",
    "-0.0",
    "0e0",
    "-0e-0",
    "0e99999999999999999999",
    "0.z",
    "0.z1",
    "0.z1e1001",
    "0.z1e1324",
    "0.zzzzzzzzzzzzzzz1e+15001",
    "1zzzzzzzzzzzzzzz.0e-15000",
    "1z",
    "1z.0e-1000",
    "1zz.5e-2000",
    "123456789z.z1e-1010",
    "1e-400",
    "-1e-400",
    "1e400",
    "-1e400",
    "1e-z",
    "1e-1z",
    "1e1z",
    "1e+z1",
    "-1e-z1",
    "1e-99999999999999999999999999",
    "1e9223372036854775807",
    "1e-9223372036854775808",
    "1e18446744073709551617",
    "4.9e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "0.1z1",
    "1.z1",
    "9007199254740993.z",
    "9007199254740993.z1",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "10000000000000000000",
    "18446744073709551616",
    "100000000000000000000000000000",
    "z",
    "0z",
    "-z1",
    "00.1",
    "1.",
    "1.z.",
    "1.e5",
    ".5",
    "1e",
    "1ez",
    "1e+",
    "1e-",
    "1e+-1",
    "1.5E",
    "1E5",
    "-",
    "--1",
    "+1",
    "- 1",
    "1 e5",
    "1,5",
    "0x10",
    "0x1p3",
    "1_000",
    "infinity",
    "nan",
    "1f",
    "1e5.5",
};

static void spell_out(const char *form, char *text)
{
    for (; *form; form++)
        if (*form == 'z')
            text += sprintf(text, "%01000d", 0);
        else
            *text++ = *form;
    *text = '\0';
}

static void rare_forms_are_read_as_by_jansson(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (size_t i = 0; i < COUNT(forms); i++) {
        static char text[32768];
        double got = 0;
        json_error_t e;
        spell_out(forms[i], text);
        json_t *v = json_loadb(text, strlen(text),
                               JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &e);
        size_t n = scan(text, &got), want = v ? (size_t)e.position : 0;
        if (n != want)
            fail_msg("%s: %zu bytes read, not %zu", forms[i], n, want);
        if (n && !same_bits(got, json_number_value(v)))
            fail_msg("%s is %a, not %a", forms[i], got, json_number_value(v));
        json_decref(v);
        accepted += n > 0;
    }
    assert_true(accepted > 20 && accepted < COUNT(forms) - 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_patterns_are_read_as_by_strtod),
        cmocka_unit_test(middles_are_read_to_even),
        cmocka_unit_test(the_largest_is_the_last),
        cmocka_unit_test(long_numbers_are_read_as_by_strtod),
        cmocka_unit_test(all_exponents_are_read_as_by_strtod),
        cmocka_unit_test(integers_are_rounded_from_their_value),
        cmocka_unit_test(rare_forms_are_read_as_by_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
