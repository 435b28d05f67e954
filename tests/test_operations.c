/*
 * Operations as clients meet them: requests and what is answered, faults and
 * where they point.
 */
#include "api/api.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 26, SCARCE = 1 << 18 };

/* One request; the document is new, the response's body is gone. */
static json_t *ask(const char *method, const char *path, const char *body,
                   size_t budget, int *status)
{
    struct arena mem;
    struct api_env env = {
        .par = &parallel_serial, .body_bytes_max = 1 << 20, .workers = 1};
    struct api_request req = {.method = method,
                              .path = path,
                              .query = "",
                              .content_type = "application/json",
                              .body = body,
                              .body_len = strlen(body)};
    struct api_response res;
    arena_init(&mem, budget);
    api_answer(&env, &req, &mem, &res);
    json_t *doc =
        json_loadb(res.body, res.body_len, JSON_REJECT_DUPLICATES, NULL);
    *status = res.status;
    assert_non_null(doc);
    arena_free(&mem);
    return doc;
}

/* Requests and their whole answer, as JSON says it. */
static const struct {
    const char *path, *body, *answer;
} answers[] = {
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[[-1,0.5],[2,-0.0]]}}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"value\":[[0,0.5],[2,0]]}}"},
    /* a number, and the outputs asked for in another order */
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":3},\"outputs\":[\"grad\",\"value\",\"grad\"]}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"value\":3,\"grad\":1}}"},
    /* the form of the first input is that of the answer */
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":{\"shape\":[2,1],\"data\":[4,-4]},"
     "\"grad_output\":[[2],[3]]},\"outputs\":[\"grad\"]}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"grad\":{\"shape\":[2,1],\"data\":"
     "[2,0]}}}"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[]}}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"value\":[]}}"},
    /* 0.1 is another number as a float; its shortest form is the same */
    {"/v1/activations/leaky_relu",
     "{\"inputs\":{\"x\":[0.1,-1]},\"dtype\":\"float32\",\"parameters\":"
     "{\"negative_slope\":0.2}}",
     "{\"operation\":\"activations/leaky_relu\",\"parameters\":"
     "{\"negative_slope\":0.2,\"channel_axis\":null},\"dtype\":\"float32\","
     "\"outputs\":{\"value\":[0.1,-0.2]}}"},
    /* an alias; the answer bears the right name */
    {"/v1/activations/hardswish", "{\"inputs\":{\"x\":[3]}}",
     "{\"operation\":\"activations/hard_swish\",\"parameters\":"
     "{\"channel_axis\":null},\"dtype\":\"float64\",\"outputs\":{\"value\":[3]"
     "}}"},
    /* what is not finite: null and a count, or strings */
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":[\"NaN\",\"Infinity\",\"-Infinity\",1]}}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"value\":[null,null,0,1]},"
     "\"nonfinite_count\":2}"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":[\"NaN\",\"Infinity\"]},\"nonfinite\":\"string\"}",
     "{\"operation\":\"activations/relu\",\"parameters\":{\"channel_axis\":null"
     "},\"dtype\":\"float64\",\"outputs\":{\"value\":[\"NaN\",\"Infinity\"]},"
     "\"nonfinite_count\":2}"},
    /* what belongs together comes together, also unasked */
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,2,2]],\"boxes_b\":[[0,0,4,4],[0,0,2,2]]},"
     "\"parameters\":{\"top_k\":1}}",
     "{\"operation\":\"boxes/"
     "iou\",\"parameters\":{\"format\":\"xyxy\",\"mode\":"
     "\"matrix\",\"eps\":0,\"top_k\":1},\"dtype\":\"float64\",\"outputs\":"
     "{\"value\":[[1]],\"indices\":[[1]]}}"},
    {"/v1/boxes/assign",
     "{\"inputs\":{\"anchors\":[[0,0,2,2],[9,9,10,10]],\"boxes\":[[0,0,2,2]]}}",
     "{\"operation\":\"boxes/assign\",\"parameters\":{\"format\":\"xyxy\","
     "\"positive_iou\":0.7,\"negative_iou\":0.3,\"force_match\":true},"
     "\"dtype\":\"float64\",\"outputs\":{\"labels\":[1,0],\"matched\":[0,-1],"
     "\"value\":[1,0]}}"},
    {"/v1/losses/mse", "{\"inputs\":{\"input\":[1,2],\"target\":[0,0]}}",
     "{\"operation\":\"losses/mse\",\"parameters\":{\"reduction\":\"mean\","
     "\"avg_factor\":null},\"dtype\":\"float64\",\"outputs\":{\"value\":2.5}}"},
};

