/* Command lines, from a table that also makes --help. */
#ifndef EVALD_SERVER_OPTIONS_H
#define EVALD_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_MAX = 48 };

/* Stores a value; false when it is not one.  value is NULL of a flag. */
typedef bool option_store(void *to, const char *value);

/* The number that an option is if not given; to is the command's struct. */
typedef size_t option_derive(const void *to);

struct option {
    const char *name;  /* with its dashes: "--listen" */
    const char *value; /* what it takes, for the help; NULL = a flag */
    const char *help;
    option_store *store;
    size_t offset; /* where, in the command's own struct */

    /* What follows may be left out. */
    const char *fallback;       /* its value if it is not given, for store */
    option_derive *derive;      /* computes that; fallback is for the help */
    const char *least, *most;   /* bounds of a size_t, as store takes them */
    const char *const *choices; /* the texts it may be, and NULL */
    const char *heading;        /* of the options from here on */
    bool reload;                /* read again on SIGHUP */
};

/* What completes an operand on the command line. */
enum operand {
    OPERAND_OTHER,
    OPERAND_FILE,
    OPERAND_DIRECTORY,
    OPERAND_OPERATION,
    OPERAND_SHELL,
    OPERAND_TOKEN_PART,
    OPERAND_STORE_PART,
};

struct command {
    const char *name, *usage;
    const char *brief; /* in some words, for the list of commands */
    const char *help;
    int (*run)(int argc, char **argv); /* returns an exit code */
    const struct option *options;
    size_t n_options;
    const struct option *more; /* further ones, without defaults */
    size_t n_more;
    size_t operands_min, operands_max;
    enum operand operand[2];
};

/* The option of that index, the further ones first; NULL behind the last. */
const struct option *options_at(const struct command *command, size_t i);

enum option_origin {
    FROM_DEFAULT,
    FROM_FILE,
    FROM_ENVIRONMENT,
    FROM_FLAG,
};

/* What was said of an option, and where. */
struct option_given {
    const char *text; /* NULL if it was not given */
    enum option_origin origin;
    size_t line; /* of the file */
};

/*
 * Reads argv[1 …] into *to, and what is not given as its row says.  Operands
 * are moved to the front of argv, from argv[1]; their count goes to
 * *n_operands.  Returns -1 to go on; otherwise it has printed help (0) or what
 * is wrong (EX_USAGE), the exit code.
 */
int options_read(const struct command *command, int argc, char **argv, void *to,
                 size_t *n_operands);

/*
 * The same in two steps.  given has a place for each option and is all zero;
 * options_flags fills those that argv gives, options_defaults stores the
 * defaults of those that are still not given.
 */
int options_flags(const struct command *command, int argc, char **argv,
                  void *to, struct option_given *given, size_t *n_operands);
void options_defaults(const struct command *command, void *to,
                      const struct option_given *given);

/*
 * Stores text into the option's field of *to.  false after it has said that
 * name, which is how the option is called where text is from, is no such
 * value.
 */
bool option_take(const struct command *command, const struct option *o,
                 const char *name, const char *text, void *to);

/* Stores for fields of type const char *, bool, size_t. */
option_store store_text, store_flag, store_count, store_bytes;

/* 500ms, 30s, 5m, 1h as milliseconds, into a size_t. */
option_store store_time;

#endif
