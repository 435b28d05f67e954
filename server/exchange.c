/* From a request's head to the end of its answer, on the loop's thread. */
#include "core/random.h"
#include "server/answers.h"
#include "server/loop.h"
#include "server/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    LIGHT_BYTES_MAX = 1 << 16, /* larger bodies are heavy work */
    DROP_BYTES_MAX = 1 << 16,  /* of a refused body, to keep the connection */
    DROP_MS = 50,              /* for it to come */
};

static const struct settings *settings(const struct request *r)
{
    return r->http->front->settings;
}

static void enter(struct request *r, enum connection_phase phase, size_t ms)
{
    if (r->c)
        connection_enter(&r->http->connections, r->c, phase, ms);
}

static enum pool_lane lane_of(const struct request *r)
{
    if (r->route.waits)
        return LANE_STORE;
    return r->large || r->route.computes ? LANE_HEAVY : LANE_LIGHT;
}

/* Whether the loop may answer it, which then waits for nobody. */
static bool is_quick(const struct request *r)
{
    return r->body.bytes <= r->route.inline_bytes_max && !r->route.waits &&
           !r->route.computes && !r->body.too_large && !r->body.starved;
}

/* Whether the head of a request announces much to do. */
static enum spare_size size_of(const struct request *r)
{
    if (r->route.vital)
        return SPARE_VITAL;
    return r->large || r->lane == LANE_HEAVY ? SPARE_LARGE : SPARE_SMALL;
}

static struct request *request_new(struct http *http,
                                   struct MHD_Connection *connection,
                                   const char *method, const char *version)
{
    struct connection *c = answers_connection(connection);
    const struct settings *s = http->front->settings;
    struct request *r = c && c->target ? request_take(http) : NULL;
    if (!r)
        return NULL;
    r->http = http;
    r->c = c;
    r->connection = connection;
    memcpy(r->address, c->address, sizeof(r->address));
    r->began_ns = uv_hrtime();
    r->par = *pool_parallel(http->front->pool);
    r->par.stop = &r->stop;
    r->env = (struct api_env){
        .par = &r->par,
        .body_bytes_max = s->body_bytes_max,
        .workers = s->workers,
        .draining = front_phase(http->front) != FRONT_SERVING,
        .write_metrics = front_write_metrics,
        .metrics = http->front,
        .counts = metrics_counts(http->front->metrics),
        .store = front_store(http->front),
        .cache = front_cache(http->front),
    };
    if (request_read_head(r, method, version, random_next(&http->id))) {
        request_clear(r);
        request_give(http, r);
        return NULL;
    }
    /* nobody knows how much a body is before it is inflated */
    r->large = r->route.encoded || r->head.chunked ||
               r->req.content_length > LIGHT_BYTES_MAX;
    r->lane = lane_of(r);
    r->body.budget = &http->front->budget;
    r->body.bytes_max = s->body_bytes_max;
    r->body.expected = r->req.content_length;
    r->mem = spares_take_arena(&http->spares, size_of(r));
    r->mem.bytes_max = api_memory_bytes(0);
    request_join_lists(r);
    c->request = r;
    atomic_fetch_add(&http->front->requests, 1);
    return r;
}

