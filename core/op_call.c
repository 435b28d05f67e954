/* From inputs to outputs: shapes, checks, memory, the kernel. */
#include "core/op.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * A tensor without elements costs a client nothing, so what its dimensions
 * come to without the zeros is bounded: kernels may count through them.
 */
enum { LETTERS = 26, FORMAT_XYXY = 0, EMPTY_MAX = 1 << 20 };

void op_call_init(struct op_call *call, const struct op *op, enum op_type type,
                  const struct parallel *par, struct arena *mem)
{
    *call = (struct op_call){.op = op, .type = type, .par = par, .mem = mem};
    for (size_t i = 0; i < op_params(op); i++)
        call->param[i] = op->param[i].fallback;
}

static size_t element_bytes(const struct op_call *call,
                            const struct op_port *port)
{
    if (op_is_integer(port))
        return sizeof(int64_t);
    return call->type == OP_FLOAT32 ? sizeof(float) : sizeof(double);
}

/* Sets t->n; -1 when it does not fit. */
static int count(struct op_tensor *t)
{
    t->n = 1;
    for (size_t d = 0; d < t->rank; d++)
        if (__builtin_mul_overflow(t->n, t->dim[d], &t->n))
            return -1;
    return 0;
}

/* What the letters and the star of a row's shapes stand for in this call. */
struct binding {
    bool bound[LETTERS];
    size_t letter[LETTERS];
    size_t from[LETTERS]; /* the input that bound it */
    const struct op_tensor *star;
    size_t star_from;
};

/* "(2, 3)" */
static const char *shape_text(const struct op_tensor *t, char text[64])
{
    size_t at = 0;
    text[at++] = '(';
    for (size_t d = 0; d < t->rank && at < 48; d++)
        at += (size_t)snprintf(text + at, 64 - at, d ? ", %zu" : "%zu",
                               t->dim[d]);
    snprintf(text + at, 64 - at, t->rank == 1 ? ",)" : ")");
    return text;
}

static size_t rank_of(const char *shape)
{
    size_t rank = *shape != '\0';
    for (; *shape; shape++)
        rank += *shape == ',';
    return rank;
}

static int bind_star(struct op_call *c, size_t i, struct binding *b,
                     struct op_fault *fault)
{
    const struct op_tensor *t = &c->in[i];
    char mine[64], first[64];
    if (!b->star) {
        b->star = t;
        b->star_from = i;
        return 0;
    }
    if (t->rank == b->star->rank &&
        memcmp(t->dim, b->star->dim, t->rank * sizeof(t->dim[0])) == 0)
        return 0;
    return op_fail_shape(fault, i, "has the shape %s, \"%s\" has %s",
                         shape_text(t, mine), c->op->in[b->star_from].name,
                         shape_text(b->star, first));
}

/* One dimension of input i against its letter or number. */
static int bind_dim(struct op_call *c, size_t i, size_t d, const char *token,
                    struct binding *b, struct op_fault *fault)
{
    size_t got = c->in[i].dim[d];
    if (*token >= '0' && *token <= '9') {
        size_t want = (size_t)(*token - '0');
        if (got == want)
            return 0;
        return op_fail_shape(fault, i,
                             "has %zu in dimension %zu, must have "
                             "%zu: its shape is (%s)",
                             got, d, want, c->op->in[i].shape);
    }
    size_t letter = (size_t)(*token - 'a');
    if (!b->bound[letter]) {
        b->bound[letter] = true;
        b->letter[letter] = got;
        b->from[letter] = i;
        return 0;
    }
    if (b->letter[letter] == got)
        return 0;
    return op_fail_shape(fault, i, "has %zu in dimension %zu, \"%s\" has %zu",
                         got, d, c->op->in[b->from[letter]].name,
                         b->letter[letter]);
}

/* [] is any shape without elements: a list of no boxes, say. */
static void widen_empty(struct op_tensor *t, const char *shape)
{
    size_t rank = rank_of(shape);
    if (t->rank != 1 || t->n > 0)
        return;
    for (size_t d = 1; d < rank; d++) {
        char token = shape[2 * d];
        t->dim[d] = token >= '0' && token <= '9' ? (size_t)(token - '0') : 0;
    }
    t->rank = rank > 1 ? rank : 1;
}

