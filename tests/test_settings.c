/* Settings, told by rows: who goes before whom, bounds, units, what is said. */
#include "server/settings.h"

#include "tests/streams.h"

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

enum { ARGS_MAX = 6, VARIABLES_MAX = 3, WANTS_MAX = 4, GO_ON = -1 };

static char path[] = "/tmp/evald-test-settings-XXXXXX";

static const struct command command = {
    .name = "serve",
    .usage = "[OPTION ...]",
    .help = "Serves.",
    .options = settings_rows,
    .n_options = SETTINGS,
};

/* What is given; file is a text, for --config. */
struct input {
    const char *args[ARGS_MAX], *variables[VARIABLES_MAX], *file;
};

struct run {
    struct settings settings;
    int code;
    char out[SAID_BYTES], err[SAID_BYTES];
};

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void clear_environment(void)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        char name[SETTING_NAME_BYTES];
        settings_variable(i, name);
        unsetenv(name);
    }
}

static void read_settings(struct run *r, const struct input *in)
{
    static char texts[VARIABLES_MAX][64], flag[] = "--config";
    char *argv[ARGS_MAX + 4] = {flag};
    int argc = 1;
    struct streams streams;
    for (size_t i = 0; i < ARGS_MAX && in->args[i]; i++)
        argv[argc++] = (char *)(uintptr_t)in->args[i];
    if (in->file) {
        write_file(in->file);
        argv[argc++] = flag;
        argv[argc++] = path;
    }
    for (size_t i = 0; i < VARIABLES_MAX && in->variables[i]; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s", in->variables[i]);
        putenv(texts[i]);
    }
    streams_divert(&streams);
    r->code = settings_read(&r->settings, &command, argc, argv);
    streams_restore(&streams, r->out, r->err);
    for (size_t i = 0; i < VARIABLES_MAX && in->variables[i]; i++) {
        texts[i][strcspn(texts[i], "=")] = '\0';
        unsetenv(texts[i]);
    }
}

static size_t row_of(const char *name)
{
    size_t i = 0;
    while (i < SETTINGS && strcmp(settings_rows[i].name + 2, name) != 0)
        i++;
    assert_true(i < SETTINGS);
    return i;
}

static bool is_number(const struct option *o)
{
    return o->store == store_count || o->store == store_bytes ||
           o->store == store_time;
}

/* Whether a field is what the text stands for; of a text, "" is none. */
static bool field_is(const struct settings *s, size_t row, const char *text)
{
    const struct option *o = &settings_rows[row];
    const char *field = (const char *)s + o->offset;
    if (!o->value)
        return *(const bool *)field == (strcmp(text, "true") == 0);
    if (is_number(o)) {
        size_t want = 0;
        assert_true(o->store(&want, text));
        return *(const size_t *)field == want;
    }
    const char *is = *(const char *const *)field;
    return is ? strcmp(is, text) == 0 : !*text;
}

