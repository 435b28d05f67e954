/* Where settings come from: flags, the environment, a file. */
#include "server/settings.h"

#include "api/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { LINES_MAX = 10000, VARIABLE_BYTES = 64 };
static const char prefix[] = "EVALD_";

/* The name of a row in the file: its flag's without the dashes. */
static const char *plain(size_t row)
{
    return settings_rows[row].name + 2;
}

void settings_variable(size_t row, char name[SETTING_NAME_BYTES])
{
    snprintf(name, SETTING_NAME_BYTES, "%s%s", prefix, plain(row));
    for (; *name; name++)
        if (*name == '-')
            *name = '_';
        else
            *name = (char)toupper((unsigned char)*name);
}

/* A path's end tells more than its beginning. */
static void file_name(const char *path, size_t line, size_t row,
                      char name[SETTING_NAME_BYTES])
{
    size_t n = strlen(path), most = SETTING_NAME_BYTES - 64;
    snprintf(name, SETTING_NAME_BYTES, "%s%s:%zu: %s", n > most ? "…" : "",
             path + (n > most ? n - most : 0), line, plain(row));
}

void settings_name(const struct settings *s, size_t row,
                   char name[SETTING_NAME_BYTES])
{
    const struct option_given *given = &s->given[row];
    if (given->origin == FROM_FILE)
        file_name(s->config, given->line, row, name);
    else if (given->origin == FROM_ENVIRONMENT)
        settings_variable(row, name);
    else
        snprintf(name, SETTING_NAME_BYTES, "%s", settings_rows[row].name);
}

/*
 * One more source of a row's value, below those that have given it: it is
 * checked all the same.
 */
static bool take(struct settings *s, const struct command *c, size_t row,
                 const char *name, const struct option_given *from)
{
    struct settings scratch;
    bool first = !s->given[row].text;
    if (!option_take(c, &settings_rows[row], name, from->text,
                     first ? s : &scratch))
        return false;
    if (first)
        s->given[row] = *from;
    return true;
}

static bool take_environment(struct settings *s, const struct command *c)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        char name[SETTING_NAME_BYTES];
        settings_variable(i, name);
        const struct option_given from = {getenv(name), FROM_ENVIRONMENT, 0};
        if (from.text && *from.text && !take(s, c, i, name, &from))
            return false;
    }
    return true;
}

/* Kubernetes sets these for a service that is called evald. */
static bool is_foreign(const char *name)
{
    return (strncmp(name, "EVALD_PORT", 10) == 0 && strchr("=_", name[10])) ||
           strncmp(name, "EVALD_SERVICE_", 14) == 0;
}

/* What follows the prefix is compared: all names have that in common. */
static void warn_of_variable(const struct command *c, const char *entry)
{
    const size_t skip = sizeof(prefix) - 1;
    char texts[SETTINGS][SETTING_NAME_BYTES], word[VARIABLE_BYTES];
    const char *names[SETTINGS];
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(entry, "="), entry);
    for (size_t i = 0; i < SETTINGS; i++) {
        settings_variable(i, texts[i]);
        names[i] = texts[i] + skip;
        if (strcmp(word, texts[i]) == 0)
            return;
    }
    const char *near = suggest(word + skip, names, SETTINGS);
    fprintf(stderr, "evald %s: warning: %s is no setting%s%s%s\n", c->name,
            word, near ? "; did you mean " : "", near ? near - skip : "",
            near ? "?" : "");
}

/* A setting with a misspelt name must not be silently ignored. */
static void warn_of_environment(const struct command *c)
{
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, prefix, sizeof(prefix) - 1) == 0 &&
            !is_foreign(*entry))
            warn_of_variable(c, *entry);
}

struct file {
    struct settings *settings;
    const struct command *command;
    const char *path;
    FILE *stream;
    size_t line;           /* the last that was read */
    size_t seen[SETTINGS]; /* the line of each, 0 = none */
    bool wrong;            /* and it has been said */
};

/* Says what is wrong with a line, if it is the first that is. */
static void fault(struct file *f, const char *what, const char *detail)
{
    if (!f->wrong)
        fprintf(stderr, "evald %s: %s:%zu: %s%s\n", f->command->name, f->path,
                f->line, what, detail);
    f->wrong = true;
}

