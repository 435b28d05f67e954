/* What operations there are, from their rows. */
#include "api/operation.h"
#include "api/route.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const dtypes[] = {
    [OP_REAL] = "float",   [OP_PROBABILITY] = "float", [OP_BOXES] = "float",
    [OP_FINITE] = "float", [OP_NATURAL] = "float",     [OP_INDEX] = "integer",
    [OP_FLAG] = "boolean",
};

static const char *const param_types[] = {
    [OP_NUMBER] = "number",
    [OP_INTEGER] = "integer",
    [OP_BOOLEAN] = "boolean",
    [OP_CHOICE] = "choice",
};

const char *operation_shape(const struct op_port *port)
{
    const char *shape = port->shape;
    if (*shape == '*')
        return "...";
    if (*shape == '?')
        return shape[1] ? shape + 1 : "depends";
    return shape;
}

static void write_port(struct json_out *out, const struct op_port *port,
                       bool input)
{
    out_open(out, '{');
    out_member_string(out, "name", port->name);
    out_member_string(out, "shape", operation_shape(port));
    out_member_string(out, "dtype", dtypes[port->kind]);
    if (input) {
        out_key(out, "required");
        out_boolean(out, !port->optional);
    }
    out_member_string(out, "doc", port->doc);
    out_close(out, '}');
}

static void write_inputs(struct json_out *out, const struct op *op)
{
    out_key(out, "inputs");
    out_open(out, '[');
    for (size_t i = 0; i < op_inputs(op); i++)
        write_port(out, &op->in[i], true);
    out_close(out, ']');
}

static void write_outputs(struct json_out *out, const struct op *op)
{
    out_key(out, "outputs");
    out_open(out, '[');
    for (size_t i = 0; i < op_outputs(op); i++)
        write_port(out, &op->out[i], false);
    if (op->stats) {
        out_open(out, '{');
        out_member_string(out, "name", "stats");
        out_member_string(out, "shape", "object");
        out_member_string(out, "dtype", "object");
        out_member_string(out, "doc", "diagnostics of the batch");
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void write_choices(struct json_out *out, const struct op_param *p)
{
    out_key(out, "choices");
    out_open(out, '[');
    for (size_t i = 0; p->choices[i]; i++)
        out_string(out, p->choices[i]);
    out_close(out, ']');
}

static void write_parameter(struct json_out *out, const struct op_param *p)
{
    out_open(out, '{');
    out_member_string(out, "name", p->name);
    out_member_string(out, "type", param_types[p->type]);
    out_key(out, "default");
    operation_write_param(out, p, p->fallback);
    if (p->type == OP_NUMBER || p->type == OP_INTEGER) {
        out_key(out, p->open ? "exclusive_minimum" : "minimum");
        operation_write_param(out, p, p->min);
        out_key(out, "maximum");
        operation_write_param(out, p, p->max);
    }
    if (p->type == OP_CHOICE)
        write_choices(out, p);
    out_key(out, "nullable");
    out_boolean(out, p->nullable || isnan(p->fallback));
    out_member_string(out, "doc", p->doc);
    out_close(out, '}');
}

static void write_parameters(struct json_out *out, const struct op *op)
{
    out_key(out, "parameters");
    out_open(out, '[');
    for (size_t i = 0; i < op_params(op); i++)
        write_parameter(out, &op->param[i]);
    out_close(out, ']');
}

static void write_aliases(struct json_out *out, const struct op *op)
{
    out_key(out, "aliases");
    out_open(out, '[');
    for (size_t i = 0; op->aliases[i]; i++)
        out_string(out, op->aliases[i]);
    out_close(out, ']');
}

const char *operation_name(const struct op *op, char name[OPERATION_BYTES])
{
    size_t group = strlen(op->group), own = strlen(op->name);
    assert(group + own + 2 <= OPERATION_BYTES);
    memcpy(name, op->group, group);
    name[group] = '/';
    memcpy(name + group + 1, op->name, own + 1);
    return name;
}

void operation_describe(struct json_out *out, const struct op *op)
{
    char name[OPERATION_BYTES];
    out_open(out, '{');
    out_member_string(out, "operation", operation_name(op, name));
    out_member_string(out, "group", op->group);
    out_member_string(out, "name", op->name);
    write_aliases(out, op);
    out_member_string(out, "title", op->title);
    out_member_string(out, "summary", op->summary);
    out_member_string(out, "formula", op->formula);
    out_member_string(out, "formula_tex", op->formula_tex);
    write_inputs(out, op);
    write_parameters(out, op);
    write_outputs(out, op);
    out_member_string(out, "source", op->source);
    out_key(out, "example");
    out_raw(out, op->example);
    out_close(out, '}');
}

/* GET /v1/operations */
int operation_list(struct api_call *call)
{
    const struct op *op;
    out_open(&call->out, '{');
    out_key(&call->out, "operations");
    out_open(&call->out, '[');
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        operation_describe(&call->out, op);
    out_close(&call->out, ']');
    out_close(&call->out, '}');
    return 0;
}

int operation_unknown(const char *path, struct api_error *err)
{
    char near[OPERATION_BYTES];
    if (*operation_near(path, near))
        return api_fail(err, PROBLEM_NOT_FOUND, NULL,
                        "no operation \"%.80s\"; did you mean \"%s\"?", path,
                        near);
    return api_fail(err, PROBLEM_NOT_FOUND, NULL,
                    "no operation \"%.80s\"; GET /v1/operations lists them",
                    path);
}

/* GET /v1/operations/{group}/{name} */
int operation_get(struct api_call *call)
{
    size_t row = operation_find(call->rest);
    if (row == SIZE_MAX)
        return operation_unknown(call->rest, &call->err);
    operation_describe(&call->out, op_row(row, OP_FLOAT64, OP_BASE));
    return 0;
}
