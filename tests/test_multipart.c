/* Forms: what clients send, cut everywhere, and everything that is wrong. */
#include "api/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TYPE "multipart/form-data; boundary="
#define X TYPE "x"
#define NAMED(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"
#define A "--x\r\n" NAMED("a") "\r\n"
#define END "\r\n--x--\r\n"

enum { LOG_BYTES = 1 << 14 };

/* All that a form says, in one text: events, with its content joined. */
struct log {
    struct multipart m;
    char text[LOG_BYTES];
    size_t len;
    bool in_data;
};

static void say(struct log *log, const char *text, size_t n)
{
    assert_true(n < LOG_BYTES - log->len);
    memcpy(log->text + log->len, text, n);
    log->len += n;
    log->text[log->len] = '\0';
}

static void tell(struct log *log, enum multipart_event event,
                 const struct span *data)
{
    char text[1024] = "";
    const struct multipart *m = &log->m;
    if (event == MULTIPART_DATA && !log->in_data)
        say(log, "<", 1);
    if (event != MULTIPART_DATA && log->in_data)
        say(log, ">", 1);
    log->in_data = event == MULTIPART_DATA;
    if (event == MULTIPART_DATA)
        say(log, data->text, data->len);
    else if (event == MULTIPART_PART)
        snprintf(text, sizeof(text), "[%s|%s|%s", m->name,
                 m->filename ? m->filename : "-",
                 m->content_type ? m->content_type : "-");
    else if (event == MULTIPART_END_OF_PART)
        snprintf(text, sizeof(text), "]");
    else if (event == MULTIPART_END)
        snprintf(text, sizeof(text), ".");
    else if (event == MULTIPART_BAD)
        snprintf(text, sizeof(text), "!%s", m->why);
    say(log, text, strlen(text));
}

/* One piece, in memory that ends with it; false after BAD. */
static bool feed(struct log *log, const char *text, size_t len)
{
    char *piece = malloc(len ? len : 1);
    assert_non_null(piece);
    memcpy(piece, text, len);
    const char *at = piece;
    enum multipart_event event;
    struct span data = {NULL, 0};
    do {
        event = multipart_next(&log->m, &at, piece + len, &data);
        if (event == MULTIPART_DATA)
            assert_true(data.len > 0);
        if (event != MULTIPART_MORE)
            tell(log, event, &data);
    } while (event != MULTIPART_MORE && event != MULTIPART_BAD);
    if (event == MULTIPART_MORE)
        assert_ptr_equal(at, piece + len);
    free(piece);
    return event == MULTIPART_MORE;
}

/* The log of a body in the pieces that end at a, at b, and with it. */
static void run(struct log *log, const char *type, const char *body, size_t len,
                size_t a, size_t b)
{
    log->len = 0;
    log->in_data = false;
    log->text[0] = '\0';
    if (multipart_init(&log->m, type))
        fail_msg("%s: %s", type, log->m.why);
    bool ok = feed(log, body, a) && feed(log, body + a, b - a) &&
              feed(log, body + b, len - b);
    if (ok && log->in_data)
        say(log, ">", 1);
    if (ok && multipart_unfinished(&log->m))
        say(log, "?", 1);
}

static void check(const char *type, const char *body, size_t len,
                  const char *want)
{
    static struct log log;
    for (size_t a = 0; a <= len; a++)
        for (size_t b = a; b <= len; b++) {
            run(&log, type, body, len, a, b);
            if (strcmp(log.text, want) != 0)
                fail_msg("%.*s, cut at %zu and %zu of %zu:\n%s\nnot\n%s",
                         (int)len, body, a, b, len, log.text, want);
        }
}

