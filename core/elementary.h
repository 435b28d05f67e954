/*
 * Elementary functions for loops that the compiler turns into vector code:
 * no branch, no table, no call.  All take and give double, and are good to a
 * few units in its last place (tests/test_elementary.c has them one by one)
 * unless said otherwise.
 *
 * The exponential is a fraction, so that a function like 1 / (1 + e^-x) costs
 * one division and not two.  tests/golden/polynomials.py finds the constants.
 */
#ifndef EVALD_CORE_ELEMENTARY_H
#define EVALD_CORE_ELEMENTARY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Added and taken away again, it rounds to an integer (below 2^51). */
#define ROUNDER 0x1.8p52
#define LN2_HIGH 0x1.62e42fee00000p-1 /* times any exponent is exact */
#define LN2_LOW 0x1.a39ef35793c76p-33

INLINE uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

INLINE double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* x between low and high; NaN stays. */
INLINE double clamp(double x, double low, double high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* high + low, low being what rounding took from high. */
struct pair {
    double high, low;
};

/* a b; low is exact to 2^-103 of high, and NaN where high overflows. */
INLINE struct pair product(double a, double b)
{
    const uint64_t half = ~UINT64_C(0x7ffffff);
    double a1 = from_bits(bits_of(a) & half), a2 = a - a1;
    double b1 = from_bits(bits_of(b) & half), b2 = b - b1;
    double high = a * b;
    return (struct pair){high,
                         ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2};
}

/*
 * c[0] + c[1] x + ... + c[n - 1] x^(n - 1), even and odd powers apart: two
 * short chains of operations in place of a long one.
 */
INLINE double polynomial(double x, const double *c, int n)
{
    double y = x * x, last = c[n - 1], other = c[n - 2];
    for (int i = n - 3; i >= 0; i -= 2) {
        last = c[i] + y * last;
        if (i > 0)
            other = c[i - 1] + y * other;
    }
    return n % 2 ? last + x * other : other + x * last;
}

/* 2^k, k an integer from -1022 to 1023. */
INLINE double power_of_2(double k)
{
    /* The low bits of the sum are k + 1023, as the exponent has it. */
    return from_bits(bits_of(k + (ROUNDER + 1023)) << 52);
}

/* e^x = s (p + q) / (p - q) * tail; s is a power of 2. */
struct exponential {
    double s, p, q, tail;
};

/* Relative error 2^-30; |x| <= 700; tail is 1. */
INLINE struct exponential exponential_short(double x)
{
    double t = x * 0x1.71547652b82fep+0; /* 1 / ln 2 */
    double k = t + (ROUNDER + 1023), r = t - (k - (ROUNDER + 1023));
    double y = r * r;
    return (struct exponential){
        .s = from_bits(bits_of(k) << 52),
        .p = 360.7972510259898 + y * 17.330886735392337,
        .q = r * (125.0427985846108 + y),
        .tail = 1,
    };
}

/*
 * Of x + low, low tiny beside x.  With wide, x may be from -1400 to 1400 and s
 * stays within 2^+-1000: the rest is in tail, to be applied last, for results
 * near the ends of the range.  Else |x| <= 700 and tail is 1.
 */
INLINE struct exponential exponential_long(double x, double low, bool wide)
{
    double k = (x * 0x1.71547652b82fep+0 + ROUNDER) - ROUNDER;
    double r = (x - k * LN2_HIGH) - (k * LN2_LOW - low), y = r * r;
    double near = wide ? clamp(k, -1000, 1000) : k;
    return (struct exponential){
        .s = power_of_2(near),
        .p =
            30262.92347742266 + y * (3362.456018604562 + y * 30.01363924258799),
        .q = r * (15131.46173871133 + y * (420.2728644097005 + y)),
        .tail = wide ? power_of_2(k - near) : 1,
    };
}

/* e^x; 0 and inf at the ends, subnormal results included. */
INLINE double exp_(double x)
{
    struct exponential e = exponential_long(clamp(x, -760, 760), 0, true);
    return e.s * ((e.p + e.q) / (e.p - e.q)) * e.tail;
}

/* e^x - 1 of an exponential, its tail left out; -0 for -0. */
INLINE double less_1(struct exponential e)
{
    return e.s * ((e.q + e.q) / (e.p - e.q)) - (1 - e.s);
}

/* e^x - 1; relative error small near 0 too. */
INLINE double expm1_(double x)
{
    struct exponential e = exponential_long(clamp(x, -64, 760), 0, true);
    return less_1(e) * e.tail;
}

/*
 * (2 atanh(w) / w - 2) / w^2, for y = w^2 <= 1/9; good to 2^-26 without
 * precise.
 */
INLINE double atanh_tail(double y, bool precise)
{
    static const double few[] = {0.666666673311295, 0.3999970322990637,
                                 0.28592498936247923, 0.21704533077341556,
                                 0.23233564152107272};
    static const double all[] = {
        0.6666666666666666,  0.4000000000001481,  0.28571428567052737,
        0.22222222722631396, 0.18181789194221706, 0.15385576378178434,
        0.13314047479705865, 0.12001936214906146, 0.08796584006443563,
        0.1617237252257906,
    };
    return precise ? polynomial(y, all, 10) : polynomial(y, few, 5);
}

/* ln(1 + a/b) of w = a / (a + 2 b), from 0 to 1/3. */
INLINE double log1p_of_share(double w, bool precise)
{
    double y = w * w;
    return 2 * w + w * y * atanh_tail(y, precise);
}

/*
 * ln(1 + a/b), 0 <= a <= b, b > 0: with a/b = e^-|x| what softplus is made of.
 * Relative error 2^-29 without precise.
 */
INLINE double log1p_of_ratio(double a, double b, bool precise)
{
    return log1p_of_share(a / (a + 2 * b), precise);
}

/* ln(2^k (1 + f)), sqrt(1/2) <= 1 + f <= sqrt(2). */
INLINE double log_of_parts(double k, double f)
{
    double w = f / (2 + f), y = w * w, half = 0.5 * f * f;
    static const double c[] = {
        0.666666666666667,   0.39999999999899116, 0.28571428626133955,
        0.22222211111290557, 0.18182890699844845, 0.15331673016021616,
        0.14617011514021996,
    };
    double tail = y * polynomial(y, c, 7);
    /* 2 atanh w = f - w f + w tail, written so that f itself stays exact. */
    return k * LN2_HIGH - ((half - (w * (half + tail) + k * LN2_LOW)) - f);
}

/* x = 2^k m, m from sqrt(1/2) to sqrt(2); x normal and positive. */
struct parts {
    double k, m;
};

INLINE struct parts parts_of(double x)
{
    const uint64_t root = 0x3fe6a09e667f3bcd; /* of sqrt(1/2) */
    uint64_t bits = bits_of(x);
    uint64_t k = (bits - root + (UINT64_C(1024) << 52)) >> 52; /* + 1024 */
    return (struct parts){
        .k = from_bits(k | bits_of(0x1p52)) - (0x1p52 + 1024),
        .m = from_bits(bits - (k << 52) + (UINT64_C(1024) << 52)),
    };
}

/* ln x over all doubles: ln 0 = -inf, of negative numbers NaN. */
INLINE double log_(double x)
{
    bool subnormal = x < 0x1p-1022;
    struct parts of = parts_of(subnormal ? x * 0x1p54 : x);
    double y = log_of_parts(subnormal ? of.k - 54 : of.k, of.m - 1);
    double edge = x < 0 ? (double)NAN : x == 0 ? -(double)INFINITY : x;
    return x > 0 && x < (double)INFINITY ? y : edge;
}

/* ln(1 + x), x >= 0; relative error small near 0 too. */
INLINE double log1p_(double x)
{
    double u = 1 + x;
    /* What u lost, which is little beside u: 0 once u is huge. */
    double lost = x < 1 ? x - (u - 1) : x < 0x1p60 ? 1 - (u - x) : 0;
    struct parts of = parts_of(u);
    double scale = power_of_2(of.k < 1022 ? -of.k : -1022);
    double y = log_of_parts(of.k, (of.m - 1) + lost * scale);
    return x < (double)INFINITY ? y : x;
}

/* A fraction whose division is left to the caller. */
struct fraction {
    double num, den;
};

/*
 * The tail of the normal distribution without its exponential:
 * e^(x^2 / 2) erfc(x / sqrt 2) / 2, from 0 to 40.  Without precise the
 * relative error is 2^-33 and x at most 16.
 */
INLINE struct fraction normal_tail(double x, bool precise)
{
    static const double few_num[] = {1,
                                     1.0208729788360176,
                                     0.5063249722108218,
                                     0.14481981307762615,
                                     0.023785338072781385,
                                     0.0018313565722412565};
    static const double few_den[] = {2.0000000002075544,   3.6375150598147,
                                     2.914967348379713,    1.3286108096531462,
                                     0.36760967543997697,  0.05962068943027982,
                                     0.0045905345863258675};
    static const double all_num[] = {
        1,
        1.6572294826006388,
        1.361373440171406,
        0.7163543217562588,
        0.2649091847084826,
        0.07161361558914935,
        0.01431354558434118,
        0.0020912773540083234,
        0.0002145814482323292,
        1.4062451132469723e-05,
        4.5254808550978747e-07,
    };
    static const double all_den[] = {
        2.0,
        4.910228086807009,
        5.640542060826699,
        4.010019065537299,
        1.9650113667470792,
        0.6988431686350606,
        0.18468027051210759,
        0.036414345240550046,
        0.0052773042836545435,
        0.00053901029517133,
        3.524933761931997e-05,
        1.1343698267687291e-06,
    };
    if (precise)
        return (struct fraction){polynomial(x, all_num, 11),
                                 polynomial(x, all_den, 12)};
    return (struct fraction){polynomial(x, few_num, 6),
                             polynomial(x, few_den, 7)};
}

#endif
