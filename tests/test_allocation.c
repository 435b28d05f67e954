/*
 * Requests to every route while memory runs out at whatever allocation, once
 * or from there on: the answer is the right one, or says that there was no
 * memory, all is given back, and the next answer is right.
 */
#include "tests/failing.h"

#include "api/content.h"
#include "api/route.h"
#include "core/ops.h"
#include "server/metrics.h"
#include "tests/allocation_job.h"
#include "tests/bodies.h"
#include "tests/counting.h"
#include "tests/kept.h"
#include "tests/pieces.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DETECTION "/v1/detection/evaluate"
#define SOFTMAX "/v1/activations/softmax"
#define FORM "multipart/form-data; boundary=b"
#define RELU "/v2/models/activations.relu"

enum {
    PLENTY = 1 << 29,
    PATH_BYTES = 96,
    PIECE_BYTES = 1009,
#ifdef WRAPS
    EACH_OF = 12, /* sanitizers are slow */
#else
    EACH_OF = 32, /* allocations of a request; of later ones some */
#endif
    FEWER = 8,
};

static bool asked[64]; /* by rows of routes */
static struct metrics *metrics;
static struct kept kept;
static struct kept_state stored; /* as every request finds it */

static void write_metrics(void *of, bool open, struct json_out *out)
{
    static const struct metrics_gauges none;
    metrics_write(of, &none, open ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT,
                  out);
}

static const struct api_refusal no_intake = {
    .kind = PROBLEM_MEMORY, .detail = "no memory for the request"};

/* As the daemon does it. */
static void serve(const struct job *job, const struct api_env *env,
                  struct api_request *req, struct arena *mem,
                  struct api_response *res)
{
    struct api_route route = api_find(req);
    asked[route.row] = true;
    if (!api_admit(env, req, mem, res))
        return;
    if (route.in_pieces && !job->whole) {
        req->body = "";
        req->body_len = 0;
        req->intake = api_intake_new(env, req, mem);
        if (!req->intake) {
            api_refuse(req, &no_intake, mem, res);
            return;
        }
        take_pieces(req->intake, job->body, job->len, PIECE_BYTES);
    }
    api_answer(env, req, mem, res);
    if (req->intake)
        api_intake_free(req->intake);
}

static const char *name_of(enum coding coding)
{
    return coding ? coding_name(coding) : NULL;
}

static struct answer ask(const struct job *job, enum failing_what what,
                         size_t first, size_t last)
{
    struct counting c;
    counting_init(&c, SIZE_MAX);
    struct api_env env = {.par = &c.par,
                          .body_bytes_max = PLENTY,
                          .workers = 2,
                          .write_metrics = write_metrics,
                          .metrics = metrics,
                          .counts = metrics_counts(metrics),
                          .store = &kept.store,
                          .cache = &kept.cache};
    const char *usual = job->body ? "POST" : "GET";
    struct api_request req = {.method = job->method ? job->method : usual,
                              .path = job->path,
                              .query = job->query ? job->query : "",
                              .accept = job->accept,
                              .accept_encoding = name_of(job->answer_coding),
                              .content_type = job->type,
                              .content_encoding = name_of(job->coding),
                              .header_length = job->header_length,
                              .request_id = "7",
                              .idempotency_key = job->key,
                              .length_known = true,
                              .content_length = job->len,
                              .body = job->body ? job->body : "",
                              .body_len = job->len};
    struct api_response res;
    struct arena mem;
    arena_init(&mem, PLENTY);
    kept.is = stored;
    failing_begin(what, first, last);
    serve(job, &env, &req, &mem, &res);
    failing_end();
    kept_drop(&kept);
    struct answer x = {.status = res.status,
                       .type = res.content_type,
                       .content_encoding = res.content_encoding,
                       .body = malloc(res.body_len + 1),
                       .len = res.body_len};
    if (!x.body)
        abort();
    if (res.body_len)
        memcpy(x.body, res.body, res.body_len);
    snprintf(x.etag, sizeof(x.etag), "%s", res.etag ? res.etag : "");
    arena_free(&mem);
    return x;
}

