/*
 * A line that names a model and says how long the JSON is (or "-": no header),
 * then a body of JSON and bytes.  Whatever they are, an answer has the form it
 * should, and what is accepted gives the same numbers when its bytes are
 * written as JSON, and when its answer is.
 */
#include "api/api.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 32 << 20, PATH_BYTES = 160 };

struct exchange {
    struct arena mem;
    struct api_response res;
};

static void ask(struct exchange *x, const char *path, const char *length,
                const char *body, size_t len)
{
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = 1 << 20};
    struct api_request req = {.method = "POST",
                              .path = path,
                              .query = "",
                              .header_length = length,
                              .body = body,
                              .body_len = len};
    arena_init(&x->mem, MEMORY);
    if (api_admit(&env, &req, &x->mem, &x->res))
        api_answer(&env, &req, &x->mem, &x->res);
}

/* The JSON of an answer; *bytes are what stands behind it. */
static json_t *parse(const struct api_response *res, const char **bytes)
{
    size_t n = res->header_length ? strtoull(res->header_length, NULL, 10)
                                  : res->body_len;
    if (n > res->body_len)
        abort();
    json_t *v = json_loadb(res->body, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_object_get(v, res->status == 200 ? "outputs" : "error"))
        abort();
    *bytes = res->body + n;
    return v;
}

static void check(const struct api_response *res)
{
    static const int known[] = {200, 400, 404, 413};
    const char *bytes;
    bool found = false;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        found = found || res->status == known[i];
    if (!found)
        abort();
    json_decref(parse(res, &bytes));
}

static const char *text_of(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

/* By the definition of binary16. */
static double half(const char *at)
{
    uint16_t h;
    memcpy(&h, at, 2);
    int e = h >> 10 & 31, f = h & 1023;
    double x = e == 31 ? (f ? (double)NAN : (double)INFINITY)
               : e     ? ldexp(1024 + f, e - 25)
                       : ldexp(f, -24);
    return h & 0x8000 ? -x : x;
}

static json_t *real(double x)
{
    return isnan(x)   ? json_string("NaN")
           : isinf(x) ? json_string(x > 0 ? "Infinity" : "-Infinity")
                      : json_real(x);
}

/* One element; *bytes goes on. */
static json_t *element(const char *type, const char **bytes)
{
    const char *at = *bytes;
    float f;
    double d;
    int32_t i;
    int64_t l;
    if (strcmp(type, "FP16") == 0)
        return *bytes += 2, real(half(at));
    if (strcmp(type, "FP32") == 0)
        return *bytes += 4, memcpy(&f, at, 4), real((double)f);
    if (strcmp(type, "FP64") == 0)
        return *bytes += 8, memcpy(&d, at, 8), real(d);
    if (strcmp(type, "INT32") == 0)
        return *bytes += 4, memcpy(&i, at, 4), json_integer(i);
    if (strcmp(type, "INT64") == 0)
        return *bytes += 8, memcpy(&l, at, 8), json_integer(l);
    return *bytes += 1, json_boolean(*at);
}

/* Writes into the request what stands behind it. */
static void unpack(json_t *doc, const char *bytes)
{
    size_t i;
    json_t *in;
    json_array_foreach(json_object_get(doc, "inputs"), i, in)
    {
        const char *type = text_of(in, "datatype");
        json_t *params = json_object_get(in, "parameters");
        json_int_t size = 0;
        json_t *said = json_object_get(params, "binary_data_size");
        if (!said)
            continue;
        size = (json_int_t)json_number_value(said);
        json_t *data = json_array();
        for (const char *end = bytes + size; bytes < end;)
            json_array_append_new(data, element(type, &bytes));
        json_object_set_new(in, "data", data);
        json_object_del(in, "parameters");
        if (strcmp(type, "FP16") == 0) /* JSON has no halves */
            json_object_set_new(in, "datatype", json_string("FP32"));
    }
}

/* Every output as bytes, or none; nothing becomes null. */
static void want(json_t *doc, bool binary)
{
    size_t i;
    json_t *out;
    if (!json_object_get(doc, "parameters"))
        json_object_set_new(doc, "parameters", json_object());
    json_object_set_new(json_object_get(doc, "parameters"),
                        "binary_data_output", json_boolean(binary));
    json_object_set_new(json_object_get(doc, "parameters"), "nonfinite",
                        json_string("string"));
    json_array_foreach(json_object_get(doc, "outputs"), i, out)
        json_object_del(out, "parameters");
}

/* An element of an answer, in JSON or behind it. */
static double number(const json_t *out, size_t i, const char *type,
                     const char **bytes)
{
    json_t *data = json_object_get(out, "data");
    json_t *v =
        data ? json_incref(json_array_get(data, i)) : element(type, bytes);
    const char *word = json_string_value(v);
    double x = json_number_value(v);
    if (word)
        x = *word == 'N' ? (double)NAN
                         : (double)(*word == '-' ? -INFINITY : INFINITY);
    json_decref(v);
    return x;
}

static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof(a)) == 0;
}

