/*
 * What softmax and the losses made of it do with a row of n > 0 numbers.  The
 * results depend neither on the width of vectors nor on where a row lies.
 */
#ifndef EVALD_CORE_KERNELS_ROW_H
#define EVALD_CORE_KERNELS_ROW_H

#include "core/kernels/power.h"

#include <stddef.h>

/* The largest.  Of a row with NaN any of it. */
real NAME(row_max)(size_t n, const real *x);
#define row_max NAME(row_max)

/* Where `value` first is, or 0 if nowhere. */
size_t NAME(row_find)(size_t n, const real *x, real value);
#define row_find NAME(row_find)

/*
 * e^(x - max) of each, good to 2^-30 where real is float; low is LOW, which a
 * caller in another file keeps from being a constant: a compiler would compute
 * what follows for it apart and choose among the results.  Exactly 1 for max.
 */
void NAME(row_exp)(size_t n, const real *x, double max, double low,
                   double *out);
#define row_exp NAME(row_exp)

/* The same of n numbers that are no more than 0, in place. */
void NAME(row_exp_of)(size_t n, double *x, double low);
#define row_exp_of NAME(row_exp_of)

/* The sum, of which a double holds more digits than a float needs. */
double NAME(row_sum)(size_t n, const double *x);
#define row_sum NAME(row_sum)

#endif
