/* The Open Inference Protocol: what is said of each fault of a request. */
#include "tests/oip.h"

#define VALUE "{\"name\":\"value\"}"

static const struct {
    struct inference in;
    const char *says; /* how the error begins */
} rows[] = {
/* what is wrong, in the order of reading */
#define BAD(json, says) {"activations.relu", BODY(json), NULL}, says
#define WRONG(json, says) BAD("{" json "}", says)
    {BAD("", "it is empty")},
    {BAD("[", "line 1")},
    {BAD("{\"a\":1,\"a\":1}", "line 1")},
    {BAD("[]", "the document is an array")},
    {BAD("{}", "inputs is missing")},
    {WRONG("\"inputs\":{}", "inputs is an object")},
    {WRONG("\"input\":[]", "input is not a known member; did you mean "
                           "\"inputs\"?")},
    {WRONG(X1 ",\"id\":7", "id is a number, must be a string")},
    {WRONG(X1 ",\"model_name\":7", "model_name is a number")},
    {WRONG(X1 ",\"model_name\":\"activations.mish\"",
           "model_name is \"activations.mish\", the path is of "
           "\"activations.relu\"")},
    {WRONG(X1 ",\"model_version\":\"2\"", "model_version is \"2\", must be")},
    {WRONG(INPUTS(""), "x is missing in inputs: ")},
    {WRONG(INPUTS("1"), "inputs[0] is a number, must be an object")},
    {WRONG(INPUTS("{}"), "inputs[0].name is missing")},
    {WRONG(INPUTS("{\"nam\":\"x\"}"),
           "inputs[0].nam is not a known member; did you mean \"name\"?")},
    {WRONG(INPUTS(IN("z", "[1]", "FP32", DATA("[1]"))),
           "inputs[0].name is not a known choice (\"z\")")},
    {WRONG(INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"data\":[1]}"),
           "x.shape is missing")},
    {WRONG(X("3", "FP32", DATA("[1]")), "x.shape is a number")},
    {WRONG(X("[-1]", "FP32", DATA("[1]")),
           "x.shape[0] is -1, must be 0 or more")},
    {WRONG(X("[1.5]", "FP32", DATA("[1]")), "x.shape[0] is a number")},
    {WRONG(X("[1,1,1,1,1,1,1,1,1]", "FP32", DATA("[1]")),
           "x.shape has 9 dimensions, may have 8")},
    {WRONG(X("[4294967296,4294967296]", "FP32", DATA("[1]")),
           "x.shape has more elements than can be counted")},
    {WRONG(INPUTS("{\"name\":\"x\",\"shape\":[1],\"data\":[1]}"),
           "x.datatype is missing; this input takes FP16, FP32, FP64, INT32, "
           "INT64")},
    {WRONG(X("[1]", "UINT8", DATA("[1]")),
           "x.datatype is \"UINT8\"; this input takes FP16, FP32, FP64, INT32, "
           "INT64")},
    {WRONG(X("[1]", "fp32", DATA("[1]")), "x.datatype is \"fp32\"")},
    {WRONG(X("[1]", "BOOL", DATA("[true]")), "x.datatype is \"BOOL\"")},
    {WRONG(X("[1]", "BYTES", DATA("[\"a\"]")), "x.datatype is \"BYTES\"")},
    {WRONG(X("[1]", "FP16", DATA("[1]")),
           "x.datatype is FP16, which JSON has no numbers for")},
    {WRONG(INPUTS("{\"name\":\"x\",\"shape\":[1],\"datatype\":7}"),
           "x.datatype is a number; this input takes")},
    {WRONG(INPUTS("{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\"}"),
           "x.data is missing, and parameters.binary_data_size too")},
    {WRONG(X("[1]", "FP32", "\"parameters\":{}"), "x.data is missing")},
    {WRONG(X("[1]", "FP32", "\"parameters\":1"), "x.parameters is a number")},
    {WRONG(X("[1]", "FP32", "\"parameters\":{\"binary_data\":true}"),
           "x.parameters.binary_data is not a known member")},
    {WRONG(X("[1]", "FP32", "\"parameters\":{\"shared_memory_region\":\"a\"}"),
           "x.parameters.shared_memory_region is not offered")},
    {WRONG(X("[1]", "FP32", DATA("[1]") "," SIZE("4")),
           "x.data is there, and binary_data_size too")},
    {WRONG(
        X("[1]", "FP32", SIZE("4")),
        "x.parameters.binary_data_size is there, but not the header " LENGTH)},
    {WRONG(X("[1]", "FP32", SIZE("\"4\"")),
           "x.parameters.binary_data_size is a string")},
    {WRONG(X("[3]", "FP32", SIZE("4")),
           "x.parameters.binary_data_size is 4, must be 12: 3 elements of "
           "FP32")},
    {WRONG(X("[0]", "FP32", SIZE("-1")),
           "x.parameters.binary_data_size is -1, must be 0")},
    {WRONG(X("[4611686018427387904]", "FP64", SIZE("0")),
           "x.parameters.binary_data_size is 0, must be 18446744073709551615")},
    {WRONG(INPUTS(IN("x", "[1]", "FP32", DATA("[1]")) "," IN("x", "[1]", "FP32",
                                                             DATA("[1]"))),
           "inputs[1].name is \"x\" a second time")},
    {WRONG(X("[1]", "FP32", DATA("1")), "x.data is a number")},
    {WRONG(X("[3]", "FP32", DATA("[1,2]")),
           "x.data has 2 elements, its shape has 3")},
    {WRONG(X("[3]", "FP32", DATA("[[1,2]]")),
           "x.data has 2 elements, its shape has 3")},
    {WRONG(X("[2,1]", "FP32", DATA("[[1,2]]")),
           "x.data is nested, but not as its shape is")},
    {WRONG(X("[2,2]", "FP32", DATA("[[1,2],[1]]")), "x.data[1] has 1 element")},
    {WRONG(X("[2]", "FP32", DATA("[1,[2]]")), "x.data[1] is an array")},
    {WRONG(X("[1]", "FP32", DATA("[null]")), "x.data[0] is null")},
    {WRONG(X("[1]", "FP32", DATA("[true]")), "x.data[0] is a boolean")},
    {WRONG(X("[1]", "FP32", DATA("[\"nan\"]")), "x.data[0] is a string")},
    {WRONG(X("[1]", "FP64", DATA("[1e999]")), "the number that ends at line")},
    {WRONG(X("[1]", "INT32", DATA("[1.5]")), "x.data[0] is a number")},
    {WRONG(X("[1]", "INT64", DATA("[\"NaN\"]")), "x.data[0] is a string")},
    {WRONG(X("[2]", "INT32", DATA("[0,2147483648]")),
           "x.data[1] is 2147483648, which does not fit in INT32")},
    {WRONG(X("[1]", "INT32", DATA("[-2147483649]")), "x.data[0] is -21474")},
    {WRONG(X1 PARAMS("\"slope\":1"), "parameters.slope is not a known member")},
    {WRONG(X1 PARAMS("\"priorty\":1"),
           "parameters.priorty is not a known member; did you mean "
           "\"priority\"?")},
    {WRONG(X1 ",\"parameters\":[]", "parameters is an array")},
    {WRONG(X1 PARAMS("\"channel_axis\":9"), "parameters.channel_axis is 9")},
    {WRONG(X1 PARAMS("\"channel_axis\":3"), "channel_axis is 3")},
    {WRONG(X1 PARAMS("\"binary_data_output\":1"),
           "parameters.binary_data_output is a number, must be true or")},
    {WRONG(X1 PARAMS("\"nonfinite\":\"nul\""),
           "parameters.nonfinite is not a known choice (\"nul\"); did you mean "
           "\"null\"?")},
    {WRONG(X("[1]", "FP32", DATA("[\"NaN\"]"))
               PARAMS("\"nonfinite\":\"error\""),
           "the result value[0] is nan")},
    {WRONG(X1 ",\"outputs\":{}", "outputs is an object")},
    {WRONG(X1 OUT("\"value\""), "outputs[0] is a string, must be an object")},
    {WRONG(X1 OUT("{}"), "outputs[0].name is missing")},
    {WRONG(X1 OUT("{\"name\":\"valu\"}"),
           "outputs[0].name is not a known choice (\"valu\"); did you mean "
           "\"value\"?")},
    {WRONG(X1 OUT("{\"name\":\"stats\"}"),
           "outputs[0].name is \"stats\", which is no tensor: POST "
           "/v1/activations/relu answers it")},
    {WRONG(X1 OUT(VALUE "," VALUE),
           "outputs[1].name is \"value\" a second time")},
    {WRONG(X1 OUT("{\"name\":\"value\",\"parameters\":{\"binary\":true}}"),
           "outputs[0].parameters.binary is not a known member")},
    {WRONG(X1 OUT("{\"name\":\"value\",\"parameters\":{\"binary_data\":1}}"),
           "outputs[0].parameters.binary_data is a number")},
    {WRONG(X1 OUT("{\"name\":\"value\",\"parameters\":{\"classification\":1}}"),
           "outputs[0].parameters.classification is not offered")},
    {WRONG(X1 OUT("{\"name\":\"value\",\"datatype\":\"FP32\"}"),
           "outputs[0].datatype is not a known member")},
