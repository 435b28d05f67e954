/*
 * The gate, row by row: heads as they are sent, taken apart by a tolerant
 * parser (head.h), and what is wrong with them.
 */
#include "tests/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SENT(text) (text), sizeof(text) - 1
#define POST "POST /v1 HTTP/1.1\r\nHost: a\r\n"
#define LINE(text) SENT(POST text "\r\n\r\n")
#define TEN(x) x x x x x x x x x x

enum { HEAD_BYTES = 1024 };

static const struct {
    const char *head;
    size_t len;
    const char *why; /* a part of it; NULL = it passes */
} rows[] = {
    {LINE("Content-Length: 5"), NULL},
    {LINE("content-length:5"), NULL},
    {LINE("Content-Length: \t 000005"), NULL},
    {LINE("Transfer-Encoding: CHUNKED"), NULL},
    {LINE("Expect: 100-Continue"), NULL},
    {LINE("X-Request-Timeout-Ms: 86400000"), NULL},
    {LINE("X: \xe4\xff\t\""), NULL},
    {LINE("X:"), NULL},
    {LINE("Accept: a\r\nAccept: b"), NULL},
    {LINE("!#$%&'*+-.^_`|~0aZ: 1"), NULL},
    {SENT("GET / HTTP/1.0\r\n\r\n"), NULL},
    {SENT("OPTIONS * HTTP/1.1\r\nHost: a:80\r\n\r\n"), NULL},
    {SENT("GET HTTP://A/x HTTP/1.1\r\nHost: a\r\n\r\n"), NULL},
    {SENT("GET https://a? HTTP/1.1\r\nHost: A\r\n\r\n"), NULL},
    /* the request line */
    {SENT("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"), "the method must be a word"},
    {SENT("GETGETGETGETGETGETGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
     "at most 20 letters"},
    {SENT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), "HTTP/1.2 is not spoken"},
    {SENT("GET / http/1.1\r\nHost: a\r\n\r\n"), "http/1.1 is not spoken"},
    {SENT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), "belong to no header"},
    {SENT("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), "written as %XX"},
    {SENT("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"), "written as %XX"},
    {SENT("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"), "a fragment"},
    {SENT("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), "must be a path"},
    {SENT("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), "must be a path"},
    {SENT("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), "names another"},
    {SENT("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), "belong to no header"},
    /* framing */
    {LINE("Content-Length: 5\r\nTransfer-Encoding: chunked"), "came together"},
    {LINE("Content-Length: 5\r\nContent-Length: 5"),
     "header Content-Length came twice"},
    {LINE("Transfer-Encoding: chunked\r\nTRANSFER-ENCODING: chunked"),
     "header Transfer-Encoding came twice"},
    {LINE("Transfer-Encoding: gzip, chunked"), "it must be chunked"},
    {LINE("Transfer-Encoding: chunked "), "it must be chunked"},
    {LINE("Transfer-Encoding:"), "it must be chunked"},
    {SENT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
     "needs HTTP/1.1"},
    {LINE("Content-Length:"), "it must be digits"},
    {LINE("Content-Length: +5"), "it must be digits"},
    {LINE("Content-Length: 5 "), "it must be digits"},
    {LINE("Content-Length: 5, 5"), "it must be digits"},
    {LINE("Content-Length: 0x5"), "it must be digits"},
    {LINE("Content-Length: 99999999999999999999"), "it must be digits"},
    /* names and values */
    {LINE("X : 1"), "the colon right behind it"},
    {LINE(": 1"), "the colon right behind it"},
    {LINE("X(: 1"), "the colon right behind it"},
    {LINE("X: a\x01"), "header X has a control character"},
    {LINE("X: a\x7f"), "header X has a control character"},
    {LINE("X:                  1"), "folded or has too many blanks"},
    {LINE("X: a\r\n b"), "belong to no header"},
    {LINE("Content-Type: a\r\nContent-Type: a"), "came twice"},
    /* Host */
    {SENT("GET / HTTP/1.1\r\n\r\n"), "header Host is missing"},
    {LINE("Host: a"), "header Host came twice"},
    {SENT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "must be a name or address"},
    {SENT("GET / HTTP/1.0\r\nHost: a@b\r\n\r\n"), "must be a name or address"},
    /* wishes */
    {LINE("Expect: tea"), "only 100-continue"},
    {LINE("X-Request-Timeout-Ms: 0"), "a whole number from 1 to 86400000"},
    {LINE("X-Request-Timeout-Ms: 86400001"), "a whole number"},
    {LINE("X-Request-Timeout-Ms: 1s"), "a whole number"},
    /* lines that do not end in CR LF, and NUL */
    {SENT("GET / HTTP/1.1\nHost: a\n\n"), "does not end in CR LF"},
    {SENT("GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"), "does not end in CR LF"},
    {SENT("GET / HTTP/1.1\r\nHost: a\r\n\n"), "belong to no header"},
    {LINE("X: 1\rContent-Length: 5"), "does not end in CR LF"},
    {LINE("Transfer-Encoding: chunked\0"), "belong to no header"},
    {LINE("X: \0a\r\nY: 1"), "NUL in it"},
    {LINE("A: 1\nContent-Length: 5\0"), "does not end in CR LF"},
    {LINE("A: 1\nA: 1\nContent-Length: 5\0, 3"), "does not end in CR LF"},
    {SENT(POST "Content-Length: 2\0"
               "0\n\n"),
     "belong to no header"},
    {SENT(POST "Content-Length: 2\n\0"
               "0\n"),
     "belong to no header"},
    {LINE(TEN("A: 1\n") TEN("A: 1\n") "X:\0ransfer-Encoding: a"), "NUL in it"},
};

static bool read_row(size_t i, char text[HEAD_BYTES], struct gate *g)
{
    size_t n = 0;
    assert_true(rows[i].len < HEAD_BYTES);
    memcpy(text, rows[i].head, rows[i].len);
    return head_read(text, rows[i].len, g, &n);
}

static void heads_are_judged(void **state)
{
    char text[HEAD_BYTES];
    struct gate g = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!read_row(i, text, &g))
            continue;
        if (g.refused != (rows[i].why != NULL) ||
            (g.refused && !strstr(g.why.detail, rows[i].why)))
            fail_msg("row %zu: %s\n%s", i, rows[i].head,
                     g.refused ? g.why.detail : "passes");
    }
}

/* Wherever a byte that no head has is put into one. */
static void a_byte_too_many_is_noticed(void **state)
{
    static const char bytes[] = "\0\n\r\x01";
    static const char head[] = POST "Content-Length: 15\r\nX: ab\r\n\r\n";
    const size_t len = sizeof(head) - 1;
    char text[HEAD_BYTES];
    struct gate g = {0};
    size_t n = 0;
    (void)state;
    for (size_t at = 0; at < len - 2; at++)
        for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
            memcpy(text, head, at);
            text[at] = bytes[b];
            memcpy(text + at + 1, head + at, len - at);
            if (head_read(text, len + 1, &g, &n) && n == len + 1 && !g.refused)
                fail_msg("byte %d at %zu passes", bytes[b], at);
        }
}

static void what_is_asked_for_is_read(void **state)
{
    char text[] = "POST http://a/b?c HTTP/1.1\r\nHost: a\r\nACCEPT: x\r\n"
                  "Content-Length: 0123\r\naccept: y\r\nother: z\r\n"
                  "X-Request-Timeout-Ms: 250\r\n\r\nbody";
    struct gate g = {0};
    size_t n = 0;
    (void)state;
    assert_true(head_read(text, sizeof(text) - 1, &g, &n));
    assert_false(g.refused);
    assert_int_equal(n, sizeof(text) - 1 - strlen("body"));
    assert_string_equal(g.value[HEAD_HOST], "a");
    assert_string_equal(g.value[HEAD_ACCEPT], "x");
    assert_null(g.value[HEAD_AUTHORIZATION]);
    assert_true(g.lists && g.length_known);
    assert_false(g.chunked);
    assert_int_equal(g.content_length, 123);
    assert_int_equal(g.timeout_ms, 250);
    assert_string_equal(gate_origin_form(g.target), "/b?c");
}

static void targets_have_an_origin_form(void **state)
{
    static const char *const pairs[][2] = {
        {"/", "/"},
        {"/a?b", "/a?b"},
        {"*", "*"},
        {"http://a", "/"},
        {"HTTPS://a/b", "/b"},
        {"http://a?b", "?b"},
        {"ftp://a", "ftp://a"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++)
        assert_string_equal(gate_origin_form(pairs[i][0]), pairs[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_judged),
        cmocka_unit_test(a_byte_too_many_is_noticed),
        cmocka_unit_test(what_is_asked_for_is_read),
        cmocka_unit_test(targets_have_an_origin_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
