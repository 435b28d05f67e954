#include "server/gate.h"

#include "server/origin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    METHOD_BYTES_MAX = 20,
    LENGTH_DIGITS_MAX = 19, /* fit into 64 bits */
    BLANKS_MAX = 16,        /* behind a colon */
};
static const size_t TIMEOUT_MS_MAX = (size_t)24 * 3600 * 1000;

static const struct {
    const char *name;
    size_t len;
    bool list; /* may come in several lines */
} heads[HEADS] = {
#define HEAD(text) .name = (text), .len = sizeof(text) - 1
    [HEAD_ACCEPT] = {HEAD("Accept"), .list = true},
    [HEAD_ACCEPT_ENCODING] = {HEAD("Accept-Encoding"), .list = true},
    [HEAD_AUTHORIZATION] = {HEAD("Authorization")},
    [HEAD_CONTENT_ENCODING] = {HEAD("Content-Encoding")},
    [HEAD_CONTENT_LENGTH] = {HEAD("Content-Length")},
    [HEAD_CONTENT_TYPE] = {HEAD("Content-Type")},
    [HEAD_EXPECT] = {HEAD("Expect")},
    [HEAD_HOST] = {HEAD("Host")},
    [HEAD_IDEMPOTENCY_KEY] = {HEAD("Idempotency-Key")},
    [HEAD_IF_MATCH] = {HEAD("If-Match"), .list = true},
    [HEAD_IF_NONE_MATCH] = {HEAD("If-None-Match"), .list = true},
    [HEAD_INFERENCE_LENGTH] = {HEAD("Inference-Header-Content-Length")},
    [HEAD_LAST_EVENT_ID] = {HEAD("Last-Event-ID")},
    [HEAD_ORIGIN] = {HEAD("Origin")},
    [HEAD_REQUEST_HEADERS] = {HEAD("Access-Control-Request-Headers"),
                              .list = true},
    [HEAD_REQUEST_METHOD] = {HEAD("Access-Control-Request-Method")},
    [HEAD_TIMEOUT] = {HEAD("X-Request-Timeout-Ms")},
    [HEAD_TRACEPARENT] = {HEAD("traceparent"), .list = true},
    [HEAD_TRANSFER_ENCODING] = {HEAD("Transfer-Encoding")},
    [HEAD_REQUEST_ID] = {HEAD("X-Request-Id"), .list = true},
#undef HEAD
};

/* Notes the first fault. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct gate *g, enum problem kind, const char *format, ...)
{
    va_list args;
    if (g->refused)
        return;
    g->refused = true;
    g->why = (struct api_refusal){.kind = kind};
    va_start(args, format);
    vsnprintf(g->why.detail, sizeof(g->why.detail), format, args);
    va_end(args);
}

/* A character of names: RFC 9110, section 5.6.2. */
static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_word(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && is_token((unsigned char)text[i]))
        i++;
    return n > 0 && i == n;
}

static bool is_visible(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

/* What is behind http:// or https://; NULL if there is no scheme. */
static const char *authority(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
            return target + strlen(schemes[i]);
    return NULL;
}

const char *gate_origin_form(const char *target)
{
    const char *host = authority(target);
    if (!host)
        return target;
    host += strcspn(host, "/?");
    return *host ? host : "/";
}

static void check_target(struct gate *g)
{
    const char *target = g->target;
    if (!is_visible(target))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the request's target has characters that must be written as "
               "%%XX");
    else if (strchr(target, '#'))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the request's target has a fragment, which stays with the "
               "client");
    else if (*target != '/' && !authority(target) &&
             !(strcmp(target, "*") == 0 && strcmp(g->method, "OPTIONS") == 0))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the request's target is \"%.100s\"; it must be a path or an "
               "http:// address",
               target);
}

void gate_begin(struct gate *g, const char *method, const char *target,
                const char *version)
{
    *g = (struct gate){.method = method, .target = target, .version = version};
    size_t method_len = strlen(method);
    g->bytes = method_len + strlen(target) + strlen(version) + 4;
    g->next = (uintptr_t)version + strlen(version) + 2;
    if (!is_word(method, method_len) || method_len > METHOD_BYTES_MAX)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the method must be a word of at most %d letters",
               METHOD_BYTES_MAX);
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        refuse(g, PROBLEM_VERSION, "%.20s is not spoken here, but HTTP/1.1",
               *version ? version : "HTTP/0.9");
    check_target(g);
}

/* HEADS if it means nothing here. */
static enum head_name find(const char *name, size_t len)
{
    enum head_name h = 0;
    while (h < HEADS &&
           !(heads[h].len == len && strncasecmp(heads[h].name, name, len) == 0))
        h++;
    return h;
}

static void check_value(struct gate *g, const char *name, size_t name_len,
                        const char *value, size_t value_len)
{
    for (size_t i = 0; i < value_len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            refuse(g, PROBLEM_MALFORMED_REQUEST,
                   "header %.*s has a control character",
                   (int)(name_len < 60 ? name_len : 60), name);
    }
}

