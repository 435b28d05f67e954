/* What the rows of operations say, as OpenAPI has it. */
#include "api/openapi.h"
#include "api/operation_npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 128 };

/*
 * A schema of tensors: NAME is nested arrays or {"shape", "data"}, and
 * NAMENested the arrays.  Their elements are as the text says.
 */
struct tensor_schema {
    const char *name, *element, *doc;
};

#define STRINGS "{'enum':['NaN','Infinity','-Infinity']}"

static const struct tensor_schema inputs[] = {
    [OP_REAL] = {"Tensor", "{'anyOf':[{'type':'number'}," STRINGS "]}",
                 "Any numbers."},
    [OP_PROBABILITY] = {"ProbabilityTensor",
                        "{'type':'number','minimum':0,'maximum':1}",
                        "Numbers from 0 to 1."},
    [OP_BOXES] = {"BoxTensor", "{'type':'number'}",
                  "Rows of four numbers; the parameter format says which."},
    [OP_FINITE] = {"FiniteTensor", "{'type':'number'}", "Finite numbers."},
    [OP_NATURAL] = {"NaturalTensor", "{'type':'number','minimum':0}",
                    "Finite numbers that are not negative."},
    [OP_INDEX] = {"IntegerTensor", "{'type':'integer'}", "Whole numbers."},
    [OP_FLAG] = {"FlagTensor", "{'enum':[0,1,false,true]}",
                 "Truth values or 0 and 1."},
};
static const struct tensor_schema result = {
    "ResultTensor", "{'anyOf':[{'type':['number','null']}," STRINGS "]}",
    "Numbers; those that are not finite as the request's nonfinite says."};

/* Flags come back as 0 and 1. */
static const struct tensor_schema *output_schema(const struct op_port *port)
{
    return op_is_integer(port) ? &inputs[OP_INDEX] : &result;
}

/* Whether a row has a port of this schema. */
static bool is_used(const struct tensor_schema *schema)
{
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        for (size_t k = 0; k < op_inputs(op); k++)
            if (&inputs[op->in[k].kind] == schema)
                return true;
        for (size_t k = 0; k < op_outputs(op); k++)
            if (output_schema(&op->out[k]) == schema)
                return true;
    }
    return false;
}

static void write_tensor(struct json_out *out, const struct tensor_schema *s)
{
    char nested[NAME_BYTES];
    snprintf(nested, sizeof(nested), "%sNested", s->name);
    out_key(out, s->name);
    out_open(out, '{');
    out_member_string(out, "description", s->doc);
    openapi_text(out, "'anyOf':[");
    openapi_ref(out, "schemas", nested);
    openapi_text(out, "{'type':'object','additionalProperties':false,"
                      "'required':['shape','data'],'properties':{'shape':"
                      "{'type':'array','maxItems':8,'items':"
                      "{'type':'integer','minimum':0}},"
                      "'data':{'type':'array','items':");
    openapi_text(out, s->element);
    openapi_text(out, "}}}]}");
    out_key(out, nested);
    openapi_text(out, "{'description':'A number, or a nested array in which "
                      "all arrays of a level have the same length; at most 8 "
                      "levels.','anyOf':[");
    openapi_text(out, s->element);
    openapi_text(out, ",{'type':'array','items':");
    openapi_ref(out, "schemas", nested);
    openapi_text(out, "}]}");
}

static const char *id_of(const struct op *op, const char *suffix,
                         char id[NAME_BYTES])
{
    snprintf(id, NAME_BYTES, "%s_%s%s", op->group, op->name, suffix);
    return id;
}

static bool is_nullable(const struct op_param *p)
{
    return p->nullable || isnan(p->fallback);
}

static void write_type(struct json_out *out, const struct op_param *p)
{
    static const char *const types[] = {[OP_NUMBER] = "number",
                                        [OP_INTEGER] = "integer",
                                        [OP_BOOLEAN] = "boolean",
                                        [OP_CHOICE] = "string"};
    out_key(out, "type");
    if (is_nullable(p))
        out_open(out, '[');
    out_string(out, types[p->type]);
    if (!is_nullable(p))
        return;
    out_string(out, "null");
    out_close(out, ']');
}

