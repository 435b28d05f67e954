/* evald op, evald ops: the endpoints' calls without a daemon. */
#include "api/api.h"
#include "api/operation.h"
#include "server/commands.h"
#include "server/file.h"
#include "server/once.h"
#include "server/options.h"
#include "server/workers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { PATH_BYTES = 160 };

struct flags {
    bool compact, json, example, markdown;
    size_t workers;
};

static const struct option op_options[] = {
    {.name = "--compact",
     .help = "one line, also on a terminal",
     .store = store_flag,
     .offset = offsetof(struct flags, compact)},
    {.name = "--example",
     .help = "compute the operation's own example",
     .store = store_flag,
     .offset = offsetof(struct flags, example)},
    {.name = "--workers",
     .value = "N",
     .help = "threads that compute (the processors there are)",
     .store = store_count,
     .offset = offsetof(struct flags, workers)},
};

static const struct option ops_options[] = {
    {.name = "--json",
     .help = "as GET /v1/operations answers",
     .store = store_flag,
     .offset = offsetof(struct flags, json)},
    {.name = "--markdown",
     .help = "the list as a table of Markdown",
     .store = store_flag,
     .offset = offsetof(struct flags, markdown)},
};

/* One request to api/ and its answer. */
struct ask {
    struct api_request req;
    struct api_response res;
    struct arena mem;
    size_t workers;
};

static void answer(void *context, const struct parallel *par)
{
    struct ask *ask = context;
    struct api_env env = {
        .par = par, .body_bytes_max = SIZE_MAX, .workers = ask->workers};
    api_answer(&env, &ask->req, &ask->mem, &ask->res);
}

/* Prints what is wrong with a body, every fault of it. */
static int complain(const char *command, const struct api_response *res)
{
    json_t *doc = json_loadb(res->body, res->body_len, 0, NULL);
    const json_t *errors = json_object_get(doc, "errors");
    size_t n = json_array_size(errors);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "evald %s: %s\n", command,
                json_string_value(
                    json_object_get(json_array_get(errors, i), "detail")));
    if (n == 0)
        fprintf(stderr, "evald %s: %s\n", command,
                json_string_value(json_object_get(doc, "detail")));
    json_decref(doc);
    return EX_DATAERR;
}

static int print(const char *command, const struct ask *ask)
{
    const struct api_response *res = &ask->res;
    if (res->status != 200)
        return complain(command, res);
    bool ok = fwrite(res->body, 1, res->body_len, stdout) == res->body_len;
    if (ok && res->body_len && res->body[res->body_len - 1] != '\n')
        ok = putchar('\n') != EOF;
    if (ok && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "evald %s: cannot write the answer: %s\n", command,
            strerror(errno));
    return EX_IOERR;
}

/* The body: the example of op, or a file. */
static int read_body(const struct op *op, const char *path, bool example,
                     char **body, size_t *len)
{
    if (example) {
        *body = strdup(op->example);
        *len = *body ? strlen(*body) : 0;
        return *body ? 0 : -1;
    }
    if (file_read(path, body, len) == 0)
        return 0;
    fprintf(stderr, "evald op: cannot read %s: %s\n", path, strerror(errno));
    return -1;
}

/* Says that there is no such operation, and which there is. */
static int unknown(const char *command, const char *name)
{
    char near[OPERATION_BYTES];
    operation_near(name, near);
    fprintf(stderr, "evald %s: no operation %s; %s%s\n", command, name,
            *near ? "did you mean " : "evald ops lists them", near);
    return EX_USAGE;
}

static int command_op(int argc, char **argv)
{
    static struct ask ask;
    struct flags flags = {.workers = workers_default()};
    char path[PATH_BYTES], *body;
    size_t operands;
    int code = options_read(&op_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    if (flags.workers < 1 || flags.workers > WORKERS_MAX) {
        fprintf(stderr, "evald op: --workers must be from 1 to %d\n",
                WORKERS_MAX);
        return EX_USAGE;
    }
    size_t row = operation_find(argv[1]);
    if (row == SIZE_MAX)
        return unknown("op", argv[1]);
    if (flags.example && operands > 1) {
        fprintf(stderr, "evald op: --example takes no file\n");
        return EX_USAGE;
    }
    snprintf(path, sizeof(path), "/v1/%s", argv[1]);
    ask = (struct ask){
        .workers = flags.workers,
        .req = {.method = "POST",
                .path = path,
                .query = isatty(1) && !flags.compact ? "pretty" : "",
                .content_type = "application/json"}};
    if (read_body(op_row(row, OP_FLOAT64, OP_BASE),
                  operands > 1 ? argv[2] : "-", flags.example, &body,
                  &ask.req.body_len))
        return EX_NOINPUT;
    ask.req.body = body ? body : "";
    arena_init(&ask.mem, SIZE_MAX / 4);
    code = once_run(flags.workers, answer, &ask) ? EX_OSERR : print("op", &ask);
    free(body);
    arena_free(&ask.mem);
    return code;
}

const struct command op_command = {
    .name = "op",
    .brief = "compute one operation on a JSON body",
    .usage = "[OPTION ...] GROUP/NAME [FILE]",
    .help = "Computes an operation as POST /v1/GROUP/NAME does. FILE is the "
            "request's body,\nstandard input if left out. evald ops lists the "
            "operations.",
    .options = op_options,
    .n_options = sizeof(op_options) / sizeof(op_options[0]),
    .operands_min = 1,
    .operands_max = 2,
    .operand = {OPERAND_OPERATION, OPERAND_FILE},
    .run = command_op,
};

/* All operations, or those of one group; how many. */
static size_t list(const char *only)
{
    const struct op *op;
    const char *group = "";
    size_t n = 0;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char name[OPERATION_BYTES];
        if (only && strcmp(only, op->group) != 0)
            continue;
        if (strcmp(group, op->group) != 0)
            printf("%s%s\n", n ? "\n" : "", op->group);
        group = op->group;
        n++;
        printf("  %-28s %s\n", operation_name(op, name), op->formula);
    }
    if (n > 0)
        puts("\nevald ops GROUP/NAME explains one; evald op GROUP/NAME "
             "computes it.");
    return n;
}

