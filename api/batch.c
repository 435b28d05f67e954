/* POST /v1/batch: many operations in one request. */
#include "api/operation.h"
#include "api/route.h"

enum { REQUESTS_MAX = 256 };

/* The operation that one of the requests names. */
static size_t find(const json_t *doc, const struct at *at,
                   struct api_error *err)
{
    struct at place = {at, "operation", 0};
    const json_t *m = json_object_get(doc, place.key);
    const char *path = json_string_value(m);
    if (read_object(doc, at, err))
        return SIZE_MAX;
    if (!path) {
        at_fail(err, m ? PROBLEM_INVALID_VALUE : PROBLEM_MISSING_MEMBER, &place,
                "%s%s, must be a name such as \"losses/giou\"",
                m ? "is " : "is missing", m ? json_kind(m) : "");
        return SIZE_MAX;
    }
    size_t row = operation_find(path);
    if (row == SIZE_MAX)
        operation_unknown(path, err);
    return row;
}

/*
 * One response: {"status": 200, "body": …}.  A body that fails halfway is
 * taken back, so that the others stand.
 */
static void answer(struct api_call *call, const json_t *doc,
                   struct lifted *lifted, const struct at *at,
                   struct operation_times *times)
{
    struct json_out *out = &call->out;
    struct api_error err = {.n = 0};
    size_t row = find(doc, at, &err);
    struct operation_source src = {.row = row,
                                   .doc = doc,
                                   .lifted = lifted,
                                   .at = at,
                                   .named = true,
                                   .counts = call->env->counts};
    struct json_out before = *out;
    out_open(out, '{');
    out_member_integer(out, "status", 200);
    out_key(out, "body");
    struct arena_mark mark = arena_mark(call->mem);
    if (row != SIZE_MAX && operation_answer(&src, call->env->par, call->mem,
                                            out, times, &err) == 0) {
        out_close(out, '}');
        return;
    }
    if (is_stopped(call->mem->stop))
        return; /* and there need be no fault */
    api_blame(&err, call->mem);
    arena_release(call->mem, mark); /* it fails before it writes */
    out_rewind(out, &before);
    out_open(out, '{');
    out_member_integer(out, "status", problem_type(err.fault[0].kind)->status);
    out_key(out, "body");
    error_write(out, &err, NULL, NULL);
    out_close(out, '}');
}

int batch_post(struct api_call *call)
{
    static const char *const members[] = {"requests"};
    static const char *const tensors[] = {"/requests/*/inputs/*",
                                          "/requests/*/inputs/*/data", NULL};
    struct at at = {NULL, members[0], 0};
    struct operation_times times = {0, 0, 0};
    struct lifted lifted;
    const json_t *doc = lift_read(call->body, call->body_len, tensors,
                                  (size_t)REQUESTS_MAX * OP_INPUTS_MAX,
                                  call->mem, &lifted, &call->err);
    if (!doc || read_object(doc, NULL, &call->err) ||
        read_known(doc, NULL, members, 1, &call->err))
        return -1;
    const json_t *list = json_object_get(doc, at.key);
    if (read_array(list, &at, &call->err))
        return -1;
    size_t n = json_array_size(list);
    if (n > REQUESTS_MAX)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                       "has %zu requests, may have %d", n, REQUESTS_MAX);
    out_open(&call->out, '{');
    out_key(&call->out, "responses");
    out_open(&call->out, '[');
    for (size_t i = 0; i < n && !is_stopped(call->mem->stop); i++)
        answer(call, json_array_get(list, i), &lifted,
               &(struct at){&at, NULL, i}, &times);
    out_close(&call->out, ']');
    out_close(&call->out, '}');
    call->res->parse_ms = times.parse_ms;
    call->res->compute_ms = times.compute_ms;
    call->res->encode_ms = times.encode_ms;
    return 0;
}
