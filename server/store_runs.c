/* Runs: their rows. */
#include "server/store_inner.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                       \
    "SELECT id, name, dataset, sha256, parameters, protocol, tags,"   \
    " expected_images, created_ms, updated_ms, finalized_ms, images," \
    " detections, bytes, seq, replaced, "

/* Answers are long: a list is without them. */
static const struct sql_statement get = {
    COLUMNS "result FROM runs WHERE id = $1", NULL};

/*
 * Each filter has a statement of its own, which uses the index for it.  What
 * is filtered by follows $3: a dataset, a tag's key, its value.
 */
#define LIST                                                              \
    COLUMNS "NULL FROM runs WHERE id < $1 AND (CAST($2 AS TEXT) IS NULL " \
            "OR (finalized_ms > 0) = ($2 = 'finalized'))"
#define PAGE " ORDER BY id DESC LIMIT $3"
#define OF_DATASET " AND dataset = $4"
#define EACH_TAG " AND EXISTS(SELECT 1 FROM json_each(tags) t WHERE t.key = "
#define HAS_KEY(k) EACH_TAG k ")", " AND CAST(tags AS JSONB) ? " k
#define HAS_TAG(k, v)                   \
    EACH_TAG k " AND t.value = " v ")", \
        " AND CAST(tags AS JSONB) @> jsonb_build_object(" k ", " v ")"
#define LISTS(dataset, tag) LISTS_OF(dataset, tag)
#define LISTS_OF(dataset, sqlite, postgresql)                  \
    {                                                          \
        LIST dataset sqlite PAGE, LIST dataset postgresql PAGE \
    }

static const struct sql_statement list[2][3] = {
    {LISTS_OF("", "", ""), LISTS("", HAS_KEY("$4")),
     LISTS("", HAS_TAG("$4", "$5"))},
    {LISTS_OF(OF_DATASET, "", ""), LISTS(OF_DATASET, HAS_KEY("$5")),
     LISTS(OF_DATASET, HAS_TAG("$5", "$6"))},
};

static const struct sql_statement by_key = {
    "SELECT id, request_digest FROM runs WHERE idempotency_key = $1", NULL};

static const struct sql_statement add = {
    "INSERT INTO runs(id, name, dataset, sha256, parameters, protocol, tags,"
    " expected_images, created_ms, updated_ms, idempotency_key, request_digest)"
    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)"
    " ON CONFLICT DO NOTHING RETURNING number",
    NULL};

static const struct sql_statement change = {
    "UPDATE runs SET name = COALESCE($2, name), tags = COALESCE($3, tags),"
    " updated_ms = $4 WHERE id = $1 AND tags = COALESCE($5, tags)"
    " RETURNING number",
    NULL};

static const struct sql_statement lock_run = {
    "SELECT finalized_ms, seq FROM runs WHERE id = $1",
    "SELECT finalized_ms, seq FROM runs WHERE id = $1 FOR UPDATE"};

static const struct sql_statement finalize = {
    "UPDATE runs SET finalized_ms = $2, updated_ms = $2, result = $3"
    " WHERE id = $1",
    NULL};

/* ---- reading ---- */

/* The texts of a row come first, in this order. */
static bool copy_texts(struct store_run *r, const struct sql_value *c,
                       struct arena *mem)
{
    const char **text[] = {&r->id,     &r->name,       &r->dataset,
                           &r->sha256, &r->parameters, &r->protocol,
                           &r->tags};
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
        if (!(*text[i] = store_copy(&c[i], mem)))
            return false;
    if (c[16].type == SQL_NULL)
        return true;
    r->result = store_copy(&c[16], mem);
    return r->result;
}

static bool take_run(void *item, const struct sql_value *c, struct arena *mem)
{
    struct store_run *r = item;
    *r = (struct store_run){.state = c[10].integer ? RUN_FINALIZED : RUN_OPEN,
                            .expected_images = c[7].integer,
                            .created_ms = c[8].integer,
                            .updated_ms = c[9].integer,
                            .finalized_ms = c[10].integer,
                            .images = c[11].integer,
                            .detections = c[12].integer,
                            .bytes = c[13].integer,
                            .seq = c[14].integer,
                            .replaced = c[15].integer};
    return copy_texts(r, c, mem);
}

enum store_status store_get_run(void *self, const char *id, struct store_run *r,
                                struct arena *mem)
{
    const struct sql_value arg = sql_text(id);
    return store_read_item(self, &get, &arg, 1, take_run, r, mem);
}

enum store_status store_list_runs(void *self, const struct store_run_filter *f,
                                  struct store_run **r, size_t *n,
                                  struct arena *mem)
{
    static const char behind_all[] = "~"; /* ids are digits and letters */
    struct store_items to = {.fill = take_run,
                             .item =
                                 arena_alloc(mem, f->page.limit, sizeof(**r)),
                             .size = sizeof(**r),
                             .n_max = f->page.limit,
                             .mem = mem};
    bool tagged = f->tag, valued = tagged && f->tag_value;
    struct sql_value args[6] = {
        sql_text(f->page.after ? f->page.after : behind_all),
        sql_text(f->state), sql_integer((int64_t)f->page.limit)};
    size_t n_args = 3;
    if (f->dataset)
        args[n_args++] = sql_text(f->dataset);
    if (tagged)
        args[n_args++] = sql_text(f->tag);
    if (valued)
        args[n_args++] = sql_text(f->tag_value);
    enum store_status status = store_read_items(
        self, &list[f->dataset != NULL][tagged + valued], args, n_args, &to);
    *r = to.item;
    *n = to.n;
    return status;
}

/* ---- writing ---- */

