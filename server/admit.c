/* What is decided by a request's head, before any of its body. */
#include "server/loop.h"

#include <stdio.h>
#include <string.h>

static bool refuse(struct request *r, enum reason reason)
{
    r->reason = reason;
    return false;
}

/* Nothing that follows such a head is believed. */
static bool check_gate(struct request *r)
{
    if (!r->head.refused)
        return true;
    r->closes = true;
    api_refuse(&r->req, &r->head.why, &r->mem, &r->res);
    return refuse(r, REASON_FRAMING);
}

/* A web page must not reach a server that trusts whoever can connect. */
static bool check_origin(struct request *r)
{
    const struct front *f = r->http->front;
    const struct gate *h = &r->head;
    const char *host = h->value[HEAD_HOST], *origin = h->value[HEAD_ORIGIN];
    if (r->route.scope == SCOPE_PUBLIC)
        return true; /* nothing there is worth the trouble */
    if (f->checks_host && host && !origin_host_allowed(&f->origins, host)) {
        request_refuse(r, PROBLEM_FORBIDDEN, 0,
                       "Host is \"%.100s\", and this server listens for its "
                       "own machine only; ask for 127.0.0.1, or start it with "
                       "--allow-host",
                       host);
        return refuse(r, REASON_HOST);
    }
    if (origin_allowed(&f->origins, r->method, host, origin))
        return true;
    request_refuse(r, PROBLEM_FORBIDDEN, 0,
                   "Origin is \"%.100s\"; pages from there may use this server "
                   "if it is started with --cors-origin",
                   origin);
    return refuse(r, REASON_ORIGIN);
}

/* Administrators' sockets are for health and metrics. */
static bool check_place(struct request *r)
{
    if (!r->http->admin || r->route.vital)
        return true;
    request_refuse(r, PROBLEM_NOT_FOUND, 0,
                   "only health and metrics are answered at this address");
    return refuse(r, REASON_NONE);
}

/* The scopes of tokens that may do it. */
static const unsigned allowed[] = {
    [SCOPE_READ] = TOKEN_READ,
    [SCOPE_WRITE] = TOKEN_WRITE,
    [SCOPE_ADMIN] = TOKEN_ADMIN,
};

static bool refuse_token(struct request *r, enum token_verdict verdict)
{
    unsigned wait_s = 0;
    if (verdict != TOKEN_NONE)
        wait_s =
            clients_failed(r->http->front->clients, &r->c->client, r->began_ns);
    if (wait_s > 0) {
        request_refuse(r, PROBLEM_THROTTLED, (int)wait_s,
                       "too many tokens that are unknown from this address; "
                       "come again in %u s",
                       wait_s);
        return refuse(r, REASON_THROTTLED);
    }
    request_refuse(r, PROBLEM_UNAUTHORIZED, 0, "%s",
                   token_answers[verdict].detail);
    r->res.authenticate = token_answers[verdict].challenge;
    return refuse(r, REASON_UNAUTHORIZED);
}

static bool judge_token(struct request *r, const struct tokens *tokens)
{
    enum token_verdict verdict;
    const struct token *token =
        tokens_find(tokens, r->head.value[HEAD_AUTHORIZATION], &verdict);
    if (!token)
        return refuse_token(r, verdict);
    memcpy(r->who, token->name, sizeof(r->who));
    if (token->scopes & allowed[r->route.scope])
        return true;
    request_refuse(r, PROBLEM_FORBIDDEN, 0, "the token %s may %s alone",
                   token->name, token_scopes_text(token->scopes));
    r->res.authenticate = token_scope_challenge;
    return refuse(r, REASON_FORBIDDEN);
}

static bool check_token(struct request *r)
{
    struct front *f = r->http->front;
    /* a browser asks with OPTIONS first, and never with a token */
    if (r->route.scope == SCOPE_PUBLIC || r->http->admin ||
        !f->settings->tokens || strcmp(r->method, "OPTIONS") == 0)
        return true;
    uv_rwlock_rdlock(&f->tokens_lock);
    bool good = judge_token(r, f->tokens);
    uv_rwlock_rdunlock(&f->tokens_lock);
    return good;
}

/* A client has its rate and number of requests, by its token or address. */
static bool check_client(struct request *r)
{
    struct front *f = r->http->front;
    unsigned wait_s;
    if (r->route.vital ||
        (!f->settings->client_rate && !f->settings->client_concurrency))
        return true;
    struct client_key key = *r->who ? client_key_token(r->who) : r->c->client;
    enum reason why =
        clients_begin(f->clients, &key, r->began_ns, &r->held, &wait_s);
    r->counted = why == REASON_NONE;
    if (r->counted)
        return true;
    if (why == REASON_RATE)
        request_refuse(r, PROBLEM_THROTTLED, (int)wait_s,
                       "a client may send %zu requests a second; come again "
                       "in %u s",
                       f->settings->client_rate, wait_s);
    else
        request_refuse(r, PROBLEM_THROTTLED, (int)wait_s,
                       "a client may have %zu requests under way; come again "
                       "when one of them has ended",
                       f->settings->client_concurrency);
    return refuse(r, why);
}

static bool check_head(struct request *r)
{
    if (api_admit(&r->env, &r->req, &r->mem, &r->res))
        return true;
    return refuse(r, r->res.status == 413 ? REASON_TOO_LARGE : REASON_NONE);
}

static bool check_time(struct request *r)
{
    if (front_phase(r->http->front) < FRONT_ENDING || r->route.vital)
        return true;
    request_refuse(r, PROBLEM_DRAINING, 0, "the server is shutting down");
    return refuse(r, REASON_DRAINING);
}

/* Its queue is looked at before the upload, and again behind it. */
static bool is_full(const struct front *f, enum pool_lane lane)
{
    return pool_stats(f->pool).waiting[lane] >= front_queue_max(f, lane);
}

static bool check_room(struct request *r)
{
    struct front *f = r->http->front;
    const struct api_route *route = &r->route;
    bool offered = route->waits || route->computes || r->head.chunked ||
                   r->req.content_length > route->inline_bytes_max;
    if (route->vital || !offered)
        return true;
    if (is_full(f, r->lane)) {
        request_refuse(r, PROBLEM_OVERLOADED, 0,
                       "the queue of requests is full");
        return refuse(r, REASON_QUEUE);
    }
    /* an estimate; whoever is alone may try with what there is */
    size_t need = api_reservation(&r->env, &r->req, route);
    if (need > f->budget.max / 2)
        need = f->budget.max / 2;
    if (arena_prepay(&r->mem, need))
        return true;
    spares_drop(&r->http->spares);
    if (arena_prepay(&r->mem, need))
        return true;
    request_refuse(r, PROBLEM_OVERLOADED, 0,
                   "the memory for requests is in use");
    return refuse(r, REASON_MEMORY);
}

bool admit(struct request *r)
{
    return check_gate(r) && check_place(r) && check_origin(r) &&
           check_token(r) && check_time(r) && check_client(r) &&
           check_head(r) && check_room(r);
}