void gate_header(struct gate *g, const char *name, size_t name_len,
                 const char *value, size_t value_len)
{
    /* the colon and blanks; a folded line is somewhere else */
    size_t between = (size_t)((uintptr_t)value - (uintptr_t)name) - name_len;
    if (!is_word(name, name_len))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "a header's name must be of letters, digits and -, the colon "
               "right behind it");
    else if (between < 1 || between > BLANKS_MAX)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "header %.60s is folded or has too many blanks", name);
    else if ((uintptr_t)name != g->next)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the line before header %.60s does not end in CR LF, or has "
               "NUL in it",
               name);
    check_value(g, name, name_len, value, value_len);
    g->next = (uintptr_t)value + value_len + 2;
    g->bytes += name_len + between + value_len + 2;
    enum head_name h = find(name, name_len);
    if (h == HEADS)
        return;
    if (g->value[h] && !heads[h].list)
        refuse(g, PROBLEM_MALFORMED_REQUEST, "header %s came twice",
               heads[h].name);
    else if (g->value[h])
        g->lists = true;
    else
        g->value[h] = value;
}

const char *gate_name(enum head_name head)
{
    return heads[head].name;
}

/* digits alone, not too many of them */
static bool read_digits(const char *text, size_t *out)
{
    size_t n = strspn(text, "0123456789");
    *out = 0;
    if (n == 0 || n > LENGTH_DIGITS_MAX || text[n])
        return false;
    for (size_t i = 0; i < n; i++)
        *out = *out * 10 + (size_t)(text[i] - '0');
    return true;
}

static void check_framing(struct gate *g)
{
    const char *length = g->value[HEAD_CONTENT_LENGTH];
    const char *coding = g->value[HEAD_TRANSFER_ENCODING];
    g->length_known = length;
    g->chunked = coding;
    if (length && coding)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Content-Length and Transfer-Encoding came together");
    else if (coding && strcmp(g->version, "HTTP/1.1") != 0)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Transfer-Encoding needs HTTP/1.1");
    else if (coding && strcasecmp(coding, "chunked") != 0)
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Transfer-Encoding is \"%.60s\"; it must be chunked", coding);
    else if (length && !read_digits(length, &g->content_length))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Content-Length is \"%.60s\"; it must be digits", length);
}

/* Whether the target's authority, where it has one, is the Host. */
static bool is_same_host(const char *target, const char *host)
{
    const char *given = authority(target);
    size_t n = given ? strcspn(given, "/?") : 0;
    return !given || (strlen(host) == n && strncasecmp(given, host, n) == 0);
}

static void check_host(struct gate *g)
{
    const char *host = g->value[HEAD_HOST];
    if (!host && strcmp(g->version, "HTTP/1.0") == 0)
        return;
    if (!host)
        refuse(g, PROBLEM_MALFORMED_REQUEST, "header Host is missing");
    else if (!host_is_valid(host))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Host is \"%.100s\"; it must be a name or address, and perhaps "
               ":PORT",
               host);
    else if (!is_same_host(g->target, host))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "Host is \"%.100s\", but the request's target names another",
               host);
}

static void check_wishes(struct gate *g)
{
    const char *expect = g->value[HEAD_EXPECT];
    const char *timeout = g->value[HEAD_TIMEOUT];
    if (expect && strcasecmp(expect, "100-continue") != 0)
        refuse(g, PROBLEM_EXPECTATION,
               "Expect is \"%.60s\"; only 100-continue can be met", expect);
    if (timeout && (!read_digits(timeout, &g->timeout_ms) ||
                    g->timeout_ms < 1 || g->timeout_ms > TIMEOUT_MS_MAX))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "X-Request-Timeout-Ms is \"%.60s\"; it must be a whole number "
               "from 1 to %zu",
               timeout, TIMEOUT_MS_MAX);
}

/* Whether nothing is hidden where the last line and the head end. */
static bool ends_plainly(const struct gate *g, size_t head_bytes)
{
    enum { END_BYTES = 4 }; /* CR LF CR LF, or what the parser makes of it */
    const char *end = g->method + head_bytes;
    bool plain = (uintptr_t)end == g->next + 2;
    for (size_t i = 1; plain && i <= END_BYTES; i++)
        plain = end[-(ptrdiff_t)i] == '\0' || end[-(ptrdiff_t)i] == '\r' ||
                end[-(ptrdiff_t)i] == '\n';
    return plain;
}

void gate_end(struct gate *g, size_t head_bytes)
{
    check_framing(g);
    check_host(g);
    check_wishes(g);
    if (g->bytes + 2 != head_bytes ||
        (!g->refused && !ends_plainly(g, head_bytes)))
        refuse(g, PROBLEM_MALFORMED_REQUEST,
               "the head has bytes that belong to no header: lines must end "
               "in CR LF, without blanks before it or NUL in them");
}
