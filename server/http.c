#include "server/http.h"

#include "core/random.h"
#include "server/answers.h"
#include "server/door.h"
#include "server/log.h"
#include "server/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ADMIN_CONNECTIONS_MAX = 64,
    GONE_EVENTS_MAX = 64, /* looked at in one turn */
    HANDLES = 8,          /* of libuv, that http_close closes */
    RUNS_MAX = 4,         /* of libmicrohttpd in one turn */
};

/* A connection that was counted in is over. */
static void uncount(struct http *http, struct client *held)
{
    struct front *f = http->front;
    if (!http->admin) {
        atomic_fetch_sub(&f->connections, 1);
        clients_close(f->clients, held);
    }
    budget_give(&f->budget, CONNECTION_BYTES);
}

static void leave(struct http *http, struct connection *c)
{
    if (c->lingers)
        connections_linger(&http->connections, c->fd);
    if (c->tls)
        handshakes_remove(&http->handshakes, &c->handshake);
    uncount(http, c->held);
    connections_remove(&http->connections, c);
}

static bool speaks_tls(const struct http *http)
{
    return http->front->tls && !http->admin;
}

static void begin_tls(struct http *http, struct connection *c,
                      struct MHD_Connection *connection)
{
    if (!speaks_tls(http))
        return;
    c->tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
            ->tls_session;
    handshakes_add(&http->handshakes, &c->handshake, connection);
}

static void on_connection(void *context, struct MHD_Connection *connection,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct connection *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = http->arriving;
        begin_tls(http, http->arriving, connection);
        http->arriving = NULL;
    } else {
        *socket_context = NULL;
        leave(http, c);
    }
    (void)connection;
}

/* The only place that shows the target as it was sent. */
static void *on_target(void *context, const char *target,
                       struct MHD_Connection *connection)
{
    struct http *http = context;
    struct connection *c = answers_connection(connection);
    if (!c)
        return NULL;
    free(c->target);
    c->target = strdup(target);
    /* a new connection's head has had its time from the beginning */
    if (c->phase == PHASE_IDLE)
        connection_enter(&http->connections, c, PHASE_HEAD,
                         http->front->settings->header_ms);
    return NULL;
}

/* Why a client cannot be let in now; REASON_NONE if it can, and is counted. */
static enum reason count_in(struct http *http, const struct client_key *key,
                            struct client **held)
{
    struct front *f = http->front;
    const struct settings *s = f->settings;
    if (!budget_take(&f->budget, CONNECTION_BYTES))
        return REASON_MEMORY;
    if (http->admin)
        return http->connections.n < ADMIN_CONNECTIONS_MAX ? REASON_NONE
                                                           : REASON_CONNECTIONS;
    if (atomic_fetch_add(&f->connections, 1) >= s->connections_max) {
        atomic_fetch_sub(&f->connections, 1);
        return REASON_CONNECTIONS;
    }
    if (!clients_open(f->clients, key, uv_hrtime(), held)) {
        atomic_fetch_sub(&f->connections, 1);
        return REASON_ADDRESS_CONNECTIONS;
    }
    return REASON_NONE;
}

static void turn_away(struct http *http, int fd, enum reason reason)
{
    struct api_refusal why = {.kind = PROBLEM_OVERLOADED,
                              .retry_after_s = 1,
                              .detail = "too many connections"};
    metrics_reject(http->front->metrics, http->index, reason);
    if (reason != REASON_MEMORY)
        budget_give(&http->front->budget, CONNECTION_BYTES);
    if (reason == REASON_ADDRESS_CONNECTIONS)
        why = (struct api_refusal){.kind = PROBLEM_THROTTLED,
                                   .retry_after_s = 1,
                                   .detail = "too many connections from one "
                                             "address"};
    connections_turn_away(&http->connections, fd,
                          speaks_tls(http) ? NULL : &why,
                          random_next(&http->id));
}

