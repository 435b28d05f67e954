#include "api/error.h"

#include "api/json_out.h"
#include "core/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct problem_type types[PROBLEM_COUNT] = {
    [PROBLEM_MALFORMED_REQUEST] =
        {"malformed-request", 400, "The head of the request is not clean HTTP",
         "Programs along the way could read such a request in different ways, "
         "so it is refused and the connection closed: exactly one Host, one "
         "Content-Length of digits or Transfer-Encoding: chunked but never "
         "both, names of letters, digits and -, no control characters, lines "
         "that end in CR LF and are not folded."},
    [PROBLEM_URI_TOO_LONG] =
        {"uri-too-long", 414, "The request line is too long",
         "The path and the query together have to fit into some kilobytes; "
         "larger things belong into a body."},
    [PROBLEM_HEAD_TOO_LARGE] =
        {"head-too-large", 431, "The head of the request is too large",
         "All headers together have to fit into some kilobytes."},
    [PROBLEM_EXPECTATION] = {"expectation", 417,
                             "The expectation cannot be met",
                             "Expect knows 100-continue alone."},
    [PROBLEM_VERSION] =
        {"http-version", 505, "This version of HTTP is not spoken here",
         "Ask with HTTP/1.1; put a proxy in front for other versions."},
    [PROBLEM_UNAUTHORIZED] =
        {"unauthorized", 401, "A token is needed",
         "Send Authorization: Bearer TOKEN with a token of this server; "
         "evald token new makes one."},
    [PROBLEM_FORBIDDEN] =
        {"forbidden", 403, "This is not allowed",
         "The token lacks the scope, or the Host or Origin of the request is "
         "not one that this server goes by: see its --allow-host and "
         "--cors-origin."},
    [PROBLEM_TOO_SLOW] =
        {"too-slow", 408, "The request came too slowly",
         "Send it again, over a connection that is fast enough; the server "
         "does not wait longer for a head or a body."},
    [PROBLEM_THROTTLED] =
        {"throttled", 429, "Too many requests from one client",
         "Wait for the seconds that Retry-After says, and ask more slowly or "
         "with fewer requests at a time."},
    [PROBLEM_DEADLINE] =
        {"deadline", 504, "The request took longer than allowed",
         "The work was stopped. Ask for less at a time, or for more time: "
         "X-Request-Timeout-Ms, up to the limit of the server."},
    [PROBLEM_INTERNAL] =
        {"internal", 500, "The server failed",
         "This is no mistake of yours. Its log knows more, by the id of the "
         "request."},
    [PROBLEM_MALFORMED_JSON] =
        {"malformed-json", 400, "The body is not valid JSON",
         "The detail gives line, column and byte offset of where reading "
         "stopped, at the first fault or right behind it. "
         "Common causes: NaN or Infinity written as bare words, a trailing "
         "comma, single quotes, a key given twice, a byte order mark."},
    [PROBLEM_MALFORMED_FORM] =
        {"malformed-form", 400, "The body is not valid multipart/form-data",
         "The detail says what is wrong. curl makes such a body of "
         "-F ground_truth=@gt.json -F detections=@dt.json, boundary and "
         "Content-Type included: set no Content-Type of your own."},
    [PROBLEM_MALFORMED_CONTENT] =
        {"malformed-content", 400, "The body is not what its encoding says",
         "Content-Encoding says gzip or zstd, and the body could not be "
         "inflated so: it is cut off, damaged, followed by something else, or "
         "not compressed at all."},
    [PROBLEM_MALFORMED_NPY] =
        {"malformed-npy", 400, "The body is not an .npy file that is read here",
         "numpy.save writes such files. Read are the floating, whole and "
         "boolean types; neither complex numbers, strings, objects nor "
         "structures. A file of numpy.savez is an archive of several. curl "
         "needs --data-binary @x.npy, since -d leaves out line ends."},
    [PROBLEM_NOT_FOUND] = {"not-found", 404, "There is nothing at this path",
                           "GET /v1 lists what the server offers."},
    [PROBLEM_METHOD] = {"method-not-allowed", 405,
                        "This path has no such method",
                        "The Allow header lists the methods that it has."},
    [PROBLEM_NOT_ACCEPTABLE] =
        {"not-acceptable", 406, "No representation that Accept asks for",
         "Leave Accept out, or name one of the types in the detail."},
    [PROBLEM_BODY_TOO_LARGE] =
        {"body-too-large", 413, "The body is larger than the server takes",
         "The detail says the limit, --max-body of the server, which holds "
         "for the inflated body too. Leave out what scoring does not need, "
         "such as segmentation."},
    [PROBLEM_MEMORY] =
        {"too-much-memory", 413, "The request needs more memory than allowed",
         "Ask for fewer thresholds or area ranges, leave out the output "
         "\"arrays\", or have the operator raise --memory."},
    [PROBLEM_MEDIA_TYPE] =
        {"unsupported-media-type", 415, "The server does not read this type",
         "The Accept-Post header lists the types that it reads. curl sends "
         "a form unless told: add -H 'Content-Type: application/json'. "
         "Where the encoding is at fault Accept-Encoding lists those that it "
         "reads."},
    [PROBLEM_MISSING_MEMBER] =
        {"missing-member", 422, "A required member is missing",
         "The pointer names the member that was expected."},
    [PROBLEM_UNKNOWN_MEMBER] =
        {"unknown-member", 422, "A member, name or choice is not known",
         "A misspelt name is never ignored; the detail suggests the nearest "
         "one that is known."},
    [PROBLEM_INVALID_VALUE] =
        {"invalid-value", 422, "A value has the wrong type, size or range",
         "The pointer names the value, the detail what would be right."},
    [PROBLEM_NON_FINITE] =
        {"non-finite-number", 422, "A number is NaN or infinite",
         "Boxes, areas and scores must be finite. A NaN score usually means "
         "that training diverged or a box was empty."},
    [PROBLEM_NUMBER_RANGE] =
        {"number-out-of-range", 422, "A number is too large to be kept",
         "Integers must fit in 64 bits with sign, other numbers in a double."},
    [PROBLEM_RAGGED] =
        {"ragged-tensor", 422, "An array is not rectangular",
         "All arrays of one level must have the same length. A tensor is a "
         "number, a nested array, or {\"shape\": [2, 3], \"data\": [1, 2, 3, "
         "4, 5, 6]}."},
    [PROBLEM_SHAPE] =
        {"shape-mismatch", 422, "A tensor has the wrong shape",
         "GET /v1/operations/{group}/{name} gives the shape of every input; "
         "equal letters must be equal numbers."},
    [PROBLEM_INVALID_BOX] =
        {"invalid-box", 422, "A box has negative width or height",
         "Boxes are rows of four numbers. \"format\" says which: xyxy (two "
         "corners, the default), xywh (corner and size) or cxcywh (centre and "
         "size)."},
    [PROBLEM_UNKNOWN_IMAGE] =
        {"unknown-image", 422, "Detections on images not in the ground truth",
         "Every image_id of a detection must be the id of an image. Are the "
         "files of the same split?"},
    [PROBLEM_DUPLICATE_IMAGE] =
        {"duplicate-image-id", 422, "Two images have the same id",
         "Image ids must differ. Were two data sets joined?"},
    [PROBLEM_NOT_OFFERED] =
        {"not-offered", 501, "This version does not offer that yet",
         "The name is right, but belongs to a part that is not there yet. "
         "GET /v1 lists what is."},
    [PROBLEM_CONFLICT] =
        {"conflict", 409, "It is not as the request takes it to be",
         "Something else is there in its place, or has been in use. The "
         "detail says what, and which flag of the query overrules it."},
    [PROBLEM_PRECONDITION] =
        {"precondition-failed", 412, "It has changed, or is there already",
         "Nothing was changed. GET it, see whether the change is still "
         "wanted, and send the ETag of that answer as If-Match."},
    [PROBLEM_IMAGE_CONFLICT] =
        {"image-conflict", 409, "An image is there with other detections",
         "Nothing of the batch was taken. The same detections again would be "
         "counted once; add ?on_conflict=replace to take the new ones."},
    [PROBLEM_RUN_FINALIZED] =
        {"run-finalized", 409, "The run is finalized",
         "Its result stands, and no more images are taken. Open another run "
         "for them."},
    [PROBLEM_RUN_INCOMPLETE] =
        {"run-incomplete", 409, "Images of the run have not come yet",
         "Send them, also those without detections; or finalize with "
         "?partial to score the images that are there."},
    [PROBLEM_INCOMPARABLE] =
        {"incomparable", 409, "The runs measure different things",
         "They were opened with other parameters or on another dataset, so "
         "that their numbers differ whatever the model. ?force compares "
         "them all the same."},
    [PROBLEM_STORE_FULL] =
        {"store-full", 507, "The store is full",
         "Nothing was changed. Delete runs that nobody needs, or have the "
         "operator give it more space or a higher limit; then send it "
         "again."},
    [PROBLEM_STORE_GONE] =
        {"store-gone", 503, "The store cannot be reached",
         "Send it again after the seconds that Retry-After says: what was "
         "taken twice is counted once."},
    [PROBLEM_OVERLOADED] =
        {"overloaded", 503, "The server has too much to do",
         "Try again after the seconds that Retry-After says."},
    [PROBLEM_DRAINING] =
        {"draining", 503, "The server is shutting down",
         "Try again; another instance or the restarted one will answer."},
};

