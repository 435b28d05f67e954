/*
 * The exponential as kernels use it: a fraction, short where `real` is float,
 * held within the range beyond which nothing changes any more.
 */
#ifndef EVALD_CORE_KERNELS_POWER_H
#define EVALD_CORE_KERNELS_POWER_H

#include "core/elementary.h"
#include "core/real.h"

/*
 * Where results have vanished: e^-1400 times the largest double is 0, e^-200
 * times the largest float is a float's 0.  And where 1 + x e^-x is 1.
 */
enum { LOW = PRECISE ? -1400 : -200, HIGH = 64 };

/*
 * Bounds are set in real: a float's comparison does eight at once where that
 * of double does four.  NaN stays.
 */
INLINE real size(real x)
{
    return PRECISE ? (real)fabs((double)x) : (real)fabsf((float)x);
}

INLINE real at_least(real x, real low)
{
    return x < low ? low : x;
}

INLINE real within(real x, real low, real high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/*
 * |x| up to a bound; NaN stays.  Of integers, as comparing and choosing would
 * be done in double: a compiler computes what follows for the bound apart and
 * chooses among the results.  All ones is a NaN.
 */
INLINE real size_within(real x, real high)
{
    if (PRECISE)
        return fabs((double)x) > high ? high : (real)fabs((double)x);
    float value = (float)x, bound = (float)high;
    int32_t bits, most;
    memcpy(&bits, &value, sizeof(bits));
    memcpy(&most, &bound, sizeof(most));
    bits &= 0x7fffffff;
    int32_t nan = -(bits > 0x7f800000);
    bits = (bits < most ? bits : most) | nan;
    memcpy(&value, &bits, sizeof(value));
    return (real)value;
}

/*
 * e^x = a / b * tail, and its s, p, q.  Only PRECISE has results that s alone
 * could not hold, so else tail is 1 and costs nothing.
 */
struct power {
    struct exponential e;
    double a, b, tail;
};

INLINE struct power power_of(struct exponential e)
{
    return (struct power){e, e.s * (e.p + e.q), e.p - e.q, e.tail};
}

/* x from LOW to -LOW; good enough for results that are no differences. */
INLINE struct power power(double x)
{
    return power_of(PRECISE ? exponential_long(x, 0, true)
                            : exponential_short(x));
}

/* The same as good as a double can be, for gradients that have a root. */
INLINE struct power power_long(double x)
{
    return power_of(exponential_long(x, 0, PRECISE));
}

/*
 * Of a product or the like, held between low and high.  What it lost in
 * rounding matters in double: at e^-700 it is 700 times the relative error.
 */
INLINE struct power power_of_pair(struct pair x, double low, double high)
{
    double near = clamp(x.high, low, high);
    double lost = near == x.high ? x.low : 0;
    return PRECISE ? power_of(exponential_long(near, lost, true)) : power(near);
}

#endif
