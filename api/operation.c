/* One operation: found by its path, run, its faults told. */
#include "api/operation.h"

#include "api/clock.h"
#include "api/operation_npy.h"
#include "api/query.h"
#include "api/suggest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 256 };

static const struct op *row_of(size_t i)
{
    return op_row(i, OP_FLOAT64, OP_BASE);
}

size_t operation_find(const char *path)
{
    const char *slash = strchr(path, '/');
    return slash ? op_find(path, (size_t)(slash - path), slash + 1) : SIZE_MAX;
}

const char *operation_near(const char *path, char near[OPERATION_BYTES])
{
    char text[NAMES_MAX][OPERATION_BYTES];
    const char *names[NAMES_MAX];
    const struct op *op;
    size_t n = 0;
    for (size_t i = 0; (op = row_of(i)) && n < NAMES_MAX; i++, n++) {
        names[n] = operation_name(op, text[n]);
        if (op_is_called(op, path))
            return operation_name(op, near); /* only the group is missing */
    }
    const char *found = suggest(path, names, n);
    snprintf(near, OPERATION_BYTES, "%s", found ? found : "");
    return near;
}

static enum problem problem_of(const struct op_fault *f)
{
    static const struct {
        const char *code;
        enum problem problem;
    } codes[] = {
        {"shape_mismatch", PROBLEM_SHAPE},
        {"non_finite", PROBLEM_NON_FINITE},
        {"missing", PROBLEM_MISSING_MEMBER},
        {"x2_lt_x1", PROBLEM_INVALID_BOX},
        {"y2_lt_y1", PROBLEM_INVALID_BOX},
        {"negative_width", PROBLEM_INVALID_BOX},
        {"negative_height", PROBLEM_INVALID_BOX},
    };
    for (size_t i = 0; f->code && i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(f->code, codes[i].code) == 0)
            return codes[i].problem;
    return PROBLEM_INVALID_VALUE;
}

/* Writes "name[2][0]" and the pointer of the element that a fault is about. */
static void locate(const struct operation_request *req, const struct at *at,
                   const struct op_fault *f, char pointer[POINTER_BYTES],
                   char words[POINTER_BYTES])
{
    const struct op_tensor *t = &req->call.in[f->row];
    const char *name = req->call.op->in[f->row].name;
    struct at inputs = {at, "inputs", 0}, port = {&inputs, name, 0};
    struct at data = {&port, "data", 0}, item[OP_RANK_MAX];
    const struct at *last = &port;
    size_t rest = f->element, n;
    n = (size_t)snprintf(words, POINTER_BYTES, "%s", name);
    for (size_t d = t->rank; d-- > 0 && !f->whole;) {
        item[d].item = rest % t->dim[d];
        rest /= t->dim[d];
    }
    for (size_t d = 0; d < t->rank && !f->whole; d++) {
        item[d].in = last;
        item[d].key = NULL;
        last = &item[d];
        if (d + 1 < t->rank || !f->of_row)
            n += (size_t)snprintf(words + n, POINTER_BYTES - n, "[%zu]",
                                  item[d].item);
    }
    if (req->flat[f->row] && !f->whole) {
        item[0] = (struct at){&data, NULL, f->element};
        last = &item[0];
    }
    at_pointer(last, pointer);
}

static void tell(const struct operation_request *req, const struct at *at,
                 const struct op_fault *f, struct api_error *err)
{
    char pointer[POINTER_BYTES], words[POINTER_BYTES];
    if (f->of_param) {
        struct at params = {at, "parameters", 0};
        struct at param = {&params, req->call.op->param[f->row].name, 0};
        at_pointer(&param, pointer);
        snprintf(words, sizeof(words), "%s", param.key);
    } else {
        locate(req, at, f, pointer, words);
    }
    api_fail(err, problem_of(f), pointer, "%s %s", words, f->text);
    err->fault[err->n - 1].code = f->code;
}

