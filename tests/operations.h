/*
 * What the tests of the operations share: distances in units in the last
 * place, and calls of any row at all, with inputs and parameters made from
 * what the row says of its ports.  A row that is new is tested unasked.
 */
#ifndef EVALD_TESTS_OPERATIONS_H
#define EVALD_TESTS_OPERATIONS_H

#include "core/op.h"
#include "core/ops.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How far got is from what is exact, in units in the last place that a number
 * of the type has there; 0 for two NaN or equal infinities, infinite where
 * only one of them is one.  An infinity is as right as any number for what
 * rounds to it.
 */
double ulps(double got, double exact, enum op_type type);

/* Equal, or both NaN, or zeros of the same sign. */
bool same_number(double a, double b);

/* Of x in [0, 1), and in [lo, hi); of whole numbers below n. */
double draw(uint64_t *state, double lo, double hi);
size_t draw_below(uint64_t *state, size_t n);

/* Element i of a tensor of the port's kind. */
double element(const struct op_tensor *t, enum op_kind kind, enum op_type type,
               size_t i);
void element_set(struct op_tensor *t, enum op_kind kind, enum op_type type,
                 size_t i, double x);

/*
 * Settings of a row's parameters, for i from 0 on; false when i is too large.
 * The first is the defaults, then one for each choice and each boolean, then
 * `more` random ones.
 */
bool setting(const struct op *op, size_t i, size_t more, uint64_t *state,
             double param[OP_PARAMS_MAX]);

/* Sets a choice by its name; nothing where the row has no such parameter. */
void choose(const struct op *op, double *param, const char *name,
            const char *choice);

/* How inputs are made. */
struct drawing {
    size_t n;     /* the first dimension, or nearly the number of elements */
    bool wild;    /* also zeros, subnormal, huge and non-finite numbers */
    bool square;  /* every letter of a shape is n */
    bool options; /* optional inputs too, where a shape for them is found */
};

/*
 * Inputs for call, in call->mem, so that op_call_prepare takes them, which it
 * has done.  False if it takes none; *fault then says why.
 */
bool draw_inputs(struct op_call *call, const struct drawing *how,
                 uint64_t *state, struct op_fault *fault);

/* The same inputs and parameters for another run, of any type. */
int call_again(struct op_call *call, const struct op_call *from,
               const struct op *op, const struct parallel *par);

/* Sets a parameter by its name. */
void param_set(struct op_call *call, const char *name, double x);

/*
 * A call of boxes/NAME, in double: n boxes and m more, or with boxes false m
 * numbers.  Wants every output but gradients.  boxes_run is -1 when it
 * is refused.
 */
void boxes_init(struct op_call *call, const char *name, const double *first,
                size_t n, const double *second, size_t m, bool boxes,
                struct arena *mem);
int boxes_run(struct op_call *call);

/* Any order, any worker; made by scrambled_init. */
struct scrambled {
    struct parallel par;
    uint64_t seed;
};
void scrambled_init(struct scrambled *s, size_t width, uint64_t seed);

#endif
