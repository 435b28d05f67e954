#include "api/scan.h"

#include "api/utf8.h"

#include <string.h>

enum {
    BLOCK = 128, /* bytes that are counted together */
    DEPTH_MAX = 64,
    LOOK_BYTES = 1 << 16, /* of a string or value, between looks at the stop */
};

size_t scan_count(const char *text, size_t len, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i += BLOCK) {
        uint8_t n = 0; /* one byte, so that compilers count many at once */
        size_t end = len - i < BLOCK ? len : i + BLOCK;
        for (size_t j = i; j < end; j++)
            n = (uint8_t)(n + (text[j] == c));
        count += n;
    }
    return count;
}

/* The four hexadecimal digits of a \u escape. */
static bool four_digits(struct scan *s, unsigned *c)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    *c = 0;
    if (s->end - s->at < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        const char *digit = memchr(hex, *s->at++, sizeof(hex) - 1);
        if (!digit)
            return false;
        unsigned value = (unsigned)(digit - hex);
        *c = *c * 16 + (value < 16 ? value : value - 6);
    }
    return true;
}

/* What follows \u: a character that is not NUL, or a pair of surrogates. */
static bool unicode_escape(struct scan *s)
{
    unsigned c, low;
    if (!four_digits(s, &c) || c == 0 || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    if (c < 0xd800 || c > 0xdbff)
        return true;
    if (s->end - s->at < 2 || s->at[0] != '\\' || s->at[1] != 'u')
        return false;
    s->at += 2;
    return four_digits(s, &low) && low >= 0xdc00 && low <= 0xdfff;
}

static bool escape(struct scan *s)
{
    if (++s->at >= s->end)
        return false;
    char c = *s->at++;
    return c == 'u' ? unicode_escape(s) : c && strchr("\"\\/bfnrt", c);
}

bool scan_string(struct scan *s, struct span *out)
{
    if (!scan_char(s, '"'))
        return false;
    out->text = s->at - 1;
    const char *look = s->at + LOOK_BYTES;
    while (s->at < s->end && *s->at != '"') {
        if (s->at >= look) {
            if (is_stopped(s->stop))
                return false;
            look = s->at + LOOK_BYTES;
        }
        unsigned char c = (unsigned char)*s->at;
        if (c == '\\') {
            if (!escape(s))
                return false;
        } else if (c >= 0x80) {
            size_t n = utf8_sequence(s->at, s->end);
            if (n == 0)
                return false;
            s->at += n;
        } else if (c < ' ') {
            return false;
        } else {
            s->at++;
        }
    }
    if (s->at == s->end)
        return false;
    s->at++;
    out->len = (size_t)(s->at - out->text);
    return true;
}

bool scan_key(struct scan *s, struct span *key,
              struct span seen[SCAN_MEMBERS_MAX], size_t *n_seen)
{
    if (!scan_string(s, key) || !scan_char(s, ':'))
        return false;
    key->text++;
    key->len -= 2;
    if (memchr(key->text, '\\', key->len) || *n_seen == SCAN_MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < *n_seen; i++)
        if (seen[i].len == key->len &&
            memcmp(seen[i].text, key->text, key->len) == 0)
            return false;
    seen[(*n_seen)++] = *key;
    return true;
}

static bool skip_word(struct scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(s->end - s->at) >= n && memcmp(s->at, words[i], n) == 0) {
            s->at += n;
            return true;
        }
    }
    return false;
}

static bool skip_value(struct scan *s, unsigned depth);

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static bool skip_array(struct scan *s, unsigned depth)
{
    bool more = true;
    s->at++;
    if (scan_peek(s) == ']') {
        s->at++;
        return true;
    }
    for (size_t i = 0; more; i++)
        if ((i % STOP_STRETCH == 0 && is_stopped(s->stop)) ||
            !skip_value(s, depth) || !scan_more(s, ']', &more))
            return false;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static bool skip_object(struct scan *s, unsigned depth)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0;
    bool more = true;
    s->at++;
    if (scan_peek(s) == '}') {
        s->at++;
        return true;
    }
    while (more)
        if (!scan_key(s, &key, seen, &n_seen) || !skip_value(s, depth) ||
            !scan_more(s, '}', &more))
            return false;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static bool skip_value(struct scan *s, unsigned depth)
{
    struct span string;
    double number;
    char c = scan_peek(s);
    if (depth == DEPTH_MAX)
        return false;
    if (c == '"')
        return scan_string(s, &string);
    if (c == '[')
        return skip_array(s, depth + 1);
    if (c == '{')
        return skip_object(s, depth + 1);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s, &number);
    return skip_word(s);
}

bool scan_skip(struct scan *s)
{
    return skip_value(s, 0);
}

/* Behind the quote that ends a string, or NULL. */
static const char *string_end(const char *at, const char *end,
                              const atomic_bool *stop)
{
    size_t n = 0;
    for (at++; at < end && *at != '"'; at++)
        if ((++n % LOOK_BYTES == 0 && is_stopped(stop)) ||
            (*at == '\\' && ++at == end))
            return NULL;
    return at < end ? at + 1 : NULL;
}

static const char *brackets_end(const char *at, const char *end,
                                const atomic_bool *stop)
{
    size_t depth = 0, n = 0;
    while (at < end) {
        char c = *at;
        if (++n % LOOK_BYTES == 0 && is_stopped(stop))
            return NULL;
        if (c == '"') {
            at = string_end(at, end, stop);
            if (!at)
                return NULL;
            continue;
        }
        at++;
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && --depth == 0)
            return at;
    }
    return NULL;
}

const char *scan_value_end(const char *text, const char *end,
                           const atomic_bool *stop)
{
    if (text == end)
        return NULL;
    if (*text == '[' || *text == '{')
        return brackets_end(text, end, stop);
    if (*text == '"')
        return string_end(text, end, stop);
    while (text < end && !strchr(",:]}[{\" \t\r\n", *text))
        text++;
    return text < end ? text : NULL;
}
