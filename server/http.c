#include "server/http.h"

#include "core/random.h"
#include "server/log.h"
#include "server/request.h"
#include "server/uploads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    IDLE_TIMEOUT_S = 120,
    LIGHT_BYTES_MAX = 1 << 16, /* larger bodies are heavy work */
};

/* A client's connection: what libmicrohttpd does not keep of it. */
struct connection {
    char *target; /* of its latest request line, before any decoding */
};

struct http {
    uv_loop_t *loop;
    struct pool *pool;
    struct http_options options;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t again;       /* runs while libmicrohttpd has more to do at once */
    unsigned open_handles; /* of libuv */
    size_t active, working; /* requests; those with the pool */
    struct uploads uploads;
    bool draining;
    void (*drained)(void *context);
    void *drained_context;
    uint64_t id; /* the state that requests' ids come from */
    struct spares spares;
};

/* Whether the head of a request announces much to do. */
static enum spare_size size_of(const struct request *r)
{
    return r->req.length_known && r->req.content_length <= LIGHT_BYTES_MAX
               ? SPARE_SMALL
               : SPARE_LARGE;
}

static struct request *request_new(struct http *http,
                                   struct MHD_Connection *connection,
                                   const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct connection *c = info ? info->socket_context : NULL;
    struct request *r = calloc(1, sizeof(*r));
    if (!r || !c || !c->target) {
        free(r);
        return NULL;
    }
    r->http = http;
    r->connection = connection;
    r->began_ns = uv_hrtime();
    r->env = (struct api_env){
        .par = pool_parallel(http->pool),
        .body_bytes_max = http->options.body_bytes_max,
        .workers = http->options.workers,
        .draining = http->draining,
    };
    if (request_read_head(r, method, c->target, random_next(&http->id))) {
        request_clear(r);
        free(r);
        return NULL;
    }
    r->body.bytes_max = http->options.body_bytes_max;
    r->body.expected = r->req.content_length;
    r->mem = spares_take_arena(&http->spares, size_of(r));
    r->mem.bytes_max = api_memory_bytes(0);
    http->active++;
    return r;
}

static void pump(struct http *http);

static void request_end(struct request *r, bool sent)
{
    struct http *http = r->http;
    uploads_remove(&http->uploads, r);
    request_log(r, sent);
    request_clear(r);
    spares_give_arena(&http->spares, size_of(r), &r->mem);
    free(r);
    http->active--;
}

static void answer_run(struct pool_job *job)
{
    request_answer((struct request *)job);
}

static void pieces_run(struct pool_job *job)
{
    request_read_pieces((struct request *)job);
}

static void go_on(struct request *r);

/* Back on the loop's thread. */
static void job_done(struct pool_job *job)
{
    struct request *r = (struct request *)job;
    struct http *http = r->http;
    http->working--;
    r->busy = false;
    if (r->body.spares)
        body_give_back(&r->body);
    if (r->gone)
        request_end(r, false);
    else
        go_on(r);
    pump(http);
}

/* Nobody knows how much a body is before it is inflated. */
static bool is_heavy(const struct request *r)
{
    return r->route.encoded || r->body.bytes > LIGHT_BYTES_MAX;
}

/* Gives a job to the pool; -1 if that has no room. */
static int submit(struct request *r, void (*run)(struct pool_job *job))
{
    r->job = (struct pool_job){
        .run = run,
        .done = job_done,
        .lane = is_heavy(r) ? LANE_HEAVY : LANE_LIGHT,
    };
    if (pool_submit(r->http->pool, &r->job))
        return -1;
    r->busy = true;
    r->http->working++;
    return 0;
}

/*
 * The body is read while it comes, so its length has to be known before; and
 * by a job that may go on when the connection is gone.
 */
static int begin_pieces(struct request *r)
{
    bool known = r->req.length_known && !r->route.encoded;
    r->body.spares = &r->http->spares;
    r->mem.bytes_max =
        api_memory_bytes(known ? r->req.content_length : r->body.bytes_max);
    return request_own_head(r);
}

