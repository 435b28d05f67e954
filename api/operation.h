/*
 * Operations over JSON: one adapter for every row of core/op.h.
 *
 *   operation_find    "losses/giou" to its row
 *   operation_read    a document to a call: inputs, parameters, outputs
 *   operation_answer  the whole of it, for HTTP, batches and the command line
 */
#ifndef EVALD_API_OPERATION_H
#define EVALD_API_OPERATION_H

#include "api/counts.h"
#include "api/error.h"
#include "api/json_out.h"
#include "api/json_read.h"
#include "api/lift.h"
#include "core/ops.h"

/* What becomes of results that are NaN or infinite. */
enum nonfinite { NONFINITE_NULL, NONFINITE_STRING, NONFINITE_ERROR };

struct operation_request {
    struct op_call call;
    /* Whether the tensor is {"shape": ..., "data": ...} rather than nested
     * arrays; the answer's tensors are as the first input is. */
    bool flat[OP_INPUTS_MAX];
    enum nonfinite nonfinite;
};

/* What a stretch of the work took, for Server-Timing. */
struct operation_times {
    double parse_ms, compute_ms, encode_ms;
};

struct npy;

/* The row of "group/name", aliases included; SIZE_MAX if there is none. */
size_t operation_find(const char *path);

enum { OPERATION_BYTES = 96 };

/* "group/name" of op; returns name. */
const char *operation_name(const struct op *op, char name[OPERATION_BYTES]);

/* The known "group/name" nearest to path, or ""; returns near. */
const char *operation_near(const char *path, char near[OPERATION_BYTES]);

/* Fails with the nearest name, or with where to find them all. */
int operation_unknown(const char *path, struct api_error *err);

/*
 * Reads one tensor.
 *   v       a number, a rectangular nested array, or {"shape", "data"}
 *   lifted  what was lifted out of the document that v is in, or NULL; what
 *           the tensor has of it is used up
 *   flat    set when it was the last of these
 * Its elements are `type`, or int64_t where port says so.
 */
int operation_read_tensor(const json_t *v, const struct at *at,
                          struct lifted *lifted, const struct op_port *port,
                          enum op_type type, struct arena *mem,
                          struct op_tensor *t, bool *flat,
                          struct api_error *err);

/* Reads the shape of a tensor, and counts its elements. */
int operation_read_shape(const json_t *v, const struct at *at,
                         struct op_tensor *t, struct api_error *err);

/*
 * Reads the elements of a tensor whose shape is known from an array, flat or
 * nested as the shape is, as a port of this kind has them.  lift is what was
 * lifted from there, or NULL.
 */
int operation_read_data(const json_t *v, struct op_tensor *lift,
                        const struct at *at, enum op_kind kind,
                        enum op_type type, struct arena *mem,
                        struct op_tensor *t, struct api_error *err);

/*
 * Reads those members of the object v that are parameters of call->op; what
 * else is in it is the caller's to look at.
 */
int operation_read_params(const json_t *v, const struct at *at,
                          struct op_call *call, struct api_error *err);

/* Reads "null", "string" or "error"; v may be missing. */
int operation_read_nonfinite(const json_t *v, const struct at *at,
                             enum nonfinite *out, struct api_error *err);

/* Wants what is answered when no outputs are named. */
void operation_want_unasked(struct op_call *call);

/* One request to an operation, as far as it is known before it is read. */
struct operation_source {
    size_t row;            /* the operation */
    const json_t *doc;     /* the request */
    struct lifted *lifted; /* out of the document, or NULL */
    const struct at *at;   /* its place in the document; NULL = all of it */
    bool named;            /* may have the member "operation" */
    struct npy *npy;       /* the one required input, or NULL */
    bool npy_out;          /* the answer is one array */
    /* What is computed adds to them; or NULL. */
    struct api_counts *counts;
};

/* A request's body to the document of src and what was lifted out of it. */
int operation_body(const char *text, size_t len, struct arena *mem,
                   struct lifted *lifted, struct operation_source *src,
                   struct api_error *err) __attribute__((warn_unused_result));

/* Fills *req from a source. */
int operation_read(const struct operation_source *src,
                   const struct parallel *par, struct arena *mem,
                   struct operation_request *req, struct api_error *err)
    __attribute__((warn_unused_result));

/* Binds shapes, checks, computes. */
int operation_run(struct operation_request *req, const struct at *at,
                  struct api_error *err) __attribute__((warn_unused_result));

/* Looks for results that may not be written; see NONFINITE_ERROR. */
int operation_check_results(const struct operation_request *req,
                            const struct at *at, struct api_error *err)
    __attribute__((warn_unused_result));

/* Writes the answer of a computed request as one JSON object. */
void operation_write(struct json_out *out, const struct operation_request *req);

/* Writes the member "shape". */
void operation_write_shape(struct json_out *out, const struct op_tensor *t);

/*
 * Writes the member "data", a flat array, of output i; returns how many of its
 * numbers are not finite.
 */
size_t operation_write_data(struct json_out *out,
                            const struct operation_request *req, size_t i);

/* Writes a parameter's value as requests would give it. */
void operation_write_param(struct json_out *out, const struct op_param *p,
                           double x);

/* Reads, computes and writes. */
int operation_answer(const struct operation_source *src,
                     const struct parallel *par, struct arena *mem,
                     struct json_out *out, struct operation_times *times,
                     struct api_error *err) __attribute__((warn_unused_result));

/* The shape of a port as people read it. */
const char *operation_shape(const struct op_port *port);

/* Writes what an operation is, as GET /v1/operations/{group}/{name} does. */
void operation_describe(struct json_out *out, const struct op *op);

#endif
