/* The tables, and how older ones become today's. */
#include "server/store_inner.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * Images know their run by a number, which is short and never given again.
 * They may stay for a while when their run has gone: trash says of which.
 */
static const char sqlite_1[] =
    "CREATE TABLE contents("
    " sha256 TEXT NOT NULL PRIMARY KEY,"
    " images INTEGER NOT NULL,"
    " annotations INTEGER NOT NULL,"
    " categories INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " content BLOB NOT NULL);"
    "CREATE TABLE datasets("
    " name TEXT NOT NULL PRIMARY KEY,"
    " sha256 TEXT NOT NULL REFERENCES contents(sha256),"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL);"
    "CREATE INDEX datasets_by_content ON datasets(sha256);"
    "CREATE TABLE runs("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"
    " images INTEGER NOT NULL DEFAULT 0,"
    " detections INTEGER NOT NULL DEFAULT 0,"
    " bytes INTEGER NOT NULL DEFAULT 0,"
    " seq INTEGER NOT NULL DEFAULT 0,"
    " replaced INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " finalized_ms INTEGER NOT NULL DEFAULT 0,"
    " expected_images INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL REFERENCES contents(sha256),"
    " dataset TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " protocol TEXT NOT NULL,"
    " parameters TEXT NOT NULL,"
    " tags TEXT NOT NULL,"
    " idempotency_key TEXT UNIQUE,"
    " request_digest TEXT,"
    " result TEXT);"
    "CREATE INDEX runs_by_content ON runs(sha256);"
    "CREATE INDEX runs_by_dataset ON runs(dataset, id);"
    "CREATE TABLE images("
    " run INTEGER NOT NULL,"
    " image INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " digest BLOB NOT NULL,"
    " detections INTEGER NOT NULL,"
    " part BLOB NOT NULL,"
    " UNIQUE (run, image));"
    "CREATE UNIQUE INDEX images_by_seq ON images(run, seq);"
    "CREATE TABLE trash("
    " run INTEGER PRIMARY KEY,"
    " bytes INTEGER NOT NULL);";

/*
 * "C" is the order of bytes, which SQLite has anyway.  No index of runs has a
 * column that images change as they come in: those cost no more for an index.
 */
static const char postgresql_1[] =
    "CREATE TABLE contents("
    " sha256 TEXT COLLATE \"C\" PRIMARY KEY,"
    " images BIGINT NOT NULL,"
    " annotations BIGINT NOT NULL,"
    " categories BIGINT NOT NULL,"
    " bytes BIGINT NOT NULL,"
    " content BYTEA NOT NULL);"
    "CREATE TABLE datasets("
    " name TEXT COLLATE \"C\" PRIMARY KEY,"
    " sha256 TEXT COLLATE \"C\" NOT NULL REFERENCES contents(sha256),"
    " created_ms BIGINT NOT NULL,"
    " updated_ms BIGINT NOT NULL);"
    "CREATE INDEX datasets_by_content ON datasets(sha256);"
    "CREATE TABLE runs("
    " number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " id TEXT COLLATE \"C\" NOT NULL UNIQUE,"
    " images BIGINT NOT NULL DEFAULT 0,"
    " detections BIGINT NOT NULL DEFAULT 0,"
    " bytes BIGINT NOT NULL DEFAULT 0,"
    " seq BIGINT NOT NULL DEFAULT 0,"
    " replaced BIGINT NOT NULL DEFAULT 0,"
    " created_ms BIGINT NOT NULL,"
    " updated_ms BIGINT NOT NULL,"
    " finalized_ms BIGINT NOT NULL DEFAULT 0,"
    " expected_images BIGINT NOT NULL,"
    " sha256 TEXT COLLATE \"C\" NOT NULL REFERENCES contents(sha256),"
    " dataset TEXT COLLATE \"C\" NOT NULL,"
    " name TEXT NOT NULL,"
    " protocol TEXT NOT NULL,"
    " parameters TEXT NOT NULL,"
    " tags TEXT NOT NULL,"
    " idempotency_key TEXT COLLATE \"C\" UNIQUE,"
    " request_digest TEXT,"
    " result TEXT);"
    "CREATE INDEX runs_by_content ON runs(sha256);"
    "CREATE INDEX runs_by_dataset ON runs(dataset, id);"
    "CREATE INDEX runs_by_tag ON runs USING gin((CAST(tags AS JSONB)));"
    "CREATE TABLE images("
    " run BIGINT NOT NULL,"
    " image BIGINT NOT NULL,"
    " seq BIGINT NOT NULL,"
    " digest BYTEA NOT NULL,"
    " detections BIGINT NOT NULL,"
    " part BYTEA NOT NULL,"
    " PRIMARY KEY (run, image));"
    /* parts are as small as they get: nothing is to try and compress them */
    "ALTER TABLE images ALTER COLUMN part SET STORAGE EXTERNAL;"
    "CREATE INDEX images_by_seq ON images(run, seq);"
    "CREATE TABLE trash("
    " run BIGINT PRIMARY KEY,"
    " bytes BIGINT NOT NULL);";