/* Bodies of curl as it sends them, of others as they are known to. */
static const struct {
    const char *type, *body, *want;
} clients[] = {
    /* curl 7.88 -F a=1 -F 'file=@x.json;type=application/json' */
    {TYPE "------------------------6bb8ed8d01d1fe5c",
     "--------------------------6bb8ed8d01d1fe5c\r\n"
     "Content-Disposition: form-data; name=\"a\"\r\n"
     "\r\n"
     "1\r\n"
     "--------------------------6bb8ed8d01d1fe5c\r\n"
     "Content-Disposition: form-data; name=\"file\"; filename=\"x.json\"\r\n"
     "Content-Type: application/json\r\n"
     "\r\n"
     "{}\n\r\n"
     "--------------------------6bb8ed8d01d1fe5c--\r\n",
     "[a|-|-<1>][file|x.json|application/json<{}\n>]."},
    /* curl 7.88 -F 'q"uo\te=;type=text/x;filename=a"b%22.txt' */
    {TYPE "------------------------0123456789abcdef",
     "--------------------------0123456789abcdef\r\n"
     "Content-Disposition: form-data; name=\"q%22uo\\te\"; "
     "filename=\"a%22b%22.txt\"\r\n"
     "Content-Type: text/x\r\n"
     "\r\n"
     "\r\n"
     "--------------------------0123456789abcdef--\r\n",
     "[q%22uo\\te|a%22b%22.txt|text/x]."},
    /* curl 7.88 --form-escape, and before 7.81 without it */
    {X,
     "--x\r\nContent-Disposition: form-data; name=\"q\\\"\\\\e\"; "
     "filename=\"a;b=c\"\r\n\r\n1" END,
     "[q\"\\e|a;b=c|-<1>]."},
    /* browsers: many dashes, all parts with line ends */
    {"multipart/form-data; "
     "boundary=---------------------------98357293",
     "-----------------------------98357293\r\n"
     "Content-Disposition: form-data; name=\"f\"; filename=\"\"\r\n"
     "Content-Type: application/octet-stream\r\n"
     "\r\n"
     "\r\n"
     "-----------------------------98357293--\r\n",
     "[f||application/octet-stream]."},
    /* no line end behind the last delimiter */
    {TYPE "f9b1c3",
     "--f9b1c3\r\nContent-Disposition: form-data; name=\"a\"; "
     "filename=\"a\"\r\n\r\nxyz\r\n--f9b1c3--",
     "[a|a|-<xyz>]."},
    /* Go: the boundary in quotes, other parameters around it */
    {"multipart/form-data; charset=\"utf-8\"; Boundary=\"x\" ; a=\"b;c\"",
     A "1" END, "[a|-|-<1>]."},
};

static void clients_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(clients); i++)
        check(clients[i].type, clients[i].body, strlen(clients[i].body),
              clients[i].want);
}

static const struct {
    const char *body, *want;
} bodies[] = {
    {A "1" END, "[a|-|-<1>]."},
    {A END, "[a|-|-]."},
    {"--x--", "."},
    /* a part without content: the empty line is the delimiter's */
    {"--x\r\n" NAMED("a") "\r\n--x--", "[a|-|-]."},
    /* preamble and epilogue */
    {"any\r\ntext --x\r\n-x\r\n" A "1" END A "2", "[a|-|-<1>]."},
    {"\r\n" A "1" END "\r\n--x\r\n\r\n", "[a|-|-<1>]."},
    {"\r\n\r\n" A "1" END, "[a|-|-<1>]."},
    /* blanks behind a boundary */
    {"--x \t \r\n" NAMED("a") "\r\n1\r\n--x\t\r\n" NAMED("b") "\r\n2" END,
     "[a|-|-<1>][b|-|-<2>]."},
    /* what looks like a boundary, and is none */
    {A "--\r\n--\r\n-x\n--x\r--x --x\r\n-" END,
     "[a|-|-<--\r\n--\r\n-x\n--x\r--x --x\r\n->]."},
    {A "\r\r\n\r\r\n--\r\r\n--\r\n\r" END,
     "[a|-|-<\r\r\n\r\r\n--\r\r\n--\r\n\r>]."},
    {A "-\r\n--y\r\n--x--", "[a|-|-<-\r\n--y>]."},
    {A "-x--\r\n--\r\n\n--x" END, "[a|-|-<-x--\r\n--\r\n\n--x>]."},
    {A "\r\n" END, "[a|-|-<\r\n>]."},
    {A "\r" END, "[a|-|-<\r>]."},
    {A "\n" END, "[a|-|-<\n>]."},
    /* headers: any case, any order, more of them, folded */
    {"--x\r\ncontent-TYPE:a/b \t\r\nX-Y: z\r\nCONTENT-disposition:FORM-data ;"
     " NAME = a ; x=\"y\" ;; FileName=\"c d\" \r\n\r\n1" END,
     "[a|c d|a/b<1>]."},
    {"--x\r\nContent-Disposition: form-data;\r\n name=\"a\";\r\n\t"
     "filename=b\r\n \r\n\r\n1" END,
     "[a|b|-<1>]."},
    {"--x\r\n" NAMED("a") "Content-Transfer-Encoding: BINARY\r\n\r\n1" END,
     "[a|-|-<1>]."},
    {"--x\r\n" NAMED(
         "a") "Content-Transfer-Encoding: 8bit\r\n\r\n1\r\n"
              "--x\r\n" NAMED(
                  "b") "Content-Transfer-Encoding:7bit\r\n\r\n2" END,
     "[a|-|-<1>][b|-|-<2>]."},
    {"--x\r\n" NAMED("") "\r\n1" END, "[|-|-<1>]."},
    {"--x\r\n" NAMED("caf\xc3\xa9") "\r\n1" END, "[caf\xc3\xa9|-|-<1>]."},
    {"--x\r\nContent-Disposition: form-data; name=\"a\"; "
     "filename*=utf-8''b; filename=\"C:\\d\\e.npy\"\r\n\r\n1" END,
     "[a|C:\\d\\e.npy|-<1>]."},
    /* unfinished */
    {"", "?"},
    {"--", "?"},
    {"--x", "?"},
    {"--x-", "?"},
    {"--y\r\n" NAMED("a") "\r\n1\r\n--y--", "?"},
    {"--x\r\n" NAMED("a"), "?"},
    {A "1", "[a|-|-<1>?"},
    {A "1\r\n--x", "[a|-|-<1>]?"},
    {A "1\r\n--x\r\n", "[a|-|-<1>]?"},
};

