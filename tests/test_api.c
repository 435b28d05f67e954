/*
 * Every route without a socket: statuses, headers, problems, and budgets of
 * memory down to nothing.
 */
#include "api/api.h"
#include "api/error.h"

#include "tests/outputs.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define PROBLEM "application/problem+json"
#define READ "GET, HEAD, OPTIONS"
#define SCORE "/v1/detection/evaluate"
#define ID "request-7"

enum { PLENTY = 1 << 26, BODY_BYTES_MAX = 100000 };

/* Two images, two categories, one of them nameless; three detections. */
#define GROUND_TRUTH                                                   \
    "\"ground_truth\":{\"images\":[{\"id\":1},{\"id\":2}],"            \
    "\"categories\":[{\"id\":1,\"name\":\"caf\xc3\xa9\"},{\"id\":7}]," \
    "\"annotations\":["                                                \
    "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,10,10]," \
    "\"area\":100,\"iscrowd\":0},"                                     \
    "{\"id\":2,\"image_id\":2,\"category_id\":7,\"bbox\":[5,5,40,40]}]}"
#define DETECTIONS                                                           \
    "\"detections\":["                                                       \
    "{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,10,9],\"score\":0.9},"  \
    "{\"image_id\":2,\"category_id\":7,\"bbox\":[5,6,40,40],\"score\":0.5}," \
    "{\"image_id\":2,\"category_id\":1,\"bbox\":[0,0,3,3],\"score\":0.25}]"
#define BODY "{" GROUND_TRUTH "," DETECTIONS "}"
#define WITH(members) "{" GROUND_TRUTH "," DETECTIONS "," members "}"
#define OUTPUTS(names) WITH("\"outputs\":[" names "]")
#define ALL_OUTPUTS OUTPUTS(EVERY_OUTPUT)
/* A protocol of few thresholds needs little memory. */
#define FEW(names)                                        \
    WITH("\"parameters\":{\"iou_thresholds\":[0.5],"      \
         "\"recall_thresholds\":[0,0.5,1]," FEW_RESAMPLES \
         "},\"outputs\":[" names "]")
#define SEGM WITH("\"parameters\":{\"iou_type\":\"segm\"}")
#define DETECTION(image, score)                              \
    "{" GROUND_TRUTH ",\"detections\":[{\"image_id\":" image \
    ",\"category_id\":1,\"bbox\":[0,0,1,1],\"score\":" score "}]}"
#define TWICE                                                \
    "{\"ground_truth\":{\"images\":[{\"id\":1},{\"id\":1}]," \
    "\"annotations\":[],\"categories\":[]},\"detections\":[]}"
#define MEDIA "unsupported-media-type"

/* A request and what became of it.  What is not set is as usual. */
struct exchange {
    struct api_request req;
    struct api_env env;
    struct arena mem;
    struct api_route route;
    struct api_response res;
};

static void run(struct exchange *x, size_t budget)
{
    struct api_request *req = &x->req;
    x->env.par = &parallel_serial;
    x->env.body_bytes_max = BODY_BYTES_MAX;
    x->env.workers = 3;
    req->query = req->query ? req->query : "";
    req->request_id = ID;
    req->body_len = req->body ? strlen(req->body) : 0;
    if (!req->length_known)
        req->content_length = req->body_len;
    req->length_known = req->body;
    arena_init(&x->mem, budget);
    x->route = api_find(req);
    if (api_admit(&x->env, req, &x->mem, &x->res))
        api_answer(&x->env, req, &x->mem, &x->res);
}

static struct exchange get(const char *path, size_t budget)
{
    struct exchange x = {.req = {.method = "GET", .path = path}};
    run(&x, budget);
    return x;
}

