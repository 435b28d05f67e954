/*
 * TLS handshakes that wait for their client, on one loop.
 *
 * libmicrohttpd 0.9.75 with epoll takes a connection whose handshake has read
 * all there was for one that can go on: MHD_get_timeout says 0 until the
 * client's next bytes are there, and the loop turns at full speed.  One client
 * that sends half a handshake and stops costs a processor; so does every
 * honest one for a round trip.  It cannot be told to wait, but a suspended
 * connection is none of its business: so one whose handshake is not done is
 * suspended after each MHD_run, and resumed when its socket can be read.
 *
 * A suspended connection has no timeout in libmicrohttpd: handshakes need a
 * deadline of their own.  shutdown() of the socket ends one that waits, as it
 * can be read then.
 */
#ifndef EVALD_SERVER_HANDSHAKES_H
#define EVALD_SERVER_HANDSHAKES_H

#include <microhttpd.h>
#include <stdbool.h>
#include <uv.h>

/* Of one connection, in its struct; zero is one that is done. */
struct handshake {
    struct MHD_Connection *connection; /* NULL = done */
    struct handshake *next, **link;    /* in the list that it is in */
};

struct handshakes {
    int epoll_fd; /* sockets of those that wait */
    struct handshake *awake, *asleep;
    uv_poll_t poll;
    void (*run)(void *context);
    void *context;
};

/*
 * run(context) has to call MHD_run and handshakes_rest; it is called when a
 * handshake can go on.  0, or -1 with errno set and nothing to close.
 */
int handshakes_init(struct handshakes *all, uv_loop_t *loop,
                    void (*run)(void *context), void *context)
    __attribute__((warn_unused_result));

/* When a connection of TLS begins: MHD_CONNECTION_NOTIFY_STARTED. */
void handshakes_add(struct handshakes *all, struct handshake *one,
                    struct MHD_Connection *connection);

/* When it ends, done or not: MHD_CONNECTION_NOTIFY_CLOSED. */
void handshakes_remove(struct handshakes *all, struct handshake *one);

/* Right after each MHD_run, before MHD_get_timeout. */
void handshakes_rest(struct handshakes *all);

/* Resumes those that wait, as MHD_stop_daemon demands. */
void handshakes_wake(struct handshakes *all);

/* Ends it, after MHD_stop_daemon; closed is called for all->poll. */
void handshakes_close(struct handshakes *all, uv_close_cb closed);

#endif
