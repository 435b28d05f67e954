/* Powers of ten in 128 bits, for decimal numbers to binary ones and back. */
#ifndef EVALD_API_POWER_H
#define EVALD_API_POWER_H

#include <stdint.h>

enum { POWER_MIN = -348, POWER_MAX = 347, POWER_EXACT_MAX = 55 };

/* hi * 2^64 + lo, where the highest bit of hi is set. */
struct power {
    uint64_t hi, lo;
};

/* Filled before main. */
extern struct power power_table[POWER_MAX - POWER_MIN + 1];

/*
 * The highest 128 bits of 10^k, rounded down, POWER_MIN <= k <= POWER_MAX:
 * floor(10^k * 2^-(power_exponent(k) - 127)).  Exact for 0 <= k <=
 * POWER_EXACT_MAX.
 */
static inline struct power power_of_ten(int k)
{
    return power_table[k - POWER_MIN];
}

/* floor(log2(10^k)), |k| <= 1233. */
static inline int power_exponent(int k)
{
    return (k * 1741647) >> 19;
}

#endif
