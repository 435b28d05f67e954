/*
 * An operation as one row: what it is called, what it takes and gives, where
 * it comes from, and the kernel that does it.  Routes, checks, messages, the
 * list of operations, OpenAPI, the command line and the tests follow from the
 * rows; none of them knows an operation by its name.
 *
 * Rows stand in core/kernels/, beside their kernels.  Those files are compiled
 * once for each element type and instruction set (real.h), so that a kernel is
 * a plain loop over `real`; ops.h picks the table that fits.
 */
#ifndef EVALD_CORE_OP_H
#define EVALD_CORE_OP_H

#include "core/arena.h"
#include "core/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OP_INPUTS_MAX = 6,
    OP_OUTPUTS_MAX = 6,
    OP_PARAMS_MAX = 16,
    OP_RANK_MAX = 8,
    OP_FACTS_MAX = 48,
    OP_FAULT_BYTES = 240,
};

/* What the elements of a port are; all that are not integers are `real`. */
enum op_kind {
    OP_REAL,        /* any number, NaN and the infinities too */
    OP_PROBABILITY, /* from 0 to 1 */
    OP_BOXES,       /* rows of 4, as the parameter "format" says; finite */
    OP_FINITE,      /* any finite number */
    OP_NATURAL,     /* a finite number that is not negative */
    OP_INDEX,       /* int64_t */
    OP_FLAG,        /* int64_t: 0 or 1, true or false */
};

/*
 * A shape as text: "" is one number, "n,4" two dimensions of which the second
 * is 4.  A letter is bound where it is first seen and must agree afterwards.
 * "*" is any shape at all, the same wherever the row says "*"; "?" is a shape
 * that only the row's own `shape` function knows.
 */
struct op_port {
    const char *name;
    const char *shape;
    enum op_kind kind;
    bool optional; /* inputs: may be missing */
    bool unasked;  /* outputs: see op_is_unasked */
    /*
     * Outputs: 1 + the row of the input that this is the gradient of: the
     * derivative of the sum of "value" (times grad_output, where that is
     * given).  0 for what is no gradient.
     */
    int gradient_of;
    const char *doc; /* meaning, unit, range; one sentence, no full stop */
};

enum op_param_type { OP_NUMBER, OP_INTEGER, OP_BOOLEAN, OP_CHOICE };

/*
 * Every parameter is a double by the time a kernel sees it: a choice is the
 * row of its name, a boolean 0 or 1, and null is NaN.
 */
struct op_param {
    const char *name;
    enum op_param_type type;
    double fallback; /* the default; NAN = null, which is then allowed too */
    double min, max;
    const char *const *choices; /* of OP_CHOICE, ended by NULL */
    bool open;                  /* min itself is not allowed */
    bool nullable;              /* null is allowed though not the default */
    const char *doc;
};

/* What real is. */
enum op_type { OP_FLOAT32, OP_FLOAT64, OP_TYPES };

struct op_tensor {
    void *data; /* row-major `real` or int64_t; NULL = not given, not asked */
    size_t rank, dim[OP_RANK_MAX];
    size_t n; /* elements: the product of dim */
};

/*
 * What a loss made of each of its samples, before weights of the reduction:
 * n doubles each, in call->mem, allocated by the kernel.
 *   loss        the sample's loss, its weight included
 *   grad        Euclidean norm of the derivative of "value" by the sample
 *   difficulty  how wrong the prediction is: |input - target| of a
 *               regression, |p - target| of a probability, 1 - IoU of a box;
 *               a sample is easy below op->easy_below
 */
struct op_samples {
    size_t n;
    double *loss, *grad, *difficulty;
};

/* What stats says, one member each; a dot in the name opens an object. */
enum op_fact_kind { OP_FACT_NUMBER, OP_FACT_COUNT };

struct op_fact {
    const char *name; /* static: "mean", "histogram.counts" */
    enum op_fact_kind kind;
    bool list;           /* value has n numbers, else one */
    const double *value; /* in call->mem */
    size_t n;
};

struct op;

/*
 * One run of an operation: op_call_init, then the caller sets what it has and
 * wants, then op_call_prepare, then op_call_run.  Kernels may change nothing
 * but what out holds, samples and facts.
 */
struct op_call {
    const struct op *op;
    enum op_type type; /* the one op's kernels are built for */
    const struct parallel *par;
    struct arena *mem; /* for outputs, working memory and facts */
    double param[OP_PARAMS_MAX];
    struct op_tensor in[OP_INPUTS_MAX];
    bool want[OP_OUTPUTS_MAX], want_stats;
    bool unasked; /* nobody said what to want: op->shape may add to it */
    struct op_tensor out[OP_OUTPUTS_MAX];
    struct op_samples *samples; /* losses: fill it; NULL = not wanted */
    struct op_fact fact[OP_FACTS_MAX];
    size_t n_facts;
};

