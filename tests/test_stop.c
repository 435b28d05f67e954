/*
 * Work that is stopped, in its parts: what looks at the flag, and every kernel
 * after any number of its items, which says so or is right bit by bit.
 */
#include "api/json_out.h"
#include "core/key_sort.h"
#include "tests/counting.h"
#include "tests/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    PLENTY = 1 << 29,
    ITEMS_MAX = 10,   /* after which a kernel is stopped */
    ELEMENTS = 70000, /* three items of most kernels */
    BOXES = 40000,
    SEEDS = 8, /* until there are inputs that a row takes */
};

static void add_one(void *context, size_t item, size_t worker)
{
    (void)item, (void)worker;
    ++*(size_t *)context;
}

static void stop_at_third(void *context, size_t item, size_t worker)
{
    (void)worker;
    if (item == 2)
        atomic_store((atomic_bool *)context, true);
    assert_true(item <= 2);
}

static void serial_runs_leave_items_out(void **unused)
{
    (void)unused;
    atomic_bool stop = false;
    struct parallel par = parallel_serial;
    size_t n = 0;
    par.stop = &stop;
    par.run(&par, 5, add_one, &n);
    assert_int_equal(n, 5);
    assert_false(parallel_stopped(&par));
    par.run(&par, 5, stop_at_third, &stop);
    assert_true(parallel_stopped(&par));
    par.run(&par, 5, add_one, &n);
    assert_int_equal(n, 5);
    par.stop = NULL;
    par.run(&par, 5, add_one, &n);
    assert_int_equal(n, 10);
}

static void loops_go_by_stretches(void **unused)
{
    (void)unused;
    atomic_bool stop = false;
    size_t n = 2 * STOP_STRETCH + 1, looks = 0;
    assert_int_equal(stop_reach(&stop, 0, 0), 0);
    for (size_t i = 0, end; (end = stop_reach(&stop, i, n)) > i; looks++) {
        assert_true(end <= n);
        i = end;
    }
    assert_int_equal(looks, 3);
    assert_int_equal(stop_reach(NULL, n - 1, n), n);
    stop = true;
    assert_int_equal(stop_reach(&stop, 5, n), 5);
    assert_false(is_stopped(NULL));
}

static void memory_is_not_handed_out(void **unused)
{
    (void)unused;
    atomic_bool stop = false;
    struct arena mem;
    arena_init(&mem, PLENTY);
    mem.stop = &stop;
    assert_non_null(arena_alloc(&mem, 1, 1));
    stop = true;
    assert_null(arena_alloc(&mem, 1, 1));
    assert_true(mem.failed);
    assert_null(arena_zero(&mem, 1, 1));
    arena_clear(&mem, PLENTY);
    assert_null(mem.stop);
    assert_non_null(arena_alloc(&mem, 1, 1));
    arena_free(&mem);
}

/* What is written is dropped soon, and no byte of it is lost before. */
static void writers_fail(void **unused)
{
    (void)unused;
    atomic_bool stop = false;
    struct arena mem;
    struct json_out out;
    arena_init(&mem, PLENTY);
    mem.stop = &stop;
    json_out_init(&out, &mem, false);
    out_reserve(&out, 1 << 20);
    for (size_t i = 0; i < 100000; i++)
        out_integer(&out, 1);
    assert_false(out.failed);
    assert_int_equal(out.len, 199999);
    stop = true;
    for (size_t i = 0; i < 100000; i++)
        out_integer(&out, 1);
    assert_true(out.failed);
    assert_true(out.len < 199999 + (1 << 17));
    arena_free(&mem);
}

static void sorting_ends(void **unused)
{
    (void)unused;
    enum { N = 1000 };
    static uint64_t key[N], spare_key[N];
    static uint32_t row[N], spare_row[N];
    const struct key_order by = {key, spare_key, row, spare_row};
    atomic_bool stop = true;
    for (uint32_t i = 0; i < N; i++) {
        key[i] = N - i;
        row[i] = i;
    }
    assert_int_equal(key_sort(&by, N, &stop), -1);
    assert_int_equal(row[0], 0); /* nothing has been done */
    stop = false;
    assert_int_equal(key_sort(&by, N, &stop), 0);
    assert_int_equal(row[0], N - 1);
}

