/* Decimal numbers to doubles. */
#ifndef EVALD_API_DECIMAL_H
#define EVALD_API_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The double nearest to m * 10^e, ties to even, in *out.  Returns false if
 * that would need more than 128-bit arithmetic: e below -27, or m * 10^e
 * beyond what two exact doubles can be multiplied to.
 */
bool decimal_to_double(uint64_t m, int e, double *out);

#endif
