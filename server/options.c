#include "server/options.h"

#include "api/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

enum { OPTIONS_MAX = 32 };

bool store_text(void *to, const char *value)
{
    *(const char **)to = value;
    return true;
}

bool store_flag(void *to, const char *value)
{
    (void)value;
    *(bool *)to = true;
    return true;
}

/* An unsigned decimal number; *end is what follows it. */
static bool read_count(const char *value, size_t *out, char **end)
{
    if (!isdigit((unsigned char)*value))
        return false;
    errno = 0;
    unsigned long long n = strtoull(value, end, 10);
    *out = (size_t)n;
    return errno == 0;
}

bool store_count(void *to, const char *value)
{
    char *end;
    return read_count(value, to, &end) && *end == '\0';
}

/* 1048576, 1024K, 1M, 1MiB */
bool store_bytes(void *to, const char *value)
{
    static const char units[] = "kmg";
    size_t n, shift = 0;
    char *end;
    if (!read_count(value, &n, &end))
        return false;
    const char *unit =
        *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    if (unit) {
        shift = 10 * (size_t)(unit - units + 1);
        end++;
    }
    if (*end && strcasecmp(end, "b") != 0 &&
        !(unit && strcasecmp(end, "ib") == 0))
        return false;
    *(size_t *)to = n << shift;
    return n << shift >> shift == n;
}

static void print_help(const struct command *c)
{
    printf("usage: evald %s %s\n\n%s\n\n", c->name, c->usage, c->help);
    for (size_t i = 0; i < c->n_options; i++) {
        const struct option *o = &c->options[i];
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        printf("  %-26s %s\n", left, o->help);
    }
    printf("  %-26s %s\n", "--help", "show this");
}

static int usage(const struct command *c, const char *what, const char *arg)
{
    fprintf(stderr, "evald %s: %s%s; see evald %s --help\n", c->name, what, arg,
            c->name);
    return EX_USAGE;
}

/* arg may go on behind its first n characters, the name. */
static int unknown(const struct command *c, const char *arg, size_t n)
{
    const char *names[OPTIONS_MAX];
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)n, arg);
    for (size_t i = 0; i < c->n_options; i++)
        names[i] = c->options[i].name;
    const char *near = suggest(name, names, c->n_options);
    if (!near)
        return usage(c, "unknown option ", arg);
    fprintf(stderr, "evald %s: unknown option %s; did you mean %s?\n", c->name,
            arg, near);
    return EX_USAGE;
}

static const struct option *find(const struct command *c, const char *arg,
                                 size_t n)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (strlen(c->options[i].name) == n &&
            strncmp(c->options[i].name, arg, n) == 0)
            return &c->options[i];
    return NULL;
}

/* One option at argv[*i], its value perhaps after it; -1 to go on. */
static int read_option(const struct command *c, int argc, char **argv, int *i,
                       void *to)
{
    const char *arg = argv[*i], *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
    const struct option *o = find(c, arg, n);
    const char *value = equals ? equals + 1 : NULL;
    if (!o)
        return unknown(c, arg, n);
    if (!o->value && value)
        return usage(c, "takes no value: ", o->name);
    if (o->value && !value) {
        if (++*i == argc)
            return usage(c, "a value must follow ", o->name);
        value = argv[*i];
    }
    if (o->store((char *)to + o->offset, value))
        return -1;
    fprintf(stderr, "evald %s: %s must be %s, not \"%s\"\n", c->name, o->name,
            o->value, value);
    return EX_USAGE;
}

int options_read(const struct command *command, int argc, char **argv, void *to,
                 size_t *n_operands)
{
    size_t n = 0;
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        bool option = !only_operands && argv[i][0] == '-' && argv[i][1];
        if (option && strcmp(argv[i], "--help") == 0) {
            print_help(command);
            return EX_OK;
        }
        if (option && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (option) {
            int code = read_option(command, argc, argv, &i, to);
            if (code >= 0)
                return code;
        } else {
            argv[++n] = argv[i];
        }
    }
    *n_operands = n;
    if (n < command->operands_min || n > command->operands_max)
        return usage(command, "the arguments are: ", command->usage);
    return -1;
}
