#include "core/loss_stats.h"
#include "core/elementary.h"
#include "core/scale.h"
#include "core/sum.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { BINS = 10 };

/* Both histograms'. */
static const double edges[BINS + 1] = {0,   0.1, 0.2, 0.3, 0.4, 0.5,
                                       0.6, 0.7, 0.8, 0.9, 1};

static bool usable(const struct op_samples *s, size_t i)
{
    return isfinite(s->loss[i]) && isfinite(s->grad[i]) &&
           isfinite(s->difficulty[i]);
}

/* Leaves the finite samples in *s, copied if some are not; -1: no memory. */
static int keep_usable(struct op_samples *s, struct arena *mem,
                       const atomic_bool *stop)
{
    const struct op_samples all = *s;
    size_t n = 0;
    for (size_t i = 0, end; (end = stop_reach(stop, i, all.n)) > i;)
        for (; i < end; i++)
            n += usable(&all, i);
    if (is_stopped(stop))
        return -1;
    if (n == all.n)
        return 0;
    double *copy = arena_alloc(mem, 3 * n, sizeof(*copy));
    if (!copy)
        return -1;
    *s = (struct op_samples){0, copy, copy + n, copy + 2 * n};
    for (size_t i = 0, end; (end = stop_reach(stop, i, all.n)) > i;)
        for (; i < end; i++)
            if (usable(&all, i)) {
                s->loss[s->n] = all.loss[i];
                s->grad[s->n] = all.grad[i];
                s->difficulty[s->n++] = all.difficulty[i];
            }
    return 0;
}

static double share(double part, double all)
{
    return all > 0 ? part / all : NAN;
}

static int note_loss(struct op_call *call, size_t n, const double *loss)
{
    double min = INFINITY, max = -INFINITY;
    struct sum sum = {0, 0}, square = {0, 0};
    const atomic_bool *stop = call->par->stop;
    for (size_t i = 0; i < n; i++) {
        min = loss[i] < min ? loss[i] : min;
        max = loss[i] > max ? loss[i] : max;
    }
    const int e = n > 0 ? scale_exponent(fmax(fabs(min), fabs(max))) : 0;
    const double scale = ldexp(1, -e), some = n > 0 ? 1 : NAN;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            sum = sum_add(sum, loss[i] * scale);
    /* Equal losses have their own mean, whatever the division says. */
    double mean = min < max ? sum_total(sum) / (double)n : min * scale;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++) {
            double d = loss[i] * scale - mean;
            square = sum_add(square, d * d);
        }
    double std = sqrt(sum_total(square) / (double)n);
    return op_fact_number(call, "mean", some * ldexp(mean, e)) ||
                   op_fact_number(call, "std", some * ldexp(std, e)) ||
                   op_fact_number(call, "min", some * min) ||
                   op_fact_number(call, "max", some * max)
               ? -1
               : 0;
}

/* The gradients, scaled where they are outlandish. */
struct grads {
    size_t n;
    const double *grad, *difficulty;
    int exponent;
    double scale, max; /* max is not scaled */
    double sum;        /* scaled */
    const atomic_bool *stop;
};

static struct grads grads_of(const struct op_samples *s,
                             const atomic_bool *stop)
{
    struct grads g = {
        .n = s->n, .grad = s->grad, .difficulty = s->difficulty, .stop = stop};
    struct sum sum = {0, 0};
    for (size_t i = 0; i < g.n; i++)
        g.max = g.grad[i] > g.max ? g.grad[i] : g.max;
    g.exponent = scale_exponent(g.max);
    g.scale = ldexp(1, -g.exponent);
    for (size_t i = 0, end; (end = stop_reach(stop, i, g.n)) > i;)
        for (; i < end; i++)
            sum = sum_add(sum, g.grad[i] * g.scale);
    g.sum = sum_total(sum);
    return g;
}

static int note_norm(struct op_call *call, const struct grads *g)
{
    struct sum square = {0, 0};
    size_t n_zero = 0;
    const double n = (double)g->n, some = g->n > 0 ? 1 : NAN;
    for (size_t i = 0, end; (end = stop_reach(g->stop, i, g->n)) > i;)
        for (; i < end; i++) {
            double scaled = g->grad[i] * g->scale;
            square = sum_add(square, scaled * scaled);
            n_zero += g->grad[i] == 0;
        }
    double norm = ldexp(sqrt(sum_total(square)), g->exponent);
    return op_fact_number(call, "grad_norm", some * norm) ||
                   op_fact_number(call, "grad_max", some * g->max) ||
                   op_fact_number(call, "zero_grad_fraction",
                                  share((double)n_zero, n))
               ? -1
               : 0;
}

static int note_easy(struct op_call *call, const struct grads *g)
{
    const double below = call->op->easy_below;
    struct sum sum[2] = {{0, 0}, {0, 0}}; /* hard, easy */
    size_t n_easy = 0;
    for (size_t i = 0, end; (end = stop_reach(g->stop, i, g->n)) > i;)
        for (; i < end; i++) {
            bool easy = g->difficulty[i] < below;
            n_easy += easy;
            sum[easy] = sum_add(sum[easy], g->grad[i] * g->scale);
        }
    const double hard = sum_total(sum[0]), easy = sum_total(sum[1]);
    return op_fact_number(call, "easy_fraction",
                          share((double)n_easy, (double)g->n)) ||
                   op_fact_number(call, "easy_grad_share",
                                  share(easy, g->sum)) ||
                   op_fact_number(call, "hard_grad_share",
                                  share(hard, g->sum)) ||
                   op_fact_number(call, "grad_ratio_inlier_outlier",
                                  share(easy, hard))
               ? -1
               : 0;
}

