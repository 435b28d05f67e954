/* What is said of datasets and runs, method by method. */
#include "api/openapi.h"

#include <string.h>

#define RUN "/v1/runs/{id}"
#define PAGE "sort,order,limit,cursor"

static const struct method_words methods[] = {
    {.path = "/v1/datasets",
     .method = "get",
     .summary = "The datasets, by name",
     .gives = "Datasets",
     .parameters = "page,after"},
    {.path = "/v1/datasets/{name}",
     .method = "get",
     .summary = "What is known of a dataset",
     .gives = "Dataset"},
    {.path = "/v1/datasets/{name}",
     .method = "put",
     .summary = "Keeps ground truth under a name",
     .takes = "GroundTruth",
     .gives = "Dataset",
     .parameters = "replace,If-Match,unless",
     .creates = true,
     .conflicts = true,
     .conditional = true},
    {.path = "/v1/datasets/{name}",
     .method = "delete",
     .summary = "Forgets a name; runs keep what they were opened on",
     .parameters = "If-Match,unless",
     .conditional = true},
    {.path = "/v1/runs",
     .method = "get",
     .summary = "The runs, newest first",
     .gives = "Runs",
     .parameters = "dataset,state,tag,page,after"},
    {.path = "/v1/runs",
     .method = "post",
     .summary = "Opens a run on a dataset",
     .takes = "RunRequest",
     .gives = "Run",
     .parameters = "Idempotency-Key",
     .creates = true,
     .conflicts = true},
    {.path = RUN,
     .method = "get",
     .summary = "A run, how far it is, and its summary so far",
     .gives = "RunState"},
    {.path = RUN,
     .method = "patch",
     .summary = "Changes name and tags of a run",
     .takes = "RunPatch",
     .gives = "Run"},
    {.path = RUN,
     .method = "delete",
     .summary = "Forgets a run and its images"},
    {.path = RUN "/events",
     .method = "get",
     .summary = "What happens to a run, as server-sent events: progress, "
                "summary, done",
     .parameters = "Last-Event-ID"},
    {.path = RUN "/images",
     .method = "get",
     .summary = "Per-image scores of a run",
     .gives = "RunImages",
     .parameters = "suspect_score," PAGE},
    {.path = RUN "/images",
     .method = "post",
     .summary = "Adds detections of whole images, in any order",
     .takes = "Batch",
     .gives = "BatchTaken",
     .parameters = "on_conflict",
     .conflicts = true},
    {.path = RUN "/finalize",
     .method = "post",
     .summary = "Closes a run and answers its scores",
     .takes = "FinalizeRequest",
     .gives = "DetectionAnswer",
     .parameters = "partial",
     .optional_body = true,
     .conflicts = true},
    {.path = RUN "/summary",
     .method = "get",
     .summary = "Summary of a run",
     .gives = "RunSummary"},
    {.path = RUN "/classes",
     .method = "get",
     .summary = "Per-category scores of a run",
     .gives = "RunClasses",
     .parameters = "category," PAGE},
    {.path = RUN "/curves",
     .method = "get",
     .summary = "Precision-recall curves of a run",
     .gives = "RunCurves",
     .parameters = "category,iou,curve_points"},
    {.path = RUN "/operating_points",
     .method = "get",
     .summary = "Operating points of a run",
     .gives = "RunOperatingPoints",
     .parameters = "category,score_thresholds"},
    {.path = RUN "/confusion",
     .method = "get",
     .summary = "Confusion matrix of a run",
     .gives = "RunConfusion"},
    {.path = RUN "/errors",
     .method = "get",
     .summary = "Types of errors of a run, and what they cost",
     .gives = "RunErrors",
     .parameters = "category"},
    {.path = RUN "/calibration",
     .method = "get",
     .summary = "Calibration of a run's scores",
     .gives = "RunCalibration",
     .parameters = "category"},
    {.path = RUN "/lrp",
     .method = "get",
     .summary = "LRP errors of a run",
     .gives = "RunLrp",
     .parameters = "category"},
    {.path = RUN "/slices",
     .method = "get",
     .summary = "Scores of a run by size and number of objects",
     .gives = "RunSlices"},
    {.path = RUN "/intervals",
     .method = "get",
     .summary = "Confidence intervals of a run",
     .gives = "RunIntervals",
     .parameters = "category,resamples,level,seed"},
    {.path = RUN "/arrays",
     .method = "get",
     .summary = "Arrays of a run as pycocotools lays them out",
     .gives = "RunArrays"},
    {.path = RUN "/images/{image_id}",
     .method = "get",
     .summary = "One image of a run, box by box",
     .gives = "ImageView",
     .parameters = "suspect_score"},
    {.path = RUN "/report.html",
     .method = "get",
     .summary = "A run as one page to look at",
     .parameters = "score_thresholds,suspect_score"},
    {.path = "/v1/compare",
     .method = "get",
     .summary = "What one run has more than another",
     .gives = "Comparison",
     .parameters = "resamples,level,seed,images,force,a,b",
     .names = true,
     .conflicts = true},
};

struct method_words openapi_words_of(const struct route *route,
                                     const char *method)
{
    const struct route_words *say = route_words(route);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].path, route->path) == 0 &&
            strcmp(methods[i].method, method) == 0)
            return methods[i];
    return (struct method_words){.path = say->path,
                                 .method = method,
                                 .summary = say->summary,
                                 .takes = say->takes,
                                 .gives = say->gives};
}

