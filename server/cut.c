/*
 * What ends a request or a connection before its time: a deadline, a client
 * that leaves or sends what cannot be read, the end of the daemon.
 */
#include "core/random.h"
#include "server/loop.h"
#include "server/stream.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

enum { RATE_MS_MIN = 10000 }; /* before a body's rate is judged */

/* Answers in place of libmicrohttpd, which can not any more. */
static void say(struct http *http, struct connection *c, enum reason reason,
                const struct api_refusal *why)
{
    connection_last_words(c, why, random_next(&http->id));
    if (!c->request) {
        metrics_reject(http->front->metrics, http->index, reason);
        return;
    }
    c->request->reason = reason;
    c->request->res.status = problem_type(why->kind)->status;
}

static void cut(struct http *http, struct connection *c, enum reason reason,
                enum problem kind, const char *detail)
{
    struct api_refusal why = {.kind = kind};
    why.retry_after_s = kind == PROBLEM_DRAINING;
    memcpy(why.detail, detail, strlen(detail) + 1);
    say(http, c, reason, &why);
    connection_end(c);
    if (c->request)
        exchange_abandon(c->request);
}

void cut_unread(struct http *http, struct connection *c,
                const struct api_refusal *why)
{
    say(http, c, REASON_FRAMING, why);
}

/* A body that is not there in time, or that nobody waits for. */
static void end_upload(struct http *http, struct connection *c)
{
    struct request *r = c->request;
    if (r->state != REQUEST_DONE && r->paused) {
        cut(http, c, REASON_QUEUE, PROBLEM_OVERLOADED,
            "what came of the body was not read in time");
        return;
    }
    if (r->state != REQUEST_DONE) {
        cut(http, c, REASON_BODY_TIMEOUT, PROBLEM_TOO_SLOW,
            "the body did not come in time");
        return;
    }
    connection_last_answer(c, &r->res, r->id);
    connection_end(c);
}

void cut_expired(void *context, struct connection *c)
{
    struct http *http = context;
    switch (c->phase) {
    case PHASE_HEAD:
        cut(http, c, REASON_HEADER_TIMEOUT, PROBLEM_TOO_SLOW,
            "the head of the request did not come in time");
        break;
    case PHASE_BODY:
        end_upload(http, c);
        break;
    case PHASE_WORK:
        exchange_stop(c->request, REASON_DEADLINE);
        break;
    case PHASE_SEND:
        c->request->reason = REASON_SEND_TIMEOUT;
        connection_end(c);
        break;
    default:
        connection_end(c);
    }
}

void cut_gone(struct connection *c)
{
    struct request *r = c->request;
    if (r && r->state == REQUEST_STREAM)
        stream_end(r);
    else if (r && r->state == REQUEST_WORK && r->reason == REASON_NONE)
        exchange_stop(r, REASON_CLIENT_GONE);
}

/*
 * libmicrohttpd misses the end of a connection that arrives together with
 * data, and would wait for the rest of the head or body, or for another
 * request.  A client may close its side once it has sent all, and
 * libmicrohttpd may just be about to hand us the last of it: only who is found
 * gone twice will not send the rest.
 */
static bool has_gone(struct connection *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    int unread = 0;
    bool gone = poll(&p, 1, 0) == 1 && ioctl(p.fd, FIONREAD, &unread) == 0 &&
                unread == 0;
    bool twice = gone && c->seemed_gone;
    c->seemed_gone = gone;
    c->seemed_there = !gone;
    return twice;
}

/* Between two requests nothing comes together with an end but the last one. */
static bool may_have_gone(const struct connection *c)
{
    return c->phase == PHASE_HEAD || c->phase == PHASE_BODY ||
           (c->phase == PHASE_IDLE && !c->seemed_there);
}

/* The time in which we waited for the client, not it for us. */
static bool is_too_slow(struct request *r, uint64_t now_ns)
{
    size_t rate = r->http->front->settings->body_rate_min;
    if (!r->paused)
        r->rate_ns += now_ns - r->looked_ns;
    r->looked_ns = now_ns;
    uint64_t ms = r->rate_ns / 1000000;
    return rate && ms > RATE_MS_MIN && r->body.bytes < rate * ms / 1000;
}

static void look_at_body(struct http *http, struct connection *c,
                         uint64_t now_ns)
{
    struct request *r = c->request;
    bool own = r->head.timeout_ms &&
               now_ns - r->began_ns > r->head.timeout_ms * 1000000;
    if (own)
        cut(http, c, REASON_DEADLINE, PROBLEM_DEADLINE,
            "the body did not come in time");
    else if (is_too_slow(r, now_ns))
        end_upload(http, c);
}

void cut_look(void *http, struct connection *c, uint64_t now_ns)
{
    if (c->closing)
        return;
    if (may_have_gone(c) && has_gone(c))
        connection_end(c);
    else if (c->request && c->request->state == REQUEST_STREAM)
        stream_look(c->request, now_ns);
    else if (c->phase == PHASE_BODY && c->request)
        look_at_body(http, c, now_ns);
}

void cut_phase(struct http *http, struct connection *c)
{
    enum front_phase phase = front_phase(http->front);
    if (c->closing)
        return;
    /* clients of streams come back, to another daemon or the next */
    if (c->request && c->request->state == REQUEST_STREAM)
        stream_end(c->request);
    else if (phase == FRONT_DRAINING && c->phase == PHASE_IDLE)
        connection_enter(&http->connections, c, PHASE_IDLE, DRAIN_IDLE_MS);
    else if (phase == FRONT_OVER ||
             (phase == FRONT_ENDING && c->phase == PHASE_IDLE))
        connection_end(c);
    else if (phase == FRONT_ENDING && c->phase == PHASE_WORK)
        exchange_stop(c->request, REASON_DRAINING);
    else if (phase == FRONT_ENDING && c->phase != PHASE_SEND)
        cut(http, c, REASON_DRAINING, PROBLEM_DRAINING,
            "the server is shutting down");
}
