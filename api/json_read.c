#include "api/json_read.h"

#include "api/json_locate.h"
#include "api/json_memory.h"
#include "api/scan.h"
#include "api/suggest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A tensor of eight dimensions in a request of a batch is twelve deep. */
enum { AT_DEPTH_MAX = 16 };
static const double INTEGRAL_MAX = 0x1p53;

static const struct json_origin beginning = {NULL, 0, 1, 1};

struct json_origin json_advance(struct json_origin o, const char *text,
                                size_t n)
{
    size_t start = 0, lines = scan_count(text, n, '\n');
    const char *last = lines ? memrchr(text, '\n', n) : NULL;
    if (last) {
        start = (size_t)(last + 1 - text);
        o.column = 1;
    }
    o.line += lines;
    o.column += n - start;
    o.byte += n;
    return o;
}

int json_malformed(const char *text, size_t offset,
                   const struct json_origin *origin, const char *what,
                   struct api_error *err)
{
    struct json_origin o = json_advance(*origin, text, offset);
    return api_fail(err, PROBLEM_MALFORMED_JSON, NULL,
                    "line %zu, column %zu (byte %zu): %s", o.line, o.column,
                    o.byte, what);
}

/* Says what jansson found, where, and, of a number, which value it is. */
static int explain(const char *text, size_t len,
                   const struct json_origin *origin, const json_error_t *e,
                   struct api_error *err)
{
    size_t offset = e->position > 0 ? (size_t)e->position : 0;
    if (offset > len)
        offset = len;
    struct json_origin o = json_advance(*origin, text, offset);
    const char *what = json_error_code(e) == json_error_null_character
                           ? "a NUL character (\\u0000) in a string"
                           : e->text;
    if (json_error_code(e) == json_error_numeric_overflow) {
        char pointer[POINTER_BYTES];
        bool whole = at_pointer(origin->at, pointer);
        size_t n = strlen(pointer);
        if (whole)
            json_locate(text, offset, pointer + n, sizeof(pointer) - n);
        return api_fail(err, PROBLEM_NUMBER_RANGE, pointer,
                        "the number that ends at line %zu, column %zu (byte "
                        "%zu) does not fit in %s",
                        o.line, o.column, o.byte,
                        strstr(e->text, "integer") ? "a 64-bit integer"
                                                   : "a double");
    }
    return json_malformed(text, offset, origin, what, err);
}

const json_t *json_read_value(const char *text, size_t len,
                              const struct json_origin *origin,
                              struct arena *mem, struct api_error *err)
{
    const char *nul = NULL;
    json_error_t e;
    for (size_t i = 0, end; !nul && (end = stop_reach(mem->stop, i, len)) > i;
         i = end)
        nul = memchr(text + i, '\0', end - i);
    if (nul) {
        json_malformed(text, (size_t)(nul - text), origin, "a NUL byte", err);
        return NULL;
    }
    if (len == 0) {
        api_fail(err, PROBLEM_MALFORMED_JSON, NULL,
                 "it is empty; a JSON document is expected");
        return NULL;
    }
    bool spent;
    const json_t *doc = json_load_in(text, len, mem, &e, &spent);
    if (spent)
        api_fail(err, PROBLEM_MEMORY, NULL,
                 "the document does not fit in the memory of one request");
    else if (!doc)
        explain(text, len, origin, &e, err);
    return doc;
}

const json_t *json_read(const char *text, size_t len, struct arena *mem,
                        struct api_error *err)
{
    return json_read_value(text, len, &beginning, mem, err);
}

/* Appends key, with ~ and / escaped, if it all fits; else nothing. */
static size_t add_key(char *pointer, size_t n, const char *key)
{
    size_t end = n;
    if (2 * strlen(key) + 2 > POINTER_BYTES - n)
        return n;
    pointer[end++] = '/';
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            pointer[end++] = '~';
            pointer[end++] = *key == '~' ? '0' : '1';
        } else {
            pointer[end++] = *key;
        }
    }
    return end;
}

/* The links of at, the document's own member last. */
static size_t chain_of(const struct at *at,
                       const struct at *chain[AT_DEPTH_MAX])
{
    size_t depth = 0;
    for (; at && depth < AT_DEPTH_MAX; at = at->in)
        chain[depth++] = at;
    return depth;
}

bool at_pointer(const struct at *at, char pointer[POINTER_BYTES])
{
    const struct at *chain[AT_DEPTH_MAX];
    size_t depth = chain_of(at, chain), n = 0;
    while (depth-- > 0) {
        char item[24];
        snprintf(item, sizeof(item), "%zu", chain[depth]->item);
        size_t end =
            add_key(pointer, n, chain[depth]->key ? chain[depth]->key : item);
        if (end == n)
            break; /* the place that holds it is better than another one */
        n = end;
    }
    pointer[n] = '\0';
    return depth == SIZE_MAX;
}

/* The place as people write it: detections[3].bbox[2] */
static void at_words(const struct at *at, char words[POINTER_BYTES])
{
    const struct at *chain[AT_DEPTH_MAX];
    size_t depth = chain_of(at, chain), n = 0;
    snprintf(words, POINTER_BYTES, "the document");
    while (depth-- > 0 && n < POINTER_BYTES) {
        const struct at *link = chain[depth];
        size_t room = POINTER_BYTES - n;
        int len = link->key ? snprintf(words + n, room, "%s%s", n ? "." : "",
                                       link->key)
                            : snprintf(words + n, room, "[%zu]", link->item);
        n += (size_t)len;
    }
}

