/*
 * Bytes to columns, in two ways.  The scan reads what has no fault straight
 * into columns; where it declines, jansson's document says what is wrong, or
 * reads what is merely rare.
 */
#include "api/detection_read.h"
#include "api/detection_scan.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void detection_request_init(struct detection_request *req)
{
    *req = (struct detection_request){.outputs = OUTPUT_SUMMARY};
    coco_protocol_init(&req->protocol);
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

/* All of a body but its data. */
static void read_settings(const json_t *v, struct detection_request *req,
                          struct arena *mem, struct api_error *err)
{
    struct at at[COUNT(members)];
    const json_t *m[COUNT(members)];
    (void)mem;
    for (size_t i = 0; i < COUNT(members); i++) {
        at[i] = (struct at){NULL, members[i], 0};
        m[i] = json_object_get(v, members[i]);
    }
    read_known(v, NULL, members, COUNT(members), err);
    read_outputs(m[OUTPUTS], &at[OUTPUTS], req, err);
    read_parameters(m[PARAMETERS], &at[PARAMETERS], req, err);
    read_nonfinite(m[NONFINITE], &at[NONFINITE], err);
}

static void read_body(const json_t *v, struct detection_request *req,
                      struct arena *mem, struct api_error *err)
{
    const char *gt = members[GROUND_TRUTH], *dt = members[DETECTIONS];
    if (read_object(v, NULL, err))
        return;
    read_settings(v, req, mem, err); /* what is quickly told comes first */
    read_ground_truth(json_object_get(v, gt), &(struct at){NULL, gt, 0}, req,
                      mem, err);
    read_detections(json_object_get(v, dt), &(struct at){NULL, dt, 0}, req, mem,
                    err);
}

static void read_ground_truth_file(const json_t *doc,
                                   struct detection_request *req,
                                   struct arena *mem, struct api_error *err)
{
    read_ground_truth(doc, NULL, req, mem, err);
}

static void read_detections_file(const json_t *doc,
                                 struct detection_request *req,
                                 struct arena *mem, struct api_error *err)
{
    read_detections(doc, NULL, req, mem, err);
}

static void read_parameters_file(const json_t *doc,
                                 struct detection_request *req,
                                 struct arena *mem, struct api_error *err)
{
    (void)mem;
    read_parameters(doc, NULL, req, err);
}

/* Reads a document into its part of a request; err says how it went. */
typedef void read_part(const json_t *doc, struct detection_request *req,
                       struct arena *mem, struct api_error *err);

/*
 * The document is many times larger than the columns, so it has an arena of
 * its own, within what mem has left, and is gone before the scoring begins.
 */
static int by_document(const char *text, size_t len, read_part *part,
                       struct detection_request *req, struct arena *mem,
                       struct api_error *err)
{
    struct arena documents;
    arena_init(&documents, mem->bytes_max - mem->bytes_used);
    const json_t *doc = json_read(text, len, &documents, err);
    mem->bytes_max -= documents.bytes_used;
    if (doc)
        part(doc, req, mem, err);
    mem->bytes_max += documents.bytes_used;
    arena_free(&documents);
    return err->n ? -1 : 0;
}

/* Scans a text into its part of a request; false if it declines. */
typedef bool scan_part(struct scan *s, struct detection_request *req,
                       struct arena *mem);

/* The data is scanned; the settings are short, and make a document. */
static bool scan_body_parts(struct scan *s, struct detection_request *req,
                            struct arena *mem)
{
    struct json_out settings;
    struct api_error err = {0};
    json_out_init(&settings, mem, false);
    return scan_body(s, req, mem, &settings) &&
           by_document(settings.text, settings.len, read_settings, req, mem,
                       &err) == 0;
}

/* Scans, and if that declines, starts over with a document. */
static int decode(const char *text, size_t len, scan_part *scan,
                  read_part *part, struct detection_request *req,
                  struct arena *mem, struct api_error *err)
{
    struct detection_request before = *req;
    struct arena_mark mark = arena_mark(mem);
    struct scan s;
    scan_init(&s, text, len);
    if (scan(&s, req, mem) && scan_ends(&s))
        return 0;
    arena_release(mem, mark);
    *req = before;
    return by_document(text, len, part, req, mem, err);
}

int decode_body(const char *text, size_t len, struct detection_request *req,
                struct arena *mem, struct api_error *err)
{
    return decode(text, len, scan_body_parts, read_body, req, mem, err);
}

int decode_body_document(const char *text, size_t len,
                         struct detection_request *req, struct arena *mem,
                         struct api_error *err)
{
    return by_document(text, len, read_body, req, mem, err);
}

int decode_ground_truth(const char *text, size_t len,
                        struct detection_request *req, struct arena *mem,
                        struct api_error *err)
{
    return decode(text, len, scan_ground_truth, read_ground_truth_file, req,
                  mem, err);
}

int decode_detections(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    return decode(text, len, scan_detections, read_detections_file, req, mem,
                  err);
}

int decode_parameters(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err)
{
    return by_document(text, len, read_parameters_file, req, mem, err);
}
