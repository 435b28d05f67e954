/*
 * Requests that are stopped: at whatever moment the flag is set, the answer is
 * 504 or the whole right one, bit by bit, and never anything between.
 *
 * A thread sets it, at moments spread over all the time that a request takes;
 * and it is set after numbers of items.
 */
#include "api/api.h"
#include "api/clock.h"
#include "api/content.h"
#include "api/json_out.h"
#include "api/npy.h"
#include "tests/counting.h"
#include "tests/operations.h"
#include "tests/outputs.h"
#include "tests/pieces.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    PLENTY = 1 << 29,
    MOMENTS = 12,
    ITEMS = 10,
    PIECE_BYTES = 10007,
};

struct job {
    const char *path, *query, *type, *accept;
    enum coding coding, answer_coding;
    char *body;
    size_t len;
};

struct answer {
    int status;
    char *body;
    size_t len;
};

static struct answer ask(const struct job *job, const struct parallel *par,
                         bool whole)
{
    struct api_env env = {.par = par, .body_bytes_max = PLENTY, .workers = 2};
    struct api_request req = {.method = "POST",
                              .path = job->path,
                              .query = job->query ? job->query : "",
                              .accept = job->accept,
                              .content_type =
                                  job->type ? job->type : "application/json",
                              .length_known = true,
                              .content_length = job->len,
                              .body = job->body,
                              .body_len = job->len};
    struct api_response res;
    struct arena mem;
    if (job->coding)
        req.content_encoding = coding_name(job->coding);
    if (job->answer_coding)
        req.accept_encoding = coding_name(job->answer_coding);
    arena_init(&mem, PLENTY);
    struct api_route route = api_find(&req);
    assert_true(api_admit(&env, &req, &mem, &res));
    if (route.in_pieces && !whole) {
        req.body = "";
        req.body_len = 0;
        req.intake = api_intake_new(&env, &req, &mem);
    }
    if (req.intake)
        take_pieces(req.intake, job->body, job->len, PIECE_BYTES);
    else if (route.in_pieces && !whole)
        assert_true(parallel_stopped(par)); /* or there was memory */
    api_answer(&env, &req, &mem, &res);
    struct answer x = {res.status, malloc(res.body_len + 1), res.body_len};
    assert_non_null(x.body);
    memcpy(x.body, res.body, res.body_len);
    if (req.intake)
        api_intake_free(req.intake);
    arena_free(&mem);
    return x;
}

/* 1 if it was stopped, 0 if it is right; anything else fails. */
static size_t check(const struct job *job, const struct answer *got,
                    const struct answer *want, bool stopped, size_t moment)
{
    bool late = got->status == 504 && stopped && got->len > 0 &&
                memmem(got->body, got->len, "stopped after the deadline", 26);
    bool same = got->status == want->status && got->len == want->len &&
                memcmp(got->body, want->body, got->len) == 0;
    if (!late && !same)
        fail_msg("%s, %s, moment %zu: %d %.*s", job->path,
                 stopped ? "stopped" : "not stopped", moment, got->status,
                 (int)(got->len < 300 ? got->len : 300), got->body);
    free(got->body);
    return late;
}

struct moment {
    atomic_bool stop;
    double at_ms;
};

static void *set_flag(void *arg)
{
    struct moment *m = arg;
    while (clock_ms() < m->at_ms)
        nanosleep(&(struct timespec){0, 20000}, NULL);
    atomic_store(&m->stop, true);
    return NULL;
}

/* Stops a request at moments over its time, and after numbers of items. */
static void stop_request(const struct job *job, size_t *n_stopped)
{
    double start = clock_ms();
    struct parallel par = parallel_serial;
    struct answer want = ask(job, &par, false);
    double took = clock_ms() - start;
    for (size_t i = 0; i < MOMENTS; i++) {
        struct moment m = {.at_ms = clock_ms() + took * (double)i / MOMENTS};
        pthread_t thread;
        atomic_init(&m.stop, false);
        par.stop = &m.stop;
        assert_int_equal(pthread_create(&thread, NULL, set_flag, &m), 0);
        struct answer got = ask(job, &par, i % 3 == 0);
        bool stopped = atomic_load(&m.stop);
        *n_stopped += check(job, &got, &want, stopped, i);
        pthread_join(thread, NULL);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        struct counting c;
        counting_init(&c, i * i);
        struct answer got = ask(job, &c.par, i % 3 == 0);
        *n_stopped += check(job, &got, &want, atomic_load(&c.stop), i);
    }
    free(want.body);
}