static void request_end(struct request *r, bool sent)
{
    struct http *http = r->http;
    if (r->counted)
        clients_end(http->front->clients, r->held);
    if (r->stream.counted)
        atomic_fetch_sub(&http->front->streams, 1);
    request_finish(r, sent);
    request_clear(r);
    spares_give_arena(&http->spares, size_of(r), &r->mem);
    request_give(http, r);
    atomic_fetch_sub(&http->front->requests, 1);
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

/* Back on the loop's thread, or never run. */
static void job_over(struct request *r)
{
    r->busy = false;
    r->http->jobs--;
    if (r->body.spares)
        body_give_back(&r->body);
    if (r->c)
        go_on(r);
    else
        request_end(r, false);
}

static void job_done(struct pool_job *job)
{
    struct request *r = (struct request *)job;
    struct http *http = r->http;
    job_over(r);
    http_pump(http);
}

int exchange_submit(struct request *r, void (*run)(struct pool_job *job))
{
    r->job = (struct pool_job){
        .run = run, .done = job_done, .lane = r->lane, .port = r->http->port};
    if (pool_submit(&r->job))
        return -1;
    r->busy = true;
    r->http->jobs++;
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
    if (exchange_submit(r, pieces_run) == 0)
        return;
    body_give_back(&r->body);
    r->refused = true;
}

void exchange_pause(struct request *r)
{
    if (!r->paused)
        MHD_suspend_connection(r->connection);
    r->paused = true;
}

void exchange_unwatch(struct request *r)
{
    if (r->watched)
        epoll_ctl(r->http->gone_fd, EPOLL_CTL_DEL, r->c->fd, NULL);
    r->watched = false;
}

void exchange_watch(struct request *r)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET,
                                .data.ptr = r->c};
    r->watched =
        epoll_ctl(r->http->gone_fd, EPOLL_CTL_ADD, r->c->fd, &event) == 0;
}

void exchange_resume(struct request *r)
{
    exchange_unwatch(r);
    if (r->paused)
        MHD_resume_connection(r->connection);
    r->paused = false;
}

/* Why there is no answer but this one. */
static void refuse_stopped(struct request *r)
{
    if (r->reason == REASON_DRAINING)
        request_refuse(r, PROBLEM_DRAINING, 0,
                       "the server is shutting down, and stopped");
    else
        request_refuse(r, PROBLEM_DEADLINE, 0,
                       "not done within the time for a request; stopped");
}

/* The whole body has come, but it was dropped, or the pool takes no more. */
static void refuse_whole(struct request *r)
{
    const struct body *b = &r->body;
    r->reason = b->too_large ? REASON_TOO_LARGE
                : b->starved ? REASON_MEMORY
                             : REASON_QUEUE;
    if (b->too_large)
        request_refuse(r, PROBLEM_BODY_TOO_LARGE, 0, "the limit is %zu bytes",
                       r->env.body_bytes_max);
    else if (b->starved && !b->spares && b->bytes > b->budget->max)
        request_refuse(r, PROBLEM_MEMORY, 0,
                       "the body does not fit in the %zu bytes that there are "
                       "for all requests",
                       b->budget->max);
    else
        request_refuse(r, PROBLEM_OVERLOADED, 0, "%s",
                       b->starved ? "the memory for requests is in use"
                                  : "the queue of requests is full");
}

/* The whole body is there, and is answered by the pool. */
static void begin_work(struct request *r)
{
    if (!r->body.spares)
        r->mem.bytes_max = api_memory_bytes(r->body.bytes);
    else
        body_take(&r->body, true);
    r->mem.beside = r->body.capacity;
    r->queued_ns = uv_hrtime();
    r->state = REQUEST_WORK;
    bool whole = !r->refused && !r->body.too_large && !r->body.starved;
    if (whole && exchange_submit(r, answer_run) == 0)
        return;
    if (r->body.spares)
        body_give_back(&r->body);
    refuse_whole(r);
    r->state = REQUEST_DONE;
    exchange_resume(r);
}

/* What is to be done next, now that no job of the request is with the pool. */
static void go_on(struct request *r)
{
    if (r->state == REQUEST_STREAM) {
        stream_answered(r);
        return;
    }
    bool stopped = atomic_load(&r->stop);
    if (stopped && !r->complete) {
        r->refused = true; /* its connection is about to close */
        exchange_resume(r);
    } else if (stopped || r->state == REQUEST_WORK) {
        if (stopped)
            refuse_stopped(r);
        r->state = REQUEST_DONE;
        exchange_resume(r);
    } else if (r->complete) {
        begin_work(r);
    } else {
        if (r->body.n_waiting > 0 && !r->refused)
            read_pieces(r);
        exchange_resume(r);
    }
}

