/*
 * Every operation against numbers of many digits, through a whole request:
 * golden/activations.txt and golden/operations.jsonl, which say where theirs
 * come from.  As double each number must be within 4 units in the last place,
 * or within what its line says; as float within 1, where the inputs are
 * floats.  A row without a case fails.
 */
#include "api/api.h"
#include "core/ops.h"
#include "tests/operations.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/golden/"

enum {
    MEMORY = 1 << 27,
    BODY_BYTES_MAX = 1 << 20,
    LINE_BYTES_MAX = 1 << 16,
    SECTION_MAX = 1000, /* lines */
    ROWS_MAX = 256,
    MESSAGES_MAX = 80,
};

static const double limit[OP_TYPES] = {[OP_FLOAT32] = 1, [OP_FLOAT64] = 4};
static const char *const type_names[OP_TYPES] = {"float32", "float64"};

/* What became of each row's cases. */
static struct tally {
    size_t cases, numbers[OP_TYPES];
    double worst[OP_TYPES]; /* ulps */
    double furthest;        /* absolute, of those that may be off by more */
} tallies[ROWS_MAX];

/* Of the running test; the first MESSAGES_MAX are told in full. */
static size_t failures;

/* One request without its type, and what must come back. */
struct golden {
    const char *file;
    size_t line;
    const char *operation; /* "group/name" */
    json_t *inputs, *parameters, *outputs;
    /*
     * How far a number may be off where ulps are too narrow: a double, in
     * parts of itself; any, in parts of the largest of its output.
     */
    double relative, absolute;
    bool zeros; /* whether a value of -0 must have its sign */
    struct tally *tally;
};

static double number(const json_t *v)
{
    const char *s = json_string_value(v);
    if (!s)
        return json_is_number(v) ? json_number_value(v) : NAN;
    return strcmp(s, "Infinity") == 0    ? INFINITY
           : strcmp(s, "-Infinity") == 0 ? -INFINITY
                                         : NAN;
}

static json_t *number_new(double x)
{
    return isfinite(x) ? json_real(x)
                       : json_string(isnan(x) ? "NaN"
                                     : x > 0  ? "Infinity"
                                              : "-Infinity");
}

static bool is_float(double x)
{
    return !isfinite(x) || (double)(float)x == x;
}

static bool floats_only(json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    json_array_foreach(v, i, member) if (!floats_only(member)) return false;
    json_object_foreach(v, key, member) if (!floats_only(member)) return false;
    return !json_is_number(v) || is_float(json_number_value(v));
}

/* The largest finite number of an output. */
static double largest(const json_t *v)
{
    double most = 0;
    if (!json_is_array(v))
        return isfinite(number(v)) ? fabs(number(v)) : 0;
    for (size_t i = 0; i < json_array_size(v); i++)
        most = fmax(most, largest(json_array_get(v, i)));
    return most;
}

/* An output, on the way through it. */
struct walk {
    const struct golden *golden;
    const char *output;
    enum op_type type;
    double largest; /* of the output */
    size_t i;       /* flat index */
};

/* How far a number may be off where ulps are too narrow. */
static double allowed(const struct walk *w, double exact)
{
    const struct golden *g = w->golden;
    double absolute = g->absolute * w->largest;
    if (w->type == OP_FLOAT32)
        return absolute;
    return fmax(g->relative * fabs(exact), absolute);
}

static void check_number(const struct walk *w, double got, double exact)
{
    struct tally *t = w->golden->tally;
    double off = ulps(got, exact, w->type);
    double error = fabs(got - exact);
    t->numbers[w->type]++;
    if (off > limit[w->type] && error <= allowed(w, exact)) {
        t->furthest = fmax(t->furthest, error);
        return;
    }
    /* An activation's -0 tells on which side of 0 a limit comes from. */
    if (exact == 0 && signbit(exact) && !signbit(got) && w->golden->zeros &&
        strcmp(w->output, "value") == 0)
        off = INFINITY;
    t->worst[w->type] = fmax(t->worst[w->type], off);
    if (!(off <= limit[w->type]) && failures++ < MESSAGES_MAX)
        print_error("# %s:%zu: %s: %s[%zu] as %s is %.17g, must be %.17g, is "
                    "off by %.3g ulp\n",
                    w->golden->file, w->golden->line, w->golden->operation,
                    w->output, w->i, type_names[w->type], got, exact, off);
}