/*
 * The k-th largest of n numbers that are not negative, 1 <= k <= n.  Bits of
 * such numbers are in the numbers' order; those of the k-th are found from the
 * left, nine at a time, by counting.  No digit has the sign, -0.0's.
 */
static double kth_largest(size_t n, const double *x, size_t k,
                          const atomic_bool *stop)
{
    enum { WIDTH = 9, VALUES = 1 << WIDTH, FIRST = 63 - WIDTH };
    uint64_t known = 0, found = 0;
    for (int shift = FIRST; shift >= 0; shift -= WIDTH) {
        size_t count[VALUES] = {0}, digit = VALUES - 1;
        for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
            for (; i < end; i++) {
                uint64_t bits = bits_of(x[i]);
                if ((bits & known) == found)
                    count[bits >> shift & (VALUES - 1)]++;
            }
        if (is_stopped(stop)) /* there may be no k numbers left */
            return 0;
        for (; count[digit] < k; digit--)
            k -= count[digit];
        found |= (uint64_t)digit << shift;
        known |= (uint64_t)(VALUES - 1) << shift;
    }
    return from_bits(found);
}

/* The sum of the largest `percent` of the gradients, scaled. */
static double top_sum(const struct grads *g, size_t percent)
{
    /* rounded up, without a product that could overflow */
    const size_t k = g->n / 100 * percent + (g->n % 100 * percent + 99) / 100;
    const double least = kth_largest(g->n, g->grad, k, g->stop);
    struct sum sum = {0, 0};
    size_t n_above = 0;
    for (size_t i = 0, end; (end = stop_reach(g->stop, i, g->n)) > i;)
        for (; i < end; i++)
            if (g->grad[i] > least) {
                sum = sum_add(sum, g->grad[i] * g->scale);
                n_above++;
            }
    sum = sum_add(sum, (double)(k - n_above) * (least * g->scale));
    return sum_total(sum);
}

static int note_top(struct op_call *call, const struct grads *g)
{
    static const struct {
        const char *name;
        size_t percent;
    } top[] = {{"top_share.1", 1}, {"top_share.5", 5}, {"top_share.10", 10}};
    int rc = 0;
    for (size_t i = 0; i < sizeof(top) / sizeof(*top); i++) {
        double sum = g->sum > 0 ? top_sum(g, top[i].percent) : 0;
        rc |= op_fact_number(call, top[i].name, share(sum, g->sum));
    }
    return rc;
}

/*
 * The bin of x; the first one is open.  Every edge times BINS is a whole
 * number after rounding, so what rounding can do is lift x over an edge.
 */
static size_t bin_of(double x)
{
    if (!(x > 0))
        return 0;
    size_t k = x < 1 ? (size_t)(x * BINS) : BINS - 1;
    return k - (x < edges[k]);
}

static int note_histograms(struct op_call *call, const struct grads *g)
{
    double *by_grad = arena_zero(call->mem, BINS, sizeof(*by_grad));
    double *by_difficulty = arena_zero(call->mem, BINS, sizeof(*by_difficulty));
    double *carried = arena_alloc(call->mem, BINS, sizeof(*carried));
    struct sum sum[BINS] = {{0, 0}};
    if (!by_grad || !by_difficulty || !carried)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(g->stop, i, g->n)) > i;)
        for (; i < end; i++) {
            const size_t k = bin_of(g->difficulty[i]);
            by_difficulty[k]++;
            sum[k] = sum_add(sum[k], g->grad[i] * g->scale);
            by_grad[g->max > 0 ? bin_of(g->grad[i] / g->max) : 0]++;
        }
    for (size_t k = 0; k < BINS; k++)
        carried[k] = share(sum_total(sum[k]), g->sum);
    op_fact_list(call, "grad_histogram.edges", OP_FACT_NUMBER, edges, BINS + 1);
    op_fact_list(call, "grad_histogram.counts", OP_FACT_COUNT, by_grad, BINS);
    op_fact_list(call, "difficulty_histogram.edges", OP_FACT_NUMBER, edges,
                 BINS + 1);
    op_fact_list(call, "difficulty_histogram.counts", OP_FACT_COUNT,
                 by_difficulty, BINS);
    op_fact_list(call, "difficulty_histogram.grad_share", OP_FACT_NUMBER,
                 carried, BINS);
    return 0;
}

int loss_stats(struct op_call *call)
{
    assert(call->samples);
    struct op_samples s = *call->samples;
    if (keep_usable(&s, call->mem, call->par->stop))
        return -1;
    const struct grads g = grads_of(&s, call->par->stop);
    return op_fact_count(call, "count", call->samples->n) ||
                   op_fact_count(call, "nonfinite_count",
                                 call->samples->n - s.n) ||
                   note_loss(call, s.n, s.loss) || note_norm(call, &g) ||
                   note_easy(call, &g) || note_top(call, &g) ||
                   note_histograms(call, &g)
               ? -1
               : 0;
}