int at_fail(struct api_error *err, enum problem kind, const struct at *at,
            const char *format, ...)
{
    char pointer[POINTER_BYTES], words[POINTER_BYTES], detail[DETAIL_BYTES];
    va_list args;
    at_pointer(at, pointer);
    at_words(at, words);
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    return api_fail(err, kind, pointer, "%s %s", words, detail);
}

const char *json_kind(const json_t *v)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

static int wrong_kind(const json_t *v, const struct at *at, const char *want,
                      struct api_error *err)
{
    if (!v)
        return at_fail(err, PROBLEM_MISSING_MEMBER, at,
                       "is missing; it must be %s", want);
    return at_fail(err, PROBLEM_INVALID_VALUE, at, "is %s, must be %s",
                   json_kind(v), want);
}

bool is_integral(double x)
{
    return x == rint(x) && fabs(x) <= INTEGRAL_MAX;
}

int read_integer(const json_t *v, const struct at *at, int64_t *out,
                 struct api_error *err)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return 0;
    }
    if (json_is_real(v) && is_integral(json_real_value(v))) {
        *out = (int64_t)json_real_value(v);
        return 0;
    }
    return wrong_kind(v, at, "an integer", err);
}

/* The value of one of the three strings. */
static bool names_non_finite(const json_t *v, double *out)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {
        {"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    const char *s = json_string_value(v);
    for (size_t i = 0; s && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(s, names[i].name) == 0) {
            *out = names[i].value;
            return true;
        }
    return false;
}

int read_real(const json_t *v, const struct at *at, double *out,
              struct api_error *err)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return 0;
    }
    return names_non_finite(v, out) ? 0 : wrong_kind(v, at, "a number", err);
}

int read_number(const json_t *v, const struct at *at, double *out,
                struct api_error *err)
{
    double x;
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return 0;
    }
    if (names_non_finite(v, &x))
        return at_fail(err, PROBLEM_NON_FINITE, at,
                       "is %s, must be a finite number", json_string_value(v));
    return wrong_kind(v, at, "a number", err);
}

int read_boolean(const json_t *v, const struct at *at, bool *out,
                 struct api_error *err)
{
    *out = json_is_true(v);
    return json_is_boolean(v) ? 0 : wrong_kind(v, at, "true or false", err);
}

int read_array(const json_t *v, const struct at *at, struct api_error *err)
{
    return json_is_array(v) ? 0 : wrong_kind(v, at, "an array", err);
}

int read_object(const json_t *v, const struct at *at, struct api_error *err)
{
    return json_is_object(v) ? 0 : wrong_kind(v, at, "an object", err);
}

/* Says that word is none of names, and which is nearest, or all of them. */
static int unknown(const char *what, const char *word, const struct at *at,
                   const char *const *names, size_t n, struct api_error *err)
{
    const char *near = suggest(word, names, n);
    char all[DETAIL_BYTES / 2] = "";
    size_t len = 0;
    if (near)
        return at_fail(err, PROBLEM_UNKNOWN_MEMBER, at,
                       "is not a known %s; did you mean \"%s\"?", what, near);
    for (size_t i = 0; i < n && len < sizeof(all); i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
                                i ? ", " : "", names[i]);
    return at_fail(err, PROBLEM_UNKNOWN_MEMBER, at,
                   "is not a known %s; known are %s", what, all);
}

int read_word(const char *word, const struct at *at, const char *const *names,
              size_t n, size_t *row, struct api_error *err)
{
    for (*row = 0; *row < n; ++*row)
        if (strcmp(word, names[*row]) == 0)
            return 0;
    char what[64];
    snprintf(what, sizeof(what), "choice (\"%.40s\")", word);
    return unknown(what, word, at, names, n, err);
}

int read_choice(const json_t *v, const struct at *at, const char *const *names,
                size_t n, size_t *row, struct api_error *err)
{
    const char *word = json_string_value(v);
    return word ? read_word(word, at, names, n, row, err)
                : wrong_kind(v, at, "a string", err);
}

int read_key(const char *key, const struct at *at, const char *const *names,
             size_t n, struct api_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0)
            return 0;
    return unknown("member", key, at, names, n, err);
}

int read_members(const json_t *v, const struct at *at, const char *const *names,
                 size_t n, const json_t **member, struct api_error *err)
{
    const char *key;
    json_t *m;
    int rc = 0;
    for (size_t i = 0; member && i < n; i++)
        member[i] = NULL;
    json_object_foreach((json_t *)(uintptr_t)v, key, m)
    {
        size_t i = 0;
        if (api_full(err))
            break;
        while (i < n && strcmp(key, names[i]) != 0)
            i++;
        if (i == n)
            rc =
                unknown("member", key, &(struct at){at, key, 0}, names, n, err);
        else if (member)
            member[i] = m;
    }
    return rc;
}

int read_known(const json_t *v, const struct at *at, const char *const *names,
               size_t n, struct api_error *err)
{
    return read_members(v, at, names, n, NULL, err);
}