static void check_output(struct walk *w, const json_t *got, const json_t *exact)
{
    size_t n = json_array_size(exact);
    if (json_is_array(got) != json_is_array(exact) || json_array_size(got) != n)
        fail_msg("%s:%zu: %s has another shape", w->golden->file,
                 w->golden->line, w->output);
    if (!json_is_array(exact)) {
        check_number(w, number(got), number(exact));
        w->i++;
    }
    for (size_t i = 0; i < n; i++)
        check_output(w, json_array_get(got, i), json_array_get(exact, i));
}

/* The body of g's request, in mem. */
static const char *body_of(const struct golden *g, enum op_type type,
                           struct arena *mem)
{
    const char *name;
    json_t *output, *names = json_array();
    json_object_foreach(g->outputs, name, output)
        json_array_append_new(names, json_string(name));
    json_t *v = json_pack("{s:O, s:O, s:o, s:s, s:s}", "inputs", g->inputs,
                          "parameters", g->parameters, "outputs", names,
                          "dtype", type_names[type], "nonfinite", "string");
    size_t len = json_dumpb(v, NULL, 0, 0);
    char *body = arena_alloc(mem, len + 1, 1);
    assert_non_null(body);
    json_dumpb(v, body, len, 0);
    body[len] = '\0';
    json_decref(v);
    return body;
}

/* A new reference to the answer of g's request. */
static json_t *ask(const struct golden *g, enum op_type type)
{
    char path[128];
    struct arena mem;
    struct api_response res;
    struct api_env env = {.par = &parallel_serial,
                          .body_bytes_max = BODY_BYTES_MAX,
                          .workers = 1};
    struct api_request req = {.method = "POST",
                              .path = path,
                              .query = "",
                              .content_type = "application/json",
                              .request_id = "golden"};
    arena_init(&mem, MEMORY);
    snprintf(path, sizeof(path), "/v1/%s", g->operation);
    req.body = body_of(g, type, &mem);
    req.body_len = strlen(req.body);
    api_answer(&env, &req, &mem, &res);
    if (res.status != 200)
        fail_msg("%s:%zu: %d %.*s", g->file, g->line, res.status,
                 (int)res.body_len, res.body);
    json_t *answer = json_loadb(res.body, res.body_len, 0, NULL);
    assert_non_null(answer);
    arena_free(&mem);
    return answer;
}

static struct tally *tally_of(const char *operation)
{
    char name[128];
    for (size_t i = 0; i < op_count(); i++) {
        const struct op *op = op_row(i, OP_FLOAT64, OP_BASE);
        snprintf(name, sizeof(name), "%s/%s", op->group, op->name);
        if (strcmp(name, operation) == 0)
            return &tallies[i];
    }
    return NULL;
}

static void check(struct golden *g, enum op_type type)
{
    const char *name;
    json_t *exact, *answer;
    g->tally = tally_of(g->operation);
    if (!g->tally)
        fail_msg("%s:%zu: there is no operation %s", g->file, g->line,
                 g->operation);
    answer = ask(g, type);
    json_object_foreach(g->outputs, name, exact)
    {
        struct walk w = {g, name, type, largest(exact), 0};
        const json_t *got =
            json_object_get(json_object_get(answer, "outputs"), name);
        if (json_is_object(got)) /* {"shape", "data"}, as the input was */
            got = json_object_get(got, "data");
        check_output(&w, got, exact);
    }
    json_decref(answer);
    g->tally->cases++;
}

static FILE *open_table(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot read %s", path);
    return f;
}

static void operations_match_their_cases(void **state)
{
    static char line[LINE_BYTES_MAX];
    struct golden g = {.file = FOLDER "operations.jsonl"};
    FILE *f = open_table(g.file);
    (void)state;
    failures = 0;
    while (fgets(line, sizeof(line), f)) {
        json_error_t error;
        json_t *v = json_loads(line, 0, &error);
        g.line++;
        if (!v)
            fail_msg("%s:%zu: %s", g.file, g.line, error.text);
        g.operation = json_string_value(json_object_get(v, "operation"));
        g.inputs = json_object_get(v, "inputs");
        g.parameters = json_object_get(v, "parameters");
        g.outputs = json_object_get(v, "outputs");
        g.relative = json_number_value(json_object_get(v, "relative"));
        g.absolute = json_number_value(json_object_get(v, "absolute"));
        assert_true(g.operation && g.inputs && g.parameters && g.outputs);
        check(&g, OP_FLOAT64);
        if (floats_only(g.inputs))
            check(&g, OP_FLOAT32);
        json_decref(v);
    }
    fclose(f);
    assert_true(g.line > 0);
    assert_int_equal(failures, 0);
}