/* Equal as JSON documents, numbers by value and sign. */
static bool equal(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *member;
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        for (size_t i = 0; i < json_array_size(a); i++)
            if (i >= json_array_size(b) ||
                !equal(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return json_array_size(a) == json_array_size(b);
    }
    if (!json_is_object(a))
        return json_equal(a, b);
    json_object_foreach((json_t *)(uintptr_t)a, key, member)
    {
        const json_t *other = json_object_get(b, key);
        if (!other || !equal(member, other))
            return false;
    }
    return json_object_size(a) == json_object_size(b);
}

static void requests_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        int status;
        json_t *got =
            ask("POST", answers[i].path, answers[i].body, PLENTY, &status);
        json_t *want = json_loads(answers[i].answer, 0, NULL);
        char *text = json_dumps(got, JSON_COMPACT);
        assert_non_null(want);
        if (status != 200 || !equal(got, want))
            fail_msg("%s: %s, not %s", answers[i].body, text,
                     answers[i].answer);
        free(text);
        json_decref(got);
        json_decref(want);
    }
}

/* Faults: the request, what is answered, and where the first one points. */
static const struct {
    const char *path, *body;
    int status;
    const char *pointer, *code, *detail; /* detail: a part of it */
} faults[] = {
    {"/v1/activations/rleu", "{}", 404, NULL, NULL,
     "did you mean \"activations/relu\"?"},
    {"/v1/activations/relu", "{}", 422, "/inputs", "missing_member",
     "inputs is missing"},
    {"/v1/activations/relu", "{\"inputs\":{}}", 422, "/inputs/x",
     "missing_member", "inputs.x is missing"},
    {"/v1/activations/relu", "{\"inputs\":{\"y\":1,\"x\":1}}", 422, "/inputs/y",
     "unknown_member", "did you mean \"x\"?"},
    {"/v1/activations/leaky_relu",
     "{\"inputs\":{\"x\":1},\"parameters\":{\"negative_slop\":1}}", 422,
     "/parameters/negative_slop", "unknown_member",
     "did you mean \"negative_slope\"?"},
    {"/v1/activations/leaky_relu",
     "{\"inputs\":{\"x\":1},\"parameters\":{\"negative_slope\":\"1\"}}", 422,
     "/parameters/negative_slope", "invalid_value", "must be a number"},
    {"/v1/activations/leaky_relu",
     "{\"inputs\":{\"x\":1},\"parameters\":{\"negative_slope\":1e300}}", 422,
     "/parameters/negative_slope", "invalid_value", "must be from"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":1},\"aplha\":2}", 422,
     "/aplha", "unknown_member", "known are inputs"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":1},\"outputs\":[\"valeu\"]}",
     422, "/outputs/0", "unknown_member", "did you mean \"value\"?"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":1},\"dtype\":\"float16\"}",
     422, "/dtype", "unknown_member", "float"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[[1,2],[3]]}}", 422,
     "/inputs/x/1", "ragged_tensor", "has 1 elements"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[1,[3]]}}", 422, "/inputs/x/1",
     "ragged_tensor", "is an array, where the first element is a number"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[[1],2]}}", 422, "/inputs/x/1",
     "ragged_tensor", "must be an array"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[1,\"2\"]}}", 422,
     "/inputs/x/1", "invalid_value", "is a string, must be a number"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[1,null]}}", 422,
     "/inputs/x/1", "invalid_value", "is null, must be a number"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[[[[[[[[[1]]]]]]]]]}}", 422,
     "/inputs/x", "shape_mismatch", "more than 8 dimensions"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":{\"shape\":[2,2],\"data\":[1,2,3]}}}", 422,
     "/inputs/x/data", "shape_mismatch", "has 3 elements, its shape has 4"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":{\"shape\":[4294967296,4294967296,2],\"data\":[]}}}",
     422, "/inputs/x/shape", "shape_mismatch", "more elements than"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":{\"shape\":[-1],\"data\":[]}}}", 422,
     "/inputs/x/shape/0", "shape_mismatch", "must be 0 or more"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":[1,2],\"grad_output\":[1]},\"outputs\":[\"grad\"]}",
     422, "/inputs/grad_output", "shape_mismatch", "\"x\" has (2,)"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":[1,[]]},\"nonfinite\":\"drop\"}", 422, "/nonfinite",
     "unknown_member", "null, string, error"},
    {"/v1/activations/relu",
     "{\"inputs\":{\"x\":[[1],[\"Infinity\"]]},\"nonfinite\":\"error\"}", 422,
     "/nonfinite", "non_finite_number", "value[1][0] is inf"},
    {"/v1/losses/mse", "{\"inputs\":{\"input\":[1,2],\"target\":[1]}}", 422,
     "/inputs/target", "shape_mismatch", "\"input\" has (2,)"},
    {"/v1/losses/mse",
     "{\"inputs\":{\"input\":[1],\"target\":[1]},\"parameters\":"
     "{\"reduction\":\"avg\"}}",
     422, "/parameters/reduction", "unknown_member", "none, mean, sum"},
    {"/v1/losses/bce",
     "{\"inputs\":{\"input\":[[0.5,1.5]],\"target\":[[0,1]]}}", 422,
     "/inputs/input/0/1", "invalid_value", "must be from 0 to 1"},
    {"/v1/losses/cross_entropy",
     "{\"inputs\":{\"input\":[[1,2],[3,4]],\"target\":[1,2]}}", 422,
     "/inputs/target/1", "invalid_value", "target[1] is 2"},
    {"/v1/losses/cross_entropy",
     "{\"inputs\":{\"input\":[[1,2],[3,4]],\"target\":[1,0.5]}}", 422,
     "/inputs/target/1", "invalid_value", "must be an integer"},
    {"/v1/losses/cross_entropy",
     "{\"inputs\":{\"input\":[[1,2],[3,4]],\"target\":[1]}}", 422,
     "/inputs/target", "shape_mismatch", "has 1 in dimension 0, \"input\""},
    {"/v1/losses/cross_entropy", "{\"inputs\":{\"input\":[1],\"target\":[0]}}",
     422, "/inputs/input", "shape_mismatch", "must have 2 dimensions"},
    {"/v1/boxes/giou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1,1],[1,1,2,2],[0,0,3,3],[10,4,2,9]],"
     "\"boxes_b\":[[0,0,1,1]]}}",
     422, "/inputs/boxes_a/3/2", "x2_lt_x1",
     "boxes_a[3] is [10, 4, 2, 9]: x2 (2) < x1 (10). Is it xywh? Set "
     "\"format\": \"xywh\""},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":{\"shape\":[1,4],\"data\":[0,5,1,4]},"
     "\"boxes_b\":[[0,0,1,1]]}}",
     422, "/inputs/boxes_a/data/3", "y2_lt_y1", "boxes_a[0] is"},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1,-1]],\"boxes_b\":[[0,0,1,1]]},"
     "\"parameters\":{\"format\":\"xywh\"}}",
     422, "/inputs/boxes_a/0/3", "negative_height", "its height is negative"},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1,\"NaN\"]],\"boxes_b\":[[0,0,1,1]]}}",
     422, "/inputs/boxes_a/0/3", "non_finite", "must be finite"},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1]],\"boxes_b\":[[0,0,1,1]]}}", 422,
     "/inputs/boxes_a", "shape_mismatch", "must have 4"},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1,1]],\"boxes_b\":[[0,0,1,1],[0,0,1,1]]},"
     "\"parameters\":{\"mode\":\"pairs\"}}",
     422, NULL, NULL, ""},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1,1]],\"boxes_b\":[[0,0,1,1]],\"crowd_b\":"
     "[2]}}",
     422, "/inputs/crowd_b/0", "invalid_value", "must be 0 or 1"},
    {"/v1/boxes/nms",
     "{\"inputs\":{\"boxes\":[[0,0,1,1]],\"scores\":[0.5]},\"parameters\":"
     "{\"iou_threshold\":1.5}}",
     422, "/parameters/iou_threshold", "invalid_value", "must be from 0 to 1"},
    {"/v1/activations/relu", "{\"x\":[1]}", 422, "/x", "unknown_member",
     "known are inputs"},
    {"/v1/activations/relu", "{\"parameters\":{},\"outputs\":[\"value\"]}", 422,
     "/inputs", "missing_member", "inputs is missing"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[1]}}x", 400, NULL, NULL,
     "line 1, column"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[1]},}", 400, NULL, NULL,
     "line 1, column"},
    {"/v1/activations/relu", "{\"inputs\":{\"x\":[[[[[[[[true]]]]]]]]}}", 422,
     "/inputs/x/0/0/0/0/0/0/0/0", "invalid_value", "is a boolean"},
    {"/v1/losses/mse", "{\"inputs\":{\"input\":[1,2]}}", 422, "/inputs/target",
     "missing_member", "inputs.target is missing: "},
    {"/v1/activations/softmax",
     "{\"inputs\":{\"x\":[1,2]},\"outputs\":[\"grad\"]}", 422,
     "/inputs/grad_output", "missing", "grad_output"},
    {"/v1/boxes/iou",
     "{\"inputs\":{\"boxes_a\":[[0,0,1e300,1]],\"boxes_b\":[]},\"dtype\":"
     "\"float32\"}",
     422, "/inputs/boxes_a/0/2", "non_finite", "is inf as float32"},
    {"/v1/mish", "{}", 404, NULL, NULL, "did you mean \"activations/mish\"?"},
    {"/v1/batch", "{\"requests\":1}", 422, "/requests", "invalid_value",
     "must be an array"},
    {"/v1/batch", "{}", 422, "/requests", "missing_member", "is missing"},
    {"/v1/batch", "{\"requests\":[],\"more\":1}", 422, "/more",
     "unknown_member", "known are requests"},
};