static const struct {
    struct input in;
    struct {
        const char *name, *is;
        enum option_origin origin;
        size_t line;
    } want[WANTS_MAX];
} good[] = {
    {{{NULL}, {NULL}, NULL},
     {{"listen", "127.0.0.1:8080", FROM_DEFAULT, 0},
      {"header-timeout", "10s", FROM_DEFAULT, 0},
      {"no-auth", "false", FROM_DEFAULT, 0},
      {"tokens", "", FROM_DEFAULT, 0}}},
    {{{NULL}, {NULL}, NULL},
     {{"idle-timeout", "75s", FROM_DEFAULT, 0},
      {"body-rate", "1K", FROM_DEFAULT, 0},
      {"grace", "30s", FROM_DEFAULT, 0},
      {"log-format", "text", FROM_DEFAULT, 0}}},
    /* who goes before whom */
    {{{NULL}, {NULL}, "queue-light = 3"}, {{"queue-light", "3", FROM_FILE, 1}}},
    {{{NULL}, {"EVALD_QUEUE_LIGHT=4"}, "queue-light = 3"},
     {{"queue-light", "4", FROM_ENVIRONMENT, 0}}},
    {{{"--queue-light=5"}, {"EVALD_QUEUE_LIGHT=4"}, "queue-light = 3"},
     {{"queue-light", "5", FROM_FLAG, 0}}},
    {{{"--queue-light=5", "--queue-light=6"}, {NULL}, NULL},
     {{"queue-light", "6", FROM_FLAG, 0}}},
    {{{"--no-auth"}, {"EVALD_NO_AUTH=0"}, "no-auth = no"},
     {{"no-auth", "true", FROM_FLAG, 0}}},
    {{{NULL}, {"EVALD_NO_AUTH=off"}, "no-auth = yes"},
     {{"no-auth", "false", FROM_ENVIRONMENT, 0}}},
    {{{"--tokens="}, {"EVALD_TOKENS=/e"}, "tokens = /f"},
     {{"tokens", "", FROM_FLAG, 0}}},
    {{{"--workers=9"}, {"EVALD_GRACE=8s"}, "\nloops = 7"},
     {{"workers", "9", FROM_FLAG, 0},
      {"grace", "8s", FROM_ENVIRONMENT, 0},
      {"loops", "7", FROM_FILE, 2},
      {"queue-heavy", "64", FROM_DEFAULT, 0}}},
    /* a variable that is empty is not set */
    {{{NULL}, {"EVALD_TOKENS=", "EVALD_WORKERS="}, "tokens = /f\nworkers = 3"},
     {{"tokens", "/f", FROM_FILE, 1}, {"workers", "3", FROM_FILE, 2}}},
    /* what is worked out of others */
    {{{"--connections=100"}, {NULL}, NULL},
     {{"connections-per-address", "50", FROM_DEFAULT, 0}}},
    {{{"--connections=1"}, {NULL}, NULL},
     {{"connections-per-address", "1", FROM_DEFAULT, 0}}},
    {{{"--client-rate=20"}, {NULL}, NULL},
     {{"client-burst", "40", FROM_DEFAULT, 0}}},
    {{{NULL}, {NULL}, "client-rate = 20\nclient-burst = 25"},
     {{"client-burst", "25", FROM_FILE, 2}}},
    {{{"--memory=64M"}, {NULL}, NULL}, {{"max-body", "16M", FROM_DEFAULT, 0}}},
    {{{"--memory=1G"}, {NULL}, NULL}, {{"max-body", "256M", FROM_DEFAULT, 0}}},
    /* how a file is written */
    {{{NULL}, {NULL}, ""}, {{"loops", "1", FROM_DEFAULT, 0}}},
    {{{NULL}, {NULL}, "# workers = 3\n; workers = 4\n\nworkers=5"},
     {{"workers", "5", FROM_FILE, 4}}},
    {{{NULL}, {NULL}, "\xEF\xBB\xBFworkers\t=\t5 \t# threads\r\n\r\n"},
     {{"workers", "5", FROM_FILE, 1}}},
    {{{NULL}, {NULL}, "workers = 2 ; two\n   loops = 3\n\tgrace = 4s\n"},
     {{"workers", "2", FROM_FILE, 1},
      {"loops", "3", FROM_FILE, 2},
      {"grace", "4s", FROM_FILE, 3}}},
    {{{NULL}, {NULL}, "tokens = /a#b;c=d:e\nlisten = [::1]:80"},
     {{"tokens", "/a#b;c=d:e", FROM_FILE, 1},
      {"listen", "[::1]:80", FROM_FILE, 2}}},
    {{{NULL}, {NULL}, "tokens = # none\nready-file=\"quoted\""},
     {{"tokens", "", FROM_FILE, 1},
      {"ready-file", "\"quoted\"", FROM_FILE, 2}}},
    /* relations that hold */
    {{{"--listen=a:0", "--admin-listen=a:0"}, {NULL}, NULL},
     {{"admin-listen", "a:0", FROM_FLAG, 0}}},
    {{{"--tls-cert=c", "--tls-key=k"}, {NULL}, NULL},
     {{"tls-key", "k", FROM_FLAG, 0}}},
};

