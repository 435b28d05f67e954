#include "core/kernels/activation_stats.h"
#include "core/kernels/activation_rounds.h"
#include "core/scale.h"
#include "core/sum.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { CHANNELS = 64 };

/* A gradient below this part of the largest one has vanished. */
#define VANISHING 0.05

/* -1 when it was stopped. */
static int run(const struct op_call *call, struct look *l, parallel_task *round)
{
    if (l->n_parts == 1)
        round(l, 0, 0);
    else
        call->par->run(call->par, l->n_parts, round, l);
    return op_stopped(call) ? -1 : 0;
}

/* Adds up the counts of the first round. */
static struct part seen(const struct look *l)
{
    struct part all = {.min = INFINITY, .max = -INFINITY, .first = SIZE_MAX};
    for (size_t i = 0; i < l->n_parts; i++) {
        const struct part *p = &l->part[i];
        all.min = p->min < all.min ? p->min : all.min;
        all.max = p->max > all.max ? p->max : all.max;
        all.finite += p->finite;
        all.nan += p->nan;
        all.overflow += p->overflow;
        all.subnormal += p->subnormal;
        all.error = p->error > all.error ? p->error : all.error;
        all.first = p->first < all.first ? p->first : all.first;
        all.grad_finite += p->grad_finite;
        all.grad_max = p->grad_max > all.grad_max ? p->grad_max : all.grad_max;
        all.dead += p->dead;
    }
    return all;
}

/* Means are taken as distances from the centre of the first stretch. */
static void add_means(const struct look *l, struct part *all)
{
    struct sum sum = {0, 0}, square = {0, 0};
    size_t first = 0;
    while (first + 1 < l->n_parts && l->part[first].finite == 0)
        first++;
    all->centre = l->n_parts > 0 ? l->part[first].centre : 0;
    for (size_t i = first; i < l->n_parts; i++) {
        struct part *p = &l->part[i];
        p->mean += p->finite > 0 ? p->centre - all->centre : 0;
        sum = sum_add(sum, p->finite * p->mean);
    }
    double mean = sum_total(sum) / all->finite;
    for (size_t i = first; i < l->n_parts; i++) {
        const struct part *p = &l->part[i];
        double d = p->mean - mean;
        square = sum_add(square, p->square + p->finite * d * d);
    }
    all->mean = all->centre + mean;
    all->square = sum_total(square);
    if (all->min == all->max) { /* exactly, not but for rounding */
        all->mean = all->min * l->value_scale;
        all->square = 0;
    }
}

static double deviation(const struct part *all)
{
    return all->square > 0 ? sqrt(all->square / all->finite) : 0;
}

/*
 * Range and bounds of the histogram.  Bins are so wide that no two edges are
 * equal and that rounding misplaces an element by one bin at most.
 */
static void set_range(struct look *l, const struct part *all)
{
    const int e = l->value_exponent;
    double low = 0, high = 0, reach = 4 * deviation(all);
    if (all->finite > 0) {
        low = fmax(ldexp(all->min, -e), all->mean - reach);
        high = fmin(ldexp(all->max, -e), all->mean + reach);
    }
    double centre = low / 2 + high / 2;
    double least = fmax(fabs(centre) * 0x1p-40, ldexp(0x1p-1000, -e));
    if (!(all->min < all->max))
        least = fmax(least, ldexp(0.5, -e));
    if (high - centre < least || centre - low < least) {
        low = centre - least;
        high = centre + least;
    }
    l->low = low;
    l->per_width = BINS / (high - low);
    for (size_t i = 0; i <= BINS; i++) {
        double t = (double)i / BINS;
        double edge = ldexp(low * (1 - t) + high * t, e);
        l->edges[i] = fmin(fmax(edge, -DBL_MAX), DBL_MAX);
    }
    memcpy(l->bound + 1, l->edges, sizeof(l->edges));
    l->bound[0] = -INFINITY;
    l->bound[BINS + 1] = nextafter(l->edges[BINS], INFINITY);
    l->bound[BINS + 2] = INFINITY;
}

