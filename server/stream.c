#include "server/stream.h"

#include "server/loop.h"

#include <string.h>

enum {
    BLOCK_BYTES = 4096, /* that libmicrohttpd reads at once */
    LOOK_MS = 500,
    BEAT_MS = 15000, /* without a byte proxies take a stream for dead */
};

static bool is_due(uint64_t since_ns, uint64_t now_ns, uint64_t ms)
{
    return now_ns - since_ns >= ms * 1000000;
}

/* Notes how far the answer goes. */
static void take(struct request *r)
{
    struct stream *s = &r->stream;
    s->sent = 0;
    s->looked_ns = uv_hrtime();
    s->ends |= r->res.stream_ends;
    strncpy(s->last, r->res.stream_id, sizeof(s->last) - 1);
}

/* Nothing is left of the answer: whoever looks next asks for more. */
static void rest(struct request *r)
{
    connection_enter(&r->http->connections, r->c, PHASE_SEND, 0);
    exchange_pause(r);
    exchange_watch(r);
}

static ssize_t give(void *context, uint64_t position, char *out, size_t most)
{
    struct request *r = context;
    struct stream *s = &r->stream;
    size_t n = r->res.body_len - s->sent;
    (void)position;
    if (n > 0) {
        n = n < most ? n : most;
        memcpy(out, r->res.body + s->sent, n);
        s->sent += n;
        s->bytes += n;
        return (ssize_t)n;
    }
    if (s->ends)
        return MHD_CONTENT_READER_END_OF_STREAM;
    rest(r);
    return 0;
}

bool stream_begin(struct request *r)
{
    struct front *f = r->http->front;
    if (atomic_fetch_add(&f->streams, 1) >= f->settings->connections_max / 2) {
        atomic_fetch_sub(&f->streams, 1);
        return false;
    }
    r->stream.counted = true;
    r->stream.tokens_age = atomic_load(&f->tokens_age);
    return true;
}

struct MHD_Response *stream_response(struct request *r)
{
    take(r);
    r->stream.told_ns = r->stream.looked_ns;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
                                             give, r, NULL);
}

/* The head may be gone by now; what it said is known. */
static void ask(struct pool_job *job)
{
    struct request *r = (struct request *)job;
    arena_clear(&r->mem, 0);
    r->req.accept = r->req.accept_encoding = r->req.if_none_match = NULL;
    r->req.content_type = r->req.content_encoding = NULL;
    r->req.last_event_id = r->stream.last;
    uint64_t started_ns = r->started_ns; /* of what the log tells */
    request_answer(r);
    r->started_ns = started_ns;
}

void stream_look(struct request *r, uint64_t now_ns)
{
    /* who is still let in comes back, and goes on from there */
    if (r->stream.tokens_age != atomic_load(&r->http->front->tokens_age))
        stream_end(r);
    bool idle = r->paused && !r->busy && !r->stream.ends;
    if (!idle || !is_due(r->stream.looked_ns, now_ns, LOOK_MS))
        return;
    r->stream.looked_ns = now_ns;
    /* from here on r->res is the job's; without room the next look will do */
    (void)!exchange_submit(r, ask);
}

/* What cannot be told now may be told later, unless there is no more. */
static void judge(struct request *r)
{
    r->stream.ends |= r->res.status == MHD_HTTP_NO_CONTENT ||
                      r->res.status == MHD_HTTP_NOT_FOUND;
    r->res.body_len = 0;
}

void stream_answered(struct request *r)
{
    static char beat[] = ":\n\n";
    struct stream *s = &r->stream;
    uint64_t now_ns = uv_hrtime();
    if (r->res.stream_id)
        take(r);
    else
        judge(r);
    if (r->res.body_len == 0 && is_due(s->told_ns, now_ns, BEAT_MS)) {
        r->res.body = beat;
        r->res.body_len = strlen(beat);
    }
    s->sent = 0;
    if (r->res.body_len == 0 && !s->ends)
        return;
    s->told_ns = now_ns;
    connection_enter(&r->http->connections, r->c, PHASE_SEND,
                     r->http->front->settings->send_ms);
    exchange_resume(r);
}

void stream_end(struct request *r)
{
    r->stream.ends = true;
    if (r->busy)
        atomic_store(&r->stop, true); /* nobody waits for what it computes */
    else if (r->paused)
        exchange_resume(r);
}
