/*
 * The Open Inference Protocol: what the server and its models are, the form of
 * its errors, and halves against ldexp.
 */
#include "api/half.h"
#include "tests/oip.h"

#include "api/oip.h"

#include <math.h>

static struct exchange get(const char *path, bool draining)
{
    struct exchange x = {.env = {.draining = draining},
                         .req = {.method = "GET", .path = path}};
    run(&x, PLENTY);
    return x;
}

#define NO_MODEL "no model \""
#define NO_PATH "no such path; GET /v1"
#define VERSION_2 "no version \"2\" of this model; it has \"1\""
#define MISH "/v2/models/activations.mish"

/* GET: status, and the body; of an error its text. */
static const struct {
    const char *path;
    int status;
    const char *body;
} gets[] = {
    {"/v2", 200,
     "{\"name\":\"evald\",\"version\":\"" EVALD_VERSION "\","
     "\"extensions\":[\"binary_tensor_data\"]}"},
    {"/v2/", 200,
     "{\"name\":\"evald\",\"version\":\"" EVALD_VERSION "\","
     "\"extensions\":[\"binary_tensor_data\"]}"},
    {"/v2/health/live", 200, "{\"live\":true}"},
    {"/v2/health/ready", 200, "{\"live\":true,\"ready\":true}"},
    {MISH "/ready", 200, "{\"name\":\"activations.mish\",\"ready\":true}"},
    {MISH "/versions/1/ready", 200,
     "{\"name\":\"activations.mish\",\"ready\":true}"},
    {"/v2/models/activations.silu/ready", 200,
     "{\"name\":\"activations.swish\",\"ready\":true}"},
    {"/v2/models/boxes.iou", 200,
     "{\"name\":\"boxes.iou\",\"versions\":[\"1\"],\"platform\":\"evald\","
     "\"inputs\":["
     "{\"name\":\"boxes_a\",\"datatype\":\"FP32\",\"shape\":[-1,4]},"
     "{\"name\":\"boxes_b\",\"datatype\":\"FP32\",\"shape\":[-1,4]},"
     "{\"name\":\"crowd_b\",\"datatype\":\"BOOL\",\"shape\":[-1]}],"
     "\"outputs\":["
     "{\"name\":\"value\",\"datatype\":\"FP32\",\"shape\":[-1]},"
     "{\"name\":\"indices\",\"datatype\":\"INT64\",\"shape\":[-1]},"
     "{\"name\":\"grad\",\"datatype\":\"FP32\",\"shape\":[-1,4]}],"
     "\"properties\":{\"description\":\"/v1/operations/boxes/iou\","
     "\"optional_inputs\":\"crowd_b\"}}"},
    {"/v2/x", 404, NO_PATH},
    {"/v2/health", 404, NO_PATH},
    {"/v2/models", 404, NO_PATH},
    {"/v2/models/", 404, NO_PATH},
    {MISH "/", 404, NO_PATH},
    {MISH "/config", 404, NO_PATH},
    {MISH "/versions", 404, NO_PATH},
    {MISH "/versions/1/x", 404, NO_PATH},
    {MISH "/versions/2", 404, VERSION_2},
    {MISH "/versions/2/ready", 404, VERSION_2},
    {MISH "/versions/11", 404, "no version \"11\""},
    {MISH "/versions/", 404, "no version \"\""},
    {"/v2/models/activations.mich", 404,
     NO_MODEL "activations.mich\"; did you mean \"activations.mish\"?"},
    {"/v2/models/mish/ready", 404,
     NO_MODEL "mish\"; did you mean \"activations.mish\"?"},
    {"/v2/models/activations/mish", 404, NO_MODEL "activations\""},
    {"/v2/models/.", 404, NO_MODEL ".\"; models are"},
};

static void paths_have_their_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(gets); i++) {
        struct exchange x = get(gets[i].path, false);
        if (x.res.status != gets[i].status)
            fail_msg("%s: %d", gets[i].path, x.res.status);
        assert_string_equal(x.res.content_type, JSON);
        if (x.res.status == 200)
            check_text(&x, gets[i].body);
        else
            check_error(&x, gets[i].body);
        arena_free(&x.mem);
    }
}

static void draining_is_not_ready(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/v2", 200},
                {"/v2/health/live", 200},
                {"/v2/health/ready", 503},
                {MISH, 200},
                {MISH "/ready", 503}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x = get(rows[i].path, true);
        assert_int_equal(x.res.status, rows[i].status);
        assert_int_equal(x.res.retry_after_s > 0, x.res.status == 503);
        if (x.res.status == 503)
            check_error(&x, "shutting down");
        arena_free(&x.mem);
    }
}

static const json_t *find(const json_t *list, size_t i, const char *name)
{
    const json_t *v = json_array_get(list, i);
    const char *got = json_string_value(json_object_get(v, "name"));
    if (!got || strcmp(got, name) != 0)
        fail_msg("%s is not where it belongs", name);
    return v;
}