const struct problem_type *problem_type(enum problem p)
{
    assert(p > PROBLEM_NONE && p < PROBLEM_COUNT);
    return &types[p];
}

int api_fail(struct api_error *err, enum problem kind, const char *pointer,
             const char *format, ...)
{
    if (api_full(err))
        return -1;
    struct api_fault *fault = &err->fault[err->n++];
    va_list args;
    fault->kind = kind;
    fault->code = NULL;
    snprintf(fault->pointer, sizeof(fault->pointer), "%s",
             pointer ? pointer : "");
    va_start(args, format);
    vsnprintf(fault->detail, sizeof(fault->detail), format, args);
    va_end(args);
    return -1;
}

void api_blame(struct api_error *err, const struct arena *mem)
{
    if (err->n == 0 || err->fault[0].kind != PROBLEM_MEMORY || !mem->starved)
        return;
    err->n = 0;
    api_fail(err, PROBLEM_OVERLOADED, NULL,
             "its memory is taken by other requests; this one may fit later");
}

static void write_faults(struct json_out *out, const struct api_error *err)
{
    out_key(out, "errors");
    out_open(out, '[');
    for (size_t i = 0; i < err->n; i++) {
        out_open(out, '{');
        out_member_string(out, "pointer", err->fault[i].pointer);
        char code[64];
        snprintf(code, sizeof(code), "%s",
                 err->fault[i].code ? err->fault[i].code
                                    : problem_type(err->fault[i].kind)->name);
        for (char *p = code; (p = strchr(p, '-'));)
            *p = '_';
        out_member_string(out, "code", code);
        out_member_string(out, "detail", err->fault[i].detail);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void error_write(struct json_out *out, const struct api_error *err,
                 const char *instance, const char *request_id)
{
    assert(err->n > 0);
    const struct api_fault *first = &err->fault[0];
    const struct problem_type *type = problem_type(first->kind);
    char uri[64];
    snprintf(uri, sizeof(uri), "/problems/%s", type->name);
    out_open(out, '{');
    out_member_string(out, "type", uri);
    out_member_string(out, "title", type->title);
    out_key(out, "status");
    out_integer(out, type->status);
    out_member_string(out, "detail", first->detail);
    if (instance)
        out_member_string(out, "instance", instance);
    if (request_id)
        out_member_string(out, "request_id", request_id);
    out_member_string(out, "error", first->detail);
    if (type->status == 422 || first->pointer[0])
        write_faults(out, err);
    out_close(out, '}');
}