static void flags_go_before_variables_before_files(void **state)
{
    (void)state;
    static struct run r;
    for (size_t i = 0; i < COUNT(good); i++) {
        read_settings(&r, &good[i].in);
        if (r.code != GO_ON || *r.out || *r.err)
            fail_msg("row %zu: %d, \"%s\"", i, r.code, r.err);
        for (size_t k = 0; k < WANTS_MAX && good[i].want[k].name; k++) {
            size_t row = row_of(good[i].want[k].name);
            const struct option_given *given = &r.settings.given[row];
            if (!field_is(&r.settings, row, good[i].want[k].is))
                fail_msg("row %zu: %s is not %s", i, good[i].want[k].name,
                         good[i].want[k].is);
            if (given->origin != good[i].want[k].origin ||
                given->line != good[i].want[k].line)
                fail_msg("row %zu: %s is from %d, line %zu", i,
                         good[i].want[k].name, (int)given->origin, given->line);
        }
        settings_clear(&r.settings);
    }
}

/* "@" of what is said stands for the path of the file. */
static const struct {
    struct input in;
    int code;
    const char *said;
} bad[] = {
    {{{"--workers=0"}, {NULL}, NULL},
     EX_USAGE,
     "--workers must be N from 1 to"},
    {{{NULL}, {"EVALD_WORKERS=257"}, NULL},
     EX_CONFIG,
     "EVALD_WORKERS must be N from 1 to 256, not \"257\"\n"},
    {{{NULL}, {NULL}, "\nworkers = x"},
     EX_CONFIG,
     "@:2: workers must be N from 1 to 256, not \"x\"\n"},
    {{{NULL}, {NULL}, "grace = 30"}, EX_CONFIG, "@:1: grace must be TIME from"},
    {{{NULL}, {NULL}, "grace = 30"}, EX_CONFIG, "; did you mean 30s?\n"},
    {{{NULL}, {"EVALD_LOG_LEVEL=warn"}, NULL},
     EX_CONFIG,
     "EVALD_LOG_LEVEL must be one of debug, info, warning, error, not"},
    {{{NULL}, {"EVALD_NO_AUTH=maybe"}, NULL},
     EX_CONFIG,
     "EVALD_NO_AUTH must be true or false, not \"maybe\""},
    {{{NULL}, {NULL}, "no-auth ="}, EX_CONFIG, "@:1: no-auth must be true or"},
    {{{"--listen=x"}, {NULL}, NULL}, EX_USAGE, "--listen must be HOST:PORT"},
    {{{"--listen="}, {NULL}, NULL}, EX_USAGE, "--listen must be HOST:PORT"},
    {{{"--tokens=a\tb"}, {NULL}, NULL}, EX_USAGE, "--tokens must be PATH"},
    {{{"--tokens= a"}, {NULL}, NULL}, EX_USAGE, "--tokens must be PATH"},
    {{{"--tokens=a #b"}, {NULL}, NULL}, EX_USAGE, "--tokens must be PATH"},
    {{{"--tokens=#b"}, {NULL}, NULL}, EX_USAGE, "--tokens must be PATH"},
    /* what another goes before is checked all the same */
    {{{"--workers=2"}, {"EVALD_WORKERS=x"}, NULL}, EX_CONFIG, "EVALD_WORKERS"},
    {{{"--workers=2"}, {"EVALD_WORKERS=3"}, "workers = 0"},
     EX_CONFIG,
     "@:1: workers must be"},
    /* files */
    {{{NULL}, {NULL}, "workers"},
     EX_CONFIG,
     "@:1: a line must be name = value"},
    {{{NULL}, {NULL}, "\n\nworkers 3"},
     EX_CONFIG,
     "@:3: a line must be name ="},
    {{{NULL}, {NULL}, "wrokers = 3"},
     EX_CONFIG,
     "@:1: wrokers is no setting; did you mean workers?\n"},
    {{{NULL}, {NULL}, "max_body = 3"}, EX_CONFIG, "did you mean max-body?"},
    {{{NULL}, {NULL}, "Workers = 3"}, EX_CONFIG, "did you mean workers?"},
    {{{NULL}, {NULL}, "frobnicate = 3"},
     EX_CONFIG,
     "@:1: frobnicate is no setting\n"},
    {{{NULL}, {NULL}, "= 3"}, EX_CONFIG, "@:1:  is no setting\n"},
    {{{NULL}, {NULL}, "loops=1\nloops=1"},
     EX_CONFIG,
     "@:2: loops is set in line 1\n"},
    {{{"--loops=2"}, {NULL}, "loops=1\nloops=1"},
     EX_CONFIG,
     "@:2: loops is set"},
    {{{NULL}, {NULL}, "[serve]\nloops=1"},
     EX_CONFIG,
     "@:1: a file of settings"},
    {{{NULL}, {NULL}, "loops=1\n  [x]"}, EX_CONFIG, "@:2: a file of settings"},
    {{{NULL}, {NULL}, "config = other"},
     EX_CONFIG,
     "@:1: config is no setting"},
    {{{NULL}, {NULL}, "tokens = a\1b"}, EX_CONFIG, "@:1: a character that"},
    {{{NULL}, {NULL}, "# \x1B[31m"}, EX_CONFIG, "@:1: a character that"},
    {{{NULL}, {"EVALD_CONFIG=/nonexistent/x"}, NULL},
     EX_CONFIG,
     "cannot read /nonexistent/x: "},
    {{{"--config=/"}, {NULL}, NULL}, EX_CONFIG, "cannot read /: "},
    /* relations; the code is that of where the first name is from */
    {{{"--tls-cert=c"}, {NULL}, NULL}, EX_USAGE, "--tls-cert needs --tls-key"},
    {{{NULL}, {"EVALD_TLS_KEY=c"}, NULL},
     EX_CONFIG,
     "EVALD_TLS_KEY needs --tls-cert"},
    {{{NULL}, {NULL}, "tls-key=c"}, EX_CONFIG, "@:1: tls-key needs --tls-cert"},
    {{{"--tokens=t", "--no-auth"}, {NULL}, NULL},
     EX_USAGE,
     "--no-auth contradicts --tokens"},
    {{{"--admin-listen=127.0.0.1:8080"}, {NULL}, NULL},
     EX_USAGE,
     "--admin-listen must be another address than --listen"},
    {{{"--max-body=65M"}, {NULL}, "memory=64M"},
     EX_USAGE,
     "--max-body must be at most --memory"},
    {{{"--connections=9"}, {"EVALD_CONNECTIONS_PER_ADDRESS=10"}, NULL},
     EX_CONFIG,
     "EVALD_CONNECTIONS_PER_ADDRESS must be at most --connections"},
    {{{"--connections=3", "--loops=4"}, {NULL}, NULL},
     EX_USAGE,
     "--connections must be at least --loops"},
    {{{"--client-burst=3"}, {NULL}, NULL},
     EX_USAGE,
     "--client-burst needs --client-rate"},
    {{{"operand"}, {NULL}, NULL}, EX_USAGE, "the arguments are"},
};

