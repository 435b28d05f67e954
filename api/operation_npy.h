/*
 * Operations over .npy: an input as the body, its parameters in the query, and
 * an output as the answer.  Either may go with JSON on the other side.
 */
#ifndef EVALD_API_OPERATION_NPY_H
#define EVALD_API_OPERATION_NPY_H

#include "api/npy.h"
#include "api/operation.h"
#include "api/route.h"

/* Whether a row has one required input, and so may come as .npy. */
bool operation_npy_fits(const struct op *op);

/*
 * Opens the body and makes the document that its query stands for; *npy is in
 * src from then on.  float32 is the default of floating types that fit in it.
 */
int operation_npy_source(struct api_call *call, struct npy *npy,
                         struct operation_source *src)
    __attribute__((warn_unused_result));

/* Fills the one required input of a request whose dtype is known. */
int operation_npy_input(struct npy *npy, const struct at *at,
                        struct operation_request *req, struct api_error *err);

/*
 * Whether one array, and nothing else, is wanted: where nobody said what, that
 * is "value", or the only output there is.
 */
int operation_npy_pick(struct operation_request *req, struct api_error *err)
    __attribute__((warn_unused_result));

/* Writes the output that was picked; what is not finite is as it is. */
void operation_npy_write(struct json_out *out,
                         const struct operation_request *req);

#endif
