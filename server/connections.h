/*
 * Clients' connections: how many there may be, what each of them is about,
 * and until when.
 *
 * Every phase of a connection has an end that no byte of the client can put
 * off, on the monotonic clock.  libmicrohttpd's own timeout counts idleness
 * only, and does not run while a connection is suspended.
 *
 * Each loop has connections of its own; all of it is for the loop's thread.
 */
#ifndef EVALD_SERVER_CONNECTIONS_H
#define EVALD_SERVER_CONNECTIONS_H

#include "api/api.h"
#include "server/clients.h"
#include "server/handshakes.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    /*
     * Of libmicrohttpd: a head with what it is parsed to, or what is read of a
     * body at once, which is half.  It is cleared for every request.
     */
    HEAD_BYTES_MAX = 16 << 10,
    CONNECTION_BYTES = HEAD_BYTES_MAX + (16 << 10),
    LINGERS_MAX = 32, /* fit into HANDLES_RESERVE */
};

enum connection_phase {
    PHASE_IDLE, /* between two requests */
    PHASE_HEAD, /* a head is coming */
    PHASE_BODY, /* a body is coming */
    PHASE_WORK, /* the answer is being made */
    PHASE_SEND, /* the answer is being taken */
    PHASES
};

struct http;
struct request;

struct connection {
    struct connection *next, **link; /* of the loop */
    struct http *http;
    struct client_key client;
    struct client *held; /* its place among those of its address */
    struct handshake handshake;
    int fd;
    void *tls; /* the gnutls session, or NULL */
    enum connection_phase phase;
    uint64_t deadline_ns; /* when the phase has to be over */
    struct sockaddr_storage peer;
    char address[INET6_ADDRSTRLEN]; /* of the client */
    char *target;            /* of its latest request line, as it was sent */
    struct request *request; /* the one it is about, or NULL */
    bool closing;            /* its end has been asked for */
    bool seemed_gone;        /* at the latest look of this phase ... */
    bool seemed_there;       /* ... and the contrary */
    bool lingers;            /* it is answered, but the client still sends */
};

/* A socket that is closed only when the client has had time to read. */
struct lingerer {
    int fd;
    uint64_t until_ns;
};

struct connections {
    struct connection *first;
    size_t n, most; /* there are, and were since memory was given back */
    atomic_size_t *in_phase;
    uv_timer_t sweep; /* whoever owns it closes it */
    uint64_t due_ns;  /* of the next sweep */
    struct lingerer linger[LINGERS_MAX];
    size_t n_lingers;
    /* a phase has lasted too long */
    void (*expired)(void *context, struct connection *c);
    /* a look at each connection, four times a second */
    void (*look)(void *context, struct connection *c, uint64_t now_ns);
    /* these are over: only now may connections be removed */
    void (*swept)(void *context);
    void *context;
};

/* in_phase counts connections, by phase; borrowed, and for several threads. */
void connections_init(struct connections *cs, uv_loop_t *loop,
                      atomic_size_t in_phase[PHASES]);

/* A connection on fd; NULL when there is no memory. */
struct connection *connections_add(struct connections *cs, int fd,
                                   const struct sockaddr *peer, socklen_t len);

/* Forgets and frees it; its socket is for others to close. */
void connections_remove(struct connections *cs, struct connection *c);

/* It is now in this phase, for at most so many ms (0 = without end). */
void connection_enter(struct connections *cs, struct connection *c,
                      enum connection_phase phase, size_t ms);

/* Ends it: libmicrohttpd sees the end of its input, and closes. */
void connection_end(struct connection *c);

/*
 * Answers in place of libmicrohttpd, where that cannot; id is the request's.
 * What does not fit into the socket at once is lost.  To be followed by
 * connection_end, after which the client still has time to read.
 */
void connection_last_answer(struct connection *c,
                            const struct api_response *res, const char *id);

/* The same with a problem, and without a request. */
void connection_last_words(struct connection *c, const struct api_refusal *why,
                           uint64_t id);

/*
 * The same on a socket that is no connection yet, and not to be one: takes it
 * over and closes it when the client has had time to read.
 */
void connections_turn_away(struct connections *cs, int fd,
                           const struct api_refusal *why, uint64_t id);

/* Keeps a socket open, by a copy, for a client that sends still. */
void connections_linger(struct connections *cs, int fd);

/* Closes all that lingers. */
void connections_clear(struct connections *cs);

#endif
