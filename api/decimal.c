#include "api/decimal.h"

#include <math.h>

enum { EXACT_POWER = 22, POWERS_OF_5 = 28 };
static const uint64_t EXACT_INTEGER = UINT64_C(1) << 53;

/* 10^i, exact in a double. */
static const double power_of_10[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* 5^i, as many as fit in 64 bits. */
static const uint64_t power_of_5[POWERS_OF_5] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

__extension__ typedef unsigned __int128 uint128;

/*
 * m / 10^k, exactly rounded, by a division of integers: with both brought to
 * 64 bits the quotient has 64, of which 53 stay, and the remainder says on
 * which side of a tie the rest lies.
 */
static double divide(uint64_t m, int k)
{
    uint64_t d = power_of_5[k];
    int m_shift = __builtin_clzll(m), d_shift = __builtin_clzll(d);
    m <<= m_shift;
    d <<= d_shift;
    int n_shift = m < d ? 64 : 63; /* so that the quotient has 64 bits */
    uint128 n = (uint128)m << n_shift;
    uint64_t q = (uint64_t)(n / d);
    bool exact = (uint128)q * d == n;
    uint64_t kept = q >> 11, rest = q & 0x7ff;
    kept += rest > 0x400 || (rest == 0x400 && (!exact || kept & 1));
    return ldexp((double)kept, 11 - n_shift - m_shift + d_shift - k);
}

bool decimal_to_double(uint64_t m, int e, double *out)
{
    if (e == 0 || m == 0) {
        *out = (double)m;
        return true;
    }
    if (m <= EXACT_INTEGER && e >= -EXACT_POWER && e <= EXACT_POWER) {
        *out = e < 0 ? (double)m / power_of_10[-e] : (double)m * power_of_10[e];
        return true;
    }
    if (e > 0 || e <= -POWERS_OF_5)
        return false;
    *out = divide(m, -e);
    return true;
}
