/* Statements, and the connections that read. */
#include "server/store_inner.h"

#include "server/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ATTEMPTS = 3,
    AGAIN_MS = 10 * 1000, /* no attempt begins later */
    ANSWER_MS = 30 * 1000 /* of a database that is there */
};

const char store_away[] = "the database cannot be reached";

static _Thread_local char said[STORE_WHY_BYTES];

void store_say(const char *why)
{
    snprintf(said, sizeof(said), "%.*s", STORE_WHY_BYTES - 1, why);
}

const char *store_said(void)
{
    return said;
}

enum store_status store_status_of(enum sql_status status)
{
    static const enum store_status of[] = {
        [SQL_OK] = STORE_OK,           [SQL_FULL] = STORE_FULL,
        [SQL_GONE] = STORE_GONE,       [SQL_AGAIN] = STORE_GONE,
        [SQL_STOPPED] = STORE_STOPPED, [SQL_BROKEN] = STORE_BROKEN,
    };
    return of[status];
}

struct sql_value sql_integer(int64_t i)
{
    return (struct sql_value){SQL_INTEGER, i, NULL, 0};
}

struct sql_value sql_text(const char *text)
{
    return text ? (struct sql_value){SQL_TEXT, 0, text, strlen(text)}
                : (struct sql_value){SQL_NULL, 0, NULL, 0};
}

struct sql_value sql_blob(const void *bytes, size_t n)
{
    return (struct sql_value){SQL_BLOB, 0, bytes, n};
}

enum sql_status sql_run(struct sql *sql, const struct sql_statement *s,
                        const struct sql_value *args, size_t n_args,
                        sql_visit *visit, void *context)
{
    const struct sql_head *head = (const struct sql_head *)sql;
    return head->driver->run(sql, s, args, n_args, 1, visit, context);
}

const char *sql_why(const struct sql *sql)
{
    return ((const struct sql_head *)sql)->why;
}

int sql_take_row(void *context, size_t set, const struct sql_value *column,
                 size_t n_columns)
{
    struct sql_row *row = context;
    (void)set;
    row->found = true;
    for (size_t i = 0; i < n_columns && i < 8; i++)
        row->integer[i] = column[i].integer;
    return 0;
}

const char *store_copy(const struct sql_value *text, struct arena *mem)
{
    char *copy = arena_alloc(mem, text->n + 1, 1);
    if (copy) {
        memcpy(copy, text->n ? text->bytes : "", text->n);
        copy[text->n] = '\0';
    }
    return copy;
}

struct sql *store_connect(const char *where, bool writes,
                          char why[SQL_WHY_BYTES])
{
    return postgresql_is(where) ? sql_open_postgresql(where, why)
                                : sql_open_sqlite(where, writes, why);
}

void sql_limit(struct sql *sql, int answer_ms, const atomic_bool *stop)
{
    struct sql_head *head = (struct sql_head *)sql;
    head->answer_ms = answer_ms;
    head->stop = stop;
}

void store_limit(struct store *s, struct sql *sql)
{
    sql_limit(sql, ANSWER_MS, &s->pulse.away);
}

struct sql *store_reconnect(struct store *s, bool writes,
                            char why[SQL_WHY_BYTES])
{
    struct sql *sql = store_connect(s->options.where, writes, why);
    if (sql && s->pulse.started)
        store_limit(s, sql);
    return sql;
}

void store_readers_init(struct store_readers *r, size_t n)
{
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->idle, NULL);
    r->n = n < 1 ? 1 : n > READERS_MAX ? READERS_MAX : n;
    r->n_idle = r->n;
}

static void disconnect(struct sql *sql)
{
    if (sql)
        ((struct sql_head *)sql)->driver->close(sql);
}

void store_readers_close(struct store_readers *r)
{
    for (size_t i = 0; i < r->n_idle; i++)
        disconnect(r->connection[i]);
    pthread_cond_destroy(&r->idle);
    pthread_mutex_destroy(&r->mutex);
}

