#include "server/request.h"

#include "api/json_out.h"
#include "api/route.h"
#include "server/answers.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct request *request_take(struct http *http)
{
    struct request *r = http->spare;
    http->spare = NULL;
    if (!r)
        return calloc(1, sizeof(*r));
    memset(r, 0, sizeof(*r));
    return r;
}

void request_give(struct http *http, struct request *r)
{
    free(http->spare);
    http->spare = r;
}

/* Sixteen digits. */
static void put_hex(char *out, uint64_t x)
{
    for (size_t i = 16; i-- > 0; x >>= 4)
        out[i] = "0123456789abcdef"[x & 15];
    out[16] = '\0';
}

/* The client's id if it is 1 to 128 visible ASCII characters. */
static void set_id(struct request *r, uint64_t generated)
{
    const char *given = r->head.value[HEAD_REQUEST_ID];
    size_t n = given ? strlen(given) : 0;
    bool good = n > 0 && n < REQUEST_ID_BYTES;
    for (size_t i = 0; i < n && good; i++)
        good = given[i] > ' ' && given[i] < 0x7f;
    if (good)
        memcpy(r->id, given, n + 1);
    else
        put_hex(r->id, generated);
}

static enum MHD_Result add_header(void *gate, enum MHD_ValueKind kind,
                                  const char *name, size_t name_len,
                                  const char *value, size_t value_len)
{
    (void)kind;
    gate_header(gate, name, name_len, value, value_len);
    return MHD_YES;
}

static void read_gate(struct request *r, const char *method,
                      const char *version)
{
    struct gate *g = &r->head;
    gate_begin(g, method, r->c->target, version);
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, add_header, g);
    gate_end(g, MHD_get_connection_info(r->connection,
                                        MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
                    ->header_size);
}

int request_read_head(struct request *r, const char *method,
                      const char *version, uint64_t generated_id)
{
    const char *const *value = r->head.value;
    r->target = strdup(gate_origin_form(r->c->target));
    if (!r->target)
        return -1;
    read_gate(r, method, version);
    set_id(r, generated_id);
    char *query = strchr(r->target, '?');
    if (query)
        *query++ = '\0';
    strncpy(r->method, method, sizeof(r->method) - 1);
    r->req = (struct api_request){
        .method = r->method,
        .path = r->target,
        .query = query ? query : "",
        .accept = value[HEAD_ACCEPT],
        .accept_encoding = value[HEAD_ACCEPT_ENCODING],
        .content_type = value[HEAD_CONTENT_TYPE],
        .content_encoding = value[HEAD_CONTENT_ENCODING],
        .header_length = value[HEAD_INFERENCE_LENGTH],
        .request_id = r->id,
        .if_match = value[HEAD_IF_MATCH],
        .if_none_match = value[HEAD_IF_NONE_MATCH],
        .idempotency_key = value[HEAD_IDEMPOTENCY_KEY],
        .last_event_id = value[HEAD_LAST_EVENT_ID],
        .length_known = r->head.length_known,
        .content_length = r->head.content_length,
    };
    r->route = api_find(&r->req);
    return 0;
}

struct list {
    const char *name;
    struct json_out out; /* it grows by itself */
};

static enum MHD_Result add_to_list(void *context, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    struct list *l = context;
    (void)kind;
    if (strcasecmp(name, l->name) == 0)
        out_format(&l->out, "%s%s", l->out.len ? ", " : "", value);
    return MHD_YES;
}

static void join(struct request *r, enum head_name head, const char **value)
{
    struct list l = {.name = gate_name(head)};
    json_out_init(&l.out, &r->mem, false);
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_to_list, &l);
    out_bytes(&l.out, "", 1);
    if (*value && !l.out.failed)
        *value = l.out.text;
}

void request_join_lists(struct request *r)
{
    if (!r->head.lists)
        return;
    join(r, HEAD_ACCEPT, &r->req.accept);
    join(r, HEAD_ACCEPT_ENCODING, &r->req.accept_encoding);
    join(r, HEAD_IF_MATCH, &r->req.if_match);
    join(r, HEAD_IF_NONE_MATCH, &r->req.if_none_match);
}

