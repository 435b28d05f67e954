/* What leads where: the table of paths, and one call being answered. */
#ifndef EVALD_API_ROUTE_H
#define EVALD_API_ROUTE_H

#include "api/api.h"
#include "api/error.h"
#include "api/json_out.h"

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

/*
 * Writes the answer to call->out; -1 with call->err set if it cannot, or set
 * or not when the request is stopped.
 */
typedef int api_handler(struct api_call *call);

struct route {
    const char *path; /* "{name}" stands for any one segment */
    api_handler *get, *post;
    const char *const *produces; /* preferred first; NULL ends them */
    const char *const *consumes; /* types of the body, likewise */
    size_t inline_bytes_max;     /* of the body; larger ones go to a worker */
    enum api_scope scope;
    bool vital;     /* answered whatever the load */
    bool tagged;    /* the answer has an ETag: it seldom changes */
    bool in_pieces; /* api_intake_new reads the body while it comes */
    bool untyped;   /* a body without Content-Type is the first of consumes */
    /* What is known of the names in the path, from the first '{' on; or NULL */
    bool (*exists)(const char *rest);
};

/* Its methods, for Allow. */
const char *route_allow(const struct route *route);

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
int oip_infer(struct api_call *call);        /* oip_infer.c */
int openapi_document(struct api_call *call); /* openapi.c */
int openapi_page(struct api_call *call);     /* openapi_page.c */

#endif