static void bodies_are_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        check(X, bodies[i].body, strlen(bodies[i].body), bodies[i].want);
}

#define AFTER "a boundary is followed by neither CR LF nor --"
#define LF_ALONE \
    "the line of a boundary ends with LF alone, must end with CR LF"
#define LINE \
    "a line of a part's headers ends with CR or LF alone, must end with CR LF"
#define NO_HEADER \
    "a line of a part's headers is not a name, a colon and a value"
#define NO_DISPOSITION "a part has no Content-Disposition"
#define NOT_FORM_DATA "a part's Content-Disposition is not form-data"
#define NO_NAME "a part's Content-Disposition has no name"
#define MALFORMED                                               \
    "a part's Content-Disposition is malformed; it must be as " \
    "in form-data; name=\"x\""
#define TWICE "a part's Content-Disposition has a name or filename twice"
#define ENCODED                                                     \
    "a part's Content-Transfer-Encoding is none of 7bit, 8bit and " \
    "binary; send it as it is"
#define DISPOSED(value) "Content-Disposition: " value "\r\n\r\n"

/* The headers of a part in a body, and what is wrong with them. */
static const struct {
    const char *body, *why;
} faults[] = {
    {"--xy\r\n", AFTER},
    {"--x-y\r\n", AFTER},
    {"--x -\r\n", AFTER},
    {"--x --\r\n", AFTER},
    {"--x--" /* closed */ "y\n", NULL},
    {"--x\r\r\n", AFTER},
    {"--x\n", LF_ALONE},
    {"--x \n", LF_ALONE},
    {"--x-\n", LF_ALONE},
    {"--x\r\n\n", LINE},
    {"--x\r\nA: b\n", LINE},
    {"--x\r\nA: b\rc", LINE},
    {"--x\r\nA: b\r\r\n", LINE},
    {"--x\r\n\r\n", NO_DISPOSITION},
    {"--x\r\nA: b\r\n\r\n", NO_DISPOSITION},
    {"--x\r\nA\r\n\r\n", NO_HEADER},
    {"--x\r\n: b\r\n\r\n", NO_HEADER},
    {"--x\r\nA : b\r\n\r\n", NO_HEADER},
    {"--x\r\n A: b\r\n\r\n", NO_HEADER},
    {"--x\r\n" DISPOSED("attachment; name=\"a\""), NOT_FORM_DATA},
    {"--x\r\n" DISPOSED(""), NOT_FORM_DATA},
    {"--x\r\n" DISPOSED("form-data2; name=a"), NOT_FORM_DATA},
    {"--x\r\n" DISPOSED("form-data"), NO_NAME},
    {"--x\r\n" DISPOSED("form-data;"), NO_NAME},
    {"--x\r\n" DISPOSED("form-data; filename=\"a\""), NO_NAME},
    {"--x\r\n" DISPOSED("form-data; name"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name; x=y"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; =a"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name=\"a"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name=\"a\\\""), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name=\"a\"b"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name=\"a\" filename=b"), MALFORMED},
    {"--x\r\n" DISPOSED("form-data; name=\"a\"; name=\"b\""), TWICE},
    {"--x\r\n" DISPOSED("form-data; name=a; filename=b; filename=b"), TWICE},
    {"--x\r\n" NAMED("a") NAMED("a") "\r\n",
     "a part has Content-Disposition twice"},
    {"--x\r\nContent-Type: a\r\ncontent-type: a\r\n\r\n",
     "a part has Content-Type twice"},
    {"--x\r\nContent-Transfer-Encoding: base64\r\n\r\n", ENCODED},
    {"--x\r\nContent-Transfer-Encoding:\r\n\r\n", ENCODED},
    {"--x\r\nContent-Transfer-Encoding: 8bit\r\n"
     "Content-Transfer-Encoding: 8bit\r\n\r\n",
     "a part has Content-Transfer-Encoding twice"},
};