struct create {
    struct store_write write;
    const struct store_new_run *new;
    bool existed, same;
    char id[RUN_ID_BYTES]; /* of the one that was there */
};

static int take_existing(void *context, size_t set, const struct sql_value *c,
                         size_t n)
{
    struct create *create = context;
    const char *digest = create->new->request_digest;
    (void)set;
    (void)n;
    create->existed = true;
    create->same = c[1].bytes && digest && strcmp(c[1].bytes, digest) == 0;
    snprintf(create->id, sizeof(create->id), "%s", (const char *)c[0].bytes);
    return 0;
}

static enum sql_status find_existing(struct store *s, struct create *create)
{
    create->existed = false;
    if (!create->new->idempotency_key)
        return SQL_OK;
    return sql_run(s->writer.sql, &by_key,
                   (struct sql_value[]){sql_text(create->new->idempotency_key)},
                   1, take_existing, create);
}

static enum sql_status add_run(struct store *s, struct create *create)
{
    const struct store_run *r = &create->new->run;
    struct sql_row row = {.found = false};
    const struct sql_value args[] = {
        sql_text(r->id),
        sql_text(r->name ? r->name : ""),
        sql_text(r->dataset),
        sql_text(r->sha256),
        sql_text(r->parameters ? r->parameters : "{}"),
        sql_text(r->protocol ? r->protocol : ""),
        sql_text(r->tags ? r->tags : "{}"),
        sql_integer(r->expected_images),
        sql_integer(r->created_ms ? r->created_ms : s->writer.now_ms),
        sql_text(create->new->idempotency_key),
        sql_text(create->new->request_digest)};
    enum sql_status rc =
        sql_run(s->writer.sql, &add, args, 11, sql_take_row, &row);
    if (rc != SQL_OK || row.found)
        return rc;
    /* the key was taken by another replica since: look again */
    if (create->new->idempotency_key)
        return SQL_AGAIN;
    create->write.status = STORE_CONFLICT;
    return SQL_OK;
}

static enum sql_status apply_create(struct store *s, struct store_write *w)
{
    struct create *create = (struct create *)w;
    bool held = false;
    enum sql_status rc = find_existing(s, create);
    if (rc == SQL_OK && create->existed) {
        w->status = create->same ? STORE_OK : STORE_CONFLICT;
        return SQL_OK;
    }
    if (rc == SQL_OK)
        rc = store_hold_content(s, create->new->run.sha256, &held);
    if (rc == SQL_OK && !held) {
        w->status = STORE_MISSING;
        return SQL_OK;
    }
    return rc == SQL_OK ? add_run(s, create) : rc;
}

enum store_status store_create_run(void *self, const struct store_new_run *r,
                                   struct store_run *found, bool *existed,
                                   struct arena *mem)
{
    struct create create = {.write = {.key = r->run.id, .apply = apply_create},
                            .new = r};
    *existed = false;
    enum store_status status = store_write(self, &create.write);
    if (status != STORE_OK || !create.existed)
        return status;
    *existed = true;
    return store_get_run(self, create.id, found, mem);
}

struct update {
    struct store_write write;
    const char *name, *tags, *old_tags;
};

static enum sql_status apply_update(struct store *s, struct store_write *w)
{
    const struct update *update = (struct update *)w;
    struct sql_row row = {.found = false};
    const struct sql_value args[] = {
        sql_text(w->key), sql_text(update->name), sql_text(update->tags),
        sql_integer(s->writer.now_ms), sql_text(update->old_tags)};
    enum sql_status rc =
        sql_run(s->writer.sql, &change, args, 5, sql_take_row, &row);
    if (rc != SQL_OK || row.found)
        return rc;
    rc = sql_run(s->writer.sql, &lock_run, args, 1, sql_take_row, &row);
    w->status = row.found ? STORE_CONFLICT : STORE_MISSING;
    return rc;
}

enum store_status store_update_run(void *self, const char *id, const char *name,
                                   const char *tags, const char *old_tags)
{
    struct update update = {
        {.key = id, .apply = apply_update}, name, tags, old_tags};
    return store_write(self, &update.write);
}

static enum sql_status apply_delete(struct store *s, struct store_write *w)
{
    bool found = false;
    enum sql_status rc = store_drop_run(s, w->key, INT64_MAX, &found);
    w->status = found ? STORE_OK : STORE_MISSING;
    return rc;
}

enum store_status store_delete_run(void *self, const char *id)
{
    struct store_write w = {.key = id, .apply = apply_delete};
    return store_write(self, &w);
}

struct closing {
    struct store_write write;
    int64_t seq;
    const char *result;
};

static enum sql_status apply_finalize(struct store *s, struct store_write *w)
{
    const struct closing *closing = (struct closing *)w;
    struct sql_row row = {.found = false};
    const struct sql_value args[] = {sql_text(w->key),
                                     sql_integer(s->writer.now_ms),
                                     sql_text(closing->result)};
    enum sql_status rc =
        sql_run(s->writer.sql, &lock_run, args, 1, sql_take_row, &row);
    if (rc != SQL_OK)
        return rc;
    if (!row.found)
        w->status = STORE_MISSING;
    else if (row.integer[0])
        w->status = STORE_CLOSED;
    else if (row.integer[1] != closing->seq)
        w->status = STORE_CONFLICT;
    else
        rc = sql_run(s->writer.sql, &finalize, args, 3, NULL, NULL);
    return rc;
}

enum store_status store_finalize_run(void *self, const char *id, int64_t seq,
                                     const char *result)
{
    struct closing closing = {
        {.key = id, .apply = apply_finalize}, seq, result};
    return store_write(self, &closing.write);
}
