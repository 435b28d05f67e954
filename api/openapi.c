/* GET /openapi.json: the whole service, from its tables. */
#include "api/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96, TITLES_BYTES = 1024, REF_BYTES = 160, HEADERS_MAX = 8 };

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

/* What a method must be like to answer with a status; 0 = anything. */
static unsigned traits_of(int status)
{
    static const struct {
        int status;
        unsigned traits;
    } rows[] = {
        {404, HAS_NAME},
        {409, CONFLICTS},
        {412, IS_CONDITIONAL},
        {413, HAS_BODY},
        {415, HAS_BODY},
        {422, HAS_BODY | HAS_QUERY},
        {501, HAS_BODY | IS_STORED},
        {507, CHANGES},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].status == status)
            return rows[i].traits;
    return 0;
}

void openapi_problems(struct json_out *out, unsigned traits)
{
    char name[NAME_BYTES], code[NAME_BYTES];
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        int status = problem_type(p)->status;
        unsigned wanted = traits_of(status);
        if (!is_first(p) || (wanted && !(wanted & traits)))
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
                      "{'name':'datasets','description':'Ground truth that "
                      "runs are scored on.'},{'name':'runs','description':"
                      "'Detections that come image by image, and what comes of "
                      "them.'},"
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
    openapi_paths(out);
    write_components(out);
    out_close(out, '}');
    return 0;
}
