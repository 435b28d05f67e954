/* The score sort against insertion by plain comparison of the scores. */
#include "core/key_sort.h"
#include "core/random.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { LARGE = 10000, SMALL_MAX = 300 };

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Kinds of scores: score i of n, by a random number. */
typedef double make_score(uint64_t random, size_t i, size_t n);

static double uniform(uint64_t random, size_t i, size_t n)
{
    (void)i, (void)n;
    return (double)(random >> 11) * 0x1p-53;
}

static double float32(uint64_t random, size_t i, size_t n)
{
    return (double)(float)uniform(random, i, n);
}

static double few(uint64_t random, size_t i, size_t n)
{
    (void)i, (void)n;
    return (double)(random % 3) / 2;
}

static double two_decimals(uint64_t random, size_t i, size_t n)
{
    (void)i, (void)n;
    return (double)(random % 101) / 100;
}

static double zeros(uint64_t random, size_t i, size_t n)
{
    static const double x[] = {0.0, -0.0, 5e-324, -5e-324};
    (void)i, (void)n;
    return x[random % COUNT(x)];
}

static double subnormal(uint64_t random, size_t i, size_t n)
{
    (void)i, (void)n;
    return from_bits(random & UINT64_C(0x800fffffffffffff));
}

static double with_infinities(uint64_t random, size_t i, size_t n)
{
    if (random % 5 < 2)
        return random % 5 ? INFINITY : -INFINITY;
    return uniform(random, i, n);
}

static double negative(uint64_t random, size_t i, size_t n)
{
    return -1e3 * uniform(random, i, n);
}

static double any_bits(uint64_t random, size_t i, size_t n)
{
    double x = from_bits(random);
    (void)i, (void)n;
    return isnan(x) ? -x == x : x; /* a NaN becomes 0 */
}

static double rising(uint64_t random, size_t i, size_t n)
{
    (void)random;
    return (double)i / (double)n;
}

static double falling(uint64_t random, size_t i, size_t n)
{
    (void)random;
    return (double)(n - i);
}

static double equal(uint64_t random, size_t i, size_t n)
{
    (void)random, (void)i, (void)n;
    return 0.25;
}

static const struct {
    const char *name;
    make_score *make;
} kinds[] = {
    {"uniform", uniform},
    {"float32", float32},
    {"few", few},
    {"two decimals", two_decimals},
    {"signed zeros", zeros},
    {"subnormal", subnormal},
    {"infinities", with_infinities},
    {"negative", negative},
    {"any bits", any_bits},
    {"rising", rising},
    {"falling", falling},
    {"equal", equal},
};

/* The places of n scores, best first, of equals the first. */
static void naive_sort(size_t n, const double *score, size_t *place)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        for (; j > 0 && score[place[j - 1]] < score[i]; j--)
            place[j] = place[j - 1];
        place[j] = i;
    }
}

/* Payloads use all bits of theirs. */
static uint32_t payload(size_t i)
{
    return (uint32_t)(UINT32_MAX - 3 * i);
}

static void check(const char *kind, size_t n, const double *score)
{
    size_t *want = calloc(n + 1, sizeof(*want));
    uint64_t *key = calloc(2 * n + 1, sizeof(*key));
    uint32_t *row = calloc(2 * n + 1, sizeof(*row));
    const struct key_order by = {key, key + n, row, row + n};
    assert_true(want && key && row);
    naive_sort(n, score, want);
    for (size_t i = 0; i < n; i++) {
        key[i] = score_key(score[i]);
        row[i] = payload(i);
    }
    assert_int_equal(key_sort(&by, n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        if (row[i] != payload(want[i]))
            fail_msg("%s, %zu rows: place %zu has payload %u, not %u (%g)",
                     kind, n, i, row[i], payload(want[i]), score[want[i]]);
        if (key[i] != score_key(score[want[i]]))
            fail_msg("%s, %zu rows: key %zu is not its row's", kind, n, i);
    }
    free(want);
    free(key);
    free(row);
}

static void check_kind(size_t kind, size_t n, uint64_t seed)
{
    double *score = calloc(n + 1, sizeof(*score));
    assert_non_null(score);
    for (size_t i = 0; i < n; i++)
        score[i] = kinds[kind].make(random_next(&seed), i, n);
    check(kinds[kind].name, n, score);
    free(score);
}

static void small_sorts_are_naive_sorts(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++)
        for (size_t n = 0; n <= SMALL_MAX; n++)
            check_kind(kind, n, n);
}

static void large_sorts_are_naive_sorts(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++)
        check_kind(kind, LARGE, 7);
}

/* Each digit on its own: scores whose bits differ in one byte only. */
static void every_byte_counts(void **state)
{
    (void)state;
    enum { N = 200 };
    double score[N];
    for (unsigned byte = 0; byte < 8; byte++) {
        uint64_t seed = byte;
        for (size_t i = 0; i < N; i++)
            score[i] = from_bits(UINT64_C(0x3f00000000000000) ^
                                 (random_next(&seed) & 0x7f) << 8 * byte);
        check("one byte", N, score);
    }
}

static const double ascending[] = {
    -INFINITY, -DBL_MAX, -1e10,   -2,        -1.5,   -1,     -0.5,
    -DBL_MIN,  -1e-310,  -5e-324, 0,         5e-324, 1e-310, DBL_MIN,
    0x1p-149,  0x1p-126, 0.1f,    0.1 + 0.1, 0.5,    1,      1 + DBL_EPSILON,
    2,         1e10,     DBL_MAX, INFINITY,
};

static void keys_fall_as_scores_rise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ascending); i++)
        for (size_t j = 0; j < COUNT(ascending); j++) {
            uint64_t a = score_key(ascending[i]), b = score_key(ascending[j]);
            if ((a > b) != (i < j) || (a == b) != (i == j))
                fail_msg("%g and %g have keys %llx and %llx", ascending[i],
                         ascending[j], (unsigned long long)a,
                         (unsigned long long)b);
        }
}

static void keys_of_zeros_tie(void **state)
{
    (void)state;
    assert_true(score_key(-0.0) == score_key(0.0));
}

static void keys_order_random_pairs(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t i = 0; i < 200000; i++) {
        double x = any_bits(random_next(&seed), 0, 0);
        double y = i % 4 ? any_bits(random_next(&seed), 0, 0)
                         : nextafter(x, i % 8 ? INFINITY : -INFINITY);
        uint64_t a = score_key(x), b = score_key(y);
        if ((a < b) != (x > y) || (a == b) != (x >= y && x <= y))
            fail_msg("%a and %a have keys %llx and %llx", x, y,
                     (unsigned long long)a, (unsigned long long)b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sorts_are_naive_sorts),
        cmocka_unit_test(large_sorts_are_naive_sorts),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(keys_fall_as_scores_rise),
        cmocka_unit_test(keys_of_zeros_tie),
        cmocka_unit_test(keys_order_random_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
