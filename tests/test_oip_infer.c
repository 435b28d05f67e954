/*
 * The Open Inference Protocol: what is answered to requests that are right,
 * byte by byte, and with any memory.
 */
#include "tests/oip.h"

#define VALUE_BYTES "{\"name\":\"value\",\"parameters\":{\"binary_data\":true}}"
#define ANSWER(model, rest) \
    "{\"model_name\":\"" model "\",\"model_version\":\"1\"," rest "}"
#define RESULT(name, type, shape, rest)                                 \
    "{\"name\":\"" name "\",\"datatype\":\"" type "\",\"shape\":" shape \
    "," rest "}"
#define RELU(rest) ANSWER("activations.relu", "\"outputs\":[" rest "]")
#define V(type, shape, rest) RESULT("value", type, shape, rest)
#define TWO "[1.0,0.0]"
#define BINARY4 "\"parameters\":{\"binary_data_size\":4}"
#define HINTS                                            \
    "\"priority\":3,\"timeout\":1000,\"sequence_id\":7," \
    "\"sequence_start\":true,\"sequence_end\":false"

static const struct {
    struct inference in;
    const char *answer; /* its JSON */
    const char *bytes;  /* behind it */
    size_t n_bytes;
} rows[] = {
/* what is answered */
#define OK(json, answer) \
    {"activations.relu", BODY("{" json "}"), NULL}, answer, "", 0
    {OK(X("[2]", "FP32", DATA("[1,-1]")), RELU(V("FP32", "[2]", DATA(TWO))))},
    {OK(X("[2]", "FP64", DATA("[1,-1]")), RELU(V("FP64", "[2]", DATA(TWO))))},
    {OK(X("[2]", "INT32", DATA("[1,-1]")), RELU(V("FP64", "[2]", DATA(TWO))))},
    {OK(X("[2]", "INT64", DATA("[1,-1.0]")),
        RELU(V("FP64", "[2]", DATA(TWO))))},
    {OK(X("[1,2]", "FP32", DATA("[1,-1]")),
        RELU(V("FP32", "[1,2]", DATA(TWO))))},
    {OK(X("[1,2]", "FP32", DATA("[[1,-1]]")),
        RELU(V("FP32", "[1,2]", DATA(TWO))))},
    {OK(X("[]", "FP32", DATA("[3]")), RELU(V("FP32", "[]", DATA("[3.0]"))))},
    {OK(X("[0]", "FP32", DATA("[]")), RELU(V("FP32", "[0]", DATA("[]"))))},
    {OK(X("[2,0]", "FP32", DATA("[[],[]]")),
        RELU(V("FP32", "[2,0]", DATA("[]"))))},
    {OK(X("[1]", "FP32", DATA("[0.1]")),
        RELU(V("FP32", "[1]", DATA("[0.1]"))))},
    {OK(X("[1]", "FP64", DATA("[16777217]")),
        RELU(V("FP64", "[1]", DATA("[16777217.0]"))))},
    {OK(X("[1]", "INT32", DATA("[2147483647]")),
        RELU(V("FP64", "[1]", DATA("[2147483647.0]"))))},
    {OK(X("[1]", "FP32", DATA("[16777217]")),
        RELU(V("FP32", "[1]", DATA("[16777216.0]"))))},
    {OK(X("[2]", "FP32", DATA("[\"NaN\",\"Infinity\"]")),
        RELU(
            V("FP32", "[2]",
              DATA("[null,null]") ",\"parameters\":{\"nonfinite_count\":2}")))},
    {OK(X("[1]", "FP32", DATA("[\"NaN\"]")) PARAMS("\"nonfinite\":\"string\""),
        RELU(V("FP32", "[1]",
               DATA("[\"NaN\"]") ",\"parameters\":{\"nonfinite_count\":1}")))},
    {OK(X1 ",\"id\":\"a\\\"b\"",
        ANSWER("activations.relu", "\"id\":\"a\\\"b\",\"outputs\":[" V(
                                       "FP32", "[1]", DATA("[1.0]")) "]"))},
    {OK(X1 ",\"id\":\"\"",
        ANSWER("activations.relu", "\"id\":\"\",\"outputs\":[" V(
                                       "FP32", "[1]", DATA("[1.0]")) "]"))},
    {OK(X1 PARAMS(HINTS), RELU(V("FP32", "[1]", DATA("[1.0]"))))},
    {OK(X1 OUT(""), RELU(V("FP32", "[1]", DATA("[1.0]"))))},
    {OK(X1 ",\"model_name\":\"activations.relu\",\"model_version\":\"1\"",
        RELU(V("FP32", "[1]", DATA("[1.0]"))))},
    {OK(X1 OUT("{\"name\":\"grad\"},{\"name\":\"value\"}"),
        RELU(V("FP32", "[1]", DATA("[1.0]")) "," RESULT("grad", "FP32", "[1]",
                                                        DATA("[1.0]"))))},
    {{"activations.leaky_relu",
      BODY("{" X("[1]", "FP32", DATA("[-2]"))
               PARAMS("\"negative_slope\":0.5") "}"),
      NULL},
     ANSWER("activations.leaky_relu",
            "\"outputs\":[" V("FP32", "[1]", DATA("[-1.0]")) "]"),
     "",
     0},
    {{"activations.silu/versions/1",
      BODY("{" X("[1]", "FP32", DATA("[0]")) "}"), NULL},
     ANSWER("activations.swish",
            "\"outputs\":[" V("FP32", "[1]", DATA("[0.0]")) "]"),
     "",
     0},
    {{"losses.mse",
      BODY("{" INPUTS(IN("input", "[2]", "FP32", DATA("[1,2]")) "," IN(
          "target", "[2]", "FP64", DATA("[0,0]"))) "}"),
      NULL},
     ANSWER("losses.mse", "\"outputs\":[" V("FP64", "[]", DATA("[2.5]")) "]"),
     "",
     0},
    {{"boxes.nms",
      BODY("{" INPUTS(
          IN("boxes", "[2,4]", "FP32", DATA("[0,0,2,2,5,5,6,6]")) "," IN(
              "scores", "[2]", "FP32", DATA("[0.5,0.75]"))) "}"),
      NULL},
     ANSWER("boxes.nms", "\"outputs\":[" RESULT(
                             "indices", "INT64", "[2]",
                             DATA("[1,0]")) "," RESULT("scores", "FP32", "[2]",
                                                       DATA("[0.75,0.5]")) "]"),
     "",
     0},
    {{"boxes.iou",
      BODY("{" INPUTS(
          IN("boxes_a", "[1,4]", "FP32", DATA("[[0,0,2,1]]")) "," GROUND "," IN(
              "crowd_b", "[1]", "BOOL", DATA("[true]"))) "}"),
      NULL},
     ANSWER("boxes.iou", "\"outputs\":[" V("FP32", "[1,1]", DATA("[1.0]")) "]"),
     "",
     0},
    {{"boxes.iou",
      BODY("{" INPUTS(
          IN("boxes_a", "[1,4]", "FP32", DATA("[[0,0,2,1]]")) "," GROUND "," IN(
              "crowd_b", "[1]", "INT32", DATA("[0]"))) "}"),
      NULL},
     ANSWER("boxes.iou", "\"outputs\":[" V("FP32", "[1,1]", DATA("[0.5]")) "]"),
     "",
     0},
/* bytes in, out and both; 1.0 is 0x3f800000, 0x3c00 as a half */
#define RUN(json, bytes)                                    \
    {                                                       \
        "activations.relu", WITH("{" json "}", bytes), NULL \
    }
    {RUN(X("[2]", "FP32", SIZE("8")), "\0\0\x80\x3f\0\0\x80\xbf"),
     RELU(V("FP32", "[2]", DATA(TWO))), "", 0},
    {RUN(X("[2]", "FP16", SIZE("4")), "\0\x3c\0\xbc"),
     RELU(V("FP32", "[2]", DATA(TWO))), "", 0},
    {RUN(X("[2]", "FP64", SIZE("16")),
         "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\xbf"),
     RELU(V("FP64", "[2]", DATA(TWO))), "", 0},
    {RUN(X("[2]", "INT32", SIZE("8")), "\1\0\0\0\xff\xff\xff\xff"),
     RELU(V("FP64", "[2]", DATA(TWO))), "", 0},
    {RUN(X("[1]", "INT64", SIZE("8")), "\1\0\0\0\1\0\0\0"),
     RELU(V("FP64", "[1]", DATA("[4294967297.0]"))), "", 0},
    {RUN(X("[0]", "FP32", SIZE("0")) OUT(VALUE_BYTES), ""),
     RELU(V("FP32", "[0]", SIZE("0"))), "", 0},
    {RUN(X("[1]", "FP32", SIZE("4")) OUT(VALUE_BYTES), "\0\0\x80\x3f"),
     RELU(V("FP32", "[1]", BINARY4)), "\0\0\x80\x3f", 4},
    {RUN(X("[1]", "FP32", SIZE("4")) PARAMS("\"binary_data_output\":true"),
         "\0\0\x80\x7f"),
     RELU(V("FP32", "[1]", BINARY4)), "\0\0\x80\x7f", 4},
    {RUN(X1 PARAMS("\"binary_data_output\":true"), ""),
     RELU(V("FP32", "[1]", BINARY4)), "\0\0\x80\x3f", 4},
    {RUN(X1 PARAMS("\"binary_data_output\":true")
             OUT("{\"name\":\"value\",\"parameters\":{\"binary_data\":false}},"
                 "{\"name\":\"grad\"}"),
         ""),
     RELU(V("FP32", "[1]", DATA("[1.0]")) "," RESULT("grad", "FP32", "[1]",
                                                     BINARY4)),
     "\0\0\x80\x3f", 4},
    {RUN(X("[1]", "FP64", DATA("[1]")) OUT(VALUE_BYTES), ""),
     RELU(V("FP64", "[1]", SIZE("8"))), "\0\0\0\0\0\0\xf0\x3f", 8},
    {{"activations.relu", WITH("", "\0\0\x80\x3f\0\0\x80\xbf"), "0"},
     RELU(V("FP32", "[2]", SIZE("8"))),
     "\0\0\x80\x3f\0\0\0\0",
     8},
    {{"activations.relu", WITH("", ""), "0"},
     RELU(V("FP32", "[0]", SIZE("0"))),
     "",
     0},
    {{"losses.mse",
      WITH("{" INPUTS(IN("target", "[1]", "FP32",
                         SIZE("4")) "," IN("input", "[1]", "FP32", SIZE("4")))
               OUT("{\"name\":\"grad\"}") "}",
           "\0\0\x80\x3f\0\0\0\0"),
      NULL},
     ANSWER("losses.mse",
            "\"outputs\":[" RESULT("grad", "FP32", "[1]", DATA("[-2.0]")) "]"),
     "",
     0},
    {{"boxes.iou",
      WITH("{" INPUTS(IN("boxes_a", "[1,4]", "FP32",
                         DATA("[[0,0,2,1]]")) "," GROUND
                                              "," IN("crowd_b", "[1]", "BOOL",
                                                     SIZE("1"))) "}",
           "\1"),
      NULL},
     ANSWER("boxes.iou", "\"outputs\":[" V("FP32", "[1,1]", DATA("[1.0]")) "]"),
     "",
     0},
    {{"boxes.nms",
      BODY("{" INPUTS(IN("boxes", "[1,4]", "FP32", DATA("[0,0,2,2]")) "," IN(
          "scores", "[1]", "FP32", DATA("[0.5]")) "," IN("labels", "[1]",
                                                         "INT32", DATA("[3]")))
               OUT("{\"name\":\"indices\",\"parameters\":{"
                   "\"binary_data\":true}}") "}"),
      NULL},
     ANSWER("boxes.nms",
            "\"outputs\":[" RESULT("indices", "INT64", "[1]", SIZE("8")) "]"),
     "\0\0\0\0\0\0\0\0",
     8},
};

