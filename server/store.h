/*
 * The store of datasets and runs, behind api/store.h: tables, statements and
 * transactions are the same for both databases (sql.h).
 *
 * All writing is done by one thread with one connection: what waits when it
 * begins goes into one transaction, and is answered after the commit.  Readers
 * take a connection from a small pool.
 */
#ifndef EVALD_SERVER_STORE_H
#define EVALD_SERVER_STORE_H

#include "api/store.h"

struct store;

struct store_options {
    /* A path, "postgresql://..." or "postgres://..." */
    const char *where;
    size_t bytes_max;     /* of everything; 0 = no limit: then STORE_FULL */
    size_t run_bytes_max; /* of one run; 0 = no limit */
    size_t readers;       /* connections, at least 1 */
    size_t keep_ms;       /* runs untouched for so long are deleted; 0 = none */
    size_t memory_bytes;  /* of SQLite in this process, about; 0 = no limit */
    bool read_only;       /* neither locks nor migrates nor writes */
};

/*
 * Opens, locks (SQLite: against other daemons), migrates the schema; starts no
 * thread.  NULL with a line in why.
 */
struct store *store_open(const struct store_options *o,
                         char why[STORE_WHY_BYTES])
    __attribute__((warn_unused_result));

/* Starts the thread that writes; -1 with errno set. */
int store_start(struct store *s) __attribute__((warn_unused_result));

/* Ends the thread after what waits is written, and closes; NULL is none. */
void store_close(struct store *s);

/* The file it is, or NULL: it is somewhere else. */
const char *store_file(const struct store *s);

/* The calls, for api_env. */
const struct api_store *store_calls(struct store *s);

/* For metrics. */
struct store_stats {
    const char *kind; /* "sqlite", "postgresql" */
    size_t waiting;   /* writes */
    uint64_t commits, writes, reconnects;
    int64_t bytes;
    bool reachable;
};
struct store_stats store_stats(struct store *s);

/*
 * Where --store is when nothing is set: in STATE_DIRECTORY, as systemd has it,
 * or below XDG_STATE_HOME; -1: there is no home.
 */
int store_default_path(char *path, size_t n);

/* The work of `evald store ...`: -1 with a line in why. */
int store_check(struct store *s, char why[STORE_WHY_BYTES]);
int store_vacuum(struct store *s, char why[STORE_WHY_BYTES]);

#endif
