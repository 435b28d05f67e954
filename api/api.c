/* One request, a straight line: route, check, handler, answer. */
#include "api/api.h"

#include "api/accept.h"
#include "api/clock.h"
#include "api/content.h"
#include "api/etag.h"
#include "api/oip.h"
#include "api/operation.h"
#include "api/query.h"
#include "api/route.h"

#include <stdio.h>
#include <string.h>

enum {
    RETRY_AFTER_S = 1,
    MEMORY_PER_BODY_BYTE = 10, /* jansson's documents take 7 to 9 */
};
static const size_t MEMORY_BYTES_BASE = (size_t)256 << 20;

static void call_init(struct api_call *call, const struct api_env *env,
                      const struct api_request *req, struct arena *mem,
                      struct api_response *res)
{
    *res = (struct api_response){0};
    call->env = env;
    call->req = req;
    call->mem = mem;
    call->res = res;
    call->err.n = 0;
    call->rest = "";
    call->produces = call->consumes = NULL;
    call->body = req->body;
    call->body_len = req->body_len;
    json_out_init(&call->out, mem, query_has(req->query, "pretty"));
}

/*
 * Compresses the body if the client likes that.  Caches are told even where it
 * does not, as the next client may.
 */
static void encode(struct api_call *call)
{
    struct api_response *res = call->res;
    if (res->body_len < CONTENT_BYTES_MIN)
        return;
    double start = clock_ms();
    enum coding coding = coding_wanted(call->req->accept_encoding);
    res->vary = "Accept-Encoding";
    if (content_encode(coding, &res->body, &res->body_len, call->mem))
        res->content_encoding = coding_name(coding);
    res->encode_ms += clock_ms() - start;
}

/* How errors are told: as problems, or as the protocol below /v2 has them. */
struct error_form {
    const char *type;
    int (*status)(const struct api_error *err);
    void (*write)(struct json_out *out, const struct api_error *err,
                  const struct api_request *req);
    char *without_memory; /* the body when there is none left to write one */
};

static int problem_status(const struct api_error *err)
{
    return problem_type(err->fault[0].kind)->status;
}

static void write_problem(struct json_out *out, const struct api_error *err,
                          const struct api_request *req)
{
    error_write(out, err, req->path, req->request_id);
}

static void write_oip(struct json_out *out, const struct api_error *err,
                      const struct api_request *req)
{
    (void)req;
    oip_write_error(out, err);
}

#define SPENT \
    "\"error\":\"the answer does not fit in the memory of one request\"}"

static const struct error_form *form_of(const struct api_request *req)
{
    static char problem[] =
        "{\"type\":\"/problems/too-much-memory\",\"title\":\"The request needs "
        "more memory than allowed\",\"status\":413,\"detail\":\"the answer "
        "does not fit in the memory of one request\"," SPENT;
    static char oip[] = "{" SPENT;
    static const struct error_form forms[] = {
        {"application/problem+json", problem_status, write_problem, problem},
        {"application/json", oip_status, write_oip, oip}};
    return &forms[oip_owns(req->path)];
}

static void answer_without_memory(struct api_call *call)
{
    const struct error_form *form = form_of(call->req);
    call->res->status = problem_type(PROBLEM_MEMORY)->status;
    call->res->content_type = form->type;
    call->res->header_length = NULL;
    call->res->body = form->without_memory;
    call->res->body_len = strlen(form->without_memory);
}

static void answer_error(struct api_call *call)
{
    const struct error_form *form = form_of(call->req);
    json_out_init(&call->out, call->mem, call->out.pretty);
    form->write(&call->out, &call->err, call->req);
    call->res->status = form->status(&call->err);
    call->res->content_type = form->type;
    call->res->body = call->out.text;
    call->res->body_len = call->out.len;
    if (call->out.failed)
        answer_without_memory(call);
    encode(call);
    if (call->res->status == 503)
        call->res->retry_after_s = RETRY_AFTER_S;
}

