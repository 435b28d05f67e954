/*
 * Answers that go on, as events do: what there is is sent, and twice a second
 * the request is answered anew, from where it has come to, on the thread of a
 * worker.  While there is nothing to send the connection is suspended.
 *
 * All of it is for the loop's thread.
 */
#ifndef EVALD_SERVER_STREAM_H
#define EVALD_SERVER_STREAM_H

#include "server/request.h"

/*
 * Counts it in; false if half of the connections that may be are streams
 * already: the others are for who asks and goes.
 */
bool stream_begin(struct request *r) __attribute__((warn_unused_result));

/* What libmicrohttpd reads r's answer from; NULL = no memory. */
struct MHD_Response *stream_response(struct request *r);

/* A look now and then: asks for more, if it is time; ends it on new tokens. */
void stream_look(struct request *r, uint64_t now_ns);

/* A job has answered it anew. */
void stream_answered(struct request *r);

/* It ends where it has come to. */
void stream_end(struct request *r);

#endif