/* ---- bodies ---- */

static void body_take(struct job *job, const struct json_out *out)
{
    assert_false(out->failed);
    job->len = out->len;
    job->body = malloc(out->len);
    assert_non_null(job->body);
    memcpy(job->body, out->text, out->len);
}

static void put_numbers(struct json_out *out, uint64_t *state, size_t n)
{
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_number(out, draw(state, -3, 3));
    out_close(out, ']');
}

/* A row's own example, its list of numbers made longer where it has one. */
static void put_row(struct json_out *out, const struct op *op, size_t n)
{
    const char *list = strchr(op->example, '[');
    const char *end = list ? strchr(list, ']') : NULL;
    bool unary = op_inputs(op) <= 2 && end &&
                 !memchr(list + 1, '[', (size_t)(end - list));
    uint64_t state = 3;
    if (!unary || strcmp(op->group, "activations") != 0) {
        out_raw(out, op->example);
        return;
    }
    out_open(out, '{');
    out_key(out, "inputs");
    out_open(out, '{');
    out_key(out, op->in[0].name);
    put_numbers(out, &state, n);
    if (strcmp(op->in[1].name ? op->in[1].name : "", "grad_output") == 0 &&
        strstr(op->in[1].shape, "*")) {
        out_key(out, op->in[1].name);
        put_numbers(out, &state, n);
    }
    out_close(out, '}');
    out_key(out, "outputs");
    out_raw(out, op->stats ? "[\"value\",\"stats\"]" : "[\"value\"]");
    out_close(out, '}');
}

static void every_path_stops(void **unused)
{
    (void)unused;
    const struct op *op;
    size_t n = 0;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        struct arena mem;
        struct json_out out;
        char path[96];
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        put_row(&out, op, 20000);
        snprintf(path, sizeof(path), "/v1/%s/%s", op->group, op->name);
        struct job job = {.path = path};
        body_take(&job, &out);
        stop_request(&job, &n);
        free(job.body);
        arena_free(&mem);
    }
    assert_true(n > op_count());
}

static void put_ground_truth(struct json_out *out, uint64_t *state)
{
    out_format(out, "{\"info\":[");
    put_numbers(out, state, 5000);
    out_format(out, "],\"images\":[");
    for (size_t i = 0; i < 300; i++)
        out_format(out, "%s{\"id\":%zu}", i ? "," : "", i + 1);
    out_format(out, "],\"categories\":[");
    for (size_t i = 0; i < 5; i++)
        out_format(out, "%s{\"id\":%zu,\"name\":\"c%zu\"}", i ? "," : "", i, i);
    out_format(out, "],\"annotations\":[");
    for (size_t i = 0; i < 3000; i++)
        out_format(out,
                   "%s{\"id\":%zu,\"image_id\":%zu,\"category_id\":%zu,"
                   "\"bbox\":[%.1f,%.1f,%.1f,%.1f]}",
                   i ? "," : "", i + 1, 1 + i % 300, draw_below(state, 5),
                   draw(state, 0, 50), draw(state, 0, 50), draw(state, 9, 60),
                   draw(state, 9, 60));
    out_format(out, "]}");
}

static void put_detections(struct json_out *out, uint64_t *state)
{
    out_format(out, "[");
    for (size_t i = 0; i < 12000; i++)
        out_format(out,
                   "%s{\"%s\":%zu,\"category_id\":%zu,\"bbox\":[%.1f,"
                   "%.1f,%.1f,%.1f],\"score\":%.9g}",
                   i ? "," : "", i % 500 ? "image_id" : "image\\u005fid",
                   1 + i / 40, draw_below(state, 5), draw(state, 0, 50),
                   draw(state, 0, 50), draw(state, 9, 60), draw(state, 9, 60),
                   draw(state, 0, 1));
    out_format(out, "]");
}

