/*
 * A connection to a database, SQLite's or PostgreSQL's: the same statements,
 * with $1, $2, ... for arguments, run on both.  A connection belongs to one
 * thread at a time.
 */
#ifndef EVALD_SERVER_SQL_H
#define EVALD_SERVER_SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_status {
    SQL_OK,
    SQL_FULL,    /* no space left on the device */
    SQL_GONE,    /* the connection is lost, or could not be made */
    SQL_AGAIN,   /* lost against another transaction: run it again */
    SQL_STOPPED, /* a visitor ended it */
    SQL_BROKEN,  /* whatever else; why says it */
};

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_TEXT, SQL_BLOB };

struct sql_value {
    enum sql_type type;
    int64_t integer;
    const void *bytes; /* TEXT has a NUL behind its n bytes in results */
    size_t n;
};

enum { SQL_COLUMNS_MAX = 24, SQL_WHY_BYTES = 256 };

/* One row of a result, of argument set `set`; non-zero ends the statement. */
typedef int sql_visit(void *context, size_t set, const struct sql_value *column,
                      size_t n_columns);

/* Statements are static and prepared when they are first run. */
struct sql_statement {
    const char *sqlite, *postgresql; /* NULL = as sqlite */
};

struct sql; /* begins with a struct sql_head */

struct sql_driver {
    const char *name;
    /*
     * Runs the statement once for each of n_sets sets of n_args arguments
     * (args[set * n_args + arg]), sending them all before it waits where the
     * database is far.  visit may be NULL.
     */
    enum sql_status (*run)(struct sql *sql, const struct sql_statement *s,
                           const struct sql_value *args, size_t n_args,
                           size_t n_sets, sql_visit *visit, void *context);
    /* Several statements without arguments or results: schemas. */
    enum sql_status (*script)(struct sql *sql, const char *text);
    void (*close)(struct sql *sql);
};

struct sql_head {
    const struct sql_driver *driver;
    bool lost;               /* to be closed and opened again */
    bool silent;             /* lost as it said nothing for answer_ms */
    char why[SQL_WHY_BYTES]; /* of the last call that failed, no secrets */
    /*
     * The caller's to change, for a database that is elsewhere: the connection
     * is lost when nothing came or went for so long, an hour at first, and
     * soon after *stop is set while it waits; stop is borrowed, NULL = never.
     */
    int answer_ms;
    const atomic_bool *stop;
};

/* NULL with a line in why.  SQLite: one that writes, others only read. */
struct sql *sql_open_sqlite(const char *path, bool writes,
                            char why[SQL_WHY_BYTES]);
struct sql *sql_open_postgresql(const char *url, char why[SQL_WHY_BYTES]);

/*
 * What all connections to SQLite of this process keep of their files' pages,
 * as good as possible: what they need at once they take.
 */
void sql_limit_sqlite(size_t bytes);

#endif
