#include "tests/operations.h"

#include "core/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LETTERS = 26, SHAPES = 6, ORDER_MAX = 1 << 16 };

/* The unit in the last place of numbers of x's size. */
static double unit(double x, enum op_type type)
{
    int digits = type == OP_FLOAT32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    int least = type == OP_FLOAT32 ? FLT_MIN_EXP : DBL_MIN_EXP, e;
    frexp(x, &e);
    return ldexp(1, (e > least ? e : least) - digits);
}

double ulps(double got, double exact, enum op_type type)
{
    double most = type == OP_FLOAT32 ? FLT_MAX : DBL_MAX;
    if (isnan(got) || isnan(exact))
        return isnan(got) && isnan(exact) ? 0 : INFINITY;
    if (got == exact)
        return 0;
    if (isinf(got) && fabs(exact) > most - unit(most, type))
        return signbit(got) == signbit(exact) ? 0 : INFINITY;
    if (isinf(exact) && fabs(got) == most)
        return signbit(got) == signbit(exact) ? 1 : INFINITY;
    return fabs(got - exact) / unit(exact, type);
}

bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

double draw(uint64_t *state, double lo, double hi)
{
    return lo + (hi - lo) * (double)(random_next(state) >> 11) * 0x1p-53;
}

size_t draw_below(uint64_t *state, size_t n)
{
    return (size_t)(random_next(state) % n);
}

static bool whole(enum op_kind kind)
{
    return kind == OP_INDEX || kind == OP_FLAG;
}

double element(const struct op_tensor *t, enum op_kind kind, enum op_type type,
               size_t i)
{
    if (whole(kind))
        return (double)((const int64_t *)t->data)[i];
    return type == OP_FLOAT32 ? (double)((const float *)t->data)[i]
                              : ((const double *)t->data)[i];
}

void element_set(struct op_tensor *t, enum op_kind kind, enum op_type type,
                 size_t i, double x)
{
    if (whole(kind))
        ((int64_t *)t->data)[i] = (int64_t)x;
    else if (type == OP_FLOAT32)
        ((float *)t->data)[i] = (float)x;
    else
        ((double *)t->data)[i] = x;
}

static size_t choices(const struct op_param *p)
{
    size_t n = 0;
    while (p->type == OP_CHOICE && p->choices[n])
        n++;
    return p->type == OP_BOOLEAN ? 2 : n;
}

/* A number near the default, or near 1 where that is 0 or null. */
static double draw_param(const struct op_param *p, uint64_t *state)
{
    double x = p->fallback;
    if (choices(p))
        return (double)draw_below(state, choices(p));
    if ((p->nullable || isnan(x)) && draw_below(state, 2))
        return NAN;
    if (p->type == OP_INTEGER)
        x = (isnan(x) ? 1 : x) + (double)draw_below(state, 3) - 1;
    else
        x = (isnan(x) || x == 0 ? 1 : x) * draw(state, 0.5, 2);
    x = fmin(fmax(x, p->min), p->max);
    return p->open && x == p->min ? p->fallback : x;
}

bool setting(const struct op *op, size_t i, size_t more, uint64_t *state,
             double param[OP_PARAMS_MAX])
{
    for (size_t k = 0; k < op_params(op); k++)
        param[k] = op->param[k].fallback;
    if (i == 0)
        return true;
    i--;
    for (size_t k = 0; k < op_params(op); k++) {
        if (i < choices(&op->param[k])) {
            param[k] = (double)i;
            return true;
        }
        i -= choices(&op->param[k]);
    }
    if (i >= more)
        return false;
    for (size_t k = 0; k < op_params(op); k++)
        param[k] = draw_param(&op->param[k], state);
    return true;
}

void choose(const struct op *op, double *param, const char *name,
            const char *choice)
{
    size_t row = op_param_row(op, name);
    if (row == SIZE_MAX)
        return;
    for (size_t i = 0; op->param[row].choices[i]; i++)
        if (strcmp(op->param[row].choices[i], choice) == 0)
            param[row] = (double)i;
}

/* Sizes: of "n" what was asked for, of others a few. */
static size_t dimension(char token, const struct drawing *how,
                        size_t size[LETTERS], uint64_t *state)
{
    if (token >= '0' && token <= '9')
        return (size_t)(token - '0');
    size_t *s = &size[token - 'a'];
    if (*s == SIZE_MAX)
        *s = token == 'n' || how->square ? how->n : 2 + draw_below(state, 5);
    return *s;
}

