/* POST /v1/detection/evaluate, and its body in pieces. */
#include "api/accept.h"
#include "api/clock.h"
#include "api/detection_form.h"
#include "api/route.h"

#include <string.h>

/* Room for columns that any list of the body may be, and for scoring them. */
enum { MEMORY_PER_BYTE = 7 };

static const char *const form[] = {"multipart/form-data", NULL};

/* Of a body that is JSON, or of one that is a form. */
struct api_intake {
    struct detection_request req;
    struct detection_reader *reader;
    struct detection_form *form;
    double parse_ms;
};

struct api_intake *api_intake_new(const struct api_env *env,
                                  const struct api_request *req,
                                  struct arena *mem)
{
    size_t expected = req->length_known ? req->content_length : req->body_len;
    struct api_intake *in;
    arena_reserve(mem, MEMORY_PER_BYTE * expected);
    in = arena_zero(mem, 1, sizeof(*in));
    if (!in)
        return NULL;
    detection_request_init(&in->req);
    if (content_pick(req->content_type, form) == 0)
        in->form = detection_form_new(req->content_type, &in->req, expected,
                                      env->par, mem);
    else
        in->reader = detection_reader_new(DETECTION_BODY, NULL, &in->req,
                                          expected, env->par, mem);
    return in->reader || in->form ? in : NULL;
}

void api_intake_take(struct api_intake *in, const struct span *piece, size_t n)
{
    double start = clock_ms();
    if (in->form)
        detection_form_take(in->form, piece, n);
    else
        detection_reader_take(in->reader, piece, n);
    in->parse_ms += clock_ms() - start;
}

void api_intake_free(struct api_intake *in)
{
    if (in->form)
        detection_form_free(in->form);
    else
        detection_reader_free(in->reader);
}

static int finish(struct api_intake *in, struct api_error *err)
{
    double start = clock_ms();
    int rc = in->form ? detection_form_finish(in->form, err)
                      : detection_reader_finish(in->reader, err);
    in->parse_ms += clock_ms() - start;
    return rc;
}

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

static int score(struct api_call *call, const struct detection_request *req)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    double start = clock_ms();
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    if (check_text(call, req, &call->err) ||
        detection_score(req, rep, call->mem, call->env->par, &call->err))
        return -1;
    double computed = clock_ms();
    call->res->compute_ms = computed - start;
    if (strncmp(call->produces, "text/", 5) == 0)
        detection_text(&call->out, rep);
    else
        detection_write(&call->out, rep);
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
    int rc = finish(in, &call->err);
    call->res->parse_ms = in->parse_ms;
    rc = rc || score(call, &in->req) ? -1 : 0;
    if (own)
        api_intake_free(own);
    return rc;
}
