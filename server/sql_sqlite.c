/* SQLite behind sql.h. */
#include "server/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATEMENTS_MAX = 64, WAIT_MS = 5000 };

struct prepared {
    const struct sql_statement *text;
    sqlite3_stmt *statement;
    int argument[SQL_COLUMNS_MAX]; /* of parameter i + 1, from 0 */
};

struct sqlite {
    struct sql_head head;
    sqlite3 *db;
    size_t n_prepared;
    struct prepared prepared[STATEMENTS_MAX];
};

/*
 * What an image has beyond a page goes to pages of its own, which are full, so
 * that small pages leave least of them empty, whatever the images: at 100
 * detections an image 75 bytes per detection on disk, 106 with 8 or 16 KiB. The
 * writer checkpoints by itself, and keeps the log short; readers never write,
 * not even at their end.
 */
static const char writer_settings[] = "PRAGMA page_size = 4096;"
                                      "PRAGMA journal_mode = WAL;"
                                      "PRAGMA synchronous = FULL;"
                                      "PRAGMA foreign_keys = ON;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -32768;"
                                      "PRAGMA wal_autocheckpoint = 1000;"
                                      "PRAGMA journal_size_limit = 67108864;";

static const char reader_settings[] = "PRAGMA query_only = ON;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA mmap_size = 1073741824;";

/* Of what the system says, these mean that there is no room. */
static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static enum sql_status status_of(int rc, int error)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return SQL_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SQL_AGAIN;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return is_full(error) ? SQL_FULL : SQL_BROKEN;
    default:
        return SQL_BROKEN;
    }
}

