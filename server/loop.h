/* The inside of struct http, for the files that make it up. */
#ifndef EVALD_SERVER_LOOP_H
#define EVALD_SERVER_LOOP_H

#include "server/connections.h"
#include "server/front.h"
#include "server/http.h"
#include "server/request.h"
#include "server/spares.h"

#include <microhttpd.h>

enum { DRAIN_IDLE_MS = 1000 }; /* for a next request while draining */

struct http {
    struct front *front;
    size_t index; /* of its block of the metrics */
    bool admin;   /* health and metrics alone, with room of its own */
    bool ended;   /* its handles are closing */
    bool closing_door;
    struct pool_port *port;
    size_t jobs; /* that the pool has of it */
    struct MHD_Daemon *daemon;
    uv_poll_t poll;        /* libmicrohttpd's sockets */
    uv_timer_t timer;      /* when it wants to be called again */
    uv_idle_t again;       /* runs while it has more to do at once */
    uv_async_t phase;      /* the front's phase has changed */
    uv_prepare_t rests;    /* the loop is about to wait */
    unsigned open_handles; /* of libuv, while they close */
    void (*on_end)(void *context);
    void *on_end_context;
    struct door *door; /* that clients come in by; NULL = closed */
    struct connections connections;
    struct handshakes handshakes; /* of TLS */
    struct connection *arriving;  /* while libmicrohttpd takes it over */
    int gone_fd;                  /* an epoll set of those who wait */
    uv_poll_t gone;               /* some of them have gone */
    uint64_t id;                  /* the state that requests' ids come from */
    struct spares spares;
    struct request *spare; /* or NULL */
};

/* Lets libmicrohttpd do what can be done. */
void http_pump(struct http *http);

/* exchange.c: what libmicrohttpd calls. */
enum MHD_Result exchange_on_request(void *http,
                                    struct MHD_Connection *connection,
                                    const char *url, const char *method,
                                    const char *version, const char *upload,
                                    size_t *upload_size, void **request);
void exchange_on_completed(void *context, struct MHD_Connection *connection,
                           void **request, enum MHD_RequestTerminationCode why);
/* Nobody waits for it any more: what it has with the pool ends. */
void exchange_abandon(struct request *r);

/* Its answer is wanted no more, but for one that says why. */
void exchange_stop(struct request *r, enum reason why);

/* Until it is resumed, libmicrohttpd leaves the connection alone ... */
void exchange_pause(struct request *r);
void exchange_resume(struct request *r);
/* ... and does not see that the client goes away: cut_gone tells. */
void exchange_watch(struct request *r);
void exchange_unwatch(struct request *r);

/* Gives a job to the pool; -1 if that has no room. */
int exchange_submit(struct request *r, void (*run)(struct pool_job *job))
    __attribute__((warn_unused_result));

/* cut.c: a phase has lasted too long. */
void cut_expired(void *context, struct connection *c);

/* A look at c now and then: at the rate of a body, at clients that left. */
void cut_look(void *http, struct connection *c, uint64_t now_ns);

/* The front is in another phase: what that means for this connection. */
void cut_phase(struct http *http, struct connection *c);

/* The client of c has gone while it waited. */
void cut_gone(struct connection *c);

/* libmicrohttpd cannot read what c sends: answers it, before it closes. */
void cut_unread(struct http *http, struct connection *c,
                const struct api_refusal *why);

/* admit.c: looks at the head; false: r->res is the answer already. */
bool admit(struct request *r);

#endif
