/* Whether the store is sound, and how it becomes small. */
#include "server/store_inner.h"

#include <stdio.h>

/* Each gives a row with a text where something is wrong. */
static const struct sql_statement checks[] = {
    {"SELECT 'the file is damaged: ' || integrity_check"
     " FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'",
     "SELECT 'x' WHERE 1 = 0"},
    {"SELECT 'no content of dataset ' || name FROM datasets WHERE sha256"
     " NOT IN (SELECT sha256 FROM contents) LIMIT 1",
     NULL},
    {"SELECT 'no content of run ' || id FROM runs WHERE sha256"
     " NOT IN (SELECT sha256 FROM contents) LIMIT 1",
     NULL},
    {"SELECT 'content that nobody uses: ' || sha256 FROM contents WHERE"
     " sha256 NOT IN (SELECT sha256 FROM runs) AND"
     " sha256 NOT IN (SELECT sha256 FROM datasets) LIMIT 1",
     NULL},
    {"SELECT 'other images than are counted in run ' || id FROM runs WHERE"
     " (images, detections, bytes) <> (SELECT COUNT(*),"
     " COALESCE(SUM(i.detections), 0), COALESCE(SUM(LENGTH(i.part)), 0)"
     " FROM images i WHERE i.run = runs.number) LIMIT 1",
     NULL},
    {"SELECT 'numbers of images that cannot be in run ' || id FROM runs WHERE"
     " seq <> images + replaced OR seq <"
     " (SELECT COALESCE(MAX(i.seq), 0) FROM images i WHERE i.run = number)"
     " LIMIT 1",
     NULL},
    {"SELECT 'images of no run' FROM images WHERE"
     " run NOT IN (SELECT number FROM runs) AND"
     " run NOT IN (SELECT run FROM trash) LIMIT 1",
     NULL},
};

static int take_fault(void *context, size_t set, const struct sql_value *c,
                      size_t n)
{
    (void)set;
    (void)n;
    snprintf(context, STORE_WHY_BYTES, "%.*s", STORE_WHY_BYTES - 1,
             (const char *)c[0].bytes);
    return 0;
}

int store_check(struct store *s, char why[STORE_WHY_BYTES])
{
    why[0] = '\0';
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (store_read(s, &checks[i], NULL, 0, take_fault, why) != STORE_OK)
            snprintf(why, STORE_WHY_BYTES, "%s", store_said());
        if (*why)
            return -1;
    }
    return 0;
}

/* What lies about of runs that have gone, in one transaction. */
static enum sql_status sweep_all(struct store *s)
{
    static const struct sql_statement begin = {"BEGIN IMMEDIATE", "BEGIN"},
                                      commit = {"COMMIT", NULL};
    struct sql *sql = s->writer.sql;
    bool more = true;
    enum sql_status rc = sql_run(sql, &begin, NULL, 0, NULL, NULL);
    while (rc == SQL_OK && more)
        rc = store_sweep(s, &more);
    return rc == SQL_OK ? sql_run(sql, &commit, NULL, 0, NULL, NULL) : rc;
}

int store_vacuum(struct store *s, char why[STORE_WHY_BYTES])
{
    struct sql *sql = s->writer.sql;
    const struct sql_driver *driver = ((struct sql_head *)sql)->driver;
    enum sql_status rc = sweep_all(s);
    /* a copy of the file is made where files are, not in memory */
    if (rc == SQL_OK)
        rc = driver->script(
            sql, postgresql_is(s->options.where)
                     ? "VACUUM ANALYZE meta, contents, datasets, runs, images,"
                       " trash"
                     : "PRAGMA temp_store = FILE; VACUUM;"
                       "PRAGMA wal_checkpoint(TRUNCATE);");
    if (rc == SQL_OK)
        return 0;
    snprintf(why, STORE_WHY_BYTES, "%.190s", sql_why(sql));
    return -1;
}