static const char *member(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

static void faults_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        int status;
        json_t *got =
            ask("POST", faults[i].path, faults[i].body, PLENTY, &status);
        const json_t *first = json_array_get(json_object_get(got, "errors"), 0);
        if (status != faults[i].status ||
            !strstr(member(got, "detail"), faults[i].detail))
            fail_msg("%s: %d %s", faults[i].body, status,
                     member(got, "detail"));
        if (faults[i].pointer &&
            (strcmp(member(first, "pointer"), faults[i].pointer) != 0 ||
             strcmp(member(first, "code"), faults[i].code) != 0))
            fail_msg("%s: %s at %s", faults[i].body, member(first, "code"),
                     member(first, "pointer"));
        json_decref(got);
    }
}

/* Up to twenty of them, each with its own place. */
static void all_faults_are_told(void **state)
{
    (void)state;
    int status;
    json_t *got =
        ask("POST", "/v1/boxes/iou",
            "{\"inputs\":{\"boxes_a\":[[1,0,0,1],[0,0,1,1],[0,1,1,0]],"
            "\"boxes_b\":[[5,5,4,4]]}}",
            PLENTY, &status);
    const json_t *errors = json_object_get(got, "errors");
    static const char *const places[] = {
        "/inputs/boxes_a/0/2", "/inputs/boxes_a/2/3", "/inputs/boxes_b/0/2"};
    assert_int_equal(status, 422);
    for (size_t i = 0; i < COUNT(places); i++)
        assert_string_equal(member(json_array_get(errors, i), "pointer"),
                            places[i]);
    json_decref(got);
}