static void faults_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        char want[256] = ".";
        if (faults[i].why)
            snprintf(want, sizeof(want), "!%s", faults[i].why);
        check(X, faults[i].body, strlen(faults[i].body), want);
    }
}

static void nul_bytes_are_content_only(void **state)
{
    static const char bad[] = "--x\r\nA: \0b\r\n\r\n";
    static const char good[] = A "\0\r\n--\0\r\n\0" END;
    static struct log log;
    (void)state;
    check(X, bad, sizeof(bad) - 1, "!a part's headers have a NUL byte");
    run(&log, X, good, sizeof(good) - 1, 0, 0);
    assert_int_equal(log.len, 7 + 9 + 3);
    assert_memory_equal(log.text, "[a|-|-<\0\r\n--\0\r\n\0>].", 19);
}

/* After BAD nothing but BAD, with the same text. */
static void bad_stays_bad(void **state)
{
    struct multipart m;
    struct span data;
    const char *at = "--x\n", *end = at + 4;
    (void)state;
    assert_int_equal(multipart_init(&m, X), 0);
    assert_int_equal(multipart_next(&m, &at, end, &data), MULTIPART_BAD);
    at = "--x--", end = at + 5;
    assert_int_equal(multipart_next(&m, &at, end, &data), MULTIPART_BAD);
    assert_string_equal(m.why, LF_ALONE);
    assert_string_equal(multipart_unfinished(&m), LF_ALONE);
}

/* A body with one header of so many bytes in all, line ends included. */
static void head_of(struct log *log, const char *before, size_t fill,
                    const char *after)
{
    static char body[3 * MULTIPART_HEAD_MAX];
    size_t n = (size_t)snprintf(body, sizeof(body), "--x\r\n%s", before);
    memset(body + n, 'y', fill);
    snprintf(body + n + fill, sizeof(body) - n - fill, "%s\r\n\r\n1" END,
             after);
    run(log, X, body, strlen(body), 0, strlen(body));
}

static void heads_and_names_are_bounded(void **state)
{
    static struct log log;
    static const char name[] = "Content-Disposition: form-data; name=";
    static const char file[] =
        "Content-Disposition: form-data; name=a; filename=\"";
    static const char more[] = NAMED("a") "X: ";
    size_t room = MULTIPART_HEAD_MAX - strlen(more) - 4;
    (void)state;
    head_of(&log, more, room, "");
    assert_string_equal(log.text, "[a|-|-<1>].");
    head_of(&log, more, room + 1, "");
    assert_string_equal(log.text,
                        "!a part's headers are longer than 4096 bytes");
    head_of(&log, name, MULTIPART_NAME_MAX, "");
    assert_int_equal(strlen(log.m.name), MULTIPART_NAME_MAX);
    head_of(&log, name, MULTIPART_NAME_MAX + 1, "");
    assert_string_equal(log.text,
                        "!a part's name or filename is longer than 256 bytes");
    head_of(&log, file, MULTIPART_NAME_MAX, "\"");
    assert_int_equal(strlen(log.m.filename), MULTIPART_NAME_MAX);
    head_of(&log, file, MULTIPART_NAME_MAX + 1, "\"");
    assert_string_equal(log.text,
                        "!a part's name or filename is longer than 256 bytes");
}

