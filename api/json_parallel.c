/*
 * Each item is written where it would be if all before it were as long as they
 * may become; then they are moved together.
 */
#include "api/json_parallel.h"

#include <string.h>

struct job {
    struct json_out *out;
    const size_t *at; /* n + 1: where each part begins in the text */
    size_t *len;      /* of what was written */
    out_item *write;
    void *context;
    bool *failed;
};

static void write_item(void *context, size_t i, size_t worker)
{
    struct job *job = context;
    const struct json_out *out = job->out;
    size_t room = job->at[i + 1] - job->at[i];
    struct arena none; /* a part does not grow */
    arena_init(&none, 0);
    struct json_out part = {
        .mem = &none,
        .text = out->text + job->at[i],
        .capacity = room,
        .until = room,
        .pretty = out->pretty,
        .depth = out->depth,
        .comma = out->comma || i > 0,
    };
    job->write(&part, job->context, i, worker);
    job->len[i] = part.len;
    job->failed[i] = part.failed;
}

/* Writes all items side by side; there is room for them. */
static void write_all(struct job *job, size_t n, const struct parallel *par)
{
    struct json_out *out = job->out;
    par->run(par, n, write_item, job);
    out->failed |= parallel_stopped(par);
    for (size_t i = 0; i < n && !out->failed; i++) {
        out->failed |= job->failed[i];
        memmove(out->text + out->len, out->text + job->at[i], job->len[i]);
        out->len += job->len[i];
    }
    out->until = out->len; /* so that the next byte is asked about */
    out->comma = true;
}

void out_parallel(struct json_out *out, size_t n, const size_t *bytes_max,
                  out_item *write, void *context, const struct parallel *par)
{
    size_t *at = arena_alloc(out->mem, n + 1, sizeof(*at));
    struct job job = {
        .out = out,
        .at = at,
        .len = arena_zero(out->mem, n, sizeof(*job.len)),
        .failed = arena_zero(out->mem, n, sizeof(*job.failed)),
        .write = write,
        .context = context,
    };
    size_t total = 0;
    out->failed |= out->mem->failed;
    if (out->failed || n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        total += bytes_max[i];
    if (!out_try_reserve(out, total)) {
        for (size_t i = 0; i < n && !out->failed; i++)
            write(out, context, i, 0);
        return;
    }
    at[0] = out->len;
    for (size_t i = 0; i < n; i++)
        at[i + 1] = at[i] + bytes_max[i];
    write_all(&job, n, par);
}

size_t out_values_max(const struct json_out *out, size_t n, size_t len)
{
    enum { DEEPER = 6 /* than the array that is open */ };
    size_t around = 4 + (out->pretty ? 2 + 2 * (out->depth + DEEPER) : 0);
    return n * (len + around);
}
