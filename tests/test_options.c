/* Command lines, told by rows: arguments, what is stored, what is said. */
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { ARGS_MAX = 8, SAID_BYTES = 4096, GO_ON = -1 };

struct config {
    const char *listen;
    bool verbose, no_auth;
    size_t workers, body_bytes_max;
};

static const struct option options[] = {
    {"--listen", "HOST:PORT", "where to listen", store_text,
     offsetof(struct config, listen)},
    {"--verbose", NULL, "say more", store_flag,
     offsetof(struct config, verbose)},
    {"--no-auth", NULL, "trust everybody", store_flag,
     offsetof(struct config, no_auth)},
    {"--workers", "N", "threads", store_count,
     offsetof(struct config, workers)},
    {"--max-body", "SIZE", "largest body", store_bytes,
     offsetof(struct config, body_bytes_max)},
};
static const struct command command = {
    "serve",
    "[OPTION]... FILE [FILE]",
    "Serves files.",
    options,
    COUNT(options),
    1,
    2,
};

/* A run of options_read, with both streams sent to files. */
struct run {
    struct config config;
    char *argv[ARGS_MAX + 2];
    size_t n_operands;
    int code;
    char out[SAID_BYTES], err[SAID_BYTES];
};

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
    size_t n = fread(said, 1, SAID_BYTES - 1, from);
    said[n] = '\0';
    fclose(from);
}

static void read_options(struct run *r, const struct command *c,
                         const char *const *args)
{
    int argc = 1;
    static char program[] = "evald";
    *r = (struct run){.argv = {program}, .n_operands = 99};
    for (; argc <= ARGS_MAX && args[argc - 1]; argc++)
        r->argv[argc] = (char *)(uintptr_t)args[argc - 1];
    FILE *out = tmpfile(), *err = tmpfile();
    assert_true(out && err);
    int was_out = divert(stdout, out), was_err = divert(stderr, err);
    r->code = options_read(c, argc, r->argv, &r->config, &r->n_operands);
    restore(stdout, was_out, out, r->out);
    restore(stderr, was_err, err, r->err);
}

/* Lines that are read.  f stands for a file, the operand that is needed. */
static const struct {
    const char *args[ARGS_MAX];
    struct config want;
    size_t n_operands;
    const char *operands[2];
} good[] = {
    {{"f"}, {0}, 1, {"f"}},
    {{"f", "g"}, {0}, 2, {"f", "g"}},
    {{"--verbose", "f"}, {.verbose = true}, 1, {"f"}},
    {{"f", "--verbose"}, {.verbose = true}, 1, {"f"}},
    {{"f", "--verbose", "g", "--no-auth"},
     {.verbose = true, .no_auth = true},
     2,
     {"f", "g"}},
    {{"--verbose", "--verbose", "f"}, {.verbose = true}, 1, {"f"}},
    {{"--listen", "h:1", "f"}, {.listen = "h:1"}, 1, {"f"}},
    {{"--listen=h:1", "f"}, {.listen = "h:1"}, 1, {"f"}},
    {{"--listen=", "f"}, {.listen = ""}, 1, {"f"}},
    {{"--listen", "", "f"}, {.listen = ""}, 1, {"f"}},
    {{"--listen=a=b", "f"}, {.listen = "a=b"}, 1, {"f"}},
    {{"--listen", "--verbose", "f"}, {.listen = "--verbose"}, 1, {"f"}},
    {{"--listen", "--", "f"}, {.listen = "--"}, 1, {"f"}},
    {{"--listen", "a", "--listen", "b", "f"}, {.listen = "b"}, 1, {"f"}},
    {{"f", "--workers", "12"}, {.workers = 12}, 1, {"f"}},
    {{"--workers=0", "f"}, {.workers = 0}, 1, {"f"}},
    {{"--workers=007", "f"}, {.workers = 7}, 1, {"f"}},
    {{"--workers=18446744073709551615", "f"}, {.workers = SIZE_MAX}, 1, {"f"}},
    {{"--", "f"}, {0}, 1, {"f"}},
    {{"--verbose", "--", "--no-auth"}, {.verbose = true}, 1, {"--no-auth"}},
    {{"f", "--", "--"}, {0}, 2, {"f", "--"}},
    {{"--", "--help"}, {0}, 1, {"--help"}},
    {{"-", "f"}, {0}, 2, {"-", "f"}},
    {{""}, {0}, 1, {""}},
};

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void lines_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct run r;
        read_options(&r, &command, good[i].args);
        const struct config *want = &good[i].want;
        if (r.code != GO_ON || *r.out || *r.err)
            fail_msg("line %zu: %d, \"%s\"", i, r.code, r.err);
        if (!same_text(r.config.listen, want->listen) ||
            r.config.verbose != want->verbose ||
            r.config.no_auth != want->no_auth ||
            r.config.workers != want->workers ||
            r.config.body_bytes_max != want->body_bytes_max)
            fail_msg("line %zu stores something else", i);
        assert_int_equal(r.n_operands, good[i].n_operands);
        for (size_t j = 0; j < r.n_operands; j++)
            assert_string_equal(r.argv[1 + j], good[i].operands[j]);
    }
}

