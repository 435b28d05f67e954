#include "server/origin.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_BYTES_MAX = 253, /* of a name in DNS */
    ORIGIN_BYTES_MAX = 512,
    WANTED_BYTES_MAX = 1024, /* Access-Control-Request-Headers */
};

static const char exposed[] = "X-Request-Id, Server-Timing, ETag, Retry-After, "
                              "Inference-Header-Content-Length";
static const char preflight_max_age_s[] = "600";

/* A part of a text. */
struct part {
    const char *at;
    size_t len;
};

static bool same_words(struct part a, const char *b)
{
    return strlen(b) == a.len && strncasecmp(a.at, b, a.len) == 0;
}

/* RFC 3986, 3.2.2: reg-name; but no comma. */
static bool is_name(struct part p)
{
    for (size_t i = 0; i < p.len; i++) {
        unsigned char c = (unsigned char)p.at[i];
        if (c == '%' && p.len - i > 2 && isxdigit((unsigned char)p.at[i + 1]) &&
            isxdigit((unsigned char)p.at[i + 2]))
            i += 2;
        else if (!isalnum(c) && (!c || !strchr("-._~!$&'()*+;=", c)))
            return false;
    }
    return p.len > 0 && p.len <= NAME_BYTES_MAX;
}

/* The text as an address of a family. */
static bool read_address(struct part p, int family, unsigned char *address)
{
    char text[INET6_ADDRSTRLEN];
    if (p.len == 0 || p.len >= sizeof(text) || memchr(p.at, '\0', p.len))
        return false;
    memcpy(text, p.at, p.len);
    text[p.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

/* ":", then perhaps digits; nothing at all is a port, too. */
static bool read_port(struct part p, unsigned *port)
{
    *port = 0;
    if (p.len == 0)
        return true;
    if (p.at[0] != ':')
        return false;
    for (size_t i = 1; i < p.len; i++) {
        if (!isdigit((unsigned char)p.at[i]))
            return false;
        *port = *port * 10 + (unsigned)(p.at[i] - '0');
        if (*port > UINT16_MAX)
            return false;
    }
    return p.len == 1 || *port > 0;
}

static bool read_v6(struct part p, struct authority *a)
{
    const char *end = memchr(p.at, ']', p.len);
    if (!end)
        return false;
    size_t n = (size_t)(end - p.at);
    a->kind = AUTHORITY_V6;
    return read_address((struct part){p.at + 1, n - 1}, AF_INET6, a->address) &&
           read_port((struct part){end + 1, p.len - n - 1}, &a->port);
}

static bool read_authority(struct part p, struct authority *a)
{
    *a = (struct authority){.kind = AUTHORITY_NAME};
    if (p.len == 0)
        return false;
    if (p.at[0] == '[')
        return read_v6(p, a);
    const char *colon = memchr(p.at, ':', p.len);
    struct part name = {p.at, colon ? (size_t)(colon - p.at) : p.len};
    struct part port = {p.at + name.len, p.len - name.len};
    if (!is_name(name) || !read_port(port, &a->port))
        return false;
    if (read_address(name, AF_INET, a->address))
        a->kind = AUTHORITY_V4;
    a->name = name.at;
    a->name_len = name.len;
    if (name.len > 1 && name.at[name.len - 1] == '.')
        a->name_len--;
    return true;
}

static struct part bounded(const char *text, size_t most)
{
    return (struct part){text, strnlen(text, most + 1)};
}

static bool read_host(const char *host, struct authority *a)
{
    return host && read_authority(bounded(host, ORIGIN_BYTES_MAX), a);
}

bool host_is_valid(const char *host)
{
    struct authority a;
    return read_host(host, &a);
}

static bool same_host(const struct authority *a, const struct authority *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == AUTHORITY_NAME)
        return a->name_len == b->name_len &&
               strncasecmp(a->name, b->name, a->name_len) == 0;
    size_t n = a->kind == AUTHORITY_V4 ? 4 : 16;
    return memcmp(a->address, b->address, n) == 0;
}

/* A name without dots, and not a number that is read as an address. */
static bool is_label(struct part name)
{
    bool label = isalpha((unsigned char)name.at[0]);
    for (size_t i = 0; i < name.len; i++)
        label = label && (isalnum((unsigned char)name.at[i]) ||
                          (name.at[i] && strchr("-_", name.at[i])));
    return label;
}

/* Whether no page on the net can be called so. */
static bool is_local(const struct authority *a)
{
    static const unsigned char one[16] = {[15] = 1};
    if (a->kind == AUTHORITY_NAME)
        return is_label((struct part){a->name, a->name_len});
    if (a->kind == AUTHORITY_V4)
        return a->address[0] == 127;
    return memcmp(a->address, one, sizeof(one)) == 0;
}

bool origin_host_allowed(const struct origins *o, const char *host)
{
    struct authority a;
    if (!read_host(host, &a))
        return false;
    bool allowed = is_local(&a);
    for (size_t i = 0; i < o->n_hosts && !allowed; i++)
        allowed = same_host(&o->host[i], &a);
    return allowed;
}

/* RFC 3986, 3.1 */
static bool is_scheme(struct part p)
{
    for (size_t i = 0; i < p.len; i++)
        if (!isalnum((unsigned char)p.at[i]) &&
            (!p.at[i] || !strchr("+-.", p.at[i])))
            return false;
    return p.len > 0 && isalpha((unsigned char)p.at[0]);
}

static unsigned default_port(struct part scheme)
{
    return same_words(scheme, "https")  ? 443
           : same_words(scheme, "http") ? 80
                                        : 0;
}

static bool read_origin(struct part p, struct origin *o)
{
    static const char separator[] = "://";
    const char *at = memmem(p.at, p.len, separator, strlen(separator));
    if (!at || p.len > ORIGIN_BYTES_MAX)
        return false;
    struct part scheme = {p.at, (size_t)(at - p.at)};
    size_t n = scheme.len + strlen(separator);
    *o = (struct origin){.scheme = scheme.at, .scheme_len = scheme.len};
    if (!is_scheme(scheme) ||
        !read_authority((struct part){p.at + n, p.len - n}, &o->at))
        return false;
    if (o->at.port == 0)
        o->at.port = default_port(scheme);
    return true;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
    return a->scheme_len == b->scheme_len &&
           strncasecmp(a->scheme, b->scheme, a->scheme_len) == 0 &&
           a->at.port == b->at.port && same_host(&a->at, &b->at);
}

/* An origin with the authority of Host, whose port may go without saying. */
static bool is_own(const struct origins *o, const struct origin *origin,
                   const char *host)
{
    struct part scheme = {origin->scheme, origin->scheme_len};
    struct authority a;
    if (!same_words(scheme, "https") && (o->tls || !same_words(scheme, "http")))
        return false;
    if (!read_host(host, &a))
        return false;
    if (a.port == 0)
        a.port = default_port(scheme);
    return a.port == origin->at.port && same_host(&a, &origin->at);
}

/* Whether --cors-origin has it. */
static bool is_listed(const struct origins *o, const char *text)
{
    struct origin origin;
    if (o->any)
        return true;
    if (strcmp(text, "null") == 0)
        return o->null;
    if (!read_origin(bounded(text, ORIGIN_BYTES_MAX), &origin))
        return false;
    bool found = false;
    for (size_t i = 0; i < o->n_cors && !found; i++)
        found = same_origin(&o->cors[i], &origin);
    return found;
}

static bool changes_nothing(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0;
}

bool origin_allowed(const struct origins *o, const char *method,
                    const char *host, const char *text)
{
    struct origin origin;
    if (!text || changes_nothing(method) || is_listed(o, text))
        return true;
    return read_origin(bounded(text, ORIGIN_BYTES_MAX), &origin) &&
           is_own(o, &origin, host);
}

static void add(struct cors_answer *a, const char *name, const char *value)
{
    a->header[a->n].name = name;
    a->header[a->n++].value = value;
}

/* Allow-Origin where the origin is listed; a cache has to tell them apart. */
static bool allow_origin(const struct origins *o, const char *origin,
                         struct cors_answer *a)
{
    bool listed = origin && is_listed(o, origin);
    a->n = 0;
    if (!o->any && (o->n_cors > 0 || o->null))
        add(a, "Vary", "Origin");
    if (listed)
        add(a, "Access-Control-Allow-Origin", o->any ? "*" : origin);
    return listed;
}

struct cors_answer cors_headers(const struct origins *o, const char *origin)
{
    struct cors_answer a;
    if (allow_origin(o, origin, &a))
        add(&a, "Access-Control-Expose-Headers", exposed);
    return a;
}

/* Names of headers by comma, RFC 9110, 5.6.1 and 5.6.2; one at least. */
static bool is_header_list(const char *text)
{
    struct part p = bounded(text, WANTED_BYTES_MAX);
    bool found = false;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.at[i];
        if (isalnum((unsigned char)c) || strchr("!#$%&'*+-.^_`|~", c))
            found = true;
        else if (!strchr(", \t", c))
            return false;
    }
    return found && p.len <= WANTED_BYTES_MAX;
}

