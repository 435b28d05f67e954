#include "server/commands.h"

#include "api/api.h"

#include <stdio.h>
#include <sysexits.h>

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("evald " EVALD_VERSION);
    return EX_OK;
}

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("evald: evaluation of deep-learning models over HTTP\n\n"
         "usage: evald COMMAND [OPTION ...]\n");
    for (size_t i = 0; commands[i]; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->brief);
    puts("\nevald COMMAND --help explains a command.");
    return EX_OK;
}

static const struct command version_command = {
    .name = "version",
    .usage = "",
    .brief = "print the version",
    .help = "Prints the version.",
    .run = command_version,
};

static const struct command help_command = {
    .name = "help",
    .usage = "",
    .brief = "print this",
    .help = "Lists the commands.",
    .run = command_help,
};

const struct command *const commands[] = {
    &serve_command,      &config_command,
    &eval_command,       &op_command,
    &ops_command,        &sample_command,
    &health_command,     &token_command,
    &store_command,      &man_command,
    &completion_command, &version_command,
    &help_command,       NULL,
};
