/* Powers of two that keep squares in range. */
#ifndef EVALD_CORE_SCALE_H
#define EVALD_CORE_SCALE_H

#include <math.h>

/*
 * An exponent e by which to scale numbers of which `largest` (finite, not
 * negative) is the largest in magnitude: ldexp(x, -e) and the squares of it
 * can be added up 2^200 times.  0 for all but the outlandish, so that what is
 * ordinary is left as it is.
 */
static inline int scale_exponent(double largest)
{
    enum { SAFE = 400 };
    int e = largest > 0 ? ilogb(largest) : 0;
    return e > SAFE ? e - SAFE : e < -SAFE ? e + SAFE : 0;
}

#endif