static struct exchange post(const char *body, const char *accept, size_t budget)
{
    struct exchange x = {.req = {.method = "POST",
                                 .path = SCORE,
                                 .body = body,
                                 .accept = accept,
                                 .content_type = JSON}};
    run(&x, budget);
    return x;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *member(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

/* API.md, section 1, "Errors". */
static void check_faults(const json_t *v, const char *detail)
{
    const json_t *faults = json_object_get(v, "errors");
    size_t n = json_array_size(faults);
    assert_true(n >= 1 && n <= FAULTS_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *fault = json_array_get(faults, i);
        assert_true(json_is_string(json_object_get(fault, "pointer")));
        assert_true(*member(fault, "code") && *member(fault, "detail"));
        assert_true(strchr("/", *member(fault, "pointer")));
    }
    assert_string_equal(member(json_array_get(faults, 0), "detail"), detail);
}

/* The page of a problem's type, under that very URI. */
static void check_page(const char *uri, const char *title)
{
    struct exchange page = get(uri, PLENTY);
    assert_int_equal(page.res.status, 200);
    assert_true(page.res.body_len > strlen(title));
    assert_memory_equal(page.res.body, title, strlen(title));
    arena_free(&page.mem);
}

/* frugal: written without memory, so without what the request says. */
static void check_problem(const struct exchange *x, bool frugal)
{
    json_t *v =
        json_loadb(x->res.body, x->res.body_len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    assert_string_equal(x->res.content_type, PROBLEM);
    const char *type = member(v, "type"), *detail = member(v, "detail");
    if (strncmp(type, "/problems/", 10) != 0)
        fail_msg("the type is %s", type);
    check_page(type, member(v, "title"));
    assert_int_equal(json_integer_value(json_object_get(v, "status")),
                     x->res.status);
    assert_true(*member(v, "title") && *detail);
    assert_string_equal(member(v, "error"), detail);
    if (!frugal) {
        assert_string_equal(member(v, "instance"), x->req.path);
        assert_string_equal(member(v, "request_id"), ID);
    }
    if (x->res.status == 422)
        check_faults(v, detail);
    json_decref(v);
}

static const char *problem_name(const struct exchange *x)
{
    static char name[64];
    json_t *v = json_loadb(x->res.body, x->res.body_len, 0, NULL);
    const char *type = member(v, "type");
    snprintf(name, sizeof(name), "%s", strlen(type) > 10 ? type + 10 : "none");
    json_decref(v);
    return name;
}

static const struct {
    const char *path;
    bool read, scores;
    const char *type;
} paths[] = {
    {"/", true, false, TEXT},
    {"/livez", true, false, JSON},
    {"/healthz", true, false, JSON},
    {"/readyz", true, false, JSON},
    {"/version", true, false, JSON},
    {"/v1", true, false, JSON},
    {"/problems/malformed-json", true, false, TEXT},
    {"/problems/none", false, false, TEXT},
    {SCORE, false, true, JSON},
    {"", false, false, NULL},
    {"/v1/", false, false, NULL},
    {"/livez/", false, false, NULL},
    {"/problems", false, false, NULL},
    {"/problems/", false, false, NULL},
    {"/problems/a/b", false, false, NULL},
    {"/v3", false, false, NULL},
    {"/*", false, false, NULL},
};
static const char *const methods[] = {
    "GET",   "HEAD",    "POST", "PUT",     "DELETE", "PATCH",
    "TRACE", "OPTIONS", "get",  "CONNECT", "",       "POSTS",
};

/* What path row i must answer to a method. */
static int status_of(size_t i, const char *method)
{
    bool get_like = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!paths[i].type)
        return 404;
    if (strcmp(method, "OPTIONS") == 0)
        return 204;
    if (paths[i].scores)
        return strcmp(method, "POST") == 0 ? 200 : 405;
    return !get_like ? 405 : paths[i].read ? 200 : 404;
}

static void check_pair(size_t i, const char *method)
{
    struct exchange x = {.req = {.method = method,
                                 .path = paths[i].path,
                                 .body = BODY,
                                 .content_type = JSON}};
    run(&x, PLENTY);
    const struct api_response *res = &x.res;
    int want = status_of(i, method);
    const char *allow = want == 405 || want == 204
                            ? paths[i].scores ? "POST, OPTIONS" : READ
                            : NULL;
    if (res->status != want || !same(res->allow, allow) || res->accept_post)
        fail_msg("%s %s: %d, Allow %s", method, paths[i].path, res->status,
                 res->allow ? res->allow : "none");
    if (want == 204)
        assert_true(!res->content_type && res->body_len == 0);
    else if (want == 200)
        assert_string_equal(res->content_type, paths[i].type);
    else
        check_problem(&x, false);
    assert_int_equal(x.route.inline_bytes_max, 0);
    arena_free(&x.mem);
}

static void every_path_answers_every_method(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        for (size_t j = 0; j < COUNT(methods); j++)
            check_pair(i, methods[j]);
}

/* POST SCORE.  says is the type of an answer, or the name of a problem. */
static const struct {
    int status;
    const char *says, *body, *accept, *type, *encoding;
} posts[] = {
    {200, JSON, BODY, NULL, JSON, NULL},
    {200, JSON, BODY, "*/*", JSON "; charset=utf-8", "identity"},
    {200, JSON, ALL_OUTPUTS, NULL, JSON, NULL},
    {200, TEXT, BODY, "text/plain", JSON, NULL},
    {200, TEXT, BODY, "text/*;q=0.5, application/*;q=0.4", JSON, NULL},
    {406, "not-acceptable", BODY, "text/html", JSON, NULL},
    {406, "not-acceptable", ALL_OUTPUTS, "text/plain", JSON, NULL},
    {415, MEDIA, BODY, NULL, NULL, NULL},
    {415, MEDIA, BODY, NULL, "text/plain", NULL},
    {415, MEDIA, BODY, NULL, "application/x-www-form-urlencoded", NULL},
    {415, MEDIA, BODY, NULL, JSON "; charset=latin1", NULL},
    {415, MEDIA, BODY, NULL, JSON, "br"},
    {400, "malformed-content", BODY, NULL, JSON, "gzip"},
    {400, "malformed-content", BODY, NULL, JSON, " ZSTD"},
    {400, "malformed-json", "", NULL, JSON, NULL},
    {400, "malformed-json", "[", NULL, JSON, NULL},
    {400, "malformed-json", "{\"a\":1,\"a\":1}", NULL, JSON, NULL},
    {422, "invalid-value", "[]", NULL, JSON, NULL},
    {422, "missing-member", "{}", NULL, JSON, NULL},
    {422, "missing-member", "{" GROUND_TRUTH "}", NULL, JSON, NULL},
    {422, "unknown-image", DETECTION("3", "1"), NULL, JSON, NULL},
    {422, "non-finite-number", DETECTION("1", "\"NaN\""), NULL, JSON, NULL},
    {422, "number-out-of-range", DETECTION("1", "1e999"), NULL, JSON, NULL},
    {422, "duplicate-image-id", TWICE, NULL, JSON, NULL},
    {422, "unknown-member", WITH("\"outptus\":[]"), NULL, JSON, NULL},
    {501, "not-offered", SEGM, NULL, JSON, NULL},
};

static void posts_have_their_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(posts); i++) {
        struct exchange x = {.req = {.method = "POST",
                                     .path = SCORE,
                                     .body = posts[i].body,
                                     .accept = posts[i].accept,
                                     .content_type = posts[i].type,
                                     .content_encoding = posts[i].encoding}};
        run(&x, PLENTY);
        if (x.res.status != 200)
            check_problem(&x, false);
        const char *says =
            x.res.status == 200 ? x.res.content_type : problem_name(&x);
        bool refused = x.res.status == 415;
        if (x.res.status != posts[i].status || !same(says, posts[i].says) ||
            refused != same(x.res.accept_post, JSON ", multipart/form-data"))
            fail_msg("post %zu: %d, %s: %.*s", i, x.res.status, says,
                     (int)x.res.body_len, x.res.body);
        arena_free(&x.mem);
    }
}

