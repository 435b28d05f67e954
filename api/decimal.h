/* Decimal numbers to doubles. */
#ifndef EVALD_API_DECIMAL_H
#define EVALD_API_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

enum { DECIMAL_EXACT_POWER = 22 };
extern const double decimal_power[DECIMAL_EXACT_POWER + 1]; /* 10^i, exact */

/* As decimal_to_double, of any number. */
bool decimal_product(uint64_t m, int e, double *out);

/*
 * The double nearest to m * 10^e, ties to even, in *out.  False if it is not
 * finite, or if 128 bits of the power do not tell on which side of a tie the
 * number lies (never so far as is known, and proven for m below 2^53).
 */
static inline bool decimal_to_double(uint64_t m, int e, double *out)
{
    /* a quotient of two numbers that are exact is rounded once */
    if (m > UINT64_C(1) << 53 || e > 0 || e < -DECIMAL_EXACT_POWER)
        return decimal_product(m, e, out);
    *out = (double)m / decimal_power[-e];
    return true;
}

#endif
