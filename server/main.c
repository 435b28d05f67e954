#include "api/api.h"
#include "api/suggest.h"
#include "server/commands.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("evald " EVALD_VERSION);
    return EX_OK;
}

static int command_help(int argc, char **argv);

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "answer requests over HTTP", command_serve},
    {"eval", "score detections in files", command_eval},
    {"op", "compute one operation on a JSON body", command_op},
    {"ops", "list the operations, or explain one", command_ops},
    {"sample", "write a sample data set to try things with", command_sample},
    {"health", "ask a running evald whether it lives", command_health},
    {"version", "print the version", command_version},
    {"help", "print this", command_help},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("evald: evaluation of deep-learning models over HTTP\n\n"
         "usage: evald COMMAND [OPTION ...]\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("\nevald COMMAND --help explains a command.");
    return EX_OK;
}

static int unknown(const char *word)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = suggest(word, names, COMMANDS);
    fprintf(stderr, "evald: unknown command %s; %s%s\n", word,
            near ? "did you mean " : "see evald help", near ? near : "");
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "help";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0)
        word = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - (argc > 1), argv + (argc > 1));
    return unknown(word);
}
