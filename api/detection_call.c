/* POST /v1/detection/evaluate */
#include "api/detection_call.h"

#include "api/clock.h"
#include "api/counts.h"
#include "api/detection_intake.h"

int detection_check_text(struct api_call *call, unsigned outputs)
{
    if (call_wants_text(call) && outputs & OUTPUT_ARRAYS)
        return api_fail(&call->err, PROBLEM_NOT_ACCEPTABLE, NULL,
                        "the output \"arrays\" has no text form; accept "
                        "application/json");
    return 0;
}

void detection_answer(struct api_call *call, const struct detection_report *rep)
{
    if (call_wants_text(call))
        detection_text(&call->out, rep, false);
    else
        detection_write(&call->out, rep);
}

static int score(struct api_call *call, const struct detection_request *req)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    double start = clock_ms();
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    if (detection_check_text(call, req->outputs) ||
        detection_score(req, rep, call->mem, call->env->par, &call->err))
        return -1;
    double computed = clock_ms();
    call->res->compute_ms = computed - start;
    counts_evaluation(call->env->counts, req->dt.n, req->gt.n_images);
    detection_answer(call, rep);
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}

int detection_evaluate(struct api_call *call)
{
    struct api_intake *in = call->req->intake;
    struct api_intake *own = NULL;
    if (!in) {
        in = own = api_intake_new(call->env, call->req, call->mem);
        if (in)
            api_intake_take(in, &(struct span){call->body, call->body_len}, 1);
    }
    if (!in)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the request");
    int rc = intake_finish(in, &call->err);
    call->res->parse_ms = in->parse_ms;
    rc = rc || score(call, &in->req) ? -1 : 0;
    if (own)
        api_intake_free(own);
    return rc;
}
