/* What the server and its models are, as the Open Inference Protocol says. */
#include "api/oip.h"

#include "api/route.h"

#include <stdio.h>
#include <string.h>

#define MODELS "/v2/models/"
#define VERSIONS "/versions/"

bool oip_owns(const char *path)
{
    return strncmp(path, "/v2", 3) == 0 && (path[3] == '\0' || path[3] == '/');
}

/* "group/name" of the "group.name" that rest begins with, or "". */
static const char *operation_of(const char *rest, char name[OPERATION_BYTES])
{
    size_t n = strcspn(rest, "/");
    snprintf(name, OPERATION_BYTES, "%.*s", n < OPERATION_BYTES ? (int)n : 0,
             rest);
    char *dot = strchr(name, '.');
    if (dot)
        *dot = '/';
    return name;
}

size_t oip_find(const char *rest)
{
    char name[OPERATION_BYTES];
    return operation_find(operation_of(rest, name));
}

/* The version in "MODEL/versions/OIP_VERSION/…", and its length; or NULL. */
static const char *version_of(const char *rest, size_t *len)
{
    const char *after = rest + strcspn(rest, "/");
    if (strncmp(after, VERSIONS, strlen(VERSIONS)) != 0)
        return NULL;
    after += strlen(VERSIONS);
    *len = strcspn(after, "/");
    return after;
}

static bool has_version(const char *rest)
{
    size_t n;
    const char *version = version_of(rest, &n);
    return !version ||
           (n == strlen(OIP_VERSION) && memcmp(version, OIP_VERSION, n) == 0);
}

bool oip_exists(const char *rest)
{
    return oip_find(rest) != SIZE_MAX && has_version(rest);
}

const char *oip_model(const struct op *op, char name[OIP_MODEL_BYTES])
{
    snprintf(name, OIP_MODEL_BYTES, "%s.%s", op->group, op->name);
    return name;
}

static int no_such_model(const char *rest, struct api_error *err)
{
    char name[OPERATION_BYTES], near[OPERATION_BYTES];
    int n = (int)strcspn(rest, "/");
    char *slash = strchr(operation_near(operation_of(rest, name), near), '/');
    if (!slash)
        return api_fail(err, PROBLEM_NOT_FOUND, NULL,
                        "no model \"%.*s\"; models are the operations of GET "
                        "/v1/operations, called as activations.mish is",
                        n < OPERATION_BYTES ? n : OPERATION_BYTES, rest);
    *slash = '.';
    return api_fail(err, PROBLEM_NOT_FOUND, NULL,
                    "no model \"%.*s\"; did you mean \"%s\"?", n, rest, near);
}

int oip_no_such_path(const char *path, struct api_error *err)
{
    const char *rest = path + strlen(MODELS);
    bool of_model = strncmp(path, MODELS, strlen(MODELS)) == 0 && *rest;
    size_t n = 0;
    if (of_model && oip_find(rest) == SIZE_MAX)
        return no_such_model(rest, err);
    if (of_model && !has_version(rest)) {
        const char *version = version_of(rest, &n);
        return api_fail(
            err, PROBLEM_NOT_FOUND, NULL,
            "no version \"%.*s\" of this model; it has \"" OIP_VERSION "\"",
            n < 40 ? (int)n : 40, version);
    }
    return api_fail(err, PROBLEM_NOT_FOUND, NULL,
                    "no such path; GET /v1 lists what there is");
}

void oip_write_error(struct json_out *out, const struct api_error *err)
{
    out_open(out, '{');
    out_member_string(out, "error", err->fault[0].detail);
    out_close(out, '}');
}

/* To this protocol a request that is well-formed and wrong is a bad one. */
int oip_status(const struct api_error *err)
{
    int status = problem_type(err->fault[0].kind)->status;
    return status == 422 ? 400 : status;
}

/* GET /v2 */
int oip_server(struct api_call *call)
{
    out_open(&call->out, '{');
    out_member_string(&call->out, "name", "evald");
    out_member_string(&call->out, "version", EVALD_VERSION);
    out_key(&call->out, "extensions");
    out_open(&call->out, '[');
    out_string(&call->out, "binary_tensor_data");
    out_close(&call->out, ']');
    out_close(&call->out, '}');
    return 0;
}

