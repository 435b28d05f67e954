/* POST /v2/models/{model}/infer: one inference, from its body to its answer. */
#include "api/oip.h"

#include "api/clock.h"
#include "api/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "Inference-Header-Content-Length"

enum { DIGITS_MAX = 18 }; /* any of so many fit in 64 bits */

/* Where the JSON ends: where the header says, or with the body. */
static int split(const struct api_call *call, struct oip_body *body,
                 struct api_error *err)
{
    const char *said = call->req->header_length;
    size_t digits = said ? strspn(said, "0123456789") : 0;
    size_t n = call->body_len;
    if (said && (digits == 0 || digits > DIGITS_MAX || said[digits]))
        return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                        HEADER " is \"%.40s\", must be a number of bytes in "
                               "decimal digits",
                        said);
    if (said)
        n = strtoull(said, NULL, 10);
    if (n > call->body_len)
        return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                        HEADER " is %zu, the body has %zu bytes", n,
                        call->body_len);
    *body = (struct oip_body){
        .row = oip_find(call->rest),
        .text = call->body,
        .text_len = n,
        .bytes = call->body + n,
        .bytes_len = call->body_len - n,
        .has_length = said,
    };
    return 0;
}

/* The datatype of an output, whose elements have its layout. */
static const struct oip_datatype *type_of(const struct op_call *call, size_t i)
{
    return oip_native(oip_element_of(&call->op->out[i], call->type));
}

static size_t bytes_of(const struct op_call *call, size_t i)
{
    return call->out[i].n * type_of(call, i)->bytes;
}

static void write_parameter(struct json_out *out, const char *name, size_t n)
{
    out_key(out, "parameters");
    out_open(out, '{');
    out_member_integer(out, name, (int64_t)n);
    out_close(out, '}');
}

static void write_output(struct json_out *out, const struct oip_request *req,
                         size_t i)
{
    const struct op_call *call = &req->op.call;
    out_open(out, '{');
    out_member_string(out, "name", call->op->out[i].name);
    out_member_string(out, "datatype", type_of(call, i)->name);
    operation_write_shape(out, &call->out[i]);
    if (req->binary[i]) {
        write_parameter(out, "binary_data_size", bytes_of(call, i));
    } else {
        size_t nonfinite = operation_write_data(out, &req->op, i);
        if (nonfinite)
            write_parameter(out, "nonfinite_count", nonfinite);
    }
    out_close(out, '}');
}

static void write_json(struct json_out *out, const struct oip_request *req)
{
    const struct op_call *call = &req->op.call;
    char name[OIP_MODEL_BYTES];
    out_open(out, '{');
    out_member_string(out, "model_name", oip_model(call->op, name));
    out_member_string(out, "model_version", OIP_VERSION);
    if (req->id)
        out_member_string(out, "id", req->id);
    out_key(out, "outputs");
    out_open(out, '[');
    for (size_t i = 0; i < op_outputs(call->op); i++)
        if (call->want[i])
            write_output(out, req, i);
    out_close(out, ']');
    out_close(out, '}');
}

/* The length of the JSON as text; NULL when mem is spent. */
static char *length_text(size_t n, struct arena *mem)
{
    char *text = arena_alloc(mem, DIGITS_MAX + 2, 1);
    if (text)
        snprintf(text, DIGITS_MAX + 2, "%zu", n);
    return text;
}

static void write(struct api_call *call, const struct oip_request *req)
{
    const struct op_call *c = &req->op.call;
    struct json_out *out = &call->out;
    size_t bytes = 0;
    bool binary = false;
    write_json(out, req);
    call->produces = "application/json";
    for (size_t i = 0; i < op_outputs(c->op); i++)
        if (c->want[i] && req->binary[i]) {
            binary = true;
            bytes += bytes_of(c, i); /* all of it is in memory */
        }
    if (!binary)
        return;
    call->produces = "application/octet-stream";
    call->res->header_length = length_text(out->len, call->mem);
    out->failed |= !call->res->header_length;
    out_reserve(out, bytes);
    for (size_t i = 0; i < op_outputs(c->op); i++)
        if (c->want[i] && req->binary[i])
            out_bytes(out, c->out[i].data, bytes_of(c, i));
}

int oip_infer(struct api_call *call)
{
    struct api_error *err = &call->err;
    struct oip_body body = {.row = 0};
    double start = clock_ms();
    struct oip_request *req = arena_alloc(call->mem, 1, sizeof(*req));
    if (!req)
        return api_fail(err, PROBLEM_MEMORY, NULL,
                        "it does not fit in the memory of one request");
    if (split(call, &body, err))
        return -1;
    bool raw = body.has_length && body.text_len == 0;
    int rc = (raw ? oip_read_raw : oip_read)(&body, call->env->par, call->mem,
                                             req, err);
    double parsed = clock_ms();
    call->res->parse_ms = parsed - start;
    rc = rc || operation_run(&req->op, NULL, err) ||
         operation_check_results(&req->op, NULL, err);
    double computed = clock_ms();
    call->res->compute_ms = computed - parsed;
    if (rc)
        return -1;
    counts_operation(call->env->counts, body.row, req->op.call.in[0].n);
    write(call, req);
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}
