#include "server/connections.h"

#include "server/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SWEEP_MS = 250,
    SWEEP_MS_MIN = 5,
    LINGER_MS = 2000,
    CROWD = 256,            /* connections whose memory is worth giving back */
    LINGER_READS_MAX = 64,  /* of one socket, a sweep */
    WORDS_BYTES = 24 << 10, /* a problem repeats the path */
    PATH_BYTES = 512,       /* of what words repeat */
    WORDS_MEMORY = 1 << 16,
    ID_BYTES = 24,
};
static const uint64_t NS_PER_MS = 1000000;

static void describe(struct connection *c)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&c->peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&c->peer;
    if (c->peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, c->address, sizeof(c->address));
    else if (c->peer.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, c->address, sizeof(c->address));
}

/* Reads and drops; whether the client has done the same with us. */
static bool has_left(int fd)
{
    char dropped[4096];
    for (int i = 0; i < LINGER_READS_MAX; i++) {
        ssize_t n = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
        if (n < 0)
            return false;
    }
    return false;
}

static void sweep_lingers(struct connections *cs, uint64_t now_ns)
{
    size_t n = 0;
    for (size_t i = 0; i < cs->n_lingers; i++) {
        struct lingerer l = cs->linger[i];
        if (has_left(l.fd) || now_ns >= l.until_ns)
            close(l.fd);
        else
            cs->linger[n++] = l;
    }
    cs->n_lingers = n;
}

static void on_sweep(uv_timer_t *sweep);

/* Has the next sweep at due_ns, if it would come later. */
static void sweep_by(struct connections *cs, uint64_t due_ns, uint64_t now_ns)
{
    if (uv_is_active((uv_handle_t *)&cs->sweep) && cs->due_ns <= due_ns)
        return;
    uint64_t ms = due_ns > now_ns ? (due_ns - now_ns) / NS_PER_MS + 1 : 0;
    if (ms < SWEEP_MS_MIN)
        ms = SWEEP_MS_MIN;
    cs->due_ns = now_ns + ms * NS_PER_MS;
    uv_timer_start(&cs->sweep, on_sweep, ms, 0);
}

/*
 * The allocator keeps what it was given back between blocks that are in use.
 * When most of a crowd has gone the system gets it.
 */
static void trim(struct connections *cs)
{
    if (cs->most < CROWD || cs->n > cs->most / 4)
        return;
    cs->most = cs->n;
    malloc_trim(0);
}

static void on_sweep(uv_timer_t *sweep)
{
    struct connections *cs = sweep->data;
    uint64_t now_ns = uv_hrtime();
    uint64_t due_ns = now_ns + SWEEP_MS * NS_PER_MS;
    sweep_lingers(cs, now_ns);
    trim(cs);
    for (struct connection *c = cs->first, *next; c; c = next) {
        next = c->next;
        cs->look(cs->context, c, now_ns);
        if (c->closing || !c->deadline_ns)
            continue;
        if (now_ns >= c->deadline_ns)
            cs->expired(cs->context, c);
        else if (c->deadline_ns < due_ns)
            due_ns = c->deadline_ns;
    }
    if (cs->n + cs->n_lingers > 0 || cs->most >= CROWD)
        sweep_by(cs, due_ns, now_ns);
    cs->swept(cs->context);
}

void connections_init(struct connections *cs, uv_loop_t *loop,
                      atomic_size_t in_phase[PHASES])
{
    *cs = (struct connections){.in_phase = in_phase};
    uv_timer_init(loop, &cs->sweep);
    cs->sweep.data = cs;
}

struct connection *connections_add(struct connections *cs, int fd,
                                   const struct sockaddr *peer, socklen_t len)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->fd = fd;
    memcpy(&c->peer, peer, len < sizeof(c->peer) ? len : sizeof(c->peer));
    describe(c);
    c->next = cs->first;
    c->link = &cs->first;
    if (c->next)
        c->next->link = &c->next;
    cs->first = c;
    cs->n++;
    if (cs->most < cs->n)
        cs->most = cs->n;
    atomic_fetch_add(&cs->in_phase[c->phase], 1);
    return c;
}

void connections_remove(struct connections *cs, struct connection *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    cs->n--;
    atomic_fetch_sub(&cs->in_phase[c->phase], 1);
    free(c->target);
    free(c);
}

