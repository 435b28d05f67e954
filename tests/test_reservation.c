/*
 * Memory that requests share, as answers see it: what is usual fits into what
 * is reserved for it, and what does not fit is told to come again.
 */
#include "api/api.h"
#include "api/content.h"
#include "api/json_out.h"
#include "api/npy.h"
#include "core/random.h"
#include "tests/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NUMBER "%.9g"
#define PART(name) \
    "\r\n--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TRUTH                                                              \
    "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":7}],\"annotations\"" \
    ":[]}"
#define FOUND                                                          \
    "{\"image_id\":1,\"category_id\":7,\"score\":%.9f,\"bbox\":[%.2f," \
    "%.2f,9,9]}"

#define TRUE_BOX                                                               \
    "{\"id\":1,\"image_id\":1,\"category_id\":7,\"area\":%.9f,\"bbox\":[%.2f," \
    "%.2f,9,9]"                                                                \
    "}"
#define DATASET "/v1/datasets/x"

enum { PLENTY = 1 << 29, PIECE_BYTES = 1 << 16, BODY_BYTES_MAX = 1 << 26 };

/* A number, or what has three of them. */
static void out_item(struct json_out *out, const char *item, double x)
{
    char text[160];
    if (strcmp(item, NUMBER) == 0)
        snprintf(text, sizeof(text), NUMBER, x);
    else
        snprintf(text, sizeof(text),
                 strcmp(item, FOUND) == 0 ? FOUND : TRUE_BOX, x, x * 100,
                 x * 100);
    out_bytes(out, text, strlen(text));
}

static void put_body(struct json_out *out, const char *head, const char *item,
                     const char *tail)
{
    uint64_t state = 1;
    out_format(out, "%s", head);
    for (size_t i = 0; i < 40000; i++) {
        double x = (double)(random_next(&state) >> 11) * 0x1p-53;
        if (i)
            out_bytes(out, ",", 1);
        out_item(out, item, x);
    }
    out_format(out, "%s", tail);
}

static void put_npy(struct json_out *out)
{
    char head[NPY_HEAD_BYTES];
    uint64_t state = 1;
    size_t n = 100000;
    out_bytes(out, head, npy_head(head, "f4", 1, &n));
    for (size_t i = 0; i < n; i++) {
        float x = (float)(random_next(&state) >> 40);
        out_bytes(out, (const char *)&x, sizeof(x));
    }
}

/* What comes every day. */
static const struct row {
    const char *path, *type, *accept, *head, *item, *tail;
    enum coding coding;
} rows[] = {
    {"/v1/activations/mish", "application/json", NULL, "{\"inputs\":{\"x\":[",
     NUMBER, "]},\"outputs\":[\"value\",\"grad\"]}", CODING_IDENTITY},
    {"/v1/activations/mish", "application/json", NULL, "{\"inputs\":{\"x\":[",
     NUMBER, "]}}", CODING_ZSTD},
    {"/v1/activations/mish", NPY_TYPE, NULL, NULL, NULL, NULL, CODING_IDENTITY},
    {"/v1/activations/mish", NPY_TYPE, NPY_TYPE, NULL, NULL, NULL,
     CODING_IDENTITY},
    {"/v1/batch", "application/json", NULL,
     "{\"requests\":[{\"operation\":\"activations/tanh\",\"inputs\":{\"x\":[",
     NUMBER, "]}}]}", CODING_IDENTITY},
    {"/v2/models/activations.tanh/infer", "application/json", NULL,
     "{\"inputs\":[{\"name\":\"x\",\"shape\":[40000],\"datatype\":\"FP64\","
     "\"data\":[",
     NUMBER, "]}]}", CODING_IDENTITY},
    {"/v1/detection/evaluate", "application/json", NULL,
     "{\"ground_truth\":" TRUTH ",\"detections\":[", FOUND, "]}",
     CODING_IDENTITY},
    {"/v1/detection/evaluate", "application/json", NULL,
     "{\"ground_truth\":" TRUTH ",\"detections\":[", FOUND, "]}", CODING_GZIP},
    {"/v1/detection/evaluate", "multipart/form-data; boundary=b", NULL,
     PART("ground_truth") TRUTH PART("detections") "[", FOUND, "]\r\n--b--\r\n",
     CODING_IDENTITY},
    {DATASET, "application/json", NULL,
     "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":7}],\"annotations\":[",
     TRUE_BOX, "]}", CODING_IDENTITY},
    {DATASET, "application/json", NULL,
     "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":7}],\"annotations\":[",
     TRUE_BOX, "]}", CODING_ZSTD},
};

