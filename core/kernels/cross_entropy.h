/*
 * What the row of cross_entropy needs: input 3 is class_weight, samples are
 * rows of logits.
 */
#ifndef EVALD_CORE_KERNELS_CROSS_ENTROPY_H
#define EVALD_CORE_KERNELS_CROSS_ENTROPY_H

#include "core/kernels/loss.h"

/* The rows of its own parameters. */
enum { CROSS_ENTROPY_IGNORE = LOSS_OWN_PARAM, CROSS_ENTROPY_SMOOTHING };

int NAME(cross_entropy_check)(const struct op_call *call,
                              struct op_fault *fault);
int NAME(cross_entropy_run)(struct op_call *call);
void NAME(cross_entropy_map)(const void *span);
#define cross_entropy_check NAME(cross_entropy_check)
#define cross_entropy_run NAME(cross_entropy_run)
#define cross_entropy_map NAME(cross_entropy_map)

#endif