/* Has what waits of a body in pieces read while the rest is coming. */
static void read_pieces(struct request *r)
{
    body_take(&r->body, false);
    if (submit(r, pieces_run) == 0)
        return;
    body_give_back(&r->body);
    r->refused = true;
}

static void resume(struct request *r)
{
    if (r->paused)
        MHD_resume_connection(r->connection);
    r->paused = false;
}

/* The whole body is there, and is answered by the pool. */
static void begin_work(struct request *r)
{
    if (!r->body.spares)
        r->mem.bytes_max = api_memory_bytes(r->body.bytes);
    else
        body_take(&r->body, true);
    r->queued_ns = uv_hrtime();
    r->state = REQUEST_WORK;
    if (!r->refused && !r->body.too_large && submit(r, answer_run) == 0)
        return;
    if (r->body.spares)
        body_give_back(&r->body);
    if (r->body.too_large)
        api_body_too_large(&r->env, &r->req, &r->mem, &r->res);
    else
        api_overloaded(&r->req, &r->mem, &r->res);
    r->state = REQUEST_DONE;
    resume(r);
}

/* What is to be done next, now that no job of the request is with the pool. */
static void go_on(struct request *r)
{
    if (r->state == REQUEST_WORK) {
        r->state = REQUEST_DONE;
        resume(r);
    } else if (r->complete) {
        begin_work(r);
    } else {
        if (r->body.n_waiting > 0 && !r->refused)
            read_pieces(r);
        resume(r);
    }
}

/* Until it is resumed, libmicrohttpd leaves the connection alone. */
static void pause_connection(struct request *r)
{
    if (!r->paused)
        MHD_suspend_connection(r->connection);
    r->paused = true;
}

/* The whole body is there: answers now, or has it answered. */
static enum MHD_Result end_body(struct request *r)
{
    uploads_remove(&r->http->uploads, r);
    r->complete = true;
    if (r->body.bytes <= r->route.inline_bytes_max && !r->body.too_large) {
        r->env.par = &parallel_serial; /* the loop waits for nobody */
        request_answer(r);
        return request_send(r);
    }
    if (!r->busy)
        begin_work(r);
    if (r->state == REQUEST_DONE)
        return request_send(r);
    pause_connection(r); /* before its job may be seen to be done */
    return MHD_YES;
}

static enum MHD_Result read_body(struct request *r, const char *bytes,
                                 size_t *n)
{
    if (*n == 0)
        return end_body(r);
    int rc =
        r->refused ? body_skip(&r->body, *n) : body_append(&r->body, bytes, *n);
    *n = 0;
    if (rc)
        return MHD_NO;
    if (r->body.n_waiting > 0 && !r->busy && !r->refused)
        read_pieces(r);
    if (r->busy && body_is_full(&r->body))
        pause_connection(r);
    return MHD_YES;
}

/* libmicrohttpd calls this for the head, each piece of the body, its end. */
static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct request *r = *state;
    (void)url;
    (void)version;
    if (!r) {
        r = *state = request_new(context, connection, method);
        if (!r)
            return MHD_NO;
        if (api_admit(&r->env, &r->req, &r->mem, &r->route, &r->res)) {
            r->state = REQUEST_BODY;
            if (r->route.in_pieces && begin_pieces(r))
                return MHD_NO;
            if (request_has_body(r))
                uploads_add(&r->http->uploads, r);
            return MHD_YES;
        }
        /* an answer before the body closes the connection */
        if (request_has_body(r))
            return request_send(r);
        r->state = REQUEST_DONE;
        return MHD_YES;
    }
    if (r->state == REQUEST_BODY)
        return read_body(r, upload, upload_size);
    if (r->state == REQUEST_DONE)
        return request_send(r);
    *upload_size = 0; /* what still comes after an early answer */
    return MHD_YES;
}