/* Its own limit, and the server's, from now. */
static size_t work_ms(const struct request *r)
{
    size_t most = settings(r)->request_ms;
    size_t own = r->head.timeout_ms;
    if (!own)
        return most;
    size_t gone = (size_t)((uv_hrtime() - r->began_ns) / 1000000);
    own = own > gone ? own - gone : 1;
    return most && most < own ? most : own;
}

/* The whole body is there: answers now, or has it answered. */
static enum MHD_Result end_body(struct request *r)
{
    r->complete = true;
    if (is_quick(r)) {
        r->env.par = &parallel_serial;
        request_answer(r);
        return request_send(r);
    }
    enter(r, PHASE_WORK, work_ms(r));
    if (!r->busy)
        begin_work(r);
    if (r->state == REQUEST_DONE)
        return request_send(r);
    exchange_pause(r); /* before its job may be seen to be done */
    exchange_watch(r);
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
        exchange_pause(r);
    return MHD_YES;
}

/* Whether what still comes is little enough to be read and dropped. */
static bool is_droppable(const struct request *r)
{
    return !r->closes && !r->head.chunked && !r->head.value[HEAD_EXPECT] &&
           r->req.content_length <= DROP_BYTES_MAX;
}

/*
 * A request is refused by its head.  A body that is here already is dropped
 * and the connection goes on; one that is not is not waited for.
 */
static enum MHD_Result refused(struct request *r)
{
    r->state = REQUEST_DONE;
    r->looked_ns = r->began_ns;
    if (!r->closes && !request_has_body(r))
        return MHD_YES;
    enter(r, PHASE_BODY, DROP_MS);
    if (is_droppable(r))
        return MHD_YES;
    /* an answer before the body closes the connection */
    r->c->lingers = true;
    return request_send(r);
}

static enum MHD_Result admitted(struct request *r)
{
    r->state = REQUEST_BODY;
    if (r->route.in_pieces && begin_pieces(r))
        return MHD_NO;
    if (request_has_body(r))
        enter(r, PHASE_BODY, settings(r)->body_ms);
    r->looked_ns = r->began_ns;
    return MHD_YES;
}

enum MHD_Result exchange_on_request(void *http,
                                    struct MHD_Connection *connection,
                                    const char *url, const char *method,
                                    const char *version, const char *upload,
                                    size_t *upload_size, void **request)
{
    struct request *r = *request;
    (void)url;
    if (!r) {
        r = *request = request_new(http, connection, method, version);
        if (!r)
            return MHD_NO;
        return admit(r) ? admitted(r) : refused(r);
    }
    if (r->state == REQUEST_BODY)
        return read_body(r, upload, upload_size);
    if (r->state == REQUEST_DONE && *upload_size == 0)
        return request_send(r);
    *upload_size = 0; /* what still comes after a refusal */
    return MHD_YES;
}

void exchange_abandon(struct request *r)
{
    atomic_store(&r->stop, true);
    if (r->busy && pool_cancel(&r->job))
        job_over(r);
}

void exchange_on_completed(void *context, struct MHD_Connection *connection,
                           void **request, enum MHD_RequestTerminationCode why)
{
    struct http *http = context;
    struct request *r = *request;
    (void)connection;
    *request = NULL;
    if (!r)
        return;
    exchange_unwatch(r);
    r->c->request = NULL;
    bool draining = front_phase(http->front) != FRONT_SERVING;
    enter(r, PHASE_IDLE,
          draining ? DRAIN_IDLE_MS : http->front->settings->idle_ms);
    r->c = NULL;
    if (r->busy)
        exchange_abandon(r); /* it ends when its job comes back */
    else
        request_end(r, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

void exchange_stop(struct request *r, enum reason why)
{
    r->reason = why;
    r->c->deadline_ns = 0;
    exchange_abandon(r);
}
