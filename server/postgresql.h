/*
 * Where a PostgreSQL is, and how it is reached: what libpq looks up by itself
 * when it connects, done once while the daemon may still do it.
 */
#ifndef EVALD_SERVER_POSTGRESQL_H
#define EVALD_SERVER_POSTGRESQL_H

#include "server/sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { POSTGRESQL_HOSTS_MAX = 16, POSTGRESQL_FILES_MAX = 4 };

struct postgresql_place {
    /*
     * Says the same as the URL it was made from, with addresses in place of
     * names (all that a name has), and with what came from the environment,
     * a service file or a password file: to connect takes none of them, and
     * holds a password that belongs in no log.
     */
    char *url;
    uint16_t ports[POSTGRESQL_HOSTS_MAX + 1]; /* of TCP; 0 ends them */
    /* Certificates and keys, read at each connect; NULL ends them. */
    char *files[POSTGRESQL_FILES_MAX + 1];
};

/* Whether this names a PostgreSQL, and no file. */
bool postgresql_is(const char *where);

/* Writes a URL for people to see: *** in place of passwords. */
void postgresql_print(FILE *to, const char *url);

/*
 * Looks everything up; the database need not be there.  To be called before
 * any thread is started.  Returns -1 with a line in why.
 */
int postgresql_find(struct postgresql_place *place, const char *url,
                    char why[SQL_WHY_BYTES])
    __attribute__((warn_unused_result));
void postgresql_place_clear(struct postgresql_place *place);

/* What follows is for the driver. */
struct pg_conn;   /* PGconn */
struct pg_result; /* PGresult */

/* NULL with a line in why. */
struct pg_conn *postgresql_connect(const char *url, char why[SQL_WHY_BYTES]);

/* message as one line, without the connection's password. */
void postgresql_why(const struct pg_conn *conn, const char *message,
                    char why[SQL_WHY_BYTES]);

/* What an error means, by its SQLSTATE; NULL is one of libpq's own. */
enum sql_status postgresql_status(const char *state);

/* The type of an argument, 0 = whatever the statement makes of it. */
unsigned postgresql_type(enum sql_type type);

/*
 * A value in binary form, whose bytes are the result's.  -1 if it is of a type
 * that sql.h does not know.
 */
int postgresql_value(const struct pg_result *r, int row, int column,
                     struct sql_value *v);

#endif