static void welcome(void *context, int fd, const struct sockaddr *peer,
                    socklen_t len)
{
    struct http *http = context;
    struct client_key key = client_key_address(peer);
    struct client *held = NULL;
    int on = 1;
    enum reason reason = count_in(http, &key, &held);
    if (reason != REASON_NONE) {
        turn_away(http, fd, reason);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct connection *c = connections_add(&http->connections, fd, peer, len);
    if (!c) {
        close(fd);
        uncount(http, held);
        return;
    }
    c->http = http;
    c->client = key;
    c->held = held;
    connection_enter(&http->connections, c, PHASE_HEAD,
                     http->front->settings->header_ms);
    http->arriving = c;
    /* closes fd if it fails, and may have told on_connection of the end */
    if (MHD_add_connection(http->daemon, fd, peer, len) != MHD_YES &&
        http->arriving)
        leave(http, c);
    http->arriving = NULL;
    http_pump(http);
}

static void on_timer(uv_timer_t *timer)
{
    http_pump(timer->data);
}

static void on_again(uv_idle_t *again)
{
    http_pump(again->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    http_pump(poll->data);
}

/* Clients that wait for an answer have gone. */
static void on_gone(uv_poll_t *poll, int status, int events)
{
    struct http *http = poll->data;
    struct epoll_event event[GONE_EVENTS_MAX];
    (void)status;
    (void)events;
    int n = epoll_wait(http->gone_fd, event, GONE_EVENTS_MAX, 0);
    for (int i = 0; i < n; i++)
        cut_gone(event[i].data.ptr);
    http_pump(http);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (--http->open_handles > 0)
        return;
    close(http->gone_fd);
    spares_drop(&http->spares);
    http->on_end(http->on_end_context);
}

/* Nobody is left: closes what keeps the loop running. */
static void finish(struct http *http)
{
    uv_handle_t *handles[HANDLES] = {
        (uv_handle_t *)&http->poll,
        (uv_handle_t *)&http->timer,
        (uv_handle_t *)&http->again,
        (uv_handle_t *)&http->gone,
        (uv_handle_t *)&http->phase,
        (uv_handle_t *)&http->rests,
        (uv_handle_t *)&http->connections.sweep,
        (uv_handle_t *)&http->spares.sweep,
    };
    http->ended = true;
    uv_poll_stop(&http->poll);
    uv_poll_stop(&http->gone);
    connections_clear(&http->connections);
    handshakes_wake(&http->handshakes);
    MHD_stop_daemon(http->daemon);
    pool_port_free(http->port);
    http->open_handles = HANDLES + 1;
    http->handshakes.poll.data = http;
    handshakes_close(&http->handshakes, on_handle_closed);
    for (size_t i = 0; i < HANDLES; i++) {
        handles[i]->data = http;
        uv_close(handles[i], on_handle_closed);
    }
}

static bool is_over(const struct http *http)
{
    return !http->ended && !http->door && http->connections.n == 0 &&
           http->jobs == 0;
}

/*
 * Lets libmicrohttpd do what can be done, and asks when it wants to be
 * called again.  0 means at once: here, a few times, as it reads but one
 * buffer of each client at a time; then in the loop's next turn, by an idle
 * handle, so that the pool, signals and timers get theirs in between.  (A
 * timer of 0 ms started from its own callback fires again in the same turn.)
 */
void http_pump(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool waits = true;
    if (http->ended)
        return;
    for (int i = 0; i < RUNS_MAX && waits && wait_ms == 0; i++) {
        MHD_run(http->daemon);
        handshakes_rest(&http->handshakes);
        waits = MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES;
    }
    uv_timer_stop(&http->timer);
    uv_idle_stop(&http->again);
    if (waits) {
        if (wait_ms == 0)
            uv_idle_start(&http->again, on_again);
        else
            uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    }
    if (is_over(http))
        finish(http);
}

static void on_door_closed(void *context)
{
    struct http *http = context;
    http->door = NULL;
    http_pump(http);
}

static void on_phase(uv_async_t *async)
{
    struct http *http = async->data;
    enum front_phase phase = front_phase(http->front);
    bool keeps_door = http->admin && phase < FRONT_ENDING;
    if (http->ended || phase == FRONT_SERVING)
        return;
    if (http->door && !http->closing_door && !keeps_door) {
        http->closing_door = true;
        door_close(http->door, http->front->shares_address && !http->admin,
                   on_door_closed);
    }
    for (struct connection *c = http->connections.first, *next; c; c = next) {
        next = c->next;
        cut_phase(http, c);
    }
    http_pump(http);
}

void http_notify(struct http *http)
{
    uv_async_send(&http->phase);
}

void http_free(struct http *http)
{
    free(http->spare);
    free(http);
}

/* A line per client that went away would be too much: these are for looking. */
static void log_library(void *context, const char *format, va_list args)
{
    char text[256];
    (void)context;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
    const struct settings *s = http->front->settings;
    bool tls = speaks_tls(http);
    size_t most =
        (http->admin ? ADMIN_CONNECTIONS_MAX : s->connections_max) + 1;
    struct MHD_OptionItem for_tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_retrieve},
        {MHD_OPTION_END, 0, NULL}};
    if (!tls)
        for_tls[0] = for_tls[2];
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0u),
        0, NULL, NULL, exchange_on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
        log_library, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)most,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, http, MHD_OPTION_URI_LOG_CALLBACK, on_target, http,
        MHD_OPTION_ARRAY, for_tls, MHD_OPTION_END);
}

