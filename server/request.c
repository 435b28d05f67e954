#include "server/request.h"

#include "server/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The client's id if it is 1 to 128 visible ASCII characters. */
static void set_id(struct request *r, uint64_t generated)
{
    const char *given = header(r, "X-Request-Id");
    size_t n = given ? strlen(given) : 0;
    bool good = n > 0 && n < REQUEST_ID_BYTES;
    for (size_t i = 0; i < n && good; i++)
        good = given[i] > ' ' && given[i] < 0x7f;
    if (good)
        memcpy(r->id, given, n + 1);
    else
        snprintf(r->id, sizeof(r->id), "%016llx",
                 (unsigned long long)generated);
}

/* The path and query of http://host/path?query, which proxies send. */
static const char *origin_form(const char *target)
{
    static const char scheme[] = "http://";
    if (strncasecmp(target, scheme, sizeof(scheme) - 1) != 0)
        return target;
    target += sizeof(scheme) - 1;
    target += strcspn(target, "/?");
    return *target ? target : "/";
}

int request_read_head(struct request *r, const char *method, const char *target,
                      uint64_t generated_id)
{
    r->target = strdup(origin_form(target));
    if (!r->target)
        return -1;
    set_id(r, generated_id);
    char *query = strchr(r->target, '?');
    if (query)
        *query++ = '\0';
    /* beside chunks it says nothing */
    const char *length =
        header(r, "Transfer-Encoding") ? NULL : header(r, "Content-Length");
    snprintf(r->method, sizeof(r->method), "%s", method);
    r->req = (struct api_request){
        .method = r->method,
        .path = r->target,
        .query = query ? query : "",
        .accept = header(r, "Accept"),
        .accept_encoding = header(r, "Accept-Encoding"),
        .content_type = header(r, "Content-Type"),
        .content_encoding = header(r, "Content-Encoding"),
        .header_length = header(r, "Inference-Header-Content-Length"),
        .request_id = r->id,
        .if_none_match = header(r, "If-None-Match"),
        .length_known = length,
        .content_length = length ? strtoull(length, NULL, 10) : 0,
    };
    return 0;
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
    return r->req.content_length > 0 || header(r, "Transfer-Encoding");
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
    api_answer(&r->env, &r->req, &r->mem, &r->res);
}

static void add_header(struct MHD_Response *response, const char *name,
                       const char *value)
{
    if (value)
        MHD_add_response_header(response, name, value);
}

static void add_timing(const struct request *r, struct MHD_Response *response)
{
    char text[128];
    double queue_ms =
        r->queued_ns ? (double)(r->started_ns - r->queued_ns) / 1e6 : 0;
    if (r->res.parse_ms <= 0)
        return;
    snprintf(text, sizeof(text),
             "queue;dur=%.3f, parse;dur=%.3f, compute;dur=%.3f, "
             "encode;dur=%.3f",
             queue_ms, r->res.parse_ms, r->res.compute_ms, r->res.encode_ms);
    MHD_add_response_header(response, "Server-Timing", text);
}

enum MHD_Result request_send(struct request *r)
{
    const struct api_response *res = &r->res;
    char seconds[16];
    struct MHD_Response *response = MHD_create_response_from_buffer(
        res->body_len, res->body, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    add_header(response, "Content-Type", res->content_type);
    add_header(response, "X-Request-Id", r->id);
    add_header(response, "Allow", res->allow);
    add_header(response, "Accept-Post", res->accept_post);
    add_header(response, "Accept-Encoding", res->accept_encoding);
    add_header(response, "ETag", res->etag);
    add_header(response, "Content-Encoding", res->content_encoding);
    add_header(response, "Vary", res->vary);
    add_header(response, "Inference-Header-Content-Length", res->header_length);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Content-Security-Policy",
               "default-src 'none'; style-src 'unsafe-inline'; "
               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    add_header(response, "Connection", r->env.draining ? "close" : NULL);
    snprintf(seconds, sizeof(seconds), "%d", res->retry_after_s);
    add_header(response, "Retry-After", res->retry_after_s ? seconds : NULL);
    add_timing(r, response);
    enum MHD_Result rc =
        MHD_queue_response(r->connection, (unsigned)res->status, response);
    MHD_destroy_response(response);
    r->state = REQUEST_SENT;
    return rc;
}

void request_log(const struct request *r, bool sent)
{
    double ms = (double)(uv_hrtime() - r->began_ns) / 1e6;
    log_info("%d %s %.200s in=%zu out=%zu ms=%.3f id=%s%s", r->res.status,
             r->req.method, r->req.path, r->body.bytes, r->res.body_len, ms,
             r->id, sent ? "" : " (client went away)");
}

void request_clear(struct request *r)
{
    if (r->req.intake)
        api_intake_free(r->req.intake);
    body_clear(&r->body);
    free(r->target);
    r->target = NULL;
}