static void answer(struct api_call *call)
{
    if (call->out.failed) {
        answer_without_memory(call);
        return;
    }
    if (!call->res->status)
        call->res->status = 200;
    call->res->content_type = call->produces;
    call->res->body = call->out.text;
    call->res->body_len = call->out.len;
    encode(call);
}

/*
 * Names the answer by its bytes.  Whoever has them already gets 304, which is
 * sent without the body but, as the answer to HEAD is, with its length.
 */
static void tag(struct api_call *call)
{
    struct api_response *res = call->res;
    if (res->status != 200)
        return;
    res->etag = etag_new(res->body, res->body_len, call->mem);
    if (!res->etag || !etag_listed(call->req->if_none_match, res->etag))
        return;
    res->status = 304;
    res->content_type = res->content_encoding = NULL;
}

static bool is_method(const struct api_call *call, const char *method)
{
    return strcmp(call->req->method, method) == 0;
}

static api_handler *handler_of(const struct api_call *call,
                               const struct route *route)
{
    if (is_method(call, "GET") || is_method(call, "HEAD"))
        return route->get;
    return is_method(call, "POST") ? route->post : NULL;
}

static int check_accept(struct api_call *call, const struct route *route)
{
    char plain[TYPES_MAX][64], all[TYPES_MAX * 64] = "";
    const char *types[TYPES_MAX];
    size_t n = 0, len = 0;
    for (; n < TYPES_MAX && route->produces[n]; n++) {
        snprintf(plain[n], sizeof(plain[n]), "%.*s",
                 (int)strcspn(route->produces[n], ";"), route->produces[n]);
        types[n] = plain[n];
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
                                n ? " or " : "", plain[n]);
    }
    size_t row = accept_pick(call->req->accept, types, n);
    if (row < n) {
        call->produces = route->produces[row];
        return 0;
    }
    return api_fail(&call->err, PROBLEM_NOT_ACCEPTABLE, NULL,
                    "Accept is \"%.100s\"; this path answers %s",
                    call->req->accept, all);
}

static int body_too_large(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_BODY_TOO_LARGE, NULL,
                    "the limit is %zu bytes", call->env->body_bytes_max);
}

/* The types of route, as text. */
static const char *list_types(const struct route *route, const char *between,
                              struct arena *mem)
{
    struct json_out list;
    json_out_init(&list, mem, false);
    for (size_t i = 0; route->consumes[i]; i++)
        out_format(&list, "%s%s", i ? between : "", route->consumes[i]);
    out_bytes(&list, "", 1);
    return list.failed ? "" : list.text;
}

static int check_coding(struct api_call *call, const struct route *route)
{
    const char *coding = call->req->content_encoding;
    if (coding_of(coding) != CODING_UNKNOWN)
        return 0;
    call->res->accept_post = list_types(route, ", ", call->mem);
    call->res->accept_encoding = CONTENT_CODINGS;
    return api_fail(
        &call->err, PROBLEM_MEDIA_TYPE, NULL,
        "Content-Encoding is \"%.60s\"; send one of " CONTENT_CODINGS
        ", or none",
        coding);
}

static int check_type(struct api_call *call, const struct route *route)
{
    const char *type = call->req->content_type;
    size_t row = content_pick(type, route->consumes);
    if (!type && route->untyped)
        row = 0;
    call->consumes = route->consumes[row];
    if (call->consumes)
        return 0;
    call->res->accept_post = list_types(route, ", ", call->mem);
    return api_fail(&call->err, PROBLEM_MEDIA_TYPE, NULL,
                    "Content-Type is %s%.100s%s; send %s, JSON in UTF-8",
                    type ? "\"" : "", type ? type : "missing", type ? "\"" : "",
                    list_types(route, " or ", call->mem));
}

/* The head of a request with a body. */
static int check_body(struct api_call *call, const struct route *route)
{
    return check_coding(call, route) || check_type(call, route) ? -1 : 0;
}

/* A POST to an unknown path below /v1 is a misspelt operation. */
static int no_such_path(struct api_call *call)
{
    static const char prefix[] = "/v1/";
    const char *path = call->req->path, *rest = path + sizeof(prefix) - 1;
    if (oip_owns(path))
        return oip_no_such_path(path, &call->err);
    if (is_method(call, "POST") && strncmp(path, prefix, strlen(prefix)) == 0)
        return operation_unknown(rest, &call->err);
    return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                    "no such path; GET /v1 lists what there is");
}

