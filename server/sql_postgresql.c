/*
 * PostgreSQL behind sql.h, by libpq.  All waiting is done here, with a bound:
 * a database that answers no more is one that has gone.
 */
#include "server/sql.h"
#include "server/postgresql.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include <libpq-fe.h>

enum {
    STATEMENTS_MAX = 128,
    SETS_AT_ONCE = 256,        /* sent before answers are read */
    BYTES_AT_ONCE = 8 << 20,   /* likewise; a set may be larger */
    VALUE_BYTES_MAX = 1 << 29, /* PostgreSQL ends at a gigabyte */
    OPEN_MS = 3000,            /* without a byte, at first */
    ANSWER_MS = 3600 * 1000,   /* likewise, unless the caller says less */
    LOOK_MS = 100,             /* whether it is to stop */
    REST_BYTES_MAX = 1 << 20,  /* read and thrown away to keep a connection */
    NAME_BYTES = 16,
};

/* What was NULL in all sets when it was prepared has type 0, and stays so. */
struct prepared {
    const struct sql_statement *statement;
    Oid type[SQL_COLUMNS_MAX];
};

struct postgresql {
    struct sql_head head;
    PGconn *conn;
    size_t n_prepared;
    struct prepared prepared[STATEMENTS_MAX];
};

struct run {
    struct postgresql *p;
    const struct sql_value *args;
    size_t n_args, n_sets;
    sql_visit *visit;
    void *context;
    char name[NAME_BYTES];
    enum sql_status status; /* the first that is not OK */
    bool keeps;             /* the connection, whatever is left */
    size_t rest_bytes;      /* thrown away */
};

static struct postgresql *of(struct sql *sql)
{
    return (struct postgresql *)sql;
}

/* --- what went wrong ---------------------------------------------------- */

static enum sql_status lose(struct postgresql *p, const char *why)
{
    p->head.lost = true;
    if (why)
        snprintf(p->head.why, sizeof(p->head.why), "%s", why);
    return SQL_GONE;
}

static enum sql_status broken(struct postgresql *p, const char *why)
{
    snprintf(p->head.why, sizeof(p->head.why), "%s", why);
    return SQL_BROKEN;
}

/* Of what libpq says to the connection as such. */
static enum sql_status fail(struct postgresql *p)
{
    postgresql_why(p->conn, PQerrorMessage(p->conn), p->head.why);
    return PQstatus(p->conn) == CONNECTION_BAD ? lose(p, NULL) : SQL_BROKEN;
}

static enum sql_status fail_result(struct postgresql *p, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    enum sql_status status = postgresql_status(state);
    if (PQstatus(p->conn) == CONNECTION_BAD)
        status = SQL_GONE;
    postgresql_why(p->conn, text ? text : PQresultErrorMessage(r), p->head.why);
    return status == SQL_GONE ? lose(p, NULL) : status;
}

/* --- waiting ------------------------------------------------------------ */