struct body {
    char *text;
    size_t len;
};

static struct body make_body(const struct row *row)
{
    struct arena mem;
    struct json_out out;
    arena_init(&mem, PLENTY);
    json_out_init(&out, &mem, false);
    if (row->head)
        put_body(&out, row->head, row->item, row->tail);
    else
        put_npy(&out);
    assert_false(out.failed);
    size_t len = out.len;
    if (row->coding)
        assert_true(content_encode(row->coding, &out.text, &len, &mem));
    struct body b = {malloc(len), len};
    assert_non_null(b.text);
    memcpy(b.text, out.text, len);
    arena_free(&mem);
    return b;
}

static const char *method_of(const struct row *row)
{
    return strcmp(row->path, DATASET) == 0 ? "PUT" : "POST";
}

/* Answers in an arena with a budget; reserves first where that is wanted. */
static int answer(const struct row *row, const struct body *b,
                  struct budget *budget, bool reserve, struct api_response *res)
{
    static struct kept kept;
    struct api_env env = {.par = &parallel_serial,
                          .body_bytes_max = BODY_BYTES_MAX,
                          .workers = 1,
                          .store = &kept.store};
    struct api_request req = {.method = method_of(row),
                              .path = row->path,
                              .query = "",
                              .accept = row->accept,
                              .content_type = row->type,
                              .length_known = true,
                              .content_length = b->len,
                              .body = b->text,
                              .body_len = b->len};
    struct arena mem;
    if (row->coding)
        req.content_encoding = coding_name(row->coding);
    kept_init(&kept);
    arena_init(&mem, PLENTY);
    mem.budget = budget;
    size_t used = budget->used;
    struct api_route route = api_find(&req);
    assert_true(api_admit(&env, &req, &mem, res));
    size_t bytes = api_reservation(&env, &req, &route);
    if (reserve) {
        budget->max = bytes;
        assert_true(arena_prepay(&mem, bytes));
    }
    if (route.in_pieces)
        req.intake = api_intake_new(&env, &req, &mem);
    for (size_t at = 0, n; req.intake && at < b->len; at += n) {
        n = b->len - at < PIECE_BYTES ? b->len - at : PIECE_BYTES;
        api_intake_take(req.intake, &(struct span){b->text + at, n}, 1);
    }
    api_answer(&env, &req, &mem, res);
    if (res->status == 503)
        assert_true(memmem(res->body, res->body_len, "other requests", 14));
    if (req.intake)
        api_intake_free(req.intake);
    arena_free(&mem);
    assert_int_equal(budget->used, used);
    return res->status;
}

static void what_is_usual_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body b = make_body(&rows[i]);
        struct budget budget = {.max = 0};
        struct api_response res;
        int status = answer(&rows[i], &b, &budget, true, &res);
        if (status / 100 != 2)
            fail_msg("row %zu: %d with %zu for %zu", i, status, budget.max,
                     b.len);
        free(b.text);
    }
}

enum { ALL_BYTES = 1 << 30 };

/* A budget of which so much is left by others. */
static struct budget left_over(size_t bytes)
{
    struct budget b = {.max = ALL_BYTES};
    atomic_init(&b.used, ALL_BYTES - bytes);
    return b;
}

