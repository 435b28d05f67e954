/* GET /v1/runs/{id}/report.html */
#include "api/clock.h"
#include "api/detection_html.h"
#include "api/run.h"
#include "api/run_query.h"

enum {
    KEYS = KEY(KEY_SUSPECT_SCORE) | KEY(KEY_SCORE_THRESHOLDS),
};

/* What calls the page: the run's name, or its id where it has none. */
static const char *title_of(const struct run *run)
{
    return run->row.name[0] ? run->row.name : run->row.id;
}

static int answer(struct api_call *call, struct run *run,
                  const struct run_query *q)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    double start = clock_ms();
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the page");
    run->req.outputs = OUTPUTS_PAGE;
    if (run_query_options(call, q, &run->req.options) ||
        run_score(call, run, rep))
        return -1;
    double computed = clock_ms();
    call->res->compute_ms = computed - start;
    detection_html(&call->out, rep, title_of(run));
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}

int run_report(struct api_call *call)
{
    struct run_query q;
    struct run run;
    if (run_query_read(call, KEYS, &q))
        return -1;
    int rc = run_open(call, &run);
    rc = rc || answer(call, &run, &q) ? -1 : 0;
    run_close(call, &run);
    return rc;
}
