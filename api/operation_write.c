/* A computed request to JSON. */
#include "api/operation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One output on its way out. */
struct source {
    struct json_out *out;
    const struct operation_request *req;
    const struct op_tensor *t;
    bool integers;
    size_t at, n_nonfinite;
};

static void write_nonfinite(struct source *s, double x)
{
    s->n_nonfinite++;
    if (s->req->nonfinite != NONFINITE_STRING)
        out_null(s->out);
    else
        out_string(s->out, isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
}

/* The next n elements. */
static void write_run(struct source *s, size_t n)
{
    const size_t end = s->at + n;
    const int64_t *integers = s->t->data;
    const float *floats = s->t->data;
    const double *doubles = s->t->data;
    while (s->integers && s->at < end && !s->out->failed)
        out_integer(s->out, integers[s->at++]);
    while (s->at < end && !s->out->failed) {
        s->at += s->req->call.type == OP_FLOAT32
                     ? out_floats(s->out, floats + s->at, end - s->at)
                     : out_numbers(s->out, doubles + s->at, end - s->at);
        if (s->at < end) {
            write_nonfinite(s, op_real_at(&s->req->call, s->t, s->at));
            s->at++;
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static void write_nested(struct source *s, size_t depth)
{
    if (depth == s->t->rank) {
        write_run(s, 1);
        return;
    }
    out_open(s->out, '[');
    if (depth + 1 == s->t->rank)
        write_run(s, s->t->dim[depth]);
    else
        for (size_t i = 0; i < s->t->dim[depth] && !s->out->failed; i++)
            write_nested(s, depth + 1);
    out_close(s->out, ']');
}

static void write_data(struct source *s)
{
    out_key(s->out, "data");
    out_open(s->out, '[');
    write_run(s, s->t->n);
    out_close(s->out, ']');
}

void operation_write_shape(struct json_out *out, const struct op_tensor *t)
{
    out_key(out, "shape");
    out_open(out, '[');
    for (size_t d = 0; d < t->rank; d++)
        out_integer(out, (int64_t)t->dim[d]);
    out_close(out, ']');
}

static void write_flat(struct source *s)
{
    out_open(s->out, '{');
    operation_write_shape(s->out, s->t);
    write_data(s);
    out_close(s->out, '}');
}

static struct source source_of(struct json_out *out,
                               const struct operation_request *req, size_t i)
{
    return (struct source){.out = out,
                           .req = req,
                           .t = &req->call.out[i],
                           .integers = op_is_integer(&req->call.op->out[i])};
}

size_t operation_write_data(struct json_out *out,
                            const struct operation_request *req, size_t i)
{
    struct source s = source_of(out, req, i);
    write_data(&s);
    return s.n_nonfinite;
}

/* Writes one output; returns how many of its numbers are not finite. */
static size_t write_tensor(struct json_out *out,
                           const struct operation_request *req, size_t i)
{
    struct source s = source_of(out, req, i);
    out_key(out, req->call.op->out[i].name);
    if (req->flat[0])
        write_flat(&s);
    else
        write_nested(&s, 0);
    return s.n_nonfinite;
}

void operation_write_param(struct json_out *out, const struct op_param *p,
                           double x)
{
    if (isnan(x))
        out_null(out);
    else if (p->type == OP_CHOICE)
        out_string(out, p->choices[(size_t)x]);
    else if (p->type == OP_BOOLEAN)
        out_boolean(out, x != 0);
    else if (p->type == OP_INTEGER)
        out_integer(out, (int64_t)x);
    else
        out_number(out, x);
}

static void write_params(struct json_out *out, const struct op_call *call)
{
    out_key(out, "parameters");
    out_open(out, '{');
    for (size_t i = 0; i < op_params(call->op); i++) {
        out_key(out, call->op->param[i].name);
        operation_write_param(out, &call->op->param[i], call->param[i]);
    }
    out_close(out, '}');
}

static void write_number(struct json_out *out, const struct op_fact *f,
                         size_t i)
{
    if (f->kind == OP_FACT_COUNT && isfinite(f->value[i]))
        out_integer(out, (int64_t)f->value[i]);
    else
        out_number(out, f->value[i]);
}

static void write_fact(struct json_out *out, const char *key,
                       const struct op_fact *f)
{
    out_key(out, key);
    if (!f->list) {
        write_number(out, f, 0);
        return;
    }
    out_open(out, '[');
    for (size_t i = 0; i < f->n && !out->failed; i++)
        write_number(out, f, i);
    out_close(out, ']');
}

/* Facts whose names share the part before a dot stand in one object. */
static void write_stats(struct json_out *out, const struct op_call *call)
{
    const char *open = NULL;
    size_t open_len = 0;
    out_key(out, "stats");
    out_open(out, '{');
    for (size_t i = 0; i < call->n_facts; i++) {
        const struct op_fact *f = &call->fact[i];
        const char *dot = strchr(f->name, '.');
        size_t len = dot ? (size_t)(dot - f->name) : 0;
        if (open && (len != open_len || memcmp(open, f->name, len) != 0)) {
            out_close(out, '}');
            open = NULL;
        }
        if (dot && !open) {
            char group[64] = "";
            memcpy(group, f->name, len < sizeof(group) ? len : 0);
            out_key(out, group);
            out_open(out, '{');
            open = f->name;
            open_len = len;
        }
        write_fact(out, dot ? dot + 1 : f->name, f);
    }
    if (open)
        out_close(out, '}');
    out_close(out, '}');
}

static int fail_result(const struct operation_request *req,
                       const struct at *at_request, size_t output,
                       size_t element, struct api_error *err)
{
    struct at place = {at_request, "nonfinite", 0};
    char pointer[POINTER_BYTES];
    const struct op_tensor *t = &req->call.out[output];
    char at[POINTER_BYTES];
    size_t n = 0, rest = element, stride = t->n;
    for (size_t d = 0; d < t->rank; d++) {
        stride /= t->dim[d];
        n += (size_t)snprintf(at + n, sizeof(at) - n, "[%zu]", rest / stride);
        rest %= stride;
    }
    at[n] = '\0';
    at_pointer(&place, pointer);
    return api_fail(err, PROBLEM_NON_FINITE, pointer,
                    "the result %s%s is %g, and \"nonfinite\" is \"error\"",
                    req->call.op->out[output].name, at,
                    op_real_at(&req->call, t, element));
}

int operation_check_results(const struct operation_request *req,
                            const struct at *at, struct api_error *err)
{
    const struct op_call *call = &req->call;
    if (req->nonfinite != NONFINITE_ERROR)
        return 0;
    for (size_t i = 0; i < op_outputs(call->op); i++) {
        if (!call->want[i] || op_is_integer(&call->op->out[i]))
            continue;
        size_t n = call->out[i].n;
        for (size_t k = 0, end; (end = stop_reach(call->par->stop, k, n)) > k;)
            for (; k < end; k++)
                if (!isfinite(op_real_at(call, &call->out[i], k)))
                    return fail_result(req, at, i, k, err);
    }
    return 0;
}

void operation_write(struct json_out *out, const struct operation_request *req)
{
    const struct op_call *call = &req->call;
    char name[OPERATION_BYTES];
    size_t n_nonfinite = 0;
    out_open(out, '{');
    out_member_string(out, "operation", operation_name(call->op, name));
    write_params(out, call);
    out_member_string(out, "dtype",
                      call->type == OP_FLOAT32 ? "float32" : "float64");
    out_key(out, "outputs");
    out_open(out, '{');
    for (size_t i = 0; i < op_outputs(call->op); i++)
        if (call->want[i])
            n_nonfinite += write_tensor(out, req, i);
    if (call->want_stats)
        write_stats(out, call);
    out_close(out, '}');
    if (n_nonfinite > 0)
        out_member_integer(out, "nonfinite_count", (int64_t)n_nonfinite);
    out_close(out, '}');
}