static void write_parameter(struct json_out *out, const struct op_param *p)
{
    out_key(out, p->name);
    out_open(out, '{');
    write_type(out, p);
    out_member_string(out, "description", p->doc);
    out_key(out, "default");
    operation_write_param(out, p, p->fallback);
    if (p->type == OP_NUMBER || p->type == OP_INTEGER) {
        out_key(out, p->open ? "exclusiveMinimum" : "minimum");
        operation_write_param(out, p, p->min);
        out_key(out, "maximum");
        operation_write_param(out, p, p->max);
    }
    if (p->type == OP_CHOICE) {
        out_key(out, "enum");
        out_open(out, '[');
        for (size_t i = 0; p->choices[i]; i++)
            out_string(out, p->choices[i]);
        if (is_nullable(p))
            out_null(out);
        out_close(out, ']');
    }
    out_close(out, '}');
}

static void write_parameters(struct json_out *out, const struct op *op)
{
    char id[NAME_BYTES];
    out_key(out, id_of(op, "_parameters", id));
    out_open(out, '{');
    openapi_text(out, "'type':'object','additionalProperties':false");
    out_key(out, "properties");
    out_open(out, '{');
    for (size_t i = 0; i < op_params(op); i++)
        write_parameter(out, &op->param[i]);
    out_close(out, '}');
    out_close(out, '}');
}

/* The names of all operations, as a batch gives them. */
static void write_names(struct json_out *out)
{
    char name[OPERATION_BYTES];
    const struct op *op;
    out_key(out, "OperationName");
    openapi_text(out, "{'type':'string','description':"
                      "'Aliases are understood too.','examples':[");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        out_string(out, operation_name(op, name));
    openapi_text(out, "]}");
}

void openapi_operation_schemas(struct json_out *out)
{
    const struct op *op;
    write_names(out);
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        if (is_used(&inputs[i]))
            write_tensor(out, &inputs[i]);
    if (is_used(&result))
        write_tensor(out, &result);
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        write_parameters(out, op);
}

/* name: {"$ref": its tensor, "description": ...} */
static void write_port(struct json_out *out, const struct op_port *port,
                       const struct tensor_schema *schema)
{
    char text[NAME_BYTES];
    struct json_out words;
    json_out_init(&words, out->mem, false);
    out_format(&words, "%s. Shape: %s.", port->doc, operation_shape(port));
    out_bytes(&words, "", 1);
    out->failed |= words.failed;
    snprintf(text, sizeof(text), "#/components/schemas/%s", schema->name);
    out_key(out, port->name);
    out_open(out, '{');
    out_member_string(out, "$ref", text);
    out_member_string(out, "description", words.failed ? "" : words.text);
    out_close(out, '}');
}

static void write_inputs(struct json_out *out, const struct op *op)
{
    openapi_text(out, "'inputs':{'type':'object','additionalProperties':false,"
                      "'required':[");
    for (size_t i = 0; i < op_inputs(op); i++)
        if (!op->in[i].optional)
            out_string(out, op->in[i].name);
    openapi_text(out, "],'properties':{");
    for (size_t i = 0; i < op_inputs(op); i++)
        write_port(out, &op->in[i], &inputs[op->in[i].kind]);
    openapi_text(out, "}}");
}

static void write_wanted(struct json_out *out, const struct op *op)
{
    openapi_text(out, "{'type':'array','items':{'enum':[");
    for (size_t i = 0; i < op_outputs(op); i++)
        out_string(out, op->out[i].name);
    if (op->stats)
        out_string(out, "stats");
    openapi_text(out, "]},'default':[");
    for (size_t i = 0; i < op_outputs(op); i++)
        if (op_is_unasked(op, i))
            out_string(out, op->out[i].name);
    openapi_text(out, "]}");
}

static void open_query(struct json_out *out, const char *name, const char *doc)
{
    out_open(out, '{');
    out_member_string(out, "name", name);
    out_member_string(out, "in", "query");
    out_member_string(out, "description", doc);
}

/* What goes with a body of .npy, as parameters of the path. */
static void write_query(struct json_out *out, const struct op *op)
{
    char id[NAME_BYTES], name[2 * NAME_BYTES];
    open_query(out, "outputs",
               "Of a body of .npy: what to answer with, joined by commas.");
    openapi_text(out, "'style':'form','explode':false,'schema':");
    write_wanted(out, op);
    out_close(out, '}');
    open_query(out, "dtype",
               "Of a body of .npy; float32 if left out where its type is f4 or "
               "f2.");
    openapi_text(out, "'schema':@DType}");
    open_query(out, "nonfinite", "Of a body of .npy.");
    openapi_text(out, "'schema':@NonFinite}");
    for (size_t i = 0; i < op_params(op); i++) {
        const struct op_param *p = &op->param[i];
        open_query(out, p->name, "Of a body of .npy: see its schema.");
        snprintf(name, sizeof(name), "%s/properties/%s",
                 id_of(op, "_parameters", id), p->name);
        out_key(out, "schema");
        openapi_ref(out, "schemas", name);
        out_close(out, '}');
    }
}