static int check_head(struct api_call *call, const struct route *route)
{
    if (!route)
        return no_such_path(call);
    if (!handler_of(call, route) && !is_method(call, "OPTIONS")) {
        call->res->allow = route_allow(route);
        return api_fail(&call->err, PROBLEM_METHOD, NULL,
                        "%.20s is not a method of this path; it has %s",
                        call->req->method, route_allow(route));
    }
    bool post = is_method(call, "POST");
    if (!is_method(call, "OPTIONS") &&
        (check_accept(call, route) || (post && check_body(call, route))))
        return -1;
    /* whatever the method, a body has to be read */
    const struct api_request *req = call->req;
    if (req->length_known && req->content_length > call->env->body_bytes_max)
        return body_too_large(call);
    return 0;
}

bool api_admit(const struct api_env *env, const struct api_request *req,
               struct arena *mem, struct api_route *route,
               struct api_response *res)
{
    struct api_call call;
    const struct route *found = route_find(req->path);
    call_init(&call, env, req, mem, res);
    bool encoded = coding_of(req->content_encoding) != CODING_IDENTITY;
    *route = (struct api_route){.encoded = encoded};
    if (found) {
        route->inline_bytes_max = encoded ? 0 : found->inline_bytes_max;
        route->in_pieces = found->in_pieces && is_method(&call, "POST");
    }
    if (check_head(&call, found) == 0)
        return true;
    answer_error(&call);
    return false;
}

size_t api_memory_bytes(size_t body_len)
{
    return MEMORY_BYTES_BASE + MEMORY_PER_BODY_BYTE * body_len;
}

/*
 * Inflates the body, and gives the content the memory that it would have had
 * if it had come as it is.  An intake does its own inflating.
 */
static int decode(struct api_call *call, const struct route *route)
{
    const struct api_request *req = call->req;
    if (!is_method(call, "POST") || route->in_pieces)
        return 0;
    if (content_decode(coding_of(req->content_encoding), &call->body,
                       &call->body_len, call->env->body_bytes_max, call->mem,
                       &call->err))
        return -1;
    if (call->body_len > req->body_len)
        call->mem->bytes_max +=
            api_memory_bytes(call->body_len) - api_memory_bytes(req->body_len);
    return 0;
}

/* Decodes, and has the answer written. */
static int handle(struct api_call *call, const struct route *route)
{
    double start = clock_ms();
    if (decode(call, route))
        return -1;
    double decode_ms = clock_ms() - start;
    int rc = handler_of(call, route)(call);
    if (call->body != call->req->body)
        call->res->parse_ms += decode_ms;
    return rc;
}

void api_answer(const struct api_env *env, const struct api_request *req,
                struct arena *mem, struct api_response *res)
{
    struct api_call call;
    const struct route *route = route_find(req->path);
    call_init(&call, env, req, mem, res);
    if (check_head(&call, route)) {
        answer_error(&call);
        return;
    }
    if (is_method(&call, "OPTIONS")) {
        res->status = 204;
        res->allow = route_allow(route);
        return;
    }
    call.rest = route_rest(route, req->path);
    if (handle(&call, route)) {
        answer_error(&call);
        return;
    }
    answer(&call);
    if (route->tagged)
        tag(&call);
}

void api_overloaded(const struct api_request *req, struct arena *mem,
                    struct api_response *res)
{
    struct api_call call;
    call_init(&call, NULL, req, mem, res);
    api_fail(&call.err, PROBLEM_OVERLOADED, NULL,
             "the queue of requests is full");
    answer_error(&call);
}

void api_body_too_large(const struct api_env *env,
                        const struct api_request *req, struct arena *mem,
                        struct api_response *res)
{
    struct api_call call;
    call_init(&call, env, req, mem, res);
    body_too_large(&call);
    answer_error(&call);
}
