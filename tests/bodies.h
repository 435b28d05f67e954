/* Bodies of requests, one for each way in that there is. */
#ifndef EVALD_TESTS_BODIES_H
#define EVALD_TESTS_BODIES_H

#include "api/json_out.h"
#include "api/npy.h"
#include "api/sample.h"
#include "core/ops.h"
#include "tests/outputs.h"

#include <string.h>

typedef void put_body(struct json_out *out);

#define PART(name) \
    "\r\n--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define OUTPUTS "[" EVERY_OUTPUT "]"

/* The data set, with these texts around it. */
static inline void put_sample(struct json_out *out, const char *before,
                              const char *between, const char *after)
{
    static const struct sample_options options = {20, 4, 5, 12, 3};
    struct json_out gt, dt;
    json_out_init(&gt, out->mem, false);
    json_out_init(&dt, out->mem, false);
    sample_write(&options, &gt, &dt);
    out_format(out, "%s", before);
    out_bytes(out, gt.text, gt.len);
    out_format(out, "%s", between);
    out_bytes(out, dt.text, dt.len);
    out_format(out, "%s", after);
}

static inline void put_evaluate(struct json_out *out)
{
    put_sample(out, "{\"ground_truth\":",
               ",\"parameters\":{\"recall_thresholds\":[0,0.5,1]," FEW_RESAMPLES
               "},\"outputs\":" OUTPUTS ",\"detections\":",
               "}");
}

static inline void put_summary(struct json_out *out)
{
    put_sample(out, "{\"ground_truth\":", ",\"detections\":",
               ",\"outputs\":[\"summary\",\"per_image\"]}");
}

static inline void put_form(struct json_out *out)
{
    put_sample(out, PART("ground_truth"), PART("detections"),
               PART("parameters") "{" FEW_RESAMPLES "}" PART("outputs") OUTPUTS
               "\r\n--b--\r\n");
}

static inline void put_table(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {50, 7};
    out_format(out, PART("ground_truth") "{\"images\":[{\"id\":1}],"
                                         "\"categories\":[{\"id\":7}],"
                                         "\"annotations\":[{\"id\":1,"
                                         "\"image_id\":1,\"category_id\":7,"
                                         "\"bbox\":[0,0,9,9]}]}");
    out_format(out, PART("detections"));
    out_bytes(out, head, npy_head(head, "f8", 2, dim));
    for (size_t i = 0; i < dim[0]; i++) {
        double row[] = {1, (double)(i % 9), 0, 9, 9, 0.5, 7};
        out_bytes(out, (const char *)row, sizeof(row));
    }
    out_format(out, "\r\n--b--\r\n");
}

static inline void put_npy(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {100, 70};
    out_bytes(out, head, npy_head(head, "f4", 2, dim));
    for (size_t i = 0; i < dim[0] * dim[1]; i++) {
        float x = (float)(i % 89) / 8;
        out_bytes(out, (const char *)&x, sizeof(x));
    }
}

static inline void put_numbers(struct json_out *out)
{
    out_format(out, "{\"inputs\":{\"x\":[0");
    for (size_t i = 1; i < 3000; i++)
        out_format(out, ",%zu.5", i % 10);
    out_format(out, "]},\"outputs\":[\"value\",\"grad\",\"stats\"]}");
}

/* An escape, so that it is read by way of a document. */
static inline void put_document(struct json_out *out)
{
    out_format(out, "{\"in\\u0070uts\":{\"x\":[0");
    for (size_t i = 1; i < 3000; i++)
        out_format(out, ",%zu.5", i % 10);
    out_format(out, "]}}");
}

/* Every operation, and one that there is not. */
static inline void put_batch(struct json_out *out)
{
    const struct op *op;
    out_format(out, "{\"requests\":[{\"operation\":\"activations/none\"}");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        out_format(out, ",{\"operation\":\"%s/%s\",%s", op->group, op->name,
                   op->example + 1);
    out_format(out, "]}");
}

#define INFER \
    "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP32\","
#define INFER_BYTES                               \
    INFER "\"parameters\":{\"binary_data_size\":" \
          "8}}],\"parameters\":{\"binary_data_output\":true}}"

static inline void put_infer(struct json_out *out)
{
    out_format(out, INFER "\"data\":[1,-1]}]}");
}

static inline void put_infer_bytes(struct json_out *out)
{
    float x[2] = {1, -1};
    out_format(out, INFER_BYTES);
    out_bytes(out, (const char *)x, sizeof(x));
}

#endif
