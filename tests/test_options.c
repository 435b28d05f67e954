/* Command lines, told by rows: arguments, what is stored, what is said. */
#include "server/options.h"

#include "tests/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { ARGS_MAX = 8, GO_ON = -1 };

struct config {
    const char *listen;
    bool verbose, no_auth;
    size_t workers, body_bytes_max;
};

static const struct option options[] = {
    {.name = "--listen",
     .value = "HOST:PORT",
     .help = "where to listen",
     .store = store_text,
     .offset = offsetof(struct config, listen)},
    {.name = "--verbose",
     .help = "say more",
     .store = store_flag,
     .offset = offsetof(struct config, verbose)},
    {.name = "--no-auth",
     .help = "trust everybody",
     .store = store_flag,
     .offset = offsetof(struct config, no_auth)},
    {.name = "--workers",
     .value = "N",
     .help = "threads",
     .store = store_count,
     .offset = offsetof(struct config, workers)},
    {.name = "--max-body",
     .value = "SIZE",
     .help = "largest body",
     .store = store_bytes,
     .offset = offsetof(struct config, body_bytes_max)},
};
static const struct command command = {
    .name = "serve",
    .usage = "[OPTION]... FILE [FILE]",
    .help = "Serves files.",
    .options = options,
    .n_options = COUNT(options),
    .operands_min = 1,
    .operands_max = 2,
};

/* A run of options_read, with both streams sent to files. */
struct run {
    struct config config;
    char *argv[ARGS_MAX + 2];
    size_t n_operands;
    int code;
    char out[SAID_BYTES], err[SAID_BYTES];
};

static void read_options(struct run *r, const struct command *c,
                         const char *const *args)
{
    int argc = 1;
    static char program[] = "evald";
    *r = (struct run){.argv = {program}, .n_operands = 99};
    for (; argc <= ARGS_MAX && args[argc - 1]; argc++)
        r->argv[argc] = (char *)(uintptr_t)args[argc - 1];
    struct streams streams;
    streams_divert(&streams);
    r->code = options_read(c, argc, r->argv, &r->config, &r->n_operands);
    streams_restore(&streams, r->out, r->err);
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

struct bounded {
    size_t n, bytes, twice, ms;
    const char *word;
};

static size_t twice_n(const void *to)
{
    const struct bounded *b = to;
    return 2 * b->n;
}

static const char *const words[] = {"some", "all", NULL};
static const struct option bounded_options[] = {
    {.name = "--n",
     .value = "N",
     .help = "a number of things that takes many a word to tell about, so that "
             "it fills a line and more",
     .store = store_count,
     .offset = offsetof(struct bounded, n),
     .fallback = "5",
     .least = "2",
     .most = "12",
     .heading = "Numbers"},
    {.name = "--bytes",
     .value = "SIZE",
     .help = "bytes",
     .store = store_bytes,
     .offset = offsetof(struct bounded, bytes),
     .fallback = "2K",
     .least = "1K",
     .most = "1M"},
    {.name = "--twice",
     .value = "N",
     .help = "twice",
     .store = store_count,
     .offset = offsetof(struct bounded, twice),
     .derive = twice_n,
     .fallback = "twice --n"},
    {.name = "--time",
     .value = "TIME",
     .help = "time",
     .store = store_time,
     .offset = offsetof(struct bounded, ms),
     .least = "100ms",
     .most = "1m"},
    {.name = "--word",
     .value = "WORD",
     .help = "which",
     .store = store_text,
     .offset = offsetof(struct bounded, word),
     .choices = words,
     .fallback = "all"},
};
static const struct command bounded = {
    .name = "bounded",
    .usage = "",
    .help = "Bounds.",
    .options = bounded_options,
    .n_options = COUNT(bounded_options),
};

/* Reads one argument, or none, without a word if it is good. */
static int read_bounded(const char *arg, struct bounded *to, char *err)
{
    char program[] = "evald", text[64], out[SAID_BYTES];
    char *argv[] = {program, text, NULL};
    struct streams streams;
    size_t operands;
    snprintf(text, sizeof(text), "%s", arg ? arg : "");
    *to = (struct bounded){0};
    streams_divert(&streams);
    int code = options_read(&bounded, arg ? 2 : 1, argv, to, &operands);
    streams_restore(&streams, out, err);
    return code;
}

static void bounds_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *arg, *said;
    } rows[] = {
        {"--n=2", NULL},
        {"--n=12", NULL},
        {"--n=1", "--n must be N from 2 to 12, not \"1\""},
        {"--n=13", "--n must be N from 2 to 12"},
        {"--n=0", "--n must be"},
        {"--bytes=1024", NULL},
        {"--bytes=1M", NULL},
        {"--bytes=1023", "must be SIZE from 1K to 1M, not \"1023\""},
        {"--bytes=1048577", "must be SIZE from 1K to 1M"},
        {"--time=100ms", NULL},
        {"--time=60s", NULL},
        {"--time=99ms", "must be TIME from 100ms to 1m, not \"99ms\"\n"},
        {"--time=61s", "must be TIME"},
        {"--time=30", "not \"30\"; did you mean 30s?\n"},
        {"--time=x", "not \"x\"\n"},
        {"--word=some", NULL},
        {"--word=all", NULL},
        {"--word=", "--word must be one of some, all, not \"\""},
        {"--word=alls", "--word must be one of some, all, not \"alls\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bounded to;
        char err[SAID_BYTES];
        int code = read_bounded(rows[i].arg, &to, err);
        if (code != (rows[i].said ? EX_USAGE : GO_ON) ||
            !(rows[i].said ? strstr(err, rows[i].said) != NULL : !*err))
            fail_msg("%s: %d, \"%s\"", rows[i].arg, code, err);
    }
}

static void what_is_not_given_is_as_the_row_says(void **state)
{
    (void)state;
    struct bounded to;
    char err[SAID_BYTES];
    assert_int_equal(read_bounded(NULL, &to, err), GO_ON);
    assert_true(to.n == 5 && to.bytes == 2048 && to.twice == 10 && to.ms == 0);
    assert_string_equal(to.word, "all");
    assert_int_equal(read_bounded("--n=7", &to, err), GO_ON);
    assert_true(to.n == 7 && to.twice == 14);
    assert_int_equal(read_bounded("--twice=3", &to, err), GO_ON);
    assert_true(to.n == 5 && to.twice == 3);
}

static void help_keeps_within_its_columns(void **state)
{
    (void)state;
    struct run r;
    static const char *const help[] = {"--help", NULL};
    read_options(&r, &bounded, help);
    assert_int_equal(r.code, EX_OK);
    assert_non_null(strstr(r.out, "\nNumbers:\n  --n N "));
    assert_non_null(strstr(r.out, "(twice --n)"));
    for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 80)
            fail_msg("%s", line);
}

static void commands_without_options_have_help(void **state)
{
    (void)state;
    static const struct command bare = {
        .name = "bare", .usage = "", .help = "Nothing."};
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
        cmocka_unit_test(help_shows_every_option),
        cmocka_unit_test(bounds_have_units),
        cmocka_unit_test(what_is_not_given_is_as_the_row_says),
        cmocka_unit_test(help_keeps_within_its_columns),
        cmocka_unit_test(commands_without_options_have_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
