/* The rows of settings: complete, within their bounds. */
#include "server/settings.h"

#include "tests/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

static const struct command command = {
    .name = "serve",
    .usage = "[OPTION ...]",
    .help = "Serves.",
    .options = settings_rows,
    .n_options = SETTINGS,
};

static bool is_number(const struct option *o)
{
    return o->store == store_count || o->store == store_bytes ||
           o->store == store_time;
}

/* Stores a number of ms, of bytes or of things. */
static bool stores(const struct option *o, size_t n)
{
    static struct settings s;
    char text[32], out[SAID_BYTES], err[SAID_BYTES];
    struct streams streams;
    snprintf(text, sizeof(text), "%zu%s", n,
             o->store == store_time ? "ms" : "");
    streams_divert(&streams);
    bool ok = option_take(&command, o, o->name, text, &s);
    streams_restore(&streams, out, err);
    return ok;
}

static void rows_keep_their_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct option *o = &settings_rows[i];
        size_t least = 0, most = 0, usual = 0;
        if (is_number(o) != (o->most && o->least))
            fail_msg("%s has no bounds", o->name);
        if (!is_number(o))
            continue;
        assert_true(o->store(&least, o->least) && o->store(&most, o->most));
        if (!stores(o, least) || !stores(o, most) || stores(o, most + 1) ||
            stores(o, SIZE_MAX) || (least && stores(o, least - 1)))
            fail_msg("%s is not from %s to %s", o->name, o->least, o->most);
        if (!o->derive &&
            (!o->store(&usual, o->fallback) || usual < least || usual > most))
            fail_msg("%s is not %s", o->name, o->fallback);
    }
}

static void rows_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct option *o = &settings_rows[i];
        if (!o->name || !o->help || !o->store || strncmp(o->name, "--", 2) != 0)
            fail_msg("row %zu", i);
        for (size_t k = 0; k < i; k++)
            if (settings_rows[k].offset == o->offset ||
                strcmp(settings_rows[k].name, o->name) == 0)
                fail_msg("%s is %s", o->name, settings_rows[k].name);
        if (o->reload != (strcmp(o->name, "--tokens") == 0 ||
                          strcmp(o->name, "--tls-cert") == 0 ||
                          strcmp(o->name, "--tls-key") == 0))
            fail_msg("%s and SIGHUP", o->name);
    }
}

struct run {
    struct settings settings;
    int code;
    char out[SAID_BYTES], err[SAID_BYTES];
};

/* With one argument, or none. */
static void read_settings(struct run *r, const char *arg)
{
    char program[] = "serve", text[64];
    char *argv[] = {program, text, NULL};
    struct streams streams;
    snprintf(text, sizeof(text), "%s", arg ? arg : "");
    streams_divert(&streams);
    r->code = settings_read(&r->settings, &command, arg ? 2 : 1, argv);
    streams_restore(&streams, r->out, r->err);
}

static void connections_stay_below_open_files(void **state)
{
    (void)state;
    static struct run r;
    struct rlimit was, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = (struct rlimit){.rlim_cur = 256, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    read_settings(&r, NULL);
    assert_int_equal(r.settings.connections_max,
                     was.rlim_max < 4160 ? was.rlim_max - 64 : 4096);
    pid_t child = fork();
    if (child == 0) { /* a hard limit cannot be raised again */
        low.rlim_max = 256;
        setrlimit(RLIMIT_NOFILE, &low);
        read_settings(&r, NULL);
        bool is = r.settings.connections_max == 192;
        read_settings(&r, "--connections=192");
        is = is && r.code == -1;
        read_settings(&r, "--connections=193");
        _exit(!(is && r.code == EX_USAGE && strstr(r.err, "ulimit -n")));
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_bounds),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(connections_stay_below_open_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
