/* The request of an inference to a call. */
#include "api/oip.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* An input as the request has it. */
struct incoming {
    const struct oip_datatype *type; /* NULL = it is not there */
    struct op_tensor shape;          /* without data */
    const json_t *data;              /* member of inputs[item], or NULL: */
    size_t item;
    const char *bytes; /* where the elements are behind the JSON */
};

/* A request on its way to a call. */
struct reading {
    const struct oip_body *body;
    const struct op *op;
    struct arena *mem;
    struct api_error *err;
    struct incoming in[OP_INPUTS_MAX];
    size_t bytes_taken;    /* of body->bytes */
    struct lifted *lifted; /* out of the JSON, or NULL */
};

/*
 * Parameters that Triton gives a meaning and that change no number here: there
 * is one queue for all, and no request knows of another.
 */
#define HINTS \
    "sequence_id", "sequence_start", "sequence_end", "priority", "timeout"

/* Those that would change what results are, or where they go. */
static const char *const not_offered[] = {
    "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size",
    "classification"};

/* The one parameter that a tensor may have; NULL in *out if it has none. */
static int read_parameter(const json_t *params, const struct at *at,
                          const char *name, const json_t **out,
                          struct api_error *err)
{
    *out = NULL;
    if (!params)
        return 0;
    if (read_object(params, at, err))
        return -1;
    for (size_t i = 0; i < COUNT(not_offered); i++)
        if (json_object_get(params, not_offered[i]))
            return at_fail(err, PROBLEM_INVALID_VALUE,
                           &(struct at){at, not_offered[i], 0},
                           "is not offered: tensors travel whole, in the body");
    *out = json_object_get(params, name);
    return read_known(params, at, &name, 1, err);
}

static int read_datatype(const json_t *v, const struct at *at,
                         const struct op_port *port,
                         const struct oip_datatype **out, struct api_error *err)
{
    const char *name = json_string_value(v);
    char all[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < n_oip_datatypes; i++) {
        *out = &oip_datatypes[i];
        if (!oip_takes(port, *out))
            continue;
        if (name && strcmp(name, (*out)->name) == 0)
            return 0;
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
                                len ? ", " : "", (*out)->name);
    }
    return at_fail(err, v ? PROBLEM_INVALID_VALUE : PROBLEM_MISSING_MEMBER, at,
                   "is %s%.40s%s; this input takes %s", name ? "\"" : "",
                   name ? name
                   : v  ? json_kind(v)
                        : "missing",
                   name ? "\"" : "", all);
}

/* Takes the bytes of an input from behind the JSON. */
static int take_bytes(struct reading *r, struct incoming *in,
                      const json_t *size, const struct at *at)
{
    const struct oip_body *body = r->body;
    int64_t said;
    size_t need, left = body->bytes_len - r->bytes_taken;
    if (read_integer(size, at, &said, r->err))
        return -1;
    if (__builtin_mul_overflow(in->shape.n, in->type->bytes, &need))
        need = SIZE_MAX;
    if (said < 0 || (size_t)said != need)
        return at_fail(r->err, PROBLEM_SHAPE, at,
                       "is %lld, must be %zu: %zu elements of %s",
                       (long long)said, need, in->shape.n, in->type->name);
    if (!body->has_length)
        return at_fail(r->err, PROBLEM_MISSING_MEMBER, at,
                       "is there, but not the header "
                       "Inference-Header-Content-Length, which says how long "
                       "the JSON before the bytes is");
    if (need > left)
        return at_fail(r->err, PROBLEM_SHAPE, at,
                       "is %zu, the body has %zu bytes left behind its JSON",
                       need, left);
    in->bytes = body->bytes + r->bytes_taken;
    r->bytes_taken += need;
    return 0;
}

/* Where the elements of an input are: in its data, or behind the JSON. */
static int find_elements(struct reading *r, struct incoming *in,
                         const json_t *v, const struct at *port)
{
    static const char name[] = "binary_data_size";
    struct at params = {port, "parameters", 0}, size = {&params, name, 0};
    struct at data = {port, "data", 0}, datatype = {port, "datatype", 0};
    const json_t *m;
    if (read_parameter(json_object_get(v, "parameters"), &params, name, &m,
                       r->err))
        return -1;
    in->data = json_object_get(v, "data");
    if (m && in->data)
        return at_fail(r->err, PROBLEM_INVALID_VALUE, &data,
                       "is there, and %s too; send one of them", name);
    if (m)
        return take_bytes(r, in, m, &size);
    if (!in->data)
        return at_fail(r->err, PROBLEM_MISSING_MEMBER, &data,
                       "is missing, and parameters.%s too", name);
    if (in->type->binary_only)
        return at_fail(r->err, PROBLEM_INVALID_VALUE, &datatype,
                       "is %s, which JSON has no numbers for; send it as "
                       "binary data, or send FP32",
                       in->type->name);
    return 0;
}

