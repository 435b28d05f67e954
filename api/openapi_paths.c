/* What the paths are, as the table of routes has them. */
#include "api/openapi.h"

#include "api/oip.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96, HEADERS_MAX = 8 };

/* "get_v1_operations_group_name": the method and the words of the path. */
static void write_id(struct json_out *out, const char *method, const char *path)
{
    char id[NAME_BYTES];
    size_t n = (size_t)snprintf(id, sizeof(id), "%s", method);
    if (path[1] == '\0')
        path = "/guide";
    for (; *path && n + 2 < sizeof(id); path++) {
        if (isalnum((unsigned char)*path))
            id[n++] = *path;
        else if (id[n - 1] != '_' && *path != '}')
            id[n++] = '_';
    }
    id[n] = '\0';
    out_member_string(out, "operationId", id);
}

/* What a {name} in a path is. */
static const char *name_text(const char *path, const char *name)
{
    if (strcmp(name, "image_id") == 0)
        return "'in':'path','required':true,'description':'An image of the "
               "dataset, by id.','schema':@integer}";
    if (strcmp(name, "id") == 0)
        return "'in':'path','required':true,'description':'Of the run, as it "
               "was given when it was opened.','schema':@RunId}";
    if (strncmp(path, "/v1/datasets", 12) == 0)
        return "'in':'path','required':true,'description':'Of the dataset.',"
               "'schema':@DatasetName}";
    return "'in':'path','required':true,'description':'As GET /v1 or GET "
           "/v1/operations names it; a model is group.name, its version 1.',"
           "'schema':@string}";
}

/* The {names} of a path as parameters. */
static void write_names(struct json_out *out, const char *path)
{
    char name[NAME_BYTES];
    for (const char *p = path; (p = strchr(p, '{')); p++) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 1, "}"), p + 1);
        out_open(out, '{');
        out_member_string(out, "name", name);
        openapi_text(out, name_text(path, name));
    }
}

static bool is_json(const char *type)
{
    return strcmp(type, "application/json") == 0;
}

static void write_parameters(struct json_out *out, const struct route *r)
{
    out_key(out, "parameters");
    out_open(out, '[');
    write_names(out, r->path);
    openapi_ref(out, "parameters", "RequestId");
    openapi_ref(out, "parameters", "RequestTimeout");
    if (is_json(r->produces[0]))
        openapi_ref(out, "parameters", "Pretty");
    if (r->tagged)
        openapi_ref(out, "parameters", "IfNoneMatch");
    openapi_encodings(out, r->consumes);
    if (r->post == oip_infer)
        openapi_ref(out, "parameters", "Inference-Header-Content-Length");
    out_close(out, ']');
}

/* {"<type>": {"schema": ...}} for each type of the answer. */
static void write_types(struct json_out *out, const struct route *r,
                        const char *gives)
{
    char type[NAME_BYTES];
    out_key(out, "content");
    out_open(out, '{');
    for (size_t i = 0; r->produces[i]; i++) {
        snprintf(type, sizeof(type), "%.*s", (int)strcspn(r->produces[i], ";"),
                 r->produces[i]);
        out_key(out, type);
        out_open(out, '{');
        out_key(out, "schema");
        if (is_json(type) && gives)
            openapi_ref(out, "schemas", gives);
        else
            openapi_text(out, is_json(type) ? "{'type':'object'}" : "@string");
        out_close(out, '}');
    }
    out_close(out, '}');
}

/* One method of a route that is written. */
struct verb {
    const char *name; /* "get" */
    bool has_body, computes, deletes, changes;
};

static void write_success(struct json_out *out, const struct route *r,
                          const struct verb *verb,
                          const struct method_words *say, const char *status)
{
    const char *header[HEADERS_MAX] = {"X-Request-Id", "Content-Encoding",
                                       "Vary"};
    bool created = strcmp(status, "201") == 0;
    size_t n = 3;
    if (verb->computes)
        header[n++] = "Server-Timing";
    if (r->tagged && strcmp(verb->name, "post") != 0)
        header[n++] = "ETag";
    if (r->post == oip_infer)
        header[n++] = "Inference-Header-Content-Length";
    if (created)
        header[n++] = "Location";
    out_key(out, status);
    out_open(out, '{');
    if (verb->deletes) {
        out_member_string(out, "description", "It is gone.");
        openapi_headers(out, header, 1);
    } else {
        out_member_string(out, "description",
                          created        ? "It is new."
                          : say->creates ? "It was there already."
                                         : "The answer.");
        openapi_headers(out, header, n);
        write_types(out, r, say->gives);
    }
    out_close(out, '}');
}