void connection_enter(struct connections *cs, struct connection *c,
                      enum connection_phase phase, size_t ms)
{
    uint64_t now_ns = uv_hrtime();
    atomic_fetch_sub(&cs->in_phase[c->phase], 1);
    atomic_fetch_add(&cs->in_phase[phase], 1);
    c->phase = phase;
    c->seemed_gone = c->seemed_there = false;
    c->deadline_ns = ms ? now_ns + ms * NS_PER_MS : 0;
    uint64_t latest = now_ns + SWEEP_MS * NS_PER_MS;
    sweep_by(cs, ms && c->deadline_ns < latest ? c->deadline_ns : latest,
             now_ns);
}

void connection_end(struct connection *c)
{
    c->closing = true;
    shutdown(c->fd, SHUT_RDWR);
}

/* Appends a header, if there is a value, to what has n bytes by now. */
static size_t put_header(char *text, size_t n, const char *name,
                         const char *value)
{
    if (!value || n >= WORDS_BYTES)
        return n;
    return n + (size_t)snprintf(text + n, WORDS_BYTES - n, "%s: %s\r\n", name,
                                value);
}

/* The whole answer in text; its length, 0 if it does not fit. */
static size_t write_words(char text[WORDS_BYTES],
                          const struct api_response *res, const char *id)
{
    char retry[16], date[64] = "";
    struct tm utc;
    time_t now = time(NULL);
    snprintf(retry, sizeof(retry), "%d", res->retry_after_s);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
             gmtime_r(&now, &utc));
    int begun =
        snprintf(text, WORDS_BYTES,
                 "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n"
                 "X-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\n"
                 "Connection: close\r\n",
                 res->status, MHD_get_reason_phrase_for((unsigned)res->status),
                 date, res->content_type, id);
    size_t n = begun > 0 ? (size_t)begun : WORDS_BYTES;
    n = put_header(text, n, "Retry-After", res->retry_after_s ? retry : NULL);
    n = put_header(text, n, "Allow", res->allow);
    n = put_header(text, n, "Accept-Post", res->accept_post);
    n = put_header(text, n, "Accept-Encoding", res->accept_encoding);
    n = put_header(text, n, "WWW-Authenticate", res->authenticate);
    if (n < WORDS_BYTES)
        n += (size_t)snprintf(text + n, WORDS_BYTES - n,
                              "Content-Length: %zu\r\n\r\n%.*s", res->body_len,
                              (int)res->body_len, res->body);
    return n < WORDS_BYTES ? n : 0;
}

void connection_last_answer(struct connection *c,
                            const struct api_response *res, const char *id)
{
    char text[WORDS_BYTES];
    size_t n = write_words(text, res, id);
    if (c->tls)
        (void)gnutls_record_send(c->tls, text, n);
    else
        (void)!send(c->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    c->lingers = true;
}

void connection_last_words(struct connection *c, const struct api_refusal *why,
                           uint64_t id)
{
    char name[ID_BYTES], path[PATH_BYTES] = "/";
    const char *target = c->target ? gate_origin_form(c->target) : path;
    struct api_request req = {.method = "", .path = path, .request_id = name};
    struct api_response res;
    struct arena mem;
    arena_init(&mem, WORDS_MEMORY);
    snprintf(name, sizeof(name), "%016llx", (unsigned long long)id);
    if (target != path)
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(target, "?"), target);
    api_refuse(&req, why, &mem, &res);
    connection_last_answer(c, &res, name);
    arena_free(&mem);
}

void connections_turn_away(struct connections *cs, int fd,
                           const struct api_refusal *why, uint64_t id)
{
    struct connection c = {.fd = fd};
    if (why)
        connection_last_words(&c, why, id);
    shutdown(fd, SHUT_WR);
    connections_linger(cs, fd);
    close(fd);
}

void connections_linger(struct connections *cs, int fd)
{
    uint64_t now_ns = uv_hrtime();
    int copy = cs->n_lingers < LINGERS_MAX ? dup(fd) : -1;
    if (copy < 0)
        return;
    cs->linger[cs->n_lingers++] =
        (struct lingerer){copy, now_ns + LINGER_MS * NS_PER_MS};
    sweep_by(cs, now_ns + SWEEP_MS * NS_PER_MS, now_ns);
}

void connections_clear(struct connections *cs)
{
    while (cs->n_lingers)
        close(cs->linger[--cs->n_lingers].fd);
}