/* Any shape of about n elements; twelve of them split in many ways. */
static void any_shape(struct op_tensor *t, size_t n, uint64_t *state)
{
    size_t last = n % 12 == 0 ? 12 : 1;
    t->rank = 1 + draw_below(state, 3);
    t->dim[0] = t->rank == 1 ? n : n / last;
    t->dim[1] = t->rank == 2 ? last : last / (last == 12 ? 3 : 1);
    t->dim[2] = last == 12 ? 3 : 1;
}

static void shape_input(struct op_tensor *t, const char *shape,
                        const struct drawing *how, size_t size[LETTERS],
                        uint64_t *state)
{
    t->rank = 0;
    for (const char *s = shape; *s; s += s[1] ? 2 : 1)
        t->dim[t->rank++] = dimension(*s, how, size, state);
}

static double wild(uint64_t *state)
{
    static const double some[] = {
        0,  -0.0, 0x1p-149, -0x1p-130, 1e-30, -3,    3,        20,
        88, -104, 300,      -745,      1e30,  -1e38, INFINITY, NAN,
    };
    return some[draw_below(state, sizeof(some) / sizeof(some[0]))];
}

static double draw_element(enum op_kind kind, size_t classes, bool positive,
                           bool any, uint64_t *state)
{
    switch (kind) {
    case OP_PROBABILITY:
        return any && draw_below(state, 8) == 0 ? (double)draw_below(state, 2)
                                                : draw(state, 0.02, 0.98);
    case OP_NATURAL:
        return draw(state, 0.1, 2);
    case OP_INDEX:
        return (double)draw_below(state, classes ? classes : 1);
    case OP_FLAG:
        return (double)draw_below(state, 2);
    case OP_REAL:
        if (any && draw_below(state, 4) == 0)
            return wild(state);
        break;
    case OP_FINITE:
    case OP_BOXES:
        break;
    }
    return positive && !any ? draw(state, 0.05, 3) : draw(state, -3, 3);
}

/* Boxes of sizes from 1 to 3, near enough to overlap, as format says. */
static void draw_box(double b[4], double format, bool any, uint64_t *state)
{
    for (size_t k = 0; k < 2; k++) {
        b[k] = draw(state, 0, 3);
        b[k + 2] = draw(state, 1, 3);
        if (any && draw_below(state, 4) == 0) {
            b[k] = (double)draw_below(state, 3);
            b[k + 2] = (double)draw_below(state, 3);
        }
        b[k + 2] += format == 0 ? b[k] : 0;
        b[k] += format == 2 ? b[k + 2] / 2 : 0;
    }
}

/* Whether no gradient is by input i; such are positive where nothing is wild.
 */
static bool constant(const struct op *op, size_t i)
{
    for (size_t k = 0; k < op_outputs(op); k++)
        if (op->out[k].gradient_of == (int)i + 1)
            return false;
    return true;
}

static int fill(struct op_call *call, size_t i, bool any, uint64_t *state)
{
    struct op_tensor *t = &call->in[i];
    const struct op_tensor *first = &call->in[0];
    enum op_kind kind = call->op->in[i].kind;
    size_t format = op_param_row(call->op, "format");
    size_t classes = first->rank ? first->dim[first->rank - 1] : 1;
    t->n = 1;
    for (size_t d = 0; d < t->rank; d++)
        t->n *= t->dim[d];
    t->data = arena_alloc(call->mem, t->n, sizeof(double));
    if (!t->data)
        return -1;
    for (size_t k = 0; k < t->n; k++)
        element_set(
            t, kind, call->type, k,
            draw_element(kind, classes, constant(call->op, i), any, state));
    for (size_t k = 0; kind == OP_BOXES && k < t->n; k += 4) {
        double b[4];
        draw_box(b, format == SIZE_MAX ? 0 : call->param[format], any, state);
        for (size_t j = 0; j < 4; j++)
            element_set(t, kind, call->type, k + j, b[j]);
    }
    return 0;
}

/* A shape that may do where only the row knows which. */
static void guess_shape(struct op_call *call, size_t i, size_t guess)
{
    struct op_tensor *t = &call->in[i];
    const struct op_tensor *first = &call->in[0];
    t->rank = 0;
    if (guess == 0 || first->rank == 0)
        return;
    t->rank = guess == 1 || guess == 4 ? first->rank : 1;
    for (size_t d = 0; d < t->rank; d++)
        t->dim[d] = first->dim[d];
    if (guess == 2)
        t->dim[0] = first->dim[first->rank - 1];
    if (guess == 5 && first->rank > 1)
        t->dim[0] = first->dim[1];
    if (guess == 4)
        t->dim[first->rank - 1] = 1;
}

