/* The token file, and what a header names. */
#include "server/tokens.h"

#include "server/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WHY_BYTES = 400 };

/* SHA-256 of "abc" and of "", FIPS 180-4's examples. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define READ TOKEN_READ
#define WRITE (TOKEN_READ | TOKEN_WRITE)
#define ALL (TOKEN_READ | TOKEN_WRITE | TOKEN_ADMIN)

/* Files: how many tokens they have, and the scopes of the first. */
static const struct {
    const char *text;
    size_t n;
    unsigned scopes;
} good[] = {
    {"a read sha256:" ABC "\n", 1, READ},
    {"a read sha256:" ABC, 1, READ},
    {"a write sha256:" ABC "\n", 1, WRITE},
    {"a admin sha256:" ABC "\n", 1, ALL},
    {"a read,write sha256:" ABC "\n", 1, WRITE},
    {"a admin,read sha256:" ABC "\n", 1, ALL},
    {"a read,read sha256:" ABC "\n", 1, READ},
    {"\t a\t read \tsha256:" ABC "  # laptop\r\n", 1, READ},
    {"# a b c d e\n\n  \n#\na read sha256:" ABC "\n", 1, READ},
    {"a read sha256:" ABC "\nb write sha256:" NONE "\n", 2, READ},
    {"A-b_c.9 read sha256:" ABC "\na read sha256:" NONE "\n", 2, READ},
    {"", 0, 0},
    {"# nobody\n", 0, 0},
};

/* A name of 63 characters, which is as long as it may be. */
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text, *why; /* a part of it */
} bad[] = {
    {"a\n", "f:1: must be NAME SCOPES sha256:HEX"},
    {"a read\n", "f:1: must be NAME SCOPES sha256:HEX"},
    {"a read sha256:" ABC " x\n", "f:1: must be NAME SCOPES sha256:HEX"},
    {"a read # sha256:" ABC "\n", "f:1: must be NAME SCOPES sha256:HEX"},
    {"\n\na reed sha256:" ABC, "f:3: no scope \"reed\"; did you mean read"},
    {"a wirte sha256:" ABC, "f:1: no scope \"wirte\"; did you mean write"},
    {"a all sha256:" ABC, "no scope \"all\"; scopes are read, write and"},
    {"a Read sha256:" ABC, "no scope \"Read\"; did you mean read"},
    {"a read, sha256:" ABC, "no scope \"\""},
    {"a ,read sha256:" ABC, "no scope \"\""},
    {"a read,,write sha256:" ABC, "no scope \"\""},
    {"a read;write sha256:" ABC, "no scope \"read;write\""},
    {"a read " ABC, "f:1: the third word must be sha256: and 64"},
    {"a read SHA256:" ABC, "f:1: the third word must be sha256: and 64"},
    {"a read sha512:" ABC, "f:1: the third word must be sha256: and 64"},
    {"a read sha256:" ABC "0", "f:1: the third word must be sha256: and 64"},
    {"a read sha256:ba78", "f:1: the third word must be sha256: and 64"},
    {"a read sha256:g" NONE, "f:1: the third word must be sha256: and 64"},
    {"a/b read sha256:" ABC, "f:1: a name has up to 63 letters"},
    {"a\x01 read sha256:" ABC, "f:1: a name has up to 63 letters"},
    {"\xc3\xa4 read sha256:" ABC, "f:1: a name has up to 63 letters"},
    {LONG "a read sha256:" ABC, "f:1: a name has up to 63 letters"},
    {"a read sha256:" ABC "\na read sha256:" NONE,
     "f:2: there is a token a already; rename or remove one"},
    {"a read sha256:" ABC "\n#\nb read sha256:" ABC,
     "f:3: b has the same token as a; make one for each"},
};

