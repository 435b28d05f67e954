/*
 * The loops of activation_stats.c: three rounds over all elements, a stretch
 * at a time, each of which fills its share of a struct part.
 */
#ifndef EVALD_CORE_KERNELS_ACTIVATION_ROUNDS_H
#define EVALD_CORE_KERNELS_ACTIVATION_ROUNDS_H

#include "core/op.h"
#include "core/real.h"

/* Elements per stretch: fit into a cache, long against handing them out. */
enum { STRETCH = 1 << 15, BINS = 32 };

/* What a stretch comes to; the counts are whole numbers. */
struct part {
    double min, max, finite, nan, overflow, subnormal, error;
    size_t first; /* value that is not finite, or SIZE_MAX */
    /* Of scaled values: their mean is the sum of two, of which one alone could
     * not tell stretches of an offset apart; the sum of squared deviations. */
    double centre, mean, square;
    double grad_finite, grad_max, dead, vanishing, low, high;
    double grad_sum, grad_square; /* of scaled |f'| */
    uint32_t slot[BINS + 2];      /* underflow, bins, overflow */
};

/* All there is to look at, and what is known of it so far. */
struct look {
    const real *x, *value, *grad;
    size_t n_value, n_grad;
    struct part *part;
    size_t n_parts;
    int value_exponent, grad_exponent;
    double value_scale, grad_scale, grad_limit;
    double low, per_width;  /* of the histogram, scaled */
    double bound[BINS + 3]; /* slot k holds bound[k] <= v < bound[k + 1] */
    double edges[BINS + 1];
};

/*
 * For parallel->run; the context is a struct look, the item a stretch.
 * First ranges and counts; then, with the scales and grad_limit set, moments;
 * then, with low, per_width and bound set, the histogram.
 */
parallel_task NAME(see_stretch), NAME(add_stretch), NAME(sort_stretch);
#define see_stretch NAME(see_stretch)
#define add_stretch NAME(add_stretch)
#define sort_stretch NAME(sort_stretch)

#endif