/* A type of body or answer that is one array. */
static void write_npy(struct json_out *out)
{
    out_key(out, NPY_TYPE);
    openapi_text(out, "{'schema':{'type':'string','format':'binary',"
                      "'description':'One array as numpy.save writes it.'}}");
}

static void write_request(struct json_out *out, const struct op *op)
{
    char id[NAME_BYTES];
    openapi_text(out, "'requestBody':{'required':true,'content':"
                      "{'application/json':{'schema':{'type':'object',"
                      "'additionalProperties':false,'required':['inputs'],"
                      "'properties':{");
    write_inputs(out, op);
    out_key(out, "parameters");
    openapi_ref(out, "schemas", id_of(op, "_parameters", id));
    out_key(out, "outputs");
    write_wanted(out, op);
    out_key(out, "dtype");
    openapi_ref(out, "schemas", "DType");
    out_key(out, "nonfinite");
    openapi_ref(out, "schemas", "NonFinite");
    openapi_text(out, "}}");
    out_key(out, "example");
    out_raw(out, op->example);
    out_close(out, '}');
    if (operation_npy_fits(op))
        write_npy(out);
    openapi_text(out, "}}");
}

static void write_answer(struct json_out *out, const struct op *op)
{
    static const char *const headers[] = {"X-Request-Id", "Content-Encoding",
                                          "Vary", "Server-Timing"};
    char text[NAME_BYTES];
    openapi_text(out, "'200':{'description':'The results.'");
    openapi_headers(out, headers, 4);
    openapi_text(out,
                 "'content':{'application/json':{'schema':{'type':'object',"
                 "'required':['operation','parameters','dtype','outputs'],"
                 "'properties':{'operation':{'const':");
    out_string(out, operation_name(op, text));
    openapi_text(out, "}");
    out_key(out, "parameters");
    openapi_ref(out, "schemas", id_of(op, "_parameters", text));
    out_key(out, "dtype");
    openapi_ref(out, "schemas", "DType");
    openapi_text(out, "'nonfinite_count':{'type':'integer','minimum':1},"
                      "'outputs':{'type':'object','properties':{");
    for (size_t i = 0; i < op_outputs(op); i++)
        write_port(out, &op->out[i], output_schema(&op->out[i]));
    if (op->stats) {
        out_key(out, "stats");
        openapi_ref(out, "schemas", "Stats");
    }
    openapi_text(out, "}}}}}");
    write_npy(out);
    openapi_text(out, "}}");
}

/* Summary, formula, other names and source, in the words of Markdown. */
static void write_description(struct json_out *out, const struct op *op)
{
    struct json_out text;
    json_out_init(&text, out->mem, false);
    out_format(&text, "%s\n\n```\n%s\n```\n", op->summary, op->formula);
    for (size_t i = 0; op->aliases[i]; i++)
        out_format(&text, "%s`%s`", i ? ", " : "\nAlso called ",
                   op->aliases[i]);
    out_format(&text, "%s\nSource: %s", op->aliases[0] ? ".\n" : "",
               op->source);
    out_bytes(&text, "", 1);
    out->failed |= text.failed;
    out_member_string(out, "description", text.failed ? "" : text.text);
}

static void write_path(struct json_out *out, const struct op *op)
{
    char path[NAME_BYTES];
    snprintf(path, sizeof(path), "/v1/%s/%s", op->group, op->name);
    out_key(out, path);
    openapi_text(out, "{'parameters':[");
    openapi_ref(out, "parameters", "RequestId");
    openapi_ref(out, "parameters", "RequestTimeout");
    openapi_ref(out, "parameters", "Pretty");
    openapi_encodings(out, true);
    if (operation_npy_fits(op))
        write_query(out, op);
    openapi_text(out, "],'post':{");
    out_member_string(out, "operationId", id_of(op, "", path));
    out_key(out, "tags");
    out_open(out, '[');
    out_string(out, op->group);
    out_close(out, ']');
    out_member_string(out, "summary", op->title);
    write_description(out, op);
    write_request(out, op);
    out_key(out, "responses");
    out_open(out, '{');
    write_answer(out, op);
    openapi_problems(out, HAS_BODY);
    openapi_text(out, "}}}");
}

void openapi_operation_paths(struct json_out *out)
{
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        write_path(out, op);
}
