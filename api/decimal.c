/*
 * Lemire 2021, "Number parsing at a gigabyte per second", after an idea of
 * Eisel: the product of m and 128 bits of a power of ten has more bits than a
 * double, and those that were cut off can only matter if they are all ones.
 */
#include "api/decimal.h"

#include "api/power.h"

#include <stddef.h>
#include <string.h>

enum {
    SMALLEST = -342, /* below it even 2^64 - 1 is nearer to 0 than to any */
    LARGEST = 308,
    MANTISSA_BITS = 52,
    BIAS = 1023,
    SPARE_BITS = 64 - MANTISSA_BITS - 3, /* of the product's highest word */
};
const double decimal_power[DECIMAL_EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

__extension__ typedef unsigned __int128 uint128;

/* The power that the method's proof wants: reciprocals that 64 bits can be
 * divided by exactly are rounded up. */
static struct power factor(int e)
{
    struct power g = power_of_ten(e);
    if (e < 0 && e >= -27) {
        g.lo++;
        g.hi += g.lo == 0;
    }
    return g;
}

/* The highest 128 bits of w * 10^e, or a little less. */
static uint128 product(uint64_t w, int e)
{
    struct power g = factor(e);
    uint128 p = (uint128)w * g.hi;
    uint64_t mask = UINT64_MAX >> (MANTISSA_BITS + 3);
    if (((uint64_t)(p >> 64) & mask) == mask)
        p += (uint128)w * g.lo >> 64; /* only now can it matter */
    return p;
}

static double assemble(uint64_t mantissa, int exponent)
{
    double x;
    uint64_t bits =
        mantissa + ((uint64_t)exponent << MANTISSA_BITS); /* may carry */
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* A result below the normal numbers: fewer bits, one rounding. */
static double subnormal(uint64_t mantissa, int exponent)
{
    if (1 - exponent >= 64)
        return 0;
    mantissa >>= 1 - exponent;
    mantissa += mantissa & 1;
    return assemble(mantissa >> 1, 0); /* 2^52 is the first normal one */
}

static bool scale(uint64_t m, int e, double *out)
{
    int zeros = __builtin_clzll(m);
    uint128 p = product(m << zeros, e);
    uint64_t high = (uint64_t)(p >> 64), low = (uint64_t)p;
    if (low == UINT64_MAX && (e < -27 || e > POWER_EXACT_MAX))
        return false;
    int top = (int)(high >> 63);
    uint64_t mantissa = high >> (top + SPARE_BITS); /* one bit to round by */
    int exponent = power_exponent(e) + 63 + top - zeros + BIAS;
    if (exponent <= 0) {
        *out = subnormal(mantissa, exponent);
        return true;
    }
    /* a tie, where the product is exact: to even */
    if (low <= 1 && e >= -4 && e <= 23 && (mantissa & 3) == 1 &&
        mantissa << (top + SPARE_BITS) == high)
        mantissa &= ~UINT64_C(1);
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa == UINT64_C(2) << MANTISSA_BITS) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent >= 2 * BIAS + 1)
        return false;
    *out = assemble(mantissa - (UINT64_C(1) << MANTISSA_BITS), exponent);
    return true;
}

bool decimal_product(uint64_t m, int e, double *out)
{
    if (m == 0 || e < SMALLEST || e > LARGEST) {
        *out = 0;
        return m == 0 || e < SMALLEST;
    }
    return scale(m, e, out);
}
