/*
 * Doubles as text: published shortest forms, and a search of our own for
 * anything shorter.
 */
#include "api/number.h"
#include "core/random.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { RANDOM_BITS = 300000, RANDOM_OTHERS = 20000 };

/* EVALD_NUMBERS in the environment, or what fits in a test run. */
static size_t random_bits(void)
{
    const char *n = getenv("EVALD_NUMBERS");
    return n ? strtoull(n, NULL, 10) : RANDOM_BITS;
}

/* What is written and read back. */
enum kind { DOUBLE, FLOAT };
static const int digits_max[] = {[DOUBLE] = 17, [FLOAT] = 9};

static double read_as(enum kind kind, const char *text)
{
    return kind == FLOAT ? (double)strtof(text, NULL) : strtod(text, NULL);
}

static size_t write_as(enum kind kind, double x, char *text)
{
    return kind == FLOAT ? number_write_float((float)x, text)
                         : number_write(x, text);
}

static bool same_bits(double x, double y)
{
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static const struct {
    double x;
    const char *text;
} rows[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1, "1.0"},
    {-1.5, "-1.5"},
    {100, "100.0"},
    {0.1, "0.1"},
    {0.3, "0.3"},
    {0.1 + 0.2, "0.30000000000000004"}, /* 0.30000000000000004.com */
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {0.001, "0.001"},
    {-0.00123, "-0.00123"},
    {0.00001, "0.00001"},
    {0.000012345, "0.000012345"},
    {0.000001, "1e-6"},
    {-1.25e-7, "-1.25e-7"},
    {258.15, "258.15"},
    {123456.789, "123456.789"},
    {0.1f, "0.10000000149011612"}, /* float32 as double, numpy's repr */
    {0.236f, "0.23600000143051147"},
    {999999999999999, "999999999999999.0"},
    {1e15, "1000000000000000.0"},
    {1e16, "10000000000000000.0"},
    {1e17, "1e17"},
    {-1e100, "-1e100"},
    /* Goldberg 1991, IEEE 754: limits of the format */
    {5e-324, "5e-324"},
    {1e-323, "1e-323"},
    {2.225073858507201e-308, "2.225073858507201e-308"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {1.7976931348623157e308, "1.7976931348623157e308"},
    {-1.7976931348623157e308, "-1.7976931348623157e308"},
    {DBL_EPSILON, "2.220446049250313e-16"},
    {9007199254740991, "9007199254740991.0"},
    {9007199254740992, "9007199254740992.0"},
    {9007199254740994, "9007199254740994.0"},
    {18014398509481984, "18014398509481984.0"},
    {4611686018427387904, "4.611686018427388e18"},
    /* between two decimals, Steele and White 1990 */
    {1e22, "1e22"},
    {1e23, "1e23"},
    {1.0000000000000001e23, "1.0000000000000001e23"},
    {1.3e-5, "0.000013"},
    {4.35, "4.35"},
    /* the tests of Ryu, Adams 2018, d2s_test.cc */
    {2.98023223876953125e-8, "2.9802322387695312e-8"},
    {-2.109808898695963e16, "-21098088986959630.0"},
    {4.940656e-318, "4.940656e-318"},
    {1.18575755e-316, "1.18575755e-316"},
    {2.989102097996e-312, "2.989102097996e-312"},
    {9.0608011534336e15, "9060801153433600.0"},
    {4.708356024711512e18, "4.708356024711512e18"},
    {9.409340012568248e18, "9.409340012568248e18"},
    {1.8531501765868567e21, "1.8531501765868567e21"},
    {-3.347727380279489e33, "-3.347727380279489e33"},
    {1.9430376160308388e16, "19430376160308388.0"},
    {-6.9741824662760956e19, "-6.9741824662760956e19"},
    {4.3816050601147837e18, "4.3816050601147837e18"},
    {5.764607523034235e39, "5.764607523034235e39"},
    {1.152921504606847e40, "1.152921504606847e40"},
    {2.305843009213694e40, "2.305843009213694e40"},
    {1.7800590868057611e-307, "1.7800590868057611e-307"},
    {2.8480945388892175e-306, "2.8480945388892175e-306"},
    {2.446494580089078e-296, "2.446494580089078e-296"},
    {4.8929891601781557e-296, "4.8929891601781557e-296"},
    {3.6028797018963964e16, "36028797018963964.0"},
    {2.900835519859558e-216, "2.900835519859558e-216"},
    {5.801671039719115e-216, "5.801671039719115e-216"},
    {3.196104012172126e-27, "3.196104012172126e-27"},
    /* 16 digits suffice, but not the nearest: CPython's repr, after Gay */
    {0x1p-1017, "7.120236347223045e-307"},
    {0x1p-957, "8.209073602596753e-289"},
    {0x1p-662, "5.225680706521042e-200"},
    {0x1p-496, "4.887898181599368e-150"},
    {0x1p-383, "5.075883674631299e-116"},
    {0x1p-140, "7.174648137343064e-43"},
    {0x1p-97, "6.310887241768095e-30"},
    {0x1p-77, "6.617444900424222e-24"},
    {0x1p-44, "5.684341886080802e-14"},
    {0x1p-24, "5.960464477539063e-8"},
    {0x1p89, "6.189700196426902e26"},
    {0x1p122, "5.316911983139664e36"},
    {0x1p275, "6.070840288205404e82"},
    {0x1p481, "6.243497100631985e144"},
    {0x1p544, "5.758609657015292e163"},
    {0x1p710, "5.386379163185535e213"},
    {0x1p976, "6.386688990511104e293"},
};

static void known_values_have_their_known_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[NUMBER_BYTES];
        size_t n = number_write(rows[i].x, text);
        if (strcmp(text, rows[i].text) != 0 || n != strlen(text))
            fail_msg("%a is \"%s\" (%zu), not \"%s\"", rows[i].x, text, n,
                     rows[i].text);
    }
}