static void check_refusal(size_t i, const struct run *r, int code,
                          const char *said)
{
    char want[SAID_BYTES];
    snprintf(want, sizeof(want), "%s%s", *said == '@' ? path : "",
             said + (*said == '@'));
    if (r->code != code || *r->out || !strstr(r->err, want))
        fail_msg("row %zu: %d, \"%s\"", i, r->code, r->err);
    if (strncmp(r->err, "evald serve: ", 13) != 0 ||
        strchr(r->err, '\n') != r->err + strlen(r->err) - 1)
        fail_msg("row %zu says \"%s\"", i, r->err);
}

static void what_is_wrong_is_said_where_it_is(void **state)
{
    (void)state;
    static struct run r;
    for (size_t i = 0; i < COUNT(bad); i++) {
        read_settings(&r, &bad[i].in);
        check_refusal(i, &r, bad[i].code, bad[i].said);
        settings_clear(&r.settings);
    }
}

/* inih's room for a line is 200 bytes, three of them not for text. */
static void long_lines_are_errors_and_not_cut(void **state)
{
    (void)state;
    static struct run r;
    for (int n = 150; n < 900; n++) {
        char text[1000];
        snprintf(text, sizeof(text), "tokens=%0*d\nloops=3", n - 7, 1);
        read_settings(&r, &(struct input){.file = text});
        if (n <= 197) {
            assert_int_equal(r.code, GO_ON);
            assert_int_equal(strlen(r.settings.tokens), n - 7);
            assert_int_equal(r.settings.loops, 3);
        } else {
            check_refusal((size_t)n, &r, EX_CONFIG, "@:1: too long a line");
        }
        settings_clear(&r.settings);
        snprintf(text, sizeof(text), "loops=3 #%0*d\n", n, 1);
        read_settings(&r, &(struct input){.file = text});
        assert_int_equal(r.code, GO_ON);
        assert_int_equal(r.settings.loops, 3);
        settings_clear(&r.settings);
    }
}

