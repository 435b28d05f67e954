#include "api/route.h"

#include "api/operation.h"

#include <string.h>

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define READ "GET, HEAD, OPTIONS"
#define WRITE "POST, OPTIONS"
#define OPERATION "/v1/operations/{group}/{name}"
#define RUN "/v1/{group}/{name}"

/* Operations on bodies of this size take less than 100 us, mostly. */
enum { SMALL_BYTES = 1024 };

const struct route routes[] = {
    {"/", READ, service_guide, NULL, {TEXT}, 1, 0, true},
    {"/docs", READ, openapi_page, NULL, {HTML}, 1, 0, true},
    {"/openapi.json", READ, openapi_document, NULL, {JSON}, 1, 0, true},
    {"/livez", READ, service_live, NULL, {JSON}, 1, 0, false},
    {"/healthz", READ, service_live, NULL, {JSON}, 1, 0, false},
    {"/readyz", READ, service_ready, NULL, {JSON}, 1, 0, false},
    {"/version", READ, service_version, NULL, {JSON}, 1, 0, false},
    {"/v1", READ, service_document, NULL, {JSON}, 1, 0, false},
    {"/problems/{name}", READ, service_problem, NULL, {TEXT}, 1, 0, true},
    {"/v1/operations", READ, operation_list, NULL, {JSON}, 1, 0, true},
    {OPERATION, READ, operation_get, NULL, {JSON}, 1, 0, true},
    {"/v1/detection/evaluate",
     WRITE,
     NULL,
     detection_evaluate,
     {JSON, TEXT},
     2,
     0, /* what it costs is in its parameters and outputs, not in its size */
     false},
    {"/v1/batch", WRITE, NULL, batch_post, {JSON}, 1, 0, false},
    {RUN, WRITE, NULL, operation_post, {JSON}, 1, SMALL_BYTES, false},
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

/* Operations stand in rows of their own. */
static bool is_there(const struct route *route, const char *path)
{
    return route->post != operation_post ||
           operation_find(route_rest(route, path)) != SIZE_MAX;
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
