/* What is in a result of PostgreSQL's, and what its errors mean. */
#include "server/postgresql.h"

#include <string.h>

#include <libpq-fe.h>

/*
 * By the beginning of SQLSTATE, the first that fits.  A key that is there
 * already, or that is no longer, was put or taken by another transaction
 * after this one had looked.
 */
static const struct {
    const char *begin;
    enum sql_status status;
} states[] = {
    {"53100", SQL_FULL},  /* disk full */
    {"53", SQL_GONE},     /* too many connections, no memory */
    {"40", SQL_AGAIN},    /* serialization failure, deadlock */
    {"55P03", SQL_AGAIN}, /* lock_timeout */
    {"23503", SQL_AGAIN}, /* foreign key */
    {"23505", SQL_AGAIN}, /* unique */
    {"08", SQL_GONE},     /* connection */
    {"57", SQL_GONE},     /* shut down, starting, cancelled */
    {"25006", SQL_GONE},  /* a standby by now */
    {"25P03", SQL_GONE},  /* idle in a transaction for too long */
    {"26000", SQL_GONE},  /* its statements are forgotten */
    {"0A000", SQL_GONE},  /* a plan from before the tables changed */
};

enum sql_status postgresql_status(const char *state)
{
    for (size_t i = 0; state && i < sizeof(states) / sizeof(states[0]); i++)
        if (strncmp(state, states[i].begin, strlen(states[i].begin)) == 0)
            return states[i].status;
    return SQL_BROKEN;
}

/* Types by their numbers, which never change; the first is for arguments. */
static const struct {
    Oid oid;
    enum sql_type type;
} types[] = {
    {20, SQL_INTEGER}, /* int8 */
    {23, SQL_INTEGER}, /* int4 */
    {21, SQL_INTEGER}, /* int2 */
    {16, SQL_INTEGER}, /* bool */
    {25, SQL_TEXT},    /* text */
    {1043, SQL_TEXT},  /* varchar */
    {19, SQL_TEXT},    /* name */
    {17, SQL_BLOB},    /* bytea */
};

unsigned postgresql_type(enum sql_type type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type)
            return types[i].oid;
    return 0;
}

static int64_t integer_of(const char *at, size_t n)
{
    int64_t value = (signed char)at[0] < 0 ? -1 : 0;
    for (size_t i = 0; i < n; i++)
        value = (int64_t)((uint64_t)value << 8 | (unsigned char)at[i]);
    return value;
}

int postgresql_value(const struct pg_result *r, int row, int column,
                     struct sql_value *v)
{
    *v = (struct sql_value){.type = SQL_NULL};
    if (PQgetisnull(r, row, column))
        return 0;
    Oid oid = PQftype(r, column);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].oid == oid)
            v->type = types[i].type;
    const char *at = PQgetvalue(r, row, column);
    size_t n = (size_t)PQgetlength(r, row, column);
    if (v->type == SQL_NULL || (v->type == SQL_INTEGER && n > sizeof(int64_t)))
        return -1;
    if (v->type == SQL_INTEGER) {
        v->integer = integer_of(at, n);
    } else {
        v->bytes = at;
        v->n = n;
    }
    return 0;
}
