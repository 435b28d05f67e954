/* Command lines, from a table that also makes --help. */
#ifndef EVALD_SERVER_OPTIONS_H
#define EVALD_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Stores a value; false when it is not one.  value is NULL of a flag. */
typedef bool option_store(void *to, const char *value);

struct option {
    const char *name;  /* with its dashes: "--listen" */
    const char *value; /* what it takes, for the help; NULL = a flag */
    const char *help;
    option_store *store;
    size_t offset; /* where, in the command's own struct */
};

struct command {
    const char *name, *usage, *help;
    const struct option *options;
    size_t n_options;
    size_t operands_min, operands_max;
};

/*
 * Reads argv[1 …] into *to.  Operands are moved to the front of argv, from
 * argv[1]; their count goes to *n_operands.  Returns -1 to go on; otherwise
 * it has printed help (0) or what is wrong (EX_USAGE), the exit code.
 */
int options_read(const struct command *command, int argc, char **argv, void *to,
                 size_t *n_operands);

/* Stores for fields of type const char *, bool, size_t. */
option_store store_text, store_flag, store_count, store_bytes;

#endif
