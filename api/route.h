/* What leads where: the table of paths, and one call being answered. */
#ifndef EVALD_API_ROUTE_H
#define EVALD_API_ROUTE_H

#include "api/api.h"
#include "api/error.h"
#include "api/json_out.h"

#include <string.h>

/* A request on its way to an answer. */
struct api_call {
    const struct api_env *env;
    const struct api_request *req;
    struct arena *mem;
    struct api_response *res;
    struct json_out out; /* becomes the body */
    struct api_error err;
    const char *rest;     /* of the path, from the route's first '{' on */
    const char *produces; /* the type that Accept picked */
    const char *consumes; /* the type of the body */
    const char *body;     /* of the request, decoded */
    size_t body_len;
};

/* Whether the answer is for people to read. */
static inline bool call_wants_text(const struct api_call *call)
{
    return strncmp(call->produces, "text/", 5) == 0;
}

/*
 * Writes the answer to call->out; -1 with call->err set if it cannot, or set
 * or not when the request is stopped.
 */
typedef int api_handler(struct api_call *call);

/* Methods, where a route tells some from others. */
enum route_method {
    ON_GET = 1, /* and HEAD */
    ON_POST = 2,
    ON_PUT = 4,
    ON_PATCH = 8,
    ON_DELETE = 16,
    ON_ALL = 31
};

struct route {
    const char *path; /* "{name}" stands for any one segment */
    api_handler *get, *post, *put, *patch, *delete;
    const char *const *produces; /* preferred first; NULL ends them */
    const char *const *consumes; /* types of the body, likewise */
    size_t inline_bytes_max;     /* of the body; larger ones go to a worker */
    enum api_scope scope;        /* of GET and HEAD */
    enum api_scope change;       /* of the other methods, if more than scope */
    bool vital;                  /* answered whatever the load */
    unsigned waits; /* methods that wait for the store, not compute */
    bool stored;    /* nothing without env->store */
    bool tagged;    /* the answer has an ETag: it seldom changes */
    bool in_pieces; /* api_intake_new reads the body while it comes */
    bool untyped;   /* a body without Content-Type is the first of consumes */
    /* What is known of the names in the path, from the first '{' on; or NULL */
    bool (*exists)(const char *rest);
};

/* What answers a method of it, or NULL. */
api_handler *route_handler(const struct route *route, const char *method);

/* What a client must be allowed to do for that. */
enum api_scope route_scope(const struct route *route, const char *method);

/* Whether that mostly waits for the store. */
bool route_waits(const struct route *route, const char *method);

/* Its methods, for Allow: in list, or in mem; NULL when that is spent. */
enum { ALLOW_BYTES = sizeof("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") };
const char *route_methods(const struct route *route, char list[ALLOW_BYTES]);
const char *route_allow(const struct route *route, struct arena *mem);

extern const struct route routes[];
extern const size_t n_routes;

/* The part of path from the route's first '{' on; "" if it has none. */
const char *route_rest(const struct route *route, const char *path);

/* The route of path, or NULL. */
const struct route *route_find(const char *path);

/* Handlers, by the file they are in. */
int service_guide(struct api_call *call); /* service.c */
int service_live(struct api_call *call);
int service_ready(struct api_call *call);
int service_version(struct api_call *call);
int service_metrics(struct api_call *call);
int service_document(struct api_call *call);
int service_problem(struct api_call *call);
int detection_evaluate(struct api_call *call); /* detection_call.c */
int operation_post(struct api_call *call);     /* operation.c */
int operation_list(struct api_call *call);     /* operation_list.c */
int operation_get(struct api_call *call);
int batch_post(struct api_call *call); /* batch.c */
int oip_server(struct api_call *call); /* oip.c */
int oip_live(struct api_call *call);
int oip_ready(struct api_call *call);
int oip_metadata(struct api_call *call);
int oip_model_ready(struct api_call *call);
int oip_infer(struct api_call *call);   /* oip_infer.c */
int dataset_put(struct api_call *call); /* datasets.c */
int dataset_get(struct api_call *call);
int dataset_list(struct api_call *call);
int dataset_delete(struct api_call *call);
int run_create(struct api_call *call); /* run_create.c */
int run_list(struct api_call *call);   /* runs.c */
int run_get(struct api_call *call);
int run_patch(struct api_call *call);
int run_delete(struct api_call *call);
int run_events(struct api_call *call);       /* run_events.c */
int run_images(struct api_call *call);       /* run_images.c */
int run_finalize(struct api_call *call);     /* run_finalize.c */
int run_results(struct api_call *call);      /* run_results.c */
int run_image(struct api_call *call);        /* run_image.c */
int run_report(struct api_call *call);       /* run_report.c */
int run_compare(struct api_call *call);      /* run_compare.c */
int openapi_document(struct api_call *call); /* openapi.c */
int openapi_page(struct api_call *call);     /* openapi_page.c */

#endif
