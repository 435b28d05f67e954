/* What is deleted, and how much there is. */
#include "api/run.h"
#include "server/store_inner.h"

#include <stdio.h>

enum { SLICE = 256, RUNS_AT_ONCE = 16 };

static const struct sql_statement delete_run = {
    "DELETE FROM runs WHERE id = $1 AND updated_ms < $2"
    " RETURNING number, bytes, sha256",
    NULL};

static const struct sql_statement add_trash = {
    "INSERT INTO trash(run, bytes) VALUES($1, $2)", NULL};

static const struct sql_statement lock_content = {
    "SELECT 1 FROM contents WHERE sha256 = $1",
    "SELECT 1 FROM contents WHERE sha256 = $1 FOR UPDATE"};

static const struct sql_statement delete_content = {
    "DELETE FROM contents WHERE sha256 = $1"
    " AND NOT EXISTS(SELECT 1 FROM datasets WHERE sha256 = $1)"
    " AND NOT EXISTS(SELECT 1 FROM runs WHERE sha256 = $1) RETURNING bytes",
    NULL};

/* Another replica sweeps another run. */
static const struct sql_statement get_trash = {
    "SELECT run, bytes FROM trash ORDER BY run LIMIT 1",
    "SELECT run, bytes FROM trash ORDER BY run LIMIT 1 FOR UPDATE SKIP LOCKED"};

static const struct sql_statement delete_images = {
    "DELETE FROM images WHERE run = $1 AND image IN (SELECT image FROM images"
    " WHERE run = $1 LIMIT $2) RETURNING run",
    NULL};

static const struct sql_statement delete_trash = {
    "DELETE FROM trash WHERE run = $1", NULL};

/*
 * Only a run that was opened before can have been left alone since: so the ids
 * do for an index, which nothing that is written has to keep up to date.
 */
static const struct sql_statement get_old = {
    "SELECT id FROM runs WHERE id < $1 AND updated_ms < $2 ORDER BY id"
    " LIMIT $3",
    NULL};

static const struct sql_statement sum = {
    "SELECT (SELECT COALESCE(SUM(bytes), 0) FROM runs)"
    " + (SELECT COALESCE(SUM(bytes), 0) FROM contents)"
    " + (SELECT COALESCE(SUM(bytes), 0) FROM trash)",
    "SELECT CAST((SELECT COALESCE(SUM(bytes), 0) FROM runs)"
    " + (SELECT COALESCE(SUM(bytes), 0) FROM contents)"
    " + (SELECT COALESCE(SUM(bytes), 0) FROM trash) AS BIGINT)"};

struct dropped {
    bool found;
    int64_t number, bytes;
    char sha256[SHA256_HEX_BYTES];
};

static int take_dropped(void *context, size_t set, const struct sql_value *c,
                        size_t n)
{
    struct dropped *d = context;
    (void)set;
    (void)n;
    *d = (struct dropped){true, c[0].integer, c[1].integer, ""};
    snprintf(d->sha256, sizeof(d->sha256), "%s", (const char *)c[2].bytes);
    return 0;
}

enum sql_status store_hold_content(struct store *s, const char *sha256,
                                   bool *found)
{
    struct sql_row row = {.found = false};
    enum sql_status rc =
        sql_run(s->writer.sql, &lock_content,
                (struct sql_value[]){sql_text(sha256)}, 1, sql_take_row, &row);
    *found = row.found;
    return rc;
}

/*
 * The content's row is locked first: who refers to it meanwhile has done so
 * before the second statement looks, or waits until it has gone.
 */
enum sql_status store_drop_content(struct store *s, const char *sha256)
{
    struct sql *sql = s->writer.sql;
    const struct sql_value arg = sql_text(sha256);
    struct sql_row row = {.found = false};
    bool found;
    enum sql_status rc = store_hold_content(s, sha256, &found);
    if (rc == SQL_OK)
        rc = sql_run(sql, &delete_content, &arg, 1, sql_take_row, &row);
    if (rc == SQL_OK && row.found)
        s->writer.group_bytes -= row.integer[0];
    return rc;
}

enum sql_status store_drop_run(struct store *s, const char *id,
                               int64_t before_ms, bool *found)
{
    struct sql *sql = s->writer.sql;
    struct dropped d = {.found = false};
    const struct sql_value which[] = {sql_text(id), sql_integer(before_ms)};
    enum sql_status rc = sql_run(sql, &delete_run, which, 2, take_dropped, &d);
    *found = d.found;
    if (rc != SQL_OK || !d.found)
        return rc;
    const struct sql_value args[] = {sql_integer(d.number),
                                     sql_integer(d.bytes)};
    rc = sql_run(sql, &add_trash, args, 2, NULL, NULL);
    s->writer.trash = true;
    s->writer.sweep_ms = 0;
    return rc == SQL_OK ? store_drop_content(s, d.sha256) : rc;
}

static int count_row(void *context, size_t set, const struct sql_value *c,
                     size_t n)
{
    (void)set;
    (void)c;
    (void)n;
    ++*(size_t *)context;
    return 0;
}

enum sql_status store_sweep(struct store *s, bool *more)
{
    struct sql *sql = s->writer.sql;
    struct sql_row run = {.found = false};
    size_t n = 0;
    enum sql_status rc = sql_run(sql, &get_trash, NULL, 0, sql_take_row, &run);
    *more = rc == SQL_OK && run.found;
    if (!*more)
        return rc;
    const struct sql_value args[] = {sql_integer(run.integer[0]),
                                     sql_integer(SLICE)};
    rc = sql_run(sql, &delete_images, args, 2, count_row, &n);
    if (rc != SQL_OK || n == SLICE)
        return rc;
    s->writer.group_bytes -= run.integer[1];
    return sql_run(sql, &delete_trash, args, 1, NULL, NULL);
}

struct old {
    size_t n;
    char id[RUNS_AT_ONCE][RUN_ID_BYTES];
};

static int take_id(void *context, size_t set, const struct sql_value *c,
                   size_t n)
{
    struct old *old = context;
    (void)set;
    (void)n;
    if (old->n < RUNS_AT_ONCE)
        snprintf(old->id[old->n++], RUN_ID_BYTES, "%s",
                 (const char *)c[0].bytes);
    return 0;
}

enum sql_status store_expire(struct store *s)
{
    struct old old = {.n = 0};
    bool found;
    int64_t before_ms = s->writer.now_ms - (int64_t)s->options.keep_ms;
    char first[RUN_ID_BYTES];
    run_id_first(first, before_ms);
    const struct sql_value args[] = {sql_text(first), sql_integer(before_ms),
                                     sql_integer(RUNS_AT_ONCE)};
    enum sql_status rc =
        sql_run(s->writer.sql, &get_old, args, 3, take_id, &old);
    for (size_t i = 0; i < old.n && rc == SQL_OK; i++)
        rc = store_drop_run(s, old.id[i], before_ms, &found);
    return rc;
}

enum sql_status store_sum(struct sql *sql, int64_t *bytes)
{
    struct sql_row row = {.found = false};
    enum sql_status rc = sql_run(sql, &sum, NULL, 0, sql_take_row, &row);
    if (rc == SQL_OK)
        *bytes = row.integer[0];
    return rc;
}
