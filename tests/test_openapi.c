/*
 * The description of the API, as JSON and as a page: complete by the tables
 * of routes and operations, consistent in itself, and known by its tag.
 */
#include "api/api.h"
#include "api/openapi.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PLENTY = 1 << 26, TEXT_BYTES = 256 };

struct exchange {
    struct arena mem;
    struct api_response res;
};

/* GET, or HEAD, which is the same here; the arena is to be released. */
static void get(struct exchange *x, const char *path, const char *tag,
                size_t budget)
{
    struct api_env env = {.par = &parallel_serial, .workers = 1};
    struct api_request req = {.method = "GET",
                              .path = path,
                              .query = "",
                              .if_none_match = tag,
                              .request_id = "7"};
    arena_init(&x->mem, budget);
    if (api_admit(&env, &req, &x->mem, &x->res))
        api_answer(&env, &req, &x->mem, &x->res);
}

static json_t *get_json(const char *path)
{
    struct exchange x;
    json_error_t error;
    get(&x, path, NULL, PLENTY);
    assert_int_equal(x.res.status, 200);
    json_t *doc =
        json_loadb(x.res.body, x.res.body_len, JSON_REJECT_DUPLICATES, &error);
    if (!doc)
        fail_msg("%s: %s at %d", path, error.text, error.position);
    arena_free(&x.mem);
    return doc;
}

/* The value at an RFC 6901 pointer, or NULL. */
static const json_t *at(const json_t *v, const char *pointer)
{
    char key[TEXT_BYTES];
    while (v && *pointer == '/') {
        size_t n = 0;
        for (pointer++; *pointer && *pointer != '/'; pointer++) {
            char c = *pointer;
            if (c == '~')
                c = *++pointer == '1' ? '/' : '~';
            assert_true(n + 1 < sizeof(key));
            key[n++] = c;
        }
        key[n] = '\0';
        v = json_object_get(v, key);
    }
    return v;
}

static const json_t *path_of(const json_t *doc, const char *path)
{
    return json_object_get(json_object_get(doc, "paths"), path);
}

static void every_route_is_there(void **state)
{
    (void)state;
    json_t *doc = get_json("/openapi.json");
    for (size_t i = 0; i < n_routes; i++) {
        const struct route *r = &routes[i];
        const struct route_words *say = route_words(r);
        const json_t *path = path_of(doc, r->path);
        bool json = strcmp(r->produces[0], "application/json") == 0;
        if (strcmp(say->path, r->path) != 0)
            fail_msg("api/openapi_words.c has no words on %s", r->path);
        if (r->post == operation_post)
            continue;
        const struct {
            const char *name;
            api_handler *handler;
            bool takes, gives;
        } methods[] = {{"get", r->get, false, true},
                       {"put", r->put, true, true},
                       {"post", r->post, true, true},
                       {"patch", r->patch, true, true},
                       {"delete", r->delete, false, false}};
        for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
            const json_t *there = json_object_get(path, methods[m].name);
            struct method_words own = openapi_words_of(r, methods[m].name);
            if (!there != !methods[m].handler)
                fail_msg("%s: missing, or with other methods", r->path);
            if (there && (!own.gives != !(json && methods[m].gives) ||
                          !own.takes != !methods[m].takes))
                fail_msg("%s %s: its schemas are not named", methods[m].name,
                         r->path);
        }
    }
    json_decref(doc);
}

/* Of a model's path only the pattern, as {model} is the name of none. */
static bool is_route(const char *path)
{
    for (size_t i = 0; i < n_routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return true;
    return route_find(path) != NULL;
}

static void words_are_of_routes(void **state)
{
    (void)state;
    json_t *doc = get_json("/openapi.json");
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(doc, "paths"), path,
                        item) if (!is_route(path))
        fail_msg("%s leads nowhere", path);
    json_decref(doc);
}

