/*
 * Any bytes as the body of POST /v1/detection/evaluate, in one of three
 * representations: whatever they are, the answer is a document, and its
 * status is one the endpoint has.  What jansson refuses is refused.
 */
#include "api/api.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct api_response *res, bool valid)
{
    json_error_t e;
    json_t *doc = json_loadb(res->body, res->body_len, 0, &e);
    if (!doc)
        abort();
    if (res->status == 200 && !json_object_get(doc, "protocol"))
        abort();
    if (res->status != 200 && !json_object_get(doc, "detail"))
        abort();
    if (!valid && res->status == 200)
        abort();
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const accepts[] = {NULL, "text/plain",
                                          "application/json"};
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = 1 << 20};
    struct api_response res;
    struct arena mem;
    if (size == 0)
        return 0;
    char *body = malloc(size);
    if (!body)
        return 0;
    memcpy(body, data + 1, size - 1);
    struct api_request req = {
        .method = "POST",
        .path = "/v1/detection/evaluate",
        .query = data[0] & 64 ? "pretty" : "",
        .accept = accepts[data[0] % 3],
        .content_type = "application/json",
        .body = body,
        .body_len = size - 1,
    };
    arena_init(&mem, (size_t)32 << 20);
    api_answer(&env, &req, &mem, &res);
    json_t *doc = json_loadb(body, size - 1, JSON_REJECT_DUPLICATES, NULL);
    bool json = strstr(res.content_type, "json");
    if (json)
        check_json(&res, doc);
    else if (res.status != 200 || !doc)
        abort();
    switch (res.status) {
    case 200:
    case 400:
    case 406:
    case 413:
    case 422:
    case 501:
        break;
    default:
        abort();
    }
    json_decref(doc);
    arena_free(&mem);
    free(body);
    return 0;
}
