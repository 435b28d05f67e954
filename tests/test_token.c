/* evald token: what it prints, and what becomes of the file. */
#include "server/commands.h"
#include "server/file.h"
#include "server/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WHY_BYTES = 400, SAID_BYTES = 2048, ARGS_MAX = 8 };

/* SHA-256 of "abc" and of "", FIPS 180-4's examples. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char directory[] = "/tmp/evald-tokens-XXXXXX";
static char file[64];

static void put(const char *text, mode_t mode)
{
    assert_int_equal(file_write(file, text, strlen(text)), 0);
    chmod(file, mode);
}

static char *get(void)
{
    char *text;
    size_t len;
    assert_int_equal(file_read(file, &text, &len), 0);
    text = realloc(text, len + 1);
    assert_non_null(text);
    text[len] = '\0';
    return text;
}

/* Sends a stream into a file; the descriptor that it was is returned. */
static int divert(FILE *stream, FILE *to)
{
    fflush(stream);
    int was = dup(fileno(stream));
    dup2(fileno(to), fileno(stream));
    return was;
}

static void restore(FILE *stream, int was, FILE *from, char said[SAID_BYTES])
{
    fflush(stream);
    dup2(was, fileno(stream));
    close(was);
    rewind(from);
    said[fread(said, 1, SAID_BYTES - 1, from)] = '\0';
    fclose(from);
}

static char out[SAID_BYTES], err[SAID_BYTES];

/* evald token with arguments that NULL ends; FILE stands for the file. */
static int run(const char *const *args)
{
    static char program[] = "token";
    char *argv[ARGS_MAX + 2] = {program};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = strcmp(args[argc - 1], "FILE") == 0
                         ? file
                         : (char *)(uintptr_t)args[argc - 1];
    FILE *to_out = tmpfile(), *to_err = tmpfile();
    assert_true(to_out && to_err);
    int was_out = divert(stdout, to_out), was_err = divert(stderr, to_err);
    int code = token_command.run(argc, argv);
    restore(stdout, was_out, to_out, out);
    restore(stderr, was_err, to_err, err);
    return code;
}

#define RUN(...) run((const char *const[ARGS_MAX + 1]){__VA_ARGS__})

#define A "a read sha256:" ABC "\n"
#define B "b write sha256:" NONE "\n"

/* Command lines on a file: before and after, and what they say. */
static const struct {
    const char *args[ARGS_MAX];
    int code;
    const char *before, *after, *out, *err; /* parts; NULL = no matter */
} lines[] = {
    {{"list", "--file", "FILE"}, EX_OK, A B, A B, "read,write", ""},
    {{"list", "--file", "FILE"}, EX_DATAERR, "a", "a", "", ":1: must be"},
    {{"list"}, EX_USAGE, A, A, "", "--file PATH must say"},
    {{"remove", "--file", "FILE", "a"}, EX_OK, A B, B, "", ""},
    {{"remove", "--file", "FILE", "b"}, EX_OK, A B, A, "", ""},
    {{"remove", "b", "--file", "FILE"},
     EX_OK,
     "# b of b\n" A " \tb write sha256:" NONE " # b\n#end",
     "# b of b\n" A "#end",
     "",
     ""},
    {{"remove", "--file", "FILE", "a"}, EX_OK, A, "", "", ""},
    {{"remove", "--file", "FILE", "aa"}, EX_DATAERR, A, A, "", "no token aa"},
    {{"remove", "--file", "FILE", "a"}, EX_DATAERR, "a b", "a b", "", ":1:"},
    {{"remove", "--file", "FILE"}, EX_USAGE, A, A, "", "arguments are"},
    {{"remove", "a"}, EX_USAGE, A, A, "", "--file PATH must say"},
    {{"new", "a", "--file", "FILE"}, EX_DATAERR, A, A, "", "of that name"},
    {{"new", "c", "--file", "FILE"}, EX_DATAERR, "a", "a", "", ":1: must be"},
    {{"new", "c", "--scope", "raed"}, EX_USAGE, A, A, "", "mean read"},
    {{"new", "c", "--scope="}, EX_USAGE, A, A, "", "no scope \"\""},
    {{"new", "c d"}, EX_USAGE, A, A, "", "NAME has up to"},
    {{"new", ""}, EX_USAGE, A, A, "", "NAME has up to"},
    {{"new"}, EX_USAGE, A, A, "", "arguments are"},
    {{"new", "c"}, EX_OK, A, A, "\nc read,write sha256:", ""},
    {{"new", "c", "--scope", "admin"}, EX_OK, A, A, "c read,write,admin s", ""},
    {{"new", "--help"}, EX_OK, A, A, "usage: evald token new", ""},
    {{"--help"}, EX_OK, A, A, "usage: evald token COMMAND", ""},
    {{"nwe"}, EX_USAGE, A, A, "", "did you mean new"},
};