static void long_bodies_are_refused_by_their_head(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct exchange x = {.req = {.method = "POST",
                                     .path = SCORE,
                                     .body = BODY,
                                     .content_type = JSON,
                                     .length_known = true,
                                     .content_length = BODY_BYTES_MAX + over}};
        run(&x, PLENTY);
        assert_int_equal(x.res.status, over ? 413 : 200);
        if (over)
            check_problem(&x, false);
        assert_true(!over || memmem(x.res.body, x.res.body_len, "100000 b", 8));
        arena_free(&x.mem);
    }
}

static void faults_are_listed_up_to_their_bound(void **state)
{
    (void)state;
    char body[4000] = "{" GROUND_TRUTH ",\"detections\":[1";
    for (size_t i = 0; i < 60; i++)
        strcat(body, ",2");
    struct exchange x = post(strcat(body, "]}"), NULL, PLENTY);
    check_problem(&x, false);
    json_t *v = json_loadb(x.res.body, x.res.body_len, 0, NULL);
    json_t *faults = json_object_get(v, "errors");
    assert_int_equal(json_array_size(faults), FAULTS_MAX);
    assert_string_equal(member(json_array_get(faults, 19), "pointer"),
                        "/detections/19");
    json_decref(v);
    arena_free(&x.mem);
}

static void every_problem_has_a_page(void **state)
{
    (void)state;
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        char uri[80];
        const struct problem_type *type = problem_type(p);
        assert_true(type->status >= 400 && type->status < 600);
        snprintf(uri, sizeof(uri), "/problems/%s", type->name);
        check_page(uri, type->title);
    }
}

/* API.md: live is live until the end, ready is not. */
static void draining_is_not_ready(void **state)
{
    (void)state;
    static const char *const rows[] = {"/livez", "/healthz", "/readyz"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exchange x = {.req = {.method = "GET", .path = rows[i]},
                             .env = {.draining = true}};
        run(&x, PLENTY);
        assert_int_equal(x.res.status, i == 2 ? 503 : 200);
        assert_int_equal(x.res.retry_after_s > 0, i == 2);
        if (i == 2)
            check_problem(&x, false);
        arena_free(&x.mem);
    }
}

