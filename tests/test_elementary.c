/* The elementary functions against the long double ones of libm. */
#include "core/elementary.h"
#include "core/random.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SAMPLES = 200000 };

/* Distance in units of the last place that a double has at the exact value. */
static double ulps(double got, long double exact)
{
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf((double)exact) || isinf(got))
        return (double)exact == got ? 0 : INFINITY;
    int place = exact == 0 ? -1074 : ilogbl(exact) - 52;
    place = place < -1074 ? -1074 : place;
    return (double)fabsl(ldexpl((long double)got - exact, -place));
}

/* What is tested, as functions of one double. */

static double power(double x)
{
    struct exponential e = exponential_long(x, 0, false);
    return e.s * ((e.p + e.q) / (e.p - e.q)) * e.tail;
}

/* A tail of low 2^-40 x, as a product that was rounded has one. */
static double power_of_pair(double x)
{
    struct exponential e = exponential_long(x, x * 0x1p-40, true);
    return e.s * ((e.p + e.q) / (e.p - e.q)) * e.tail;
}

static long double power_of_pair_long(long double x)
{
    return expl(x + x * 0x1p-40L);
}

static double power_short(double x)
{
    struct exponential e = exponential_short(x);
    return e.s * ((e.p + e.q) / (e.p - e.q)) * e.tail;
}

static double softplus(double x)
{
    struct exponential e = exponential_long(-x, 0, true);
    double a = e.s * (e.p + e.q), b = e.p - e.q;
    return log1p_of_ratio(a, b, true) * e.tail;
}

static double softplus_short(double x)
{
    struct exponential e = exponential_short(-x);
    return log1p_of_ratio(e.s * (e.p + e.q), e.p - e.q, false);
}

static long double softplus_long(long double x)
{
    return log1pl(expl(-x));
}

static double tail(double x)
{
    struct fraction t = normal_tail(x, true);
    return t.num / t.den;
}

static double tail_short(double x)
{
    struct fraction t = normal_tail(x, false);
    return t.num / t.den;
}

static long double tail_long(long double x)
{
    return expl(x * x / 2) * erfcl(x * sqrtl(0.5L)) / 2;
}

/*
 * Samples lie between low and high, evenly or their exponents evenly; error is
 * in units of the last place.
 */
static const struct row {
    const char *name;
    double (*got)(double);
    long double (*exact)(long double);
    double low, high, error;
    enum { EVENLY, BY_EXPONENT, BOTH_SIGNS } spread;
} rows[] = {
    {"exp", exp_, expl, -746, 710, 2, EVENLY},
    {"exp near 0", exp_, expl, 1e-300, 1, 2, BOTH_SIGNS},
    {"expm1", expm1_, expm1l, -50, 710, 2.5, EVENLY},
    {"expm1 near 0", expm1_, expm1l, 1e-320, 1, 2.5, BOTH_SIGNS},
    {"log", log_, logl, 0.5, 2, 1, EVENLY},
    {"log of anything", log_, logl, 0x1p-1074, DBL_MAX, 1, BY_EXPONENT},
    {"log of subnormals", log_, logl, 0x1p-1074, 0x1p-1022, 1, BY_EXPONENT},
    {"log1p", log1p_, log1pl, 0, 10, 1.5, EVENLY},
    {"log1p of anything", log1p_, log1pl, 0x1p-1074, DBL_MAX, 1.5, BY_EXPONENT},
    {"power", power, expl, -700, 700, 2, EVENLY},
    {"power of a pair", power_of_pair, power_of_pair_long, -745, 709, 2,
     EVENLY},
    {"power, short", power_short, expl, -200, 200, 0x1p23, EVENLY},
    {"softplus", softplus, softplus_long, 0, 745, 4, EVENLY},
    {"softplus, short", softplus_short, softplus_long, 0, 200, 0x1p24, EVENLY},
    {"tail", tail, tail_long, 0, 20, 7, EVENLY},
    {"tail, short", tail_short, tail_long, 0, 16, 0x1p20, EVENLY},
};

static double sample(const struct row *r, uint64_t *state)
{
    double u = (double)(random_next(state) >> 11) * 0x1p-53;
    double x = r->low + (r->high - r->low) * u;
    if (r->spread != EVENLY) {
        double low = log2(r->low), high = log2(r->high);
        x = exp2(low + (high - low) * u);
        /* exp2 alone would give every exponent few mantissas. */
        x *= 1 + (double)(random_next(state) >> 12) * 0x1p-54;
        x = x > r->high ? r->high : x;
    }
    return r->spread == BOTH_SIGNS && random_next(state) % 2 ? -x : x;
}

