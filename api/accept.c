#include "api/accept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The quality of one media range's parameters, 1 if it names none. */
static double quality(const char *parameters, const char *end)
{
    for (const char *p = parameters; p < end; p++) {
        if (*p != ';')
            continue;
        p += 1 + strspn(p + 1, " \t");
        if (end - p > 2 && (*p == 'q' || *p == 'Q') && p[1] == '=')
            return strtod(p + 2, NULL);
        p--;
    }
    return 1;
}

/* How closely a range fits a type: 0 = not, 1 = star, 2 = group, 3 = it. */
static int fit(const char *range, size_t n, const char *type)
{
    size_t group = strcspn(type, "/") + 1;
    if (n == 3 && strncmp(range, "*/*", 3) == 0)
        return 1;
    if (n == group + 1 && strncasecmp(range, type, group) == 0 &&
        range[group] == '*')
        return 2;
    return n == strlen(type) && strncasecmp(range, type, n) == 0 ? 3 : 0;
}

/* The quality that the closest range of the header gives a type. */
static double accepted(const char *accept, const char *type)
{
    double q = 0;
    int closest = 0;
    while (*accept) {
        accept += strspn(accept, " \t,");
        const char *end = accept + strcspn(accept, ",");
        size_t n = strcspn(accept, " \t;,");
        int f = fit(accept, n, type);
        if (f > closest) {
            closest = f;
            q = quality(accept + n, end);
        }
        accept = end;
    }
    return q;
}

size_t accept_pick(const char *accept, const char *const *types, size_t n)
{
    size_t best = n;
    double most = 0;
    if (!accept || !*accept)
        return 0;
    for (size_t i = 0; i < n; i++) {
        double q = accepted(accept, types[i]);
        if (q > most) {
            most = q;
            best = i;
        }
    }
    return best;
}

bool content_is_json(const char *content_type)
{
    static const char json[] = "application/json";
    if (!content_type)
        return false;
    size_t n = strcspn(content_type, " \t;");
    if (n != sizeof(json) - 1 || strncasecmp(content_type, json, n) != 0)
        return false;
    const char *charset = strcasestr(content_type, "charset=");
    if (!charset)
        return true;
    charset += sizeof("charset=") - 1;
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0;
}
