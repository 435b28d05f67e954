/*
 * What happens to a run, as server-sent events (WHATWG HTML, section 9.2).
 * Each call tells what is new since the event that the client had last; who
 * answers requests calls again and again (api_response.stream_id).
 *
 * An event's id is how far the run had come, so a client resumes anywhere, on
 * any replica: what it missed is in what it is told next.
 */
#include "api/detection_write.h"
#include "api/run.h"

#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 40 };

/* What one call tells. */
struct telling {
    struct api_call *call;
    const struct store_run *row;
    char id[ID_BYTES];
};

static void begin(const struct telling *t, const char *name)
{
    out_format(&t->call->out, "id: %s\nevent: %s\ndata: ", t->id, name);
    t->call->out.comma = false; /* each is a document of its own */
}

static void end(const struct telling *t)
{
    out_format(&t->call->out, "\n\n");
}

static void tell_progress(const struct telling *t)
{
    struct json_out *out = &t->call->out;
    begin(t, "progress");
    out_open(out, '{');
    out_member_string(out, "state", run_state_name(t->row));
    run_write_progress(out, t->row);
    out_close(out, '}');
    end(t);
}

/* The result as it was kept, which has the summary. */
static void tell_done(const struct telling *t)
{
    begin(t, "done");
    out_raw(&t->call->out, t->row->result);
    end(t);
}

static int tell_summary(const struct telling *t)
{
    struct json_out *out = &t->call->out;
    struct run run;
    struct run_summary summary;
    int rc = run_open(t->call, &run);
    if (rc == 0)
        rc = run_live_summary(t->call, &run, &summary);
    if (rc == 0) {
        struct detection_report rep = {.req = &run.req};
        memcpy(rep.value, summary.value, sizeof(rep.value));
        begin(t, "summary");
        out_open(out, '{');
        out_member_integer(out, "images", summary.images);
        write_summary(out, &rep);
        out_close(out, '}');
        end(t);
    }
    run_close(t->call, &run);
    return rc;
}

static void set_id(struct telling *t)
{
    const struct store_run *row = t->row;
    snprintf(t->id, sizeof(t->id), "%lld%s", (long long)row->seq,
             row->state == RUN_FINALIZED ? "-done" : "");
}

int run_events(struct api_call *call)
{
    struct store_run row;
    struct telling t = {.call = call, .row = &row};
    const char *last = call->req->last_event_id;
    if (run_row(call, &row))
        return -1;
    set_id(&t);
    bool known = last && strcmp(last, t.id) == 0;
    if (known && row.state == RUN_FINALIZED) {
        call->res->status = 204; /* which tells a browser not to come again */
        return 0;
    }
    char *id = arena_alloc(call->mem, ID_BYTES, 1);
    if (!id)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    memcpy(id, t.id, ID_BYTES);
    call->res->stream_id = id;
    call->res->stream_ends = row.state == RUN_FINALIZED;
    call->out.pretty = false; /* the data of an event is one line */
    if (known)
        return 0;
    if (!last)
        out_format(&call->out, "retry: 1000\n\n");
    tell_progress(&t);
    if (row.state != RUN_FINALIZED)
        return tell_summary(&t);
    tell_done(&t);
    return 0;
}