/* The one that was used last, whose pages are known. */
static struct sql *take(struct store_readers *r)
{
    pthread_mutex_lock(&r->mutex);
    while (r->n_idle == 0)
        pthread_cond_wait(&r->idle, &r->mutex);
    struct sql *sql = r->connection[--r->n_idle];
    r->connection[r->n_idle] = NULL;
    pthread_mutex_unlock(&r->mutex);
    return sql;
}

/*
 * Those that have no connection yet lie below those that have one, so that
 * there are no more than are used at once.
 */
static void give_back(struct store_readers *r, struct sql *sql)
{
    pthread_mutex_lock(&r->mutex);
    if (sql) {
        r->connection[r->n_idle++] = sql;
    } else {
        memmove(r->connection + 1, r->connection,
                r->n_idle * sizeof(struct sql *));
        r->connection[0] = NULL;
        r->n_idle++;
    }
    pthread_cond_signal(&r->idle);
    pthread_mutex_unlock(&r->mutex);
}

/* A visitor that remembers whether it was called. */
struct visits {
    sql_visit *visit;
    void *context;
    bool any;
};

static int count_visit(void *context, size_t set,
                       const struct sql_value *column, size_t n_columns)
{
    struct visits *v = context;
    v->any = true;
    return v->visit(v->context, set, column, n_columns);
}

/* One attempt; connects if need be, and is of no use if it is away. */
static enum sql_status attempt(struct store *s, struct sql **sql,
                               const struct sql_statement *text,
                               const struct sql_value *args, size_t n_args,
                               struct visits *v)
{
    char why[SQL_WHY_BYTES];
    if (store_is_away(s)) {
        store_say(store_away);
        return SQL_GONE;
    }
    if (!*sql && !(*sql = store_reconnect(s, false, why))) {
        store_say(why);
        return SQL_GONE;
    }
    enum sql_status rc = sql_run(*sql, text, args, n_args, count_visit, v);
    if (rc != SQL_OK)
        store_say(sql_why(*sql));
    if (((struct sql_head *)*sql)->lost) {
        disconnect(*sql);
        *sql = NULL;
    }
    return rc;
}

enum store_status store_read(struct store *s, const struct sql_statement *text,
                             const struct sql_value *args, size_t n_args,
                             sql_visit *visit, void *context)
{
    struct visits v = {visit, context, false};
    struct sql *sql = take(&s->readers);
    enum sql_status rc = SQL_GONE;
    int64_t begun = store_monotonic_ms();
    for (size_t i = 0; i < ATTEMPTS; i++) {
        bool fresh = !sql;
        rc = attempt(s, &sql, text, args, n_args, &v);
        if (v.any || (rc != SQL_AGAIN && (rc != SQL_GONE || fresh)) ||
            store_monotonic_ms() > begun + AGAIN_MS)
            break;
    }
    give_back(&s->readers, sql);
    if (rc == SQL_GONE) {
        if (!store_is_away(s))
            log_warning("store: cannot read: %s", store_said());
        store_pulse_ask(s);
    }
    return store_status_of(rc);
}

static int take_item(void *context, size_t set, const struct sql_value *column,
                     size_t n_columns)
{
    struct store_items *to = context;
    (void)set;
    (void)n_columns;
    if (to->n == to->n_max ||
        !to->fill((char *)to->item + to->n * to->size, column, to->mem))
        return -1;
    to->n++;
    return 0;
}

enum store_status store_read_items(struct store *s,
                                   const struct sql_statement *text,
                                   const struct sql_value *args, size_t n_args,
                                   struct store_items *to)
{
    if (!to->item)
        return STORE_MEMORY;
    enum store_status status = store_read(s, text, args, n_args, take_item, to);
    return status == STORE_STOPPED ? STORE_MEMORY : status;
}

enum store_status store_read_item(struct store *s,
                                  const struct sql_statement *text,
                                  const struct sql_value *args, size_t n_args,
                                  store_fill *fill, void *item,
                                  struct arena *mem)
{
    struct store_items to = {fill, item, 0, 1, 0, mem};
    enum store_status status = store_read_items(s, text, args, n_args, &to);
    return status == STORE_OK && to.n == 0 ? STORE_MISSING : status;
}