static int own(const char **text, struct arena *mem)
{
    size_t n = *text ? strlen(*text) + 1 : 0;
    char *copy = n ? arena_alloc(mem, n, 1) : NULL;
    if (n && !copy)
        return -1;
    if (n)
        memcpy(copy, *text, n);
    *text = copy;
    return 0;
}

int request_own_head(struct request *r)
{
    return own(&r->req.content_type, &r->mem) ||
                   own(&r->req.content_encoding, &r->mem)
               ? -1
               : 0;
}

bool request_has_body(const struct request *r)
{
    return r->req.content_length > 0 || r->head.value[HEAD_TRANSFER_ENCODING];
}

void request_read_pieces(struct request *r)
{
    if (!r->begun)
        r->req.intake = api_intake_new(&r->env, &r->req, &r->mem);
    r->begun = true;
    if (r->req.intake)
        api_intake_take(r->req.intake, r->body.taken, r->body.n_taken);
}

void request_answer(struct request *r)
{
    r->started_ns = uv_hrtime();
    if (r->body.spares) {
        request_read_pieces(r);
        r->req.body = "";
    } else {
        r->req.body = r->body.text ? r->body.text : "";
        r->req.body_len = r->body.len;
    }
    if (r->body.spares && !r->req.intake) /* nobody has the body now */
        request_refuse(r, PROBLEM_MEMORY, 0, "no memory for the request");
    else
        api_answer(&r->env, &r->req, &r->mem, &r->res);
}

/* An answer on its way out: without one of its headers it may mislead. */
struct outgoing {
    struct MHD_Response *response;
    bool failed; /* there was no memory for a header */
};

static void answer_header(struct outgoing *out, const char *name,
                          const char *value)
{
    if (value && MHD_add_response_header(out->response, name, value) != MHD_YES)
        out->failed = true;
}

static double queue_ms(const struct request *r)
{
    return r->queued_ns && r->started_ns
               ? (double)(r->started_ns - r->queued_ns) / 1e6
               : 0;
}

/* ms with three digits behind the point; printf takes a microsecond for it. */
static char *put_ms(char *out, const char *name, double ms)
{
    char digits[24];
    size_t n = 0;
    uint64_t us = ms > 0 ? (uint64_t)(ms * 1000 + 0.5) : 0;
    for (; us > 0 || n < 5; us /= 10) {
        digits[n++] = (char)('0' + us % 10);
        if (n == 3)
            digits[n++] = '.';
    }
    out = stpcpy(out, name);
    while (n > 0)
        *out++ = digits[--n];
    *out = '\0';
    return out;
}

static void add_timing(const struct request *r, struct outgoing *out)
{
    char text[160];
    if (r->res.parse_ms + r->res.compute_ms <= 0)
        return;
    char *end = put_ms(text, "queue;dur=", queue_ms(r));
    end = put_ms(end, ", parse;dur=", r->res.parse_ms);
    end = put_ms(end, ", compute;dur=", r->res.compute_ms);
    put_ms(end, ", encode;dur=", r->res.encode_ms);
    answer_header(out, "Server-Timing", text);
}

void request_refuse(struct request *r, enum problem kind, int retry_after_s,
                    const char *format, ...)
{
    struct api_refusal why = {.kind = kind, .retry_after_s = retry_after_s};
    va_list args;
    va_start(args, format);
    vsnprintf(why.detail, sizeof(why.detail), format, args);
    va_end(args);
    api_refuse(&r->req, &why, &r->mem, &r->res);
}

/* What browsers are told about reading it from other sites' pages. */
static void add_cors(const struct request *r, struct outgoing *out)
{
    const struct origins *origins = &r->http->front->origins;
    const char *const *value = r->head.value;
    const char *origin = value[HEAD_ORIGIN];
    struct cors_answer cors =
        r->res.status == MHD_HTTP_NO_CONTENT
            ? cors_preflight(origins, origin, value[HEAD_REQUEST_METHOD],
                             value[HEAD_REQUEST_HEADERS], r->res.allow)
            : cors_headers(origins, origin);
    for (size_t i = 0; i < cors.n; i++)
        answer_header(out, cors.header[i].name, cors.header[i].value);
}