/* Adds up the second round. */
static void added(const struct look *l, struct part *all)
{
    struct sum grad_sum = {0, 0}, grad_square = {0, 0};
    for (size_t i = 0; i < l->n_parts; i++) {
        const struct part *p = &l->part[i];
        grad_sum = sum_add(grad_sum, p->grad_sum);
        grad_square = sum_add(grad_square, p->grad_square);
        all->vanishing += p->vanishing;
        all->low += p->low;
        all->high += p->high;
    }
    all->grad_sum = sum_total(grad_sum);
    all->grad_square = sum_total(grad_square);
    add_means(l, all);
}

/* Dead channels: what is read of, and what is found. */
struct channels {
    const struct op_call *call;
    const real *grad;
    size_t outer, n, inner; /* grad is outer x n x inner */
    bool *alive;
};

/* One item is a number of channels; a channel is done with once alive. */
static void find_alive(void *context, size_t item, size_t worker)
{
    const struct channels *c = context;
    size_t begin = item * CHANNELS, end = begin + CHANNELS;
    (void)worker;
    end = end < c->n ? end : c->n;
    size_t left = end - begin;
    memset(c->alive + begin, 0, left * sizeof(*c->alive));
    for (size_t o = 0; o < c->outer && left > 0 && !op_stopped(c->call); o++)
        for (size_t k = begin; k < end; k++) {
            const real *grad = c->grad + (o * c->n + k) * c->inner;
            size_t i = 0;
            if (c->alive[k])
                continue;
            while (i < c->inner && grad[i] == 0)
                i++;
            c->alive[k] = i < c->inner;
            left -= c->alive[k];
        }
}

/* Which dimension channel_axis names; false if none. */
static bool find_axis(const struct op_call *call, size_t *axis)
{
    size_t row = op_param_row(call->op, "channel_axis");
    double wanted = row == SIZE_MAX ? NAN : call->param[row];
    double rank = (double)call->in[0].rank;
    wanted += wanted < 0 ? rank : 0;
    if (!(wanted >= 0 && wanted < rank))
        return false;
    *axis = (size_t)wanted;
    return true;
}

static int note_channels(struct op_call *call, const real *grad)
{
    const struct op_tensor *x = &call->in[0];
    struct channels c = {.call = call, .grad = grad, .outer = 1, .inner = 1};
    size_t axis, n_dead = 0;
    if (!find_axis(call, &axis))
        return 0;
    c.n = x->dim[axis];
    for (size_t d = 0; d < x->rank; d++)
        *(d < axis ? &c.outer : &c.inner) *= d == axis ? 1 : x->dim[d];
    c.alive = arena_alloc(call->mem, c.n, sizeof(*c.alive));
    double *dead = arena_alloc(call->mem, c.n, sizeof(*dead));
    if (!c.alive || !dead)
        return -1;
    call->par->run(call->par, (c.n + CHANNELS - 1) / CHANNELS, find_alive, &c);
    if (op_stopped(call))
        return -1;
    for (size_t k = 0; k < c.n && x->n > 0; k++)
        if (!c.alive[k])
            dead[n_dead++] = (double)k;
    op_fact_list(call, "dead_channels", OP_FACT_COUNT, dead, n_dead);
    return op_fact_count(call, "dead_channel_count", n_dead);
}

struct note {
    const char *name;
    double value;
};

static int note_all(struct op_call *call, enum op_fact_kind kind, size_t n,
                    const struct note *note)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        rc |= kind == OP_FACT_COUNT
                  ? op_fact_count(call, note[i].name, (size_t)note[i].value)
                  : op_fact_number(call, note[i].name, note[i].value);
    return rc;
}

#define NOTE_ALL(call, kind, note) \
    note_all((call), (kind), sizeof(note) / sizeof(*(note)), (note))

/* Of a share of nothing there is nothing to say: null. */
static double share(double part, double all)
{
    return all > 0 ? part / all : NAN;
}

