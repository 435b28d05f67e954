/*
 * Datasets and runs, endpoint by endpoint: what each answers, every fault by
 * its text and pointer, and what is told when the store fails.
 */
#include "tests/asked.h"
#include "tests/run_faults.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
static struct kept kept;
static char run[64];

static const char *below(const char *rest)
{
    static char path[4][128]; /* of the last four */
    static size_t next;
    char *at = path[next++ % 4];
    snprintf(at, sizeof(path[0]), "%s%s", run, rest);
    return at;
}

static struct question get(const char *path)
{
    return (struct question){.method = "GET", .path = path};
}

/* A member of an answer, as text; in a buffer of its own. */
static const char *member(const struct answer *a, const char *key)
{
    static char text[4096];
    json_t *v = json_loads(a->body, 0, NULL);
    char *member =
        json_dumps(json_object_get(v, key), JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(text, sizeof(text), "%s", member ? member : "none");
    free(member);
    json_decref(v);
    return text;
}

static void has(const struct question *q, int status, const char *key,
                const char *value)
{
    struct answer a = must(&kept, status, q);
    assert_string_equal(member(&a, key), value);
    done(&a);
}

static const struct question put_gt = {
    .method = "PUT", .path = "/v1/datasets/val", .body = GT};

static void open_run(const char *members)
{
    char body[512];
    snprintf(body, sizeof(body), "{\"dataset\":\"val\"%s%s}",
             *members ? "," : "", members);
    struct answer a = must(
        &kept, 201,
        &(struct question){.method = "POST", .path = "/v1/runs", .body = body});
    snprintf(run, sizeof(run), "%s", a.location);
    done(&a);
}

static int begin(void **unused)
{
    (void)unused;
    kept_init(&kept);
    expect(&kept, 201, &put_gt);
    open_run("");
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    kept_drop(&kept);
    return 0;
}

static struct question images(const char *body)
{
    return (struct question){
        .method = "POST", .path = below("/images"), .body = body};
}

static struct question finalize(const char *query, const char *body)
{
    return (struct question){.method = "POST",
                             .path = below("/finalize"),
                             .query = query,
                             .body = body};
}

/* ---- datasets ---- */

static void a_dataset_is_put_and_got(void **unused)
{
    (void)unused;
    struct answer a = must(&kept, 200, &put_gt);
    char tag[80];
    snprintf(tag, sizeof(tag), "%s", a.etag);
    assert_string_equal(tag, member(&a, "sha256"));
    assert_null(a.location);
    done(&a);
    struct question q = get("/v1/datasets/val");
    has(&q, 200, "images", "3");
    has(&q, 200, "annotations", "2");
    has(&q, 200, "categories", "1");
    has(&q, 200, "name", "\"val\"");
    a = must(&kept, 200, &q);
    assert_string_equal(a.etag, tag);
    done(&a);
    q.method = "HEAD";
    a = must(&kept, 200, &q);
    assert_string_equal(a.etag, tag);
    done(&a);
    q.if_none_match = tag;
    a = must(&kept, 304, &q);
    assert_string_equal(a.etag, tag);
    done(&a);
    struct question again = put_gt;
    again.if_none_match = tag;
    expect(&kept, 412, &again);
    again.path = "/v1/datasets/a";
    again.if_none_match = NULL;
    a = must(&kept, 201, &again);
    assert_string_equal(a.location, "/v1/datasets/a");
    done(&a);
    q = get("/v1/datasets");
    q.query = "limit=1";
    has(&q, 200, "next", "\"a\"");
    q.query = "limit=1&cursor=a";
    has(&q, 200, "next", "null");
    q.query = "cursor=val";
    has(&q, 200, "datasets", "[]");
    q = (struct question){.method = "DELETE", .path = "/v1/datasets/a"};
    a = must(&kept, 204, &q);
    assert_int_equal(a.len, 0);
    done(&a);
    expect(&kept, 404, &q);
}

static void the_hash_is_that_of_the_text(void **unused)
{
    (void)unused;
    /* printf %s '{"images":[{"id":1}],...}' | sha256sum */
    struct question q = {
        .method = "PUT", .path = "/v1/datasets/o", .body = OTHER};
    has(&q, 201, "sha256",
        "\"d0bbad166327d79a251228dfc13b089a"
        "9de19a0c6943d5ea82f982890ebe4e28\"");
}

static void names_in_use_need_replace(void **unused)
{
    (void)unused;
    struct question q = put_gt, f = finalize("partial", NULL);
    q.body = OTHER;
    expect(&kept, 200, &f);
    struct answer a = must(&kept, 409, &q);
    assert_string_equal(member(&a, "type"), "\"/problems/conflict\"");
    done(&a);
    q.query = "replace";
    expect(&kept, 200, &q);
    /* the run stays with what it was opened on */
    f = finalize("", "{\"outputs\":[\"per_image\"]}");
    expect(&kept, 200, &f);
}

/* ---- runs ---- */

static void a_run_is_opened_once_per_key(void **unused)
{
    (void)unused;
    struct question q = {.method = "POST",
                         .path = "/v1/runs",
                         .body = "{\"dataset\":\"val\",\"name\":\"n\"}",
                         .key = "k-1"};
    struct answer a = must(&kept, 201, &q), b = must(&kept, 200, &q);
    assert_string_equal(a.location, b.location);
    assert_string_equal(a.body, b.body);
    assert_int_equal(strlen(a.location), strlen("/v1/runs/") + 26);
    done(&a);
    done(&b);
    q.body = "{\"dataset\":\"val\"}";
    expect(&kept, 409, &q);
    q.key = "k-2";
    expect(&kept, 201, &q);
    q.key = "a b";
    expect(&kept, 422, &q);
    q.key = "";
    expect(&kept, 422, &q);
}

static void a_run_has_its_members(void **unused)
{
    (void)unused;
    open_run("\"name\":\"n\",\"tags\":{\"b\":\"1\",\"a\":\"2\"},"
             "\"expected_images\":2");
    struct question q = get(run), batch = images(BATCH);
    has(&q, 200, "state", "\"open\"");
    has(&q, 200, "tags", "{\"a\":\"2\",\"b\":\"1\"}");
    has(&q, 200, "expected_images", "2");
    has(&q, 200, "progress", "0.0");
    has(&q, 200, "finalized_at", "null");
    has(&q, 200, "warnings", "none");
    struct answer a = must(&kept, 200, &batch);
    assert_string_equal(member(&a, "added"), "2");
    assert_string_equal(member(&a, "images"), "2");
    assert_string_equal(member(&a, "detections"), "3");
    done(&a);
    has(&batch, 200, "repeated", "2");
    has(&q, 200, "progress", "1.0");
    a = must(&kept, 200, &q);
    struct question same = q;
    char tag[80];
    snprintf(tag, sizeof(tag), "%s", a.etag);
    same.if_none_match = tag;
    expect(&kept, 304, &same);
    done(&a);
    struct question f = finalize("", NULL);
    expect(&kept, 200, &f);
    expect(&kept, 200, &f);
    has(&q, 200, "state", "\"finalized\"");
    has(&batch, 200, "repeated", "2");
    struct question late = images("{\"image_ids\":[3],\"detections\":[]}");
    has(&late, 409, "type", "\"/problems/run-finalized\"");
    q = (struct question){.method = "DELETE", .path = run};
    expect(&kept, 204, &q);
    expect(&kept, 404, &q);
}

static void tags_are_merged(void **unused)
{
    (void)unused;
    open_run("\"tags\":{\"b\":\"1\",\"a\":\"2\"}");
    struct question q = {.method = "PATCH",
                         .path = run,
                         .body = "{\"name\":\"x\",\"tags\":{\"c\":\"\","
                                 "\"a\":null,\"b\":\"3\"}}"};
    has(&q, 200, "tags", "{\"b\":\"3\",\"c\":\"\"}");
    q.body = "{}";
    has(&q, 200, "name", "\"x\"");
    struct question list = get("/v1/runs");
    list.query = "tag=b:3&state=open&dataset=val";
    struct answer a = must(&kept, 200, &list);
    assert_non_null(strstr(a.body, run));
    assert_non_null(strstr(a.body, "\"protocol\":\"sha256:"));
    done(&a);
    list.query = "tag=b:1";
    has(&list, 200, "runs", "[]");
    list.query = "tag=c&limit=1";
    has(&list, 200, "next", "null");
    list.query = "limit=1";
    a = must(&kept, 200, &list);
    assert_string_not_equal(member(&a, "next"), "null");
    done(&a);
}

static void conflicts_take_nothing(void **unused)
{
    (void)unused;
    struct question q = images(BATCH);
    expect(&kept, 200, &q);
    q = images("{\"image_ids\":[3,2],\"detections\":[]}");
    struct answer a = must(&kept, 409, &q);
    assert_string_equal(member(&a, "type"), "\"/problems/image-conflict\"");
    assert_non_null(strstr(a.body, "\"/image_ids/1\""));
    done(&a);
    q = get(run);
    has(&q, 200, "images", "2");
    q = images("{\"image_ids\":[3,2],\"detections\":[]}");
    q.query = "on_conflict=replace";
    has(&q, 200, "replaced", "1");
    has(&q, 200, "repeated", "2");
    q = get(run);
    has(&q, 200, "detections", "2");
}

/* Whoever closes it first has the numbers of all. */
static void add_one(struct kept *k, const char *id)
{
    struct question q = images("{\"image_ids\":[3],\"detections\":[]}");
    (void)id;
    k->meanwhile = NULL;
    expect(k, 200, &q);
}

static void close_it(struct kept *k, const char *id)
{
    struct question q = finalize("partial", NULL);
    (void)id;
    k->meanwhile = NULL;
    expect(k, 200, &q);
}

static void closing_is_a_race(void **unused)
{
    (void)unused;
    struct question q = finalize("partial", NULL);
    kept.meanwhile = add_one;
    struct answer a = must(&kept, 200, &q);
    assert_non_null(strstr(a.body, "\"images\":1,"));
    done(&a);
    open_run("");
    kept.meanwhile = close_it;
    q = finalize("partial", NULL);
    expect(&kept, 200, &q);
}

/* ---- faults ---- */

static void every_fault_is_told(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fault *row = &rows[i];
        bool whole = strncmp(row->path, "/v1", 3) == 0;
        struct question q = {.method = row->method,
                             .path = whole ? row->path : below(row->path),
                             .query = row->query,
                             .body = row->body};
        struct answer a = must(&kept, row->status, &q);
        json_t *v = json_loads(a.body, 0, NULL);
        const json_t *f = json_array_get(json_object_get(v, "errors"), 0);
        const char *pointer = json_string_value(json_object_get(f, "pointer"));
        const char *detail =
            json_string_value(json_object_get(f ? f : v, "detail"));
        if (strcmp(pointer ? pointer : "", row->pointer) != 0 || !detail ||
            (row->detail && strcmp(detail, row->detail) != 0))
            fail_msg("%s %s %s: %s", row->method, row->path,
                     row->body ? row->body : "", a.body);
        json_decref(v);
        done(&a);
    }
    assert_int_equal(kept.is.n_images, 0);
    assert_int_equal(kept.is.n_datasets, 1);
}