static const struct {
    const char *args[ARGS_MAX];
    const char *said;
} bad[] = {
    {{NULL}, "[OPTION]... FILE [FILE]"},
    {{"--verbose"}, "the arguments are: "},
    {{"f", "g", "h"}, "the arguments are: "},
    {{"f", "--", "--verbose", "g"}, "the arguments are: "},
    {{"f", "--listen"}, "a value must follow --listen"},
    {{"--workers"}, "a value must follow --workers"},
    {{"--verbose=1", "f"}, "takes no value: --verbose"},
    {{"--verbose=", "f"}, "takes no value: --verbose"},
    {{"--verbos", "f"}, "option --verbos; did you mean --verbose?"},
    {{"--lisen", "h:1", "f"}, "option --lisen; did you mean --listen?"},
    {{"-listen", "h:1", "f"}, "did you mean --listen?"},
    {{"--Workers", "1", "f"}, "did you mean --workers?"},
    {{"-v", "f"}, "unknown option -v"},
    {{"--", "f", "g", "-v"}, "the arguments are: "},
    {{"--frobnicate", "f"}, "unknown option --frobnicate; see evald serve"},
    {{"--listening", "f"},
     "unknown option --listening; did you mean --listen?"},
    {{"--list", "h:1", "f"}, "unknown option --list"},
    {{"--workers=", "f"}, "--workers must be N, not \"\""},
    {{"--workers=x", "f"}, "--workers must be N, not \"x\""},
    {{"--workers=-1", "f"}, "--workers must be N, not \"-1\""},
    {{"--workers=+1", "f"}, "--workers must be N, not \"+1\""},
    {{"--workers= 1", "f"}, "--workers must be N, not \" 1\""},
    {{"--workers=1 ", "f"}, "--workers must be N, not \"1 \""},
    {{"--workers=1.5", "f"}, "--workers must be N"},
    {{"--workers=0x10", "f"}, "--workers must be N"},
    {{"--workers=1k", "f"}, "--workers must be N"},
    {{"--workers", "--verbose", "f"}, "not \"--verbose\""},
    {{"--workers=18446744073709551616", "f"}, "--workers must be N"},
    {{"--workers=99999999999999999999999", "f"}, "--workers must be N"},
    {{"--max-body=1T", "f"}, "--max-body must be SIZE, not \"1T\""},
};

