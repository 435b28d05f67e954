/* Hosts and origins: what is one, which are let in, and CORS. */
#include "server/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WHY_BYTES = 400 };

/* 63 characters and a dot, of which a name may have not quite four. */
#define LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."

/* RFC 3986, 3.2.2 and 3.2.3. */
static const struct {
    const char *host;
    bool valid;
} hosts[] = {
    {"localhost", true},
    {"LOCALHOST:8080", true},
    {"localhost.", true},
    {"a", true},
    {"a_b-c.d~e", true},
    {"a!$&'()*+;=b", true},
    {"a%20b", true},
    {"127.0.0.1", true},
    {"127.0.0.1:1", true},
    {"999.1.1.1", true}, /* a name */
    {"[::1]", true},
    {"[::1]:8080", true},
    {"[2001:db8::1]:65535", true},
    {"[::ffff:127.0.0.1]", true},
    {"h:", true}, /* a port may be empty */
    {"[::1]:", true},
    {"h:0080", true},
    {"h:65535", true},
    {LABEL LABEL LABEL
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaa:65535",
     true}, /* 253 */
    {NULL, false},
    {"", false},
    {":", false},
    {":80", false},
    {"h:0", false},
    {"h:00", false},
    {"h:65536", false},
    {"h:18446744073709551617", false},
    {"h:-1", false},
    {"h:+1", false},
    {"h:8o", false},
    {"h:80 ", false},
    {"h:80:80", false},
    {" h", false},
    {"h ", false},
    {"a b", false},
    {"a,b", false},
    {"a/b", false},
    {"a?b", false},
    {"a#b", false},
    {"a\\b", false},
    {"a\"b", false},
    {"a<b", false},
    {"u@h", false},
    {"u:p@h", false},
    {"http://h", false},
    {"a%2", false},
    {"a%", false},
    {"a%2gb", false},
    {"a\tb", false},
    {"a\x7f", false},
    {"\xc3\xa4", false},
    {"::1", false},
    {"[::1", false},
    {"::1]", false},
    {"[]", false},
    {"[::1]x", false},
    {"[::1]80", false},
    {"[::1]:0", false},
    {"[::1]]", false},
    {"[[::1]]", false},
    {"[127.0.0.1]", false},
    {"[localhost]", false},
    {"[v1.a]", false},
    {"[fe80::1%25eth0]", false},
    {"[1:2:3:4:5:6:7]", false},
    {"[1:2:3:4:5:6:7:8:9]", false},
    {"[12345::]", false},
    {LABEL LABEL LABEL
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaa",
     false},
};

static void hosts_have_a_grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (host_is_valid(hosts[i].host) != hosts[i].valid)
            fail_msg("\"%s\"", hosts[i].host);
}

static struct origins make(const char *listen, const char *allow,
                           const char *cors, bool tls)
{
    struct origins o;
    char why[WHY_BYTES] = "";
    if (origins_read(&o, listen, allow, cors, tls, why, sizeof(why)))
        fail_msg("%s", why);
    return o;
}

