/* Runs the diagnostics of a made-up activation: a row without a kernel. */
#ifndef EVALD_TESTS_ACTIVATE_H
#define EVALD_TESTS_ACTIVATE_H

#include "core/ops.h"
#include "tests/facts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { BINS = 32 };

typedef int stats_function(struct op_call *call);
stats_function activation_stats_f32_base, activation_stats_f64_base;
#ifdef EVALD_VECTOR
stats_function activation_stats_f32_v3, activation_stats_f64_v3;
stats_function activation_stats_f32_v4, activation_stats_f64_v4;
#endif

/* The base builds come first: all others give their bits. */
static const struct build {
    const char *name;
    enum op_type type;
    enum op_isa isa;
    stats_function *stats;
} builds[] = {
    {"float32", OP_FLOAT32, OP_BASE, activation_stats_f32_base},
    {"float64", OP_FLOAT64, OP_BASE, activation_stats_f64_base},
#ifdef EVALD_VECTOR
    {"float32 v3", OP_FLOAT32, OP_V3, activation_stats_f32_v3},
    {"float64 v3", OP_FLOAT64, OP_V3, activation_stats_f64_v3},
    {"float32 v4", OP_FLOAT32, OP_V4, activation_stats_f32_v4},
    {"float64 v4", OP_FLOAT64, OP_V4, activation_stats_f64_v4},
#endif
};

static const struct op activation = {
    .name = "made_up",
    .in = {{.name = "x", .shape = "*"}},
    .out = {{.name = "grad", .shape = "*"}, {.name = "value", .shape = "?"}},
    .param = {{.name = "channel_axis", .type = OP_INTEGER}},
};

/* What an activation saw and did. */
struct input {
    size_t n_value, n;
    const double *value, *x, *grad;
    const size_t *dim; /* of x */
    size_t rank;
    double channel_axis;
};

static inline struct op_tensor tensor(struct trial *t, size_t n,
                                      const double *data)
{
    struct op_tensor made = {.rank = 1, .dim = {n}, .n = n};
    made.data = arena_alloc(&t->mem, n, sizeof(double));
    assert_non_null(made.data);
    for (size_t i = 0; i < n; i++)
        if (t->call.type == OP_FLOAT32)
            ((float *)made.data)[i] = (float)data[i];
        else
            ((double *)made.data)[i] = data[i];
    return made;
}

static inline void activate(struct trial *t, const struct build *b,
                            const struct parallel *par, const struct input *in)
{
    trial_init(t, b->type, par);
    t->call.op = &activation;
    t->call.param[0] = in->channel_axis;
    t->call.in[0] = tensor(t, in->n, in->x);
    if (in->rank > 0) {
        t->call.in[0].rank = in->rank;
        memcpy(t->call.in[0].dim, in->dim, in->rank * sizeof(*in->dim));
    }
    t->call.out[0] = tensor(t, in->n, in->grad);
    t->call.out[1] = tensor(t, in->n_value, in->value);
    assert_int_equal(b->stats(&t->call), 0);
}

/* The build after b, of those that run here; the first after NULL. */
static inline const struct build *next_build(const struct build *b)
{
    for (b = b ? b + 1 : builds; b < builds + COUNT(builds); b++)
        if (op_isa_usable(b->isa))
            return b;
    return NULL;
}

#endif