static void check_answer(size_t i, struct exchange *x)
{
    const struct api_response *res = &x->res;
    size_t json = strlen(rows[i].answer), n = rows[i].n_bytes;
    char length[24];
    bool binary = strstr(rows[i].answer, "binary_data_size");
    snprintf(length, sizeof(length), "%zu", json);
    assert_string_equal(res->content_type, binary ? BYTES : JSON);
    assert_true(binary == (res->header_length != NULL));
    if (binary)
        assert_string_equal(res->header_length, length);
    if (res->body_len < json + n)
        fail_msg("%zu: %.*s", i, (int)res->body_len, res->body);
    assert_memory_equal(res->body + res->body_len - n, rows[i].bytes, n);
    x->res.body_len -= n;
    check_text(x, rows[i].answer);
}

static void requests_have_their_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x;
        infer(&rows[i].in, i % 8, PLENTY, &x);
        if (x.res.status != 200)
            fail_msg("%zu: %d: %s: %.*s", i, x.res.status, rows[i].in.json,
                     (int)x.res.body_len, x.res.body);
        check_answer(i, &x);
        arena_free(&x.mem);
    }
}

/* The same answer, or 413 in this protocol's form. */
static void any_budget_gives_an_answer_or_413(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t refusals = 0, answers = 0;
        for (size_t b = 0; b <= 1 << 19; b += b < 32768 ? 512 : 16384) {
            struct exchange x;
            infer(&rows[i].in, 0, b, &x);
            if (x.res.status == 413)
                check_error(&x, "");
            else
                check_answer(i, &x);
            refusals += x.res.status == 413;
            answers += x.res.status == 200;
            arena_free(&x.mem);
        }
        if (refusals == 0 || answers == 0)
            fail_msg("%zu: %zu refusals, %zu answers", i, refusals, answers);
    }
}