/* What a daemon on loopback answers to. */
static const struct {
    const char *listen, *allow, *host;
    bool allowed;
} names[] = {
    {"127.0.0.1:8080", NULL, "localhost", true},
    {"127.0.0.1:8080", NULL, "localhost:8080", true},
    {"127.0.0.1:8080", NULL, "localhost:1", true}, /* a forwarded port */
    {"127.0.0.1:8080", NULL, "LocalHost.:8080", true},
    {"127.0.0.1:8080", NULL, "127.0.0.1:8080", true},
    {"127.0.0.1:8080", NULL, "127.255.0.9", true},
    {"127.0.0.1:8080", NULL, "[::1]:8080", true},
    {"127.0.0.1:8080", NULL, "[0:0:0:0:0:0:0:1]", true},
    {"127.0.0.1:8080", NULL, NULL, false},
    {"127.0.0.1:8080", NULL, "", false},
    {"127.0.0.1:8080", NULL, "evil.example", false},
    {"127.0.0.1:8080", NULL, "evil.example:8080", false},
    {"127.0.0.1:8080", NULL, "localhost.evil.example", false},
    {"127.0.0.1:8080", NULL, "evil.localhost", false},
    {"127.0.0.1:8080", NULL, "localhost.example", false},
    {"127.0.0.1:8080", NULL, "localhostx", true},
    {"127.0.0.1:8080", NULL, "localhost..", false},
    {"127.0.0.1:8080", NULL, "127.0.0.1.evil.example", false},
    {"127.0.0.1:8080", NULL, "127.0.0.1.", false},
    {"127.0.0.1:8080", NULL, "127.1", false},
    {"127.0.0.1:8080", NULL, "127.0.0.01", false},
    {"127.0.0.1:8080", NULL, "2130706433", false},
    {"127.0.0.1:8080", NULL, "0x7f.0.0.1", false},
    {"127.0.0.1:8080", NULL, "128.0.0.1", false},
    {"127.0.0.1:8080", NULL, "10.0.0.127", false},
    {"127.0.0.1:8080", NULL, "0.0.0.0", false},
    {"127.0.0.1:8080", NULL, "[::]", false},
    {"127.0.0.1:8080", NULL, "[::2]", false},
    {"127.0.0.1:8080", NULL, "[7f00:1::]", false},
    {"127.0.0.1:8080", NULL, "evil@localhost", false},
    {"127.0.0.1:8080", NULL, "localhost@evil", false},
    {"127.0.0.1:8080", NULL, "localhost,evil", false},
    {"127.0.0.1:8080", NULL, "l%6fcalhost", false},
    {"MyHost:8080", NULL, "myhost.:1", true},
    {"myhost:8080", NULL, "myhost2.example", false},
    {"127.0.0.1:8080", NULL, "gpu7:8080", true},
    {"myhost:8080", NULL, "localhost", true},
    {"127.0.0.1:8080", "lab.example", "LAB.example:80", true},
    {"127.0.0.1:8080", "lab.example", "x.lab.example", false},
    {"127.0.0.1:8080", "lab.example", "lab.exampl", false},
    {"127.0.0.1:8080", "a, lab.example. ,b", "lab.example", true},
    {"127.0.0.1:8080", "a,b", "b", true},
    {"127.0.0.1:8080", "a.b,b", "c.b", false},
    {"127.0.0.1:8080", "10.1.2.3", "10.1.2.3:99", true},
    {"127.0.0.1:8080", "10.1.2.3", "10.1.2.4", false},
    {"127.0.0.1:8080", "2001:db8::1", "[2001:DB8:0::1]", true},
    {"127.0.0.1:8080", "[2001:db8::1]", "[2001:db8::1]:1", true},
    {"127.0.0.1:8080", "2001:db8::1", "[2001:db8::2]", false},
};

static void names_are_the_daemons_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct origins o = make(names[i].listen, names[i].allow, NULL, false);
        if (origin_host_allowed(&o, names[i].host) != names[i].allowed)
            fail_msg("row %zu: \"%s\"", i, names[i].host);
    }
}

#define LAB "https://lab.example"

/* Requests of pages, and of what is none. */
static const struct {
    const char *cors;
    bool tls;
    const char *method, *host, *origin;
    bool allowed;
} requests[] = {
    {NULL, false, "POST", "localhost:8080", NULL, true},
    {NULL, false, "DELETE", "localhost:8080", NULL, true},
    /* what the daemon serves itself */
    {NULL, false, "POST", "localhost:8080", "http://localhost:8080", true},
    {NULL, false, "POST", "LOCALHOST.:8080", "HTTP://localhost:8080", true},
    {NULL, false, "POST", "lab", "http://lab", true},
    {NULL, false, "POST", "lab", "http://lab:80", true},
    {NULL, false, "POST", "lab:80", "http://lab", true},
    {NULL, false, "POST", "lab:", "http://lab", true},
    {NULL, false, "POST", "[::1]:8080", "http://[0::1]:8080", true},
    /* behind something that ends TLS */
    {NULL, false, "POST", "lab", "https://lab", true},
    {NULL, false, "POST", "lab:443", "https://lab", true},
    {NULL, false, "POST", "lab:80", "https://lab", false},
    /* which this one does itself */
    {NULL, true, "POST", "lab:8443", "https://lab:8443", true},
    {NULL, true, "POST", "lab:8443", "http://lab:8443", false},
    /* other pages */
    {NULL, false, "POST", "localhost:8080", "http://evil.example", false},
    {NULL, false, "PUT", "localhost:8080", "http://evil.example", false},
    {NULL, false, "post", "localhost:8080", "http://evil.example", false},
    {NULL, false, "get", "localhost:8080", "http://evil.example", false},
    {NULL, false, "POST", "localhost:8080", "http://localhost", false},
    {NULL, false, "POST", "localhost:8080", "http://localhost:80800", false},
    {NULL, false, "POST", "localhost:8080", "http://localhost:8081", false},
    {NULL, false, "POST", "localhost:8080", "http://127.0.0.1:8080", false},
    {NULL, false, "POST", "localhost:8080", "ftp://localhost:8080", false},
    {NULL, false, "POST", "localhost:8080", "localhost:8080", false},
    {NULL, false, "POST", "localhost:8080", "://localhost:8080", false},
    {NULL, false, "POST", "localhost:8080", "http://localhost:8080/", false},
    {NULL, false, "POST", "localhost:8080", "http://x@localhost:8080", false},
    {NULL, false, "POST", "localhost:8080",
     "http://localhost:8080 http://evil.example", false},
    {NULL, false, "POST", "localhost:8080", "null", false},
    {NULL, false, "POST", "localhost:8080", "", false},
    {NULL, false, "POST", NULL, "http://localhost:8080", false},
    {NULL, false, "POST", "", "http://", false},
    {NULL, false, "POST", "null", "null", false},
    /* what changes nothing */
    {NULL, false, "GET", "localhost:8080", "http://evil.example", true},
    {NULL, false, "HEAD", "localhost:8080", "null", true},
    {NULL, false, "OPTIONS", "localhost:8080", "http://evil.example", true},
    /* what is configured */
    {LAB, false, "POST", "localhost:8080", LAB, true},
    {LAB, false, "POST", "localhost:8080", "HTTPS://Lab.Example:443", true},
    {LAB, false, "POST", "localhost:8080", "http://lab.example", false},
    {LAB, false, "POST", "localhost:8080", "https://lab.example:444", false},
    {LAB, false, "POST", "localhost:8080", "https://x.lab.example", false},
    {LAB, false, "POST", "localhost:8080", "https://lab.example.evil", false},
    {LAB, false, "POST", "localhost:8080", "null", false},
    {LAB ", http://b:1", false, "POST", "h", "http://b:1", true},
    {LAB ",null", false, "POST", "h", "null", true},
    {"null", false, "POST", "h", LAB, false},
    {"*", false, "POST", "h", "http://evil.example", true},
    {"*", false, "POST", "h", "null", true},
    {"chrome-extension://abc", false, "POST", "h", "chrome-extension://abc",
     true},
    {"chrome-extension://abc", false, "POST", "h", "chrome-extension://abd",
     false},
};

