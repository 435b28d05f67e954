/* Bytes to columns: jansson's document lives only while it is read. */
#include "api/detection_read.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void detection_request_init(struct detection_request *req)
{
    *req = (struct detection_request){.outputs = OUTPUT_SUMMARY};
    coco_protocol_init(&req->protocol);
}

static const char *const members[] = {"ground_truth", "detections",
                                      "parameters", "outputs", "nonfinite"};

/* How a non-finite result would be written; detection scores have none. */
static void read_nonfinite(const json_t *v, const struct at *at,
                           struct api_error *err)
{
    static const char *const choices[] = {"null", "string", "error"};
    size_t row;
    if (v)
        read_choice(v, at, choices, COUNT(choices), &row, err);
}

static int read_body(const json_t *v, struct detection_request *req,
                     struct arena *mem, struct api_error *err)
{
    struct at at[COUNT(members)];
    const json_t *m[COUNT(members)];
    if (read_object(v, NULL, err))
        return -1;
    for (size_t i = 0; i < COUNT(members); i++) {
        at[i] = (struct at){NULL, members[i], 0};
        m[i] = json_object_get(v, members[i]);
    }
    /* what is quickly told comes first */
    read_known(v, NULL, members, COUNT(members), err);
    read_outputs(m[3], &at[3], req, err);
    read_parameters(m[2], &at[2], req, err);
    read_nonfinite(m[4], &at[4], err);
    read_ground_truth(m[0], &at[0], req, mem, err);
    read_detections(m[1], &at[1], req, mem, err);
    return err->n ? -1 : 0;
}

int decode_body(const char *text, size_t len, struct detection_request *req,
                struct arena *mem, struct api_error *err)
{
    json_t *doc = json_read(text, len, err);
    int rc = doc ? read_body(doc, req, mem, err) : -1;
    json_decref(doc);
    return rc;
}

int decode_ground_truth(const char *text, size_t len,
                        struct detection_request *req, struct arena *mem,
                        struct api_error *err)
{
    json_t *doc = json_read(text, len, err);
    int rc = doc ? read_ground_truth(doc, NULL, req, mem, err) : -1;
    json_decref(doc);
    return rc;
}

int decode_detections(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    json_t *doc = json_read(text, len, err);
    int rc = doc ? read_detections(doc, NULL, req, mem, err) : -1;
    json_decref(doc);
    return rc;
}

int decode_parameters(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    json_t *doc = json_read(text, len, err);
    (void)mem;
    int rc = doc ? read_parameters(doc, NULL, req, err) : -1;
    json_decref(doc);
    return rc;
}