/* ---- what is right ---- */

/* The next line of a text, without what stands behind its last space. */
static struct span name_in(const char **text, const char *end)
{
    const char *start = *text;
    const char *nl = memchr(start, '\n', (size_t)(end - start));
    const char *stop = nl ? nl : end;
    *text = nl ? nl + 1 : end;
    while (stop > start && *stop != ' ')
        stop--;
    return (struct span){start, (size_t)(stop - start)};
}

/* But for the descriptors, which cannot be counted without memory. */
static bool same_lines(const struct answer *a, const struct answer *b)
{
    static const char descriptors[] = "process_open_fds";
    const char *p = a->body, *q = b->body;
    const char *p_end = p + a->len, *q_end = q + b->len;
    while (p < p_end && q < q_end) {
        struct span x = name_in(&p, p_end), y;
        do
            y = name_in(&q, q_end);
        while (!memmem(x.text, x.len, descriptors, strlen(descriptors)) &&
               memmem(y.text, y.len, descriptors, strlen(descriptors)));
        if (x.len != y.len || memcmp(x.text, y.text, x.len) != 0)
            return false;
    }
    return p == p_end && q == q_end;
}

static bool same(const struct job *job, const struct answer *a,
                 const struct answer *b)
{
    bool bytes = a->len == b->len && memcmp(a->body, b->body, a->len) == 0;
    return a->status == b->status && a->type == b->type &&
           a->content_encoding == b->content_encoding &&
           (bytes || job->fresh || (job->varies && same_lines(a, b)));
}