static void pages_need_leave(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct origins o =
            make("127.0.0.1:8080", NULL, requests[i].cors, requests[i].tls);
        if (origin_allowed(&o, requests[i].method, requests[i].host,
                           requests[i].origin) != requests[i].allowed)
            fail_msg("row %zu: %s %s", i, requests[i].host, requests[i].origin);
    }
}

static void write_headers(const struct cors_answer *a, char text[1024])
{
    size_t at = 0;
    *text = '\0';
    assert_true(a->n <= CORS_HEADERS_MAX);
    for (size_t i = 0; i < a->n; i++)
        at += (size_t)snprintf(text + at, 1024 - at, "%s: %s\n",
                               a->header[i].name, a->header[i].value);
}

#define VARY "Vary: Origin\n"
#define ALLOW(origin) "Access-Control-Allow-Origin: " origin "\n"
#define EXPOSE                                                           \
    "Access-Control-Expose-Headers: X-Request-Id, Server-Timing, ETag, " \
    "Retry-After, Inference-Header-Content-Length\n"
#define METHODS "Access-Control-Allow-Methods: POST, OPTIONS\n"
#define HEADERS(names) "Access-Control-Allow-Headers: " names "\n"
#define AGE "Access-Control-Max-Age: 600\n"

static const struct {
    const char *cors, *origin, *headers;
} answers[] = {
    {NULL, NULL, ""},
    {NULL, LAB, ""},
    {NULL, "null", ""},
    {LAB, NULL, VARY},
    {LAB, LAB, VARY ALLOW(LAB) EXPOSE},
    {LAB, "https://evil.example", VARY},
    {LAB, "https://lab.example/\r\nX: y", VARY},
    {LAB, "null", VARY},
    {"null", "null", VARY ALLOW("null") EXPOSE},
    {"*", NULL, ""},
    {"*", LAB, ALLOW("*") EXPOSE},
    {"*," LAB, LAB, ALLOW("*") EXPOSE},
};

static void answers_may_be_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct origins o = make("127.0.0.1:8080", NULL, answers[i].cors, false);
        struct cors_answer a = cors_headers(&o, answers[i].origin);
        char text[1024];
        write_headers(&a, text);
        if (strcmp(text, answers[i].headers) != 0)
            fail_msg("row %zu:\n%s", i, text);
    }
}

