/* evald completion: what a shell needs to complete evald's command lines. */
#include "server/commands.h"

#include "api/operation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static bool takes_path(const struct option *o)
{
    return o->value && strcmp(o->value, "PATH") == 0;
}

static bool takes(const struct command *c, enum operand kind)
{
    return c->operand[0] == kind || c->operand[1] == kind;
}

static void print_words(const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        printf("%s%s", i ? " " : "", words[i]);
}

static void print_operations(void)
{
    const struct op *op;
    char name[OPERATION_BYTES];
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        printf("%s%s", i ? " " : "", operation_name(op, name));
}

static void print_commands(void)
{
    for (size_t i = 0; commands[i]; i++)
        printf("%s%s", i ? " " : "", commands[i]->name);
}

/*
 * Within single quotes, which all three shells have; a backslash goes before
 * the characters of special, too.
 */
static void print_quotable(const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'') {
            printf("'\\''");
            continue;
        }
        if (strchr(special, *text))
            putchar('\\');
        putchar(*text);
    }
}

/* bash: what may follow an option that takes a value. */
static void bash_value(const struct command *c, const struct option *o)
{
    if (!o->value)
        return;
    printf("    %s:%s) ", c->name, o->name);
    if (o->choices) {
        printf("words='");
        print_words(o->choices);
        puts("' ;;");
    } else {
        puts(takes_path(o) ? "kind=-f ;;" : "return ;;");
    }
}

/* Operands that are one of a few words. */
static const char *const words[] = {
    [OPERAND_SHELL] = "bash zsh fish",
    [OPERAND_TOKEN_PART] = "new list remove",
    [OPERAND_STORE_PART] = "check vacuum export import",
};

/* The words that complete its first operand, or NULL. */
static const char *words_of(const struct command *c)
{
    return words[c->operand[0]];
}

static void bash_command(const struct command *c)
{
    const struct option *o;
    printf("    %s:*)\n        options='", c->name);
    for (size_t i = 0; (o = options_at(c, i)); i++)
        printf("%s ", o->name);
    printf("--help'");
    if (takes(c, OPERAND_OPERATION))
        printf(" words=$operations");
    if (words_of(c))
        printf(" words='%s'", words_of(c));
    if (takes(c, OPERAND_FILE))
        printf(" kind=-f");
    if (takes(c, OPERAND_DIRECTORY))
        printf(" kind=-d");
    puts(" ;;");
}

