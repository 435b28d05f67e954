/*
 * One body, three ways: its arrays lifted, by way of a document alone, and as
 * a request of a batch.  All give the same answer, or tell the same faults.
 */
#include "api/api.h"
#include "api/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BOXES "\"boxes_a\":[[0,0,2,2]],\"boxes_b\":[[0,0,1,1],[0,1,2,2]]"
#define ENTROPY "\"input\":[[0,1],[1,0.5]],\"target\":"

enum { PLENTY = 1 << 26 };

/* Inputs and more; what is lifted of them, and the status. */
static const struct {
    const char *name, *members;
    size_t lifted;
    int status;
} rows[] = {
    {"activations/relu", "\"inputs\":{\"x\":[[1,-2],[3,\"NaN\"]]}", 1, 200},
    {"activations/relu", "\"inputs\":{\"x\":[]}", 0, 200},
    {"activations/relu", "\"inputs\":{\"x\":-1.5}", 0, 200},
    {"activations/relu", "\"inputs\":{\"x\":\"Infinity\"}", 0, 200},
    {"activations/relu",
     "\"inputs\":{\"x\":[0.1,-0.7,1e39,16777217]},\"dtype\":\"float32\"", 1,
     200},
    {"activations/mish",
     "\"outputs\":[\"grad\"],\"inputs\":{\"grad_output\":[1,2],\"x\":[3,4]}", 2,
     200},
    {"activations/relu",
     "\"inputs\":{\"x\":{\"shape\":[2,2],\"data\":[1,-2,3,4]}}", 1, 200},
    {"activations/relu", "\"inputs\":{\"x\":{\"data\":[1],\"shape\":[]}}", 1,
     200},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[0],\"data\":[]}}", 0,
     200},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[1,0]}", 2, 200},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[1.0,0e5]}", 2, 200},
    {"losses/cross_entropy",
     "\"inputs\":{" ENTROPY "{\"shape\":[2],\"data\":[1.0,0]}}", 2, 200},
    {"boxes/iou", "\"inputs\":{" BOXES ",\"crowd_b\":[true,false]}", 2, 200},
    {"boxes/iou", "\"inputs\":{" BOXES ",\"crowd_b\":[1,0]}", 3, 200},
    {"boxes/iou", "\"inputs\":{" BOXES ",\"crowd_b\":[1,false]}", 2, 200},
    /* what an integer is not */
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[1,0.5]}", 2, 422},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[\"NaN\",0]}", 2, 422},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[0,\"-Infinity\"]}", 2,
     422},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[0,1e16]}", 2, 422},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[0,10000000000000000]}", 1,
     422},
    {"losses/cross_entropy", "\"inputs\":{" ENTROPY "[[0,1],[1,0.25]]}", 2,
     422},
    {"losses/cross_entropy",
     "\"inputs\":{" ENTROPY "{\"shape\":[1,2],\"data\":[1,0.5]}}", 2, 422},
    {"losses/cross_entropy",
     "\"inputs\":{" ENTROPY "{\"shape\":[1],\"data\":[[1,0]]}}", 2, 422},
    {"boxes/iou", "\"inputs\":{" BOXES ",\"crowd_b\":[2,0.5]}", 3, 422},
    {"boxes/iou", "\"inputs\":{" BOXES ",\"crowd_b\":[2,0]}", 3, 422},
    /* shapes */
    {"activations/relu", "\"inputs\":{\"x\":[[1],[2,3]]}", 0, 422},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[3],\"data\":[1,2]}}", 1,
     422},
    {"activations/relu",
     "\"inputs\":{\"x\":{\"shape\":[2],\"data\":[[1],[2]]}}", 1, 422},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[2],\"data\":[[1,2]]}}",
     1, 422},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[[1]],\"data\":[1]}}", 1,
     422},
    {"activations/relu", "\"inputs\":{\"x\":{\"data\":[1]}}", 1, 422},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[1]}}", 0, 422},
    {"activations/relu", "\"inputs\":{\"x\":{\"shape\":[1],\"data\":null}}", 0,
     422},
    {"activations/relu",
     "\"inputs\":{\"x\":{\"shape\":[1],\"data\":[1],\"dat\":[1]}}", 1, 422},
    {"activations/relu", "\"inputs\":{\"x\":[[[[[[[[[1]]]]]]]]]}", 0, 422},
    {"losses/mse", "\"inputs\":{\"input\":[1,2],\"target\":[1]}", 2, 422},
    {"boxes/iou", "\"inputs\":{\"boxes_a\":[[2,0,1,1]],\"boxes_b\":[[1,2,3]]}",
     2, 422},
    /* members */
    {"activations/relu", "\"inputs\":{\"x\":null}", 0, 422},
    {"activations/relu", "\"inputs\":{\"y\":[1]}", 1, 422},
    {"activations/relu", "\"inputs\":{\"\\u0078\":[1]}", 0, 200},
    {"activations/relu", "\"inputs\":[[1]]", 1, 422},
    {"activations/relu", "\"inputs\":{\"x\":[1]},\"output\":[\"value\"]", 1,
     422},
    {"activations/relu", "\"inputs\":{\"x\":[1]},\"outputs\":[1]", 1, 422},
    {"activations/relu",
     "\"inputs\":{\"x\":[1]},\"parameters\":{\"channel_axis\":[1]}", 1, 422},
    {"activations/relu", "\"dtype\":\"float64\"", 0, 422},
};