static int check_empty(const struct op_call *c, size_t i,
                       struct op_fault *fault)
{
    const struct op_tensor *t = &c->in[i];
    size_t rest = 1;
    for (size_t d = 0; d < t->rank && t->n == 0; d++)
        if (t->dim[d] > EMPTY_MAX ||
            (t->dim[d] > 0 && (rest *= t->dim[d]) > EMPTY_MAX))
            return op_fail_shape(fault, i,
                                 "has no elements, and dimensions beyond %d",
                                 EMPTY_MAX);
    return 0;
}

static int bind_input(struct op_call *c, size_t i, struct binding *b,
                      struct op_fault *fault)
{
    const char *shape = c->op->in[i].shape;
    char text[64];
    if (check_empty(c, i, fault))
        return -1;
    if (*shape == '?')
        return 0;
    if (*shape == '*')
        return bind_star(c, i, b, fault);
    widen_empty(&c->in[i], shape);
    if (c->in[i].rank != rank_of(shape))
        return op_fail_shape(fault, i,
                             "has the shape %s, must have %zu "
                             "dimension%s: (%s)",
                             shape_text(&c->in[i], text), rank_of(shape),
                             rank_of(shape) == 1 ? "" : "s", shape);
    for (size_t d = 0; d < c->in[i].rank; d++)
        if (bind_dim(c, i, d, shape + 2 * d, b, fault))
            return -1;
    return 0;
}

static void shape_output(struct op_call *c, size_t i, const struct binding *b)
{
    const char *shape = c->op->out[i].shape;
    struct op_tensor *t = &c->out[i];
    if (*shape == '?')
        return;
    if (*shape == '*') {
        assert(b->star); /* an input that must be there has this shape too */
        t->rank = b->star->rank;
        memcpy(t->dim, b->star->dim, sizeof(t->dim));
        return;
    }
    t->rank = rank_of(shape);
    for (size_t d = 0; d < t->rank; d++) {
        char token = shape[2 * d];
        t->dim[d] = token >= '0' && token <= '9'
                        ? (size_t)(token - '0')
                        : b->letter[(size_t)(token - 'a')];
    }
}

static int bind(struct op_call *c, struct op_fault *fault)
{
    struct binding b = {.star = NULL};
    for (size_t i = 0; i < op_inputs(c->op); i++) {
        if (c->in[i].data && bind_input(c, i, &b, fault))
            return -1;
        if (!c->in[i].data && !c->op->in[i].optional)
            return op_fail_shape(fault, i, "is missing");
    }
    for (size_t i = 0; i < op_outputs(c->op); i++)
        shape_output(c, i, &b);
    return c->op->shape ? c->op->shape(c, fault) : 0;
}

/* A float may be infinite where the number that was sent is not. */
static const char *as_type(const struct op_call *c)
{
    return c->type == OP_FLOAT32 ? " as float32" : "";
}

static int check_numbers(const struct op_call *c, size_t input, size_t from,
                         double lo, double hi, struct op_fault *fault)
{
    for (size_t i = from; i < c->in[input].n; i++) {
        double x = op_real_at(c, &c->in[input], i);
        if (i % STOP_STRETCH == 0 && op_stopped(c))
            return 0;
        if (x >= lo && x <= hi)
            continue;
        if (lo == -DBL_MAX)
            op_fail_input(fault, input, i, "is %g%s, must be finite", x,
                          as_type(c));
        else if (hi == DBL_MAX)
            op_fail_input(fault, input, i,
                          "is %.9g, must be %g or more, and finite", x, lo);
        else
            op_fail_input(fault, input, i, "is %.9g, must be from %g to %g", x,
                          lo, hi);
        fault->code = isfinite(x) ? NULL : "non_finite";
        return -1;
    }
    return 0;
}

static int check_flags(const struct op_call *c, size_t input, size_t from,
                       struct op_fault *fault)
{
    const int64_t *flag = c->in[input].data;
    for (size_t i = from; i < c->in[input].n; i++)
        if (flag[i] != 0 && flag[i] != 1)
            return op_fail_input(fault, input, i,
                                 "is %lld, must be 0 or 1, true or false",
                                 (long long)flag[i]);
    return 0;
}

/* What is wrong with a box, at coordinate *at, or NULL. */
static const char *box_fault(const double b[4], bool corners, size_t *at)
{
    for (*at = 0; *at < 4; ++*at)
        if (!isfinite(b[*at]))
            return "non_finite";
    *at = corners ? !(b[2] >= b[0]) ? 2 : 3 : b[2] < 0 ? 2 : 3;
    if (corners)
        return b[2] < b[0] ? "x2_lt_x1" : b[3] < b[1] ? "y2_lt_y1" : NULL;
    return b[2] < 0 ? "negative_width" : b[3] < 0 ? "negative_height" : NULL;
}