/* All elements that their kind does not allow, as far as there is room. */
static void tell_kinds(const struct operation_request *req, const struct at *at,
                       struct api_error *err)
{
    struct op_fault f;
    for (size_t i = 0; i < op_inputs(req->call.op); i++)
        for (size_t from = 0;
             !api_full(err) && op_check_kind(&req->call, i, from, &f);
             from = f.element + 1)
            tell(req, at, &f, err);
}

static int too_large(struct api_error *err)
{
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "the result does not fit in the memory of one request; "
                    "send fewer rows, or ask for top_k or stats alone");
}

int operation_run(struct operation_request *req, const struct at *at,
                  struct api_error *err)
{
    struct op_fault fault = {.row = 0};
    int rc = op_call_prepare(&req->call, &fault);
    if (rc > 0)
        return too_large(err);
    if (rc < 0 && !fault.whole)
        tell_kinds(req, at, err);
    if (rc < 0 && err->n == 0)
        tell(req, at, &fault, err);
    if (rc < 0)
        return -1;
    return op_call_run(&req->call) ? too_large(err) : 0;
}

int operation_answer(const struct operation_source *src,
                     const struct parallel *par, struct arena *mem,
                     struct json_out *out, struct operation_times *times,
                     struct api_error *err)
{
    struct operation_request *req = arena_alloc(mem, 1, sizeof(*req));
    if (!req)
        return too_large(err);
    double start = clock_ms();
    int rc = operation_read(src, par, mem, req, err) ||
             (src->npy_out && operation_npy_pick(req, err));
    double parsed = clock_ms();
    times->parse_ms += parsed - start;
    rc = rc || operation_run(req, src->at, err) ||
         operation_check_results(req, src->at, err);
    double computed = clock_ms();
    times->compute_ms += computed - parsed;
    if (rc)
        return -1;
    counts_operation(src->counts, src->row, req->call.in[0].n);
    if (src->npy_out)
        operation_npy_write(out, req);
    else
        operation_write(out, req);
    times->encode_ms += clock_ms() - computed;
    return 0;
}

int operation_body(const char *text, size_t len, struct arena *mem,
                   struct lifted *lifted, struct operation_source *src,
                   struct api_error *err)
{
    static const char *const tensors[] = {"/inputs/*", "/inputs/*/data", NULL};
    src->doc = lift_read(text, len, tensors, OP_INPUTS_MAX, mem, lifted, err);
    src->lifted = lifted;
    return src->doc ? 0 : -1;
}

/* A query says what a .npy body cannot; beside JSON it would go unheard. */
static int check_query(struct api_call *call)
{
    const char *query = call->req->query;
    struct query_pair pair;
    int rc;
    while ((rc = query_next(&query, call->mem, &pair, &call->err)) > 0)
        if (strcmp(pair.key, "pretty") != 0)
            return api_fail(&call->err, PROBLEM_UNKNOWN_MEMBER, NULL,
                            "the query has \"%.60s\"; with a JSON body it may "
                            "have pretty alone, all else belongs into the body",
                            pair.key);
    return rc;
}

static int read_json(struct api_call *call, struct lifted *lifted,
                     struct operation_source *src)
{
    if (check_query(call))
        return -1;
    return operation_body(call->body, call->body_len, call->mem, lifted, src,
                          &call->err);
}

/* POST /v1/{group}/{name} */
int operation_post(struct api_call *call)
{
    struct operation_source src = {.row = operation_find(call->rest),
                                   .counts = call->env->counts};
    struct lifted lifted;
    struct operation_times times = {0, 0, 0};
    struct npy npy;
    double start = clock_ms();
    int rc = strcmp(call->consumes, NPY_TYPE) == 0
                 ? operation_npy_source(call, &npy, &src)
                 : read_json(call, &lifted, &src);
    src.npy_out = strcmp(call->produces, NPY_TYPE) == 0;
    times.parse_ms = clock_ms() - start;
    rc = rc || operation_answer(&src, call->env->par, call->mem, &call->out,
                                &times, &call->err);
    call->res->parse_ms = times.parse_ms;
    call->res->compute_ms = times.compute_ms;
    call->res->encode_ms = times.encode_ms;
    return rc ? -1 : 0;
}