static const char *skip_digits(const char *p)
{
    while (isdigit((unsigned char)*p))
        p++;
    return p;
}

/* A number of RFC 8259, section 6, that has a fraction or an exponent. */
static bool is_json_real(const char *p)
{
    p += *p == '-';
    if (!isdigit((unsigned char)*p))
        return false;
    const char *after = *p == '0' ? p + 1 : skip_digits(p), *q = after;
    if (*q == '.' && (q = skip_digits(after + 1)) == after + 1)
        return false;
    if (*q == 'e') {
        const char *digits = q + 1 + (q[1] == '-' || q[1] == '+');
        if ((q = skip_digits(digits)) == digits)
            return false;
    }
    return *q == '\0' && q != after;
}

/* The significant digits of text, and their number. */
static int significant(const char *text, char digits[NUMBER_BYTES])
{
    int n = 0;
    for (; *text && *text != 'e'; text++)
        if (isdigit((unsigned char)*text) && (n > 0 || *text != '0'))
            digits[n++] = *text;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

static bool reads_back(enum kind kind, uint64_t digits, int exponent, double x)
{
    char text[64];
    snprintf(text, sizeof(text), "%llue%d", (unsigned long long)digits,
             exponent);
    return same_bits(read_as(kind, text), x);
}

/*
 * Whether any n digits read back as x > 0.  They would be the nearest such
 * number or one next to it; next below a power of ten they lie closer.
 */
static bool exists(enum kind kind, double x, int n)
{
    char text[64], digits[NUMBER_BYTES] = "";
    snprintf(text, sizeof(text), "%.*e", n - 1, x);
    int len = 0;
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.')
            digits[len++] = *p;
    uint64_t m = strtoull(digits, NULL, 10), ten = 1;
    int exponent = atoi(strchr(text, 'e') + 1) - (n - 1);
    for (int i = 1; i < n; i++)
        ten *= 10;
    return reads_back(kind, m, exponent, x) ||
           reads_back(kind, m + 1, exponent, x) ||
           reads_back(kind, m - 1, exponent, x) ||
           (m == ten && reads_back(kind, 10 * m - 1, exponent - 1, x));
}

/*
 * That the digits are those of %.*e, which are the nearest.  Where these do
 * not read back x is a power of two, whose interval is shorter below: then
 * they are the next above.
 */
static bool is_nearest(enum kind kind, double x, int n, const char *digits)
{
    char text[64], nearest[NUMBER_BYTES];
    snprintf(text, sizeof(text), "%.*e", n - 1, x);
    if (!same_bits(read_as(kind, text), x)) {
        char all[NUMBER_BYTES] = {text[0]};
        strncat(all, text + 2, (size_t)n - 1);
        snprintf(text, sizeof(text), "%llu", strtoull(all, NULL, 10) + 1);
    }
    significant(text, nearest);
    return strcmp(digits, nearest) == 0;
}

/*
 * One digit less is search enough, as what n digits say n + 1 can say; a
 * thorough check tries every number of digits all the same.
 */
static void check_as(enum kind kind, double x, bool thorough)
{
    char *text = malloc(NUMBER_BYTES), digits[NUMBER_BYTES]; /* to the byte */
    assert_non_null(text);
    size_t len = write_as(kind, x, text);
    if (len != strlen(text) || !is_json_real(text))
        fail_msg("%a is \"%s\" (%zu), no JSON real", x, text, len);
    if (!same_bits(read_as(kind, text), x))
        fail_msg("%a is \"%s\", which reads back as %a", x, text,
                 read_as(kind, text));
    int n = significant(text, digits);
    if (n > digits_max[kind] || !is_nearest(kind, fabs(x), n, digits))
        fail_msg("%a is \"%s\": too long, or not the nearest", x, text);
    for (int less = n - 1; less >= (thorough ? 1 : n - 1) && less > 0; less--)
        if (exists(kind, fabs(x), less))
            fail_msg("%a is \"%s\": %d digits would do", x, text, less);
    free(text);
}

/* As a double, and as the nearest float. */
static void check(double x, bool thorough)
{
    check_as(DOUBLE, x, thorough);
    if (isfinite((float)x))
        check_as(FLOAT, (double)(float)x, thorough);
}

static void random_floats_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 20261;
    for (size_t i = 0, n = random_bits(); i < n;) {
        uint32_t bits = (uint32_t)random_next(&seed);
        float x;
        memcpy(&x, &bits, sizeof(x));
        if (!isfinite(x))
            continue;
        check_as(FLOAT, (double)x, i % 32 == 0);
        i++;
    }
}