/* what the operation refuses */
#define REFUSED(model, list, says) \
    {model, BODY("{" INPUTS(list) "}"), NULL}, says
    {REFUSED("boxes.iou",
             IN("boxes_a", "[1,4]", "FP32", DATA("[2,0,1,1]")) "," GROUND,
             "boxes_a[0] is [2, 0, 1, 1]: x2 (1) < x1 (2)")},
    {REFUSED("boxes.iou",
             IN("boxes_a", "[4]", "FP32", DATA("[0,0,1,1]")) "," GROUND,
             "boxes_a has the shape (4,), must have 2 dimensions")},
    {REFUSED("losses.bce",
             IN("input", "[2]", "FP32",
                DATA("[0,2]")) "," IN("target", "[2]", "FP32", DATA("[0,1]")),
             "input[1] is 2, must be from 0 to 1")},
    {REFUSED("losses.cross_entropy",
             IN("input", "[1,2]", "FP32",
                DATA("[0,2]")) "," IN("target", "[1]", "FP32", DATA("[0]")),
             "target.datatype is \"FP32\"; this input takes INT32, INT64")},
    {REFUSED("boxes.iou",
             GROUND
             "," IN("boxes_a", "[1,4]", "FP32", DATA("[0,0,1,1]")) "," IN(
                 "crowd_b", "[1]", "FP32", DATA("[0]")),
             "crowd_b.datatype is \"FP32\"; this input takes INT32, INT64, "
             "BOOL")},
    {REFUSED("boxes.iou",
             GROUND
             "," IN("boxes_a", "[1,4]", "FP32", DATA("[0,0,1,1]")) "," IN(
                 "crowd_b", "[1]", "INT64", DATA("[2]")),
             "crowd_b[0] is 2, must be 0 or 1")},
    {{"boxes.iou",
      WITH("{" INPUTS(IN("boxes_a", "[1,4]", "FP32",
                         DATA("[[0,0,2,1]]")) "," GROUND
                                              "," IN("crowd_b", "[1]", "BOOL",
                                                     SIZE("1"))) "}",
           "\2"),
      NULL},
     "crowd_b[0] is 2, must be 0 or 1"},