#define SEVENTY \
    "0123456789012345678901234567890123456789012345678901234567890123456789"
#define MUST_BE "it must be multipart/form-data; boundary=..."
#define NOT_ALLOWED                                               \
    "the boundary of Content-Type has a character that RFC 2046 " \
    "does not allow there"

static const struct {
    const char *type, *why; /* NULL = it is good */
} types[] = {
    {X, NULL},
    {"Multipart/Form-Data;boundary=x", NULL},
    {"multipart/form-data ;\tBOUNDARY=x ; charset=utf-8", NULL},
    {TYPE SEVENTY, NULL},
    {TYPE "\"a b'()+_,-./:=?z\"", NULL},
    {TYPE "=_Part_1:2/3", NULL},
    {NULL, "Content-Type is missing; " MUST_BE},
    {"", "Content-Type has no parameter boundary; " MUST_BE},
    {"multipart/form-data", "Content-Type has no parameter boundary; " MUST_BE},
    {"multipart/form-data; bound=x",
     "Content-Type has no parameter boundary; " MUST_BE},
    {TYPE, "the boundary of Content-Type is empty"},
    {TYPE "\"\"", "the boundary of Content-Type is empty"},
    {TYPE SEVENTY "0",
     "the boundary of Content-Type is longer than 70 characters"},
    {TYPE "\"x \"", NOT_ALLOWED},
    {TYPE "x \t", NULL},
    {TYPE "a\"b", NOT_ALLOWED},
    {TYPE "a@b", NOT_ALLOWED},
    {TYPE "\"a\\\"b\"", NOT_ALLOWED},
    {TYPE "caf\xc3\xa9", NOT_ALLOWED},
    {TYPE "\"x", "the parameters of Content-Type are malformed; " MUST_BE},
    {TYPE "\"x\"y", "the parameters of Content-Type are malformed; " MUST_BE},
    {X "; boundary=y", "Content-Type has the parameter boundary twice"},
};

static void boundaries_are_checked(void **state)
{
    static struct multipart m;
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        const char *why = multipart_init(&m, types[i].type) ? m.why : NULL;
        if ((why != NULL) != (types[i].why != NULL) ||
            (why && strcmp(why, types[i].why) != 0))
            fail_msg("%s: %s", types[i].type, why ? why : "is accepted");
    }
}

static void content_types_are_bounded(void **state)
{
    static struct multipart m;
    static char type[MULTIPART_HEAD_MAX + 2];
    (void)state;
    memset(type, ' ', sizeof(type) - 1);
    memcpy(type, X, strlen(X));
    type[strlen(X)] = ';';
    assert_int_equal(multipart_init(&m, type), -1);
    assert_string_equal(m.why, "Content-Type is longer than 4096 bytes");
    type[sizeof(type) - 2] = '\0';
    assert_int_equal(multipart_init(&m, type), 0);
}

/* Content stands where it was sent, but for what was held back. */
static void content_is_not_copied(void **state)
{
    static const char body[] = A "12345" END;
    struct multipart m;
    struct span data;
    const char *at = body, *end = body + sizeof(body) - 1;
    (void)state;
    assert_int_equal(multipart_init(&m, X), 0);
    assert_int_equal(multipart_next(&m, &at, end, &data), MULTIPART_PART);
    assert_int_equal(multipart_next(&m, &at, end, &data), MULTIPART_DATA);
    assert_ptr_equal(data.text, body + strlen(A));
    assert_int_equal(data.len, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_understood),
        cmocka_unit_test(bodies_are_cut_anywhere),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(nul_bytes_are_content_only),
        cmocka_unit_test(bad_stays_bad),
        cmocka_unit_test(heads_and_names_are_bounded),
        cmocka_unit_test(boundaries_are_checked),
        cmocka_unit_test(content_types_are_bounded),
        cmocka_unit_test(content_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
