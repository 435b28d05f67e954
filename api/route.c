#include "api/route.h"

#include <string.h>

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define READ "GET, HEAD, OPTIONS"

const struct route routes[] = {
    {"/", READ, service_guide, NULL, {TEXT}, 1, 0},
    {"/livez", READ, service_live, NULL, {JSON}, 1, 0},
    {"/healthz", READ, service_live, NULL, {JSON}, 1, 0},
    {"/readyz", READ, service_ready, NULL, {JSON}, 1, 0},
    {"/version", READ, service_version, NULL, {JSON}, 1, 0},
    {"/v1", READ, service_document, NULL, {JSON}, 1, 0},
    {"/problems/*", READ, service_problem, NULL, {TEXT}, 1, 0},
    {"/v1/detection/evaluate",
     "POST, OPTIONS",
     NULL,
     detection_evaluate,
     {JSON, TEXT},
     2,
     0 /* what it costs is in its parameters and outputs, not in its size */},
};
const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

static bool matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    if (n == 0 || pattern[n - 1] != '*')
        return strcmp(pattern, path) == 0;
    return strncmp(pattern, path, n - 1) == 0 && path[n - 1] != '\0' &&
           !strchr(path + n - 1, '/');
}

const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < n_routes; i++)
        if (matches(routes[i].path, path))
            return &routes[i];
    return NULL;
}
