/*
 * Diagnostics of an activation: what it does to signal and gradient on this
 * input.
 *
 * Facts, null where nothing is there to judge.  "Shares" are from 0 to 1, of
 * the finite elements.  f' stands for the output grad as answered: times
 * grad_output where that was given.
 *
 * Of value (non-finite ones are left out of all but the first four):
 *   count                  elements
 *   nan_count, inf_count   how many are no number
 *   first_nonfinite_index  flat, null when all are finite
 *   min, max, mean, std    std divides by the number of elements
 *   zero_centredness       mean / std; null when std is 0
 *   fp16_overflow_fraction   share that rounds to infinity in half precision:
 *                            |value| >= 65520
 *   fp16_subnormal_fraction  share below 2^-14 in magnitude and not 0, where
 *                            half precision loses digits
 *   fp16_max_abs_error     largest |value - half(value)|, rounded to nearest
 *                          even, over those that do not overflow
 *   histogram              edges (33), counts (32), underflow, overflow.
 *                          Equal bins over mean -+ 4 std, cut to [min, max];
 *                          min -+ 1/2 when all are equal.  A bin holds its
 *                          lower edge, the last one its upper edge too.
 * Of f':
 *   grad_abs_mean, grad_sq_mean
 *   dead_fraction          share with f' = 0
 *   vanishing_fraction     share with |f'| < 0.05 max |f'| over this input,
 *                          dead ones always
 *   saturated_low_fraction, saturated_high_fraction
 *                          share that vanishes and has x < 0, or x > 0
 * With the parameter channel_axis (negative counts from the end; of x):
 *   dead_channels          numbers of the channels with f' = 0 everywhere
 *   dead_channel_count     a channel without elements is not dead
 *
 * Fixed stretches of elements are judged apart and combined in order: any
 * number of workers and every instruction set gives the same bits.
 */
#ifndef EVALD_CORE_KERNELS_ACTIVATION_STATS_H
#define EVALD_CORE_KERNELS_ACTIVATION_STATS_H

#include "core/op.h"
#include "core/real.h"

/*
 * For op->stats.  Input 0 is x, of the shape of the output grad; value may
 * have another.  Returns -1 when call->mem is spent.
 */
int NAME(activation_stats)(struct op_call *call);
#define activation_stats NAME(activation_stats)

#endif