static unsigned traits_of_method(const struct route *r, const struct verb *verb,
                                 const struct method_words *say)
{
    return (verb->has_body ? HAS_BODY : 0u) |
           (strchr(r->path, '{') || say->names ? HAS_NAME : 0u) |
           (r->stored ? IS_STORED | HAS_QUERY : 0u) |
           (r->stored && verb->changes ? CHANGES : 0u) |
           (say->conflicts ? CONFLICTS : 0u) |
           (say->conditional ? IS_CONDITIONAL : 0u);
}

static void write_answers(struct json_out *out, const struct route *r,
                          const struct verb *verb,
                          const struct method_words *say)
{
    out_key(out, "responses");
    out_open(out, '{');
    write_success(out, r, verb, say, verb->deletes ? "204" : "200");
    if (say->creates)
        write_success(out, r, verb, say, "201");
    if (r->tagged && !verb->changes) {
        out_key(out, "304");
        openapi_ref(out, "responses", "NotModified");
    }
    if (oip_owns(r->path))
        openapi_text(out, "'4XX':{'$ref':'#/components/responses/OipError'},"
                          "'5XX':{'$ref':'#/components/responses/OipError'}");
    else
        openapi_problems(out, traits_of_method(r, verb, say));
    out_close(out, '}');
}

/* The one form there is. */
static void write_form(struct json_out *out)
{
    openapi_text(out, "{'schema':@DetectionForm,'encoding':{"
                      "'ground_truth':{'contentType':'application/json'},"
                      "'detections':{'contentType':"
                      "'application/json, application/x-npy'},"
                      "'parameters':{'contentType':'application/json'},"
                      "'outputs':{'contentType':'application/json'},"
                      "'nonfinite':{'contentType':'application/json'}}}");
}

/* {"<type>": {"schema": ...}} for each type of the body. */
static void write_body(struct json_out *out, const struct route *r,
                       const struct method_words *say)
{
    openapi_text(out, say->optional_body
                          ? "'requestBody':{'required':false,'content':{"
                          : "'requestBody':{'required':true,'content':{");
    for (size_t i = 0; r->consumes[i]; i++) {
        out_key(out, r->consumes[i]);
        if (strcmp(r->consumes[i], "multipart/form-data") == 0) {
            write_form(out);
            continue;
        }
        openapi_text(out, "{'schema':");
        if (is_json(r->consumes[i]) && say->takes)
            openapi_ref(out, "schemas", say->takes);
        else
            openapi_text(out, is_json(r->consumes[i]) ? "{'type':'object'}"
                                                      : "@string");
        openapi_text(out, "}");
    }
    openapi_text(out, "}}");
}

static void write_method(struct json_out *out, const struct route *r,
                         const struct verb *verb)
{
    const struct method_words say = openapi_words_of(r, verb->name);
    out_key(out, verb->name);
    out_open(out, '{');
    write_id(out, verb->name, r->path);
    out_key(out, "tags");
    out_open(out, '[');
    out_string(out, route_words(r)->tag);
    out_close(out, ']');
    out_member_string(out, "summary", say.summary);
    openapi_method_parameters(out, &say);
    if (verb->has_body)
        write_body(out, r, &say);
    write_answers(out, r, verb, &say);
    out_close(out, '}');
}

static void write_methods(struct json_out *out, const struct route *r)
{
    const struct {
        api_handler *handler;
        struct verb verb;
    } rows[] = {
        {r->get, {"get", false, false, false, false}},
        {r->put, {"put", true, true, false, true}},
        {r->post, {"post", true, true, false, true}},
        {r->patch, {"patch", true, false, false, true}},
        {r->delete, {"delete", false, false, true, true}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].handler)
            write_method(out, r, &rows[i].verb);
}

void openapi_paths(struct json_out *out)
{
    out_key(out, "paths");
    out_open(out, '{');
    for (size_t i = 0; i < n_routes; i++) {
        const struct route *r = &routes[i];
        if (r->post == operation_post) {
            openapi_operation_paths(out);
            continue;
        }
        out_key(out, r->path);
        out_open(out, '{');
        write_parameters(out, r);
        write_methods(out, r);
        out_close(out, '}');
    }
    out_close(out, '}');
}
