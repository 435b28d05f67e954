/* A request that has ended: what the log and the metrics say of it. */
#ifndef EVALD_SERVER_FINISHED_H
#define EVALD_SERVER_FINISHED_H

#include <stdbool.h>
#include <stddef.h>

struct route;

/* What a request goes through. */
enum stage { STAGE_QUEUE, STAGE_PARSE, STAGE_COMPUTE, STAGE_ENCODE, STAGES };

/* Why a request or a connection was not served, or not to its end. */
enum reason {
    REASON_NONE,
    REASON_FRAMING,
    REASON_HOST,
    REASON_ORIGIN,
    REASON_UNAUTHORIZED,
    REASON_FORBIDDEN,
    REASON_THROTTLED,
    REASON_RATE,
    REASON_CONCURRENCY,
    REASON_CONNECTIONS,
    REASON_ADDRESS_CONNECTIONS,
    REASON_QUEUE,
    REASON_MEMORY,
    REASON_DRAINING,
    REASON_TOO_LARGE,
    REASON_HEADER_TIMEOUT,
    REASON_BODY_TIMEOUT,
    REASON_DEADLINE,
    REASON_SEND_TIMEOUT,
    REASON_CLIENT_GONE,
    REASONS,
};

/* "parse"; "send_timeout" (REASON_NONE has no name). */
extern const char *const stage_names[STAGES];
extern const char *const reason_names[REASONS];

/* "answer was not taken in time" */
extern const char *const reason_words[REASONS];

/* All strings are borrowed; any bytes may be in them. */
struct finished {
    const char *id, *method;
    const char *path;           /* as it came, without the query */
    const char *client;         /* its address */
    const char *token;          /* the name of the token it showed, or NULL */
    const char *trace;          /* the trace id it gave (trace.h), or NULL */
    const struct route *route;  /* NULL = no path of ours */
    int status;                 /* 0 = there was no answer */
    size_t bytes_in, bytes_out; /* of the bodies */
    double total_ms;
    double stage_ms[STAGES]; /* 0 = it did not go through it */
    enum reason reason;
    bool sent; /* the answer went out whole */
};

/* Its reason; where nobody said why it was not sent, the client went away. */
enum reason finished_reason(const struct finished *r);

#endif
