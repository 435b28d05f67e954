#include "server/options.h"

#include "api/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

enum { COLUMNS = 80, HELP_COLUMN = 26, PHRASE_BYTES = 160 };

bool store_text(void *to, const char *value)
{
    *(const char **)to = value;
    return true;
}

bool store_flag(void *to, const char *value)
{
    static const char *const words[][4] = {{"0", "false", "no", "off"},
                                           {"1", "true", "yes", "on"}};
    *(bool *)to = true;
    for (size_t i = 0; value && i < 8; i++)
        if (strcasecmp(value, words[i / 4][i % 4]) == 0) {
            *(bool *)to = i >= 4;
            return true;
        }
    return !value;
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

bool store_time(void *to, const char *value)
{
    static const struct {
        const char *name;
        size_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t n;
    char *end;
    if (!read_count(value, &n, &end))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow(n, units[i].ms, (size_t *)to);
    return false;
}

/* Prints text from column on, in lines of COLUMNS that break at blanks. */
static void print_wrapped(const char *text, int column)
{
    size_t room = (size_t)(COLUMNS - column);
    for (size_t n; strlen(text) > room; text += n + 1) {
        n = room;
        while (n > 0 && text[n] != ' ')
            n--;
        if (n == 0)
            break;
        printf("%.*s\n%*s", (int)n, text, column, "");
    }
    puts(text);
}

static void print_option(const struct option *o)
{
    char left[64], text[512];
    snprintf(left, sizeof(left), "  %s%s%s", o->name, o->value ? " " : "",
             o->value ? o->value : "");
    snprintf(text, sizeof(text), "%s%s%s%s", o->help, o->fallback ? " (" : "",
             o->fallback ? o->fallback : "", o->fallback ? ")" : "");
    if (o->heading)
        printf("\n%s:\n", o->heading);
    if (strlen(left) < HELP_COLUMN)
        printf("%-*s", HELP_COLUMN, left);
    else
        printf("%s\n%*s", left, HELP_COLUMN, "");
    print_wrapped(text, HELP_COLUMN);
}

const struct option *options_at(const struct command *command, size_t i)
{
    if (i < command->n_more)
        return &command->more[i];
    i -= command->n_more;
    return i < command->n_options ? &command->options[i] : NULL;
}

static void print_help(const struct command *c)
{
    static const struct option help = {.name = "--help", .help = "show this"};
    const struct option *o = options_at(c, 0);
    printf("usage: evald %s %s\n\n%s\n%s", c->name, c->usage, c->help,
           o && o->heading ? "" : "\n");
    for (size_t i = 0; (o = options_at(c, i)); i++)
        print_option(o);
    print_option(&help);
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
    const struct option *o;
    size_t n_names = 0;
    while ((o = options_at(c, n_names)) && n_names < OPTIONS_MAX)
        names[n_names++] = o->name;
    const char *near = suggest(name, names, n_names);
    if (!near)
        return usage(c, "unknown option ", arg);
    fprintf(stderr, "evald %s: unknown option %s; did you mean %s?\n", c->name,
            arg, near);
    return EX_USAGE;
}

static const struct option *find(const struct command *c, const char *arg,
                                 size_t n)
{
    const struct option *o;
    for (size_t i = 0; (o = options_at(c, i)); i++)
        if (strlen(o->name) == n && strncmp(o->name, arg, n) == 0)
            return o;
    return NULL;
}

/* Writes what the option may be. */
static void describe(const struct option *o, char phrase[PHRASE_BYTES])
{
    int n = snprintf(phrase, PHRASE_BYTES, "%s",
                     o->choices ? "one of"
                     : o->value ? o->value
                                : "true or false");
    for (size_t i = 0; o->choices && o->choices[i] && n < PHRASE_BYTES; i++)
        n += snprintf(phrase + n, (size_t)(PHRASE_BYTES - n), "%s %s",
                      i ? "," : "", o->choices[i]);
    if (o->most && n < PHRASE_BYTES)
        snprintf(phrase + n, (size_t)(PHRASE_BYTES - n), " from %s to %s",
                 o->least, o->most);
}

static bool within(const struct option *o, const void *field)
{
    size_t least = 0, most = 0;
    return !o->most ||
           (o->store(&least, o->least) && o->store(&most, o->most) &&
            *(const size_t *)field >= least && *(const size_t *)field <= most);
}

static bool chosen(const struct option *o, const char *text)
{
    size_t i = 0;
    while (o->choices && o->choices[i] && strcmp(o->choices[i], text) != 0)
        i++;
    return !o->choices || o->choices[i];
}

/* A time without its unit: what it would be in seconds. */
static void hint(const struct option *o, const char *text)
{
    char seconds[32];
    size_t n;
    snprintf(seconds, sizeof(seconds), "%.20ss", text);
    if (o->store == store_time && store_time(&n, seconds))
        fprintf(stderr, "; did you mean %s?", seconds);
}

bool option_take(const struct command *command, const struct option *o,
                 const char *name, const char *text, void *to)
{
    char phrase[PHRASE_BYTES];
    void *field = (char *)to + o->offset;
    if (chosen(o, text) && o->store(field, text) && within(o, field))
        return true;
    describe(o, phrase);
    fprintf(stderr, "evald %s: %s must be %s, not \"%s\"", command->name, name,
            phrase, text);
    hint(o, text);
    fputs("\n", stderr);
    return false;
}

/* One option at argv[*i], its value perhaps after it; -1 to go on. */
static int read_option(const struct command *c, int argc, char **argv, int *i,
                       void *to, struct option_given *given)
{
    const char *arg = argv[*i], *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
    const struct option *o = find(c, arg, n);
    const char *value = equals ? equals + 1 : "true";
    if (!o)
        return unknown(c, arg, n);
    if (!o->value && equals)
        return usage(c, "takes no value: ", o->name);
    if (o->value && !equals) {
        if (++*i == argc)
            return usage(c, "a value must follow ", o->name);
        value = argv[*i];
    }
    for (size_t k = 0; k < c->n_options; k++)
        if (o == &c->options[k])
            given[k] = (struct option_given){value, FROM_FLAG, 0};
    return option_take(c, o, o->name, value, to) ? -1 : EX_USAGE;
}

int options_flags(const struct command *command, int argc, char **argv,
                  void *to, struct option_given *given, size_t *n_operands)
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
            int code = read_option(command, argc, argv, &i, to, given);
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

void options_defaults(const struct command *command, void *to,
                      const struct option_given *given)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const struct option *o = &command->options[i];
        void *field = (char *)to + o->offset;
        if (given[i].text)
            continue;
        if (o->derive)
            *(size_t *)field = o->derive(to);
        else if (o->fallback)
            o->store(field, o->fallback);
    }
}

int options_read(const struct command *command, int argc, char **argv, void *to,
                 size_t *n_operands)
{
    struct option_given given[OPTIONS_MAX] = {{NULL, FROM_DEFAULT, 0}};
    int code = options_flags(command, argc, argv, to, given, n_operands);
    if (code < 0)
        options_defaults(command, to, given);
    return code;
}
