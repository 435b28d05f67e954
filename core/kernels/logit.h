/*
 * What the losses of a logit x share: one exponential e = e^-|x|, kept as the
 * fraction num / den, makes the sigmoid, its complement and the logarithms of
 * both, none of them by subtraction.
 *
 *   sigmoid(|x|) = den / (den + num), sigmoid(-|x|) = num / (den + num)
 *   softplus(-|x|) = soft, softplus(|x|) = |x| + soft
 *
 * The target counts through two weights: `with` for the class on x's side of
 * 0, `against` for the other, t and 1 - t or the other way round.
 */
#ifndef EVALD_CORE_KERNELS_LOGIT_H
#define EVALD_CORE_KERNELS_LOGIT_H

#include "core/kernels/power.h"

/* e^-|x|, from which the rest is made. */
struct logit_power {
    double s, p, q, num, soft;
    double whole; /* 1 / (num + den) */
};

INLINE double logit_den(struct logit_power l)
{
    return l.p - l.q;
}

/* |x|, but where e^-|x| vanishes a bound. */
INLINE double logit_near(double x, bool precise)
{
    return size_within((real)x, precise ? 760 : 700);
}

/* The exponential alone. */
INLINE struct logit_power logit_start(double x, bool precise)
{
    double near = logit_near(x, precise);
    struct exponential e =
        precise ? exponential_long(-near, 0, true) : exponential_short(-near);
    return (struct logit_power){
        .s = e.s, .p = e.p, .q = e.q, .num = e.s * (e.p + e.q) * e.tail};
}

/* Adds what takes a division; without precise one for both. */
INLINE struct logit_power logit_divide(struct logit_power l, bool precise)
{
    double sum = l.num + logit_den(l), more = sum + logit_den(l);
    double whole = precise ? 1 / sum : 0, share = precise ? l.num / more : 0;
    if (!precise) {
        double both = 1 / (sum * more);
        whole = more * both;
        share = l.num * (sum * both);
    }
    l.soft = log1p_of_share(share, precise);
    l.whole = whole;
    return l;
}

struct logit {
    struct logit_power power;
    double size, sign; /* |x|; 1 or -1 */
    double with, against;
    double slope; /* the derivative of bce by |x|, times (den + num) */
};

/* positive and negative weigh the classes 1 and 0. */
INLINE struct logit logit_weigh(struct logit_power l, double x, double positive,
                                double negative, bool precise)
{
    bool below = x < 0;
    double with = below ? negative : positive;
    double against = below ? positive : negative;
    /* against den - with num, and exact where x is small and both are 1/2 */
    double part = with * l.s, size = fabs(x);
    double slope = (against - part) * l.p - (against + part) * l.q;
    double far = against * logit_den(l) - with * l.num;
    return (struct logit){
        .power = l,
        .size = size,
        .sign = below ? -1 : 1,
        .with = with,
        .against = against,
        .slope = precise && size > 600 ? far : slope,
    };
}

/* All of it.  Without precise the relative errors are about 2^-29. */
INLINE struct logit logit_of(double x, double positive, double negative,
                             bool precise)
{
    struct logit_power l = logit_divide(logit_start(x, precise), precise);
    return logit_weigh(l, x, positive, negative, precise);
}

/*
 * The powers of many logits.  In short loops, of which a processor has several
 * rounds under way: each number depends on the one before it in a long chain.
 */
enum { LOGIT_BLOCK = 128 };

struct logit_powers {
    double s[LOGIT_BLOCK], p[LOGIT_BLOCK], q[LOGIT_BLOCK], num[LOGIT_BLOCK];
    double soft[LOGIT_BLOCK], whole[LOGIT_BLOCK];
};

INLINE struct logit_power logit_get(const struct logit_powers *l, size_t i)
{
    return (struct logit_power){l->s[i],   l->p[i],    l->q[i],
                                l->num[i], l->soft[i], l->whole[i]};
}

INLINE void logit_fill(struct logit_powers *l, const real *restrict x, size_t n,
                       bool precise)
{
    for (size_t i = 0; i < n; i++) {
        struct logit_power y = logit_start(x[i], precise);
        l->s[i] = y.s;
        l->p[i] = y.p;
        l->q[i] = y.q;
        l->num[i] = y.num;
    }
    for (size_t i = 0; i < n; i++) {
        struct logit_power y = logit_divide(logit_get(l, i), precise);
        l->soft[i] = y.soft;
        l->whole[i] = y.whole;
    }
}

/* positive softplus(-x) + negative softplus(x); 0 times infinity is 0. */
INLINE double logit_bce(struct logit l)
{
    double far = l.against == 0 ? 0 : l.against * l.size;
    return (l.with + l.against) * l.power.soft + far;
}

/* Its derivative by x: (p - t) where the weights are t and 1 - t. */
INLINE double logit_grad(struct logit l)
{
    return l.sign * l.slope * l.power.whole;
}

#endif