/* inputs[item]; *at is its place. */
static int read_input(struct reading *r, const json_t *v, const struct at *at)
{
    static const char *const members[] = {"name", "shape", "datatype",
                                          "parameters", "data"};
    const char *names[OP_INPUTS_MAX];
    struct at name = {at, "name", 0};
    size_t n = op_inputs(r->op), row;
    for (size_t i = 0; i < n; i++)
        names[i] = r->op->in[i].name;
    if (read_object(v, at, r->err) ||
        read_known(v, at, members, COUNT(members), r->err) ||
        read_choice(json_object_get(v, name.key), &name, names, n, &row,
                    r->err))
        return -1;
    struct incoming *in = &r->in[row];
    if (in->type)
        return at_fail(r->err, PROBLEM_INVALID_VALUE, &name,
                       "is \"%s\" a second time", names[row]);
    struct at port = {NULL, names[row], 0}, shape = {&port, "shape", 0};
    struct at datatype = {&port, "datatype", 0};
    in->item = at->item;
    if (operation_read_shape(json_object_get(v, shape.key), &shape, &in->shape,
                             r->err) ||
        read_datatype(json_object_get(v, datatype.key), &datatype,
                      &r->op->in[row], &in->type, r->err))
        return -1;
    return find_elements(r, in, v, &port);
}

static int read_inputs(struct reading *r, const json_t *v)
{
    struct at at = {NULL, "inputs", 0};
    if (read_array(v, &at, r->err))
        return -1;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (read_input(r, json_array_get(v, i), &(struct at){&at, NULL, i}))
            return -1;
    if (r->bytes_taken != r->body->bytes_len)
        return api_fail(r->err, PROBLEM_SHAPE, NULL,
                        "the body has %zu bytes behind its JSON, the inputs "
                        "have %zu",
                        r->body->bytes_len, r->bytes_taken);
    return 0;
}

/* Float is enough where nothing comes that it would round. */
static enum op_type type_of(const struct reading *r)
{
    for (size_t i = 0; i < op_inputs(r->op); i++)
        if (!op_is_integer(&r->op->in[i]) && r->in[i].type &&
            !r->in[i].type->narrow)
            return OP_FLOAT64;
    return OP_FLOAT32;
}

/*
 * The elements of an input's data, which is flat or nested, to memory of their
 * own, as what its datatype is read as.  Nothing else looks at data.
 */
static int read_data(const struct reading *r, const struct incoming *in,
                     const struct at *port, struct op_tensor *t)
{
    struct at inputs = {NULL, "inputs", 0}, item = {&inputs, NULL, in->item};
    struct at place = {&item, "data", 0}, at = {port, "data", 0};
    struct op_tensor *lift =
        json_is_null(in->data) ? lift_find(r->lifted, &place) : NULL;
    if (operation_read_data(in->data, lift, &at, in->type->kind, in->type->type,
                            r->mem, t, r->err))
        return -1;
    if (in->type->read != OIP_INTEGER || in->type->bytes != sizeof(int32_t))
        return 0;
    const int64_t *x = t->data;
    for (size_t i = 0; i < t->n; i++)
        if (x[i] != (int32_t)x[i])
            return at_fail(
                r->err, PROBLEM_NUMBER_RANGE, &(struct at){&at, NULL, i},
                "is %lld, which does not fit in INT32", (long long)x[i]);
    return 0;
}

