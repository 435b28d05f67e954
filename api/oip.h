/*
 * The Open Inference Protocol, version 2: every row of core/op.h as a model.
 *
 * The model of losses/giou is called losses.giou, its tensors are the row's
 * ports, its one version is "1".  Tensors travel as JSON or, by the protocol's
 * extension, as bytes behind the JSON.
 *
 *   oip.c        what the server and its models are; the form of errors
 *   oip_infer.c  one inference, from its body to its answer
 *   oip_read.c   the JSON of a request to a call
 *   oip_type.c   datatypes, and their elements to those of kernels
 */
#ifndef EVALD_API_OIP_H
#define EVALD_API_OIP_H

#include "api/operation.h"

#define OIP_VERSION "1" /* of every model */

/* Whether a path is this protocol's: "/v2", or below it. */
bool oip_owns(const char *path);

/*
 * Whether the model, and the version if there is one, of "MODEL/…" or
 * "MODEL/versions/VERSION/…" are there; the row of the model.
 */
bool oip_exists(const char *rest);
size_t oip_find(const char *rest);

enum { OIP_MODEL_BYTES = OPERATION_BYTES };

/* "group.name" of op; returns name. */
const char *oip_model(const struct op *op, char name[OIP_MODEL_BYTES]);

/* Fails because nothing is at the path: the model, the version or the rest. */
int oip_no_such_path(const char *path, struct api_error *err);

/* Writes {"error": …} of the first fault; the status that goes with it. */
void oip_write_error(struct json_out *out, const struct api_error *err);
int oip_status(const struct api_error *err);

/* What kernels take: real as float or as double, and int64_t. */
enum oip_element { OIP_FLOAT, OIP_DOUBLE, OIP_INTEGER, OIP_ELEMENTS };

/* n elements of a tensor as it travels, at any address, to those of kernels. */
typedef void oip_convert(const char *from, size_t n, void *to);

struct oip_datatype {
    const char *name;
    size_t bytes;           /* of an element */
    bool real, index, flag; /* whether ports of these kinds take it */
    bool binary_only;
    bool narrow;                        /* float holds every value of it */
    oip_convert *convert[OIP_ELEMENTS]; /* NULL = never asked for */
    /* What its JSON is read as, and the datatype of such elements. */
    enum op_kind kind;
    enum op_type type;
    enum oip_element read;
};

/* Little-endian, as binary data is. */
extern const struct oip_datatype oip_datatypes[];
extern const size_t n_oip_datatypes;

/* The datatype of elements of kernels, which have their layout. */
const struct oip_datatype *oip_native(enum oip_element element);

/* What elements of a port are to its kernel, which is built for type. */
enum oip_element oip_element_of(const struct op_port *port, enum op_type type);

/* Whether a port takes the datatype. */
bool oip_takes(const struct op_port *port, const struct oip_datatype *type);

/* An inference, read. */
struct oip_request {
    struct operation_request op;
    const char *id; /* or NULL */
    bool binary[OP_OUTPUTS_MAX];
};

/* The body of an inference: JSON, then the bytes of the tensors. */
struct oip_body {
    size_t row; /* of the model */
    const char *text, *bytes;
    size_t text_len, bytes_len;
    bool has_length; /* a header said where the one ends */
};

/* Reads the JSON and takes the bytes apart. */
int oip_read(const struct oip_body *body, const struct parallel *par,
             struct arena *mem, struct oip_request *req, struct api_error *err)
    __attribute__((warn_unused_result));

/* The same for a body that is the one input of the model, FP32, and no more. */
int oip_read_raw(const struct oip_body *body, const struct parallel *par,
                 struct arena *mem, struct oip_request *req,
                 struct api_error *err) __attribute__((warn_unused_result));

#endif