#define FLAG "'allowEmptyValue':true,'schema':@QueryFlag"
#define AS(schema, member)                                                     \
    "'schema':{'$ref':'#/components/schemas/" schema "/properties/" member "'" \
    "}"

/* By what rows above call it; `name` where the key is another. */
static const struct {
    const char *row, *name, *in, *text;
} parameters[] = {
    {"page", "limit", "query",
     "'description':'How many at most.','schema':{'type':'integer',"
     "'minimum':1,'maximum':1000,'default':100}"},
    {"after", "cursor", "query",
     "'description':'The next of the page before.','schema':@string"},
    {"replace", NULL, "query",
     "'description':'Also where finalized runs were scored on what has the "
     "name now.'," FLAG},
    {"If-Match", NULL, "header",
     "'description':'Only if the dataset has one of these tags now; * stands "
     "for any.','schema':@string"},
    {"unless", "If-None-Match", "header",
     "'description':'Only if the dataset has none of these tags now; * stands "
     "for any: only if it is new.','schema':@string"},
    {"dataset", NULL, "query",
     "'description':'Only runs that were opened on the dataset of this "
     "name.','schema':@string"},
    {"state", NULL, "query",
     "'description':'Only runs in this state.','schema':@RunStateName"},
    {"tag", NULL, "query",
     "'description':'Only runs with this tag, given as key or as "
     "key:value.','schema':@string"},
    {"Idempotency-Key", NULL, "header",
     "'description':'Who sends the same again, with the same key, gets the "
     "run that is there.','schema':{'type':'string',"
     "'pattern':'^[!-~]{1,255}$'}"},
    {"Last-Event-ID", NULL, "header",
     "'description':'The event after which to go on.','schema':@string"},
    {"on_conflict", NULL, "query",
     "'description':'What becomes of an image that is in with other "
     "content.','schema':{'enum':['error','replace'],'default':'error'}"},
    {"partial", NULL, "query",
     "'description':'Also where images are missing.'," FLAG},
    {"category", NULL, "query",
     "'description':'Only these categories, by id; commas may stand between "
     "them.','schema':{'type':'array','items':@integer}"},
    {"iou", NULL, "query",
     "'description':'Only curves at these of the iou_thresholds.',"
     "'schema':{'type':'array','items':@number}"},
    {"score_thresholds", NULL, "query",
     "'description':'Scores at which operating points are wanted; commas may "
     "stand between them.','schema':{'type':'array','maxItems':100,"
     "'items':@number}"},
    {"curve_points", NULL, "query",
     "'description':'At most so many points of each raw curve; all unless "
     "given.'," AS("DetectionParameters", "curve_points")},
    {"suspect_score", NULL, "query",
     "'description':'From here on a detection is confident, and makes labels "
     "suspect.'," AS("DetectionParameters", "suspect_score")},
    {"resamples", NULL, "query",
     "'description':'How often the images are resampled. A comparison takes "
     "0 too, and has no intervals then.','schema':{'type':'integer',"
     "'minimum':0,'maximum':100000,'default':1000}"},
    {"level", NULL, "query",
     "'description':'Of confidence.'," AS("Bootstrap", "level")},
    {"seed", NULL, "query",
     "'description':'Equal seeds give equal intervals.'," AS("Bootstrap",
                                                             "seed")},
    {"sort", NULL, "query",
     "'description':'A member of the rows that is a number; rows in which it "
     "is null come last, equal ones by id. The id unless given.',"
     "'schema':@string"},
    {"order", NULL, "query",
     "'description':'Rising or falling.','schema':{'enum':['asc','desc'],"
     "'default':'asc'}"},
    {"limit", NULL, "query",
     "'description':'How many rows at most; all unless given.','schema':{"
     "'type':'integer','minimum':1,'maximum':2147483647}"},
    {"cursor", NULL, "query",
     "'description':'The next of the page before, which had this sort and "
     "order. While a run is open its rows may move between two pages.',"
     "'schema':@string"},
    {"images", "limit", "query",
     "'description':'How many images at most.','schema':{'type':'integer',"
     "'minimum':1,'maximum':2147483647,'default':100}"},
    {"force", NULL, "query",
     "'description':'Also where protocol or dataset differ.'," FLAG},
    {"a", NULL, "query",
     "'required':true,'description':'The first run, by id.',"
     "'schema':@RunId"},
    {"b", NULL, "query",
     "'required':true,'description':'The second run, by id.',"
     "'schema':@RunId"},
};

static void write_parameter(struct json_out *out, const char *row, size_t n)
{
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (strncmp(parameters[i].row, row, n) != 0 || parameters[i].row[n])
            continue;
        out_open(out, '{');
        out_member_string(out, "name",
                          parameters[i].name ? parameters[i].name
                                             : parameters[i].row);
        out_member_string(out, "in", parameters[i].in);
        openapi_text(out, parameters[i].text);
        out_close(out, '}');
    }
}

void openapi_method_parameters(struct json_out *out,
                               const struct method_words *say)
{
    const char *row = say->parameters;
    if (!row)
        return;
    out_key(out, "parameters");
    out_open(out, '[');
    while (*row) {
        size_t n = strcspn(row, ",");
        write_parameter(out, row, n);
        row += n + (row[n] == ',');
    }
    out_close(out, ']');
}
