/* Requests to /v2 without a socket, and what their answers must be. */
#ifndef EVALD_TESTS_OIP_H
#define EVALD_TESTS_OIP_H

#include "api/api.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define JSON "application/json"
#define BYTES "application/octet-stream"
#define LENGTH "Inference-Header-Content-Length"

enum { PLENTY = 1 << 24, BODY_BYTES_MAX = 100000 };

/* A request and what became of it. */
struct exchange {
    struct api_env env;
    struct api_request req;
    struct arena mem;
    struct api_response res;
};

static inline void run(struct exchange *x, size_t budget)
{
    x->env.par = &parallel_serial;
    x->env.body_bytes_max = BODY_BYTES_MAX;
    x->env.workers = 1;
    x->req.query = "";
    x->req.request_id = "7";
    arena_init(&x->mem, budget);
    if (api_admit(&x->env, &x->req, &x->mem, &x->res))
        api_answer(&x->env, &x->req, &x->mem, &x->res);
}

/* Fails unless the answer is this text. */
static inline void check_text(const struct exchange *x, const char *want)
{
    size_t n = strlen(want);
    if (x->res.body_len != n || memcmp(x->res.body, want, n) != 0)
        fail_msg("%s\n got: %.*s\nwant: %s", x->req.path, (int)x->res.body_len,
                 x->res.body, want);
}

/* Fails unless the answer is {"error": …} that begins with this text. */
static inline void check_error(const struct exchange *x, const char *want)
{
    json_t *v =
        json_loadb(x->res.body, x->res.body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *error = json_string_value(json_object_get(v, "error"));
    assert_string_equal(x->res.content_type, JSON);
    assert_null(x->res.header_length);
    if (!error || json_object_size(v) != 1 ||
        strncmp(error, want, strlen(want)) != 0)
        fail_msg("%s\n got: %.*s\nwant: %s", x->req.path, (int)x->res.body_len,
                 x->res.body, want);
    json_decref(v);
}

/* A body: JSON alone, or with bytes behind it and a header that says so. */
#define BODY(json) json, NULL, 0
#define WITH(json, bytes) json, bytes, sizeof(bytes) - 1
#define IN(name, shape, type, rest)                                   \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" type \
    "\"," rest "}"
#define DATA(numbers) "\"data\":" numbers
#define SIZE(n) "\"parameters\":{\"binary_data_size\":" n "}"
#define INPUTS(list) "\"inputs\":[" list "]"
#define X(shape, type, rest) INPUTS(IN("x", shape, type, rest))
#define X1 X("[1]", "FP32", DATA("[1]"))
#define OUT(list) ",\"outputs\":[" list "]"
#define PARAMS(list) ",\"parameters\":{" list "}"
#define GROUND IN("boxes_b", "[1,4]", "FP32", DATA("[0,0,2,2]"))

/* One inference. */
struct inference {
    const char *model, *json;
    const char *bytes; /* NULL = none, and no header */
    size_t n_bytes;
    const char *length; /* the header; NULL = as it should be */
};

/* Runs it, its body at an address that is 0 to 7 beyond a multiple of 8. */
static inline void infer(const struct inference *in, size_t start,
                         size_t budget, struct exchange *x)
{
    static char body[4096], path[128], length[24];
    size_t json = strlen(in->json);
    snprintf(path, sizeof(path), "/v2/models/%s/infer", in->model);
    snprintf(length, sizeof(length), "%zu", json);
    assert_true(start + json + in->n_bytes <= sizeof(body));
    memcpy(body + start, in->json, json);
    if (in->bytes)
        memcpy(body + start + json, in->bytes, in->n_bytes);
    *x = (struct exchange){.req = {.method = "POST",
                                   .path = path,
                                   .header_length = in->length  ? in->length
                                                    : in->bytes ? length
                                                                : NULL,
                                   .body = body + start,
                                   .body_len = json + in->n_bytes}};
    run(x, budget);
}

#endif
