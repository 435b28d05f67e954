/*
 * Which names the daemon answers to, and which web pages may use it.
 *
 * A browser on the same machine carries the requests of any page that it
 * shows, so listening on loopback does not keep pages out.  Three ways in:
 *
 * DNS rebinding: the page's own name is made to lead to 127.0.0.1, and then
 * the daemon is of the same origin.  What gives it away is Host: a loopback
 * daemon without tokens answers only to names that are its own, and to names
 * without a dot: those are a machine's or a container's, and nobody can have
 * one on the net.  With tokens the page lacks one; and on other addresses the
 * daemon cannot know its names.
 *
 * Forged requests: a form, or fetch with mode no-cors, may POST anywhere
 * without asking.  Browsers say where a page is from in Origin with every
 * method but GET and HEAD, so such a request is refused (403) unless its
 * origin is the daemon's own or one of --cors-origin.  "null", which pages in
 * sandboxes and files have, is nobody's own.  GET and HEAD change nothing
 * here, and a page cannot read their answer without CORS, so they pass; so
 * does OPTIONS, whose answer is the refusal that a browser looks for.
 *
 * Reading answers: only with CORS, which is off unless --cors-origin is given.
 *
 * Programs such as curl send no Origin and pass.  A page that the daemon
 * serves is of its own origin.  An own origin is http or https with the
 * authority of Host: behind something that ends TLS, the page is https and the
 * daemon is not told.  A daemon that ends TLS itself takes https only.
 *
 * A preflight never has a token, so OPTIONS has to be answered before tokens
 * are asked for.  Access-Control-Allow-Credentials is never sent: tokens
 * travel in Authorization, which pages set themselves, and there are no
 * cookies.
 */
#ifndef EVALD_SERVER_ORIGIN_H
#define EVALD_SERVER_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

enum { ORIGINS_MAX = 32, CORS_HEADERS_MAX = 6 };

/* host[:port] in parts; borrows its text. */
struct authority {
    enum authority_kind { AUTHORITY_NAME, AUTHORITY_V4, AUTHORITY_V6 } kind;
    const char *name; /* without the last dot */
    size_t name_len;
    unsigned char address[16]; /* of V4 the first 4 */
    unsigned port;             /* 0 = none is given */
};

/* scheme://host[:port], or "null", which has no scheme. */
struct origin {
    const char *scheme;
    size_t scheme_len;
    struct authority at; /* its port is the scheme's if none is given */
};

struct origins {
    size_t n_hosts, n_cors;
    struct authority host[ORIGINS_MAX]; /* of --listen and --allow-host */
    struct origin cors[ORIGINS_MAX];
    bool any;  /* --cors-origin "*" */
    bool null; /* --cors-origin "null" */
    bool tls;  /* the daemon ends TLS itself */
};

/*
 * From settings: listen is HOST:PORT; allow_hosts (names or addresses without
 * port) and cors_origins are lists by comma, or NULL.  The strings are
 * borrowed.  -1 with a line in why that names the flag, the entry and the fix.
 */
int origins_read(struct origins *o, const char *listen, const char *allow_hosts,
                 const char *cors_origins, bool tls, char *why, size_t n)
    __attribute__((warn_unused_result));

/*
 * The grammar of Host, RFC 9110 7.2 and RFC 3986 3.2.2: a name, an IPv4 or an
 * [IPv6] address, then perhaps ":" and a port from 1 to 65535, or none.  Not
 * empty, no user, and no comma, though a name could have one: lists of hosts
 * do.  Of [IPvFuture] there is none.
 */
bool host_is_valid(const char *host);

/*
 * Whether Host names this machine or one of o->host, with any port: a name
 * without a dot such as localhost, 127.0.0.0/8 or [::1].  For a loopback
 * listener without tokens; 403 if it does not.  host may be NULL or anything.
 */
bool origin_host_allowed(const struct origins *o, const char *host);

/* Whether a request may be answered, by its Origin; NULL = it has none. */
bool origin_allowed(const struct origins *o, const char *method,
                    const char *host, const char *origin);

/* Headers that CORS adds to an answer; n = 0 if it adds none. */
struct cors_answer {
    size_t n;
    struct {
        const char *name, *value; /* borrowed from the request, or static */
    } header[CORS_HEADERS_MAX];
};

/* What every answer gets, 401 and 403 too, so that a page can read it. */
struct cors_answer cors_headers(const struct origins *o, const char *origin);

/*
 * What OPTIONS gets in place of that.  It is a preflight if it has
 * Access-Control-Request-Method, wants_method; wants_headers is
 * Access-Control-Request-Headers or NULL.  allow is the route's Allow.
 */
struct cors_answer cors_preflight(const struct origins *o, const char *origin,
                                  const char *wants_method,
                                  const char *wants_headers, const char *allow);

#endif
