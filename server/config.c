/* evald config: what serve would be told, and by whom. */
#include "server/commands.h"
#include "server/postgresql.h"
#include "server/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct config {
    struct settings settings; /* first, as its rows' offsets say */
    bool check, show_origin;
};

static const struct option own_options[] = {
    {.name = "--check",
     .help = "print nothing unless something is wrong",
     .store = store_flag,
     .offset = offsetof(struct config, check)},
    {.name = "--show-origin",
     .help = "say behind each line where it is from",
     .store = store_flag,
     .offset = offsetof(struct config, show_origin)},
};

/* A size in the largest unit that it is a number of, any other number as is. */
static void write_number(const struct option *o, size_t n, char text[32])
{
    static const char units[] = "\0KMG";
    size_t unit = 0;
    for (; o->store == store_bytes && unit < 3 && n && n % 1024 == 0; unit++)
        n /= 1024;
    snprintf(text, 32, "%zu%.1s", n, &units[unit]);
}

/* The value as it was given, or as it was worked out. */
static void print_value(const struct settings *s, size_t row)
{
    const struct option *o = &settings_rows[row];
    const char *text = s->given[row].text;
    char number[32];
    if (!text && o->derive) {
        const void *field = (const char *)s + o->offset;
        write_number(o, *(const size_t *)field, number);
        text = number;
    } else if (!text) {
        text = o->fallback ? o->fallback : o->value ? "" : "false";
    }
    printf("%s =%s", o->name + 2, *text ? " " : "");
    if (postgresql_is(text))
        postgresql_print(stdout, text);
    else
        fputs(text, stdout);
}

static void print_origin(const struct settings *s, size_t row)
{
    char name[SETTING_NAME_BYTES];
    const struct option_given *given = &s->given[row];
    switch (given->origin) {
    case FROM_DEFAULT:
        printf("  # default");
        break;
    case FROM_FILE:
        printf("  # %s:%zu", s->config, given->line);
        break;
    case FROM_ENVIRONMENT:
        settings_variable(row, name);
        printf("  # %s", name);
        break;
    case FROM_FLAG:
        printf("  # flag");
        break;
    }
}

static void print(const struct settings *s, bool show_origin)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings_rows[i].offset == offsetof(struct settings, config))
            continue; /* a file names no other */
        print_value(s, i);
        if (show_origin)
            print_origin(s, i);
        puts("");
    }
}

static int command_config(int argc, char **argv)
{
    static struct config config;
    int code = settings_read(&config.settings, &config_command, argc, argv);
    if (code >= 0)
        return code;
    if (!config.check)
        print(&config.settings, config.show_origin);
    settings_clear(&config.settings);
    if (!ferror(stdout) && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "evald config: cannot write: %s\n", strerror(errno));
    return EX_IOERR;
}

const struct command config_command = {
    .name = "config",
    .usage = "[OPTION ...]",
    .brief = "print or check what serve would be told",
    .help = "Prints every setting that evald serve would have with these "
            "options, this\nenvironment and this file, in the form of such a "
            "file, passwords as ***. Exits\n78 if one of them is wrong.",
    .run = command_config,
    .options = settings_rows,
    .n_options = SETTINGS,
    .more = own_options,
    .n_more = sizeof(own_options) / sizeof(own_options[0]),
};
