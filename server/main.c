#include "api/suggest.h"
#include "server/commands.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { COMMANDS_MAX = 32 };

static int unknown(const char *word)
{
    const char *names[COMMANDS_MAX];
    size_t n = 0;
    for (; commands[n] && n < COMMANDS_MAX; n++)
        names[n] = commands[n]->name;
    const char *near = suggest(word, names, n);
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
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(word, commands[i]->name) == 0)
            return commands[i]->run(argc - (argc > 1), argv + (argc > 1));
    return unknown(word);
}