/* The numbers of two answers. */
static void compare(const struct exchange *x, const struct exchange *y)
{
    const char *bx, *by;
    json_t *a = parse(&x->res, &bx), *b = parse(&y->res, &by);
    const json_t *as = json_object_get(a, "outputs");
    const json_t *bs = json_object_get(b, "outputs");
    if (json_array_size(as) != json_array_size(bs))
        abort();
    for (size_t i = 0; i < json_array_size(as); i++) {
        const json_t *p = json_array_get(as, i), *q = json_array_get(bs, i);
        const char *type = text_of(p, "datatype");
        const json_t *shape = json_object_get(p, "shape");
        size_t n = 1;
        if (strcmp(type, text_of(q, "datatype")) != 0 ||
            !json_equal(shape, json_object_get(q, "shape")))
            abort();
        for (size_t d = 0; d < json_array_size(shape); d++)
            n *= (size_t)json_integer_value(json_array_get(shape, d));
        for (size_t k = 0; k < n; k++) {
            double u = number(p, k, type, &bx), v = number(q, k, type, &by);
            if (strcmp(type, "FP32") == 0) {
                u = (double)(float)u;
                v = (double)(float)v;
            }
            if (!same(u, v))
                abort();
        }
    }
    if (bx != x->res.body + x->res.body_len ||
        by != y->res.body + y->res.body_len)
        abort();
    json_decref(a);
    json_decref(b);
}

/* Asks again, for bytes or for JSON; what is behind the JSON stays. */
static void ask_again(struct exchange *x, const char *path, json_t *doc,
                      bool binary, const char *bytes, size_t n)
{
    char length[24];
    want(doc, binary);
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17));
    size_t len = text ? strlen(text) : 0;
    char *body = malloc(len + n + 1);
    if (!text || !body)
        abort();
    memcpy(body, text, len);
    memcpy(body + len, bytes, n);
    snprintf(length, sizeof(length), "%zu", len);
    ask(x, path, length, body, len + n);
    free(body);
    free(text);
    if (x->res.status != 200 && x->res.status != 413)
        abort();
}

/* The same request in three forms; memory may not do for all of them. */
static void again(const char *path, const char *body, size_t json, size_t len)
{
    json_t *doc = json_loadb(body, json, 0, NULL);
    struct exchange x[3];
    ask_again(&x[0], path, doc, true, body + json, len - json);
    unpack(doc, body + json);
    ask_again(&x[1], path, doc, true, "", 0);
    ask_again(&x[2], path, doc, false, "", 0);
    json_decref(doc);
    for (int i = 1; i < 3; i++)
        if (x[0].res.status == 200 && x[i].res.status == 200)
            compare(&x[0], &x[i]);
    for (int i = 0; i < 3; i++)
        arena_free(&x[i].mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_BYTES], line[96];
    const uint8_t *end = memchr(data, '\n', size);
    size_t n = end ? (size_t)(end - data) : 0;
    struct exchange x;
    if (!end || n >= sizeof(line) || memchr(data, '\0', n))
        return 0;
    memcpy(line, data, n);
    line[n] = '\0';
    char *length = strchr(line, ' ');
    if (!length)
        return 0;
    *length++ = '\0';
    snprintf(path, sizeof(path), "/v2/models/%s/infer", line);
    size_t len = size - n - 1;
    char *body = malloc(len + 1);
    if (!body)
        abort();
    memcpy(body, end + 1, len);
    const char *header = strcmp(length, "-") == 0 ? NULL : length;
    ask(&x, path, header, body, len);
    check(&x.res);
    size_t json = header ? strtoull(header, NULL, 10) : len;
    if (x.res.status == 200 && json > 0)
        again(path, body, json, len);
    arena_free(&x.mem);
    free(body);
    return 0;
}
