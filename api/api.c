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

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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
    if (res->body_len < CONTENT_BYTES_MIN || res->stream_id)
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

static const struct error_form *form_of(const struct api_request *req)
{
    static const struct error_form forms[] = {
        {"application/problem+json", problem_status, write_problem},
        {"application/json", oip_status, write_oip}};
    return &forms[oip_owns(req->path)];
}

/* Problems that are told even if there is no memory to write them. */
struct last_word {
    enum problem problem;
    char *body, *oip; /* of /v2 */
};

#define LAST_WORD(kind, name, title, status, detail)              \
    {                                                             \
        kind,                                                     \
            "{\"type\":\"/problems/" name "\",\"title\":\"" title \
            "\",\"status\":" status ",\"detail\":\"" detail       \
            "\",\"error\":\"" detail "\"}",                       \
            "{\"error\":\"" detail "\"}"                          \
    }

static const struct last_word last_words[] = {
    LAST_WORD(PROBLEM_MEMORY, "too-much-memory",
              "The request needs more memory than allowed", "413",
              "the answer does not fit in the memory of one request"),
    LAST_WORD(PROBLEM_OVERLOADED, "overloaded", "The server has too much to do",
              "503", "its memory is taken by other requests"),
    LAST_WORD(PROBLEM_DEADLINE, "deadline",
              "The request took longer than allowed", "504",
              "stopped after the deadline"),
};

/* Of any other problem the first: there is no memory. */
static void answer_without_memory(struct api_call *call, enum problem problem)
{
    const struct last_word *w = &last_words[COUNT(last_words) - 1];
    while (w > last_words && w->problem != problem)
        w--;
    call->res->status = problem_type(w->problem)->status;
    call->res->content_type = form_of(call->req)->type;
    call->res->header_length = NULL;
    call->res->body = oip_owns(call->req->path) ? w->oip : w->body;
    call->res->body_len = strlen(call->res->body);
}

static void answer_error(struct api_call *call)
{
    const struct error_form *form = form_of(call->req);
    api_blame(&call->err, call->mem);
    call->res->header_length = NULL;
    call->res->stream_id = NULL; /* it is no event */
    json_out_init(&call->out, call->mem, call->out.pretty);
    form->write(&call->out, &call->err, call->req);
    call->res->status = form->status(&call->err);
    call->res->content_type = form->type;
    call->res->body = call->out.text;
    call->res->body_len = call->out.len;
    if (call->out.failed)
        answer_without_memory(call, call->err.fault[0].kind);
    encode(call);
    if (call->res->status == 503 || call->res->status == 429)
        call->res->retry_after_s = RETRY_AFTER_S;
}

static void answer(struct api_call *call)
{
    if (call->out.failed) {
        api_fail(&call->err, PROBLEM_MEMORY, NULL,
                 "the answer does not fit in the memory of one request");
        answer_error(call);
        return;
    }
    if (!call->res->status)
        call->res->status = 200;
    if (call->res->status == 204)
        return;
    call->res->content_type = call->produces;
    call->res->body = call->out.text;
    call->res->body_len = call->out.len;
    encode(call);
}

static bool is_method(const struct api_call *call, const char *method)
{
    return strcmp(call->req->method, method) == 0;
}

/* A method whose body is read. */
static bool takes_body(const struct api_call *call)
{
    return is_method(call, "POST") || is_method(call, "PUT") ||
           is_method(call, "PATCH");
}

/*
 * Names the answer, by its bytes unless it has a name.  Whoever has them
 * already gets 304, which is sent without the body but, as the answer to HEAD
 * is, with its length.
 */
static void tag(struct api_call *call)
{
    struct api_response *res = call->res;
    if (res->status != 200 || takes_body(call))
        return;
    if (!res->etag)
        res->etag = etag_new(res->body, res->body_len, call->mem);
    if (!res->etag || !etag_listed(call->req->if_none_match, res->etag))
        return;
    res->status = 304;
    res->content_type = res->content_encoding = NULL;
}

static api_handler *handler_of(const struct api_call *call,
                               const struct route *route)
{
    return route_handler(route, call->req->method);
}

/* The types, as text. */
static const char *list_types(const char *const *types, const char *between,
                              struct arena *mem)
{
    struct json_out list;
    json_out_init(&list, mem, false);
    for (size_t i = 0; types[i]; i++)
        out_format(&list, "%s%.*s", i ? between : "",
                   (int)strcspn(types[i], ";"), types[i]);
    out_bytes(&list, "", 1);
    return list.failed ? "" : list.text;
}

static int check_accept(struct api_call *call, const struct route *route)
{
    size_t row = accept_pick(call->req->accept, route->produces);
    call->produces = route->produces[row];
    if (call->produces)
        return 0;
    return api_fail(&call->err, PROBLEM_NOT_ACCEPTABLE, NULL,
                    "Accept is \"%.100s\"; this path answers %s",
                    call->req->accept,
                    list_types(route->produces, " or ", call->mem));
}

static int body_too_large(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_BODY_TOO_LARGE, NULL,
                    "the limit is %zu bytes", call->env->body_bytes_max);
}