static void check_refusal(size_t i, const char *const *args, const char *said)
{
    struct run r;
    read_options(&r, &command, args);
    size_t n = strlen(r.err);
    if (r.code != EX_USAGE || *r.out || !strstr(r.err, said))
        fail_msg("line %zu: %d, \"%s\"", i, r.code, r.err);
    if (strncmp(r.err, "evald serve: ", 13) != 0 ||
        strchr(r.err, '\n') != r.err + n - 1)
        fail_msg("line %zu says \"%s\"", i, r.err);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        check_refusal(i, bad[i].args, bad[i].said);
}

/* The value is no part of the name that is looked for. */
static void suggestions_ignore_the_value(void **state)
{
    (void)state;
    static const char *const args[] = {"--lisen=127.0.0.1:8080", "f", NULL};
    check_refusal(0, args, "did you mean --listen?");
}

static const struct {
    const char *text;
    bool ok;
    size_t bytes;
} sizes[] = {
    {"0", true, 0},
    {"1", true, 1},
    {"1048576", true, 1048576},
    {"1024K", true, 1048576},
    {"1024k", true, 1048576},
    {"1M", true, 1048576},
    {"1MiB", true, 1048576},
    {"1mb", true, 1048576},
    {"1MB", true, 1048576},
    {"64m", true, 67108864},
    {"2G", true, 2147483648},
    {"2GiB", true, 2147483648},
    {"5b", true, 5},
    {"5B", true, 5},
    {"0G", true, 0},
    {"18446744073709551615", true, SIZE_MAX},
    {"17179869183G", true, (size_t)17179869183 << 30},
    {"18014398509481983K", true, (size_t)18014398509481983 << 10},
    {"", false, 0},
    {"M", false, 0},
    {"-1", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 M", false, 0},
    {"1M ", false, 0},
    {"1.5M", false, 0},
    {"1e6", false, 0},
    {"0x10", false, 0},
    {"1T", false, 0},
    {"1Mi", false, 0},
    {"1MM", false, 0},
    {"1MiBs", false, 0},
    {"1x", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999999", false, 0},
    {"17179869184G", false, 0},
    {"18014398509481984K", false, 0},
    {"17592186044416M", false, 0},
    {"18446744073709551615G", false, 0},
};

static void sizes_have_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t bytes = 99;
        bool ok = store_bytes(&bytes, sizes[i].text);
        if (ok != sizes[i].ok || (ok && bytes != sizes[i].bytes))
            fail_msg("\"%s\" is %s %zu", sizes[i].text, ok ? "taken for" : "no",
                     bytes);
    }
}

static void help_shows_every_option(void **state)
{
    (void)state;
    static const char *const lines[][ARGS_MAX] = {
        {"--help"},
        {"f", "g", "h", "--help"},
        {"--verbose", "--help", "--frobnicate"},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct run r;
        read_options(&r, &command, lines[i]);
        assert_int_equal(r.code, EX_OK);
        assert_string_equal(r.err, "");
        assert_non_null(strstr(r.out, "evald serve [OPTION]... FILE [FILE]"));
        assert_non_null(strstr(r.out, "Serves files."));
        assert_non_null(strstr(r.out, "--help"));
        for (size_t j = 0; j < COUNT(options); j++)
            assert_true(strstr(r.out, options[j].name) &&
                        strstr(r.out, options[j].help));
        assert_non_null(strstr(r.out, "--max-body SIZE"));
    }
}

static void commands_without_options_have_help(void **state)
{
    (void)state;
    static const struct command bare = {"bare", "", "Nothing.", NULL, 0, 0, 0};
    static const char *const help[] = {"--help", NULL};
    static const char *const other[] = {"--other", NULL};
    static const char *const none[] = {NULL};
    struct run r;
    read_options(&r, &bare, help);
    assert_int_equal(r.code, EX_OK);
    read_options(&r, &bare, other);
    assert_int_equal(r.code, EX_USAGE);
    read_options(&r, &bare, none);
    assert_int_equal(r.code, GO_ON);
    assert_int_equal(r.n_operands, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(suggestions_ignore_the_value),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(help_shows_every_option),
        cmocka_unit_test(commands_without_options_have_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
