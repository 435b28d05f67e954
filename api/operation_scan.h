/*
 * The fast way into an operation: inputs from the text straight into tensors,
 * the rest of the document as it stands.
 */
#ifndef EVALD_API_OPERATION_SCAN_H
#define EVALD_API_OPERATION_SCAN_H

#include "api/scan.h"
#include "core/op.h"

/* Inputs that have been read; numbers are double whatever is asked for. */
struct operation_inputs {
    struct op_tensor in[OP_INPUTS_MAX]; /* data NULL = not there */
    bool flat[OP_INPUTS_MAX];           /* {"shape", "data"} */
};

/*
 * Reads a request's body for op.  *rest is the document without its inputs, in
 * mem.  False, and mem as it was, for anything but what jansson would accept
 * and read alike: then json_read tells what is wrong.
 */
bool operation_scan(const char *text, size_t len, const struct op *op,
                    struct arena *mem, struct operation_inputs *inputs,
                    struct span *rest);

#endif