/* A section of activations.txt: lines of x, value, grad. */
struct section {
    struct golden golden;
    char operation[64];
    size_t n;
    double line[SECTION_MAX][3];
};

static void check_section(struct section *s, enum op_type type)
{
    struct golden *g = &s->golden;
    json_t *column[3] = {json_array(), json_array(), json_array()};
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < 3; k++)
            if (type == OP_FLOAT64 || is_float(s->line[i][0]))
                json_array_append_new(column[k], number_new(s->line[i][k]));
    g->operation = s->operation;
    g->inputs = json_pack("{s:o}", "x", column[0]);
    g->outputs = json_pack("{s:o, s:o}", "value", column[1], "grad", column[2]);
    check(g, type);
    json_decref(g->inputs);
    json_decref(g->outputs);
}

static void finish_section(struct section *s)
{
    if (!s->golden.parameters)
        return;
    assert_true(s->n > 0);
    check_section(s, OP_FLOAT64);
    check_section(s, OP_FLOAT32);
    json_decref(s->golden.parameters);
    s->golden.parameters = NULL;
}

/* name {parameters}: formula, and "; relative 1e-12" where 4 ulp is too near */
static void begin_section(struct section *s, const char *line, size_t at)
{
    const char *brace = strchr(line, '{'), *end = strstr(line, "}:");
    const char *off = strstr(line, "; relative ");
    if (!brace || !end)
        fail_msg("%s:%zu: no name {parameters}:", s->golden.file, at);
    snprintf(s->operation, sizeof(s->operation), "activations/%.*s",
             (int)(brace - line - 1), line);
    s->golden.parameters =
        json_loadb(brace, (size_t)(end - brace) + 1, 0, NULL);
    assert_non_null(s->golden.parameters);
    s->golden.relative = off ? strtod(off + 11, NULL) : 0;
    s->n = 0;
    s->golden.line = at;
}

static void add_line(struct section *s, const char *line)
{
    double *x = s->line[s->n++];
    assert_true(s->n < SECTION_MAX);
    line += *line == '!';
    if (sscanf(line, "%lf %lf %lf", &x[0], &x[1], &x[2]) != 3)
        fail_msg("%s: not three numbers: %s", s->golden.file, line);
}

static void activations_match_their_tables(void **state)
{
    static char line[LINE_BYTES_MAX];
    static struct section s = {
        .golden = {.file = FOLDER "activations.txt", .zeros = true}};
    FILE *f = open_table(s.golden.file);
    size_t at = 0;
    (void)state;
    failures = 0;
    while (fgets(line, sizeof(line), f)) {
        at++;
        if (*line == '#' || *line == '\n')
            continue;
        if (*line >= 'a' && *line <= 'z') {
            finish_section(&s);
            begin_section(&s, line, at);
        } else {
            add_line(&s, line);
        }
    }
    finish_section(&s);
    fclose(f);
    assert_int_equal(failures, 0);
}

static void every_row_has_a_case(void **state)
{
    (void)state;
    assert_true(op_count() > 0 && op_count() <= ROWS_MAX);
    for (size_t i = 0; i < op_count(); i++) {
        const struct op *op = op_row(i, OP_FLOAT64, OP_BASE);
        const struct tally *t = &tallies[i];
        print_message("# %s/%s: %zu numbers, %.2f ulp as double, %.2f as "
                      "float%s",
                      op->group, op->name, t->numbers[OP_FLOAT64],
                      t->worst[OP_FLOAT64], t->worst[OP_FLOAT32],
                      t->furthest > 0 ? "" : "\n");
        if (t->furthest > 0)
            print_message(", others off by up to %.1e\n", t->furthest);
        if (t->cases == 0)
            fail_msg("%s/%s has no case in " FOLDER, op->group, op->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_match_their_tables),
        cmocka_unit_test(operations_match_their_cases),
        cmocka_unit_test(every_row_has_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