static int check_coding(struct api_call *call, const struct route *route)
{
    const char *coding = call->req->content_encoding;
    if (coding_of(coding) != CODING_UNKNOWN)
        return 0;
    call->res->accept_post = list_types(route->consumes, ", ", call->mem);
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
    call->res->accept_post = list_types(route->consumes, ", ", call->mem);
    return api_fail(&call->err, PROBLEM_MEDIA_TYPE, NULL,
                    "Content-Type is %s%.100s%s; send %s, JSON in UTF-8",
                    type ? "\"" : "", type ? type : "missing", type ? "\"" : "",
                    list_types(route->consumes, " or ", call->mem));
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

/* Without its methods an answer about them would mislead. */
static int allow(struct api_call *call, const struct route *route)
{
    call->res->allow = route_allow(route, call->mem);
    return call->res->allow ? 0
                            : api_fail(&call->err, PROBLEM_MEMORY, NULL,
                                       "no memory for the answer");
}

static int check_head(struct api_call *call, const struct route *route)
{
    if (!route)
        return no_such_path(call);
    if (!handler_of(call, route) && !is_method(call, "OPTIONS")) {
        if (allow(call, route))
            return -1;
        return api_fail(&call->err, PROBLEM_METHOD, NULL,
                        "%.20s is not a method of this path; it has %s",
                        call->req->method, call->res->allow);
    }
    if (route->stored && !call->env->store && !is_method(call, "OPTIONS"))
        return api_fail(&call->err, PROBLEM_NOT_OFFERED, NULL,
                        "this server keeps no datasets and runs; start it with "
                        "a --store");
    if (!is_method(call, "OPTIONS") &&
        (check_accept(call, route) ||
         (takes_body(call) && check_body(call, route))))
        return -1;
    /* whatever the method, a body has to be read */
    const struct api_request *req = call->req;
    if (req->length_known && req->content_length > call->env->body_bytes_max)
        return body_too_large(call);
    return 0;
}

size_t api_paths(void)
{
    return n_routes;
}

const char *api_path(size_t row)
{
    return routes[row].path;
}

static const struct route *route_of(const struct api_request *req)
{
    return req->route ? req->route : route_find(req->path);
}

struct api_route api_find(struct api_request *req)
{
    const struct route *found = req->route = route_find(req->path);
    bool encoded = coding_of(req->content_encoding) != CODING_IDENTITY;
    if (!found)
        return (struct api_route){.row = n_routes, .encoded = encoded};
    return (struct api_route){
        .row = (size_t)(found - routes),
        .scope = route_scope(found, req->method),
        .vital = found->vital,
        .waits = route_waits(found, req->method),
        .computes = found->stored && !route_waits(found, req->method),
        .inline_bytes_max = encoded ? 0 : found->inline_bytes_max,
        .in_pieces = found->in_pieces && strcmp(req->method, "POST") == 0,
        .encoded = encoded,
    };
}

bool api_admit(const struct api_env *env, const struct api_request *req,
               struct arena *mem, struct api_response *res)
{
    struct api_call call;
    call_init(&call, env, req, mem, res);
    if (check_head(&call, route_of(req)) == 0)
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
    if (!takes_body(call) || route->in_pieces)
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

/* The call is made; its answer is written, whatever it may be. */
static void answer_call(struct api_call *call)
{
    const struct route *route = route_of(call->req);
    if (check_head(call, route)) {
        answer_error(call);
        return;
    }
    if (is_method(call, "OPTIONS")) {
        call->res->status = 204;
        if (allow(call, route))
            answer_error(call);
        return;
    }
    call->rest = route_rest(route, call->req->path);
    int rc = handle(call, route);
    if (is_stopped(call->mem->stop))
        return; /* and there need be no fault */
    if (rc) {
        answer_error(call);
        return;
    }
    answer(call);
    if (route->tagged)
        tag(call);
}

/*
 * Whatever has been made of a request that is stopped by now is not to be
 * trusted, so it never leaves: this is the only place that must be right.
 */
void api_answer(const struct api_env *env, const struct api_request *req,
                struct arena *mem, struct api_response *res)
{
    struct api_call call;
    call_init(&call, env, req, mem, res);
    mem->stop = env->par ? env->par->stop : NULL;
    answer_call(&call);
    if (!is_stopped(mem->stop))
        return;
    mem->stop = NULL; /* what follows is wanted */
    call_init(&call, env, req, mem, res);
    api_fail(&call.err, PROBLEM_DEADLINE, NULL, "stopped after the deadline");
    answer_error(&call);
}

void api_refuse(const struct api_request *req, const struct api_refusal *why,
                struct arena *mem, struct api_response *res)
{
    struct api_call call;
    mem->stop = NULL; /* this is wanted, whatever has come before */
    call_init(&call, NULL, req, mem, res);
    api_fail(&call.err, why->kind, NULL, "%s", why->detail);
    answer_error(&call);
    if (why->retry_after_s)
        res->retry_after_s = why->retry_after_s;
    if (why->kind == PROBLEM_UNAUTHORIZED)
        res->authenticate = "Bearer realm=\"evald\"";
}
