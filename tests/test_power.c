/*
 * Every power of ten against one of exact integers, and what is made with
 * them: decimal numbers read as strtod reads them.
 */
#include "api/decimal.h"
#include "api/power.h"
#include "core/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    WORDS = 48, /* of 32 bits: 2^1535 is more than 10^347 * 2^128 */
    BITS = 32 * WORDS,
    RANDOM_NUMBERS = 400000,
};

/* A large integer, lowest word first. */
struct large {
    uint32_t word[WORDS];
};

static void multiply(struct large *a, uint32_t by)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < WORDS; i++) {
        carry += (uint64_t)a->word[i] * by;
        a->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_true(carry == 0);
}

/* Rounded down; so again and again it is what one division would give. */
static void divide(struct large *a, uint32_t by)
{
    uint64_t rest = 0;
    for (size_t i = WORDS; i-- > 0;) {
        rest = rest << 32 | a->word[i];
        a->word[i] = (uint32_t)(rest / by);
        rest %= by;
    }
}

static int bit(const struct large *a, int i)
{
    return i < 0 ? 0 : (int)(a->word[i / 32] >> (i % 32) & 1);
}

/* The highest 128 bits; *top is the number of the highest of them. */
static struct power highest(const struct large *a, int *top)
{
    struct power p = {0, 0};
    for (*top = BITS - 1; !bit(a, *top);)
        --*top;
    for (int i = 0; i < 64; i++) {
        p.hi = p.hi << 1 | (uint64_t)bit(a, *top - i);
        p.lo = p.lo << 1 | (uint64_t)bit(a, *top - 64 - i);
    }
    return p;
}

static void check(int k, const struct large *a, int scale)
{
    int top;
    struct power want = highest(a, &top), got = power_of_ten(k);
    if (got.hi != want.hi || got.lo != want.lo)
        fail_msg("10^%d: %016llx %016llx, not %016llx %016llx", k,
                 (unsigned long long)got.hi, (unsigned long long)got.lo,
                 (unsigned long long)want.hi, (unsigned long long)want.lo);
    if (power_exponent(k) != top - scale)
        fail_msg("10^%d: exponent %d, not %d", k, power_exponent(k),
                 top - scale);
}

static void powers_are_exact(void **state)
{
    (void)state;
    struct large a = {{1}};
    for (int k = 0; k <= POWER_MAX; k++) {
        check(k, &a, 0);
        if (k < POWER_MAX)
            multiply(&a, 10);
    }
    a = (struct large){{0}};
    a.word[WORDS - 1] = UINT32_C(1) << 31;
    for (int k = 0; k >= POWER_MIN; k--) {
        check(k, &a, BITS - 1);
        divide(&a, 10);
    }
}

static void check_number(uint64_t m, int e)
{
    char text[64];
    double got;
    snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m, e);
    double want = strtod(text, NULL);
    bool done = decimal_to_double(m, e, &got);
    if (done != (bool)isfinite(want))
        fail_msg("%s: %s", text, done ? "read" : "not read");
    if (done && memcmp(&got, &want, sizeof(got)) != 0)
        fail_msg("%s: %a, not %a", text, got, want);
}

static void numbers_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
    uint64_t s = 1;
    for (size_t i = 0; i < RANDOM_NUMBERS; i++) {
        uint64_t m = random_next(&s) >> random_next(&s) % 64;
        check_number(m, (int)(random_next(&s) % 700) - 355);
        check_number(m, (int)(random_next(&s) % 60) - 35);
    }
}

/* Between two doubles, to even; and a hair beside. */
static void ties_go_to_even(void **state)
{
    (void)state;
    uint64_t s = 2;
    for (size_t i = 0; i < RANDOM_NUMBERS / 10; i++) {
        uint64_t m = random_next(&s) >> 11 | UINT64_C(1) << 52;
        m = (2 * m + 1) << random_next(&s) % 10;
        check_number(m, 0);
        check_number(m + 1, 0);
        check_number(m - 1, 0);
        m >>= 40; /* few bits: exact with fives, and with tens */
        for (int e = -30; e <= 30; e++)
            check_number(m, e);
    }
}

static void ends_of_the_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t m;
        int e;
    } rows[] = {
        {17976931348623157, 292}, /* the largest */
        {17976931348623158, 292},
        {1797693134862315808, 290},
        {18, 307},
        {1, 308},
        {1, 309},
        {22250738585072014, -324},
        {22250738585072011, -324}, /* the largest subnormal */
        {49406564584124654, -340},
        {5, -324},
        {24703282292062327, -340}, /* half the smallest */
        {24703282292062328, -340},
        {UINT64_MAX, -343},
        {UINT64_MAX, -342},
        {1, -400},
        {0, 400},
        {9007199254740993, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_number(rows[i].m, rows[i].e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_are_exact),
        cmocka_unit_test(numbers_are_read_as_strtod_reads_them),
        cmocka_unit_test(ties_go_to_even),
        cmocka_unit_test(ends_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