static int error_of_log(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    int error = 0;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

/*
 * What the system said.  SQLite asks for it when it has gone on already, and
 * may get nothing; the files remember what was the matter with each.
 */
static int system_error(sqlite3 *db, int rc)
{
    int error = 0;
    if ((rc & 0xff) != SQLITE_IOERR && (rc & 0xff) != SQLITE_CANTOPEN)
        return 0;
    if (rc == SQLITE_IOERR_WRITE)
        error = error_of_log(db);
    if (error == 0)
        (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    return error ? error : sqlite3_system_errno(db);
}

static enum sql_status fail(struct sqlite *s, int rc)
{
    int error = system_error(s->db, rc);
    snprintf(s->head.why, SQL_WHY_BYTES, "%s%s%s", sqlite3_errmsg(s->db),
             error ? ": " : "", error ? strerror(error) : "");
    return status_of(rc, error);
}

/* SQLite numbers "$2" by where it stands first; arguments go by their number */
static bool number_arguments(struct prepared *p)
{
    int n = sqlite3_bind_parameter_count(p->statement);
    if (n > SQL_COLUMNS_MAX)
        return false;
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_bind_parameter_name(p->statement, i + 1);
        long number = name ? strtol(name + 1, NULL, 10) : 0;
        if (number < 1 || number > SQL_COLUMNS_MAX)
            return false;
        p->argument[i] = (int)number - 1;
    }
    return true;
}

static struct prepared *prepare(struct sqlite *s, const struct sql_statement *t)
{
    for (size_t i = 0; i < s->n_prepared; i++)
        if (s->prepared[i].text == t)
            return &s->prepared[i];
    if (s->n_prepared == STATEMENTS_MAX) {
        snprintf(s->head.why, SQL_WHY_BYTES, "too many statements");
        return NULL;
    }
    struct prepared *p = &s->prepared[s->n_prepared];
    p->text = t;
    if (sqlite3_prepare_v3(s->db, t->sqlite, -1, SQLITE_PREPARE_PERSISTENT,
                           &p->statement, NULL))
        return NULL;
    if (!number_arguments(p)) {
        sqlite3_finalize(p->statement);
        snprintf(s->head.why, SQL_WHY_BYTES, "arguments that have no number");
        return NULL;
    }
    s->n_prepared++;
    return p;
}

/* What is bound stays where it is until the statement is reset. */
static int bind_one(sqlite3_stmt *to, int i, const struct sql_value *v)
{
    const char *bytes = v->bytes ? v->bytes : "";
    switch (v->type) {
    case SQL_INTEGER:
        return sqlite3_bind_int64(to, i, v->integer);
    case SQL_TEXT:
        return sqlite3_bind_text64(to, i, bytes, v->n, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(to, i, bytes, v->n, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(to, i);
    }
}

static int bind_set(const struct prepared *p, const struct sql_value *args,
                    size_t n_args)
{
    int n = sqlite3_bind_parameter_count(p->statement), rc = SQLITE_OK;
    for (int i = 0; i < n && rc == SQLITE_OK; i++)
        rc = (size_t)p->argument[i] < n_args
                 ? bind_one(p->statement, i + 1, &args[p->argument[i]])
                 : SQLITE_RANGE;
    return rc;
}

static void read_column(sqlite3_stmt *from, int i, struct sql_value *v)
{
    *v = (struct sql_value){SQL_NULL, 0, NULL, 0};
    switch (sqlite3_column_type(from, i)) {
    case SQLITE_INTEGER:
        v->type = SQL_INTEGER;
        v->integer = sqlite3_column_int64(from, i);
        break;
    case SQLITE_TEXT:
        v->type = SQL_TEXT;
        v->bytes = sqlite3_column_text(from, i);
        v->n = (size_t)sqlite3_column_bytes(from, i);
        break;
    case SQLITE_BLOB:
        v->type = SQL_BLOB;
        v->bytes = sqlite3_column_blob(from, i);
        v->n = (size_t)sqlite3_column_bytes(from, i);
        break;
    default:
        break;
    }
}

/* Non-zero when the visitor ends it. */
static int visit_row(sqlite3_stmt *from, size_t set, sql_visit *visit,
                     void *context)
{
    struct sql_value column[SQL_COLUMNS_MAX];
    int n = sqlite3_column_count(from);
    if (!visit)
        return 0;
    if (n > SQL_COLUMNS_MAX)
        n = SQL_COLUMNS_MAX;
    for (int i = 0; i < n; i++)
        read_column(from, i, &column[i]);
    return visit(context, set, column, (size_t)n);
}

static enum sql_status run_set(struct sqlite *s, const struct prepared *p,
                               size_t set, sql_visit *visit, void *context)
{
    int rc;
    while ((rc = sqlite3_step(p->statement)) == SQLITE_ROW)
        if (visit_row(p->statement, set, visit, context))
            return SQL_STOPPED;
    return rc == SQLITE_DONE ? SQL_OK : fail(s, rc);
}

static enum sql_status run(struct sql *sql, const struct sql_statement *text,
                           const struct sql_value *args, size_t n_args,
                           size_t n_sets, sql_visit *visit, void *context)
{
    struct sqlite *s = (struct sqlite *)sql;
    enum sql_status status = SQL_OK;
    s->head.why[0] = '\0';
    struct prepared *p = prepare(s, text);
    if (!p)
        return s->head.why[0] ? SQL_BROKEN : fail(s, sqlite3_errcode(s->db));
    for (size_t i = 0; i < n_sets && status == SQL_OK; i++) {
        int rc = bind_set(p, args + i * n_args, n_args);
        status = rc ? fail(s, rc) : run_set(s, p, i, visit, context);
        sqlite3_reset(p->statement);
    }
    sqlite3_clear_bindings(p->statement);
    return status;
}

static enum sql_status script(struct sql *sql, const char *text)
{
    struct sqlite *s = (struct sqlite *)sql;
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc ? fail(s, rc) : SQL_OK;
}

static void close_all(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    for (size_t i = 0; i < s->n_prepared; i++)
        sqlite3_finalize(s->prepared[i].statement);
    sqlite3_close(s->db);
    free(s);
}

static const struct sql_driver driver = {
    .name = "sqlite",
    .run = run,
    .script = script,
    .close = close_all,
};

/*
 * A file of its owner alone; what SQLite puts beside it has the same mode.  One
 * that is there is not opened: closing it would release SQLite's locks on it.
 */
static int make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : -1;
    close(fd);
    return 0;
}

static int open_db(struct sqlite *s, const char *path, bool writes)
{
    int flags = SQLITE_OPEN_NOMUTEX |
                (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    if (rc)
        return rc;
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, WAIT_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !writes, NULL);
    return sqlite3_exec(s->db, writes ? writer_settings : reader_settings, NULL,
                        NULL, NULL);
}

struct sql *sql_open_sqlite(const char *path, bool writes,
                            char why[SQL_WHY_BYTES])
{
    if (writes && make_file(path)) {
        snprintf(why, SQL_WHY_BYTES, "%s", strerror(errno));
        return NULL;
    }
    struct sqlite *s = calloc(1, sizeof(*s));
    if (!s) {
        snprintf(why, SQL_WHY_BYTES, "no memory");
        return NULL;
    }
    s->head.driver = &driver;
    int rc = open_db(s, path, writes);
    if (rc == SQLITE_OK)
        return (struct sql *)s;
    fail(s, rc);
    snprintf(why, SQL_WHY_BYTES, "%s", s->head.why);
    close_all((struct sql *)s);
    return NULL;
}

void sql_limit_sqlite(size_t bytes)
{
    sqlite3_soft_heap_limit64((sqlite3_int64)bytes);
}
