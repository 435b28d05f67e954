#include "api/operation_npy.h"

#include "api/query.h"

#include <math.h>
#include <string.h>

enum { OUTPUTS, DTYPE, NONFINITE, PRETTY, FIXED, KEYS_MAX = FIXED + 16 };
_Static_assert(OP_PARAMS_MAX <= KEYS_MAX - FIXED, "a key for each parameter");

/* Keys of the query beside the parameters. */
static const char *const fixed[FIXED] = {[OUTPUTS] = "outputs",
                                         [DTYPE] = "dtype",
                                         [NONFINITE] = "nonfinite",
                                         [PRETTY] = "pretty"};

/* The query by its keys: those of fixed, then the parameters. */
struct query {
    const char *key[KEYS_MAX], *value[KEYS_MAX]; /* NULL = not given */
    size_t n;
};

static void query_init(struct query *q, const struct op *op)
{
    memset(q, 0, sizeof(*q));
    for (; q->n < FIXED; q->n++)
        q->key[q->n] = fixed[q->n];
    for (size_t i = 0; i < op_params(op); i++)
        q->key[q->n++] = op->param[i].name;
}

static bool is_word(const char *s)
{
    return strcmp(s, "true") == 0 || strcmp(s, "false") == 0 ||
           strcmp(s, "null") == 0;
}

/*
 * A parameter's text as the value of JSON that it looks like.  What looks like
 * none is a string, and so is what a choice is called.
 */
static void write_value(struct json_out *out, const struct op_param *p,
                        const char *text)
{
    bool null =
        strcmp(text, "null") == 0 && (p->nullable || isnan(p->fallback));
    if (p->type == OP_CHOICE ? null : query_is_number(text) || is_word(text))
        out_raw(out, text);
    else
        out_string(out, text);
}

/* Names with commas between them. */
static void write_list(struct json_out *out, const char *names,
                       struct arena *mem)
{
    out_open(out, '[');
    for (bool more = true; more;) {
        size_t n = strcspn(names, ",");
        char *name = arena_zero(mem, n + 1, 1);
        if (!name) {
            out->failed = true;
            return;
        }
        out_string(out, memcpy(name, names, n));
        more = names[n] == ',';
        names += n + more;
    }
    out_close(out, ']');
}

/* The request that the query stands for, but for its inputs. */
static void write_request(struct json_out *out, const struct op *op,
                          const struct query *q, const struct npy *npy)
{
    const char *dtype = npy_is_single(npy) ? "float32" : "float64";
    out_open(out, '{');
    if (q->value[OUTPUTS]) {
        out_key(out, fixed[OUTPUTS]);
        write_list(out, q->value[OUTPUTS], out->mem);
    }
    out_member_string(out, fixed[DTYPE],
                      q->value[DTYPE] ? q->value[DTYPE] : dtype);
    if (q->value[NONFINITE])
        out_member_string(out, fixed[NONFINITE], q->value[NONFINITE]);
    out_key(out, "parameters");
    out_open(out, '{');
    for (size_t i = 0; i < op_params(op); i++)
        if (q->value[FIXED + i]) {
            out_key(out, op->param[i].name);
            write_value(out, &op->param[i], q->value[FIXED + i]);
        }
    out_close(out, '}');
    out_close(out, '}');
}

static size_t required_input(const struct op *op)
{
    size_t row = 0;
    while (op->in[row].optional)
        row++;
    return row;
}

bool operation_npy_fits(const struct op *op)
{
    size_t n = 0;
    for (size_t i = 0; i < op_inputs(op); i++)
        n += !op->in[i].optional;
    return n == 1;
}

/* The names of what is required or wanted, for a message. */
static const char *list(const struct op_port *port, size_t n, const bool *of,
                        char text[DETAIL_BYTES / 2])
{
    size_t len = 0, room = DETAIL_BYTES / 2;
    text[0] = '\0';
    for (size_t i = 0; i < n && len < room; i++)
        if (of ? of[i] : !port[i].optional)
            len += (size_t)snprintf(text + len, room - len, "%s%s",
                                    len ? ", " : "", port[i].name);
    return text;
}

static int fail_inputs(struct api_call *call, const struct op *op)
{
    char names[DETAIL_BYTES / 2], name[OPERATION_BYTES];
    call->res->accept_post = "application/json";
    return api_fail(&call->err, PROBLEM_MEDIA_TYPE, NULL,
                    "%s needs %s, and a .npy file holds one array; send "
                    "application/json",
                    operation_name(op, name),
                    list(op->in, op_inputs(op), NULL, names));
}

