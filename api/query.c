#include "api/query.h"

#include "api/json_read.h"
#include "api/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool query_has(const char *query, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = query; p; p = strchr(p, '&')) {
        p += *p == '&';
        if (strncmp(p, key, n) == 0 && (p[n] == '\0' || strchr("=&", p[n])))
            return true;
    }
    return false;
}

/* The value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

/* Decodes from, up to end, to text, which has room for it and is terminated. */
static int decode(const char *from, const char *end, char *text,
                  struct api_error *err)
{
    const char *begin = text;
    while (from < end) {
        char c = *from++;
        if (c == '%') {
            int high = from < end ? digit(*from) : -1;
            int low = high >= 0 && from + 1 < end ? digit(from[1]) : -1;
            int byte = 16 * high + low;
            if (low < 0 || byte == 0)
                return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                                "the query has \"%%%.*s\"; two hexadecimal "
                                "digits must follow a %%, and not 00",
                                end - from < 2 ? (int)(end - from) : 2, from);
            c = (char)(unsigned char)byte;
            from += 2;
        } else if (c == '+') {
            c = ' ';
        }
        *text++ = c;
    }
    *text = '\0';
    for (size_t n; *begin; begin += n)
        if ((n = utf8_sequence(begin, text)) == 0)
            return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                            "the query has bytes that are not UTF-8");
    return 0;
}

static int no_memory(struct api_error *err)
{
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "the query does not fit in the memory of one request");
}

int query_next(const char **query, struct arena *mem, struct query_pair *pair,
               struct api_error *err)
{
    const char *from = *query + strspn(*query, "&");
    size_t len = strcspn(from, "&"), n = strcspn(from, "=&");
    char *key, *value;
    *query = from + len;
    if (len == 0)
        return 0;
    key = arena_alloc(mem, n + 1, 1);
    value = arena_alloc(mem, len - n + 1, 1);
    if (!key || !value)
        return no_memory(err);
    *pair = (struct query_pair){key, value};
    if (decode(from, from + n, key, err) ||
        decode(from + n + (n < len), from + len, value, err))
        return -1;
    return 1;
}

/*
 * Puts a value behind those of the list that are there; the first makes room
 * for all that the rest of the query may bring.
 */
static int add_item(const char **list, char **end, const char *value,
                    const char *rest, struct arena *mem, struct api_error *err)
{
    if (!*end) {
        *end = arena_alloc(mem, strlen(value) + strlen(rest) + 1, 1);
        if (!*end)
            return no_memory(err);
        *list = *end;
    } else {
        *(*end)++ = ',';
    }
    *end = stpcpy(*end, value);
    return 0;
}

static size_t row_of(const char *key, const char *const *names, size_t n)
{
    size_t row = 0;
    while (row < n && strcmp(key, names[row]) != 0)
        row++;
    return row;
}

int query_read(const char *query, const char *const *names, size_t n,
               size_t lists, const char **value, struct arena *mem,
               struct api_error *err)
{
    char *end[QUERY_LISTS_MAX] = {NULL};
    struct query_pair pair = {"", ""};
    int more;
    assert(lists <= QUERY_LISTS_MAX);
    for (size_t i = 0; i < n; i++)
        value[i] = NULL;
    while ((more = query_next(&query, mem, &pair, err)) > 0 && !api_full(err)) {
        struct at at = {NULL, pair.key, 0};
        size_t row = row_of(pair.key, names, n);
        if (row == n && strcmp(pair.key, "pretty") != 0)
            n ? read_key(pair.key, &at, names, n, err)
              : at_fail(err, PROBLEM_UNKNOWN_MEMBER, &at,
                        "is not a known key; known is pretty alone");
        else if (row < lists)
            add_item(&value[row], &end[row], pair.value, query, mem, err);
        else if (row < n && value[row])
            at_fail(err, PROBLEM_INVALID_VALUE, &at,
                    "is twice in the query, must be there once");
        else if (row < n)
            value[row] = pair.value;
    }
    return more < 0 || err->n ? -1 : 0;
}

int query_flag(const char *name, const char *value, bool *out,
               struct api_error *err)
{
    static const char *const words[] = {"false", "0", "true", "1", ""};
    size_t row = value ? row_of(value, words, COUNT(words)) : 0;
    if (row == COUNT(words))
        return at_fail(err, PROBLEM_INVALID_VALUE, &(struct at){NULL, name, 0},
                       "is \"%.40s\" in the query, must be true or 1, false "
                       "or 0, or without a value",
                       value);
    *out = row >= 2;
    return 0;
}

int query_integer(const char *name, const char *value, int64_t lo, int64_t hi,
                  int64_t *out, struct api_error *err)
{
    char *end;
    if (!value)
        return 0;
    errno = 0;
    long long x = strtoll(value, &end, 10);
    size_t digits = strspn(value + (*value == '-'), "0123456789");
    if (digits == 0 || *end || errno || x < lo || x > hi)
        return at_fail(err, PROBLEM_INVALID_VALUE, &(struct at){NULL, name, 0},
                       "is \"%.40s\" in the query, must be an integer from "
                       "%lld to %lld",
                       value, (long long)lo, (long long)hi);
    *out = x;
    return 0;
}

const char *query_item(char **list)
{
    char *item = *list;
    size_t n = item ? strcspn(item, ",") : 0;
    if (item) {
        *list = item[n] ? item + n + 1 : NULL;
        item[n] = '\0';
    }
    return item;
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

bool query_is_number(const char *s)
{
    s += *s == '-';
    size_t n = digits(s);
    if (n == 0 || (*s == '0' && n > 1))
        return false;
    s += n;
    if (*s == '.') {
        n = digits(++s);
        if (n == 0)
            return false;
        s += n;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        n = digits(s);
        if (n == 0)
            return false;
        s += n;
    }
    return *s == '\0';
}