#define PART(name) \
    "\r\n--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define OUTPUTS "[" EVERY_OUTPUT "]"
#define PARAMETERS "{" FEW_RESAMPLES "}"

static void put_body(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"ground_truth\":");
    put_ground_truth(out, &state);
    out_format(out, ",\"parameters\":" PARAMETERS ",\"outputs\":" OUTPUTS
                    ",\"detections\":");
    put_detections(out, &state);
    out_format(out, "}");
}

static void put_form(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, PART("ground_truth"));
    put_ground_truth(out, &state);
    out_format(out, PART("detections"));
    put_detections(out, &state);
    out_format(out, PART("parameters") PARAMETERS PART("outputs") OUTPUTS
               "\r\n--b--\r\n");
}

static void put_form_npy(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {20000, 7};
    uint64_t state = 5;
    out_format(out, PART("ground_truth"));
    put_ground_truth(out, &state);
    out_format(out, PART("detections"));
    out_bytes(out, head, npy_head(head, "f8", 2, dim));
    for (size_t i = 0; i < dim[0]; i++) {
        double row[] = {1 + (double)(i % 300), draw(&state, 0, 50),
                        draw(&state, 0, 50),   draw(&state, 9, 60),
                        draw(&state, 9, 60),   draw(&state, 0, 1),
                        (double)(i % 7)};
        out_bytes(out, (const char *)row, sizeof(row));
    }
    out_format(out, "\r\n--b--\r\n");
}

static void put_npy(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {300, 500};
    uint64_t state = 5;
    out_bytes(out, head, npy_head(head, "f4", 2, dim));
    for (size_t i = 0; i < dim[0] * dim[1]; i++) {
        float x = (float)draw(&state, -3, 3);
        out_bytes(out, (const char *)&x, sizeof(x));
    }
}

static void put_integers(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {200, 300};
    out_bytes(out, head, npy_head(head, "i8", 2, dim));
    for (int64_t i = 0; i < 200 * 300; i++)
        out_bytes(out, (const char *)&i, sizeof(i));
}

static void put_batch(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"requests\":[");
    for (size_t i = 0; i < 100; i++) {
        out_format(out,
                   "%s{\"operation\":\"%s\",\"inputs\":{\"x\":", i ? "," : "",
                   i % 10 ? "activations/mish" : "activations/none");
        out->comma = false;
        put_numbers(out, &state, 500);
        out_format(out, "}}");
    }
    out_format(out, "]}");
}

/* Targets are indices: what is not set must not become one. */
static void put_classes(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"inputs\":{\"input\":{\"shape\":[5000,8],\"data\":");
    put_numbers(out, &state, 40000);
    out_format(out, "},\"target\":[0");
    for (size_t i = 1; i < 5000; i++)
        out_format(out, ",%zu", i % 8);
    out_format(out, "]},\"outputs\":[\"value\",\"grad\",\"stats\"]}");
}

static void put_infer(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"inputs\":[{\"name\":\"x\",\"shape\":[100,400],"
                    "\"datatype\":\"FP32\",\"data\":");
    put_numbers(out, &state, 40000);
    out_format(out, "}]}");
}

static void put_nms(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"inputs\":{\"boxes\":[");
    for (size_t i = 0; i < 4000; i++)
        out_format(out, "%s[%.2f,1,%.2f,9]", i ? "," : "", draw(&state, 0, 9),
                   draw(&state, 9, 20));
    out_format(out, "],\"labels\":[");
    for (size_t i = 0; i < 4000; i++)
        out_format(out, "%s%zu", i ? "," : "", i % 9);
    out_format(out, "],\"scores\":");
    put_numbers(out, &state, 4000);
    out_format(out, "},\"parameters\":{\"method\":\"linear\"}}");
}

