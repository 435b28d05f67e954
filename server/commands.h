/* The commands of evald: each takes its own argv and returns an exit code. */
#ifndef EVALD_SERVER_COMMANDS_H
#define EVALD_SERVER_COMMANDS_H

int command_serve(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_op(int argc, char **argv);
int command_ops(int argc, char **argv);
int command_health(int argc, char **argv);
int command_sample(int argc, char **argv);

#endif
