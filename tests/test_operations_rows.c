/* What every row of every table of operations must say. */
#include "api/api.h"
#include "api/operation.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLENTY = 1 << 26, TEXT_BYTES = 256 };

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789_"

/* What is wrong is said at once; how much of it fails the test. */
static size_t wrong;

#define CHECK(op, what, condition)                                          \
    do {                                                                    \
        if (!(condition)) {                                                 \
            print_message("%s/%s: %s: %s\n", (op)->group, (op)->name, what, \
                          #condition);                                      \
            wrong++;                                                        \
        }                                                                   \
    } while (0)

static void each_row(void (*check)(const struct op *op))
{
    const struct op *op;
    wrong = 0;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        check(op);
    assert_true(op_count() > 0);
    if (wrong)
        fail_msg("%zu things are wrong", wrong);
}

static bool is_name(const char *s)
{
    return s && *s >= 'a' && *s <= 'z' && strspn(s, LOWER) == strlen(s);
}

static bool is_text(const char *s)
{
    return s && *s && s[strlen(s) - 1] != ' ';
}

/* Formulas are written for terminals too. */
static bool is_ascii(const char *s)
{
    for (; s && *s; s++)
        if ((*s < ' ' && *s != '\n') || *s > '~')
            return false;
    return s;
}

static void check_text(const struct op *op)
{
    CHECK(op, "group", is_name(op->group));
    CHECK(op, "name", is_name(op->name));
    CHECK(op, "title", is_text(op->title));
    CHECK(op, "summary", is_text(op->summary));
    CHECK(op, "formula", is_text(op->formula) && is_ascii(op->formula));
    CHECK(op, "formula_tex", is_text(op->formula_tex));
    CHECK(op, "source", is_text(op->source));
    for (size_t i = 0; op->aliases[i]; i++)
        CHECK(op, op->aliases[i], is_name(op->aliases[i]));
    CHECK(op, "kernel", op->run != NULL);
}

static void texts_are_there(void **state)
{
    (void)state;
    each_row(check_text);
}

static void check_port(const struct op *op, const struct op_port *port)
{
    CHECK(op, port->name, is_name(port->name));
    CHECK(op, port->name, is_text(port->doc));
    CHECK(op, port->name, port->doc[strlen(port->doc) - 1] != '.');
    CHECK(op, port->name, port->shape != NULL);
}

static void check_ports(const struct op *op)
{
    CHECK(op, "inputs", op_inputs(op) > 0 && !op->in[0].optional);
    CHECK(op, "outputs", op_outputs(op) > 0);
    for (size_t i = 0; i < op_inputs(op); i++) {
        check_port(op, &op->in[i]);
        CHECK(op, op->in[i].name, op_input_row(op, op->in[i].name) == i);
    }
    for (size_t i = 0; i < op_outputs(op); i++) {
        check_port(op, &op->out[i]);
        CHECK(op, op->out[i].name, op_output_row(op, op->out[i].name) == i);
        CHECK(op, op->out[i].name, strcmp(op->out[i].name, "stats") != 0);
        CHECK(op, op->out[i].name,
              op->out[i].gradient_of <= (int)op_inputs(op));
    }
}

static void ports_are_described(void **state)
{
    (void)state;
    each_row(check_ports);
}

static void check_quantity(const struct op *op, const struct op_param *p)
{
    double x = p->fallback;
    CHECK(op, p->name, isfinite(p->min) && isfinite(p->max));
    CHECK(op, p->name, p->min <= p->max);
    CHECK(op, p->name, isnan(x) || (x >= p->min && x <= p->max));
    CHECK(op, p->name, !(p->open && x == p->min));
    if (p->type == OP_INTEGER) {
        CHECK(op, p->name, p->min == rint(p->min) && p->max == rint(p->max));
        CHECK(op, p->name, isnan(x) || x == rint(x));
    }
}

static void check_choices(const struct op *op, const struct op_param *p)
{
    size_t n = 0;
    CHECK(op, p->name, p->choices != NULL);
    for (; p->choices && p->choices[n]; n++)
        CHECK(op, p->choices[n], strspn(p->choices[n], LOWER ".") > 0);
    CHECK(op, p->name, n > 0);
    CHECK(op, p->name,
          isnan(p->fallback) || (p->fallback >= 0 && p->fallback < (double)n));
}

static void check_params(const struct op *op)
{
    for (size_t i = 0; i < op_params(op); i++) {
        const struct op_param *p = &op->param[i];
        CHECK(op, p->name, is_name(p->name));
        CHECK(op, p->name, is_text(p->doc));
        CHECK(op, p->name, op_param_row(op, p->name) == i);
        if (p->type == OP_CHOICE)
            check_choices(op, p);
        else if (p->type == OP_BOOLEAN)
            CHECK(op, p->name, p->fallback == 0 || p->fallback == 1);
        else
            check_quantity(op, p);
    }
}

static void parameters_are_described(void **state)
{
    (void)state;
    each_row(check_params);
}

/* Asks the row's own path, as a client would; returns the status. */
static int ask(const struct op *op, const char *body)
{
    struct api_env env = {
        .par = &parallel_serial, .body_bytes_max = PLENTY, .workers = 1};
    char path[TEXT_BYTES];
    snprintf(path, sizeof(path), "/v1/%s/%s", op->group, op->name);
    struct api_request req = {.method = "POST",
                              .path = path,
                              .query = "",
                              .content_type = "application/json",
                              .body = body,
                              .body_len = strlen(body)};
    struct api_response res;
    struct arena mem;
    arena_init(&mem, PLENTY);
    api_answer(&env, &req, &mem, &res);
    json_t *doc = json_loadb(res.body, res.body_len, 0, NULL);
    CHECK(op, body, doc);
    json_decref(doc);
    arena_free(&mem);
    return res.status;
}

static void check_example(const struct op *op)
{
    CHECK(op, "example", is_text(op->example) && op->example[0] == '{');
    CHECK(op, "example: for a shell's quotes", !strchr(op->example, '\''));
    CHECK(op, op->example, ask(op, op->example) == 200);
}

/* The example with these outputs, a bit each, the highest for stats. */
static void ask_outputs(const struct op *op, unsigned wanted)
{
    json_t *doc = json_loads(op->example, 0, NULL), *names = json_array();
    size_t n = op_outputs(op);
    for (size_t i = 0; i < n; i++)
        if (wanted >> i & 1)
            json_array_append_new(names, json_string(op->out[i].name));
    if (wanted >> n & 1)
        json_array_append_new(names, json_string("stats"));
    json_object_set_new(doc, "outputs", names);
    char *body = json_dumps(doc, 0);
    int status = ask(op, body);
    CHECK(op, body, status == 200 || status == 422);
    free(body);
    json_decref(doc);
}

static void check_outputs(const struct op *op)
{
    unsigned all = 1u << (op_outputs(op) + (op->stats ? 1 : 0));
    for (unsigned wanted = 0; wanted < all; wanted++)
        ask_outputs(op, wanted);
}

static void any_outputs_may_be_wanted(void **state)
{
    (void)state;
    each_row(check_outputs);
}

/* The example with every input replaced by one and the same value. */
static int ask_inputs(const struct op *op, const char *value, bool optional)
{
    json_t *doc = json_loads(op->example, 0, NULL), *inputs = json_object();
    for (size_t i = 0; i < op_inputs(op); i++)
        if (optional || !op->in[i].optional)
            json_object_set_new(inputs, op->in[i].name,
                                json_loads(value, JSON_DECODE_ANY, NULL));
    json_object_set_new(doc, "inputs", inputs);
    json_object_del(doc, "outputs"); /* which may need more inputs */
    char *body = json_dumps(doc, 0);
    int status = ask(op, body);
    CHECK(op, body, status == 200 || status == 422);
    free(body);
    json_decref(doc);
    return status;
}

/*
 * An image without boxes is nothing unusual; and a shape that has no elements
 * must not keep anyone busy, whatever it says.
 */
static void check_empty(const struct op *op)
{
    static const char *const values[] = {
        "1",
        "[[]]",
        "[[[]]]",
        "{\"shape\":[0,4],\"data\":[]}",
        "{\"shape\":[4,0],\"data\":[]}",
        "{\"shape\":[1000000,0],\"data\":[]}",
        "{\"shape\":[1000000000000000,4,0],\"data\":[]}",
        "{\"shape\":[0,1000000000000000],\"data\":[]}",
        "{\"shape\":[1000000000],\"data\":[1]}",
        "{\"shape\":[4294967296,4294967296],\"data\":[1]}",
    };
    CHECK(op, "[]", ask_inputs(op, "[]", false) == 200);
    ask_inputs(op, "[]", true);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        ask_inputs(op, values[i], false);
        ask_inputs(op, values[i], true);
    }
}