static void files_are_bounded(void **state)
{
    (void)state;
    static struct run r;
    enum { LINES = 10001 };
    static char text[LINES + 1];
    memset(text, '\n', LINES);
    text[LINES - 1] = '\0';
    read_settings(&r, &(struct input){.file = text});
    assert_int_equal(r.code, GO_ON);
    settings_clear(&r.settings);
    text[LINES - 1] = '\n';
    read_settings(&r, &(struct input){.file = text});
    check_refusal(0, &r, EX_CONFIG, "@:10001: too many lines");
    settings_clear(&r.settings);
}

static const struct {
    const char *variable, *said;
} variables[] = {
    {"EVALD_WORKRES=3", "warning: EVALD_WORKRES is no setting; did you mean "
                        "EVALD_WORKERS?\n"},
    {"EVALD_workers=3", "warning: EVALD_workers is no setting\n"},
    {"EVALD_=3", "warning: EVALD_ is no setting\n"},
    {"EVALD_FROBNICATE=", "warning: EVALD_FROBNICATE is no setting\n"},
    {"EVALD_PORTAL=1", "warning: EVALD_PORTAL is no setting"},
    {"EVALD_PORT=tcp://10.0.0.1:80", NULL}, /* Kubernetes' */
    {"EVALD_PORT_80_TCP_ADDR=10.0.0.1", NULL},
    {"EVALD_SERVICE_HOST=10.0.0.1", NULL},
    {"EVALD=http://127.0.0.1:8080", NULL},
    {"EVALUATE_X=1", NULL},
};

static void misspelt_variables_are_warned_of(void **state)
{
    (void)state;
    static struct run r;
    for (size_t i = 0; i < COUNT(variables); i++) {
        read_settings(&r,
                      &(struct input){.variables = {variables[i].variable}});
        const char *said = variables[i].said;
        if (r.code != GO_ON || (said ? !strstr(r.err, said) : *r.err))
            fail_msg("%s: %d, \"%s\"", variables[i].variable, r.code, r.err);
    }
}

static int set_up(void **state)
{
    (void)state;
    clear_environment();
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_go_before_variables_before_files),
        cmocka_unit_test(what_is_wrong_is_said_where_it_is),
        cmocka_unit_test(long_lines_are_errors_and_not_cut),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(misspelt_variables_are_warned_of),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