static void every_operation_is_there(void **state)
{
    (void)state;
    json_t *doc = get_json("/openapi.json");
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char path[2 * TEXT_BYTES], id[TEXT_BYTES];
        snprintf(path, sizeof(path), "/v1/%s/%s", op->group, op->name);
        snprintf(id, sizeof(id), "%s_%s", op->group, op->name);
        const json_t *post = at(path_of(doc, path), "/post");
        const json_t *inputs = at(post, "/requestBody/content/application~1json"
                                        "/schema/properties/inputs/properties");
        const json_t *outputs = at(post, "/responses/200/content"
                                         "/application~1json/schema/properties"
                                         "/outputs/properties");
        if (!post)
            fail_msg("%s is missing", path);
        assert_string_equal(json_string_value(at(post, "/operationId")), id);
        assert_int_equal(json_object_size(inputs), op_inputs(op));
        assert_int_equal(json_object_size(outputs),
                         op_outputs(op) + (op->stats != NULL));
        snprintf(path, sizeof(path),
                 "/components/schemas/%s_parameters/properties", id);
        assert_int_equal(json_object_size(at(doc, path)), op_params(op));
    }
    json_decref(doc);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the document */
static size_t check_references(const json_t *doc, const json_t *v)
{
    const char *key, *name = json_string_value(json_object_get(v, "$ref"));
    size_t n = 0, i;
    json_t *member;
    if (name && (name[0] != '#' || !at(doc, name + 1)))
        fail_msg("%s leads nowhere", name);
    json_object_foreach((json_t *)(uintptr_t)v, key, member) n +=
        check_references(doc, member);
    json_array_foreach((json_t *)(uintptr_t)v, i, member) n +=
        check_references(doc, member);
    return n + (name != NULL);
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    json_t *doc = get_json("/openapi.json");
    assert_true(check_references(doc, doc) > op_count());
    json_decref(doc);
}

static void every_problem_is_there(void **state)
{
    (void)state;
    json_t *doc = get_json("/openapi.json");
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        char path[TEXT_BYTES], uri[TEXT_BYTES];
        snprintf(path, sizeof(path), "/components/responses/Problem%d",
                 problem_type(p)->status);
        snprintf(uri, sizeof(uri), "(/problems/%s)", problem_type(p)->name);
        const json_t *response = at(doc, path);
        const char *text =
            json_string_value(json_object_get(response, "description"));
        if (!text || !strstr(text, uri))
            fail_msg("%s is not in %s", uri, path);
    }
    json_decref(doc);
}

/* The members of schemas that stand for a fixed document are its own. */
static void documents_fit_their_schemas(void **state)
{
    static const struct {
        const char *path, *schema;
    } rows[] = {
        {"/livez", "Status"},
        {"/version", "Version"},
        {"/v1", "Service"},
        {"/v1/operations", "Operations"},
    };
    (void)state;
    json_t *doc = get_json("/openapi.json");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[TEXT_BYTES];
        json_t *answer = get_json(rows[i].path), *member;
        const char *key;
        snprintf(path, sizeof(path), "/components/schemas/%s/properties",
                 rows[i].schema);
        json_object_foreach(answer, key,
                            member) if (!json_object_get(at(doc, path), key))
            fail_msg("%s: \"%s\" is not in %s", rows[i].path, key, path);
        assert_int_equal(json_object_size(answer),
                         json_object_size(at(doc, path)));
        json_decref(answer);
    }
    json_decref(doc);
}

static void the_page_has_every_operation(void **state)
{
    (void)state;
    struct exchange x;
    const struct op *op;
    get(&x, "/docs", NULL, PLENTY);
    assert_int_equal(x.res.status, 200);
    assert_string_equal(x.res.content_type, "text/html; charset=utf-8");
    char *page = strndup(x.res.body, x.res.body_len);
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        char id[TEXT_BYTES];
        snprintf(id, sizeof(id), "<section id=\"%s/%s\">", op->group, op->name);
        if (!strstr(page, id))
            fail_msg("no %s", id);
    }
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "src="));
    free(page);
    arena_free(&x.mem);
}

