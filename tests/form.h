/*
 * Detection requests as bodies that come whole or in pieces, without a socket,
 * and their answers.
 */
#ifndef EVALD_TESTS_FORM_H
#define EVALD_TESTS_FORM_H

#include "api/content.h"
#include "api/detection_intake.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FORM "multipart/form-data; boundary=x"
#define JSON "application/json"

/* Parts as text, and a small request of them. */
#define HEAD(name) \
    "--x\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define PART(name, text) HEAD(name) text "\r\n"
#define END "--x--\r\n"
#define TRUTH                                                                  \
    "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":7}],"                    \
    "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":7,\"bbox\":[0," \
    "0,9,9]}]}"
#define FOUND(score)                                                         \
    "[{\"image_id\":1,\"category_id\":7,\"bbox\":[0,0,9,8],\"score\":" score \
    "}]"
#define GT PART("ground_truth", TRUTH)
#define DT PART("detections", FOUND("0.5"))
#define FEW                                         \
    PART("parameters", "{\"iou_thresholds\":[0.5]," \
                       "\"recall_thresholds\":[0,0.5,1]}")

enum {
    PLENTY = 1 << 26,
    TOGETHER = 3, /* pieces that are taken at once */
};

/* A body, and what its head says of it. */
struct body {
    const char *text;
    size_t len;
    const char *type;
    enum coding coding;
    size_t bytes_max; /* that are allowed; 0 = as many as memory */
};

/* How a body is cut: into one piece, or one and then equal ones. */
struct cut {
    size_t first, then;
};
static const struct cut whole = {SIZE_MAX, SIZE_MAX};

struct answer {
    struct arena mem;
    struct api_response res;
    size_t inflated;
};

static inline void run_backwards(const struct parallel *self, size_t n,
                                 parallel_task *task, void *context)
{
    for (size_t i = n; i > 0; i--)
        task(context, i - 1, i % self->width);
}
static const struct parallel backwards = {.width = 2, .run = run_backwards};

/* Each piece in memory of its own, so that a step beyond it is seen. */
static inline void take_pieces(struct api_intake *in, const struct body *b,
                               struct cut cut)
{
    struct span piece[TOGETHER];
    size_t some = cut.first;
    for (size_t at = 0; at < b->len;) {
        size_t n = 0;
        for (; n < TOGETHER && at < b->len; n++, some = cut.then) {
            size_t len = some < b->len - at ? some : b->len - at;
            char *copy = malloc(len);
            assert_non_null(copy);
            memcpy(copy, b->text + at, len);
            piece[n] = (struct span){copy, len};
            at += len;
        }
        api_intake_take(in, piece, n);
        while (n > 0)
            free((void *)(uintptr_t)piece[--n].text);
    }
}

/* The answer to a body that is there as a whole, or comes in pieces. */
static inline struct answer ask(const struct body *b, struct cut cut,
                                size_t budget)
{
    struct answer x = {.inflated = 0};
    bool pieces = cut.first != SIZE_MAX;
    struct api_env env = {.par = pieces ? &backwards : &parallel_serial,
                          .body_bytes_max =
                              b->bytes_max ? b->bytes_max : PLENTY,
                          .workers = 2};
    struct api_request req = {.method = "POST",
                              .path = "/v1/detection/evaluate",
                              .query = "",
                              .content_type = b->type,
                              .request_id = "7",
                              .length_known = true,
                              .content_length = b->len,
                              .body = b->text,
                              .body_len = b->len};
    if (b->coding != CODING_IDENTITY)
        req.content_encoding = coding_name(b->coding);
    arena_init(&x.mem, budget);
    if (!api_admit(&env, &req, &x.mem, &x.res))
        return x;
    assert_true(api_find(&req).in_pieces);
    if (pieces) {
        req.body = "";
        req.body_len = 0;
        req.intake = api_intake_new(&env, &req, &x.mem);
    }
    if (req.intake)
        take_pieces(req.intake, b, cut);
    api_answer(&env, &req, &x.mem, &x.res);
    if (req.intake) {
        x.inflated = req.intake->inflated;
        api_intake_free(req.intake);
    }
    return x;
}

static inline bool same_answer(const struct answer *a, const struct answer *b)
{
    return a->res.status == b->res.status &&
           a->res.body_len == b->res.body_len &&
           memcmp(a->res.body, b->res.body, a->res.body_len) == 0;
}

static inline void must_be_same(const struct answer *got,
                                const struct answer *want, const char *what,
                                size_t i)
{
    if (!same_answer(got, want))
        fail_msg("%s %zu:\n got: %d %.*s\nwant: %d %.*s", what, i,
                 got->res.status, (int)got->res.body_len, got->res.body,
                 want->res.status, (int)want->res.body_len, want->res.body);
}

/* The same answer however the body is cut. */
static inline void check_cuts(const struct body *b, const struct answer *want)
{
    static const struct cut cuts[] = {{1, 1}, {7, 7}, {61, 61}, {4096, 509}};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        struct answer x = ask(b, cuts[i], PLENTY);
        must_be_same(&x, want, "pieces", i);
        arena_free(&x.mem);
    }
}

static inline void check_splits(const struct body *b, const struct answer *want)
{
    for (size_t i = 1; i < b->len; i++) {
        struct answer x = ask(b, (struct cut){i, SIZE_MAX}, PLENTY);
        must_be_same(&x, want, "split at", i);
        arena_free(&x.mem);
    }
}

static inline const char *member(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

/* pointer NULL = the answer lists no faults. */
static inline void check_problem(const struct answer *x, int status,
                                 const char *problem, const char *pointer,
                                 const char *detail)
{
    json_t *v = json_loadb(x->res.body, x->res.body_len, 0, NULL);
    const json_t *first = json_array_get(json_object_get(v, "errors"), 0);
    const char *type = member(v, "type");
    if (x->res.status != status || strlen(type) < 10 ||
        strcmp(type + 10, problem) != 0 || !first != !pointer ||
        (pointer && strcmp(member(first, "pointer"), pointer) != 0) ||
        !strstr(member(v, "detail"), detail))
        fail_msg("not %d %s %s \"%s\":\n%.*s", status, problem,
                 pointer ? pointer : "", detail, (int)x->res.body_len,
                 x->res.body);
    json_decref(v);
}

#endif
