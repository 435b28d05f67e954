/* POST /v1/detection/evaluate */
#include "api/clock.h"
#include "api/detection.h"
#include "api/route.h"

#include <string.h>

static int check_text(const struct api_call *call,
                      const struct detection_request *req,
                      struct api_error *err)
{
    if (strncmp(call->produces, "text/", 5) == 0 &&
        req->outputs & OUTPUT_ARRAYS)
        return api_fail(err, PROBLEM_NOT_ACCEPTABLE, NULL,
                        "the output \"arrays\" has no text form; accept "
                        "application/json");
    return 0;
}

int detection_evaluate(struct api_call *call)
{
    struct detection_request *req = arena_alloc(call->mem, 1, sizeof(*req));
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    if (!req || !rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the request");
    detection_request_init(req);
    double start = clock_ms();
    int rc =
        decode_body(call->body, call->body_len, req, call->mem, &call->err);
    double parsed = clock_ms();
    call->res->parse_ms = parsed - start;
    if (rc || check_text(call, req, &call->err) ||
        detection_score(req, rep, call->mem, call->env->par, &call->err))
        return -1;
    double computed = clock_ms();
    call->res->compute_ms = computed - parsed;
    if (strncmp(call->produces, "text/", 5) == 0)
        detection_text(&call->out, rep);
    else
        detection_write(&call->out, rep);
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}