static void put_matrix(struct json_out *out)
{
    uint64_t state = 5;
    for (size_t k = 0; k < 2; k++) {
        out_format(out, k ? "],\"boxes_b\":[" : "{\"inputs\":{\"boxes_a\":[");
        for (size_t i = 0; i < 300; i++)
            out_format(out, "%s[%.2f,1,%.2f,9]", i ? "," : "",
                       draw(&state, 0, 9), draw(&state, 9, 20));
    }
    out_format(out, "]},\"parameters\":{\"top_k\":200}}");
}

/* Not rectangular, so that it is read by way of a document. */
static void put_ragged(struct json_out *out)
{
    uint64_t state = 5;
    out_format(out, "{\"inputs\":{\"x\":[[1],");
    put_numbers(out, &state, 20000);
    out_format(out, "]},\"more\":\"");
    for (size_t i = 0; i < 20000; i++)
        out_format(out, "text\\n");
    out_format(out, "\"}");
}

static void every_kind_of_request_stops(void **unused)
{
    (void)unused;
    static const char detection[] = "/v1/detection/evaluate";
    static const char form[] = "multipart/form-data; boundary=b";
    static const char softmax[] = "/v1/activations/softmax";
    static const struct {
        void (*put)(struct json_out *out);
        struct job job;
    } rows[] = {
        {put_body, {.path = detection}},
        {put_body, {.path = detection, .accept = "text/plain"}},
        {put_body, {.path = detection, .coding = CODING_GZIP}},
        {put_body,
         {.path = detection,
          .coding = CODING_ZSTD,
          .answer_coding = CODING_ZSTD}},
        {put_form, {.path = detection, .type = form}},
        {put_form,
         {.path = detection, .type = form, .answer_coding = CODING_GZIP}},
        {put_form_npy, {.path = detection, .type = form}},
        {put_npy, {.path = softmax, .type = NPY_TYPE}},
        {put_npy, {.path = softmax, .type = NPY_TYPE, .accept = NPY_TYPE}},
        {put_npy,
         {.path = softmax,
          .query = "dtype=float64&outputs=value",
          .type = NPY_TYPE,
          .coding = CODING_ZSTD}},
        {put_integers, {.path = softmax, .type = NPY_TYPE}},
        {put_batch, {.path = "/v1/batch", .coding = CODING_GZIP}},
        {put_classes, {.path = "/v1/losses/cross_entropy"}},
        {put_infer, {.path = "/v2/models/activations.mish/infer"}},
        {put_nms, {.path = "/v1/boxes/nms"}},
        {put_matrix, {.path = "/v1/boxes/ciou"}},
        {put_ragged, {.path = "/v1/activations/mish"}},
        {put_ragged, {.path = "/v1/activations/mish", .coding = CODING_GZIP}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena mem;
        struct json_out out;
        struct job job = rows[i].job;
        size_t n = 0;
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        rows[i].put(&out);
        size_t len = out.len;
        if (job.coding)
            assert_true(content_encode(job.coding, &out.text, &len, &mem));
        out.len = len;
        body_take(&job, &out);
        stop_request(&job, &n);
        if (n == 0)
            fail_msg("request %zu was never stopped", i);
        free(job.body);
        arena_free(&mem);
    }
}

/* The answer needs no memory of what is left of it. */
static void it_is_told_without_memory(void **unused)
{
    (void)unused;
    static const char *const bodies[] = {"{\"type\":\"/problems/deadline\",",
                                         "{\"error\":\"stopped after"};
    static const char *const paths[] = {"/v1/activations/mish", "/v2/models/x"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        atomic_bool stop = true;
        struct parallel par = parallel_serial;
        struct api_env env = {.par = &par, .body_bytes_max = PLENTY};
        struct api_request req = {
            .method = "POST", .path = paths[i], .query = "", .body = ""};
        struct api_response res;
        struct arena mem;
        par.stop = &stop;
        arena_init(&mem, 0);
        api_answer(&env, &req, &mem, &res);
        assert_int_equal(res.status, 504);
        assert_true(res.body_len > strlen(bodies[i]));
        assert_memory_equal(res.body, bodies[i], strlen(bodies[i]));
        arena_free(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_stops),
        cmocka_unit_test(every_kind_of_request_stops),
        cmocka_unit_test(it_is_told_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