/* An input's elements as its kernel takes them. */
static int fill(const struct reading *r, size_t i, struct op_call *call)
{
    const struct incoming *in = &r->in[i];
    const struct oip_datatype *type = in->type;
    struct at port = {NULL, call->op->in[i].name, 0};
    struct op_tensor *t = &call->in[i];
    enum oip_element want = oip_element_of(&call->op->in[i], call->type);
    const char *from = in->bytes;
    *t = in->shape;
    if (in->data) {
        if (read_data(r, in, &port, t))
            return -1;
        if (type->read == want)
            return 0;
        type = oip_native(type->read);
        from = t->data;
    }
    assert(type->convert[want]);
    t->data = arena_alloc(r->mem, t->n, oip_native(want)->bytes);
    if (!t->data)
        return at_fail(r->err, PROBLEM_MEMORY, &port,
                       "does not fit in the memory of one request");
    size_t width = oip_native(want)->bytes;
    for (size_t k = 0, end; (end = stop_reach(r->mem->stop, k, t->n)) > k;
         k = end)
        type->convert[want](from + k * type->bytes, end - k,
                            (char *)t->data + k * width);
    return 0;
}

static int fill_all(const struct reading *r, struct op_call *call)
{
    for (size_t i = 0; i < op_inputs(r->op); i++) {
        if (r->in[i].type && fill(r, i, call))
            return -1;
        if (!r->in[i].type && !r->op->in[i].optional)
            return at_fail(r->err, PROBLEM_MISSING_MEMBER,
                           &(struct at){NULL, r->op->in[i].name, 0},
                           "is missing in inputs: %s", r->op->in[i].doc);
    }
    return 0;
}

static int read_boolean_if(const json_t *v, const struct at *at, bool *out,
                           struct api_error *err)
{
    return v ? read_boolean(v, at, out, err) : 0;
}

/* The operation's parameters, and those of the protocol. */
static int read_parameters(const struct reading *r, const json_t *v,
                           struct oip_request *req, bool *binary)
{
    static const char *const own[] = {"binary_data_output", "nonfinite", HINTS};
    const char *names[OP_PARAMS_MAX + COUNT(own)];
    struct at at = {NULL, "parameters", 0};
    size_t n = op_params(r->op);
    if (!v)
        return 0;
    for (size_t i = 0; i < n; i++)
        names[i] = r->op->param[i].name;
    memcpy(names + n, own, sizeof(own));
    if (read_object(v, &at, r->err) ||
        read_known(v, &at, names, n + COUNT(own), r->err) ||
        read_boolean_if(json_object_get(v, own[0]),
                        &(struct at){&at, own[0], 0}, binary, r->err) ||
        operation_read_nonfinite(json_object_get(v, own[1]),
                                 &(struct at){&at, own[1], 0},
                                 &req->op.nonfinite, r->err))
        return -1;
    return operation_read_params(v, &at, &req->op.call, r->err);
}

static int read_output(const struct reading *r, const json_t *v,
                       const struct at *at, struct oip_request *req)
{
    static const char *const members[] = {"name", "parameters"};
    const char *names[OP_OUTPUTS_MAX];
    struct at name = {at, "name", 0}, params = {at, "parameters", 0};
    struct at binary = {&params, "binary_data", 0};
    const json_t *m = json_object_get(v, name.key);
    size_t n = op_outputs(r->op), row;
    for (size_t i = 0; i < n; i++)
        names[i] = r->op->out[i].name;
    if (json_is_string(m) && strcmp(json_string_value(m), "stats") == 0)
        return at_fail(r->err, PROBLEM_UNKNOWN_MEMBER, &name,
                       "is \"stats\", which is no tensor: POST /v1/%s/%s "
                       "answers it",
                       r->op->group, r->op->name);
    if (read_object(v, at, r->err) ||
        read_known(v, at, members, COUNT(members), r->err) ||
        read_choice(m, &name, names, n, &row, r->err))
        return -1;
    if (req->op.call.want[row])
        return at_fail(r->err, PROBLEM_INVALID_VALUE, &name,
                       "is \"%s\" a second time", names[row]);
    req->op.call.want[row] = true;
    if (read_parameter(json_object_get(v, params.key), &params, binary.key, &m,
                       r->err))
        return -1;
    return read_boolean_if(m, &binary, &req->binary[row], r->err);
}

/* An empty list asks for nothing, which is as good as not to ask. */
static int read_outputs(const struct reading *r, const json_t *v,
                        struct oip_request *req)
{
    struct at at = {NULL, "outputs", 0};
    if (v && read_array(v, &at, r->err))
        return -1;
    if (json_array_size(v) == 0)
        operation_want_unasked(&req->op.call);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (read_output(r, json_array_get(v, i), &(struct at){&at, NULL, i},
                        req))
            return -1;
    return 0;
}

