/*
 * Diagnostics of a loss: who carries the gradient on this batch.
 *
 * Facts, null where nothing is there to judge.  Samples and what is known of
 * them are those of struct op_samples: loss, gradient (a norm, before weights
 * of the reduction) and difficulty.  Shares and fractions are from 0 to 1.
 *   count              samples
 *   nonfinite_count    those of which something is infinite or no number;
 *                      they are left out of all that follows
 *   mean, std, min, max  of the loss; std divides by the number of samples
 *   grad_norm          Euclidean norm over all samples
 *   grad_max           the largest gradient
 *   zero_grad_fraction   of the samples
 *   easy_fraction        of the samples: difficulty below op->easy_below
 *   easy_grad_share, hard_grad_share
 *                      of the sum of gradients; null when that is 0
 *   grad_ratio_inlier_outlier  sum of gradients of the easy samples over that
 *                      of the others; null when the others have none
 *   top_share.1, .5, .10   share of the sum of gradients that the 1, 5 and 10
 *                      percent of samples with the largest carry; a count is
 *                      rounded up
 *   grad_histogram     edges (11), counts (10): gradient / grad_max in equal
 *                      bins from 0 to 1
 *   difficulty_histogram   edges (11), counts (10), grad_share (10): equal
 *                      bins of difficulty from 0 to 1, and what share of the
 *                      sum of gradients each one's samples carry
 * A bin holds its lower edge; the last one holds all from its lower edge on,
 * the first all below its upper edge.
 * Without samples (that are finite) counts are 0 and the rest is null.
 *
 * The share of the gradient per difficulty is how Libra R-CNN
 * (arXiv:1904.02701, section 3.3) and GHM (arXiv:1811.05181, figure 3)
 * compare losses.
 */
#ifndef EVALD_CORE_LOSS_STATS_H
#define EVALD_CORE_LOSS_STATS_H

#include "core/op.h"

/*
 * For op->stats, after *call->samples is filled.  -1 when mem is spent; facts
 * are anything when the call is stopped.
 */
int loss_stats(struct op_call *call) __attribute__((warn_unused_result));

#endif
