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
    struct exponential e;
    double near; /* |x|, or where e^-|x| vanishes a bound */
    double num, den, soft;
    double whole; /* 1 / (num + den) */
};

/* Without precise the relative errors are about 2^-29. */
INLINE struct logit_power logit_power(double x, bool precise)
{
    double near = size_within((real)x, precise ? 760 : 700);
    struct exponential e =
        precise ? exponential_long(-near, 0, true) : exponential_short(-near);
    double num = e.s * (e.p + e.q) * e.tail, den = e.p - e.q;
    /* the quotients of two divisions; where that is enough, by one */
    double sum = num + den, more = sum + den;
    double whole = precise ? 1 / sum : 0, share = precise ? num / more : 0;
    if (!precise) {
        double both = 1 / (sum * more);
        whole = more * both;
        share = num * (sum * both);
    }
    return (struct logit_power){
        .e = e,
        .near = near,
        .num = num,
        .den = den,
        .soft = log1p_of_share(share, precise),
        .whole = whole,
    };
}

struct logit {
    struct logit_power power;
    double size, sign; /* |x|; 1 or -1 */
    double with, against;
    double slope; /* the derivative of bce by |x|, times (den + num) */
};

/* positive and negative weigh the classes 1 and 0. */
INLINE struct logit logit_of(double x, double positive, double negative,
                             bool precise)
{
    struct logit_power l = logit_power(x, precise);
    bool below = x < 0;
    double with = below ? negative : positive;
    double against = below ? positive : negative;
    /* against den - with num, and exact where x is small and both are 1/2 */
    double part = with * l.e.s, size = fabs(x);
    double slope = (against - part) * l.e.p - (against + part) * l.e.q;
    return (struct logit){
        .power = l,
        .size = size,
        .sign = below ? -1 : 1,
        .with = with,
        .against = against,
        .slope = precise && size > 600 ? against * l.den - with * l.num : slope,
    };
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
