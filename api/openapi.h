/*
 * The description of the API, in parts: OpenAPI 3.1 for programs, a page for
 * people.  What it says of paths comes from route.c, of operations from their
 * rows, of errors from error.c; only the schemas of fixed documents are text.
 */
#ifndef EVALD_API_OPENAPI_H
#define EVALD_API_OPENAPI_H

#include "api/json_out.h"
#include "api/route.h"
#include "core/ops.h"

/*
 * Writes JSON that is given as text with ' for ", such as 'a':[1,true]: one
 * value, or members of the object that is open.  @string and @Box are short
 * for {'type':'string'} and {'$ref':'#/components/schemas/Box'}.  The text is
 * known to be right.
 */
void openapi_text(struct json_out *out, const char *s);

/* {"$ref": "#/components/<kind>/<name>"} */
void openapi_ref(struct json_out *out, const char *kind, const char *name);

/* The member "headers" of a response. */
void openapi_headers(struct json_out *out, const char *const *names, size_t n);

/* References to the parameters on encodings: items of the list that is open. */
void openapi_encodings(struct json_out *out, bool has_body);

/* What a method is like, by which the problems are told that it can have. */
enum openapi_trait {
    HAS_BODY = 1,
    HAS_NAME = 2,  /* of something that may not be there */
    HAS_QUERY = 4, /* whose keys are looked at */
    IS_STORED = 8,
    CHANGES = 16, /* what is stored */
    CONFLICTS = 32,
    IS_CONDITIONAL = 64,
};

/* References to the problems that a method with these traits can have. */
void openapi_problems(struct json_out *out, unsigned traits);

/* The parameters, headers and ways to authenticate that paths refer to. */
void openapi_fixed_parts(struct json_out *out);

/* Members of components/schemas: of the rows, and of all else. */
void openapi_operation_schemas(struct json_out *out);
void openapi_fixed_schemas(struct json_out *out);
void openapi_detection_schemas(struct json_out *out);
void openapi_run_schemas(struct json_out *out);

/* The member "paths". */
void openapi_paths(struct json_out *out);

/* Members of paths: each operation's own. */
void openapi_operation_paths(struct json_out *out);

/* What is said of a route, beyond what its row says. */
struct route_words {
    const char *path, *tag;
    const char *summary;       /* a sentence without its full stop */
    const char *takes, *gives; /* schemas of the JSON in and out, or NULL */
};

/* What is said of one method of a route. */
struct method_words {
    const char *path, *method; /* "get" and so on */
    const char *summary;
    const char *takes, *gives;
    const char *parameters; /* of it alone, with commas; NULL = none */
    bool creates;           /* 201 with Location if something is new */
    bool optional_body;
    bool names;       /* what may not be there, outside the path */
    bool conflicts;   /* with what is there: 409 */
    bool conditional; /* has If-Match: 412 */
};
struct method_words openapi_words_of(const struct route *route,
                                     const char *method);

/* The member "parameters", if there are any. */
void openapi_method_parameters(struct json_out *out,
                               const struct method_words *say);

/* The words on a route; empty ones if there are none. */
const struct route_words *route_words(const struct route *route);

#endif
