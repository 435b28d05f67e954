/* evald man: the manual page, from the commands' rows. */
#include "server/commands.h"

#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct entry {
    const char *term, *text;
};

static const char description[] =
    "evald answers batches that a training loop, a dashboard or a script "
    "sends it over HTTP: with COCO's detection scores, overall, per category "
    "and per image, and with activations, losses and box metrics, their "
    "gradients, and what they say of the batch. It is one daemon, evald serve; "
    "the other commands compute the same without one, or help to run it. A "
    "running daemon describes its requests at /docs and /openapi.json.";

static const char environment[] =
    "Each option of evald serve may be a variable: its name in capitals after "
    "EVALD_, with _ for each dash. EVALD_MAX_BODY is --max-body, EVALD_CONFIG "
    "is --config. An option without a value is 1, true, yes or on, or 0, "
    "false, no or off. A variable that is empty counts as not set; one that "
    "begins with EVALD_ and is no option is warned of. A flag goes before a "
    "variable, a variable before a line of the file, that before the default.";

static const char files[] =
    "The file that --config names holds a line name = value for each option "
    "that it sets, named as the flag without its dashes. From a # or ; that "
    "begins the line or follows a blank, the rest is a comment; lines have at "
    "most 197 characters besides. An empty value is none. Unknown names, "
    "names that are set twice and values that are wrong are errors. evald "
    "config prints such a file.";

static const struct entry statuses[] = {
    {"0", "Done; of evald serve: stopped, with all that it had accepted done."},
    {"1", "A score is under --fail-under; the daemon does not answer evald "
          "health; what evald serve had accepted could not be finished."},
    {"64", "The command line is wrong."},
    {"65", "What a file says is wrong."},
    {"66", "A file cannot be read."},
    {"68", "The name of a host is not known."},
    {"69", "The address cannot be listened on, or the store not be opened."},
    {"71", "The system has no memory or thread left."},
    {"73", "A file cannot be written."},
    {"74", "The output cannot be written."},
    {"78", "A variable, or the file of --config, is wrong."},
};

static const struct entry examples[] = {
    {"evald serve --workers 4 --max-body 1G",
     "Serves this machine at http://127.0.0.1:8080."},
    {"evald config --check --config evald.conf",
     "Checks a file before it is used."},
    {"evald config --show-origin",
     "Prints what is in force, and whether a flag, a variable, the file or "
     "the default says so."},
    {"evald eval ground_truth.json detections.json --fail-under AP=0.4",
     "Scores two files; exits 1 if AP is lower than 0.4."},
    {"echo '{\"inputs\":{\"x\":[-1,0,2]}}' | evald op activations/mish",
     "Computes an activation."},
};

/* A character as roff takes it anywhere but at the beginning of a line. */
static void print_character(char ch)
{
    static const struct {
        char ch;
        const char *as;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                   {'"', "\\(dq"}, {'`', "\\(ga"}, {'^', "\\(ha"},
                   {'~', "\\(ti"}};
    size_t i = 0, n = sizeof(escapes) / sizeof(escapes[0]);
    while (i < n && escapes[i].ch != ch)
        i++;
    if (i < n)
        fputs(escapes[i].as, stdout);
    else
        putchar(ch);
}

/* Within a line. */
static void print_text(const char *text)
{
    for (; *text; text++)
        print_character(*text);
}

/* Lines of their own, a new one for each sentence or when one gets long. */
static void print_prose(const char *text)
{
    size_t column = 0;
    for (char before = ' '; *text; before = *text++) {
        bool blank = *text == ' ' || *text == '\n';
        if (text[0] == '\n' && text[1] == '\n') {
            printf("\n.PP\n");
            column = 0;
            text++;
        } else if (blank && (column > 60 || before == '.')) {
            putchar('\n');
            column = 0;
        } else {
            if (column++ == 0 && *text == '.')
                printf("\\&");
            if (blank)
                putchar(' ');
            else
                print_character(*text);
        }
    }
}

