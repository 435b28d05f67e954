/* What is said of each route. */
#include "api/openapi.h"

#include <string.h>

#define RUN "/v1/runs/{id}"
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
    {"/v1/datasets", "datasets", "The datasets", NULL, NULL},
    {"/v1/datasets/{name}", "datasets", "Ground truth under a name", NULL,
     NULL},
    {"/v1/runs", "runs", "The runs, or a new one", NULL, NULL},
    {RUN, "runs", "A run and its summary so far", NULL, NULL},
    {RUN "/events", "runs", "What happens to a run, as server-sent events",
     NULL, NULL},
    {RUN "/images", "runs", "Images of a run: their scores, or more of them",
     NULL, NULL},
    {RUN "/finalize", "runs", "Closes a run and answers its scores", NULL,
     NULL},
    {RUN "/summary", "runs", "Summary of a run", NULL, NULL},
    {RUN "/classes", "runs", "Per-category scores of a run", NULL, NULL},
    {RUN "/curves", "runs", "Precision-recall curves of a run", NULL, NULL},
    {RUN "/operating_points", "runs", "Operating points of a run", NULL, NULL},
    {RUN "/confusion", "runs", "Confusion matrix of a run", NULL, NULL},
    {RUN "/errors", "runs", "Types of errors of a run, and what they cost",
     NULL, NULL},
    {RUN "/calibration", "runs", "Calibration of a run's scores", NULL, NULL},
    {RUN "/lrp", "runs", "LRP errors of a run", NULL, NULL},
    {RUN "/slices", "runs", "Scores of a run by size and number of objects",
     NULL, NULL},
    {RUN "/intervals", "runs", "Confidence intervals of a run", NULL, NULL},
    {RUN "/arrays", "runs", "Arrays of a run as pycocotools lays them out",
     NULL, NULL},
    {RUN "/images/{image_id}", "runs", "One image of a run, box by box", NULL,
     NULL},
    {RUN "/report.html", "runs", "A run as one page to look at", NULL, NULL},
    {"/v1/compare", "runs", "What one run has more than another", NULL, NULL},
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
