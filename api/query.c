#include "api/query.h"

#include <string.h>

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
    return 0;
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
        return api_fail(err, PROBLEM_MEMORY, NULL,
                        "the query does not fit in the memory of one request");
    *pair = (struct query_pair){key, value};
    if (decode(from, from + n, key, err) ||
        decode(from + n + (n < len), from + len, value, err))
        return -1;
    return 1;
}