static void check_ports(const json_t *list, const struct op_port *port,
                        size_t n)
{
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = find(list, i, port[i].name);
        const json_t *shape = json_object_get(v, "shape");
        size_t rank = *port[i].shape != '\0';
        for (const char *s = port[i].shape; *s; s++)
            rank += *s == ',';
        if (*port[i].shape == '?')
            rank = 1;
        assert_int_equal(json_array_size(shape), rank);
        assert_string_equal(json_string_value(json_object_get(v, "datatype")),
                            port[i].kind == OP_INDEX  ? "INT64"
                            : port[i].kind == OP_FLAG ? "BOOL"
                                                      : "FP32");
    }
}

static void every_row_is_a_model(void **state)
{
    const struct op *op;
    (void)state;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char path[160];
        snprintf(path, sizeof(path), "/v2/models/%s.%s/versions/1", op->group,
                 op->name);
        struct exchange x = get(path, false);
        json_t *v = json_loadb(x.res.body, x.res.body_len, 0, NULL);
        check_ports(json_object_get(v, "inputs"), op->in, op_inputs(op));
        check_ports(json_object_get(v, "outputs"), op->out, op_outputs(op));
        /* answers have no BOOL as long as this holds */
        for (size_t k = 0; k < op_outputs(op); k++)
            assert_true(op->out[k].kind != OP_FLAG);
        json_decref(v);
        arena_free(&x.mem);
    }
}

static void errors_have_one_form(void **state)
{
    static const struct {
        struct api_request req;
        int status;
        const char *says;
    } rows[] = {
        {{.method = "POST", .path = "/v2"}, 405, "POST is not a method"},
        {{.method = "PUT", .path = MISH}, 405, "PUT is not a method"},
        {{.method = "GET", .path = MISH "/infer"}, 405, "GET is not a method"},
        {{.method = "GET", .path = "/v2", .accept = "text/html"},
         406,
         "Accept is \"text/html\""},
        {{.method = "POST", .path = MISH "/infer", .content_type = "text/csv"},
         415,
         "Content-Type is \"text/csv\"; send application/json or "
         "application/octet-stream"},
        {{.method = "POST",
          .path = MISH "/infer",
          .length_known = true,
          .content_length = BODY_BYTES_MAX + 1},
         413,
         "the limit is 100000 bytes"},
        {{.method = "POST", .path = "/v2/models/a.b/infer"}, 404, NO_MODEL},
        {{.method = "DELETE", .path = "/v2/models/a.b"}, 404, NO_MODEL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x = {.req = rows[i].req};
        run(&x, PLENTY);
        if (x.res.status != rows[i].status)
            fail_msg("%zu: %d", i, x.res.status);
        check_error(&x, rows[i].says);
        assert_true(!x.res.allow == (x.res.status != 405));
        assert_true(x.res.accept_post || x.res.status != 415);
        arena_free(&x.mem);
    }
}

static void the_server_answers_in_that_form_too(void **state)
{
    static const struct {
        const char *path;
        bool ours;
    } rows[] = {{"/v2", true},     {"/v2/", true}, {MISH "/infer", true},
                {"/v1/x", false},  {"/", false},   {"/v22", false},
                {"/v2x/a", false}, {"", false},    {"/V2", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x = {.req = {.method = "POST", .path = rows[i].path}};
        run(&x, PLENTY);
        for (int large = 0; large < 2; large++) {
            struct api_refusal why = {.kind = large ? PROBLEM_BODY_TOO_LARGE
                                                    : PROBLEM_OVERLOADED,
                                      .detail = "said why"};
            api_refuse(&x.req, &why, &x.mem, &x.res);
            assert_int_equal(x.res.status, large ? 413 : 503);
            if (rows[i].ours)
                check_error(&x, "said why");
            else
                assert_string_equal(x.res.content_type,
                                    "application/problem+json");
        }
        arena_free(&x.mem);
    }
}

/* By the definition of binary16, with ldexp. */
static void halves_are_exact(void **state)
{
    (void)state;
    for (uint32_t h = 0; h <= 0xffff; h++) {
        int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
        double x = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(1024 + fraction, exponent - 25);
        float want = (float)(h >> 15 ? -x : x),
              got = half_to_float((uint16_t)h);
        uint32_t a, b;
        memcpy(&a, &want, sizeof(a));
        memcpy(&b, &got, sizeof(b));
        if (isnan(want)) /* the fraction is kept, at the top */
            a = (h >> 15) << 31 | 0x7f800000U | (uint32_t)fraction << 13;
        if (a != b)
            fail_msg("%04x: %08x, not %08x", h, b, a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_have_their_answers),
        cmocka_unit_test(draining_is_not_ready),
        cmocka_unit_test(every_row_is_a_model),
        cmocka_unit_test(errors_have_one_form),
        cmocka_unit_test(the_server_answers_in_that_form_too),
        cmocka_unit_test(halves_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
