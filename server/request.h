/* One HTTP request on its way through the server. */
#ifndef EVALD_SERVER_REQUEST_H
#define EVALD_SERVER_REQUEST_H

#include "api/api.h"
#include "core/arena.h"
#include "server/body.h"
#include "server/pool.h"

#include <microhttpd.h>

enum { REQUEST_ID_BYTES = 129, METHOD_BYTES = 24 };

enum request_state {
    REQUEST_HEAD, /* only its head is there */
    REQUEST_BODY, /* admitted, its body is coming */
    REQUEST_WORK, /* a thread of the pool has it */
    REQUEST_DONE, /* res is the answer */
    REQUEST_SENT, /* the answer is with libmicrohttpd */
};

struct request {
    struct pool_job job;          /* first: the job's request is found by it */
    struct request *next, **link; /* in the list of the uploads */
    struct http *http;
    struct MHD_Connection *connection;
    enum request_state state;
    struct api_env env;
    struct api_request req;
    struct api_route route;
    struct api_response res;
    struct arena mem;
    char *target; /* of the request line, cut at the '?' */
    char method[METHOD_BYTES];
    struct body body;
    bool begun;       /* there has been a first piece to read */
    bool complete;    /* the body has come */
    bool busy;        /* a job is with the pool */
    bool paused;      /* suspended until its pieces are read */
    bool refused;     /* the pool had no place for its pieces */
    bool gone;        /* its connection has ended, its job has not */
    bool seemed_gone; /* at the latest look at the uploads */
    char id[REQUEST_ID_BYTES];
    uint64_t began_ns, queued_ns, started_ns;
};

/*
 * Fills r->req from the head, with target (copied) as the raw target.
 * generated_id is used where the client gave no id of its own.
 */
int request_read_head(struct request *r, const char *method, const char *target,
                      uint64_t generated_id);

/* Copies what of the head is read with the body; -1 when there is no memory. */
int request_own_head(struct request *r);

/* Whether the head announces a body. */
bool request_has_body(const struct request *r);

/* Reads the pieces that were taken; any thread. */
void request_read_pieces(struct request *r);

/* Computes r->res; any thread. */
void request_answer(struct request *r);

/* Hands r->res to libmicrohttpd. */
enum MHD_Result request_send(struct request *r);

/* One line about a request that has ended; sent = its answer went out. */
void request_log(const struct request *r, bool sent);

/* Releases what r owns, but not its arena. */
void request_clear(struct request *r);

#endif