/* where JSON and bytes meet */
#define MET(json, bytes, says) \
    {"activations.relu", WITH("{" json "}", bytes), NULL}, says
    {MET(X("[1]", "FP32", SIZE("4")), "abc",
         "x.parameters.binary_data_size is 4, the body has 3 bytes left")},
    {MET(X("[1]", "FP32", SIZE("4")), "abcde",
         "the body has 5 bytes behind its JSON, the inputs have 4")},
    {MET(X1, "a", "the body has 1 bytes behind its JSON, the inputs have 0")},
#define HEAD(length, json, says) {"activations.relu", BODY(json), length}, says
    {HEAD("", "{}", LENGTH " is \"\", must be a number of bytes")},
    {HEAD("-1", "{}", LENGTH " is \"-1\"")},
    {HEAD("+2", "{}", LENGTH " is \"+2\"")},
    {HEAD(" 2", "{}", LENGTH " is \" 2\"")},
    {HEAD("2 ", "{}", LENGTH " is \"2 \"")},
    {HEAD("0x2", "{}", LENGTH " is \"0x2\"")},
    {HEAD("2,2", "{}", LENGTH " is \"2,2\"")},
    {HEAD("18446744073709551618", "{}", LENGTH " is \"18446744073709551618\"")},
    {HEAD("3", "{}", LENGTH " is 3, the body has 2 bytes")},
    {HEAD("1", "{}", "line 1")},
    {HEAD("0", "abc", "the body has 3 bytes; without JSON it is FP32 of 4")},
    {{"losses.mse", BODY("abcd"), "0"},
     LENGTH " is 0, which is for models that need one input; this one needs 2"},
};

static void faults_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x;
        infer(&rows[i].in, i % 8, PLENTY, &x);
        if (x.res.status != 400)
            fail_msg("%zu: %d: %s: %.*s", i, x.res.status, rows[i].in.json,
                     (int)x.res.body_len, x.res.body);
        check_error(&x, rows[i].says);
        arena_free(&x.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