int operation_npy_source(struct api_call *call, struct npy *npy,
                         struct operation_source *src)
{
    const struct op *op = op_row(src->row, OP_FLOAT64, OP_BASE);
    struct query q;
    struct json_out text;
    if (!operation_npy_fits(op))
        return fail_inputs(call, op);
    if (npy_open(npy, call->body, call->body_len))
        return api_fail(&call->err, PROBLEM_MALFORMED_NPY, NULL, "the body %s",
                        npy->why);
    query_init(&q, op);
    if (query_read(call->req->query, q.key, q.n, 0, q.value, call->mem,
                   &call->err))
        return -1;
    json_out_init(&text, call->mem, false);
    write_request(&text, op, &q, npy);
    if (text.failed)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "the query does not fit in the memory of one request");
    src->npy = npy;
    src->doc = json_read(text.text, text.len, call->mem, &call->err);
    return src->doc ? 0 : -1;
}

/* How elements are called in .npy. */
static const char *type_of(const struct op_call *call,
                           const struct op_port *port)
{
    if (op_is_integer(port))
        return "i8";
    return call->type == OP_FLOAT32 ? "f4" : "f8";
}

static size_t size_of(const char *type)
{
    return (size_t)(type[1] - '0');
}

static int read_elements(struct npy *npy, const char *type, void *out)
{
    if (*type == 'i')
        return npy_integers(npy, out);
    return size_of(type) == sizeof(float) ? npy_floats(npy, out)
                                          : npy_doubles(npy, out);
}

int operation_npy_input(struct npy *npy, const struct at *at,
                        struct operation_request *req, struct api_error *err)
{
    struct op_call *call = &req->call;
    size_t row = required_input(call->op);
    const struct op_port *port = &call->op->in[row];
    struct op_tensor *t = &call->in[row];
    struct at place = {at, port->name, 0};
    const char *type = type_of(call, port);
    t->rank = npy->rank;
    t->n = npy->n;
    memcpy(t->dim, npy->dim, npy->rank * sizeof(*t->dim));
    /* nobody writes to inputs */
    t->data = (void *)(uintptr_t)npy_in_place(npy, type);
    if (t->data)
        return 0;
    t->data = arena_alloc(call->mem, npy->n, size_of(type));
    if (!t->data)
        return at_fail(err, PROBLEM_MEMORY, &place,
                       "does not fit in the memory of one request");
    npy->stop = call->mem->stop;
    if (read_elements(npy, type, t->data))
        return at_fail(err, PROBLEM_INVALID_VALUE, &place, "%s", npy->why);
    return 0;
}

int operation_npy_pick(struct operation_request *req, struct api_error *err)
{
    struct op_call *call = &req->call;
    char names[DETAIL_BYTES / 2];
    size_t value = op_output_row(call->op, "value"), n = 0;
    if (call->unasked && value != SIZE_MAX) {
        memset(call->want, 0, sizeof(call->want));
        call->want[value] = true;
        call->unasked = false;
    }
    for (size_t i = 0; i < op_outputs(call->op); i++)
        n += call->want[i];
    if (call->want_stats)
        return api_fail(err, PROBLEM_NOT_ACCEPTABLE, NULL,
                        "stats has no .npy form; accept application/json");
    if (n == 1)
        return 0;
    return api_fail(
        err, PROBLEM_NOT_ACCEPTABLE, NULL,
        "a .npy file holds one array, and %s%s wanted; name one "
        "in outputs, or accept application/json",
        n ? list(call->op->out, op_outputs(call->op), call->want, names)
          : "none",
        n ? " are" : " is");
}

void operation_npy_write(struct json_out *out,
                         const struct operation_request *req)
{
    const struct op_call *call = &req->call;
    char head[NPY_HEAD_BYTES];
    size_t i = 0;
    while (!call->want[i])
        i++;
    const struct op_tensor *t = &call->out[i];
    const char *type = type_of(call, &call->op->out[i]);
    size_t n = npy_head(head, type, t->rank, t->dim);
    size_t bytes = t->n * size_of(type);
    out->text = arena_alloc(out->mem, n + bytes, 1);
    if (!out->text) {
        out->failed = true;
        return;
    }
    memcpy(out->text, head, n);
    stop_copy(out->mem->stop, out->text + n, t->data, bytes);
    out->len = out->until = out->capacity = n + bytes;
}
