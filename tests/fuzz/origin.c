/*
 * Lines: Host, Origin, the list of Access-Control-Request-Headers, --listen,
 * --allow-host and --cors-origin.  Whatever they are, what is let in has a
 * grammar, and no header that CORS adds has a character that ends it.
 */
#include "server/origin.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 6 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Visible ASCII and blanks, neither first. */
static void check_headers(const struct cors_answer *a)
{
    check(a->n <= CORS_HEADERS_MAX);
    for (size_t i = 0; i < a->n; i++)
        for (const char *c = a->header[i].value; *c; c++)
            check((*c >= ' ' && *c < 0x7f) || *c == '\t');
}

static void check_request(const struct origins *o, char *const *line)
{
    const char *host = line[0], *origin = *line[1] ? line[1] : NULL;
    struct cors_answer plain = cors_headers(o, origin);
    struct cors_answer preflight =
        cors_preflight(o, origin, "POST", line[2], "POST");
    check_headers(&plain);
    check_headers(&preflight);
    if (origin_host_allowed(o, host))
        check(host_is_valid(host));
    if (host_is_valid(host))
        check(*host && !strpbrk(host, " \t\r\n,@/?#\\"));
    if (origin && origin_allowed(o, "POST", host, origin))
        check(o->any || strcmp(origin, "null") == 0 ||
              (strstr(origin, "://") && !strpbrk(origin, " \t\r\n,@?#\\")));
    check(origin_allowed(o, "GET", host, origin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1), *line[LINES], *at = text, why[100];
    struct origins o;
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    for (size_t i = 0; i < LINES; i++) {
        line[i] = at;
        at += strcspn(at, "\n");
        if (*at)
            *at++ = '\0';
    }
    if (origins_read(&o, line[3], *line[4] ? line[4] : NULL,
                     *line[5] ? line[5] : NULL, size % 2, why, sizeof(why)))
        check(strlen(why) > 0);
    else
        check_request(&o, line);
    free(text);
    return 0;
}