static void on_swept(void *http)
{
    http_pump(http);
}

static void on_handshake(void *http)
{
    http_pump(http);
}

static void on_rest(uv_prepare_t *rests)
{
    (void)rests;
    log_flush();
}

static void start_handles(struct http *http, uv_loop_t *loop)
{
    int epoll_fd =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    uv_timer_init(loop, &http->timer);
    uv_idle_init(loop, &http->again);
    uv_async_init(loop, &http->phase, on_phase);
    uv_prepare_init(loop, &http->rests);
    uv_poll_init(loop, &http->poll, epoll_fd);
    uv_poll_init(loop, &http->gone, http->gone_fd);
    http->timer.data = http->again.data = http->phase.data = http;
    http->poll.data = http->gone.data = http;
    uv_poll_start(&http->poll, UV_READABLE, on_poll);
    uv_poll_start(&http->gone, UV_READABLE, on_gone);
    uv_prepare_start(&http->rests, on_rest);
    connections_init(&http->connections, loop, http->front->in_phase);
    http->connections.expired = cut_expired;
    http->connections.look = cut_look;
    http->connections.swept = on_swept;
    http->connections.context = http;
    spares_init(&http->spares, loop, &http->front->budget);
}

static struct http *give_up(struct http *http)
{
    if (http->port)
        pool_port_free(http->port);
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    if (http->gone_fd >= 0)
        close(http->gone_fd);
    free(http);
    return NULL;
}

struct http *http_new(uv_loop_t *loop, struct front *front, int listen_fd,
                      size_t loop_index, bool admin,
                      void (*ended)(void *context), void *context)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->front = front;
    http->index = loop_index;
    http->admin = admin;
    http->on_end = ended;
    http->on_end_context = context;
    if (getrandom(&http->id, sizeof(http->id), 0) != sizeof(http->id))
        http->id = uv_hrtime();
    http->gone_fd = epoll_create1(EPOLL_CLOEXEC);
    http->daemon = start_daemon(http);
    http->port = pool_port_new(front->pool, loop);
    http->door = door_new(loop, listen_fd, welcome, http);
    if (http->gone_fd < 0 || !http->daemon || !http->port || !http->door ||
        handshakes_init(&http->handshakes, loop, on_handshake, http))
        return give_up(http);
    start_handles(http, loop);
    return http;
}
