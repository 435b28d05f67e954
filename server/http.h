/*
 * HTTP: libmicrohttpd in external epoll mode on a libuv loop.
 *
 * Small requests are answered where they arrive, on the loop's thread: those
 * whose body is within the route's inline_bytes_max.  The others are
 * suspended, answered by a thread of the pool, and resumed.
 */
#ifndef EVALD_SERVER_HTTP_H
#define EVALD_SERVER_HTTP_H

#include "server/pool.h"

#include <stdbool.h>
#include <stddef.h>

struct http;

struct http_options {
    int listen_fd; /* listening and non-blocking; taken over */
    size_t body_bytes_max, workers;
};

/* Starts serving.  NULL when libmicrohttpd or memory fails. */
struct http *http_new(uv_loop_t *loop, struct pool *pool,
                      const struct http_options *options)
    __attribute__((warn_unused_result));

/*
 * Takes no more connections and calls drained(context) on the loop's thread
 * when every request that was accepted has been answered.
 */
void http_drain(struct http *http, void (*drained)(void *context),
                void *context);

/* How many requests are being read, answered or sent. */
size_t http_active(const struct http *http);

/* Whether one of them is being answered. */
bool http_working(const struct http *http);

/* Ends the connections of requests that have not come in whole. */
void http_end_uploads(struct http *http);

/* Stops; http_active must be 0.  Its handles close in the loop's next turn. */
void http_free(struct http *http);

#endif