/* What a float32 is by its bits comes back, from any address. */
static void floats_pass_untouched(void **state)
{
    static const uint32_t bits[] = {0x00000001, 0x007fffff, 0x00800000,
                                    0x3f800001, 0x7f7fffff, 0x7f800000};
    static const char json[] = "{" X("[6]", "FP32", SIZE("24"))
        PARAMS("\"binary_data_output\":true") "}";
    struct inference in = {"activations.relu", json, (const char *)bits,
                           sizeof(bits), NULL};
    (void)state;
    for (size_t start = 0; start < 8; start++) {
        struct exchange x;
        infer(&in, start, PLENTY, &x);
        assert_int_equal(x.res.status, 200);
        assert_memory_equal(x.res.body + x.res.body_len - sizeof(bits), bits,
                            sizeof(bits));
        arena_free(&x.mem);
    }
}

/* The three ways to name the type of a body, of which one is to name none. */
static void any_type_of_body_is_read(void **state)
{
    static const struct {
        const char *type;
        int status;
    } types[] = {{NULL, 200},
                 {JSON, 200},
                 {JSON "; charset=utf-8", 200},
                 {BYTES, 200},
                 {"", 415},
                 {"text/plain", 415},
                 {JSON "; charset=latin1", 415}};
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct exchange x = {
            .req = {.method = "POST",
                    .path = "/v2/models/activations.relu/infer",
                    .content_type = types[i].type,
                    .body = "{" X1 "}"}};
        x.req.body_len = strlen(x.req.body);
        run(&x, PLENTY);
        assert_int_equal(x.res.status, types[i].status);
        arena_free(&x.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_their_answers),
        cmocka_unit_test(any_budget_gives_an_answer_or_413),
        cmocka_unit_test(floats_pass_untouched),
        cmocka_unit_test(any_type_of_body_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
