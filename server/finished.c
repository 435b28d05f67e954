#include "server/finished.h"

const char *const stage_names[STAGES] = {"queue", "parse", "compute", "encode"};

const char *const reason_names[REASONS] = {
    [REASON_FRAMING] = "framing",
    [REASON_HOST] = "host",
    [REASON_ORIGIN] = "origin",
    [REASON_UNAUTHORIZED] = "unauthorized",
    [REASON_FORBIDDEN] = "forbidden",
    [REASON_THROTTLED] = "throttled",
    [REASON_RATE] = "rate",
    [REASON_CONCURRENCY] = "concurrency",
    [REASON_CONNECTIONS] = "connections",
    [REASON_ADDRESS_CONNECTIONS] = "address_connections",
    [REASON_QUEUE] = "queue",
    [REASON_MEMORY] = "memory",
    [REASON_DRAINING] = "draining",
    [REASON_TOO_LARGE] = "too_large",
    [REASON_HEADER_TIMEOUT] = "header_timeout",
    [REASON_BODY_TIMEOUT] = "body_timeout",
    [REASON_DEADLINE] = "deadline",
    [REASON_SEND_TIMEOUT] = "send_timeout",
    [REASON_CLIENT_GONE] = "client_gone",
};

const char *const reason_words[REASONS] = {
    [REASON_FRAMING] = "malformed request",
    [REASON_HOST] = "host not allowed",
    [REASON_ORIGIN] = "origin not allowed",
    [REASON_UNAUTHORIZED] = "no valid token",
    [REASON_FORBIDDEN] = "token lacks the scope",
    [REASON_THROTTLED] = "too many wrong tokens",
    [REASON_RATE] = "too many requests of the client",
    [REASON_CONCURRENCY] = "too many requests at a time",
    [REASON_CONNECTIONS] = "too many connections",
    [REASON_ADDRESS_CONNECTIONS] = "too many connections of the address",
    [REASON_QUEUE] = "queue is full",
    [REASON_MEMORY] = "memory budget is spent",
    [REASON_DRAINING] = "shutting down",
    [REASON_TOO_LARGE] = "body is too large",
    [REASON_HEADER_TIMEOUT] = "head did not come in time",
    [REASON_BODY_TIMEOUT] = "body did not come in time",
    [REASON_DEADLINE] = "not computed in time",
    [REASON_SEND_TIMEOUT] = "answer was not taken in time",
    [REASON_CLIENT_GONE] = "client went away",
};

enum reason finished_reason(const struct finished *r)
{
    return r->reason == REASON_NONE && !r->sent ? REASON_CLIENT_GONE
                                                : r->reason;
}