/* A hundred boxes by a hundred. */
static void results_beyond_the_budget_are_413(void **state)
{
    (void)state;
    enum { N = 100 };
    static char body[16 * N * 2 + 200];
    char *p = body;
    int status;
    p += sprintf(p, "{\"inputs\":{\"boxes_a\":[[0,0,1,1]");
    for (size_t i = 1; i < N; i++)
        p += sprintf(p, ",[0,0,1,1]");
    p += sprintf(p, "],\"boxes_b\":[[0,0,1,1]");
    for (size_t i = 1; i < N; i++)
        p += sprintf(p, ",[0,0,1,1]");
    sprintf(p, "]}}");
    json_t *got = ask("POST", "/v1/boxes/iou", body, SCARCE, &status);
    assert_int_equal(status, 413);
    assert_string_equal(member(got, "type"), "/problems/too-much-memory");
    json_decref(got);
    got = ask("POST", "/v1/boxes/iou", body, PLENTY, &status);
    assert_int_equal(status, 200);
    json_decref(got);
}

static void batches_answer_each_by_itself(void **state)
{
    (void)state;
    int status;
    json_t *got =
        ask("POST", "/v1/batch",
            "{\"requests\":[{\"operation\":\"activations/relu\",\"inputs\":"
            "{\"x\":[-1,2]}},{\"operation\":\"activations/rlu\",\"inputs\":{}},"
            "{\"operation\":\"losses/mse\",\"inputs\":{\"input\":[1]}},7,{},"
            "{\"operation\":\"losses/l1\",\"inputs\":{\"input\":[1],\"target\":"
            "[-2]}}]}",
            PLENTY, &status);
    const json_t *list = json_object_get(got, "responses");
    static const int want[] = {200, 404, 422, 422, 422, 200};
    assert_int_equal(status, 200);
    assert_int_equal(json_array_size(list), COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        const json_t *r = json_array_get(list, i);
        assert_int_equal(json_integer_value(json_object_get(r, "status")),
                         want[i]);
        const json_t *b = json_object_get(r, "body");
        assert_true(json_is_object(
                        json_object_get(b, want[i] == 200 ? "outputs" : "")) ||
                    *member(b, "type"));
    }
    const json_t *last = json_object_get(
        json_object_get(json_array_get(list, 5), "body"), "outputs");
    assert_true(json_number_value(json_object_get(last, "value")) == 3);
    const json_t *third = json_object_get(json_array_get(list, 2), "body");
    assert_string_equal(
        member(json_array_get(json_object_get(third, "errors"), 0), "pointer"),
        "/requests/2/inputs/target");
    json_decref(got);
}

static void operations_are_listed(void **state)
{
    (void)state;
    int status;
    json_t *all = ask("GET", "/v1/operations", "", PLENTY, &status);
    assert_int_equal(status, 200);
    const json_t *list = json_object_get(all, "operations");
    assert_true(json_array_size(list) > 40);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char path[128];
        const json_t *row = json_array_get(list, i);
        snprintf(path, sizeof(path), "/v1/operations/%s",
                 member(row, "operation"));
        json_t *one = ask("GET", path, "", PLENTY, &status);
        assert_int_equal(status, 200);
        assert_true(json_equal(one, row));
        json_decref(one);
    }
    json_decref(all);
    json_decref(ask("GET", "/v1/operations/losses/gious", "", PLENTY, &status));
    assert_int_equal(status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(all_faults_are_told),
        cmocka_unit_test(results_beyond_the_budget_are_413),
        cmocka_unit_test(batches_answer_each_by_itself),
        cmocka_unit_test(operations_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
