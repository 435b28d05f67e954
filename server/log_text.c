#include "server/log_text.h"

#include "api/utf8.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_BYTES = 20, DIGITS_MAX = 20, END_BYTES = 2 };

static void put(struct line *l, const char *text, size_t n)
{
    if (n > LINE_BYTES - END_BYTES - l->len)
        return;
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

static void put_words(struct line *l, const char *words)
{
    put(l, words, strlen(words));
}

/* At least so many digits. */
static void put_digits(struct line *l, uint64_t n, size_t width)
{
    char text[DIGITS_MAX];
    size_t at = sizeof(text);
    while (n > 0 || at > sizeof(text) - width) {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    }
    put(l, text + at, sizeof(text) - at);
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* A character that cannot stand as it is; n = 0: it is none. */
static void put_strange(struct line *l, const char *s, size_t n)
{
    unsigned char c = (unsigned char)*s;
    bool control = n == 1 && (c < ' ' || c == 0x7f);
    /* terminals obey those beyond ASCII, too */
    bool c1 = n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0;
    if (!l->json) {
        bool bad = n == 0 || control || c1;
        put(l, bad ? "?" : s, bad ? 1 : n);
    } else if (n == 0) {
        put(l, "\xef\xbf\xbd", 3);
    } else if (control) {
        static const char hex[] = "0123456789abcdef";
        char text[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(l, text, sizeof(text));
    } else {
        if (n == 1)
            put(l, "\\", 1);
        put(l, s, n);
    }
}

static void put_escaped(struct line *l, const char *s, size_t bytes_max)
{
    const char *end = s + strnlen(s, bytes_max);
    while (s < end) {
        size_t plain = 0;
        while (s + plain < end && is_plain((unsigned char)s[plain]))
            plain++;
        put(l, s, plain);
        s += plain;
        if (s == end)
            return;
        size_t n = utf8_sequence(s, end);
        put_strange(l, s, n);
        s += n ? n : 1;
    }
}

/* The second is the same for many lines. */
static void put_time(struct line *l)
{
    static _Thread_local struct {
        time_t second;
        char text[SECOND_BYTES];
    } last = {.second = -1};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last.second) {
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S", &utc);
        last.second = now.tv_sec;
    }
    put_words(l, last.text);
    put(l, ".", 1);
    put_digits(l, (uint64_t)(now.tv_nsec / 1000000), 3);
    put(l, "Z", 1);
}

void line_begin(struct line *l, bool json, const char *level)
{
    l->json = json;
    l->len = 0;
    if (json)
        put_words(l, "{\"time\":\"");
    put_time(l);
    put_words(l, json ? "\",\"level\":\"" : " ");
    put_words(l, level);
    if (json)
        put(l, "\"", 1);
    else
        put(l, "       ", strlen(level) < 5 ? 5 - strlen(level) : 0);
}

void line_end(struct line *l)
{
    if (l->json)
        l->text[l->len++] = '}';
    l->text[l->len++] = '\n';
}

static void put_name(struct line *l, struct field f)
{
    if (l->json) {
        put(l, ",\"", 2);
        put_words(l, f.json);
        put(l, "\":", 2);
    } else {
        put(l, " ", 1);
        put_words(l, f.text);
        put(l, "=", *f.text != '\0');
    }
}

void line_string(struct line *l, struct field f, const char *s,
                 size_t bytes_max)
{
    if (!s)
        return;
    put_name(l, f);
    if (l->json)
        put(l, "\"", 1);
    put_escaped(l, s, bytes_max);
    if (l->json)
        put(l, "\"", 1);
}

void line_count(struct line *l, struct field f, uint64_t n)
{
    put_name(l, f);
    put_digits(l, n, 1);
}

void line_ms(struct line *l, struct field f, double ms)
{
    uint64_t us = ms > 0 && ms < 1e12 ? (uint64_t)(ms * 1e3 + 0.5) : 0;
    put_name(l, f);
    put_digits(l, us / 1000, 1);
    put(l, ".", 1);
    put_digits(l, us % 1000, 3);
}

void line_words(struct line *l, const char *words)
{
    if (!l->json)
        put_words(l, words);
}
