/*
 * What a request will usually need, by what its head says.
 *
 * Measured by `build/bench/large memory`: the least reservation that does with
 * nothing in the budget beside it, in bytes per byte of the body.
 *   detection in pieces   JSON 7.9, form 5.6, gzip and zstd 47.6: columns are
 *                         laid out for any list that the text may turn into,
 *                         before it is known; little of that is written to
 *   documents             nms and assign 1.5 to 2.6; losses 0.4 to 1.6; value
 *                         and gradient of an activation 8.3 to 10; what only
 *                         jansson reads, a fault as a rule, 10 to 16
 *   datasets              JSON 4.8, gzip and zstd 43
 *   .npy                  mish stats 2.0; softmax to .npy 5.6 (f8) to 7.0 (f4);
 *                         log_softmax of f4 to JSON 8.5; compressed 11.4
 * A matrix of IoUs takes as much as it has places, which no head tells: 350 MB
 * of 0.6 MB.  What goes beyond is taken from the budget on the way.
 */
#include "api/accept.h"
#include "api/api.h"
#include "api/npy.h"

#include <stdint.h>
#include <string.h>

enum {
    BASE_BYTES = 1 << 17,    /* of any request: the first chunk */
    BYTES_UNKNOWN = 1 << 20, /* a body whose length is not told */
};

/* Products stay in range. */
static const size_t CONTENT_BYTES_MAX = SIZE_MAX / 256;

enum kind { RECORDS, DOCUMENT, ARRAY };

/* Per byte of the body, as it is and compressed. */
static const struct {
    size_t plain, encoded;
} factors[] = {
    [RECORDS] = {8, 48},
    [DOCUMENT] = {12, 20},
    [ARRAY] = {9, 12},
};

static enum kind kind_of(const struct api_request *req,
                         const struct api_route *route)
{
    static const char *const arrays[] = {NPY_TYPE, "application/octet-stream",
                                         NULL};
    if (route->in_pieces || strcmp(req->method, "PUT") == 0)
        return RECORDS;
    return arrays[content_pick(req->content_type, arrays)] ? ARRAY : DOCUMENT;
}

static bool may_have_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

size_t api_reservation(const struct api_env *env, const struct api_request *req,
                       const struct api_route *route)
{
    size_t len = req->length_known ? req->content_length : BYTES_UNKNOWN;
    size_t most = env->body_bytes_max < CONTENT_BYTES_MAX ? env->body_bytes_max
                                                          : CONTENT_BYTES_MAX;
    enum kind kind = kind_of(req, route);
    size_t plain = factors[kind].plain, encoded = factors[kind].encoded;
    if (!may_have_body(req->method))
        return BASE_BYTES;
    if (len > most)
        len = most;
    size_t factor = route->encoded ? encoded : plain;
    /* compressed, no more than of the largest content, with that beside it */
    size_t limit = route->encoded ? (plain + 1) * most : api_memory_bytes(len);
    size_t bytes = BASE_BYTES + factor * len;
    return bytes < limit ? bytes : limit;
}
