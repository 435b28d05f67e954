/* POST /v1/runs/{id}/finalize */
#include "api/clock.h"
#include "api/detection_call.h"
#include "api/detection_settings.h"
#include "api/query.h"
#include "api/run.h"
#include "api/run_settings.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What to answer with: {"outputs", and options}, or nothing. */
static int read_body(struct api_call *call, struct detection_request *req)
{
    static const struct at at = {NULL, "outputs", 0};
    const char *names[1 + OPTION_NAMES_MAX] = {"outputs"};
    struct api_error *err = &call->err;
    if (call->body_len == 0)
        return 0;
    const json_t *v = json_read(call->body, call->body_len, call->mem, err);
    if (!v || read_object(v, NULL, err))
        return -1;
    read_known(v, NULL, names, 1 + option_names(names + 1), err);
    read_outputs(json_object_get(v, "outputs"), &at, req, err);
    read_options(v, NULL, &req->options, err);
    return err->n ? -1 : 0;
}

/* The answer of the summary alone, as text to be kept. */
static const char *result_of(struct api_call *call, struct run *run,
                             const struct run_summary *summary)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    unsigned outputs = run->req.outputs;
    struct json_out text;
    json_out_init(&text, call->mem, false);
    if (!rep)
        return NULL;
    run->req.outputs = OUTPUT_SUMMARY;
    run_summary_report(run, summary, call->env->par, rep);
    detection_write(&text, rep);
    out_bytes(&text, "", 1);
    run->req.outputs = outputs;
    return text.failed ? NULL : text.text;
}

static int check_complete(struct api_call *call, const struct run *run,
                          const struct run_summary *summary, bool partial)
{
    if (partial || summary->images >= run->row.expected_images)
        return 0;
    return api_fail(&call->err, PROBLEM_RUN_INCOMPLETE, NULL,
                    "%lld of %lld images are in; ?partial scores these",
                    (long long)summary->images,
                    (long long)run->row.expected_images);
}

/* One attempt: *again if an image has come between the numbers and the end. */
static int close_once(struct api_call *call, struct run *run, bool partial,
                      bool *again)
{
    const struct api_store *store = call->env->store;
    struct run_summary summary;
    *again = false;
    if (run_live_summary(call, run, &summary) ||
        check_complete(call, run, &summary, partial))
        return -1;
    const char *result = result_of(call, run, &summary);
    if (!result)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the result");
    enum store_status status =
        store->finalize_run(store->self, run->row.id, summary.seq, result);
    *again = status == STORE_CONFLICT;
    if (status == STORE_OK)
        run->row.result = result;
    else if (status == STORE_CLOSED)
        return run_row(call, &run->row);
    return status ? run_store_fault(call, status, "the run") : 0;
}

static int close_run(struct api_call *call, struct run *run, bool partial)
{
    enum { TRIES = 20 };
    size_t before = call->err.n;
    bool again = true;
    int rc = run->row.result ? 0 : -1;
    for (size_t i = 0; i < TRIES && again && rc; i++) {
        call->err.n = before;
        rc = close_once(call, run, partial, &again);
    }
    return rc;
}

/* The summary is there already as JSON; all else is computed. */
static int answer(struct api_call *call, struct run *run)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    const char *result = run->row.result;
    if (run->req.outputs == OUTPUT_SUMMARY && !call_wants_text(call)) {
        const json_t *v =
            json_read(result, strlen(result), call->mem, &call->err);
        if (v)
            write_json(&call->out, v);
        return v ? 0 : -1;
    }
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    if (run_score(call, run, rep))
        return -1;
    detection_answer(call, rep);
    return 0;
}

int run_finalize(struct api_call *call)
{
    static const char *const names[] = {"partial"};
    const char *value[COUNT(names)];
    double start = clock_ms();
    struct run run;
    bool partial = false;
    int rc = run_open(call, &run) ||
                     query_values(call->req->query, names, COUNT(names), value,
                                  call->mem, &call->err) ||
                     query_flag(names[0], value[0], &partial, &call->err) ||
                     read_body(call, &run.req) ||
                     detection_check_text(call, run.req.outputs) ||
                     close_run(call, &run, partial) || answer(call, &run)
                 ? -1
                 : 0;
    run_close(call, &run);
    call->res->compute_ms = clock_ms() - start;
    return rc;
}
