/* GET /openapi.json: the whole service, from its tables. */
#include "api/openapi.h"

#include "api/oip.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96, TITLES_BYTES = 1024, REF_BYTES = 160, HEADERS_MAX = 6 };

void openapi_ref(struct json_out *out, const char *kind, const char *name)
{
    char path[REF_BYTES];
    snprintf(path, sizeof(path), "#/components/%s/%s", kind, name);
    out_open(out, '{');
    out_member_string(out, "$ref", path);
    out_close(out, '}');
}

/* A string or a key: what is between two single quotes. */
static const char *write_quoted(struct json_out *out, const char *s)
{
    char text[1024];
    size_t n = strcspn(s, "'");
    snprintf(text, sizeof(text), "%.*s", (int)n, s);
    s += n + 1;
    if (*s == ':')
        out_key(out, text);
    else
        out_string(out, text);
    return s + (*s == ':');
}

/* @string is {"type": "string"}, @Box a reference to the schema Box. */
static const char *write_schema(struct json_out *out, const char *s)
{
    char name[NAME_BYTES];
    size_t n = strcspn(s, ",]}");
    snprintf(name, sizeof(name), "%.*s", (int)n, s);
    if (isupper((unsigned char)*s)) {
        openapi_ref(out, "schemas", name);
        return s + n;
    }
    out_open(out, '{');
    out_member_string(out, "type", name);
    out_close(out, '}');
    return s + n;
}

/* A number, true, false or null. */
static const char *write_word(struct json_out *out, const char *s)
{
    char text[32];
    size_t n = strcspn(s, ",]}");
    snprintf(text, sizeof(text), "%.*s", (int)n, s);
    out_raw(out, text);
    return s + n;
}

void openapi_text(struct json_out *out, const char *s)
{
    while (*s) {
        if (*s == '{' || *s == '[')
            out_open(out, *s++);
        else if (*s == '}' || *s == ']')
            out_close(out, *s++);
        else if (*s == ',')
            s++;
        else if (*s == '\'')
            s = write_quoted(out, s + 1);
        else if (*s == '@')
            s = write_schema(out, s + 1);
        else
            s = write_word(out, s);
    }
}

void openapi_headers(struct json_out *out, const char *const *names, size_t n)
{
    out_key(out, "headers");
    out_open(out, '{');
    for (size_t i = 0; i < n; i++) {
        out_key(out, names[i]);
        openapi_ref(out, "headers", names[i]);
    }
    out_close(out, '}');
}

void openapi_encodings(struct json_out *out, bool has_body)
{
    openapi_ref(out, "parameters", "AcceptEncoding");
    if (has_body)
        openapi_ref(out, "parameters", "ContentEncoding");
}

/* The first problem of this status is where it is described. */
static bool is_first(enum problem p)
{
    for (enum problem q = PROBLEM_NONE + 1; q < p; q++)
        if (problem_type(q)->status == problem_type(p)->status)
            return false;
    return true;
}

static const char *problem_name(int status, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "Problem%d", status);
    return name;
}

/* Those about bodies come of bodies, and those about names of names. */
static bool may_answer(int status, bool has_body, bool has_name)
{
    switch (status) {
    case 413:
    case 415:
    case 422:
    case 501:
        return has_body;
    case 404:
        return has_name;
    default:
        return true;
    }
}

void openapi_problems(struct json_out *out, bool has_body, bool has_name)
{
    char name[NAME_BYTES], code[NAME_BYTES];
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        int status = problem_type(p)->status;
        if (!is_first(p) || !may_answer(status, has_body, has_name))
            continue;
        snprintf(code, sizeof(code), "%d", status);
        out_key(out, code);
        openapi_ref(out, "responses", problem_name(status, name));
    }
}

