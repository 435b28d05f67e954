/*
 * HTTP: libmicrohttpd in external epoll mode on a libuv loop.
 *
 * Small requests are answered where they arrive, on the loop's thread: those
 * whose body is within the route's inline_bytes_max.  The others are
 * suspended, answered by a thread of the pool, and resumed.
 *
 * A daemon may have several of them, on loops in threads of their own; what
 * they share is the front.
 */
#ifndef EVALD_SERVER_HTTP_H
#define EVALD_SERVER_HTTP_H

#include "server/front.h"

struct http;

/*
 * Starts serving on listen_fd, listening and non-blocking, which it takes
 * over.  admin: health and metrics alone, in plain HTTP, and clients are not
 * counted with the others.  loop_index says which block of the metrics counts.
 * ended(context) is called on the loop's thread when it has ended.  NULL when
 * libmicrohttpd or memory fails.
 */
struct http *http_new(uv_loop_t *loop, struct front *front, int listen_fd,
                      size_t loop_index, bool admin,
                      void (*ended)(void *context), void *context)
    __attribute__((warn_unused_result));

/*
 * Tells it, from any thread, that the front's phase has changed.  Once it has
 * no clients left after FRONT_SERVING it closes its handles, so that its loop
 * ends.
 */
void http_notify(struct http *http);

/* Frees one that has ended, after its loop. */
void http_free(struct http *http);

#endif
