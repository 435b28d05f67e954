/*
 * A line that names an operation, then any bytes as its body: whatever they
 * are, the answer is a document, its status is one of those it may have, and
 * it does not depend on whether the body was lifted from or read as a document.
 */
#include "api/operation.h"
#include "api/api.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 32 << 20 };

static void answer(const char *path, const char *body, size_t len,
                   struct arena *mem, struct api_response *res)
{
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = 1 << 20};
    struct api_request req = {.method = "POST",
                              .path = path,
                              .query = "",
                              .content_type = "application/json",
                              .body = body,
                              .body_len = len};
    api_answer(&env, &req, mem, res);
}

static void check(const struct api_response *res)
{
    static const int known[] = {200, 400, 404, 413, 422};
    bool found = false;
    json_t *doc =
        json_loadb(res->body, res->body_len, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        found = found || res->status == known[i];
    if (!found || !doc ||
        !json_object_get(doc, res->status == 200 ? "outputs" : "detail"))
        abort();
    json_decref(doc);
}

/* The same body by way of a document alone: the same answer or problem. */
static void compare(const char *path, const char *body, size_t len,
                    const struct api_response *res)
{
    static struct api_error err;
    struct operation_source src = {.row = operation_find(path + 4)};
    struct operation_times times = {0, 0, 0};
    struct json_out out;
    struct arena mem;
    if (src.row == SIZE_MAX)
        return;
    err.n = 0;
    arena_init(&mem, MEMORY);
    json_out_init(&out, &mem, false);
    src.doc = json_read(body, len, &mem, &err);
    if (!src.doc ||
        operation_answer(&src, &parallel_serial, &mem, &out, &times, &err))
        error_write(&out, &err, path, NULL);
    /* Memory may be enough for one way and not for the other. */
    bool spent = res->status == 413 || mem.failed || out.failed;
    if (!spent &&
        (out.len != res->body_len || memcmp(out.text, res->body, out.len) != 0))
        abort();
    arena_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[96];
    const uint8_t *line = memchr(data, '\n', size);
    struct api_response res;
    struct arena mem;
    if (!line || line - data > 64 || memchr(data, '\0', (size_t)(line - data)))
        return 0;
    snprintf(path, sizeof(path), "/v1/%.*s", (int)(line - data), data);
    size_t len = size - (size_t)(line + 1 - data);
    char *body = malloc(len + 1);
    if (!body || operation_find(path + 4) == SIZE_MAX) {
        free(body);
        return 0;
    }
    memcpy(body, line + 1, len);
    arena_init(&mem, MEMORY);
    answer(path, body, len, &mem, &res);
    check(&res);
    compare(path, body, len, &res);
    arena_free(&mem);
    free(body);
    return 0;
}
