#include "api/run.h"

#include "api/detection_write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void write_time(struct json_out *out, const char *key, int64_t ms)
{
    char text[64];
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (ms == 0 || !gmtime_r(&s, &tm)) {
        out_key(out, key);
        out_null(out);
        return;
    }
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(ms % 1000));
    out_member_string(out, key, text);
}

/* How a status is told, around what it is about. */
static const struct {
    enum problem kind;
    const char *before, *after;
} faults[] = {
    [STORE_MISSING] = {PROBLEM_NOT_FOUND, "there is no ", ""},
    [STORE_CONFLICT] = {PROBLEM_CONFLICT, "", " has changed meanwhile"},
    [STORE_REFUSED] = {PROBLEM_PRECONDITION, "",
                       " is not what If-Match or If-None-Match says"},
    [STORE_CLOSED] = {PROBLEM_RUN_FINALIZED, "", " is finalized"},
    [STORE_FULL] = {PROBLEM_STORE_FULL, "no space is left for ", ""},
    [STORE_GONE] = {PROBLEM_STORE_GONE, "the store cannot be reached now, for ",
                    ""},
    [STORE_MEMORY] = {PROBLEM_MEMORY, "",
                      " does not fit in the memory of one request"},
    [STORE_STOPPED] = {PROBLEM_MEMORY, "", " was not read to its end"},
    [STORE_BROKEN] = {PROBLEM_INTERNAL, "the store has failed, for ", ""},
};

int run_store_fault(struct api_call *call, enum store_status status,
                    const char *what)
{
    const struct api_store *store = call->env->store;
    const char *why = status == STORE_FULL ? store->why(store->self) : NULL;
    if (status < STORE_MISSING || status > STORE_BROKEN)
        status = STORE_BROKEN;
    return api_fail(&call->err, faults[status].kind, NULL, "%s%s%s%s%s",
                    faults[status].before, what, faults[status].after,
                    why ? ": " : "", why ? why : "");
}

/* The id in the path; anything else is the id of no run. */
static const char *id_of(struct api_call *call)
{
    size_t n = strcspn(call->rest, "/");
    char *id = arena_alloc(call->mem, RUN_ID_BYTES, 1);
    if (!id)
        return NULL;
    n = n < RUN_ID_BYTES ? n : 0;
    memcpy(id, call->rest, n);
    id[n] = '\0';
    return id;
}

int run_row(struct api_call *call, struct store_run *row)
{
    const struct api_store *store = call->env->store;
    const char *id = id_of(call);
    enum store_status status =
        id ? store->get_run(store->self, id, row, call->mem) : STORE_MEMORY;
    return status ? run_store_fault(call, status, "run of this id") : 0;
}

/* What was accepted once is read again; if not, it is the store's fault. */
int run_parameters(struct api_call *call, const struct store_run *row,
                   struct detection_request *req)
{
    size_t before = call->err.n;
    detection_request_init(req);
    if (decode_parameters(row->parameters, strlen(row->parameters), req,
                          call->mem, &call->err) == 0)
        return 0;
    if (call->err.n > before && call->err.fault[before].kind == PROBLEM_MEMORY)
        return -1;
    call->err.n = before;
    return api_fail(&call->err, PROBLEM_INTERNAL, NULL,
                    "the parameters of the run are damaged");
}

int run_open(struct api_call *call, struct run *run)
{
    *run = (struct run){0};
    if (run_row(call, &run->row) || run_parameters(call, &run->row, &run->req))
        return -1;
    run->dataset = dataset_hold(call, run->row.sha256,
                                run->req.protocol.use_categories, &run->held);
    if (!run->dataset)
        return -1;
    run->req.gt = run->dataset->gt;
    run->req.category_name = run->dataset->category_name;
    run->req.annotation_odd = run->dataset->annotation_odd;
    run->req.odd = run->dataset->odd;
    return 0;
}

void run_close(struct api_call *call, struct run *run)
{
    dataset_release(call, run->held);
    run->held = NULL;
}

static void write_links(struct json_out *out, const char *id)
{
    static const char *const links[][2] = {{"self", ""},
                                           {"images", "/images"},
                                           {"events", "/events"},
                                           {"report", "/report.html"}};
    out_key(out, "links");
    out_open(out, '{');
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/v1/runs/%s%s", id, links[i][1]);
        out_member_string(out, links[i][0], path);
    }
    out_close(out, '}');
}

static double progress_of(const struct store_run *row)
{
    double p = (double)row->images / (double)row->expected_images;
    return p < 1 ? p : 1; /* of none expected, all are there */
}

const char *run_state_name(const struct store_run *row)
{
    return row->state == RUN_FINALIZED ? "finalized" : "open";
}

void run_write_progress(struct json_out *out, const struct store_run *row)
{
    out_member_integer(out, "expected_images", row->expected_images);
    out_member_integer(out, "images", row->images);
    out_member_integer(out, "detections", row->detections);
    out_member_number(out, "progress", progress_of(row));
}

void run_write(struct json_out *out, const struct store_run *row,
               const struct coco_protocol *protocol)
{
    out_member_string(out, "id", row->id);
    out_member_string(out, "state", run_state_name(row));
    out_member_string(out, "name", row->name);
    out_member_string(out, "dataset", row->dataset);
    out_member_string(out, "dataset_sha256", row->sha256);
    if (protocol)
        write_protocol(out, protocol);
    else
        out_member_string(out, "protocol", row->protocol);
    out_key(out, "tags");
    out_raw(out, row->tags);
    run_write_progress(out, row);
    out_member_integer(out, "bytes", row->bytes);
    write_time(out, "created_at", row->created_ms);
    write_time(out, "updated_at", row->updated_ms);
    write_time(out, "finalized_at", row->finalized_ms);
    write_links(out, row->id);
}