static void random_bits_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 20260;
    for (size_t i = 0, n = random_bits(); i < n;) {
        double x = from_bits(random_next(&seed));
        if (!isfinite(x))
            continue;
        check(x, i % 32 == 0);
        i++;
    }
}

/* All of the exponents of both, at their ends and in between. */
static void every_exponent_is_shortest(void **state)
{
    (void)state;
    uint64_t seed = 20262;
    for (uint64_t e = 0; e < 2047; e++)
        for (uint64_t i = 0; i < 40; i++) {
            uint64_t m = random_next(&seed) & ((UINT64_C(1) << 52) - 1);
            check(from_bits(e << 52 | m), false);
            check(from_bits(e << 52 | i), false);
            check(from_bits(((e + 1) << 52) - 1 - i), false);
        }
    for (uint32_t e = 0; e < 255; e++)
        for (uint32_t i = 0; i < 400; i++) {
            uint32_t bits = e << 23 | ((uint32_t)random_next(&seed) >> 9);
            uint32_t many[] = {bits, e << 23 | i, ((e + 1) << 23) - 1 - i};
            for (size_t k = 0; k < COUNT(many); k++) {
                float x;
                memcpy(&x, &many[k], sizeof(x));
                check_as(FLOAT, (double)x, i % 8 == 0);
            }
        }
}

static void powers_of_two_are_shortest(void **state)
{
    (void)state;
    for (int e = -1074; e < 1024; e++) {
        double x = ldexp(1, e);
        check(x, true);
        check(-x, false);
        check(nextafter(x, 0), false);
        check(nextafter(x, INFINITY), false);
    }
}

static void powers_of_ten_are_shortest(void **state)
{
    (void)state;
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof(text), "1e%d", e);
        double x = strtod(text, NULL);
        check(x, true);
        check(nextafter(x, 0), true);
        check(nextafter(x, INFINITY), true);
    }
}

/* What detection scoring writes, and what has few bits. */
static void common_numbers_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (size_t i = 0; i < RANDOM_OTHERS; i++) {
        uint64_t a = random_next(&seed), b = random_next(&seed) % 1000 + 1;
        check((double)(a % 100000) / 100, false);
        check((double)(a % 1000) / (double)b, false);
        check((double)(a >> 11) * 0x1p-53, false);
        check((double)(float)((double)(a >> 11) * 0x1p-53), false);
        check((double)(int64_t)a, false);
        check((double)(a >> b % 64), false);
        check(from_bits(a & UINT64_C(0x800fffffffffffff)), i % 32 == 0);
        check(from_bits(a >> b % 64 & ~(UINT64_C(1) << 62)), i % 32 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values_have_their_known_form),
        cmocka_unit_test(every_exponent_is_shortest),
        cmocka_unit_test(powers_of_two_are_shortest),
        cmocka_unit_test(powers_of_ten_are_shortest),
        cmocka_unit_test(common_numbers_are_shortest),
        cmocka_unit_test(random_bits_are_shortest),
        cmocka_unit_test(random_floats_are_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