static void print_font(char font, const char *text)
{
    printf("\\f%c", font);
    print_text(text);
    printf("\\fR");
}

static void print_section(const char *title, const char *text)
{
    printf(".SH %s\n", title);
    print_prose(text);
    puts("");
}

static void print_entries(const char *title, const struct entry *entry,
                          size_t n)
{
    printf(".SH %s\n", title);
    for (size_t i = 0; i < n; i++) {
        puts(".TP");
        print_font('B', entry[i].term);
        puts("");
        print_prose(entry[i].text);
        puts("");
    }
}

static void print_option(const struct option *o)
{
    if (o->heading)
        printf(".PP\n%s\n", o->heading);
    puts(".TP");
    print_font('B', o->name);
    if (o->value) {
        putchar(' ');
        print_font('I', o->value);
    }
    puts("");
    print_prose(o->help);
    if (o->most) {
        printf(",\nfrom ");
        print_text(o->least);
        printf(" to ");
        print_text(o->most);
    }
    if (o->fallback) {
        printf("\n(");
        print_text(o->fallback);
        putchar(')');
    }
    puts("");
}

static void print_command(const struct command *c)
{
    bool borrowed = c->more && c->options == serve_command.options;
    size_t n = borrowed ? c->n_more : c->n_more + c->n_options;
    puts(".SS");
    print_font('B', "evald ");
    print_font('B', c->name);
    if (*c->usage)
        putchar(' ');
    print_text(c->usage);
    puts("");
    print_prose(c->help);
    if (borrowed)
        printf("\nIt takes the options of evald serve, too.");
    puts("");
    for (size_t i = 0; i < n; i++)
        print_option(options_at(c, i));
}

static void print_signals(void)
{
    puts(".SH SIGNALS\n"
         "Of evald serve:\n"
         ".TP\n"
         "\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
         "Finishes what it has accepted, then exits 0.\n"
         "A second one ends it at once, with 1.\n"
         ".TP\n"
         "\\fBSIGHUP\\fR\n"
         "Reads the files of these options again:");
    for (size_t i = 0; i < serve_command.n_options; i++)
        if (serve_command.options[i].reload) {
            print_font('B', serve_command.options[i].name);
            puts("");
        }
}

static void print_page(void)
{
    printf(".\\\" made by evald man\n"
           ".TH EVALD 1 \"\" \"evald %s\" \"User Commands\"\n"
           ".SH NAME\n"
           "evald \\- evaluation of deep\\-learning models over HTTP\n"
           ".SH SYNOPSIS\n"
           ".B evald\n"
           "\\fICOMMAND\\fR [\\fIOPTION\\fR ...]\n",
           EVALD_VERSION);
    print_section("DESCRIPTION", description);
    puts(".SH COMMANDS\n"
         "Each takes \\fB\\-\\-help\\fR. Behind an option, in brackets, is its "
         "default.\n"
         "Sizes are bytes, or have a unit: 64K, 256M, 2G.\n"
         "Times need one: 500ms, 30s, 5m, 1h.");
    for (size_t i = 0; commands[i]; i++)
        print_command(commands[i]);
    print_section("ENVIRONMENT", environment);
    print_section("FILES", files);
    print_entries("EXIT STATUS", statuses,
                  sizeof(statuses) / sizeof(statuses[0]));
    print_signals();
    print_entries("EXAMPLES", examples, sizeof(examples) / sizeof(examples[0]));
}

static int command_man(int argc, char **argv)
{
    size_t operands;
    int code = options_read(&man_command, argc, argv, NULL, &operands);
    if (code >= 0)
        return code;
    print_page();
    if (!ferror(stdout) && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "evald man: cannot write: %s\n", strerror(errno));
    return EX_IOERR;
}

const struct command man_command = {
    .name = "man",
    .usage = "",
    .brief = "print the manual page",
    .help = "Prints the manual page evald(1), for man -l.",
    .run = command_man,
};