static void faults_of_a_batch_have_a_bound(void **unused)
{
    (void)unused;
    struct question q =
        images("{\"image_ids\":[9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9],"
               "\"detections\":[" DT("5") "1}]}");
    struct answer a = must(&kept, 422, &q);
    json_t *v = json_loads(a.body, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(v, "errors")), FAULTS_MAX);
    json_decref(v);
    done(&a);
}

/* Whatever the store says is told, whichever call it says it to. */
static void a_store_that_fails_is_told(void **unused)
{
    (void)unused;
    static const struct {
        enum store_status status;
        int http;
    } failures[] = {{STORE_FULL, 507},
                    {STORE_GONE, 503},
                    {STORE_MEMORY, 413},
                    {STORE_BROKEN, 500},
                    {STORE_MISSING, 404}};
    struct question q[] = {
        put_gt,
        get("/v1/datasets/val"),
        get("/v1/datasets"),
        {.method = "DELETE", .path = "/v1/datasets/val"},
        {.method = POST, .path = "/v1/runs", .body = "{\"dataset\":\"val\"}"},
        get("/v1/runs"),
        get(run),
        {.method = "PATCH", .path = run, .body = "{\"name\":\"n\"}"},
        {.method = "DELETE", .path = run},
        {.method = POST, .body = BATCH},
        {.method = POST,
         .query = "partial",
         .body = "{\"outputs\":[\"errors\"]}"}};
    static struct kept_state before;
    size_t told = 0;
    before = kept.is;
    for (size_t i = 0; i < COUNT(q); i++)
        for (size_t f = 0; f < COUNT(failures); f++)
            for (size_t at = 0;; at++) {
                char path[128];
                snprintf(path, sizeof(path), "%s%s", run,
                         i == COUNT(q) - 1 ? "/finalize" : "/images");
                if (i >= COUNT(q) - 2)
                    q[i].path = path;
                kept_drop(&kept);
                kept.is = before;
                kept.calls = 0;
                kept.fail = failures[f].status;
                kept.fail_after = at;
                struct answer a = ask(&kept, &q[i]);
                kept.fail = STORE_OK;
                bool failed = kept.calls > at;
                /* an unknown dataset is a mistake in the body */
                int want =
                    failures[f].http == 404 && i == 4 ? 422 : failures[f].http;
                if (failed && a.status != want)
                    fail_msg("%s %s, call %zu: %d %s", q[i].method, q[i].path,
                             at, a.status, a.body);
                if (!failed && a.status / 100 != 2)
                    fail_msg("%s %s: %d %s", q[i].method, q[i].path, a.status,
                             a.body);
                done(&a);
                told += failed;
                if (!failed)
                    break;
            }
    assert_in_range(told, 5 * COUNT(q), 500);
}

static void without_a_store_nothing_is_offered(void **unused)
{
    (void)unused;
    struct question q = get("/v1/runs");
    struct answer a = ask(NULL, &q);
    assert_int_equal(a.status, 501);
    done(&a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    static const struct CMUnitTest tests[] = {
        TEST(a_dataset_is_put_and_got),
        TEST(the_hash_is_that_of_the_text),
        TEST(names_in_use_need_replace),
        TEST(a_run_is_opened_once_per_key),
        TEST(a_run_has_its_members),
        TEST(tags_are_merged),
        TEST(conflicts_take_nothing),
        TEST(closing_is_a_race),
        TEST(every_fault_is_told),
        TEST(faults_of_a_batch_have_a_bound),
        TEST(a_store_that_fails_is_told),
        TEST(without_a_store_nothing_is_offered),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