static const struct {
    const char *cors, *origin, *method, *wanted, *headers;
} preflights[] = {
    {NULL, LAB, "POST", "content-type", ""},
    {LAB, NULL, "POST", "content-type", VARY},
    {LAB, LAB, NULL, NULL, VARY ALLOW(LAB)},
    {LAB, "https://evil.example", "POST", "content-type", VARY},
    {LAB, LAB, "POST", NULL, VARY ALLOW(LAB) METHODS AGE},
    {LAB, LAB, "POST", "content-type",
     VARY ALLOW(LAB) METHODS HEADERS("content-type") AGE},
    {LAB, LAB, "POST", "authorization, X-Request-Id,a",
     VARY ALLOW(LAB) METHODS HEADERS("authorization, X-Request-Id,a") AGE},
    {LAB, LAB, "POST", "", VARY ALLOW(LAB) METHODS AGE},
    {LAB, LAB, "POST", ", ,", VARY ALLOW(LAB) METHODS AGE},
    {LAB, LAB, "POST", "a\r\nSet-Cookie: b", VARY ALLOW(LAB) METHODS AGE},
    {LAB, LAB, "POST", "a;b", VARY ALLOW(LAB) METHODS AGE},
    {LAB, LAB, "POST", "a\xe4", VARY ALLOW(LAB) METHODS AGE},
    {"*", LAB, "POST", "a", ALLOW("*") METHODS HEADERS("a") AGE},
};

static void preflights_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(preflights); i++) {
        struct origins o =
            make("127.0.0.1:8080", NULL, preflights[i].cors, false);
        struct cors_answer a =
            cors_preflight(&o, preflights[i].origin, preflights[i].method,
                           preflights[i].wanted, "POST, OPTIONS");
        char text[1024];
        write_headers(&a, text);
        if (strcmp(text, preflights[i].headers) != 0)
            fail_msg("row %zu:\n%s", i, text);
    }
}

static void a_list_of_headers_has_a_length(void **state)
{
    char wanted[1026];
    (void)state;
    struct origins o = make("127.0.0.1:8080", NULL, LAB, false);
    memset(wanted, 'a', sizeof(wanted));
    wanted[1024] = '\0';
    assert_int_equal(cors_preflight(&o, LAB, "POST", wanted, "POST").n, 5);
    wanted[1024] = 'a';
    wanted[1025] = '\0';
    assert_int_equal(cors_preflight(&o, LAB, "POST", wanted, "POST").n, 4);
}

#define EIGHT(x) x x x x x x x x

static const struct {
    const char *allow, *cors, *why;
} mistakes[] = {
    {"lab:80", NULL, "--allow-host \"lab:80\": must be a name or an address"},
    {"a,,b", NULL, "--allow-host \"\": must be a name"},
    {"", NULL, "--allow-host \"\": must be a name"},
    {"a,http://b", NULL, "--allow-host \"http://b\": must be a name"},
    {"*.lab/", NULL, "--allow-host \"*.lab/\": must be a name"},
    {"[::1]:80", NULL, "without a port"},
    {"*", NULL, "without a port or \"*\""},
    {"*.lab.example", NULL, "without a port or \"*\""},
    {NULL, "https://*.lab.example", "or * alone"},
    {EIGHT("a,") EIGHT("a,") EIGHT("a,") EIGHT("a,") "a", NULL,
     "--allow-host \"a\": one too many, at most 31"},
    {NULL, "lab.example", "--cors-origin \"lab.example\": must be scheme://"},
    {NULL, LAB "/", "--cors-origin \"" LAB "/\": must end without"},
    {NULL, LAB "/x", "--cors-origin \"" LAB "/x\": must be scheme://host"},
    {NULL, LAB ",", "--cors-origin \"\": must be scheme://host"},
    {NULL, "https://", "--cors-origin \"https://\": must end without"},
    {NULL, "https://*.lab.example:x", "must be scheme://host"},
    {NULL, "1https://lab", "must be scheme://host"},
    {NULL, EIGHT("a://b,") EIGHT("a://b,") EIGHT("a://b,") EIGHT("a://b,") "a",
     "--cors-origin \"a\": one too many, at most 32"},
};

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct origins o;
        char why[WHY_BYTES] = "";
        if (origins_read(&o, "127.0.0.1:80", mistakes[i].allow,
                         mistakes[i].cors, false, why, sizeof(why)) != -1 ||
            !strstr(why, mistakes[i].why))
            fail_msg("row %zu: \"%s\"", i, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_have_a_grammar),
        cmocka_unit_test(names_are_the_daemons_own),
        cmocka_unit_test(pages_need_leave),
        cmocka_unit_test(answers_may_be_read),
        cmocka_unit_test(preflights_are_answered),
        cmocka_unit_test(a_list_of_headers_has_a_length),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