static void print_ports(const char *title, const struct op_port *port, size_t n)
{
    printf("\n%s\n", title);
    for (size_t i = 0; i < n; i++)
        printf("  %-16s %-10s %s%s\n", port[i].name, operation_shape(&port[i]),
               port[i].doc, port[i].optional ? " (optional)" : "");
}

/* A parameter's default as JSON writes it. */
static void print_default(const struct op_param *p)
{
    struct json_out out;
    struct arena mem;
    arena_init(&mem, SIZE_MAX / 4);
    json_out_init(&out, &mem, false);
    operation_write_param(&out, p, p->fallback);
    printf("%.*s", (int)out.len, out.text);
    arena_free(&mem);
}

/* With bars escaped, which separate the columns of a table. */
static void print_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_table(void)
{
    const struct op *op;
    puts("| operation | formula | parameters (defaults) |\n|-|-|-|");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char name[OPERATION_BYTES];
        printf("| `%s`", operation_name(op, name));
        for (size_t k = 0; op->aliases[k]; k++)
            printf(", `%s`", op->aliases[k]);
        printf(" | ");
        print_cell(op->formula);
        printf(" | ");
        for (size_t k = 0; k < op_params(op); k++) {
            printf("%s%s ", k ? ", " : "", op->param[k].name);
            print_default(&op->param[k]);
        }
        puts(" |");
    }
}

/* What it may be, what it is if left out, what it means. */
static void print_param(const struct op_param *p)
{
    printf("  %-16s ", p->name);
    for (size_t i = 0; p->type == OP_CHOICE && p->choices[i]; i++)
        printf("%s%s", i ? "|" : "", p->choices[i]);
    if (p->type == OP_BOOLEAN)
        printf("true|false");
    if (p->type == OP_NUMBER || p->type == OP_INTEGER)
        printf("%s%g to %.16g", p->open ? "above " : "", p->min, p->max);
    printf(", default ");
    print_default(p);
    printf("\n  %-16s %s\n", "", p->doc);
}

static void explain(const struct op *op)
{
    char name[OPERATION_BYTES];
    printf("%s: %s\n%s\n\n  %s\n\n%s\n", operation_name(op, name), op->title,
           op->summary, op->formula, op->source);
    print_ports("inputs", op->in, op_inputs(op));
    print_ports("outputs", op->out, op_outputs(op));
    if (op->stats)
        printf("  %-16s diagnostics of the batch\n", "stats");
    if (op_params(op))
        puts("\nparameters");
    for (size_t i = 0; i < op_params(op); i++)
        print_param(&op->param[i]);
    printf("\nexample\n  echo '%s' | evald op %s\n", op->example, name);
}

static int ops_json(const char *name)
{
    struct ask ask;
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/v1/operations%s%s", name ? "/" : "",
             name ? name : "");
    ask = (struct ask){.workers = 1,
                       .req = {.method = "GET",
                               .path = path,
                               .query = isatty(1) ? "pretty" : "",
                               .body = ""}};
    arena_init(&ask.mem, SIZE_MAX / 4);
    answer(&ask, &parallel_serial);
    int code = print("ops", &ask);
    arena_free(&ask.mem);
    return code;
}

static int command_ops(int argc, char **argv)
{
    struct flags flags = {.json = false};
    size_t operands;
    int code = options_read(&ops_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    const char *name = operands ? argv[1] : NULL;
    size_t row = name ? operation_find(name) : SIZE_MAX;
    if (flags.markdown && (name || flags.json)) {
        fprintf(stderr, "evald ops: --markdown lists all, and goes alone\n");
        return EX_USAGE;
    }
    if (flags.markdown)
        print_table();
    else if (flags.json && (!name || row != SIZE_MAX))
        return ops_json(name);
    else if (row != SIZE_MAX)
        explain(op_row(row, OP_FLOAT64, OP_BASE));
    else if (list(name) == 0)
        return unknown("ops", name);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    fprintf(stderr, "evald ops: cannot write: %s\n", strerror(errno));
    return EX_IOERR;
}

const struct command ops_command = {
    .name = "ops",
    .brief = "list the operations, or explain one",
    .usage = "[OPTION ...] [GROUP/NAME]",
    .help = "Lists the operations; with a name, explains one.",
    .options = ops_options,
    .n_options = sizeof(ops_options) / sizeof(ops_options[0]),
    .operands_max = 1,
    .operand = {OPERAND_OPERATION},
    .run = command_ops,
};
