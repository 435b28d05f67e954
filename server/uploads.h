/*
 * Requests whose body is coming, and an eye on whether it still can.
 *
 * libmicrohttpd misses the end of a connection that arrives together with
 * data, and would wait for the rest of the body until the idle timeout.  A
 * socket that is shut down it does notice; so a timer looks at the sockets.
 */
#ifndef EVALD_SERVER_UPLOADS_H
#define EVALD_SERVER_UPLOADS_H

#include "server/request.h"

struct uploads {
    struct request *first;
    uv_timer_t sweep; /* runs while there are any; whoever owns it closes it */
};

void uploads_init(struct uploads *u, uv_loop_t *loop);

void uploads_add(struct uploads *u, struct request *r);

/* Does nothing for a request that is not among them. */
void uploads_remove(struct uploads *u, struct request *r);

/* Ends the connections of all of them. */
void uploads_end(const struct uploads *u);

#endif
