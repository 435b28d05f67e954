/* Texts that are there as a whole, and the settings of a body. */
#include "api/detection_reader.h"
#include "api/detection_settings.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void detection_request_init(struct detection_request *req)
{
    *req = (struct detection_request){.outputs = OUTPUT_SUMMARY};
    coco_protocol_init(&req->protocol);
    detection_options_init(&req->options);
}

enum { GROUND_TRUTH, DETECTIONS, PARAMETERS, OUTPUTS, NONFINITE };
static const char *const members[] = {[GROUND_TRUTH] = "ground_truth",
                                      [DETECTIONS] = "detections",
                                      [PARAMETERS] = "parameters",
                                      [OUTPUTS] = "outputs",
                                      [NONFINITE] = "nonfinite"};

/* How a non-finite result would be written; detection scores have none. */
static void read_nonfinite(const json_t *v, const struct at *at,
                           struct api_error *err)
{
    static const char *const choices[] = {"null", "string", "error"};
    size_t row;
    if (v)
        read_choice(v, at, choices, COUNT(choices), &row, err);
}

void read_settings(const json_t *v, struct detection_request *req,
                   struct api_error *err)
{
    struct at at[COUNT(members)];
    const json_t *m[COUNT(members)];
    for (size_t i = 0; i < COUNT(members); i++) {
        at[i] = (struct at){NULL, members[i], 0};
        m[i] = json_object_get(v, members[i]);
    }
    read_known(v, NULL, members, COUNT(members), err);
    read_outputs(m[OUTPUTS], &at[OUTPUTS], req, err);
    read_parameters(m[PARAMETERS], &at[PARAMETERS], req, err);
    read_nonfinite(m[NONFINITE], &at[NONFINITE], err);
}

int decode_detection(enum detection_part part, const char *text, size_t len,
                     struct detection_request *req, const struct parallel *par,
                     struct arena *mem, struct api_error *err)
{
    struct detection_reader *r =
        detection_reader_new(part, NULL, req, len, par, mem);
    if (!r)
        return api_fail(err, PROBLEM_MEMORY, NULL, "no memory for reading");
    detection_reader_take(r, &(struct span){text, len}, 1);
    return detection_reader_finish(r, err);
}

int decode_parameters(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    const json_t *doc = json_read(text, len, mem, err);
    if (!doc || read_parameters(doc, NULL, req, err))
        return -1;
    return 0;
}