/* Answers as operation_post does, with or without lifting; the status. */
static int answer(const char *name, const char *body, bool lift,
                  struct arena *mem, struct json_out *out, size_t *lifted)
{
    static struct api_error err;
    struct operation_source src = {.row = operation_find(name)};
    struct operation_times times = {0, 0, 0};
    struct lifted arrays = {.n = 0};
    int rc = 0;
    err.n = 0;
    json_out_init(out, mem, false);
    if (lift)
        rc = operation_body(body, strlen(body), mem, &arrays, &src, &err);
    else
        src.doc = json_read(body, strlen(body), mem, &err);
    *lifted = arrays.n;
    if (rc == 0 && src.doc &&
        operation_answer(&src, &parallel_serial, mem, out, &times, &err) == 0)
        return 200;
    error_write(out, &err, NULL, NULL);
    return problem_type(err.fault[0].kind)->status;
}

static void lifted_and_read_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[512];
        struct json_out a, b;
        struct arena mem;
        size_t n, none;
        arena_init(&mem, PLENTY);
        snprintf(body, sizeof(body), "{%s}", rows[i].members);
        int status = answer(rows[i].name, body, true, &mem, &a, &n);
        if (status != rows[i].status || n != rows[i].lifted)
            fail_msg("%s: %d, %zu lifted: %.*s", body, status, n, (int)a.len,
                     a.text);
        status = answer(rows[i].name, body, false, &mem, &b, &none);
        if (status != rows[i].status || a.len != b.len ||
            memcmp(a.text, b.text, a.len) != 0)
            fail_msg("%s: %.*s, but as a document %.*s", body, (int)a.len,
                     a.text, (int)b.len, b.text);
        arena_free(&mem);
    }
}

/* All rows as one request, in this order or the other. */
static void ask_batch(bool backwards, struct arena *mem,
                      struct api_response *res)
{
    static char body[COUNT(rows) * 512];
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = 1 << 20};
    char *to = stpcpy(body, "{\"requests\":[");
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t row = backwards ? COUNT(rows) - 1 - i : i;
        to += sprintf(to, "%s{\"operation\":\"%s\",%s}", i ? "," : "",
                      rows[row].name, rows[row].members);
    }
    to = stpcpy(to, "]}");
    struct api_request req = {.method = "POST",
                              .path = "/v1/batch",
                              .query = "",
                              .content_type = "application/json",
                              .body = body,
                              .body_len = (size_t)(to - body)};
    api_answer(&env, &req, mem, res);
}

/* The answer of a row by itself; faults say where in the batch they are. */
static void check_one(size_t row, const json_t *one)
{
    char body[512];
    struct json_out out;
    struct arena mem;
    size_t n;
    arena_init(&mem, PLENTY);
    snprintf(body, sizeof(body), "{%s}", rows[row].members);
    answer(rows[row].name, body, false, &mem, &out, &n);
    json_t *want = json_loadb(out.text, out.len, 0, NULL);
    const json_t *got = json_object_get(one, "body");
    assert_int_equal(json_integer_value(json_object_get(one, "status")),
                     rows[row].status);
    if (rows[row].status == 200
            ? !json_equal(want, got)
            : json_array_size(json_object_get(got, "errors")) !=
                  json_array_size(json_object_get(want, "errors")))
        fail_msg("%s: in a batch %s, alone %s", body,
                 json_dumps(got, JSON_COMPACT), json_dumps(want, JSON_COMPACT));
    json_decref(want);
    arena_free(&mem);
}

static void batches_answer_alike(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct api_response res;
        struct arena mem;
        arena_init(&mem, PLENTY);
        ask_batch(backwards, &mem, &res);
        assert_int_equal(res.status, 200);
        json_t *doc = json_loadb(res.body, res.body_len, 0, NULL);
        const json_t *list = json_object_get(doc, "responses");
        assert_int_equal(json_array_size(list), COUNT(rows));
        for (size_t i = 0; i < COUNT(rows); i++)
            check_one(backwards ? COUNT(rows) - 1 - i : i,
                      json_array_get(list, i));
        json_decref(doc);
        arena_free(&mem);
    }
}

/* As a document these numbers take more memory than is here. */
static void batches_of_many_numbers_fit(void **state)
{
    enum { REQUESTS = 256 };
    const size_t n = 1 << 20;
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = 1 << 24};
    struct api_request req = {.method = "POST",
                              .path = "/v1/batch",
                              .query = "",
                              .content_type = "application/json"};
    struct api_response res;
    struct arena mem;
    (void)state;
    char *body = malloc(3 * n), *to = body;
    assert_non_null(body);
    to = stpcpy(to, "{\"requests\":[");
    for (size_t i = 0; i < REQUESTS; i++) {
        to = stpcpy(to, i ? ",{" : "{");
        to = stpcpy(to, "\"operation\":\"activations/relu\",\"inputs\":{"
                        "\"x\":[0");
        for (size_t k = 1; k < n / REQUESTS; k++)
            to = stpcpy(to, ",0");
        to = stpcpy(to, "]}}");
    }
    to = stpcpy(to, "]}");
    req.body = body;
    req.body_len = (size_t)(to - body);
    arena_init(&mem, 40 * n);
    api_answer(&env, &req, &mem, &res);
    assert_int_equal(res.status, 200);
    assert_true(res.body_len > 4 * n);
    arena_free(&mem);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifted_and_read_alike),
        cmocka_unit_test(batches_answer_alike),
        cmocka_unit_test(batches_of_many_numbers_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