static void files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char why[WHY_BYTES] = "not set";
        struct tokens *t =
            tokens_parse(good[i].text, strlen(good[i].text), "f", why, 400);
        if (!t || t->n != good[i].n)
            fail_msg("row %zu: %s", i, why);
        if (good[i].n > 0 && t->token[0].scopes != good[i].scopes)
            fail_msg("row %zu: scopes %u", i, t->token[0].scopes);
        assert_string_equal(
            why, good[i].n > 0 ? "" : "f has no token: nobody may ask");
        tokens_free(t);
    }
}

static void mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char why[WHY_BYTES] = "";
        struct tokens *t =
            tokens_parse(bad[i].text, strlen(bad[i].text), "f", why, 400);
        if (t || !strstr(why, bad[i].why))
            fail_msg("row %zu: \"%s\"", i, why);
    }
}

static void nul_is_no_letter(void **state)
{
    static const char text[] = "a\0b read sha256:" ABC;
    char why[WHY_BYTES];
    (void)state;
    assert_null(tokens_parse(text, sizeof(text) - 1, "f", why, sizeof(why)));
    assert_non_null(strstr(why, "f:1: a name has"));
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    for (size_t n = 1; n < 80; n++) {
        char why[80];
        memset(why, 'x', sizeof(why));
        assert_null(tokens_parse("a b c", 5, "f", why, n));
        assert_true(strlen(why) < n);
    }
}

/* Lines with n tokens, each of another hash. */
static char *many(size_t n)
{
    char *text = malloc(n * 128 + 1);
    size_t at = 0;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "t%zu read sha256:%064zx\n", i, i);
    return text;
}

static void there_is_a_bound(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    char *text = many(TOKENS_MAX + 1);
    struct tokens *t = tokens_parse(text, strlen(text), "f", why, sizeof(why));
    assert_null(t);
    assert_string_equal(why, "f:1025: more than 1024 tokens");
    size_t last = strlen(text) - strlen(strstr(text, "t1024 "));
    t = tokens_parse(text, last, "f", why, sizeof(why));
    assert_non_null(t);
    assert_int_equal(t->n, TOKENS_MAX);
    tokens_free(t);
    free(text);
}

/* Headers; abc is the token a's. */
static const struct {
    const char *header;
    enum token_verdict verdict;
} headers[] = {
    {"Bearer abc", TOKEN_KNOWN},
    {"bearer abc", TOKEN_KNOWN},
    {"BEARER   abc", TOKEN_KNOWN},
    {NULL, TOKEN_NONE},
    {"", TOKEN_NONE},
    {"Basic abc", TOKEN_NONE},
    {"Bear", TOKEN_NONE},
    {"Bearerabc", TOKEN_NONE},
    {"Bearer\tabc", TOKEN_NONE},
    {" Bearer abc", TOKEN_NONE},
    {"Bearer", TOKEN_MALFORMED},
    {"Bearer ", TOKEN_MALFORMED},
    {"Bearer =", TOKEN_MALFORMED},
    {"Bearer abc ", TOKEN_MALFORMED},
    {"Bearer a bc", TOKEN_MALFORMED},
    {"Bearer abc, abc", TOKEN_MALFORMED},
    {"Bearer a=bc", TOKEN_MALFORMED},
    {"Bearer \"abc\"", TOKEN_MALFORMED},
    {"Bearer abc\x7f", TOKEN_MALFORMED},
    {"Bearer \xe4", TOKEN_MALFORMED},
    {"Bearer ab", TOKEN_UNKNOWN},
    {"Bearer abcd", TOKEN_UNKNOWN},
    {"Bearer ABC", TOKEN_UNKNOWN},
    {"Bearer abc==", TOKEN_UNKNOWN},
    {"Bearer a-._~+/9=", TOKEN_UNKNOWN},
    {"Bearer sha256:" ABC, TOKEN_MALFORMED},
    {"Bearer " ABC, TOKEN_UNKNOWN},
};