static void unknown(struct file *f, const char *name)
{
    char text[VARIABLE_BYTES * 2 + 32];
    const char *names[SETTINGS];
    for (size_t i = 0; i < SETTINGS; i++)
        names[i] = plain(i);
    const char *near = suggest(name, names, SETTINGS);
    snprintf(text, sizeof(text), "%.64s is no setting%s%s%s", name,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    fault(f, text, "");
}

/* One name and value, as inih calls it; 0 is an error. */
static int on_value(void *context, const char *section, const char *name,
                    const char *value)
{
    struct file *f = context;
    size_t row = 0;
    (void)section;
    while (row < SETTINGS && strcmp(plain(row), name) != 0)
        row++;
    if (row == SETTINGS) {
        unknown(f, name);
    } else if (settings_rows[row].offset == offsetof(struct settings, config)) {
        fault(f, "config is no setting of a file", "");
    } else if (f->seen[row]) {
        char before[48];
        snprintf(before, sizeof(before), " is set in line %zu", f->seen[row]);
        fault(f, plain(row), before);
    } else {
        char full[SETTING_NAME_BYTES];
        struct option_given from = {strdup(value), FROM_FILE, f->line};
        file_name(f->path, f->line, row, full);
        f->seen[row] = f->line;
        if (!from.text)
            fault(f, "no memory", "");
        else if (!take(f->settings, f->command, row, full, &from))
            f->wrong = true;
        if (f->settings->given[row].text != from.text)
            free((char *)from.text);
    }
    return !f->wrong;
}

/*
 * A line for inih, in its room: without what blanks begin it and what comment
 * ends it, as inih takes an indented line for more of the one before, and cuts
 * a line that is longer than its room into two.
 */
static char *read_line(char *line, int room, void *context)
{
    struct file *f = context;
    size_t n = 0, most = (size_t)room - 3;
    bool comment = false;
    int ch = getc(f->stream), last = ' ';
    if (f->wrong || ch == EOF)
        return NULL;
    f->line++;
    for (; ch != '\n' && ch != EOF; last = ch, ch = getc(f->stream)) {
        if (iscntrl(ch) && ch != '\t' && ch != '\r')
            fault(f, "a character that is no text", "");
        comment = comment || ((ch == '#' || ch == ';') && isspace(last));
        if (comment || (n == 0 && isspace(ch)))
            continue;
        if (n == most)
            fault(f, "too long a line; a flag or a variable may be longer", "");
        if (f->wrong)
            return NULL;
        line[n++] = (char)ch;
    }
    if (n && line[0] == '[')
        fault(f, "a file of settings has no sections", "");
    if (f->line > LINES_MAX)
        fault(f, "too many lines", "");
    line[n] = '\n';
    line[n + 1] = '\0';
    return f->wrong ? NULL : line;
}

static bool take_file(struct settings *s, const struct command *c)
{
    struct file f = {.settings = s,
                     .command = c,
                     .path = s->config,
                     .stream = fopen(s->config, "r")};
    int rc = f.stream ? ini_parse_stream(read_line, &f, on_value, &f) : 0;
    if (!f.stream || ferror(f.stream)) {
        fprintf(stderr, "evald %s: cannot read %s: %s\n", c->name, f.path,
                strerror(errno));
        f.wrong = true;
    } else if (rc > 0) {
        f.line = (size_t)rc;
        fault(&f, "a line must be name = value", "");
    } else if (rc < 0) {
        fault(&f, "no memory", "");
    }
    if (f.stream)
        fclose(f.stream);
    return !f.wrong;
}

int settings_read(struct settings *s, const struct command *command, int argc,
                  char **argv)
{
    size_t operands;
    *s = (struct settings){.listen = NULL};
    int code = options_flags(command, argc, argv, s, s->given, &operands);
    if (code >= 0)
        return code;
    warn_of_environment(command);
    if (!take_environment(s, command) || (s->config && !take_file(s, command)))
        return EX_CONFIG;
    options_defaults(command, s, s->given);
    return settings_check(s, command->name);
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (s->given[i].origin == FROM_FILE)
            free((char *)s->given[i].text);
    *s = (struct settings){.listen = NULL};
}
