#include "api/route.h"

#include "api/npy.h"
#include "api/oip.h"
#include "api/operation.h"

#include <stddef.h>
#include <string.h>

#define JSON "application/json"
#define OPERATION "/v1/operations/{group}/{name}"
#define RUN "/v1/{group}/{name}"
#define MODEL "/v2/models/{model}"
#define VERSION MODEL "/versions/{version}"

/* Operations on bodies of this size take less than 100 us, mostly. */
enum { SMALL_BYTES = 1024 };

static const char *const json[] = {JSON, NULL};
static const char *const json_npy[] = {JSON, NPY_TYPE, NULL};
static const char *const merge_patch[] = {JSON, "application/merge-patch+json",
                                          NULL};
static const char *const text[] = {"text/plain; charset=utf-8", NULL};
static const char *const metrics[] = {
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8", NULL};
static const char *const html[] = {"text/html; charset=utf-8", NULL};
static const char *const events[] = {"text/event-stream", NULL};
static const char *const json_form[] = {JSON, "multipart/form-data", NULL};
static const char *const json_bytes[] = {JSON, "application/octet-stream",
                                         NULL};
static const char *const json_text[] = {JSON, "text/plain; charset=utf-8",
                                        NULL};

/* Operations stand in rows of their own. */
static bool operation_exists(const char *rest)
{
    return operation_find(rest) != SIZE_MAX;
}

/* The answer is of the type that the body asks for, not that of Accept. */
#define INFER(where)                                                \
    {                                                               \
        .path = (where), .post = oip_infer, .produces = json_bytes, \
        .consumes = json_bytes, .inline_bytes_max = SMALL_BYTES,    \
        .exists = oip_exists, .untyped = true,                      \
    }
#define MODEL_GET(where, handler)                            \
    {                                                        \
        .path = (where), .get = (handler), .produces = json, \
        .exists = oip_exists,                                \
    }

/* One output of a run, as far as it has come. */
#define RESULT(name)                                                         \
    {                                                                        \
        .path = "/v1/runs/{id}/" name, .get = run_results, .produces = json, \
        .stored = true, .tagged = true,                                      \
    }

/* Health, which nobody needs a token for. */
#define VITAL(where, handler)                                \
    {                                                        \
        .path = (where), .get = (handler), .produces = json, \
        .scope = SCOPE_PUBLIC, .vital = true,                \
    }

const struct route routes[] = {
    {.path = "/",
     .get = service_guide,
     .produces = text,
     .scope = SCOPE_PUBLIC,
     .tagged = true},
    {.path = "/docs", .get = openapi_page, .produces = html, .tagged = true},
    {.path = "/openapi.json",
     .get = openapi_document,
     .produces = json,
     .tagged = true},
    VITAL("/livez", service_live),
    VITAL("/healthz", service_live),
    VITAL("/readyz", service_ready),
    {.path = "/metrics",
     .get = service_metrics,
     .produces = metrics,
     .vital = true},
    {.path = "/version", .get = service_version, .produces = json},
    {.path = "/v1", .get = service_document, .produces = json},
    {.path = "/problems/{name}",
     .get = service_problem,
     .produces = text,
     .scope = SCOPE_PUBLIC,
     .tagged = true},
    {.path = "/v1/operations",
     .get = operation_list,
     .produces = json,
     .tagged = true},
    {.path = OPERATION, .get = operation_get, .produces = json, .tagged = true},
    /* what it costs is in its parameters and outputs, not in its size */
    {.path = "/v1/detection/evaluate",
     .post = detection_evaluate,
     .produces = json_text,
     .consumes = json_form,
     .in_pieces = true},
    {.path = "/v1/datasets",
     .get = dataset_list,
     .produces = json,
     .stored = true,
     .waits = ON_ALL},
    {.path = "/v1/datasets/{name}",
     .get = dataset_get,
     .put = dataset_put,
     .delete = dataset_delete,
     .produces = json,
     .consumes = json,
     .change = SCOPE_WRITE,
     .stored = true,
     .waits = ON_GET | ON_DELETE,
     .tagged = true},
    {.path = "/v1/runs",
     .get = run_list,
     .post = run_create,
     .produces = json,
     .consumes = json,
     .change = SCOPE_WRITE,
     .stored = true,
     .waits = ON_ALL},
    {.path = "/v1/runs/{id}",
     .get = run_get,
     .patch = run_patch,
     .delete = run_delete,
     .produces = json,
     .consumes = merge_patch,
     .change = SCOPE_WRITE,
     .stored = true,
     .waits = ON_ALL,
     .tagged = true},
    {.path = "/v1/runs/{id}/events",
     .get = run_events,
     .produces = events,
     .stored = true,
     .waits = ON_ALL},
    {.path = "/v1/runs/{id}/images",
     .get = run_results,
     .post = run_images,
     .produces = json,
     .consumes = json,
     .change = SCOPE_WRITE,
     .stored = true,
     .waits = ON_POST,
     .tagged = true},
    {.path = "/v1/runs/{id}/finalize",
     .post = run_finalize,
     .produces = json_text,
     .consumes = json,
     .change = SCOPE_WRITE,
     .stored = true,
     .untyped = true},
    {.path = "/v1/runs/{id}/summary",
     .get = run_results,
     .produces = json_text,
     .stored = true,
     .tagged = true},
    RESULT("classes"),
    RESULT("curves"),
    RESULT("operating_points"),
    RESULT("confusion"),
    RESULT("errors"),
    RESULT("calibration"),
    RESULT("lrp"),
    RESULT("slices"),
    RESULT("intervals"),
    RESULT("arrays"),
    {.path = "/v1/runs/{id}/images/{image_id}",
     .get = run_image,
     .produces = json,
     .stored = true,
     .waits = ON_ALL,
     .tagged = true},
    {.path = "/v1/runs/{id}/report.html",
     .get = run_report,
     .produces = html,
     .stored = true,
     .tagged = true},
    {.path = "/v1/compare",
     .get = run_compare,
     .produces = json_text,
     .stored = true,
     .tagged = true},
    {.path = "/v1/batch",
     .post = batch_post,
     .produces = json,
     .consumes = json},
    {.path = RUN,
     .post = operation_post,
     .produces = json_npy,
     .consumes = json_npy,
     .inline_bytes_max = SMALL_BYTES,
     .exists = operation_exists},
    {.path = "/v2", .get = oip_server, .produces = json},
    {.path = "/v2/",
     .get = oip_server,
     .produces = json}, /* both are written */
    VITAL("/v2/health/live", oip_live),
    VITAL("/v2/health/ready", oip_ready),
    MODEL_GET(MODEL, oip_metadata),
    MODEL_GET(MODEL "/ready", oip_model_ready),
    INFER(MODEL "/infer"),
    MODEL_GET(VERSION, oip_metadata),
    MODEL_GET(VERSION "/ready", oip_model_ready),
    INFER(VERSION "/infer"),
};
const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

/* Segment by segment. */
static bool matches(const char *pattern, const char *path)
{
    while (*pattern && *path) {
        if (*pattern == '{') {
            size_t n = strcspn(path, "/");
            if (n == 0)
                return false;
            pattern += strcspn(pattern, "/");
            path += n;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == *path;
}

static bool is_there(const struct route *route, const char *path)
{
    return !route->exists || route->exists(route_rest(route, path));
}

/* Methods, the handler of each, and those that only look. */
static const struct {
    const char *name;
    size_t handler;
    enum route_method bit;
} methods[] = {
    {"GET", offsetof(struct route, get), ON_GET},
    {"HEAD", offsetof(struct route, get), ON_GET},
    {"POST", offsetof(struct route, post), ON_POST},
    {"PUT", offsetof(struct route, put), ON_PUT},
    {"PATCH", offsetof(struct route, patch), ON_PATCH},
    {"DELETE", offsetof(struct route, delete), ON_DELETE},
};
enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static api_handler *handler_at(const struct route *route, size_t method)
{
    api_handler *handler;
    memcpy(&handler, (const char *)route + methods[method].handler,
           sizeof(handler));
    return handler;
}

static size_t method_of(const char *name)
{
    size_t m = 0;
    while (m < METHODS && strcmp(methods[m].name, name) != 0)
        m++;
    return m;
}

api_handler *route_handler(const struct route *route, const char *method)
{
    size_t m = method_of(method);
    return m < METHODS ? handler_at(route, m) : NULL;
}

enum api_scope route_scope(const struct route *route, const char *method)
{
    size_t m = method_of(method);
    bool changes = m < METHODS && methods[m].bit != ON_GET;
    return changes && route->change ? route->change : route->scope;
}

bool route_waits(const struct route *route, const char *method)
{
    size_t m = method_of(method);
    return m < METHODS && route->waits & methods[m].bit;
}

const char *route_methods(const struct route *route, char list[ALLOW_BYTES])
{
    char *end = list;
    for (size_t m = 0; m < METHODS; m++)
        if (handler_at(route, m))
            end = stpcpy(stpcpy(end, methods[m].name), ", ");
    stpcpy(end, "OPTIONS");
    return list;
}

const char *route_allow(const struct route *route, struct arena *mem)
{
    char *list = arena_alloc(mem, ALLOW_BYTES, 1);
    return list ? route_methods(route, list) : NULL;
}

const char *route_rest(const struct route *route, const char *path)
{
    return path + strcspn(route->path, "{");
}

const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < n_routes; i++)
        if (matches(routes[i].path, path) && is_there(&routes[i], path))
            return &routes[i];
    return NULL;
}