/* The job has its body and memory still. */
static void end_later(struct request *r)
{
    uploads_remove(&r->http->uploads, r);
    r->gone = true;
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode why)
{
    (void)context;
    (void)connection;
    struct request *r = *state;
    *state = NULL;
    if (r && r->busy)
        end_later(r);
    else if (r)
        request_end(r, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static void on_connection(void *context, struct MHD_Connection *connection,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = calloc(1, sizeof(struct connection));
        return;
    }
    struct connection *c = *socket_context;
    if (c)
        free(c->target);
    free(c);
    *socket_context = NULL;
}

/* The only place that shows the target as it was sent. */
static void *on_target(void *context, const char *target,
                       struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info ? info->socket_context : NULL;
    (void)context;
    if (c) {
        free(c->target);
        c->target = strdup(target);
    }
    return NULL;
}

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

static void on_again(uv_idle_t *again)
{
    pump(again->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    pump(poll->data);
}

/* Says once that the last request has ended; outside of libmicrohttpd. */
static void check_drained(struct http *http)
{
    void (*drained)(void *context) = http->drained;
    if (!http->draining || http->active > 0 || !drained)
        return;
    http->drained = NULL;
    drained(http->drained_context);
}

/*
 * Lets libmicrohttpd do what can be done, and asks when it wants to be
 * called again.  0 means at once: that is the loop's next turn, by an idle
 * handle, so that the pool, signals and timers get theirs in between.  (A
 * timer of 0 ms started from its own callback fires again in the same turn.)
 */
static void pump(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    MHD_run(http->daemon);
    uv_timer_stop(&http->timer);
    uv_idle_stop(&http->again);
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
        if (wait_ms == 0)
            uv_idle_start(&http->again, on_again);
        else
            uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    }
    check_drained(http);
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
        http, MHD_OPTION_LISTEN_SOCKET, http->options.listen_fd,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, http, MHD_OPTION_END);
}

struct http *http_new(uv_loop_t *loop, struct pool *pool,
                      const struct http_options *options)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->loop = loop;
    http->pool = pool;
    http->options = *options;
    if (getrandom(&http->id, sizeof(http->id), 0) != sizeof(http->id))
        http->id = uv_hrtime();
    http->daemon = start_daemon(http);
    if (!http->daemon) {
        free(http);
        return NULL;
    }
    int epoll_fd =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    uv_timer_init(loop, &http->timer);
    uv_idle_init(loop, &http->again);
    uploads_init(&http->uploads, loop);
    spares_init(&http->spares, loop);
    uv_poll_init(loop, &http->poll, epoll_fd);
    http->timer.data = http->again.data = http->poll.data = http;
    http->open_handles = 5;
    uv_poll_start(&http->poll, UV_READABLE, on_poll);
    return http;
}

void http_drain(struct http *http, void (*drained)(void *context),
                void *context)
{
    MHD_socket fd = MHD_quiesce_daemon(http->daemon);
    http->draining = true;
    http->drained = drained;
    http->drained_context = context;
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    check_drained(http);
}

size_t http_active(const struct http *http)
{
    return http->active;
}

bool http_working(const struct http *http)
{
    return http->working > 0;
}

void http_end_uploads(struct http *http)
{
    uploads_end(&http->uploads);
}

static void on_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (--http->open_handles > 0)
        return;
    spares_free(&http->spares);
    free(http);
}

void http_free(struct http *http)
{
    uv_poll_stop(&http->poll);
    uv_timer_stop(&http->timer);
    uv_idle_stop(&http->again);
    MHD_stop_daemon(http->daemon);
    /* whose end on_closed counts */
    http->uploads.sweep.data = http->spares.sweep.data = http;
    uv_close((uv_handle_t *)&http->poll, on_closed);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    uv_close((uv_handle_t *)&http->again, on_closed);
    uv_close((uv_handle_t *)&http->uploads.sweep, on_closed);
    uv_close((uv_handle_t *)&http->spares.sweep, on_closed);
}