/* A request that the shapes and bounds allow and the operation does not. */
struct op_fault {
    bool of_param;    /* about a parameter, else about an input */
    size_t row;       /* which */
    bool whole;       /* about all of it, not about one element */
    bool of_row;      /* about the element's row: the text shows the row */
    size_t element;   /* flat index */
    const char *code; /* lower case and '_', or NULL: just an invalid value */
    char text[OP_FAULT_BYTES]; /* "is 7, must be below 3" */
};

/* Each notes a fault and returns -1. */
int op_fail_input(struct op_fault *f, size_t input, size_t element,
                  const char *format, ...)
    __attribute__((format(__printf__, 4, 5)));
int op_fail_shape(struct op_fault *f, size_t input, const char *format, ...)
    __attribute__((format(__printf__, 3, 4)));
int op_fail_param(struct op_fault *f, size_t param, const char *format, ...)
    __attribute__((format(__printf__, 3, 4)));

/* Adds to the facts of a call; -1 when call->mem is spent. */
int op_fact_number(struct op_call *call, const char *name, double value);
int op_fact_count(struct op_call *call, const char *name, size_t value);
/* value is in call->mem already, or lives longer */
void op_fact_list(struct op_call *call, const char *name,
                  enum op_fact_kind kind, const double *value, size_t n);

struct op {
    const char *group, *name, *title;
    const char *aliases[3]; /* ended by NULL */
    const char *summary;    /* one sentence */
    const char *formula, *formula_tex;
    const char *source;  /* where it was published */
    const char *example; /* the request's "inputs" and more, as JSON */
    struct op_port in[OP_INPUTS_MAX], out[OP_OUTPUTS_MAX];
    struct op_param param[OP_PARAMS_MAX];
    double easy_below; /* losses: see struct op_samples */
    /* Each may be NULL. */
    void (*settle)(double *param); /* defaults that depend on others */
    /* Shapes of the outputs, where the port's text does not say it all. */
    int (*shape)(struct op_call *call, struct op_fault *fault);
    /* Checks beyond kind, shape and bounds. */
    int (*check)(const struct op_call *call, struct op_fault *fault);
    /*
     * Fills the outputs whose data is not NULL; may lower dim[0] and n of an
     * output.  -1 when call->mem is spent.  Sees *samples when want_stats.
     * A run that is stopped returns soon, whatever it says: op_call_run looks.
     */
    int (*run)(struct op_call *call);
    /*
     * Diagnostics, after run: notes facts.  For activations every output named
     * value or grad has been filled, for losses *samples.  -1 when call->mem
     * is spent.
     */
    int (*stats)(struct op_call *call);
    /* What an elementwise run does with a stretch of elements (map.h). */
    void (*map)(const void *span);
};

/* A call of op with every parameter at its default and no input. */
void op_call_init(struct op_call *call, const struct op *op, enum op_type type,
                  const struct parallel *par, struct arena *mem);

/*
 * Fills the parameters that depend on others, binds the shapes, checks the
 * inputs and gives memory to the wanted outputs (for stats, to the gradient
 * too).  0, or -1 with *fault set; 1 when mem is spent or the call is stopped.
 * Parameters are within their own bounds already.
 */
int op_call_prepare(struct op_call *call, struct op_fault *fault)
    __attribute__((warn_unused_result));

/*
 * The first element at or after `from` of an input that its kind does not
 * allow: -1 with *fault set, or 0.  prepare looks from 0 and stops at the
 * first; whoever wants more goes on.  A call that is stopped has none.
 */
int op_check_kind(const struct op_call *call, size_t input, size_t from,
                  struct op_fault *fault);

/*
 * Fills outputs and, where wanted, facts.  -1 when mem is spent, or when the
 * call is stopped: outputs and facts are anything then.
 */
int op_call_run(struct op_call *call) __attribute__((warn_unused_result));

/* Whether what the call computes is not wanted any more: stop.h. */
static inline bool op_stopped(const struct op_call *call)
{
    return parallel_stopped(call->par);
}

/* Whether a port's elements are int64_t, and not `real`. */
static inline bool op_is_integer(const struct op_port *port)
{
    return port->kind == OP_INDEX || port->kind == OP_FLAG;
}

/* Element i of a tensor of call whose elements are `real`. */
static inline double op_real_at(const struct op_call *call,
                                const struct op_tensor *t, size_t i)
{
    return call->type == OP_FLOAT32 ? (double)((const float *)t->data)[i]
                                    : ((const double *)t->data)[i];
}

/* How many of each a row has. */
size_t op_inputs(const struct op *op);
size_t op_outputs(const struct op *op);
size_t op_params(const struct op *op);

/*
 * Whether output i is answered when no outputs are named: "value", what is
 * marked as unasked, and everything of a row without "value".
 */
bool op_is_unasked(const struct op *op, size_t i);

/* The row of a parameter or port by name; SIZE_MAX if there is none. */
size_t op_param_row(const struct op *op, const char *name);
size_t op_input_row(const struct op *op, const char *name);
size_t op_output_row(const struct op *op, const char *name);

#endif