struct cors_answer cors_preflight(const struct origins *o, const char *origin,
                                  const char *wants_method,
                                  const char *wants_headers, const char *allow)
{
    struct cors_answer a;
    if (!allow_origin(o, origin, &a) || !wants_method)
        return a;
    add(&a, "Access-Control-Allow-Methods", allow);
    if (wants_headers && is_header_list(wants_headers))
        add(&a, "Access-Control-Allow-Headers", wants_headers);
    add(&a, "Access-Control-Max-Age", preflight_max_age_s);
    return a;
}

/* What a list by comma has next, without blanks around it; false at its end. */
static bool next_entry(const char **list, struct part *entry)
{
    const char *at = *list;
    if (!at)
        return false;
    const char *comma = strchr(at, ',');
    size_t len = comma ? (size_t)(comma - at) : strlen(at);
    *list = comma ? comma + 1 : NULL;
    while (len > 0 && *at == ' ')
        at++, len--;
    while (len > 0 && at[len - 1] == ' ')
        len--;
    *entry = (struct part){at, len};
    return true;
}

static int wrong(char *why, size_t n, const char *flag, struct part entry,
                 const char *fix)
{
    snprintf(why, n, "%s \"%.*s\": %s", flag,
             (int)(entry.len < 200 ? entry.len : 200), entry.at, fix);
    return -1;
}