static void inputs_may_be_empty(void **state)
{
    (void)state;
    each_row(check_empty);
}

/* API, "Losses": all of them tell who carries the gradient. */
static void check_stats(const struct op *op)
{
    bool loss = strcmp(op->group, "losses") == 0;
    CHECK(op, "stats", op->stats || strcmp(op->group, "boxes") == 0);
    CHECK(op, "easy_below", (op->easy_below > 0) == loss);
}

static void losses_and_activations_have_stats(void **state)
{
    (void)state;
    each_row(check_stats);
}

static void examples_are_answered(void **state)
{
    (void)state;
    each_row(check_example);
}

/* Each name and alias leads to its own row. */
static void check_names(const struct op *op)
{
    char path[TEXT_BYTES];
    snprintf(path, sizeof(path), "%s/%s", op->group, op->name);
    CHECK(op, path, op_row(operation_find(path), OP_FLOAT64, OP_BASE) == op);
    for (size_t i = 0; op->aliases[i]; i++) {
        snprintf(path, sizeof(path), "%s/%s", op->group, op->aliases[i]);
        CHECK(op, path,
              op_row(operation_find(path), OP_FLOAT64, OP_BASE) == op);
    }
}

static void names_are_not_shared(void **state)
{
    (void)state;
    each_row(check_names);
}

