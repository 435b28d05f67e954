#include "core/kernels/activation_rounds.h"
#include "core/elementary.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LANES = 16 };

/* Half precision: the smallest normal number, and what rounds to infinity. */
#define HALF_NORMAL 0x1p-14
#define HALF_OVERFLOW 65520.0

/*
 * Running results of a stretch.  Element i goes to lane i % LANES, so that
 * the order of additions does not depend on the width of vectors.
 */
struct tally {
    double min[LANES], max[LANES], error[LANES], sum[LANES], square[LANES];
    uint64_t finite[LANES], nan[LANES], overflow[LANES], subnormal[LANES];
    uint64_t dead[LANES], vanishing[LANES], low[LANES], high[LANES];
};

static void tally_init(struct tally *t)
{
    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < LANES; i++) {
        t->min[i] = INFINITY;
        t->max[i] = -INFINITY;
    }
}

static double lanes_count(const uint64_t *lane)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += lane[i];
    return (double)sum;
}

static double lanes_sum(const double *lane)
{
    double sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

static double lanes_max(const double *lane)
{
    double most = lane[0];
    for (size_t i = 1; i < LANES; i++)
        most = lane[i] > most ? lane[i] : most;
    return most;
}

static double lanes_min(const double *lane)
{
    double least = lane[0];
    for (size_t i = 1; i < LANES; i++)
        least = lane[i] < least ? lane[i] : least;
    return least;
}

/* Takes one element, v, to a lane; x beside it, and constants. */
typedef void tally_step(struct tally *t, size_t lane, double v, double x,
                        const double *constant);

/* A stretch: n elements v, x beside them, the first of which is `at`. */
struct cut {
    size_t at, n;
    const real *v, *x;
};

/* Stretch `item` of n elements; empty beyond their end. */
static struct cut cut(size_t item, size_t n, const real *v, const real *x)
{
    size_t at = n / STRETCH < item ? n : item * STRETCH, left = n - at;
    return (struct cut){at, left < STRETCH ? left : STRETCH, v + at, x + at};
}

INLINE struct tally tally(const struct cut *c, tally_step *step,
                          const double *constant)
{
    const real *restrict v = c->v, *restrict x = c->x;
    size_t i = 0, n = c->n;
    struct tally t;
    tally_init(&t);
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            step(&t, j, v[i + j], x[i + j], constant);
    for (size_t j = 0; i + j < n; j++)
        step(&t, j, v[i + j], x[i + j], constant);
    return t;
}

/* |v - half(v)|, |v| below HALF_OVERFLOW; a is |v|. */
INLINE double half_error(double a)
{
    double unit = from_bits(bits_of(a) & bits_of(INFINITY)); /* 2^k <= a */
    unit = unit < HALF_NORMAL ? HALF_NORMAL : unit;
    /* A number whose last digit is that of a as a half. */
    double magic = unit * 0x1.8p42;
    return fabs(a - ((a + magic) - magic));
}

INLINE void see_value(struct tally *t, size_t j, double v, double x,
                      const double *constant)
{
    (void)x, (void)constant;
    double a = fabs(v), error = half_error(a);
    bool finite = a <= DBL_MAX, half = a < HALF_OVERFLOW;
    double low = finite ? v : INFINITY, high = finite ? v : -INFINITY;
    error = half ? error : 0;
    t->min[j] = low < t->min[j] ? low : t->min[j];
    t->max[j] = high > t->max[j] ? high : t->max[j];
    t->finite[j] += bits_of(a) < bits_of(INFINITY);
    t->nan[j] += v != v;
    t->overflow[j] += bits_of(a) >= bits_of(HALF_OVERFLOW);
    t->subnormal[j] += (a > 0) & (a < HALF_NORMAL);
    t->error[j] = error > t->error[j] ? error : t->error[j];
}

INLINE void see_grad(struct tally *t, size_t j, double v, double x,
                     const double *constant)
{
    (void)x, (void)constant;
    double a = fabs(v);
    bool finite = a <= DBL_MAX;
    double most = finite ? a : -INFINITY;
    t->finite[j] += bits_of(a) < bits_of(INFINITY);
    t->max[j] = most > t->max[j] ? most : t->max[j];
    t->dead[j] += a == 0;
}

/* constant is {scale, centre} */
INLINE void add_value(struct tally *t, size_t j, double v, double x,
                      const double *constant)
{
    (void)x;
    double d = fabs(v) <= DBL_MAX ? v * constant[0] - constant[1] : 0;
    t->sum[j] += d;
    t->square[j] += d * d;
}

/* constant is {scale, limit} */
INLINE void add_grad(struct tally *t, size_t j, double v, double x,
                     const double *constant)
{
    double a = fabs(v), scaled = a <= DBL_MAX ? a * constant[0] : 0;
    bool vanishes = (a < constant[1]) | (a == 0);
    t->sum[j] += scaled;
    t->square[j] += scaled * scaled;
    t->vanishing[j] += vanishes;
    t->low[j] += vanishes & (x < 0);
    t->high[j] += vanishes & (x > 0);
}

static size_t first_nonfinite(const struct cut *c)
{
    size_t i = 0;
    while (i < c->n && fabs((double)c->v[i]) <= DBL_MAX)
        i++;
    return i < c->n ? c->at + i : SIZE_MAX;
}

void see_stretch(void *context, size_t item, size_t worker)
{
    const struct look *l = context;
    struct part *p = &l->part[item];
    const struct cut value = cut(item, l->n_value, l->value, l->value);
    const struct cut grad = cut(item, l->n_grad, l->grad, l->x);
    (void)worker;
    memset(p, 0, sizeof(*p));
    struct tally t = tally(&value, see_value, NULL);
    p->min = lanes_min(t.min);
    p->max = lanes_max(t.max);
    p->finite = lanes_count(t.finite);
    p->nan = lanes_count(t.nan);
    p->overflow = lanes_count(t.overflow);
    p->subnormal = lanes_count(t.subnormal);
    p->error = lanes_max(t.error);
    p->first = p->finite < (double)value.n ? first_nonfinite(&value) : SIZE_MAX;

    t = tally(&grad, see_grad, NULL);
    p->grad_finite = lanes_count(t.finite);
    p->grad_max = lanes_max(t.max);
    p->dead = lanes_count(t.dead);
}

/* The second time the mean is taken of what the first one leaves over. */
static void add_values(struct part *p, const struct cut *value, double scale)
{
    double constant[2] = {scale, 0};
    struct tally t = tally(value, add_value, constant);
    constant[1] = lanes_sum(t.sum) / p->finite;
    t = tally(value, add_value, constant);
    p->centre = constant[1];
    p->mean = lanes_sum(t.sum) / p->finite;
    p->square = lanes_sum(t.square);
}

void add_stretch(void *context, size_t item, size_t worker)
{
    const struct look *l = context;
    struct part *p = &l->part[item];
    const struct cut value = cut(item, l->n_value, l->value, l->value);
    const struct cut grad = cut(item, l->n_grad, l->grad, l->x);
    const double constant[2] = {l->grad_scale, l->grad_limit};
    (void)worker;
    if (p->finite > 0)
        add_values(p, &value, l->value_scale);
    struct tally t = tally(&grad, add_grad, constant);
    p->grad_sum = lanes_sum(t.sum);
    p->grad_square = lanes_sum(t.square);
    p->vanishing = lanes_count(t.vanishing);
    p->low = lanes_count(t.low);
    p->high = lanes_count(t.high);
}

/* The bounds settle what rounding leaves open. */
void sort_stretch(void *context, size_t item, size_t worker)
{
    const struct look *l = context;
    const struct cut c = cut(item, l->n_value, l->value, l->value);
    uint32_t *slot = l->part[item].slot;
    (void)worker;
    for (size_t i = 0; i < c.n; i++) {
        double v = c.v[i];
        double at = (v * l->value_scale - l->low) * l->per_width + 1;
        if (!(fabs(v) <= DBL_MAX))
            continue;
        size_t k = (size_t)(int)clamp(at, 0, BINS + 1);
        k -= v < l->bound[k];
        k += v >= l->bound[k + 1];
        slot[k]++;
    }
}
