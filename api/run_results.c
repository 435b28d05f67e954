/* GET /v1/runs/{id}/{result}: one output of a run, as far as it has come. */
#include "api/clock.h"
#include "api/run.h"
#include "api/run_query.h"
#include "api/run_settings.h"

#include <string.h>

enum { BY_CLASS = KEY(KEY_CATEGORY) };

/* A list of an output that comes in pages. */
struct paged {
    const struct row_numbers *numbers;
    size_t (*rows)(const struct detection_report *rep);
    struct detection_rows *(*shown)(struct detection_report *rep);
};

static size_t class_rows(const struct detection_report *rep)
{
    return rep->result.index.n_classes;
}

static struct detection_rows *classes_shown(struct detection_report *rep)
{
    return &rep->shown.classes;
}

static size_t image_rows(const struct detection_report *rep)
{
    return rep->result.index.n_images;
}

static struct detection_rows *images_shown(struct detection_report *rep)
{
    return &rep->shown.images;
}

static const struct paged by_class = {&class_numbers, class_rows,
                                      classes_shown};
static const struct paged by_image = {&image_numbers, image_rows, images_shown};

/* The last part of the path, what it shows, and which keys its query has. */
static const struct result {
    const char *name;
    unsigned outputs, keys;
    const struct paged *paged; /* NULL = it is one page */
} results[] = {
    {"summary", OUTPUT_SUMMARY, 0, NULL},
    {"classes", OUTPUT_PER_CLASS, BY_CLASS | KEYS_PAGE, &by_class},
    {"images", OUTPUT_PER_IMAGE, KEY(KEY_SUSPECT_SCORE) | KEYS_PAGE, &by_image},
    {"curves", OUTPUT_CURVES, BY_CLASS | KEY(KEY_IOU) | KEY(KEY_CURVE_POINTS),
     NULL},
    {"operating_points", OUTPUT_OPERATING_POINTS,
     BY_CLASS | KEY(KEY_SCORE_THRESHOLDS), NULL},
    {"confusion", OUTPUT_CONFUSION, 0, NULL},
    {"errors", OUTPUT_ERRORS, BY_CLASS, NULL},
    {"calibration", OUTPUT_CALIBRATION, BY_CLASS, NULL},
    {"lrp", OUTPUT_LRP, BY_CLASS, NULL},
    {"slices", OUTPUT_SLICES, 0, NULL},
    {"intervals", OUTPUT_INTERVALS, BY_CLASS | KEYS_BOOTSTRAP, NULL},
    {"arrays", OUTPUT_ARRAYS, 0, NULL},
};

/* The route is one of theirs. */
static const struct result *result_of(const struct api_call *call)
{
    const char *name = strrchr(call->rest, '/') + 1;
    const struct result *result = results;
    while (strcmp(result->name, name) != 0)
        result++;
    return result;
}

/* What is wanted of it, read before anything is computed. */
struct asked {
    const struct result *result;
    struct run_query query;
    struct run_page page;
};

static int read_asked(struct api_call *call, struct run *run,
                      struct asked *asked)
{
    const struct paged *paged = asked->result->paged;
    run->req.outputs = asked->result->outputs;
    return run_query_options(call, &asked->query, &run->req.options) ||
                   (paged &&
                    run_query_page(call, &asked->query, &run->req.protocol,
                                   paged->numbers, &asked->page))
               ? -1
               : 0;
}

static int choose(struct api_call *call, const struct asked *asked,
                  struct detection_report *rep, char next[CURSOR_BYTES])
{
    const struct paged *paged = asked->result->paged;
    if (run_query_filter(call, &asked->query, rep))
        return -1;
    return paged ? run_page_rows(call, &asked->page, rep, paged->numbers,
                                 paged->rows(rep), paged->shown(rep), next)
                 : 0;
}

static void write_result(struct api_call *call, const struct run *run,
                         const struct asked *asked,
                         const struct detection_report *rep, const char *next)
{
    struct json_out *out = &call->out;
    out_open(out, '{');
    out_member_string(out, "run", run->row.id);
    out_member_string(out, "state", run_state_name(&run->row));
    detection_write_members(out, rep);
    if (asked->result->paged)
        write_next(out, next[0] ? next : NULL);
    out_close(out, '}');
}

static int answer(struct api_call *call, struct run *run, struct asked *asked)
{
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    char next[CURSOR_BYTES];
    double start = clock_ms();
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    if (read_asked(call, run, asked) || run_score(call, run, rep) ||
        choose(call, asked, rep, next))
        return -1;
    double computed = clock_ms();
    call->res->compute_ms = computed - start;
    if (call_wants_text(call))
        detection_text(&call->out, rep, false);
    else
        write_result(call, run, asked, rep, next);
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}

int run_results(struct api_call *call)
{
    struct asked asked = {.result = result_of(call)};
    struct run run;
    if (run_query_read(call, asked.result->keys, &asked.query))
        return -1;
    int rc = run_open(call, &run);
    rc = rc || answer(call, &run, &asked) ? -1 : 0;
    run_close(call, &run);
    return rc;
}