/* What browsers may do with a page; of anything else they make none. */
static const char *policy_of(const struct api_response *res)
{
    static const char html[] = "text/html";
    if (!res->content_type ||
        strncmp(res->content_type, html, sizeof(html) - 1) != 0)
        return NULL;
    return "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
           "form-action 'none'; frame-ancestors 'none'";
}

static void add_headers(const struct request *r, struct outgoing *out)
{
    const struct api_response *res = &r->res;
    char seconds[16];
    answer_header(out, "Content-Type", res->content_type);
    answer_header(out, "X-Request-Id", r->id);
    answer_header(out, "Allow", res->allow);
    answer_header(out, "Accept-Post", res->accept_post);
    answer_header(out, "Accept-Encoding", res->accept_encoding);
    answer_header(out, "WWW-Authenticate", res->authenticate);
    answer_header(out, "ETag", res->etag);
    answer_header(out, "Location", res->location);
    answer_header(out, "Content-Encoding", res->content_encoding);
    answer_header(out, "Vary", res->vary);
    answer_header(out, "Inference-Header-Content-Length", res->header_length);
    answer_header(out, "X-Content-Type-Options", "nosniff");
    answer_header(out, "Cache-Control", res->stream_id ? "no-store" : NULL);
    /* proxies are not to gather what is to be seen at once */
    answer_header(out, "X-Accel-Buffering", res->stream_id ? "no" : NULL);
    answer_header(out, "Content-Security-Policy", policy_of(res));
    bool ends = r->closes || front_phase(r->http->front) != FRONT_SERVING;
    answer_header(out, "Connection", ends ? "close" : NULL);
    if (res->retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%d", res->retry_after_s);
        answer_header(out, "Retry-After", seconds);
    }
    add_timing(r, out);
    add_cors(r, out);
}

/* NULL = no memory. */
static struct MHD_Response *make_response(struct request *r)
{
    struct outgoing out = {.response = r->res.stream_id
                                           ? stream_response(r)
                                           : MHD_create_response_from_buffer(
                                                 r->res.body_len, r->res.body,
                                                 MHD_RESPMEM_PERSISTENT)};
    if (!out.response)
        return NULL;
    add_headers(r, &out);
    if (!out.failed)
        return out.response;
    MHD_destroy_response(out.response);
    return NULL;
}

enum MHD_Result request_send(struct request *r)
{
    const struct http *http = r->http;
    if (r->res.stream_id && !stream_begin(r))
        request_refuse(r, PROBLEM_OVERLOADED, 0,
                       "as many clients listen to events as may");
    struct MHD_Response *response = make_response(r);
    if (!response)
        return MHD_NO;
    enum MHD_Result rc =
        answers_queue(r->connection, (unsigned)r->res.status, response);
    MHD_destroy_response(response);
    r->state = r->res.stream_id ? REQUEST_STREAM : REQUEST_SENT;
    connection_enter(&r->http->connections, r->c, PHASE_SEND,
                     http->front->settings->send_ms);
    return rc;
}

void request_finish(const struct request *r, bool sent)
{
    const struct http *http = r->http;
    const struct api_response *res = &r->res;
    double now_ns = (double)uv_hrtime();
    bool streamed = r->stream.counted; /* res is of its latest look */
    struct finished finished = {
        .id = r->id,
        .method = r->method,
        .path = r->target,
        .client = r->address,
        .token = *r->who ? r->who : NULL,
        .trace = *r->trace ? r->trace : NULL,
        .route = r->route.row < api_paths() ? &routes[r->route.row] : NULL,
        .status = streamed ? MHD_HTTP_OK : res->status,
        .bytes_in = r->body.bytes,
        .bytes_out = streamed ? r->stream.bytes : res->body_len,
        .total_ms = (now_ns - (double)r->began_ns) / 1e6,
        .stage_ms = {[STAGE_QUEUE] = queue_ms(r),
                     [STAGE_PARSE] = res->parse_ms,
                     [STAGE_COMPUTE] = res->compute_ms,
                     [STAGE_ENCODE] = res->encode_ms},
        .reason = r->reason,
        .sent = sent,
    };
    metrics_request(http->front->metrics, http->index, &finished);
    log_access(&finished);
}

void request_clear(struct request *r)
{
    if (r->req.intake)
        api_intake_free(r->req.intake);
    body_clear(&r->body);
    free(r->target);
    r->target = NULL;
}
