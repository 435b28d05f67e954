/*
 * Elementwise operations: a function of one number, made into a loop.
 *
 * An activation is a static inline function
 *
 *     struct point mish(double x, const double *param)
 *
 * that gives f(x) and f'(x), and one line that makes the loops of it:
 *
 *     static void mish_map(const void *s) { map(s, mish); }
 *
 * What the caller does not want is not computed: the compiler drops the half
 * of the function whose result a loop ignores.
 */
#ifndef EVALD_CORE_KERNELS_MAP_H
#define EVALD_CORE_KERNELS_MAP_H

#include "core/elementary.h"
#include "core/op.h"
#include "core/real.h"

/* A function and its derivative at some place. */
struct point {
    double value, grad;
};

/* A stretch of an operation's elements, value or grad NULL if not wanted. */
struct span {
    size_t n;
    const real *x, *grad_output; /* grad_output NULL = ones */
    real *value, *grad;
    const double *param;
};

typedef struct point point_function(double x, const double *param);

INLINE void map_value(const struct span *s, point_function *f)
{
    const real *restrict x = s->x;
    real *restrict value = s->value;
    const double *p = s->param;
    for (size_t i = 0; i < s->n; i++)
        value[i] = (real)f(x[i], p).value;
}

INLINE void map_grad(const struct span *s, point_function *f)
{
    const real *restrict x = s->x;
    real *restrict grad = s->grad;
    const double *p = s->param;
    for (size_t i = 0; i < s->n; i++)
        grad[i] = (real)f(x[i], p).grad;
}

INLINE void map_both(const struct span *s, point_function *f)
{
    const real *restrict x = s->x;
    real *restrict value = s->value, *restrict grad = s->grad;
    const double *p = s->param;
    for (size_t i = 0; i < s->n; i++) {
        struct point y = f(x[i], p);
        value[i] = (real)y.value;
        grad[i] = (real)y.grad;
    }
}

/* The vector-Jacobian product. */
INLINE void map_product(const struct span *s, point_function *f)
{
    const real *restrict x = s->x, *restrict g = s->grad_output;
    real *restrict grad = s->grad;
    const double *p = s->param;
    for (size_t i = 0; i < s->n; i++)
        grad[i] = (real)(g[i] * f(x[i], p).grad);
}

INLINE void map(const void *span, point_function *f)
{
    const struct span *s = span;
    if (s->value && s->grad && !s->grad_output) {
        map_both(s, f);
        return;
    }
    if (s->value)
        map_value(s, f);
    if (s->grad && s->grad_output)
        map_product(s, f);
    else if (s->grad)
        map_grad(s, f);
}

/*
 * The same in two steps, for functions whose numbers depend on each other in
 * a long chain: of short loops a processor has several rounds under way.
 */
typedef double first_function(double x);
typedef struct point second_function(double x, double first,
                                     const double *param);

INLINE void map_in_two(const void *span, first_function *f, second_function *g)
{
    enum { BLOCK = 128 };
    const struct span *s = span;
    const double *p = s->param;
    double first[BLOCK];
    for (size_t at = 0, n; at < s->n; at += n) {
        const real *restrict x = s->x + at, *restrict go = s->grad_output;
        real *restrict value = s->value, *restrict grad = s->grad;
        n = s->n - at < BLOCK ? s->n - at : BLOCK;
        for (size_t i = 0; i < n; i++)
            first[i] = f(x[i]);
        for (size_t i = 0; value && i < n; i++)
            value[at + i] = (real)g(x[i], first[i], p).value;
        for (size_t i = 0; grad && go && i < n; i++)
            grad[at + i] = (real)(go[at + i] * g(x[i], first[i], p).grad);
        for (size_t i = 0; grad && !go && i < n; i++)
            grad[at + i] = (real)g(x[i], first[i], p).grad;
    }
}

/*
 * Runs op->map over all elements, split over the workers where that pays:
 * input 0 is x, input 1 grad_output, output 0 the value, output 1 grad.
 */
int NAME(map_run)(struct op_call *call);
#define map_run NAME(map_run)

#endif