static const struct {
    const char *query;
    bool pretty;
} queries[] = {
    {"", false},          {"pretty", true},     {"pretty=1", true},
    {"a=1&pretty", true}, {"pretty&a=1", true}, {"&&pretty=", true},
    {"prettier", false},  {"xpretty", false},   {"a=pretty", false},
    {"PRETTY", false},
};

static void pretty_is_asked_for_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct exchange x = {
            .req = {.method = "GET", .path = "/v1", .query = queries[i].query}};
        run(&x, PLENTY);
        bool pretty = memchr(x.res.body, '\n', x.res.body_len);
        if (pretty != queries[i].pretty)
            fail_msg("?%s is %s", queries[i].query, pretty ? "pretty" : "not");
        arena_free(&x.mem);
    }
}

/* Whatever memory there is: the whole answer, or a 413 that can be read. */
static void check_budget(const struct exchange *x,
                         const struct api_response *whole, size_t budget)
{
    const struct api_response *res = &x->res;
    if (res->status == 413) {
        check_problem(x, true);
        assert_string_equal(problem_name(x), "too-much-memory");
        assert_int_equal(res->retry_after_s, 0);
        return;
    }
    if (res->status != whole->status || res->body_len != whole->body_len ||
        memcmp(res->body, whole->body, res->body_len) != 0 ||
        !same(res->content_type, whole->content_type))
        fail_msg("%s with %zu bytes: %d, %zu bytes: %.*s", x->req.path, budget,
                 res->status, res->body_len, (int)res->body_len, res->body);
}

/* reached: some budget up to 400 KB is enough. */
static const struct {
    const char *body, *accept;
    bool reached;
} budgets[] = {
    {BODY, NULL, true},
    {OUTPUTS("\"per_class\""), NULL, true},
    {OUTPUTS("\"per_image\""), NULL, true},
    {OUTPUTS("\"arrays\""), NULL, false},
    {OUTPUTS("\"summary\",\"per_class\",\"per_image\""), "text/plain", true},
    {FEW("\"summary\""), NULL, true},
    {FEW("\"per_class\""), NULL, true},
    {FEW("\"per_image\""), NULL, true},
    {FEW("\"arrays\""), NULL, true},
    {FEW(EVERY_OUTPUT), NULL, true},
};

static void any_budget_gives_an_answer_or_413(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(budgets); i++) {
        size_t answers = 0, refusals = 0;
        struct exchange whole =
            post(budgets[i].body, budgets[i].accept, PLENTY);
        assert_int_equal(whole.res.status, 200);
        for (size_t b = 0; b <= 400 * 1024; b += b < 32768 ? 64 : 1021) {
            struct exchange x = post(budgets[i].body, budgets[i].accept, b);
            check_budget(&x, &whole.res, b);
            answers += x.res.status == 200;
            refusals += x.res.status == 413;
            arena_free(&x.mem);
        }
        if ((answers > 0) != budgets[i].reached || refusals == 0)
            fail_msg("%zu: %zu answers, %zu refusals", i, answers, refusals);
        arena_free(&whole.mem);
    }
}

/* Likewise of every other path, and of requests that are wrong anyway. */
static void any_budget_suffices_for_a_problem(void **state)
{
    (void)state;
    for (size_t b = 0; b <= 32768; b += 64) {
        for (size_t i = 0; i < COUNT(paths); i++) {
            struct exchange whole = get(paths[i].path, PLENTY);
            struct exchange x = get(paths[i].path, b);
            check_budget(&x, &whole.res, b);
            arena_free(&x.mem);
            arena_free(&whole.mem);
        }
        struct exchange whole = post(OUTPUTS("\"sumary\",1"), NULL, PLENTY);
        struct exchange x = post(OUTPUTS("\"sumary\",1"), NULL, b);
        assert_int_equal(whole.res.status, 422);
        check_budget(&x, &whole.res, b);
        arena_free(&x.mem);
        arena_free(&whole.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_answers_every_method),
        cmocka_unit_test(posts_have_their_answers),
        cmocka_unit_test(long_bodies_are_refused_by_their_head),
        cmocka_unit_test(faults_are_listed_up_to_their_bound),
        cmocka_unit_test(every_problem_has_a_page),
        cmocka_unit_test(draining_is_not_ready),
        cmocka_unit_test(pretty_is_asked_for_by_its_name),
        cmocka_unit_test(any_budget_gives_an_answer_or_413),
        cmocka_unit_test(any_budget_suffices_for_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
