#include "api/json_build.h"

#include "api/scan.h"
#include "api/utf8.h"

enum { DEPTH_MAX = 64, LOOK_BYTES = 1 << 16 /* between looks at the stop */ };

/* A string without its quotes, if it means what it says. */
static bool plain(struct scan *s, struct span *out)
{
    if (!scan_char(s, '"'))
        return false;
    const char *at = s->at, *end = s->end;
    const char *look = at + LOOK_BYTES;
    for (size_t n; at < end && *at != '"'; at += n) {
        if (at >= look) {
            if (is_stopped(s->stop))
                return false;
            look = at + LOOK_BYTES;
        }
        n = (unsigned char)*at < 0x80 ? *at >= ' ' && *at != '\\'
                                      : utf8_sequence(at, end);
        if (n == 0)
            return false;
    }
    *out = (struct span){s->at, (size_t)(at - s->at)};
    s->at = at;
    return scan_char(s, '"');
}

static json_t *build_string(struct scan *s)
{
    struct span text;
    return plain(s, &text) ? json_stringn_nocheck(text.text, text.len) : NULL;
}

static json_t *build_number(struct scan *s)
{
    struct scan from = *s;
    double x;
    int64_t i;
    if (!scan_number(s, &x))
        return NULL;
    for (const char *c = from.at; c < s->at; c++)
        if (*c == '.' || *c == 'e' || *c == 'E')
            return json_real(x);
    return scan_integer(&from, &i) ? json_integer(i) : NULL;
}

static json_t *build_word(struct scan *s)
{
    char c = scan_peek(s);
    if (!scan_skip(s))
        return NULL;
    return c == 't' ? json_true() : c == 'f' ? json_false() : json_null();
}

static json_t *build(struct scan *s, unsigned depth);

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static json_t *build_array(struct scan *s, unsigned depth)
{
    json_t *array = json_array();
    s->at++;
    bool more = scan_peek(s) != ']';
    if (!more)
        s->at++;
    while (more)
        if (json_array_append_new(array, build(s, depth)) ||
            !scan_more(s, ']', &more))
            return NULL;
    return array;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static json_t *build_object(struct scan *s, unsigned depth)
{
    json_t *object = json_object();
    size_t n = 0;
    s->at++;
    bool more = scan_peek(s) != '}';
    if (!more)
        s->at++;
    while (more) {
        struct span key;
        if (!plain(s, &key) || !scan_char(s, ':') ||
            json_object_setn_new_nocheck(object, key.text, key.len,
                                         build(s, depth)) ||
            json_object_size(object) != ++n || !scan_more(s, '}', &more))
            return NULL; /* as many members as keys, or one was there twice */
    }
    return object;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static json_t *build(struct scan *s, unsigned depth)
{
    char c = scan_peek(s);
    if (depth == DEPTH_MAX)
        return NULL;
    if (c == '"')
        return build_string(s);
    if (c == '[')
        return build_array(s, depth + 1);
    if (c == '{')
        return build_object(s, depth + 1);
    return c == '-' || (c >= '0' && c <= '9') ? build_number(s) : build_word(s);
}

json_t *json_build(const char *text, size_t len, const atomic_bool *stop)
{
    struct scan s = {.at = text, .end = text + len, .stop = stop};
    json_t *doc = build(&s, 0);
    return doc && scan_peek(&s) == '\0' && s.at == s.end ? doc : NULL;
}
