/* What the server says of itself. */
#include "api/content.h"
#include "api/query.h"
#include "api/route.h"
#include "api/store.h"

#include <string.h>

int service_guide(struct api_call *call)
{
    out_format(
        &call->out,
        "evald " EVALD_VERSION ": evaluation of deep-learning models over "
        "HTTP\n"
        "\n"
        "  GET  /v1                     what is here, as JSON\n"
        "  GET  /docs                   every operation, for a browser\n"
        "  GET  /openapi.json           the same for programs\n"
        "  POST /v1/detection/evaluate  COCO scores of detections\n"
        "  POST /v1/GROUP/NAME          activations, losses, boxes: value, "
        "gradient, stats\n"
        "  POST /v1/batch               up to 256 of them in one request\n"
        "  PUT  /v1/datasets/NAME       ground truth, for\n"
        "  POST /v1/runs                runs whose images come in batches\n"
        "  GET  /v2                     the same as models of the Open "
        "Inference Protocol\n"
        "  GET  /livez /readyz /version\n"
        "\n"
        "An activation and its gradient:\n"
        "\n"
        "  curl -sS -H 'Content-Type: application/json' -d '{\"inputs\":{"
        "\"x\":[-1,0,2]},\n"
        "       \"outputs\":[\"value\",\"grad\"]}' "
        "http://HOST:PORT/v1/activations/mish\n"
        "\n"
        "Two files as pycocotools takes them, gt.json and dt.json, are "
        "scored by\n"
        "\n"
        "  curl -sS -F ground_truth=@gt.json -F detections=@dt.json \\\n"
        "       -H 'Accept: text/plain' "
        "http://HOST:PORT/v1/detection/evaluate\n"
        "\n"
        "Leave Accept out for JSON; add "
        "-F 'outputs=[\"summary\",\"per_class\",\"per_image\"]'\n"
        "for more than the summary.\n");
    return 0;
}

static void status(struct api_call *call, const char *word)
{
    out_open(&call->out, '{');
    out_member_string(&call->out, "status", word);
    out_close(&call->out, '}');
}

int service_live(struct api_call *call)
{
    status(call, "ok");
    return 0;
}

int service_ready(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    if (call->env->draining)
        return api_fail(&call->err, PROBLEM_DRAINING, NULL,
                        "shutting down: finishing what was accepted");
    if (store && !store->ready(store->self))
        return api_fail(&call->err, PROBLEM_STORE_GONE, NULL,
                        "the store of datasets and runs cannot be reached");
    out_open(&call->out, '{');
    out_member_string(&call->out, "status", "ok");
    if (query_has(call->req->query, "verbose")) {
        out_key(&call->out, "checks");
        out_open(&call->out, '{');
        out_member_string(&call->out, "serving", "ok");
        out_member_string(&call->out, "store", store ? "ok" : "none");
        out_close(&call->out, '}');
    }
    out_close(&call->out, '}');
    return 0;
}

int service_metrics(struct api_call *call)
{
    const struct api_env *env = call->env;
    if (!env->write_metrics)
        return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                        "only a running server counts");
    env->write_metrics(env->metrics, call->produces[0] == 'a', &call->out);
    return 0;
}

int service_version(struct api_call *call)
{
    out_open(&call->out, '{');
    out_member_string(&call->out, "name", "evald");
    out_member_string(&call->out, "version", EVALD_VERSION);
    out_member_string(&call->out, "api", "v1");
    out_close(&call->out, '}');
    return 0;
}

/* The paths, each with its methods. */
static void write_links(struct json_out *out)
{
    char methods[ALLOW_BYTES];
    out_key(out, "links");
    out_open(out, '[');
    for (size_t i = 0; i < n_routes; i++) {
        out_open(out, '{');
        out_member_string(out, "href", routes[i].path);
        out_member_string(out, "methods", route_methods(&routes[i], methods));
        out_close(out, '}');
    }
    out_close(out, ']');
}

int service_document(struct api_call *call)
{
    struct json_out *out = &call->out;
    out_open(out, '{');
    out_member_string(out, "name", "evald");
    out_member_string(out, "version", EVALD_VERSION);
    out_key(out, "limits");
    out_open(out, '{');
    out_member_integer(out, "body_bytes_max",
                       (int64_t)call->env->body_bytes_max);
    out_member_integer(out, "workers", (int64_t)call->env->workers);
    out_close(out, '}');
    out_key(out, "features");
    out_open(out, '[');
    out_string(out, "detection");
    out_string(out, "operations");
    if (call->env->store)
        out_string(out, "runs");
    out_close(out, ']');
    out_key(out, "encodings"); /* of bodies, and of answers where asked */
    out_open(out, '[');
    for (enum coding c = CODING_ZSTD; c > CODING_IDENTITY; c--)
        out_string(out, coding_name(c));
    out_close(out, ']');
    write_links(out);
    out_close(out, '}');
    return 0;
}

int service_problem(struct api_call *call)
{
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        const struct problem_type *type = problem_type(p);
        if (strcmp(type->name, call->rest) != 0)
            continue;
        out_format(&call->out, "%s (%s, status %d)\n\n%s\n", type->title,
                   type->name, type->status, type->help);
        return 0;
    }
    return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                    "no problem of this name");
}
