/*
 * Every gradient of every row against central differences of its value.
 *
 * What is differentiated is the sum of "value" times grad_output where the
 * row takes one.  A coordinate counts as checked when differences of two step
 * widths agree and those to the left and right do; that leaves out kinks.  Of
 * each gradient four fifths of the coordinates must have been checked.
 */
#include "tests/operations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    ELEMENTS = 24,
    COORDINATES = 30,
    RANDOM_SETTINGS = 24,
    MEMORY = 1 << 24
};

/*
 * Choices that the settings keep, where a row has them: with others there is
 * no gradient, or the documented one is not the derivative.
 */
static const struct {
    const char *name, *choice, *reason;
} exceptions[] = {
    {"mode", "pairs", "a matrix has no gradient"},
    {"alpha_gradient", "full", "constant leaves out alpha's own derivative"},
    {"aspect_scale", "true", "paper leaves out a factor on purpose"},
};

struct tally {
    size_t coordinates, checked, settings;
    double worst;
};

/* The sum of value times grad_output; NaN when the inputs are refused. */
static double objective(const struct op_call *base, size_t value, size_t scale)
{
    struct op_call c;
    struct arena_mark mark = arena_mark(base->mem);
    double sum = NAN;
    if (call_again(&c, base, base->op, &parallel_serial) == 0) {
        sum = 0;
        for (size_t i = 0; i < c.out[value].n; i++) {
            double y = element(&c.out[value], OP_REAL, c.type, i);
            bool scaled = scale != SIZE_MAX && c.in[scale].data;
            sum += scaled ? y * element(&c.in[scale], OP_REAL, c.type, i) : y;
        }
    }
    arena_release(base->mem, mark);
    return sum;
}

/* The central difference of width h; *kink says how much the sides differ. */
static double difference(struct op_call *c, size_t in, size_t i, double h,
                         double *kink)
{
    size_t value = op_output_row(c->op, "value");
    size_t scale = op_input_row(c->op, "grad_output");
    double *x = (double *)c->in[in].data + i, at = *x;
    volatile double right = at + h, left = at - h; /* as they are stored */
    double middle = objective(c, value, scale), up, down;
    *x = right;
    up = objective(c, value, scale);
    *x = left;
    down = objective(c, value, scale);
    *x = at;
    *kink = fabs((up - middle) / (right - at) - (middle - down) / (at - left));
    return (up - down) / (right - left);
}

/* Whether the differences at element i settle on something, in *slope. */
static bool settles(struct op_call *c, size_t in, size_t i, double *slope)
{
    double h = 4e-5, kink, narrow;
    double wide = difference(c, in, i, h, &kink);
    *slope = difference(c, in, i, h / 4, &narrow);
    double size = 1 + fabs(*slope);
    return fabs(wide - *slope) < 1e-6 * size &&
           (narrow < 1e-5 * size || narrow < 0.5 * kink);
}

static void check_port(struct op_call *c, size_t out, struct tally *t,
                       uint64_t *state)
{
    size_t in = (size_t)c->op->out[out].gradient_of - 1;
    struct op_call first;
    if (!c->in[in].data)
        return;
    assert_int_equal(call_again(&first, c, c->op, &parallel_serial), 0);
    const double *grad = first.out[out].data;
    assert_int_equal(first.out[out].n, c->in[in].n);
    for (size_t k = 0; k < COORDINATES && k < c->in[in].n; k++) {
        size_t i =
            c->in[in].n <= COORDINATES ? k : draw_below(state, c->in[in].n);
        double slope, size;
        t->coordinates++;
        if (!settles(c, in, i, &slope))
            continue;
        t->checked++;
        size = 1 + fabs(slope);
        t->worst = fmax(t->worst, fabs(slope - grad[i]) / size);
        if (fabs(slope - grad[i]) < 3e-6 * size)
            continue;
        for (size_t p = 0; p < op_params(c->op); p++)
            print_message("# %s = %g\n", c->op->param[p].name, c->param[p]);
        fail_msg("%s/%s: %s[%zu] is %.12g at %s = %.17g, the differences say "
                 "%.12g",
                 c->op->group, c->op->name, c->op->out[out].name, i, grad[i],
                 c->op->in[in].name, ((double *)c->in[in].data)[i], slope);
    }
}

/* One setting; refused ones (two parameters at odds) are left out. */
static void check_setting(const struct op *op, const double *param,
                          bool options, struct arena *mem, struct tally *t,
                          uint64_t *state)
{
    struct op_call c;
    struct op_fault fault;
    struct drawing how = {.n = ELEMENTS, .options = options};
    arena_clear(mem, MEMORY);
    op_call_init(&c, op, OP_FLOAT64, &parallel_serial, mem);
    memcpy(c.param, param, sizeof(c.param));
    for (size_t e = 0; e < sizeof(exceptions) / sizeof(exceptions[0]); e++)
        choose(op, c.param, exceptions[e].name, exceptions[e].choice);
    for (size_t k = 0; k < op_outputs(op); k++)
        c.want[k] = op->out[k].gradient_of || !strcmp(op->out[k].name, "value");
    if (!draw_inputs(&c, &how, state, &fault)) {
        how.square = true;
        if (!draw_inputs(&c, &how, state, &fault))
            return;
    }
    t->settings++;
    for (size_t k = 0; k < op_outputs(op); k++)
        if (op->out[k].gradient_of)
            check_port(&c, k, t, state);
}

static bool has_gradient(const struct op *op)
{
    for (size_t k = 0; k < op_outputs(op); k++)
        if (op->out[k].gradient_of)
            return true;
    return false;
}

static void check_row(const struct op *op, struct arena *mem)
{
    double param[OP_PARAMS_MAX];
    struct tally t = {0};
    uint64_t state = 20;
    size_t i = 0;
    for (; setting(op, i, RANDOM_SETTINGS, &state, param); i++)
        for (size_t options = 0; options < 2; options++)
            check_setting(op, param, options, mem, &t, &state);
    print_message("# %s/%s: %zu of %zu settings, %zu of %zu coordinates, "
                  "worst %.1e\n",
                  op->group, op->name, t.settings, 2 * i, t.checked,
                  t.coordinates, t.worst);
    assert_true(2 * t.settings >= i);
    assert_true(t.checked > 0 && 10 * t.checked >= 8 * t.coordinates);
}

static void gradients_are_derivatives(void **state)
{
    struct arena mem;
    size_t rows = 0;
    (void)state;
    arena_init(&mem, MEMORY);
    for (size_t i = 0; i < op_count(); i++) {
        const struct op *op = op_row(i, OP_FLOAT64, op_isa_best());
        if (has_gradient(op)) {
            check_row(op, &mem);
            rows++;
        }
    }
    assert_true(rows > 0);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_derivatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