/* bash takes --name=value for three words. */
static void print_bash(void)
{
    const struct option *o;
    puts("# evald's completion for bash, made by evald completion bash\n"
         "_evald()\n"
         "{\n"
         "    local command=${COMP_WORDS[1]} cur=${COMP_WORDS[COMP_CWORD]}\n"
         "    local prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local options='' words='' kind='' operations");
    printf("    operations='");
    print_operations();
    puts("'\n"
         "    COMPREPLY=()\n"
         "    if [[ $cur == = ]]; then\n"
         "        cur=''\n"
         "    elif [[ $prev == = ]]; then\n"
         "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "    fi");
    printf("    if ((COMP_CWORD == 1)); then\n        command='' words='");
    print_commands();
    puts("'\n"
         "    fi\n"
         "    case $command:$prev in");
    for (size_t i = 0; commands[i]; i++) {
        for (size_t k = 0; (o = options_at(commands[i], k)); k++)
            bash_value(commands[i], o);
        bash_command(commands[i]);
    }
    puts("    esac\n"
         "    if [[ $options && $cur == -* ]]; then\n"
         "        words=$options kind=''\n"
         "    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "    if [[ $kind ]]; then\n"
         "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \\\n"
         "            < <(compgen \"$kind\" -- \"$cur\")\n"
         "        compopt -o filenames 2>/dev/null\n"
         "    fi\n"
         "}\n"
         "complete -F _evald evald");
}

static void zsh_option(const struct option *o)
{
    printf("            '%s%s[", o->name, o->value ? "=" : "");
    print_quotable(o->help, "[]:\\");
    putchar(']');
    if (o->value) {
        putchar(':');
        print_quotable(o->value, ":");
        putchar(':');
    }
    if (o->choices) {
        putchar('(');
        print_words(o->choices);
        putchar(')');
    } else if (o->value) {
        printf("%s", takes_path(o) ? "_files" : " ");
    }
    puts("' \\");
}

/* zsh: what completes an operand. */
static const char *const zsh_operands[] = {
    [OPERAND_FILE] = "_files",
    [OPERAND_DIRECTORY] = "_files -/",
    [OPERAND_OPERATION] = "($operations)",
};

static void zsh_command(const struct command *c)
{
    const struct option *o;
    printf("    %s)\n        _arguments -S \\\n", c->name);
    for (size_t i = 0; (o = options_at(c, i)); i++)
        zsh_option(o);
    for (size_t i = 0; i < 2; i++) {
        const char *word = words[c->operand[i]];
        if (c->operand[i] != OPERAND_OTHER)
            printf("            \"%zu:operand:%s%s%s\" \\\n", i + 1,
                   word ? "(" : "", word ? word : zsh_operands[c->operand[i]],
                   word ? ")" : "");
    }
    puts("            '--help[show this]' ;;");
}

static void print_zsh(void)
{
    printf("#compdef evald\n"
           "# evald's completion for zsh, made by evald completion zsh\n"
           "_evald()\n"
           "{\n"
           "    local -a commands\n"
           "    local operations='");
    print_operations();
    puts("'\n    commands=(");
    for (size_t i = 0; commands[i]; i++) {
        printf("        '%s:", commands[i]->name);
        print_quotable(commands[i]->brief, ":");
        puts("'");
    }
    puts("    )\n"
         "    if ((CURRENT == 2)); then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $words[1] in");
    for (size_t i = 0; commands[i]; i++)
        zsh_command(commands[i]);
    puts("    esac\n"
         "}\n"
         "if [[ $funcstack[1] == _evald ]]; then\n"
         "    _evald \"$@\"\n"
         "else\n"
         "    compdef _evald evald\n"
         "fi");
}

static void fish_begin(const struct command *c)
{
    printf("complete -c evald -n '__fish_seen_subcommand_from %s'", c->name);
}

static void fish_option(const struct command *c, const struct option *o)
{
    fish_begin(c);
    printf(" -l %s", o->name + 2);
    if (takes_path(o))
        printf(" -r -F");
    else if (o->value)
        printf(" -x");
    if (o->choices) {
        printf(" -a '");
        print_words(o->choices);
        putchar('\'');
    }
    printf(" -d '");
    print_quotable(o->help, "\\");
    puts("'");
}

static void fish_command(const struct command *c)
{
    static const struct option help = {.name = "--help", .help = "show this"};
    const struct option *o;
    printf("complete -c evald -n __fish_use_subcommand -a %s -d '", c->name);
    print_quotable(c->brief, "\\");
    puts("'");
    for (size_t i = 0; (o = options_at(c, i)); i++)
        fish_option(c, o);
    fish_option(c, &help);
    if (takes(c, OPERAND_FILE)) {
        fish_begin(c);
        puts(" -F");
    }
    if (takes(c, OPERAND_DIRECTORY)) {
        fish_begin(c);
        puts(" -a '(__fish_complete_directories)'");
    }
    if (takes(c, OPERAND_OPERATION)) {
        fish_begin(c);
        printf(" -a '");
        print_operations();
        puts("'");
    }
    if (words_of(c)) {
        fish_begin(c);
        printf(" -a '%s'\n", words_of(c));
    }
}

static void print_fish(void)
{
    puts("# evald's completion for fish, made by evald completion fish\n"
         "complete -c evald -f");
    for (size_t i = 0; commands[i]; i++)
        fish_command(commands[i]);
}

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
enum { SHELLS = sizeof(shells) / sizeof(shells[0]) };

static int command_completion(int argc, char **argv)
{
    size_t operands, i = 0;
    int code = options_read(&completion_command, argc, argv, NULL, &operands);
    if (code >= 0)
        return code;
    while (i < SHELLS && strcmp(shells[i].name, argv[1]) != 0)
        i++;
    if (i == SHELLS) {
        fprintf(stderr,
                "evald completion: the shell must be bash, zsh or fish, not "
                "\"%s\"\n",
                argv[1]);
        return EX_USAGE;
    }
    shells[i].print();
    if (!ferror(stdout) && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "evald completion: cannot write: %s\n", strerror(errno));
    return EX_IOERR;
}

const struct command completion_command = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .brief = "print what a shell completes evald's words from",
    .help = "Prints a script for a shell, such as\n"
            "source <(evald completion bash)",
    .run = command_completion,
    .operands_min = 1,
    .operands_max = 1,
    .operand = {OPERAND_SHELL},
};