/* An IPv6 address may come without its brackets. */
static int read_allowed(struct origins *o, struct part p, char *why, size_t n)
{
    struct authority *a = &o->host[o->n_hosts];
    if (o->n_hosts == ORIGINS_MAX)
        return wrong(why, n, "--allow-host", p, "one too many, at most 31");
    *a = (struct authority){.kind = AUTHORITY_V6};
    if (!read_address(p, AF_INET6, a->address) &&
        (!read_authority(p, a) || a->port > 0 || memchr(p.at, '*', p.len)))
        return wrong(why, n, "--allow-host", p,
                     "must be a name or an address, without a port or \"*\"");
    o->n_hosts++;
    return 0;
}

static int read_cors(struct origins *o, struct part p, char *why, size_t n)
{
    if (same_words(p, "*")) {
        o->any = true;
        return 0;
    }
    if (same_words(p, "null")) {
        o->null = true;
        return 0;
    }
    if (o->n_cors == ORIGINS_MAX)
        return wrong(why, n, "--cors-origin", p, "one too many, at most 32");
    if (p.len > 0 && p.at[p.len - 1] == '/')
        return wrong(why, n, "--cors-origin", p, "must end without \"/\"");
    if (!read_origin(p, &o->cors[o->n_cors]) || memchr(p.at, '*', p.len))
        return wrong(why, n, "--cors-origin", p,
                     "must be scheme://host or scheme://host:port, such as "
                     "https://lab.example, or * alone");
    o->n_cors++;
    return 0;
}

int origins_read(struct origins *o, const char *listen, const char *allow_hosts,
                 const char *cors_origins, bool tls, char *why, size_t n)
{
    struct part entry;
    memset(o, 0, sizeof(*o));
    o->tls = tls;
    const char *colon = strrchr(listen, ':');
    entry = (struct part){listen,
                          colon ? (size_t)(colon - listen) : strlen(listen)};
    if (read_authority(entry, &o->host[0]))
        o->n_hosts = 1; /* what listens on no valid name has none */
    while (next_entry(&allow_hosts, &entry))
        if (read_allowed(o, entry, why, n))
            return -1;
    while (next_entry(&cors_origins, &entry))
        if (read_cors(o, entry, why, n))
            return -1;
    return 0;
}