static void any_memory_gives_an_answer(void **state)
{
    static const char *const paths[] = {"/openapi.json", "/docs"};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t budget = 1 << 10; budget <= PLENTY; budget *= 2) {
            struct exchange x;
            get(&x, paths[i], NULL, budget);
            if (x.res.status != 413)
                assert_int_equal(x.res.status, 200);
            if (budget == PLENTY)
                assert_int_equal(x.res.status, 200);
            arena_free(&x.mem);
        }
}

static void tags_are_compared(void **state)
{
    static const struct {
        const char *before, *after; /* around the tag */
        bool with_tag;
        int status;
    } rows[] = {
        {"", "", true, 304},
        {"*", "", false, 304},
        {"W/", "", true, 304},
        {"\"a\", ", "", true, 304},
        {"", ", W/\"b\"", true, 304},
        {"\"a\"", "", false, 200},
        {"", "", false, 200},
        {"\"", "\"x", true, 304},
        {"\"\", \"*\"", "", false, 200},
    };
    static const char *const paths[] = {
        "/openapi.json", "/docs", "/v1/operations", "/", "/problems/not-found"};
    (void)state;
    for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct exchange x;
            char tag[TEXT_BYTES], header[TEXT_BYTES];
            get(&x, paths[p], NULL, PLENTY);
            snprintf(tag, sizeof(tag), "%s", x.res.etag);
            arena_free(&x.mem);
            assert_int_equal(strlen(tag), 34);
            snprintf(header, sizeof(header), "%s%s%s", rows[i].before,
                     rows[i].with_tag ? tag : "", rows[i].after);
            get(&x, paths[p], header, PLENTY);
            if (x.res.status != rows[i].status)
                fail_msg("%s: %s: %d", paths[p], header, x.res.status);
            assert_string_equal(x.res.etag, tag);
            assert_true(!x.res.content_type == (rows[i].status == 304));
            arena_free(&x.mem);
        }
}

static void only_lasting_answers_have_tags(void **state)
{
    static const char *const paths[] = {"/livez", "/v1", "/no/such/path",
                                        "/problems/nothing",
                                        "/v1/operations/losses/nothing"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct exchange x;
        get(&x, paths[i], "*", PLENTY);
        assert_null(x.res.etag);
        assert_true(x.res.status != 304 && x.res.body_len > 0);
        arena_free(&x.mem);
    }
}

static void text_becomes_json(void **state)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"'a'", "\"a\""},
        {"-1.5e3", "-1.5e3"},
        {"[]", "[]"},
        {"[@string,@Box]", "[{\"type\":\"string\"},"
                           "{\"$ref\":\"#/components/schemas/Box\"}]"},
        {"{'a':[1,true,{}],'b':'x, {y}: [z]'}",
         "{\"a\":[1,true,{}],\"b\":\"x, {y}: [z]\"}"},
        {"{'a\\b':null,'c':{'d':'\"'}}",
         "{\"a\\\\b\":null,\"c\":{\"d\":\"\\\"\"}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        openapi_text(&out, rows[i].text);
        assert_int_equal(out.len, strlen(rows[i].json));
        assert_memory_equal(out.text, rows[i].json, out.len);
        arena_free(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_there),
        cmocka_unit_test(words_are_of_routes),
        cmocka_unit_test(every_operation_is_there),
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(every_problem_is_there),
        cmocka_unit_test(documents_fit_their_schemas),
        cmocka_unit_test(the_page_has_every_operation),
        cmocka_unit_test(any_memory_gives_an_answer),
        cmocka_unit_test(tags_are_compared),
        cmocka_unit_test(only_lasting_answers_have_tags),
        cmocka_unit_test(text_becomes_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