static int fail_box(const struct op_call *c, struct op_fault *f, size_t input,
                    size_t element, const double b[4], bool corners,
                    const char *code)
{
    static const char axis[] = "xy", *const size[] = {"width", "height"};
    size_t at = element % 4, k = at % 2;
    if (!isfinite(b[at])) {
        op_fail_input(f, input, element, "is %g%s, must be finite", b[at],
                      as_type(c));
    } else if (corners) {
        op_fail_input(f, input, element,
                      "is [%.9g, %.9g, %.9g, %.9g]: %c2 (%.9g) < %c1 (%.9g). "
                      "Is it xywh? Set \"format\": \"xywh\"",
                      b[0], b[1], b[2], b[3], axis[k], b[at], axis[k],
                      b[at - 2]);
        f->of_row = true;
    } else {
        op_fail_input(f, input, element,
                      "is [%.9g, %.9g, %.9g, %.9g]: its %s is negative. Is it "
                      "xyxy? Set \"format\": \"xyxy\"",
                      b[0], b[1], b[2], b[3], size[k]);
        f->of_row = true;
    }
    f->code = code;
    return -1;
}

static int check_boxes(const struct op_call *c, size_t input, size_t from,
                       struct op_fault *fault)
{
    size_t format = op_param_row(c->op, "format"), at;
    bool corners = format == SIZE_MAX || c->param[format] == FORMAT_XYXY;
    for (size_t i = from / 4 * 4; i < c->in[input].n; i += 4) {
        double b[4];
        if (i % STOP_STRETCH == 0 && op_stopped(c))
            return 0;
        for (size_t k = 0; k < 4; k++)
            b[k] = op_real_at(c, &c->in[input], i + k);
        const char *code = box_fault(b, corners, &at);
        if (code && i + at >= from)
            return fail_box(c, fault, input, i + at, b, corners, code);
    }
    return 0;
}

int op_check_kind(const struct op_call *c, size_t input, size_t from,
                  struct op_fault *fault)
{
    if (!c->in[input].data)
        return 0;
    switch (c->op->in[input].kind) {
    case OP_PROBABILITY:
        return check_numbers(c, input, from, 0, 1, fault);
    case OP_FINITE:
        return check_numbers(c, input, from, -DBL_MAX, DBL_MAX, fault);
    case OP_NATURAL:
        return check_numbers(c, input, from, 0, DBL_MAX, fault);
    case OP_BOXES:
        return check_boxes(c, input, from, fault);
    case OP_FLAG:
        return check_flags(c, input, from, fault);
    case OP_REAL:
    case OP_INDEX:
        break;
    }
    return 0;
}

static int check(const struct op_call *c, struct op_fault *fault)
{
    for (size_t i = 0; i < op_inputs(c->op); i++)
        if (op_check_kind(c, i, 0, fault))
            return -1;
    return c->op->check ? c->op->check(c, fault) : 0;
}

/* Whether diagnostics are made from this output. */
static bool feeds_stats(const struct op_port *port)
{
    return strcmp(port->name, "value") == 0 || strcmp(port->name, "grad") == 0;
}

static int allocate(struct op_call *c)
{
    for (size_t i = 0; i < op_outputs(c->op); i++) {
        const struct op_port *port = &c->op->out[i];
        bool want = c->want[i] || (c->want_stats && feeds_stats(port));
        if (count(&c->out[i]))
            return -1;
        c->out[i].data = NULL;
        if (!want)
            continue;
        c->out[i].data =
            arena_alloc(c->mem, c->out[i].n, element_bytes(c, port));
        if (!c->out[i].data)
            return -1;
    }
    if (!c->want_stats || !(c->op->easy_below > 0))
        return 0;
    c->samples = arena_zero(c->mem, 1, sizeof(*c->samples));
    return c->samples ? 0 : -1;
}

int op_call_prepare(struct op_call *c, struct op_fault *fault)
{
    if (op_stopped(c))
        return 1;
    if (c->op->settle)
        c->op->settle(c->param);
    if (bind(c, fault) || check(c, fault))
        return -1;
    return op_stopped(c) || allocate(c) ? 1 : 0;
}

int op_call_run(struct op_call *c)
{
    if (c->op->run(c) || op_stopped(c))
        return -1;
    if (c->want_stats && c->op->stats && c->op->stats(c))
        return -1;
    return op_stopped(c) ? -1 : 0;
}