/* No memory, in the words of whom it is told. */
static bool is_problem(const struct job *job, const struct answer *got)
{
    bool oip = strncmp(job->path, "/v2", 3) == 0;
    json_t *v = json_loadb(got->body, got->len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t status = json_integer_value(json_object_get(v, "status"));
    bool good =
        json_is_string(json_object_get(v, "error")) &&
        (oip || status == got->status) &&
        strcmp(got->type,
               oip ? "application/json" : "application/problem+json") == 0 &&
        (got->status == 413 || got->status == 500 || got->status == 503);
    json_decref(v);
    return good;
}

/* The answer to one of many: right, or that there was no memory for it. */
static bool is_one_right(const json_t *got, const json_t *want)
{
    json_int_t status = json_integer_value(json_object_get(got, "status"));
    const json_t *body = json_object_get(got, "body");
    const json_t *again = json_object_get(body, "status");
    return json_equal(got, want) ||
           (status == 413 && json_integer_value(again) == 413);
}

static bool is_batch_right(const struct answer *got, const struct answer *want)
{
    json_t *a = json_loadb(got->body, got->len, JSON_REJECT_DUPLICATES, NULL);
    json_t *b = json_loadb(want->body, want->len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *these = json_object_get(a, "responses");
    const json_t *those = json_object_get(b, "responses");
    size_t n = json_array_size(those);
    bool good = got->status == 200 && n > 0 && json_array_size(these) == n;
    for (size_t i = 0; i < n && good; i++)
        good = is_one_right(json_array_get(these, i), json_array_get(those, i));
    json_decref(a);
    json_decref(b);
    return good;
}

/* What an answer may be: without memory to compress it, as it is. */
struct right {
    struct answer coded, plain;
};

static struct right right_new(const struct job *job)
{
    struct job plain = *job;
    plain.answer_coding = CODING_IDENTITY;
    struct right r = {ask(job, FAILING_NOTHING, 0, 0),
                      ask(&plain, FAILING_NOTHING, 0, 0)};
    if (r.coded.status / 100 != 2)
        fail_msg("%s: %d %.*s", job->path, r.coded.status, (int)r.coded.len,
                 r.coded.body);
    assert_true(!job->answer_coding || r.coded.content_encoding);
    return r;
}

static void right_free(struct right *r)
{
    free(r->coded.body);
    free(r->plain.body);
}

static bool is_right(const struct job *job, const struct right *right,
                     const struct answer *got)
{
    bool coded = same(job, got, &right->coded);
    const struct answer *want = coded ? &right->coded : &right->plain;
    if (job->many && is_batch_right(got, want))
        return true;
    return (coded || same(job, got, &right->plain)) &&
           (!*got->etag || strcmp(got->etag, want->etag) == 0);
}

/* ---- what fails ---- */

static void check(const struct job *job, const struct right *right,
                  enum failing_what what, size_t first, size_t last)
{
    static const char *const whats[] = {"nothing", "arena", "heap"};
    ptrdiff_t live = failing.live;
    struct answer got = ask(job, what, first, last);
    bool failed = failing.seen > first;
    if (!is_right(job, right, &got) && !(failed && is_problem(job, &got)))
        fail_msg("%s %s%s, %s %zu to %zu: %d %s %s\n%.*s", job->path,
                 job->accept ? job->accept : "", job->coding ? " coded" : "",
                 whats[what], first, last, got.status, got.type,
                 got.content_encoding ? got.content_encoding : "",
                 (int)(got.len < 2000 ? got.len : 2000), got.body);
    free(got.body);
    if (failing.live != live)
        fail_msg("%s, %s %zu to %zu: %td blocks are lost", job->path,
                 whats[what], first, last, failing.live - live);
}

/* Returns how many allocations a request of the job makes. */
static size_t fail_each(const struct job *job, enum failing_what what)
{
    struct right right = right_new(job);
    check(job, &right, what, SIZE_MAX, SIZE_MAX);
    size_t n = failing.seen;
    for (size_t k = 0; k < n; k += k < EACH_OF ? 1 : 1 + k / FEWER) {
        check(job, &right, what, k, k);
        check(job, &right, what, k, SIZE_MAX);
        check(job, &right, what, SIZE_MAX, SIZE_MAX);
    }
    right_free(&right);
    return n;
}

static void run_job(const struct job *job)
{
    /* to delete something takes none, at times */
    size_t least = job->method && strcmp(job->method, "DELETE") == 0 ? 0 : 1;
    assert_in_range(fail_each(job, FAILING_ARENA), least, 100000);
    assert_in_range(fail_each(job, FAILING_HEAP), least, 100000);
}

/* ---- bodies ---- */

static void give_body(struct job *job, put_body *put)
{
    struct arena mem;
    struct json_out out;
    arena_init(&mem, PLENTY);
    json_out_init(&out, &mem, false);
    put(&out);
    assert_false(out.failed);
    char *text = out.text;
    size_t len = out.len;
    if (job->coding)
        assert_true(content_encode(job->coding, &text, &len, &mem));
    job->body = malloc(len);
    job->len = len;
    assert_non_null(job->body);
    memcpy(job->body, text, len);
    arena_free(&mem);
}

/* ---- tests ---- */

static void every_get_survives(void **unused)
{
    (void)unused;
    static const struct job rows[] = {
        {.path = "/"},
        {.path = "/docs", .answer_coding = CODING_GZIP},
        {.path = "/docs"},
        {.path = "/openapi.json"},
        {.path = "/openapi.json", .answer_coding = CODING_GZIP},
        {.path = "/openapi.json", .answer_coding = CODING_ZSTD},
        {.path = "/openapi.json", .query = "pretty"},
        {.path = "/livez"},
        {.path = "/healthz"},
        {.path = "/readyz"},
        {.path = "/metrics", .varies = true},
        {.path = "/metrics",
         .accept = "application/openmetrics-text",
         .varies = true},
        {.path = "/version"},
        {.path = "/v1"},
        {.path = "/problems/not-found"},
        {.path = "/v1/operations"},
        {.path = "/v1/operations/losses/focal"},
        {.path = "/v2"},
        {.path = "/v2/"},
        {.path = "/v2/health/live"},
        {.path = "/v2/health/ready"},
        {.path = RELU},
        {.path = RELU "/ready"},
        {.path = RELU "/versions/1"},
        {.path = RELU "/versions/1/ready"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        run_job(&rows[i]);
}

static void every_operation_survives(void **unused)
{
    (void)unused;
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char path[PATH_BYTES];
        struct job job = {.path = path, .type = "application/json"};
        snprintf(path, sizeof(path), "/v1/%s/%s", op->group, op->name);
        job.len = strlen(op->example);
        job.body = malloc(job.len);
        assert_non_null(job.body);
        memcpy(job.body, op->example, job.len);
        run_job(&job);
        free(job.body);
    }
}

static void every_kind_of_body_survives(void **unused)
{
    (void)unused;
#define JSON .type = "application/json"
    static char length[24];
    static const struct {
        put_body *put;
        struct job job;
    } rows[] = {
        {put_evaluate, {.path = DETECTION, JSON}},
        {put_evaluate, {.path = DETECTION, JSON, .whole = true}},
        {put_summary, {.path = DETECTION, JSON, .accept = "text/plain"}},
        {put_evaluate,
         {.path = DETECTION,
          JSON,
          .coding = CODING_GZIP,
          .answer_coding = CODING_ZSTD}},
        {put_evaluate,
         {.path = DETECTION, JSON, .coding = CODING_ZSTD, .whole = true}},
        {put_form, {.path = DETECTION, .type = FORM}},
        {put_form, {.path = DETECTION, .type = FORM, .whole = true}},
        {put_form,
         {.path = DETECTION,
          .type = FORM,
          .coding = CODING_ZSTD,
          .answer_coding = CODING_GZIP}},
        {put_table, {.path = DETECTION, .type = FORM}},
        {put_table, {.path = DETECTION, .type = FORM, .whole = true}},
        {put_npy, {.path = SOFTMAX, .type = NPY_TYPE}},
        {put_npy, {.path = SOFTMAX, .type = NPY_TYPE, .accept = NPY_TYPE}},
        {put_npy,
         {.path = SOFTMAX,
          .query = "dtype=float64&outputs=value",
          .type = NPY_TYPE,
          .coding = CODING_ZSTD}},
        {put_numbers,
         {.path = "/v1/activations/mish",
          JSON,
          .coding = CODING_GZIP,
          .answer_coding = CODING_GZIP}},
        {put_numbers,
         {.path = "/v1/activations/mish",
          JSON,
          .coding = CODING_ZSTD,
          .answer_coding = CODING_ZSTD}},
        {put_document, {.path = "/v1/activations/mish", JSON}},
        {put_batch, {.path = "/v1/batch", JSON, .many = true}},
        {put_batch,
         {.path = "/v1/batch", JSON, .many = true, .coding = CODING_GZIP}},
        {put_infer, {.path = RELU "/infer", JSON}},
        {put_infer, {.path = RELU "/versions/1/infer"}},
        {put_infer_bytes,
         {.path = RELU "/infer",
          .type = "application/octet-stream",
          .header_length = length}},
    };
#undef JSON
    snprintf(length, sizeof(length), "%zu", strlen(INFER_BYTES));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct job job = rows[i].job;
        give_body(&job, rows[i].put);
        run_job(&job);
        free(job.body);
    }
}

#include "tests/allocation_runs.h" /* the rest of the tests */

static void no_route_is_left_out(void **unused)
{
    (void)unused;
    assert_true(n_routes <= COUNT(asked));
    for (size_t i = 0; i < n_routes; i++)
        if (!asked[i])
            fail_msg("%s needs a row above", routes[i].path);
}

static int begin(void **unused)
{
    (void)unused;
    metrics = metrics_new(1);
    kept_init(&kept);
    return metrics ? 0 : -1;
}

static int end(void **unused)
{
    (void)unused;
    metrics_free(metrics);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_get_survives),
        cmocka_unit_test(every_operation_survives),
        cmocka_unit_test(every_kind_of_body_survives),
        cmocka_unit_test_setup(every_request_for_the_store_survives,
                               fill_store),
        cmocka_unit_test(no_route_is_left_out),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, begin, end);
}