/* A member that must be a string where it is there. */
static int read_text(const json_t *doc, const char *key, const char **out,
                     struct api_error *err)
{
    const json_t *v = json_object_get(doc, key);
    *out = json_string_value(v);
    if (!v || *out)
        return 0;
    return at_fail(err, PROBLEM_INVALID_VALUE, &(struct at){NULL, key, 0},
                   "is %s, must be a string", json_kind(v));
}

/* The id; and what the path says already, which some clients repeat. */
static int read_names(const struct reading *r, const json_t *doc,
                      struct oip_request *req)
{
    char known[OIP_MODEL_BYTES];
    const char *name, *version;
    if (read_text(doc, "id", &req->id, r->err) ||
        read_text(doc, "model_name", &name, r->err) ||
        read_text(doc, "model_version", &version, r->err))
        return -1;
    if (name && oip_find(name) != r->body->row)
        return api_fail(r->err, PROBLEM_INVALID_VALUE, "/model_name",
                        "model_name is \"%.80s\", the path is of \"%s\"", name,
                        oip_model(r->op, known));
    if (version && strcmp(version, OIP_VERSION) != 0)
        return api_fail(
            r->err, PROBLEM_INVALID_VALUE, "/model_version",
            "model_version is \"%.40s\", must be \"" OIP_VERSION "\"", version);
    return 0;
}

static void init(struct reading *r, const struct oip_body *body,
                 struct arena *mem, struct api_error *err)
{
    *r = (struct reading){
        .body = body,
        .op = op_row(body->row, OP_FLOAT64, OP_BASE),
        .mem = mem,
        .err = err,
    };
}

/* Inputs are known; nothing is asked yet. */
static void begin(const struct reading *r, const struct parallel *par,
                  bool binary, struct oip_request *req)
{
    enum op_type type = type_of(r);
    op_call_init(&req->op.call, op_row(r->body->row, type, op_isa_best()), type,
                 par, r->mem);
    memset(req->binary, binary, sizeof(req->binary));
}

int oip_read(const struct oip_body *body, const struct parallel *par,
             struct arena *mem, struct oip_request *req, struct api_error *err)
{
    static const char *const members[] = {
        "id", "parameters", "inputs", "outputs", "model_name", "model_version"};
    struct reading r;
    bool binary = false;
    static const char *const wanted[] = {"/inputs/*/data", NULL};
    struct lifted lifted;
    const json_t *doc = lift_read(body->text, body->text_len, wanted,
                                  OP_INPUTS_MAX, mem, &lifted, err);
    *req = (struct oip_request){.id = NULL};
    init(&r, body, mem, err);
    r.lifted = &lifted;
    if (!doc || read_object(doc, NULL, err) ||
        read_known(doc, NULL, members, COUNT(members), err) ||
        read_names(&r, doc, req) ||
        read_inputs(&r, json_object_get(doc, "inputs")))
        return -1;
    begin(&r, par, false, req);
    if (read_parameters(&r, json_object_get(doc, "parameters"), req, &binary))
        return -1;
    memset(req->binary, binary, sizeof(req->binary));
    return read_outputs(&r, json_object_get(doc, "outputs"), req) ||
                   fill_all(&r, &req->op.call)
               ? -1
               : 0;
}

int oip_read_raw(const struct oip_body *body, const struct parallel *par,
                 struct arena *mem, struct oip_request *req,
                 struct api_error *err)
{
    const struct oip_datatype *type = oip_native(OIP_FLOAT);
    struct reading r;
    size_t required = 0, row = 0, n = body->bytes_len / type->bytes;
    *req = (struct oip_request){.id = NULL};
    init(&r, body, mem, err);
    for (size_t i = op_inputs(r.op); i-- > 0;)
        if (!r.op->in[i].optional) {
            row = i;
            required++;
        }
    if (required != 1)
        return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                        "Inference-Header-Content-Length is 0, which is for "
                        "models that need one input; this one needs %zu",
                        required);
    if (body->bytes_len % type->bytes)
        return api_fail(err, PROBLEM_SHAPE, NULL,
                        "the body has %zu bytes; without JSON it is %s of %zu "
                        "bytes each",
                        body->bytes_len, type->name, type->bytes);
    r.in[row] = (struct incoming){
        .type = type,
        .shape = {.rank = 1, .dim = {n}, .n = n},
        .bytes = body->bytes,
    };
    begin(&r, par, true, req);
    operation_want_unasked(&req->op.call);
    return fill_all(&r, &req->op.call);
}
