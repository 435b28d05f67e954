/*
 * Any bytes as the head of a request, taken apart by a tolerant parser: what
 * the gate lets pass is a head by the letter of RFC 9112, read once more from
 * the bytes as they came, with the same framing.
 */
#include "tests/head.h"

#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is still to be read, and what was found. */
struct strict {
    const char *at, *end;
    bool http_1_1, chunked;
    unsigned hosts, lengths, codings;
    size_t length;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void word(struct strict *s)
{
    const char *from = s->at;
    while (s->at < s->end && (is_letter(*s->at) || is_digit(*s->at) ||
                              (*s->at && strchr("!#$%&'*+-.^_`|~", *s->at))))
        s->at++;
    check(s->at > from);
}

static void literal(struct strict *s, const char *text)
{
    size_t n = strlen(text);
    check((size_t)(s->end - s->at) >= n && memcmp(s->at, text, n) == 0);
    s->at += n;
}

static bool is_end(char c)
{
    return c == '\r' || c == '\n' || c == '\0';
}

/* The parser leaves NUL in place of CR and LF: which it was is not known. */
static void line_end(struct strict *s)
{
    check(s->end - s->at >= 2 && is_end(s->at[0]) && is_end(s->at[1]));
    s->at += 2;
}

static void request_line(struct strict *s)
{
    word(s);
    literal(s, " ");
    const char *target = s->at;
    while (s->at<s->end && * s->at> ' ' && *s->at < 0x7f && *s->at != '#')
        s->at++;
    check(*target == '/' || *target == '*' ||
          strncasecmp(target, "http", 4) == 0);
    literal(s, " HTTP/1.");
    check(s->at < s->end && (*s->at == '0' || *s->at == '1'));
    s->http_1_1 = *s->at++ == '1';
}

static bool is_named(const char *name, size_t n, const char *wanted)
{
    return n == strlen(wanted) && strncasecmp(name, wanted, n) == 0;
}

static void length_is(struct strict *s, const char *value, size_t n)
{
    check(s->lengths++ == 0 && n > 0 && n < 20);
    for (size_t i = 0; i < n; i++) {
        check(is_digit(value[i]));
        s->length = s->length * 10 + (size_t)(value[i] - '0');
    }
}

static void header(struct strict *s)
{
    const char *name = s->at;
    word(s);
    size_t n = (size_t)(s->at - name);
    literal(s, ":");
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
    const char *value = s->at;
    while (s->at < s->end && ((unsigned char)*s->at >= ' ' || *s->at == '\t') &&
           *s->at != 0x7f)
        s->at++;
    size_t len = (size_t)(s->at - value);
    if (is_named(name, n, "Host")) {
        check(s->hosts++ == 0 && len > 0 && !memchr(value, '@', len) &&
              !memchr(value, ' ', len) && !memchr(value, ',', len));
    } else if (is_named(name, n, "Content-Length")) {
        length_is(s, value, len);
    } else if (is_named(name, n, "Transfer-Encoding")) {
        check(s->codings++ == 0 && is_named(value, len, "chunked"));
        s->chunked = true;
    }
}

/* All but the end of the last line, and the empty one. */
static void read_strictly(const char *text, size_t n, const struct gate *g)
{
    enum { END_BYTES = 4 };
    check(n > END_BYTES);
    struct strict s = {.at = text, .end = text + n - END_BYTES};
    for (const char *c = s.end; c < text + n; c++)
        check(is_end(*c));
    request_line(&s);
    while (s.at < s.end) {
        line_end(&s);
        header(&s);
    }
    check(s.hosts == 1 || !s.http_1_1);
    check(!s.chunked || (s.http_1_1 && s.lengths == 0));
    check(s.chunked == g->chunked && (s.lengths == 1) == g->length_known);
    check(s.length == g->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1), *copy = calloc(1, size + 1);
    struct gate g;
    size_t n;
    if (!text || !copy)
        abort();
    if (size > 0) {
        memcpy(text, data, size);
        memcpy(copy, data, size);
    }
    if (head_read(copy, size, &g, &n)) {
        if (g.refused)
            check(*g.why.detail);
        else
            read_strictly(text, n, &g);
    }
    free(text);
    free(copy);
    return 0;
}