static int note_value(struct op_call *call, const struct look *l,
                      const struct part *all)
{
    const double n = (double)l->n_value, some = all->finite > 0 ? 1 : NAN;
    const double mean = ldexp(all->mean, l->value_exponent);
    const double std = ldexp(deviation(all), l->value_exponent);
    /* Infinities and NaN overflow, too, as the first round counts. */
    const double overflow = all->overflow - (n - all->finite);
    const struct note counts[] = {
        {"count", n},
        {"nan_count", all->nan},
        {"inf_count", n - all->finite - all->nan},
    };
    const struct note numbers[] = {
        {"min", some * all->min},
        {"max", some * all->max},
        {"mean", some * mean},
        {"std", some * std},
        {"zero_centredness", some * share(mean, std)},
        {"fp16_overflow_fraction", share(overflow, all->finite)},
        {"fp16_subnormal_fraction", share(all->subnormal, all->finite)},
        {"fp16_max_abs_error", overflow < all->finite ? all->error : NAN},
    };
    int rc = NOTE_ALL(call, OP_FACT_COUNT, counts);
    rc |= all->first == SIZE_MAX
              ? op_fact_number(call, "first_nonfinite_index", NAN)
              : op_fact_count(call, "first_nonfinite_index", all->first);
    return rc | NOTE_ALL(call, OP_FACT_NUMBER, numbers);
}

static int note_grad(struct op_call *call, const struct look *l,
                     const struct part *all)
{
    const double n = all->grad_finite;
    const int e = l->grad_exponent;
    const struct note numbers[] = {
        {"grad_abs_mean", ldexp(share(all->grad_sum, n), e)},
        {"grad_sq_mean", ldexp(share(all->grad_square, n), 2 * e)},
        {"dead_fraction", share(all->dead, n)},
        {"vanishing_fraction", share(all->vanishing, n)},
        {"saturated_low_fraction", share(all->low, n)},
        {"saturated_high_fraction", share(all->high, n)},
    };
    return NOTE_ALL(call, OP_FACT_NUMBER, numbers);
}

static int note_histogram(struct op_call *call, const struct look *l)
{
    double *edges = arena_alloc(call->mem, BINS + 1, sizeof(*edges));
    double *slot = arena_zero(call->mem, BINS + 2, sizeof(*slot));
    if (!edges || !slot)
        return -1;
    memcpy(edges, l->edges, sizeof(l->edges));
    for (size_t i = 0; i < l->n_parts; i++)
        for (size_t k = 0; k < BINS + 2; k++)
            slot[k] += l->part[i].slot[k];
    op_fact_list(call, "histogram.edges", OP_FACT_NUMBER, edges, BINS + 1);
    op_fact_list(call, "histogram.counts", OP_FACT_COUNT, slot + 1, BINS);
    const struct note outside[] = {
        {"histogram.underflow", slot[0]},
        {"histogram.overflow", slot[BINS + 1]},
    };
    return NOTE_ALL(call, OP_FACT_COUNT, outside);
}

static int look_init(struct look *l, struct op_call *call)
{
    const size_t value = op_output_row(call->op, "value");
    const size_t grad = op_output_row(call->op, "grad");
    assert(value != SIZE_MAX && grad != SIZE_MAX);
    assert(call->out[grad].n == call->in[0].n);
    *l = (struct look){
        .x = call->in[0].data,
        .value = call->out[value].data,
        .grad = call->out[grad].data,
        .n_value = call->out[value].n,
        .n_grad = call->out[grad].n,
    };
    size_t n = l->n_value > l->n_grad ? l->n_value : l->n_grad;
    l->n_parts = (n + STRETCH - 1) / STRETCH;
    l->part = arena_alloc(call->mem, l->n_parts, sizeof(*l->part));
    return l->part ? 0 : -1;
}

int activation_stats(struct op_call *call)
{
    struct look l;
    if (look_init(&l, call))
        return -1;
    if (run(call, &l, see_stretch))
        return -1;
    struct part all = seen(&l);
    if (all.finite > 0)
        l.value_exponent = scale_exponent(fmax(fabs(all.min), fabs(all.max)));
    l.grad_exponent = scale_exponent(all.grad_max);
    l.value_scale = ldexp(1, -l.value_exponent);
    l.grad_scale = ldexp(1, -l.grad_exponent);
    l.grad_limit = VANISHING * all.grad_max;
    if (run(call, &l, add_stretch))
        return -1;
    added(&l, &all);
    set_range(&l, &all);
    if (run(call, &l, sort_stretch) || note_value(call, &l, &all) ||
        note_grad(call, &l, &all) || note_histogram(call, &l))
        return -1;
    return note_channels(call, l.grad);
}