/* The headers that explain a status, beyond those of every answer. */
static const char *const *headers_of(int status)
{
    static const struct {
        int status;
        const char *names[3];
    } rows[] = {
        {401, {"WWW-Authenticate"}},
        {405, {"Allow"}},
        {415, {"Accept-Post", "Accept-Encoding"}},
        {429, {"Retry-After"}},
        {503, {"Retry-After"}},
        {0, {NULL}},
    };
    size_t i = 0;
    while (rows[i].status && rows[i].status != status)
        i++;
    return rows[i].names;
}

/* One response for all problems of a status. */
static void write_problem(struct json_out *out, int status)
{
    char name[NAME_BYTES], titles[TITLES_BYTES];
    const char *const *explain = headers_of(status);
    const char *header[HEADERS_MAX] = {"X-Request-Id", "Content-Encoding",
                                       "Vary"};
    size_t n = 0, n_headers = 3;
    while (*explain && n_headers < HEADERS_MAX)
        header[n_headers++] = *explain++;
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
        if (problem_type(p)->status == status && n < sizeof(titles))
            n += (size_t)snprintf(
                titles + n, sizeof(titles) - n, "%s%s (/problems/%s)",
                n ? ". " : "", problem_type(p)->title, problem_type(p)->name);
    out_key(out, problem_name(status, name));
    out_open(out, '{');
    out_member_string(out, "description", titles);
    openapi_headers(out, header, n_headers);
    openapi_text(out,
                 "'content':{'application/problem+json':{'schema':@Problem}}}");
}

static void write_responses(struct json_out *out)
{
    out_key(out, "responses");
    out_open(out, '{');
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
        if (is_first(p))
            write_problem(out, problem_type(p)->status);
    openapi_text(out, "'NotModified':{'description':'The answer still has "
                      "the tag that If-None-Match names.','headers':{"
                      "'ETag':{'$ref':'#/components/headers/ETag'}}}"
                      "'OipError':{'description':'What is wrong: 400 a bad "
                      "request, 404 no such model, 405, 406, 413, 415, or 503 "
                      "with Retry-After.','headers':{'X-Request-Id':{"
                      "'$ref':'#/components/headers/X-Request-Id'}},"
                      "'content':{'application/json':{'schema':@OipError}}}");
    out_close(out, '}');
}

static void write_components(struct json_out *out)
{
    out_key(out, "components");
    out_open(out, '{');
    openapi_fixed_parts(out);
    write_responses(out);
    out_key(out, "schemas");
    out_open(out, '{');
    openapi_fixed_schemas(out);
    openapi_operation_schemas(out);
    out_close(out, '}');
    out_close(out, '}');
}

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

/* The {names} of a path as parameters. */
static void write_names(struct json_out *out, const char *path)
{
    char name[NAME_BYTES];
    for (; (path = strchr(path, '{')); path++) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(path + 1, "}"),
                 path + 1);
        out_open(out, '{');
        out_member_string(out, "name", name);
        openapi_text(out, "'in':'path','required':true,'description':"
                          "'As GET /v1 or GET /v1/operations names it; a "
                          "model is group.name, its version 1.',"
                          "'schema':@string}");
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
    openapi_encodings(out, r->post);
    if (r->post == oip_infer)
        openapi_ref(out, "parameters", "Inference-Header-Content-Length");
    out_close(out, ']');
}

