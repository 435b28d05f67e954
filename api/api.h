/*
 * From request bytes to response bytes, without sockets or threads.
 *
 *   api_admit   looks at a request's head, before any of its body
 *   api_answer  answers the whole request
 */
#ifndef EVALD_API_API_H
#define EVALD_API_API_H

#include "api/error.h"
#include "core/arena.h"
#include "core/parallel.h"

#include <stdbool.h>
#include <stddef.h>

struct api_cache;
struct api_store;
struct json_out;
struct route;

#define EVALD_VERSION "0.1.0"

/* What the server is and allows, as far as answers depend on it. */
struct api_env {
    const struct parallel *par; /* with the stop of the request */
    size_t body_bytes_max;
    size_t workers;
    bool draining; /* shutting down: not ready for new work */
    /* Writes what /metrics answers, as OpenMetrics if `open`; or NULL. */
    void (*write_metrics)(void *metrics, bool open, struct json_out *out);
    void *metrics;
    /* What was computed adds to them; or NULL. */
    struct api_counts *counts;
    /* Of datasets and runs; NULL = there are none. */
    const struct api_store *store;
    const struct api_cache *cache;
};

/* A piece of a text or body. */
struct span {
    const char *text;
    size_t len;
};

/* Strings are borrowed; a header that was not sent is NULL. */
struct api_request {
    const char *method;
    const char *path;  /* without the query */
    const char *query; /* after the '?', or "" */
    const char *accept, *accept_encoding, *content_type, *content_encoding;
    const char *header_length; /* Inference-Header-Content-Length */
    const char *request_id;
    const char *if_match, *if_none_match;
    const char *idempotency_key;
    const char *last_event_id;
    const struct route *route; /* by api_find; NULL = not looked up yet */
    bool length_known;         /* content_length was sent */
    size_t content_length;
    const char *body; /* of the whole request, unless intake has it */
    size_t body_len;
    struct api_intake *intake;
};

struct api_response {
    int status;
    const char *content_type;     /* static; NULL = no body */
    const char *allow;            /* methods of the path, for Allow */
    const char *accept_post;      /* for Accept-Post, or NULL */
    const char *accept_encoding;  /* for Accept-Encoding, or NULL */
    const char *authenticate;     /* for WWW-Authenticate, or NULL */
    const char *etag;             /* for ETag, or NULL */
    const char *location;         /* for Location, or NULL */
    const char *content_encoding; /* of the body, or NULL */
    const char *vary;             /* for Vary, or NULL */
    const char
        *header_length; /* for Inference-Header-Content-Length, or NULL */
    int retry_after_s;  /* for Retry-After, or 0 */
    /*
     * The body is the beginning of an answer that goes on: the same request
     * with this for its last_event_id brings the rest, until it ends.
     */
    const char *stream_id; /* in the arena; NULL = no stream */
    bool stream_ends;
    char *body; /* in the arena */
    size_t body_len;
    /* for Server-Timing; 0 = none.  Inflating counts as parsing, compressing as
     * encoding. */
    double parse_ms, compute_ms, encode_ms;
};

/* What a client must be allowed to do there. */
enum api_scope { SCOPE_READ, SCOPE_WRITE, SCOPE_ADMIN, SCOPE_PUBLIC };

/* The route that a path leads to: what the server must know of it. */
struct api_route {
    size_t row; /* of the paths; api_paths() = there is no such path */
    enum api_scope scope;
    bool vital;    /* health and metrics: answered whatever the load */
    bool waits;    /* for the store, more than it computes */
    bool computes; /* much, whatever the size of the body */
    size_t inline_bytes_max; /* bodies beyond this are work for a worker */
    bool in_pieces;          /* the body may go to an intake while it comes */
    bool encoded; /* the length of the body does not say what it becomes */
};

/*
 * What a request may use of memory beside its body of this size: the budget
 * of its arena.  A body that is inflated adds to it what its content would.
 */
size_t api_memory_bytes(size_t body_len);

/* How many paths there are, and one of them as a template: "/v1/{group}". */
size_t api_paths(void);
const char *api_path(size_t row);

/* The route that a request with this head takes, which req keeps. */
struct api_route api_find(struct api_request *req);

/*
 * What a request with this head will usually need of its arena, to be paid
 * for by arena_prepay before its body comes: numbers, documents, the answer.
 * *route is as api_admit set it.  It is an estimate (reservation.c has the
 * measurements), and never above api_memory_bytes.
 */
size_t api_reservation(const struct api_env *env, const struct api_request *req,
                       const struct api_route *route);

/*
 * Looks at the head of a request.  True: go on, read the body, then call
 * api_answer.  False: *res is the answer already, and the body need not come.
 */
bool api_admit(const struct api_env *env, const struct api_request *req,
               struct arena *mem, struct api_response *res)
    __attribute__((warn_unused_result));

/*
 * A body that is read while it comes: made when the first piece is there, fed
 * with pieces in their order, then given to api_answer as req->intake, and
 * released.  It uses mem and env->par, and belongs to one thread at a time.
 * NULL when mem is spent: then the request is to be refused, as without its
 * body it would be another one.
 */
struct api_intake *api_intake_new(const struct api_env *env,
                                  const struct api_request *req,
                                  struct arena *mem);
void api_intake_take(struct api_intake *intake, const struct span *piece,
                     size_t n);
void api_intake_free(struct api_intake *intake);

/*
 * Answers an admitted request; cannot fail, as an error is an answer too.
 * Once env->par->stop is set it answers 504 at once (core/stop.h); so does an
 * intake, which then takes nothing more.
 */
void api_answer(const struct api_env *env, const struct api_request *req,
                struct arena *mem, struct api_response *res);

/* Why the server answers with an error of its own. */
struct api_refusal {
    enum problem kind;
    int retry_after_s; /* 0 = as is usual for the kind */
    char detail[DETAIL_BYTES];
};

/* Answers with why; env may be NULL. */
void api_refuse(const struct api_request *req, const struct api_refusal *why,
                struct arena *mem, struct api_response *res);

#endif