/* Pages list group after group. */
static void groups_are_not_torn(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_count(); i++) {
        const char *group = op_row(i, OP_FLOAT64, OP_BASE)->group;
        bool left = false;
        for (size_t k = i + 1; k < op_count(); k++) {
            const struct op *op = op_row(k, OP_FLOAT64, OP_BASE);
            bool same = strcmp(op->group, group) == 0;
            if (left && same)
                fail_msg("%s/%s is apart from its group", group, op->name);
            left = left || !same;
        }
    }
}

/* All builds have the same rows, but for their kernels. */
static void builds_agree(void **state)
{
    (void)state;
    for (enum op_type type = 0; type < OP_TYPES; type++)
        for (enum op_isa isa = OP_BASE; isa <= op_isa_best(); isa++) {
            for (size_t i = 0; i < op_count(); i++) {
                const struct op *a = op_row(i, OP_FLOAT64, OP_BASE);
                const struct op *b = op_row(i, type, isa);
                assert_non_null(b);
                assert_string_equal(a->name, b->name);
                assert_string_equal(a->group, b->group);
                assert_int_equal(op_params(a), op_params(b));
            }
            assert_null(op_row(op_count(), type, isa));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_there),
        cmocka_unit_test(ports_are_described),
        cmocka_unit_test(parameters_are_described),
        cmocka_unit_test(examples_are_answered),
        cmocka_unit_test(any_outputs_may_be_wanted),
        cmocka_unit_test(inputs_may_be_empty),
        cmocka_unit_test(losses_and_activations_have_stats),
        cmocka_unit_test(names_are_not_shared),
        cmocka_unit_test(groups_are_not_torn),
        cmocka_unit_test(builds_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
