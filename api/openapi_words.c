/* What is said of each route. */
#include "api/openapi.h"

#include <string.h>

#define MODEL "/v2/models/{model}"
#define VERSION "/versions/{version}"

static const struct route_words words[] = {
    {"/", "service", "A short guide for people", NULL, NULL},
    {"/docs", "service", "Every operation on one page", NULL, NULL},
    {"/openapi.json", "service", "This description", NULL, "Document"},
    {"/livez", "service", "Whether the process answers", NULL, "Status"},
    {"/healthz", "service", "The same as /livez", NULL, "Status"},
    {"/readyz", "service", "Whether new work is welcome", NULL, "Status"},
    {"/metrics", "service", "Counters for Prometheus", NULL, NULL},
    {"/version", "service", "Program and version", NULL, "Version"},
    {"/v1", "service", "Version, limits, features, paths", NULL, "Service"},
    {"/problems/{name}", "service",
     "What a type of problem means, and a way "
     "out",
     NULL, NULL},
    {"/v1/operations", "operations", "All operations", NULL, "Operations"},
    {"/v1/operations/{group}/{name}", "operations", "What an operation is",
     NULL, "Operation"},
    {"/v1/{group}/{name}", "operations", "One operation, computed", NULL, NULL},
    {"/v1/batch", "operations", "Many operations in one request",
     "BatchRequest", "BatchAnswer"},
    {"/v1/detection/evaluate", "detection", "COCO scores of detections",
     "DetectionRequest", "DetectionAnswer"},
    {"/v2", "inference", "The server, as the protocol has it", NULL,
     "OipServer"},
    {"/v2/", "inference", "The same as /v2", NULL, "OipServer"},
    {"/v2/health/live", "inference", "Whether the process answers", NULL,
     "OipLive"},
    {"/v2/health/ready", "inference", "Whether new work is welcome", NULL,
     "OipReady"},
    {MODEL, "inference", "The tensors of a model", NULL, "OipModel"},
    {MODEL "/ready", "inference", "Whether a model is ready", NULL,
     "OipModelReady"},
    {MODEL "/infer", "inference", "One operation, computed", "OipRequest",
     "OipAnswer"},
    {MODEL VERSION, "inference", "The tensors of a version of a model", NULL,
     "OipModel"},
    {MODEL VERSION "/ready", "inference", "Whether a version is ready", NULL,
     "OipModelReady"},
    {MODEL VERSION "/infer", "inference", "One operation, computed",
     "OipRequest", "OipAnswer"},
};

const struct route_words *route_words(const struct route *route)
{
    static const struct route_words none = {"", "service", "", NULL, NULL};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].path, route->path) == 0)
            return &words[i];
    return &none;
}