/* Whether something came or went within the time. */
static bool wait_for_database(struct postgresql *p, bool writes)
{
    struct pollfd fd = {.fd = PQsocket(p->conn),
                        .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    int rc = 0;
    for (int left = p->head.answer_ms; rc == 0 && left > 0; left -= LOOK_MS) {
        rc = poll(&fd, 1, left < LOOK_MS ? left : LOOK_MS);
        if (rc < 0 && errno == EINTR)
            rc = 0;
        if (rc == 0 && p->head.stop && atomic_load(p->head.stop))
            break;
    }
    if (rc == 0) {
        p->head.silent = true;
        lose(p, "the database does not answer");
    }
    return rc > 0;
}

/*
 * The next result of what was sent, NULL at the end of a statement's and when
 * the connection is lost.  Where reading fails, libpq still makes a result of
 * what the database said before it went.
 */
static PGresult *next_result(struct postgresql *p)
{
    while (!p->head.lost && PQisBusy(p->conn)) {
        int left = PQflush(p->conn);
        if (left < 0 || (PQisBusy(p->conn) && !wait_for_database(p, left)) ||
            !PQconsumeInput(p->conn))
            break;
    }
    return p->head.lost ? NULL : PQgetResult(p->conn);
}

/* --- rows --------------------------------------------------------------- */

static enum sql_status visit_row(struct run *run, const PGresult *r, int row,
                                 size_t set)
{
    struct sql_value column[SQL_COLUMNS_MAX];
    int n = PQnfields(r);
    if (n > SQL_COLUMNS_MAX)
        return broken(run->p, "a result has too many columns");
    for (int i = 0; i < n; i++)
        if (postgresql_value(r, row, i, &column[i])) {
            snprintf(run->p->head.why, sizeof(run->p->head.why),
                     "column %d of a result is of type %u", i + 1,
                     PQftype(r, i));
            return SQL_BROKEN;
        }
    return run->visit(run->context, set, column, (size_t)n) ? SQL_STOPPED
                                                            : SQL_OK;
}

/*
 * What comes after the end is read and thrown away, as the connection is of
 * use only when nothing of it is left.  Where that is much, and no transaction
 * would go with it, the connection is given up.
 */
static void throw_away(struct run *run, const PGresult *r)
{
    run->rest_bytes += PQresultMemorySize(r);
    if (run->rest_bytes > REST_BYTES_MAX && !run->keeps)
        run->p->head.lost = true;
}

static void take_result(struct run *run, const PGresult *r, size_t set)
{
    ExecStatusType kind = PQresultStatus(r);
    if (run->status != SQL_OK) {
        throw_away(run, r);
    } else if (kind == PGRES_TUPLES_OK || kind == PGRES_SINGLE_TUPLE) {
        int n = run->visit ? PQntuples(r) : 0;
        for (int i = 0; i < n && run->status == SQL_OK; i++)
            run->status = visit_row(run, r, i, set);
    } else if (kind != PGRES_COMMAND_OK && kind != PGRES_EMPTY_QUERY) {
        run->status = fail_result(run->p, r);
    }
}

/* COMMIT of a transaction that has failed is no error, but undoes it. */
static void check_end(struct run *run, const PGresult *r,
                      const struct sql_statement *s)
{
    const char *text = s->postgresql ? s->postgresql : s->sqlite;
    if (run->status == SQL_OK && PQresultStatus(r) == PGRES_COMMAND_OK &&
        strcmp(PQcmdStatus((PGresult *)(uintptr_t)r), "ROLLBACK") == 0 &&
        strncmp(text, "ROLLBACK", 8) != 0) {
        run->status = SQL_AGAIN;
        snprintf(run->p->head.why, sizeof(run->p->head.why),
                 "the transaction was rolled back");
    }
}

/* --- statements --------------------------------------------------------- */

static Oid type_of(const struct run *run, size_t arg)
{
    for (size_t set = 0; set < run->n_sets; set++) {
        enum sql_type type = run->args[set * run->n_args + arg].type;
        if (type != SQL_NULL)
            return postgresql_type(type);
    }
    return 0;
}

/* One whose types are the run's, where the run has some. */
static bool fits(const struct prepared *prepared, const struct sql_statement *s,
                 const Oid *type, size_t n)
{
    if (prepared->statement != s)
        return false;
    for (size_t i = 0; i < n; i++)
        if (type[i] && type[i] != prepared->type[i])
            return false;
    return true;
}

static enum sql_status prepare(struct run *run, const struct sql_statement *s,
                               const Oid *type)
{
    struct postgresql *p = run->p;
    if (p->n_prepared == STATEMENTS_MAX)
        return broken(p, "too many statements");
    if (!PQsendPrepare(p->conn, run->name,
                       s->postgresql ? s->postgresql : s->sqlite,
                       (int)run->n_args, type))
        return fail(p);
    enum sql_status status = SQL_OK;
    for (PGresult *r; (r = next_result(p)); PQclear(r))
        if (status == SQL_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
            status = fail_result(p, r);
    if (p->head.lost)
        return SQL_GONE;
    if (status == SQL_OK) {
        struct prepared *new = &p->prepared[p->n_prepared++];
        new->statement = s;
        memcpy(new->type, type, run->n_args * sizeof(*type));
    }
    return status;
}

/* Names it by its place among what is prepared. */
static enum sql_status find(struct run *run, const struct sql_statement *s)
{
    const struct postgresql *p = run->p;
    Oid type[SQL_COLUMNS_MAX];
    size_t i = 0;
    for (size_t arg = 0; arg < run->n_args; arg++)
        type[arg] = type_of(run, arg);
    while (i < p->n_prepared && !fits(&p->prepared[i], s, type, run->n_args))
        i++;
    snprintf(run->name, sizeof(run->name), "s%zu", i);
    return i < p->n_prepared ? SQL_OK : prepare(run, s, type);
}

/* --- running ------------------------------------------------------------ */

static enum sql_status send_set(const struct run *run, size_t set)
{
    const struct sql_value *args = run->args + set * run->n_args;
    int64_t number[SQL_COLUMNS_MAX];
    const char *value[SQL_COLUMNS_MAX];
    int length[SQL_COLUMNS_MAX], binary[SQL_COLUMNS_MAX];
    for (size_t i = 0; i < run->n_args; i++) {
        binary[i] = 1;
        number[i] = (int64_t)htobe64((uint64_t)args[i].integer);
        value[i] = args[i].type == SQL_NULL      ? NULL
                   : args[i].type == SQL_INTEGER ? (const char *)&number[i]
                   : args[i].n                   ? args[i].bytes
                                                 : "";
        length[i] = args[i].type == SQL_INTEGER ? (int)sizeof(number[i])
                                                : (int)args[i].n;
    }
    return PQsendQueryPrepared(run->p->conn, run->name, (int)run->n_args, value,
                               length, binary, 1)
               ? SQL_OK
               : fail(run->p);
}

/* The bytes of a set; beyond SIZE_MAX if one value is beyond its bound. */
static size_t set_bytes(const struct run *run, size_t set)
{
    const struct sql_value *args = run->args + set * run->n_args;
    size_t sum = 0;
    for (size_t i = 0; i < run->n_args; i++)
        if (args[i].type == SQL_TEXT || args[i].type == SQL_BLOB) {
            if (args[i].n > VALUE_BYTES_MAX)
                return SIZE_MAX;
            sum += args[i].n;
        }
    return sum > VALUE_BYTES_MAX ? SIZE_MAX : sum;
}

static enum sql_status check_args(const struct run *run)
{
    if (run->n_args > SQL_COLUMNS_MAX)
        return broken(run->p, "a statement has too many arguments");
    for (size_t set = 0; set < run->n_sets; set++)
        if (set_bytes(run, set) == SIZE_MAX)
            return broken(run->p, "more than half a gigabyte in one row");
    return SQL_OK;
}

static void run_one(struct run *run, const struct sql_statement *s)
{
    PGconn *conn = run->p->conn;
    run->keeps = PQtransactionStatus(conn) == PQTRANS_INTRANS;
    run->status = send_set(run, 0);
    if (run->status != SQL_OK)
        return;
    if (run->visit)
        PQsetSingleRowMode(conn);
    for (PGresult *r; (r = next_result(run->p)); PQclear(r)) {
        take_result(run, r, 0);
        check_end(run, r, s);
    }
}

/* How many sets go together from this one on. */
static size_t sets_at_once(const struct run *run, size_t from)
{
    size_t n = 0, bytes = 0;
    while (n < SETS_AT_ONCE && from + n < run->n_sets &&
           (n == 0 || bytes < BYTES_AT_ONCE))
        bytes += set_bytes(run, from + n++);
    return n;
}

/* Of n sets, and of the synchronization behind them. */
static void take_sets(struct run *run, size_t from, size_t n)
{
    PGresult *r;
    for (size_t i = 0; i < n && !run->p->head.lost; i++)
        for (; (r = next_result(run->p)); PQclear(r))
            take_result(run, r, from + i);
    r = next_result(run->p);
    if (r && PQresultStatus(r) != PGRES_PIPELINE_SYNC)
        lose(run->p, "the database answers out of turn");
    PQclear(r);
}

/*
 * After a set that failed the database passes over the others, up to the
 * synchronization.
 */
static void run_many(struct run *run)
{
    PGconn *conn = run->p->conn;
    run->keeps = true;
    if (!PQenterPipelineMode(conn)) {
        run->status = fail(run->p);
        return;
    }
    for (size_t from = 0; from < run->n_sets && run->status == SQL_OK;) {
        size_t n = sets_at_once(run, from);
        for (size_t i = 0; i < n && run->status == SQL_OK; i++)
            run->status = send_set(run, from + i);
        if (run->status == SQL_OK && !PQpipelineSync(conn))
            run->status = fail(run->p);
        if (run->status == SQL_OK)
            take_sets(run, from, n);
        else
            lose(run->p, NULL);
        from += n;
    }
    if (!run->p->head.lost && !PQexitPipelineMode(conn))
        lose(run->p, "the database answers more than it was asked");
}

static enum sql_status postgresql_run(struct sql *sql,
                                      const struct sql_statement *s,
                                      const struct sql_value *args,
                                      size_t n_args, size_t n_sets,
                                      sql_visit *visit, void *context)
{
    struct run run = {.p = of(sql),
                      .args = args,
                      .n_args = n_args,
                      .n_sets = n_sets,
                      .visit = visit,
                      .context = context};
    if (run.p->head.lost)
        return SQL_GONE;
    if (n_sets == 0)
        return SQL_OK;
    run.status = check_args(&run);
    if (run.status == SQL_OK)
        run.status = find(&run, s);
    if (run.status != SQL_OK)
        return run.status;
    if (n_sets == 1)
        run_one(&run, s);
    else
        run_many(&run);
    return run.p->head.lost && run.status == SQL_OK ? SQL_GONE : run.status;
}

static enum sql_status run_text(struct postgresql *p, const char *text)
{
    struct run run = {.p = p};
    if (p->head.lost)
        return SQL_GONE;
    if (!PQsendQuery(run.p->conn, text))
        return fail(run.p);
    for (PGresult *r; (r = next_result(run.p)); PQclear(r))
        take_result(&run, r, 0);
    return run.p->head.lost && run.status == SQL_OK ? SQL_GONE : run.status;
}

static enum sql_status postgresql_script(struct sql *sql, const char *text)
{
    return run_text(of(sql), text);
}

static void postgresql_close(struct sql *sql)
{
    struct postgresql *p = of(sql);
    PQfinish(p->conn);
    free(p);
}

/* --- opening ------------------------------------------------------------ */

/*
 * What is acknowledged is on disk, whatever the database's owner has set for
 * others.  A daemon that has gone with a transaction open holds up the other
 * replicas for as long as the database believes in it.
 */
static const char session[] =
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off';"
    "SET default_transaction_isolation = 'read committed';"
    "SET lock_timeout = '10s';"
    "SET idle_in_transaction_session_timeout = '60s';"
    "SET tcp_keepalives_idle = 10;"
    "SET tcp_keepalives_interval = 3;"
    "SET tcp_keepalives_count = 3;"
    "SET tcp_user_timeout = 15000;";

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

struct sql *sql_open_postgresql(const char *url, char why[SQL_WHY_BYTES])
{
    static const struct sql_driver driver = {
        .name = "postgresql",
        .run = postgresql_run,
        .script = postgresql_script,
        .close = postgresql_close,
    };
    struct postgresql *p = calloc(1, sizeof(*p));
    if (!p) {
        snprintf(why, SQL_WHY_BYTES, "%s", strerror(errno));
        return NULL;
    }
    p->head.driver = &driver;
    p->head.answer_ms = OPEN_MS;
    p->conn = postgresql_connect(url, why);
    if (p->conn) {
        PQsetNoticeProcessor(p->conn, ignore_notice, NULL);
        if (PQsetnonblocking(p->conn, 1) == 0 &&
            run_text(p, session) == SQL_OK) {
            p->head.answer_ms = ANSWER_MS;
            return (struct sql *)p;
        }
        snprintf(why, SQL_WHY_BYTES, "%s", p->head.why);
    }
    postgresql_close((struct sql *)p);
    return NULL;
}
