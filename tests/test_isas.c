/*
 * Every row gives the same bits for every instruction set that this machine
 * has and for any number of workers, whatever they do and in what order.
 */
#include "tests/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_SETTINGS = 1, MEMORY = 1 << 28 };

static const size_t widths[] = {1, 2, 3, 8};

/* Elementwise rows take any number; all pairs of a thousand are many. */
static const struct {
    size_t n;
    bool pairs;
} sizes[] = {{0, true}, {1, true}, {7, true}, {1000, true}, {100003, false}};

static const char *of_tensor(const struct op_call *a, const struct op_call *b)
{
    const struct op *op = a->op;
    for (size_t k = 0; k < op_outputs(op); k++) {
        const struct op_tensor *x = &a->out[k], *y = &b->out[k];
        if (!a->want[k])
            continue;
        if (x->n != y->n || x->rank != y->rank)
            return op->out[k].name;
        for (size_t i = 0; i < x->n; i++)
            if (!same_number(element(x, op->out[k].kind, a->type, i),
                             element(y, op->out[k].kind, b->type, i)))
                return op->out[k].name;
    }
    return NULL;
}

static const char *of_fact(const struct op_call *a, const struct op_call *b)
{
    if (a->n_facts != b->n_facts)
        return "stats";
    for (size_t k = 0; k < a->n_facts; k++) {
        const struct op_fact *x = &a->fact[k], *y = &b->fact[k];
        if (strcmp(x->name, y->name) != 0 || x->n != y->n)
            return x->name;
        for (size_t i = 0; i < x->n; i++)
            if (!same_number(x->value[i], y->value[i]))
                return x->name;
    }
    return NULL;
}

/* All that other instruction sets and workers make of the same inputs. */
static size_t check_others(const struct op_call *base, size_t row)
{
    struct op_call first, c;
    size_t runs = 0;
    const struct op *op = op_row(row, base->type, OP_BASE);
    if (call_again(&first, base, op, &parallel_serial))
        fail_msg("%s/%s: no memory", op->group, op->name);
    for (enum op_isa isa = OP_BASE; isa < OP_ISAS; isa++) {
        for (size_t w = 0; w < 4 && op_isa_usable(isa); w++) {
            struct scrambled par;
            struct arena_mark mark = arena_mark(base->mem);
            const char *what;
            scrambled_init(&par, widths[w], row + w);
            op = op_row(row, base->type, isa);
            if (call_again(&c, base, op, &par.par))
                fail_msg("%s/%s: no memory", op->group, op->name);
            what = of_tensor(&first, &c);
            what = what ? what : of_fact(&first, &c);
            if (what)
                fail_msg("%s/%s: %s of %zu elements as %s differs for %s with "
                         "%zu workers",
                         op->group, op->name, what, base->in[0].n,
                         base->type == OP_FLOAT32 ? "float" : "double",
                         op_isa_names[isa], widths[w]);
            arena_release(base->mem, mark);
            runs++;
        }
    }
    return runs;
}

static bool accepted(struct op_call *c)
{
    struct op_fault fault;
    double param[OP_PARAMS_MAX];
    memcpy(param, c->param, sizeof(param));
    int rc = op_call_prepare(c, &fault);
    memcpy(c->param, param, sizeof(param));
    return rc == 0;
}

/* stats and all outputs, as far as the inputs and parameters allow them. */
static void want_all(struct op_call *c)
{
    c->want_stats = true;
    c->want_stats = accepted(c);
    for (size_t k = 0; k < op_outputs(c->op); k++) {
        c->want[k] = true;
        c->want[k] = accepted(c);
    }
}

static size_t check_size(size_t row, enum op_type type, const double *param,
                         size_t n, struct arena *mem, uint64_t *state)
{
    const struct op *op = op_row(row, type, OP_BASE);
    struct op_call c;
    struct op_fault fault;
    struct drawing how = {
        .n = n, .wild = true, .options = draw_below(state, 2)};
    arena_clear(mem, MEMORY);
    op_call_init(&c, op, type, &parallel_serial, mem);
    memcpy(c.param, param, sizeof(c.param));
    if (!draw_inputs(&c, &how, state, &fault))
        return 0;
    want_all(&c);
    return check_others(&c, row);
}

/* Large sizes take the time, so they see the default parameters only. */
static size_t check_row(size_t row, enum op_type type, struct arena *mem)
{
    const struct op *op = op_row(row, type, OP_BASE);
    double param[OP_PARAMS_MAX];
    uint64_t state = row;
    size_t runs = 0, n_sizes = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t s = 0; s < n_sizes; s++) {
        size_t n = sizes[s].n, i = 0;
        if (!sizes[s].pairs && strcmp(op->group, "boxes") == 0)
            continue;
        while (setting(op, i, RANDOM_SETTINGS, &state, param)) {
            runs += check_size(row, type, param, n, mem, &state);
            if (++i, n > 10000)
                break;
        }
    }
    return runs;
}

static void all_builds_give_the_same_bits(void **state)
{
    struct arena mem;
    size_t runs = 0;
    (void)state;
    arena_init(&mem, MEMORY);
    for (size_t row = 0; row < op_count(); row++) {
        for (enum op_type t = 0; t < OP_TYPES; t++) {
            size_t n = check_row(row, t, &mem);
            if (n == 0)
                fail_msg("no inputs for %s/%s", op_row(row, t, OP_BASE)->group,
                         op_row(row, t, OP_BASE)->name);
            runs += n;
        }
    }
    print_message("# %zu runs compared\n", runs);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_builds_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
