/* Decimal numbers to doubles. */
#ifndef EVALD_API_DECIMAL_H
#define EVALD_API_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The double nearest to m * 10^e, ties to even, in *out.  False if it is not
 * finite, or if 128 bits of the power do not tell on which side of a tie the
 * number lies (never so far as is known, and proven for m below 2^53).
 */
bool decimal_to_double(uint64_t m, int e, double *out);

#endif