static void errors_are_small(void **state)
{
    uint64_t random = 1;
    (void)state;
    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        double worst = 0, at = 0;
        for (size_t i = 0; i < SAMPLES; i++) {
            double x = sample(r, &random);
            double error = ulps(r->got(x), r->exact(x));
            if (!(error <= worst)) {
                worst = error;
                at = x;
            }
        }
        if (!(worst <= r->error))
            fail_msg("%s: %g ulp at %.17g", r->name, worst, at);
    }
}

/* Exact, bit for bit; NaN as such. */
static const struct edge {
    const char *name;
    double (*got)(double);
    double x, y;
} edges[] = {
    {"exp", exp_, -INFINITY, 0},
    {"exp", exp_, INFINITY, INFINITY},
    {"exp", exp_, -DBL_MAX, 0},
    {"exp", exp_, DBL_MAX, INFINITY},
    {"exp", exp_, 710, INFINITY},
    {"exp", exp_, -745.13321910194111, 0x1p-1074},
    {"exp", exp_, -746, 0},
    {"exp", exp_, 0, 1},
    {"exp", exp_, -0.0, 1},
    {"exp", exp_, 0x1p-1074, 1},
    {"exp", exp_, NAN, NAN},
    {"expm1", expm1_, -INFINITY, -1},
    {"expm1", expm1_, INFINITY, INFINITY},
    {"expm1", expm1_, 0, 0},
    {"expm1", expm1_, -0.0, -0.0},
    {"expm1", expm1_, 0x1p-1074, 0x1p-1074},
    {"expm1", expm1_, -0x1p-1074, -0x1p-1074},
    {"expm1", expm1_, NAN, NAN},
    {"log", log_, 0, -INFINITY},
    {"log", log_, -0.0, -INFINITY},
    {"log", log_, 1, 0},
    {"log", log_, INFINITY, INFINITY},
    {"log", log_, -INFINITY, NAN},
    {"log", log_, -0x1p-1074, NAN},
    {"log", log_, -1, NAN},
    {"log", log_, NAN, NAN},
    {"log1p", log1p_, 0, 0},
    {"log1p", log1p_, 0x1p-1074, 0x1p-1074},
    {"log1p", log1p_, INFINITY, INFINITY},
    {"log1p", log1p_, NAN, NAN},
    {"power of 2", power_of_2, -1022, 0x1p-1022},
    {"power of 2", power_of_2, 0, 1},
    {"power of 2", power_of_2, 1023, 0x1p1023},
};

static void edges_are_exact(void **state)
{
    (void)state;
    for (const struct edge *e = edges; e < edges + COUNT(edges); e++) {
        double y = e->got(e->x);
        if (isnan(e->y) ? !isnan(y) : bits_of(y) != bits_of(e->y))
            fail_msg("%s(%g) is %g, not %g", e->name, e->x, y, e->y);
    }
}

static void products_keep_what_rounding_takes(void **state)
{
    uint64_t random = 2;
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        double a = from_bits((random_next(&random) >> 2) + bits_of(0x1p-500));
        double b = from_bits((random_next(&random) >> 2) + bits_of(0x1p-500));
        struct pair p = product(a, -b);
        double lost = (double)fmal((long double)a, -(long double)b, -p.high);
        if (!isfinite(p.high))
            continue;
        if (p.high != a * -b || !(fabs(p.low - lost) <= -p.high * 0x1p-103))
            fail_msg("%a * %a: %a and %a, not %a", a, -b, p.high, p.low, lost);
    }
}

static void powers_go_beyond_the_range_of_double(void **state)
{
    (void)state;
    struct exponential low = exponential_long(-1400, 0, true);
    struct exponential high = exponential_long(1400, 0, true);
    double ratio = (low.p + low.q) / (low.p - low.q) * low.s * 0x1p1000;
    assert_true(ulps(ratio * low.tail, expl(-1400 + 1000 * logl(2))) < 1e4);
    ratio = (high.p + high.q) / (high.p - high.q) * high.s * 0x1p-1000;
    assert_true(ulps(ratio * high.tail, expl(1400 - 1000 * logl(2))) < 1e4);
}

static void polynomials_take_coefficients_from_low_to_high(void **state)
{
    static const double c[] = {5, 3, 2, 7};
    (void)state;
    assert_true(polynomial(10, c, 2) == 35);
    assert_true(polynomial(10, c, 3) == 235);
    assert_true(polynomial(10, c, 4) == 7235);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_small),
        cmocka_unit_test(edges_are_exact),
        cmocka_unit_test(products_keep_what_rounding_takes),
        cmocka_unit_test(powers_go_beyond_the_range_of_double),
        cmocka_unit_test(polynomials_take_coefficients_from_low_to_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