static void lines_do_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        put(lines[i].before, 0600);
        int code = run(lines[i].args);
        char *after = get();
        if (code != lines[i].code || !strstr(out, lines[i].out) ||
            (*lines[i].err ? !strstr(err, lines[i].err) : *err))
            fail_msg("line %zu: %d, \"%s\", \"%s\"", i, code, out, err);
        if (strcmp(after, lines[i].after) != 0)
            fail_msg("line %zu leaves \"%s\"", i, after);
        free(after);
    }
    unlink(file);
}

/* The token that was printed is the one that the file knows. */
static void a_new_token_is_known(void **state)
{
    char why[WHY_BYTES], header[128];
    enum token_verdict verdict;
    (void)state;
    unlink(file);
    umask(0);
    assert_int_equal(RUN("new", "one", "--file", "FILE", "--scope=read"), 0);
    assert_int_equal(strlen(out), TOKEN_TEXT_BYTES);
    assert_memory_equal(out, "evald_", 6);
    snprintf(header, sizeof(header), "Bearer %.*s", TOKEN_TEXT_BYTES - 1, out);
    assert_int_equal(RUN("new", "two", "--file", "FILE"), 0);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct tokens *t = tokens_read(file, why, sizeof(why));
    assert_non_null(t);
    assert_int_equal(t->n, 2);
    const struct token *found = tokens_find(t, header, &verdict);
    assert_non_null(found);
    assert_string_equal(found->name, "one");
    assert_int_equal(found->scopes, TOKEN_READ);
    header[20] ^= 1;
    assert_null(tokens_find(t, header, &verdict));
    tokens_free(t);
    unlink(file);
}

static void a_last_line_without_end_gets_one(void **state)
{
    (void)state;
    put("a read sha256:" ABC, 0640);
    assert_int_equal(RUN("new", "b", "--file", "FILE"), 0);
    char *after = get();
    assert_memory_equal(after, A "b read,write sha256:", strlen(A) + 20);
    free(after);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    unlink(file);
}

/* A link stays one, to a file that is changed. */
static void links_are_followed(void **state)
{
    char link[80];
    struct stat st;
    (void)state;
    put(A B, 0600);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(RUN("remove", "a", "--file", link), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    char *after = get();
    assert_string_equal(after, B);
    free(after);
    unlink(link);
    unlink(file);
}

/* Processes that add at a time lose no line. */
static void writers_wait_for_each_other(void **state)
{
    enum { WRITERS = 8 };
    char why[WHY_BYTES];
    (void)state;
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0) {
            char name[16];
            snprintf(name, sizeof(name), "writer%d", i);
            _exit(RUN("new", name, "--file", "FILE"));
        }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct tokens *t = tokens_read(file, why, sizeof(why));
    assert_non_null(t);
    assert_int_equal(t->n, WRITERS);
    tokens_free(t);
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
        cmocka_unit_test(lines_do_what_they_say),
        cmocka_unit_test(a_new_token_is_known),
        cmocka_unit_test(a_last_line_without_end_gets_one),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(writers_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