const struct store_migration store_migrations[] = {
    {sqlite_1, postgresql_1},
};
const size_t store_version =
    sizeof(store_migrations) / sizeof(store_migrations[0]);

/* Of all programs that open the store at once one goes on. */
static const struct sql_statement
    begin = {"BEGIN IMMEDIATE", "BEGIN"},
    alone = {"SELECT 1", "SELECT pg_advisory_xact_lock(1702256740)"},
    commit = {"COMMIT", NULL}, rollback = {"ROLLBACK", NULL};

static const char make_meta[] = "CREATE TABLE IF NOT EXISTS meta("
                                "key TEXT PRIMARY KEY, value TEXT NOT NULL)";

static const struct sql_statement get_version = {
    "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'version'",
    "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'version'"};
static const struct sql_statement set_version = {
    "INSERT INTO meta(key, value) VALUES('version', $1)"
    " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    NULL};

static enum sql_status step(struct sql *sql, const struct sql_statement *s)
{
    return sql_run(sql, s, NULL, 0, NULL, NULL);
}

static enum sql_status read_version(struct sql *sql, int64_t *version)
{
    struct sql_row row = {.found = false};
    enum sql_status rc =
        sql_run(sql, &get_version, NULL, 0, sql_take_row, &row);
    *version = row.found ? row.integer[0] : 0;
    return rc;
}

static enum sql_status write_version(struct sql *sql, size_t version)
{
    char text[24];
    snprintf(text, sizeof(text), "%zu", version);
    return sql_run(sql, &set_version, (struct sql_value[]){sql_text(text)}, 1,
                   NULL, NULL);
}

static int newer(int64_t version, size_t known, char why[STORE_WHY_BYTES])
{
    snprintf(why, STORE_WHY_BYTES,
             "the store has version %lld, this evald knows %zu: use a newer "
             "evald",
             (long long)version, known);
    return -1;
}

/* Within a transaction. */
static enum sql_status climb(struct sql *sql, const struct store_migration *m,
                             int64_t version, size_t n)
{
    bool sqlite = ((struct sql_head *)sql)->driver->name[0] == 's';
    enum sql_status rc = SQL_OK;
    for (size_t i = (size_t)version; i < n && rc == SQL_OK; i++)
        rc = ((struct sql_head *)sql)
                 ->driver->script(sql, sqlite ? m[i].sqlite : m[i].postgresql);
    return rc == SQL_OK ? write_version(sql, n) : rc;
}

static enum sql_status migrate(struct sql *sql, const struct store_migration *m,
                               size_t n, int64_t *version)
{
    enum sql_status rc = step(sql, &alone);
    if (rc == SQL_OK)
        rc = ((struct sql_head *)sql)->driver->script(sql, make_meta);
    if (rc == SQL_OK)
        rc = read_version(sql, version);
    if (rc == SQL_OK && *version >= 0 && (size_t)*version < n)
        rc = climb(sql, m, *version, n);
    return rc;
}

int store_migrate(struct sql *sql, const struct store_migration *m, size_t n,
                  char why[STORE_WHY_BYTES])
{
    int64_t version = 0;
    enum sql_status rc = step(sql, &begin);
    if (rc == SQL_OK)
        rc = migrate(sql, m, n, &version);
    if (rc == SQL_OK && (version < 0 || (size_t)version > n)) {
        step(sql, &rollback);
        return newer(version, n, why);
    }
    if (rc == SQL_OK)
        rc = step(sql, &commit);
    if (rc == SQL_OK)
        return 0;
    snprintf(why, STORE_WHY_BYTES, "%.150s", sql_why(sql));
    step(sql, &rollback);
    return -1;
}

int store_migrated(struct sql *sql, size_t n, char why[STORE_WHY_BYTES])
{
    int64_t version = 0;
    if (read_version(sql, &version) != SQL_OK) {
        snprintf(why, STORE_WHY_BYTES, "no store: %.150s", sql_why(sql));
        return -1;
    }
    if (version < 0 || (size_t)version > n)
        return newer(version, n, why);
    if ((size_t)version == n)
        return 0;
    snprintf(why, STORE_WHY_BYTES,
             "the store has version %lld, which is older than %zu: evald "
             "serve, or evald store vacuum, brings it up to date",
             (long long)version, n);
    return -1;
}
