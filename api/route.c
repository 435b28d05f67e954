#include "api/route.h"

#include "api/npy.h"
#include "api/oip.h"
#include "api/operation.h"

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
static const char *const text[] = {"text/plain; charset=utf-8", NULL};
static const char *const metrics[] = {
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8", NULL};
static const char *const html[] = {"text/html; charset=utf-8", NULL};
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

const char *route_allow(const struct route *route)
{
    return route->get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
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