static void headers_name_tokens(void **state)
{
    static const char text[] = "x read sha256:" NONE "\na write sha256:" ABC;
    char why[WHY_BYTES];
    (void)state;
    struct tokens *t = tokens_parse(text, strlen(text), "f", why, sizeof(why));
    assert_non_null(t);
    for (size_t i = 0; i < COUNT(headers); i++) {
        enum token_verdict verdict;
        const struct token *found = tokens_find(t, headers[i].header, &verdict);
        if (verdict != headers[i].verdict || !found != (verdict != TOKEN_KNOWN))
            fail_msg("\"%s\": %d", headers[i].header, verdict);
        if (found)
            assert_string_equal(found->name, "a");
        else
            assert_non_null(token_answers[verdict].challenge);
    }
    tokens_free(t);
}

static void tokens_have_a_length(void **state)
{
    char header[600] = "Bearer ", why[WHY_BYTES];
    enum token_verdict verdict;
    (void)state;
    struct tokens *t = tokens_parse("", 0, "f", why, sizeof(why));
    memset(header + 7, 'a', sizeof(header) - 7);
    header[7 + 512] = '\0';
    assert_null(tokens_find(t, header, &verdict));
    assert_int_equal(verdict, TOKEN_UNKNOWN);
    header[7 + 512] = 'a';
    header[7 + 513] = '\0';
    assert_null(tokens_find(t, header, &verdict));
    assert_int_equal(verdict, TOKEN_MALFORMED);
    tokens_free(t);
}

static void the_last_of_many_is_found(void **state)
{
    char why[WHY_BYTES], *text = many(TOKENS_MAX - 1);
    enum token_verdict verdict;
    (void)state;
    text = realloc(text, strlen(text) + 200);
    assert_non_null(text);
    strcat(text, "last admin sha256:" ABC);
    struct tokens *t = tokens_parse(text, strlen(text), "f", why, sizeof(why));
    const struct token *found = tokens_find(t, "Bearer abc", &verdict);
    assert_non_null(found);
    assert_string_equal(found->name, "last");
    assert_int_equal(found->scopes, ALL);
    tokens_free(t);
    free(text);
}

static char directory[] = "/tmp/evald-tokens-XXXXXX";
static char file[64];

static void put(const char *text, mode_t mode)
{
    assert_int_equal(file_write(file, text, strlen(text)), 0);
    chmod(file, mode);
}

/* Who else may touch a file; a part of the warning, "" = none. */
static void files_of_others_are_told(void **state)
{
    static const struct {
        mode_t mode;
        const char *why;
    } rows[] = {{0600, ""},
                {0400, ""},
                {0640, ""},
                {0644, "can be read by others; chmod 600"},
                {0602, "can be written by others; chmod 600"},
                {0660, "can be written by others; chmod 600"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char why[WHY_BYTES] = "";
        put("a read sha256:" ABC, rows[i].mode);
        struct tokens *t = tokens_read(file, why, sizeof(why));
        assert_non_null(t);
        if (*rows[i].why ? !strstr(why, rows[i].why) : *why)
            fail_msg("%o: \"%s\"", (unsigned)rows[i].mode, why);
        tokens_free(t);
    }
    unlink(file);
}

static void what_is_no_file_is_refused(void **state)
{
    char why[WHY_BYTES];
    (void)state;
    assert_null(tokens_read(file, why, sizeof(why)));
    assert_non_null(strstr(why, "No such file"));
    assert_null(tokens_read(directory, why, sizeof(why)));
    assert_non_null(strstr(why, "Invalid argument"));
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_null(tokens_read(file, why, sizeof(why)));
    assert_non_null(strstr(why, "Invalid argument"));
    unlink(file);
    put("", 0600);
    assert_int_equal(truncate(file, TOKENS_FILE_BYTES_MAX + 1), 0);
    assert_null(tokens_read(file, why, sizeof(why)));
    assert_non_null(strstr(why, "File too large"));
    unlink(file);
}

static int make(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(file, sizeof(file), "%s/tokens", directory);
    return 0;
}

/* Nothing else is left there. */
static int clear(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(nul_is_no_letter),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(headers_name_tokens),
        cmocka_unit_test(tokens_have_a_length),
        cmocka_unit_test(the_last_of_many_is_found),
        cmocka_unit_test(files_of_others_are_told),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