/*
 * However little there is: if others have the rest it may come again, and if
 * it is all there ever was it may not.
 */
static void what_does_not_fit_is_told_from_what_never_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct body b = make_body(&rows[i]);
        size_t refused = 0;
        for (size_t max = 1; max < (size_t)1 << 27; max = max * 5 / 3 + 1) {
            struct budget budget = left_over(max), whole = {.max = max};
            struct api_response res;
            int status = answer(&rows[i], &b, &budget, false, &res);
            bool late = status == 503 && res.retry_after_s > 0;
            if (!late && status / 100 != 2)
                fail_msg("row %zu: %d with %zu", i, status, max);
            refused += late;
            status = answer(&rows[i], &b, &whole, false, &res);
            bool never = status == 413 && res.retry_after_s == 0;
            if (late ? !never : status / 100 != 2)
                fail_msg("row %zu: %d with %zu in all", i, status, max);
        }
        assert_true(refused > 10);
        free(b.text);
    }
}

/* The others of a batch stand. */
static void one_of_a_batch_is_refused(void **state)
{
    (void)state;
    static const char head[] =
        "{\"requests\":[{\"operation\":\"activations/relu\",\"inputs\":{\"x\":"
        "1}},{\"operation\":\"activations/softmax\",\"inputs\":{\"x\":[";
    static const char tail[] =
        "]}},{\"operation\":\"activations/relu\",\"inputs\":{\"x\":2}}]}";
    static const struct row row = {
        "/v1/batch", "application/json", NULL, head, NUMBER, tail, 0};
    struct body b = make_body(&row);
    bool seen = false;
    for (size_t max = 1 << 20; max < 1 << 23 && !seen; max += 1 << 15) {
        struct budget budget = left_over(max);
        struct arena mem;
        struct api_env env = {.par = &parallel_serial,
                              .body_bytes_max = BODY_BYTES_MAX};
        struct api_request req = {.method = "POST",
                                  .path = row.path,
                                  .query = "",
                                  .content_type = row.type,
                                  .body = b.text,
                                  .body_len = b.len};
        struct api_response res;
        arena_init(&mem, PLENTY);
        mem.budget = &budget;
        api_answer(&env, &req, &mem, &res);
        seen = res.status == 200 &&
               memmem(res.body, res.body_len, "{\"status\":503,", 14) &&
               !memmem(res.body, res.body_len, "{\"status\":413,", 14) &&
               memmem(res.body, res.body_len, "\"value\":2", 9);
        arena_free(&mem);
    }
    assert_true(seen);
    free(b.text);
}

static void reservations_are_bounded(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 1000, 1 << 20, BODY_BYTES_MAX};
    struct api_env env = {.par = &parallel_serial,
                          .body_bytes_max = BODY_BYTES_MAX};
    struct api_route route = {.inline_bytes_max = 0};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 0; k < COUNT(lengths); k++) {
            struct api_request req = {.method = method_of(&rows[i]),
                                      .path = rows[i].path,
                                      .content_type = rows[i].type,
                                      .length_known = true,
                                      .content_length = lengths[k]};
            size_t plain = api_reservation(&env, &req, &route);
            assert_true(plain <= api_memory_bytes(lengths[k]));
            assert_true(plain >= lengths[k]);
            route.encoded = true;
            size_t encoded = api_reservation(&env, &req, &route);
            assert_true(encoded >= plain);
            assert_true(encoded <= (size_t)13 * BODY_BYTES_MAX);
            route.encoded = false;
        }
    struct api_request req = {.method = "GET", .path = "/livez"};
    assert_true(api_reservation(&env, &req, &route) <= 1 << 17);
    req.method = "POST"; /* of a length that is not known */
    assert_true(api_reservation(&env, &req, &route) > 1 << 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_usual_fits),
        cmocka_unit_test(what_does_not_fit_is_told_from_what_never_fits),
        cmocka_unit_test(one_of_a_batch_is_refused),
        cmocka_unit_test(reservations_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
