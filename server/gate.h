/*
 * The gate: the head of a request as it was sent, before anything of it is
 * believed.
 *
 * What two programs along the way could read in two ways is refused: else a
 * proxy and this server could disagree on where a request ends.  The rules
 * are RFC 9112's, where it leaves a choice the stricter one.  libmicrohttpd
 * is more tolerant, and drops bytes without showing it; so the size of the
 * head is built again from its parts, and has to be the one that came, and each
 * line has to begin where the one before it ends.  (Without the second, lines
 * that end in LF alone would pay for what NUL hides in another.)  What
 * is not seen is NUL in place of a CR or LF, since the parser leaves NUL there
 * itself; it hides nothing.
 */
#ifndef EVALD_SERVER_GATE_H
#define EVALD_SERVER_GATE_H

#include "api/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Headers that mean something here. */
enum head_name {
    HEAD_ACCEPT,
    HEAD_ACCEPT_ENCODING,
    HEAD_AUTHORIZATION,
    HEAD_CONTENT_ENCODING,
    HEAD_CONTENT_LENGTH,
    HEAD_CONTENT_TYPE,
    HEAD_EXPECT,
    HEAD_HOST,
    HEAD_IDEMPOTENCY_KEY,
    HEAD_IF_MATCH,
    HEAD_IF_NONE_MATCH,
    HEAD_INFERENCE_LENGTH,
    HEAD_LAST_EVENT_ID,
    HEAD_ORIGIN,
    HEAD_REQUEST_HEADERS,
    HEAD_REQUEST_METHOD,
    HEAD_TIMEOUT,
    HEAD_TRACEPARENT,
    HEAD_TRANSFER_ENCODING,
    HEAD_REQUEST_ID,
    HEADS
};

struct gate {
    const char *method, *target, *version;
    const char *value[HEADS]; /* the first of its name; NULL = not sent */
    bool lists;               /* there are others of a list's name */
    bool chunked, length_known;
    size_t content_length;
    size_t timeout_ms; /* X-Request-Timeout-Ms; 0 = not sent */
    size_t bytes;      /* of the head, as built again */
    uintptr_t next;    /* where the next line has to begin */
    struct api_refusal why;
    bool refused;
};

/*
 * Begins with the request line.  All strings are borrowed; method and
 * version must lie in the bytes that were sent, as the parser leaves them.
 */
void gate_begin(struct gate *g, const char *method, const char *target,
                const char *version);

/*
 * Adds a header.  name must lie in the bytes that were sent, and value behind
 * it, as the parser leaves them.
 */
void gate_header(struct gate *g, const char *name, size_t name_len,
                 const char *value, size_t value_len);

/* The head came in head_bytes.  Then g->refused tells, and g->why says why. */
void gate_end(struct gate *g, size_t head_bytes);

/* The name of a head. */
const char *gate_name(enum head_name head);

/* The target without scheme and authority: "/path?query", or "*". */
const char *gate_origin_form(const char *target);

#endif
