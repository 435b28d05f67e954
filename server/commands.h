/* The commands of evald, each a row beside what it does. */
#ifndef EVALD_SERVER_COMMANDS_H
#define EVALD_SERVER_COMMANDS_H

#include "server/options.h"

extern const struct command serve_command, config_command, eval_command,
    op_command, ops_command, sample_command, health_command, token_command,
    store_command, man_command, completion_command;

/* All of them in the order of evald help, and NULL. */
extern const struct command *const commands[];

#endif