static void write_true(struct json_out *out, const char *key)
{
    out_key(out, key);
    out_boolean(out, true);
}

/* GET /v2/health/live */
int oip_live(struct api_call *call)
{
    out_open(&call->out, '{');
    write_true(&call->out, "live");
    out_close(&call->out, '}');
    return 0;
}

static int check_ready(struct api_call *call)
{
    if (!call->env->draining)
        return 0;
    return api_fail(&call->err, PROBLEM_DRAINING, NULL,
                    "shutting down: finishing what was accepted");
}

/*
 * GET /v2/health/ready.  The protocol's text calls the member "live" here
 * too; "ready" is what the next reader looks for.
 */
int oip_ready(struct api_call *call)
{
    if (check_ready(call))
        return -1;
    out_open(&call->out, '{');
    write_true(&call->out, "live");
    write_true(&call->out, "ready");
    out_close(&call->out, '}');
    return 0;
}

static const struct op *model_of(const struct api_call *call)
{
    return op_row(oip_find(call->rest), OP_FLOAT64, OP_BASE);
}

/* GET /v2/models/{model}/ready */
int oip_model_ready(struct api_call *call)
{
    char name[OIP_MODEL_BYTES];
    if (check_ready(call))
        return -1;
    out_open(&call->out, '{');
    out_member_string(&call->out, "name", oip_model(model_of(call), name));
    write_true(&call->out, "ready");
    out_close(&call->out, '}');
    return 0;
}

/* [-1, 4] of "n,4".  What may have any shape is one free dimension. */
static void write_shape(struct json_out *out, const char *shape)
{
    out_key(out, "shape");
    out_open(out, '[');
    if (*shape == '*' || *shape == '?')
        shape = "n";
    for (; *shape; shape += strspn(shape, ",")) {
        bool free = *shape < '0' || *shape > '9';
        out_integer(out, free ? -1 : *shape - '0');
        shape++;
    }
    out_close(out, ']');
}

/*
 * Of the datatypes that a port takes the one that is computed with as it is:
 * FP32 of numbers.
 */
static void write_port(struct json_out *out, const struct op_port *port)
{
    out_open(out, '{');
    out_member_string(out, "name", port->name);
    out_member_string(out, "datatype",
                      port->kind == OP_FLAG
                          ? "BOOL"
                          : oip_native(oip_element_of(port, OP_FLOAT32))->name);
    write_shape(out, port->shape);
    out_close(out, '}');
}

/* What the protocol has no member for; its values are strings. */
static void write_properties(struct json_out *out, const struct op *op)
{
    char text[OP_INPUTS_MAX * 32] = "/v1/operations/";
    size_t n = strlen(text);
    out_key(out, "properties");
    out_open(out, '{');
    operation_name(op, text + n);
    out_member_string(out, "description", text);
    n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < op_inputs(op); i++)
        if (op->in[i].optional)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.30s",
                                  n ? "," : "", op->in[i].name);
    out_member_string(out, "optional_inputs", text);
    out_close(out, '}');
}

/* GET /v2/models/{model} */
int oip_metadata(struct api_call *call)
{
    struct json_out *out = &call->out;
    const struct op *op = model_of(call);
    char name[OIP_MODEL_BYTES];
    out_open(out, '{');
    out_member_string(out, "name", oip_model(op, name));
    out_key(out, "versions");
    out_open(out, '[');
    out_string(out, OIP_VERSION);
    out_close(out, ']');
    out_member_string(out, "platform", "evald");
    out_key(out, "inputs");
    out_open(out, '[');
    for (size_t i = 0; i < op_inputs(op); i++)
        write_port(out, &op->in[i]);
    out_close(out, ']');
    out_key(out, "outputs");
    out_open(out, '[');
    for (size_t i = 0; i < op_outputs(op); i++)
        write_port(out, &op->out[i]);
    out_close(out, ']');
    write_properties(out, op);
    out_close(out, '}');
    return 0;
}
