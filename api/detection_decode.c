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

static void read_body(const json_t *v, struct detection_request *req,
                      struct arena *mem, struct api_error *err)
{
    struct at at[COUNT(members)];
    const json_t *m[COUNT(members)];
    if (read_object(v, NULL, err))
        return;
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
}

/* Reads one part of a request from its document; err says how it went. */
typedef void read_part(const json_t *doc, struct detection_request *req,
                       struct arena *mem, struct api_error *err);

/*
 * The document is many times larger than the columns, so it has an arena of
 * its own, within what mem has left, and is gone before the scoring begins.
 */
static int decode(const char *text, size_t len, read_part *part,
                  struct detection_request *req, struct arena *mem,
                  struct api_error *err)
{
    struct arena documents;
    arena_init(&documents, mem->bytes_max - mem->bytes_used);
    const json_t *doc = json_read(text, len, &documents, err);
    if (doc)
        part(doc, req, mem, err);
    arena_free(&documents);
    return err->n ? -1 : 0;
}

int decode_body(const char *text, size_t len, struct detection_request *req,
                struct arena *mem, struct api_error *err)
{
    return decode(text, len, read_body, req, mem, err);
}

static void ground_truth_part(const json_t *doc, struct detection_request *req,
                              struct arena *mem, struct api_error *err)
{
    read_ground_truth(doc, NULL, req, mem, err);
}

int decode_ground_truth(const char *text, size_t len,
                        struct detection_request *req, struct arena *mem,
                        struct api_error *err)
{
    return decode(text, len, ground_truth_part, req, mem, err);
}

static void detections_part(const json_t *doc, struct detection_request *req,
                            struct arena *mem, struct api_error *err)
{
    read_detections(doc, NULL, req, mem, err);
}

int decode_detections(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    return decode(text, len, detections_part, req, mem, err);
}

static void parameters_part(const json_t *doc, struct detection_request *req,
                            struct arena *mem, struct api_error *err)
{
    (void)mem;
    read_parameters(doc, NULL, req, err);
}

int decode_parameters(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    return decode(text, len, parameters_part, req, mem, err);
}