/* {"<type>": {"schema": ...}} for each type of the answer. */
static void write_types(struct json_out *out, const struct route *r)
{
    char type[NAME_BYTES];
    out_key(out, "content");
    out_open(out, '{');
    for (size_t i = 0; r->produces[i]; i++) {
        const char *gives = route_words(r)->gives;
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

static void write_answers(struct json_out *out, const struct route *r,
                          bool has_body)
{
    const char *header[] = {"X-Request-Id", "Content-Encoding", "Vary",
                            has_body ? "Server-Timing" : "ETag",
                            "Inference-Header-Content-Length"};
    size_t n = r->post == oip_infer ? 5 : has_body || r->tagged ? 4 : 3;
    out_key(out, "responses");
    out_open(out, '{');
    out_key(out, "200");
    out_open(out, '{');
    out_member_string(out, "description", "The answer.");
    openapi_headers(out, header, n);
    write_types(out, r);
    out_close(out, '}');
    if (r->tagged) {
        out_key(out, "304");
        openapi_ref(out, "responses", "NotModified");
    }
    if (oip_owns(r->path))
        openapi_text(out, "'4XX':{'$ref':'#/components/responses/OipError'},"
                          "'5XX':{'$ref':'#/components/responses/OipError'}");
    else
        openapi_problems(out, has_body, strchr(r->path, '{'));
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
static void write_body(struct json_out *out, const struct route *r)
{
    const char *takes = route_words(r)->takes;
    openapi_text(out, "'requestBody':{'required':true,'content':{");
    for (size_t i = 0; r->consumes[i]; i++) {
        out_key(out, r->consumes[i]);
        if (strcmp(r->consumes[i], "multipart/form-data") == 0) {
            write_form(out);
            continue;
        }
        openapi_text(out, "{'schema':");
        if (is_json(r->consumes[i]) && takes)
            openapi_ref(out, "schemas", takes);
        else
            openapi_text(out, is_json(r->consumes[i]) ? "{'type':'object'}"
                                                      : "@string");
        openapi_text(out, "}");
    }
    openapi_text(out, "}}");
}

static void write_method(struct json_out *out, const struct route *r,
                         const char *method, bool has_body)
{
    const struct route_words *say = route_words(r);
    out_key(out, method);
    out_open(out, '{');
    write_id(out, method, r->path);
    out_key(out, "tags");
    out_open(out, '[');
    out_string(out, say->tag);
    out_close(out, ']');
    out_member_string(out, "summary", say->summary);
    if (has_body)
        write_body(out, r);
    write_answers(out, r, has_body);
    out_close(out, '}');
}

static void write_paths(struct json_out *out)
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
        if (r->get)
            write_method(out, r, "get", false);
        if (r->post)
            write_method(out, r, "post", true);
        out_close(out, '}');
    }
    out_close(out, '}');
}

static void write_groups(struct json_out *out)
{
    const char *group = "";
    const struct op *op;
    char text[NAME_BYTES];
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        if (strcmp(group, op->group) == 0)
            continue;
        group = op->group;
        snprintf(text, sizeof(text), "The operations of /v1/%s.", group);
        out_open(out, '{');
        out_member_string(out, "name", group);
        out_member_string(out, "description", text);
        out_close(out, '}');
    }
}

static void write_tags(struct json_out *out)
{
    out_key(out, "tags");
    out_open(out, '[');
    openapi_text(out, "{'name':'service','description':'The server itself.'},"
                      "{'name':'operations','description':"
                      "'What operations there are, and many at once.'},"
                      "{'name':'detection','description':"
                      "'Scores of detectors, as pycocotools has them.'},"
                      "{'name':'inference','description':'The operations as "
                      "models of the Open Inference Protocol.'}");
    write_groups(out);
    out_close(out, ']');
}

/* GET /openapi.json */
int openapi_document(struct api_call *call)
{
    struct json_out *out = &call->out;
    out_open(out, '{');
    openapi_text(out,
                 "'openapi':'3.1.0','info':{'title':'evald',"
                 "'summary':'Evaluation of deep-learning models over HTTP.',"
                 "'description':'Activations, losses, boxes and COCO scores, "
                 "computed exactly. HEAD works wherever GET does, OPTIONS "
                 "everywhere.','version':'" EVALD_VERSION "',"
                 "'license':{'name':'MIT','identifier':'MIT'}},"
                 "'servers':[{'url':'/'}],'security':[{},{'bearer':[]}]");
    write_tags(out);
    write_paths(out);
    write_components(out);
    out_close(out, '}');
    return 0;
}
