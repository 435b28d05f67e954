/* The rows of all operations, in the order in which they are listed. */
#include "core/op.h"
#include "core/real.h"

extern const struct op NAME(activations)[], NAME(smooth_activations)[],
    NAME(gated_activations)[], NAME(slope_activations)[],
    NAME(axis_activations)[], NAME(losses)[], NAME(class_losses)[], NAME(ghm)[],
    NAME(box_losses)[], NAME(box_metrics)[], NAME(nms)[], NAME(assign)[];

const struct op *const NAME(op_tables)[] = {
    NAME(activations),
    NAME(smooth_activations),
    NAME(gated_activations),
    NAME(slope_activations),
    NAME(axis_activations),
    NAME(losses),
    NAME(class_losses),
    NAME(ghm),
    NAME(box_losses),
    NAME(box_metrics),
    NAME(nms),
    NAME(assign),
    NULL,
};