/* ---- every row, after any number of items ---- */

static bool same_bytes(const struct op_tensor *a, const struct op_tensor *b,
                       size_t size)
{
    return a->n == b->n && memcmp(a->data, b->data, a->n * size) == 0;
}

static bool same_outputs(const struct op_call *a, const struct op_call *b)
{
    for (size_t i = 0; i < op_outputs(a->op); i++) {
        size_t real = a->type == OP_FLOAT32 ? sizeof(float) : sizeof(double);
        size_t size = op_is_integer(&a->op->out[i]) ? sizeof(int64_t) : real;
        if (a->want[i] && !same_bytes(&a->out[i], &b->out[i], size))
            return false;
    }
    if (a->n_facts != b->n_facts)
        return false;
    for (size_t i = 0; i < a->n_facts; i++)
        if (a->fact[i].n != b->fact[i].n ||
            memcmp(a->fact[i].value, b->fact[i].value,
                   a->fact[i].n * sizeof(double)) != 0)
            return false;
    return true;
}

static size_t elements_of(const struct op *op)
{
    bool boxes = op->in[0].kind == OP_BOXES && strcmp(op->group, "boxes") == 0;
    return boxes ? BOXES : ELEMENTS;
}

/* Whether it was stopped. */
static bool stop_after(const struct op_call *want, size_t items, size_t setting)
{
    struct counting c;
    struct op_call got;
    counting_init(&c, items);
    int rc = call_again(&got, want, want->op, &c.par);
    bool stopped = atomic_load(&c.stop);
    if (stopped != (rc != 0) || (rc == 0 && !same_outputs(want, &got)))
        fail_msg("%s/%s, setting %zu, after %zu items: %s, %d", want->op->group,
                 want->op->name, setting, items,
                 stopped ? "stopped" : "not stopped", rc);
    return stopped;
}

/* Inputs for a call, with every output that goes with its parameters. */
static bool draw_call(struct op_call *call)
{
    struct op_fault fault;
    for (size_t seed = 0; seed < SEEDS; seed++) {
        struct drawing how = {.n = elements_of(call->op),
                              .options = seed % 2 == 0};
        uint64_t state = seed;
        for (size_t i = 0; i < op_outputs(call->op); i++)
            call->want[i] = i == 0 || seed < SEEDS / 2;
        if (draw_inputs(call, &how, &state, &fault))
            return true;
    }
    return false;
}

/* How often a call of this row with setting s was stopped. */
static size_t stop_row(const struct op *op, enum op_type type, size_t s,
                       const double *param)
{
    struct arena mem;
    struct op_call call, want;
    size_t n = 0;
    arena_init(&mem, PLENTY);
    op_call_init(&call, op, type, &parallel_serial, &mem);
    memcpy(call.param, param, sizeof(call.param));
    call.want_stats = op->stats;
    if (draw_call(&call) &&
        call_again(&want, &call, op, &parallel_serial) == 0) {
        struct arena_mark mark = arena_mark(&mem);
        while (n < ITEMS_MAX && stop_after(&want, n, s)) {
            arena_release(&mem, mark);
            n++;
        }
    }
    arena_free(&mem);
    return n;
}

static void every_row_stops_after_any_item(void **unused)
{
    (void)unused;
    const struct op *op;
    size_t n_rows = 0;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        double param[OP_PARAMS_MAX];
        uint64_t state = i;
        size_t n = 0;
        for (size_t s = 0; setting(op, s, 0, &state, param); s++)
            n += stop_row(op_row(i, s % 2 ? OP_FLOAT32 : OP_FLOAT64, OP_BASE),
                          s % 2 ? OP_FLOAT32 : OP_FLOAT64, s, param);
        if (n == 0)
            fail_msg("%s/%s was never stopped", op->group, op->name);
        n_rows++;
    }
    assert_int_equal(n_rows, op_count());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_runs_leave_items_out),
        cmocka_unit_test(loops_go_by_stretches),
        cmocka_unit_test(memory_is_not_handed_out),
        cmocka_unit_test(writers_fail),
        cmocka_unit_test(sorting_ends),
        cmocka_unit_test(every_row_stops_after_any_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
