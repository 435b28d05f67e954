/* Writes a store to a portable file. */
#include "server/store_portable.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

struct output {
    FILE *to;
    struct sha256_ctx sha256;
    const struct store_record *kind;
    int64_t *n;
};

static int put(struct output *out, const void *bytes, size_t n)
{
    sha256_update(&out->sha256, n, bytes);
    return fwrite(bytes, 1, n, out->to) == n ? 0 : -1;
}

static int put_column(struct output *out, const struct sql_value *c)
{
    static const char letters[] = {[SQL_NULL] = 'n',
                                   [SQL_INTEGER] = 'i',
                                   [SQL_TEXT] = 't',
                                   [SQL_BLOB] = 'b'};
    bool bytes = c->type == SQL_TEXT || c->type == SQL_BLOB;
    uint64_t number = c->type == SQL_INTEGER ? (uint64_t)c->integer
                      : bytes                ? c->n
                                             : 0;
    uint8_t head[9] = {(uint8_t)letters[c->type]};
    for (size_t i = 0; i < 8; i++)
        head[i + 1] = (uint8_t)(number >> (8 * i));
    if (put(out, head, sizeof(head)))
        return -1;
    return bytes && c->n ? put(out, c->bytes, c->n) : 0;
}

static int put_row(void *context, size_t set, const struct sql_value *c,
                   size_t n)
{
    struct output *out = context;
    (void)set;
    if (put(out, &out->kind->letter, 1))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_column(out, &c[i]))
            return -1;
    ++*out->n;
    return 0;
}

/* All of a kind, or those of a run. */
static enum sql_status put_kind(struct store *s, struct output *out,
                                enum store_kind kind, const char *run,
                                struct store_amounts *a)
{
    const struct sql_value arg = sql_text(run);
    out->kind = &store_records[kind];
    out->n = &a->n[kind];
    return sql_run(s->writer.sql, &out->kind->get, &arg, run ? 1 : 0, put_row,
                   out);
}

/* The ids of all runs, since one statement must end before the next. */
struct ids {
    char (*id)[RUN_ID_BYTES];
    size_t n, room;
};

static int take_id(void *context, size_t set, const struct sql_value *c,
                   size_t n)
{
    struct ids *ids = context;
    (void)set;
    (void)n;
    if (ids->n == ids->room) {
        size_t room = ids->room ? 2 * ids->room : 64;
        void *more = reallocarray(ids->id, room, sizeof(*ids->id));
        if (!more)
            return -1;
        ids->id = more;
        ids->room = room;
    }
    snprintf(ids->id[ids->n++], RUN_ID_BYTES, "%s", (const char *)c[0].bytes);
    return 0;
}

static enum sql_status put_runs(struct store *s, struct output *out,
                                struct store_amounts *a)
{
    static const struct sql_statement get_ids = {
        "SELECT id FROM runs ORDER BY id", NULL};
    struct ids ids = {.id = NULL};
    enum sql_status rc =
        sql_run(s->writer.sql, &get_ids, NULL, 0, take_id, &ids);
    for (size_t i = 0; i < ids.n && rc == SQL_OK; i++) {
        rc = put_kind(s, out, KIND_RUN, ids.id[i], a);
        if (rc == SQL_OK)
            rc = put_kind(s, out, KIND_IMAGE, ids.id[i], a);
    }
    free(ids.id);
    return rc;
}

static int put_end(struct output *out)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    const char letter = STORE_END;
    struct sha256_ctx whole = out->sha256;
    sha256_digest(&whole, sizeof(digest), digest);
    const struct sql_value column = sql_blob(digest, sizeof(digest));
    return put(out, &letter, 1) || put_column(out, &column) || fflush(out->to)
               ? -1
               : 0;
}

static enum sql_status put_all(struct store *s, struct output *out,
                               struct store_amounts *a)
{
    if (put(out, store_magic, strlen(store_magic)))
        return SQL_STOPPED;
    enum sql_status rc = put_kind(s, out, KIND_CONTENT, NULL, a);
    if (rc == SQL_OK)
        rc = put_kind(s, out, KIND_DATASET, NULL, a);
    if (rc == SQL_OK)
        rc = put_runs(s, out, a);
    return rc == SQL_OK && put_end(out) ? SQL_STOPPED : rc;
}

int store_export(struct store *s, FILE *to, struct store_amounts *a,
                 char why[STORE_WHY_BYTES])
{
    static const struct sql_statement
        begin = {"BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
        rollback = {"ROLLBACK", NULL};
    struct output out = {.to = to};
    struct sql *sql = s->writer.sql;
    *a = (struct store_amounts){.n = {0}};
    sha256_init(&out.sha256);
    enum sql_status rc = sql_run(sql, &begin, NULL, 0, NULL, NULL);
    if (rc == SQL_OK)
        rc = put_all(s, &out, a);
    if (rc == SQL_STOPPED)
        snprintf(why, STORE_WHY_BYTES, "cannot write: %s", strerror(errno));
    else if (rc != SQL_OK)
        snprintf(why, STORE_WHY_BYTES, "%.190s", sql_why(sql));
    sql_run(sql, &rollback, NULL, 0, NULL, NULL);
    return rc == SQL_OK ? 0 : -1;
}
