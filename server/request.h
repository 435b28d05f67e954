/* One HTTP request on its way through the server. */
#ifndef EVALD_SERVER_REQUEST_H
#define EVALD_SERVER_REQUEST_H

#include "api/api.h"
#include "core/arena.h"
#include "server/body.h"
#include "server/connections.h"
#include "server/finished.h"
#include "server/gate.h"
#include "server/origin.h"
#include "server/pool.h"
#include "server/tokens.h"
#include "server/trace.h"

#include <microhttpd.h>

enum { REQUEST_ID_BYTES = 129, METHOD_BYTES = 24, STREAM_ID_BYTES = 64 };

/* An answer that goes on (stream.h). */
struct stream {
    size_t sent;         /* of res.body */
    size_t bytes;        /* of all that there were */
    bool ends;           /* there is nothing behind res.body */
    bool counted;        /* among the front's */
    unsigned tokens_age; /* of the front, when it was let in */
    char last[STREAM_ID_BYTES];
    uint64_t looked_ns, told_ns; /* when it was asked for more, and had some */
};

enum request_state {
    REQUEST_HEAD,   /* only its head is there */
    REQUEST_BODY,   /* admitted, its body is coming */
    REQUEST_WORK,   /* a thread of the pool has it */
    REQUEST_DONE,   /* res is the answer */
    REQUEST_SENT,   /* the answer is with libmicrohttpd */
    REQUEST_STREAM, /* likewise, and goes on */
};

struct request {
    struct pool_job job; /* first: the job's request is found by it */
    struct http *http;
    struct connection *c; /* NULL once the connection has ended */
    struct MHD_Connection *connection;
    enum request_state state;
    struct gate head; /* of use while the connection is there */
    struct parallel par;
    struct api_env env;
    struct api_request req;
    struct api_route route;
    struct api_response res;
    struct arena mem;
    char *target; /* of the request line, cut at the '?' */
    char method[METHOD_BYTES];
    struct body body;
    enum pool_lane lane;
    bool large;         /* its body, as far as the head says */
    bool begun;         /* there has been a first piece to read */
    bool complete;      /* the body has come */
    bool busy;          /* a job is with the pool */
    bool paused;        /* suspended */
    bool watched;       /* among those whose leaving is looked out for */
    bool refused;       /* the pool had no place for its pieces */
    bool closes;        /* the connection is not to be used again */
    atomic_bool stop;   /* what is computed is not wanted any more */
    enum reason reason; /* why it was not served, or not to its end */
    uint64_t rate_ns, looked_ns; /* the body has been waited for; till when */
    struct stream stream;
    char id[REQUEST_ID_BYTES], trace[TRACE_ID_BYTES], who[TOKEN_NAME_BYTES];
    char address[INET6_ADDRSTRLEN]; /* of the client */
    bool counted;                   /* among its client's requests */
    struct client *held;            /* its place there */
    uint64_t began_ns, queued_ns, started_ns;
};

/*
 * A request that is all zeros, or NULL.  The latest that was given back is
 * kept for the next: it is larger than what malloc is quick with, and all that
 * is answered at once needs only one.
 */
struct request *request_take(struct http *http)
    __attribute__((warn_unused_result));
void request_give(struct http *http, struct request *r);

/*
 * Fills r->head and r->req from the head; r->c has the target.  generated_id
 * is used where the client gave no id of its own.  -1 when there is no
 * memory; what is wrong with the head is in r->head.
 */
int request_read_head(struct request *r, const char *method,
                      const char *version, uint64_t generated_id);

/*
 * Makes one list, in r->mem, of those that came in several lines.  Of others
 * the first counts.
 */
void request_join_lists(struct request *r);

/* Copies what of the head is read with the body; -1 when there is no memory. */
int request_own_head(struct request *r);

/* Whether the head announces a body. */
bool request_has_body(const struct request *r);

/* Reads the pieces that were taken; any thread. */
void request_read_pieces(struct request *r);

/* Computes r->res; any thread. */
void request_answer(struct request *r);

/* Makes r->res a refusal. */
void request_refuse(struct request *r, enum problem kind, int retry_after_s,
                    const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Hands r->res to libmicrohttpd. */
enum MHD_Result request_send(struct request *r);

/* Counts and logs a request that has ended; sent = its answer went out. */
void request_finish(const struct request *r, bool sent);

/* Releases what r owns, but not its arena. */
void request_clear(struct request *r);

#endif
