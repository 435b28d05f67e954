/* A request's document to a call of an operation. */
#include "api/number.h"
#include "api/operation_npy.h"

#include <math.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { OPERATION, INPUTS, PARAMETERS, OUTPUTS, DTYPE, NONFINITE };
static const char *const members[] = {
    [OPERATION] = "operation", [INPUTS] = "inputs", [PARAMETERS] = "parameters",
    [OUTPUTS] = "outputs",     [DTYPE] = "dtype",   [NONFINITE] = "nonfinite",
};

static int read_inputs(const json_t *v, const struct at *at,
                       struct lifted *lifted, struct operation_request *req,
                       struct api_error *err)
{
    const char *names[OP_INPUTS_MAX];
    const json_t *m[OP_INPUTS_MAX];
    struct op_call *call = &req->call;
    size_t n = op_inputs(call->op);
    if (read_object(v, at, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        names[i] = call->op->in[i].name;
    read_members(v, at, names, n, m, err);
    for (size_t i = 0; i < n && !api_full(err); i++) {
        const struct op_port *port = &call->op->in[i];
        struct at place = {at, port->name, 0};
        if (m[i])
            operation_read_tensor(m[i], &place, lifted, port, call->type,
                                  call->mem, &call->in[i], &req->flat[i], err);
        else if (!port->optional)
            at_fail(err, PROBLEM_MISSING_MEMBER, &place, "is missing: %s",
                    port->doc);
    }
    return err->n ? -1 : 0;
}

static int read_option(const json_t *v, const struct at *at,
                       const struct op_param *p, double *out,
                       struct api_error *err)
{
    size_t n = 0, row;
    while (p->choices[n])
        n++;
    if (read_choice(v, at, p->choices, n, &row, err))
        return -1;
    *out = (double)row;
    return 0;
}

static int read_quantity(const json_t *v, const struct at *at,
                         const struct op_param *p, double *out,
                         struct api_error *err)
{
    int64_t i;
    if (p->type == OP_INTEGER) {
        if (read_integer(v, at, &i, err))
            return -1;
        *out = (double)i;
    } else if (read_number(v, at, out, err)) {
        return -1;
    }
    if (*out >= p->min && *out <= p->max && !(p->open && *out == p->min))
        return 0;
    if (p->type == OP_INTEGER)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be from %.0f to %.0f",
                       number_text(*out).text, p->min, p->max);
    return at_fail(err, PROBLEM_INVALID_VALUE, at,
                   p->open ? "is %s, must be above %.9g and at most %.9g"
                           : "is %s, must be from %.9g to %.9g",
                   number_text(*out).text, p->min, p->max);
}

static int read_param(const json_t *v, const struct at *at,
                      const struct op_param *p, double *out,
                      struct api_error *err)
{
    if (json_is_null(v) && (p->nullable || isnan(p->fallback))) {
        *out = NAN;
        return 0;
    }
    if (p->type == OP_CHOICE)
        return read_option(v, at, p, out, err);
    if (p->type == OP_BOOLEAN) {
        bool b;
        if (read_boolean(v, at, &b, err))
            return -1;
        *out = b;
        return 0;
    }
    return read_quantity(v, at, p, out, err);
}

/* m[i] is parameter i, or NULL. */
static int take_params(const json_t *const *m, const struct at *at,
                       struct op_call *call, struct api_error *err)
{
    size_t before = err->n;
    for (size_t i = 0; i < op_params(call->op) && !api_full(err); i++) {
        const struct op_param *p = &call->op->param[i];
        if (m[i])
            read_param(m[i], &(struct at){at, p->name, 0}, p, &call->param[i],
                       err);
    }
    return err->n > before ? -1 : 0;
}

int operation_read_params(const json_t *v, const struct at *at,
                          struct op_call *call, struct api_error *err)
{
    const json_t *m[OP_PARAMS_MAX];
    for (size_t i = 0; i < op_params(call->op); i++)
        m[i] = json_object_get(v, call->op->param[i].name);
    return take_params(m, at, call, err);
}

static void read_params(const json_t *v, const struct at *at,
                        struct op_call *call, struct api_error *err)
{
    const char *names[OP_PARAMS_MAX];
    const json_t *m[OP_PARAMS_MAX];
    size_t n = op_params(call->op);
    if (!v || read_object(v, at, err))
        return;
    for (size_t i = 0; i < n; i++)
        names[i] = call->op->param[i].name;
    read_members(v, at, names, n, m, err);
    take_params(m, at, call, err);
}

void operation_want_unasked(struct op_call *call)
{
    call->unasked = true;
    for (size_t i = 0; i < op_outputs(call->op); i++)
        call->want[i] = op_is_unasked(call->op, i);
}

static int read_wanted(const json_t *v, const struct at *at,
                       struct op_call *call, struct api_error *err)
{
    const char *names[OP_OUTPUTS_MAX + 1];
    size_t n = op_outputs(call->op), outputs = n, before = err->n;
    for (size_t i = 0; i < n; i++)
        names[i] = call->op->out[i].name;
    if (call->op->stats)
        names[n++] = "stats";
    if (!v) {
        operation_want_unasked(call);
        return 0;
    }
    if (read_array(v, at, err))
        return -1;
    for (size_t i = 0; i < json_array_size(v) && !api_full(err); i++) {
        size_t row;
        if (read_choice(json_array_get(v, i), &(struct at){at, NULL, i}, names,
                        n, &row, err))
            continue;
        if (row < outputs)
            call->want[row] = true;
        else
            call->want_stats = true;
    }
    return err->n > before ? -1 : 0;
}

static int read_dtype(const json_t *v, const struct at *at, enum op_type *type,
                      struct api_error *err)
{
    static const char *const types[OP_TYPES] = {
        [OP_FLOAT32] = "float32", [OP_FLOAT64] = "float64"};
    size_t row;
    *type = OP_FLOAT64;
    if (!v)
        return 0;
    if (read_choice(v, at, types, OP_TYPES, &row, err))
        return -1;
    *type = (enum op_type)row;
    return 0;
}

int operation_read_nonfinite(const json_t *v, const struct at *at,
                             enum nonfinite *out, struct api_error *err)
{
    static const char *const choices[] = {[NONFINITE_NULL] = "null",
                                          [NONFINITE_STRING] = "string",
                                          [NONFINITE_ERROR] = "error"};
    size_t row;
    *out = NONFINITE_NULL;
    if (!v)
        return 0;
    if (read_choice(v, at, choices, COUNT(choices), &row, err))
        return -1;
    *out = (enum nonfinite)row;
    return 0;
}

int operation_read(const struct operation_source *src,
                   const struct parallel *par, struct arena *mem,
                   struct operation_request *req, struct api_error *err)
{
    struct at place[COUNT(members)];
    const json_t *m[COUNT(members)];
    enum op_type type;
    memset(req->flat, 0, sizeof(req->flat));
    if (read_object(src->doc, src->at, err))
        return -1;
    for (size_t i = 0; i < COUNT(members); i++)
        place[i] = (struct at){src->at, members[i], 0};
    size_t first = src->named ? OPERATION : INPUTS;
    read_members(src->doc, src->at, members + first, COUNT(members) - first,
                 m + first, err);
    read_dtype(m[DTYPE], &place[DTYPE], &type, err);
    op_call_init(&req->call, op_row(src->row, type, op_isa_best()), type, par,
                 mem);
    operation_read_nonfinite(m[NONFINITE], &place[NONFINITE], &req->nonfinite,
                             err);
    read_wanted(m[OUTPUTS], &place[OUTPUTS], &req->call, err);
    read_params(m[PARAMETERS], &place[PARAMETERS], &req->call, err);
    if (src->npy)
        operation_npy_input(src->npy, &place[INPUTS], req, err);
    else
        read_inputs(m[INPUTS], &place[INPUTS], src->lifted, req, err);
    return err->n ? -1 : 0;
}