/* Settles parameters anew, so that they may be looked at as they were. */
static bool accepted(struct op_call *call, struct op_fault *fault)
{
    double param[OP_PARAMS_MAX];
    memcpy(param, call->param, sizeof(param));
    int rc = op_call_prepare(call, fault);
    memcpy(call->param, param, sizeof(param));
    return rc == 0;
}

static bool draw_option(struct op_call *call, size_t i, bool any,
                        uint64_t *state, struct op_fault *fault)
{
    size_t from = draw_below(state, SHAPES);
    for (size_t g = 0; g < SHAPES; g++) {
        guess_shape(call, i, (from + g) % SHAPES);
        if (fill(call, i, any, state))
            return false;
        if (accepted(call, fault))
            return true;
    }
    call->in[i].data = NULL;
    return accepted(call, fault);
}

bool draw_inputs(struct op_call *call, const struct drawing *how,
                 uint64_t *state, struct op_fault *fault)
{
    const struct op *op = call->op;
    size_t size[LETTERS];
    memset(size, 0xff, sizeof(size));
    for (size_t i = 0; i < op_inputs(op); i++) {
        const char *shape = op->in[i].shape;
        if (*shape == '?' ? i > 0 : op->in[i].optional && !how->options)
            continue;
        if (i == 0 && (*shape == '*' || *shape == '?'))
            any_shape(&call->in[0], how->n, state);
        else if (*shape == '*')
            call->in[i] = call->in[0];
        else
            shape_input(&call->in[i], shape, how, size, state);
        if (fill(call, i, how->wild, state))
            return false;
    }
    if (!accepted(call, fault) && !how->options)
        return false;
    for (size_t i = 1; how->options && i < op_inputs(op); i++)
        if (*op->in[i].shape == '?' &&
            !draw_option(call, i, how->wild, state, fault))
            return false;
    return accepted(call, fault);
}

int call_again(struct op_call *call, const struct op_call *from,
               const struct op *op, const struct parallel *par)
{
    struct op_fault fault;
    op_call_init(call, op, from->type, par, from->mem);
    memcpy(call->param, from->param, sizeof(call->param));
    memcpy(call->in, from->in, sizeof(call->in));
    memcpy(call->want, from->want, sizeof(call->want));
    call->want_stats = from->want_stats;
    return op_call_prepare(call, &fault) ? -1 : op_call_run(call);
}

void param_set(struct op_call *call, const char *name, double x)
{
    call->param[op_param_row(call->op, name)] = x;
}

static const struct op *boxes_row(const char *name)
{
    for (size_t i = 0; i < op_count(); i++) {
        const struct op *op = op_row(i, OP_FLOAT64, op_isa_best());
        if (!strcmp(op->group, "boxes") && !strcmp(op->name, name))
            return op;
    }
    return NULL;
}

void boxes_init(struct op_call *call, const char *name, const double *first,
                size_t n, const double *second, size_t m, bool boxes,
                struct arena *mem)
{
    op_call_init(call, boxes_row(name), OP_FLOAT64, &parallel_serial, mem);
    call->in[0] = (struct op_tensor){(void *)first, 2, {n, 4}, 4 * n};
    call->in[1] = (struct op_tensor){(void *)second, 1, {m}, m};
    if (boxes)
        call->in[1] = (struct op_tensor){(void *)second, 2, {m, 4}, 4 * m};
    for (size_t i = 0; i < op_outputs(call->op); i++)
        call->want[i] = call->op->out[i].gradient_of == 0;
}

int boxes_run(struct op_call *call)
{
    struct op_fault fault;
    return op_call_prepare(call, &fault) ? -1 : op_call_run(call);
}

static void run_scrambled(const struct parallel *self, size_t n,
                          parallel_task *task, void *context)
{
    static size_t order[ORDER_MAX];
    uint64_t state = ((const struct scrambled *)(const void *)self)->seed + n;
    for (size_t i = 0; i < n && i < ORDER_MAX; i++) {
        size_t j = draw_below(&state, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = n; i-- > 0;)
        task(context, i < ORDER_MAX ? order[i] : i,
             draw_below(&state, self->width));
}

void scrambled_init(struct scrambled *s, size_t width, uint64_t seed)
{
    *s = (struct scrambled){{.width = width, .run = run_scrambled}, seed};
}
