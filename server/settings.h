/* What a daemon is told: one struct, filled from flags, environment, file. */
#ifndef EVALD_SERVER_SETTINGS_H
#define EVALD_SERVER_SETTINGS_H

#include "server/options.h"

enum {
    SETTINGS = 36,
    SETTING_NAME_BYTES = 320, /* of where it is from, and its name */
    HANDLES_RESERVE = 64,     /* files and sockets that evald needs itself */
};

/*
 * Times are milliseconds; a limit of 0 is none, where 0 is allowed.  Texts are
 * borrowed from argv, the environment or what was read of the file, all of
 * which stay.
 */
struct settings {
    /* where it listens */
    const char *listen;       /* HOST:PORT */
    const char *admin_listen; /* HOST:PORT for health and metrics, or NULL */
    bool reuse_port;          /* others may listen on the same address */
    const char *ready_file, *tls_cert, *tls_key; /* paths or NULL */
    /* who may ask */
    const char *tokens; /* path of the token file, or NULL */
    bool no_auth;
    const char *allow_hosts;  /* more names it goes by, by comma, or NULL */
    const char *cors_origins; /* origins by comma, "*", or NULL */
    /* how much */
    size_t body_bytes_max, memory_bytes;
    size_t connections_max, address_connections_max;
    size_t queue_light_max, queue_heavy_max; /* requests that wait */
    size_t client_rate, client_burst;        /* requests per second, at once */
    size_t client_concurrency;               /* requests at a time */
    /* how long */
    size_t header_ms;     /* for a request's head */
    size_t idle_ms;       /* between two requests of a connection */
    size_t body_ms;       /* for a body, however large */
    size_t body_rate_min; /* bytes per second of a body, after its first s */
    size_t request_ms;    /* from the whole body to the answer */
    size_t send_ms;       /* for an answer to be taken */
    size_t grace_ms;      /* to finish what is in flight when told to stop */
    /* what it keeps */
    const char *store; /* path, URL or "none"; NULL = the usual place */
    size_t store_bytes_max, run_bytes_max;
    size_t store_keep_ms; /* runs untouched for so long go; 0 = none */
    /* on what */
    size_t workers, loops;
    bool no_confine;
    /* what it says */
    const char *log_format; /* "text" or "json" */
    const char *log_level;  /* "debug", "info", "warning", "error" */
    const char *config;     /* path of the file with more of these, or NULL */

    struct option_given given[SETTINGS]; /* where each is from, by row */
};

/* What may be set: one row per field, in the order of --help. */
extern const struct option settings_rows[SETTINGS];

/*
 * Reads all settings for the command whose options are settings_rows: flags
 * before EVALD_* variables before the file that --config or EVALD_CONFIG names
 * before defaults; then checks how they go together.  Returns -1 to go on;
 * otherwise it has printed help (0) or what is wrong (EX_USAGE of a flag,
 * EX_CONFIG of the environment or the file), the exit code.
 *
 * Variables that are empty count as not set.  Those that begin with EVALD_ and
 * are no setting are warned of on stderr.
 */
int settings_read(struct settings *s, const struct command *command, int argc,
                  char **argv);

/* Frees what was read of the file; the texts of *s are not to be used then. */
void settings_clear(struct settings *s);

/* As settings_read; -1, or the exit code after saying what goes not with what.
 */
int settings_check(const struct settings *s, const char *command);

/*
 * How the setting of that row is called where it was given: "--max-body",
 * "EVALD_MAX_BODY" or "evald.conf:7: max-body".
 */
void settings_name(const struct settings *s, size_t row,
                   char name[SETTING_NAME_BYTES]);

/* Its variable in the environment, whether or not it is set. */
void settings_variable(size_t row, char name[SETTING_NAME_BYTES]);

#endif
