/* Datasets: names of content. */
#include "server/store_inner.h"

#include <stdio.h>
#include <string.h>

#define SIZES "c.images, c.annotations, c.categories, c.bytes"
#define ROW                                                \
    "SELECT d.name, d.sha256, d.created_ms, d.updated_ms," \
    " " SIZES " FROM datasets d JOIN contents c ON c.sha256 = d.sha256"

static const struct sql_statement
    get = {ROW " WHERE d.name = $1", NULL},
    list = {ROW " WHERE d.name > $1 ORDER BY d.name LIMIT $2", NULL},
    get_content = {"SELECT content FROM contents WHERE sha256 = $1", NULL};

/* What a name stands for, and whether finalized runs were scored on that. */
static const struct sql_statement lock_name = {
    "SELECT sha256, created_ms, updated_ms, EXISTS(SELECT 1 FROM runs r WHERE"
    " r.sha256 = datasets.sha256 AND r.dataset = datasets.name AND"
    " r.finalized_ms > 0) FROM datasets WHERE name = $1",
    "SELECT sha256, created_ms, updated_ms, CAST(EXISTS(SELECT 1 FROM runs r "
    "WHERE"
    " r.sha256 = datasets.sha256 AND r.dataset = datasets.name AND"
    " r.finalized_ms > 0) AS INTEGER) FROM datasets WHERE name = $1"
    " FOR UPDATE"};

/* Another replica may have put the same content meanwhile. */
static const struct sql_statement add_content = {
    "INSERT INTO contents(sha256, images, annotations, categories, bytes,"
    " content) VALUES($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT(sha256) DO UPDATE SET bytes = excluded.bytes",
    NULL};

static const struct sql_statement add_name = {
    "INSERT INTO datasets(name, sha256, created_ms, updated_ms)"
    " VALUES($1, $2, $3, $3) ON CONFLICT(name) DO NOTHING RETURNING created_ms",
    NULL};

static const struct sql_statement change_name = {
    "UPDATE datasets SET sha256 = $2, updated_ms = $3 WHERE name = $1", NULL};

static const struct sql_statement delete_name = {
    "DELETE FROM datasets WHERE name = $1", NULL};

/* ---- writing ---- */

struct named {
    bool found, used;
    char sha256[SHA256_HEX_BYTES];
    int64_t created_ms, updated_ms;
};

static int take_name(void *context, size_t set, const struct sql_value *c,
                     size_t n)
{
    struct named *named = context;
    (void)set;
    named->found = true;
    snprintf(named->sha256, sizeof(named->sha256), "%s",
             c[0].bytes ? (const char *)c[0].bytes : "");
    named->created_ms = n > 1 ? c[1].integer : 0;
    named->updated_ms = n > 2 ? c[2].integer : 0;
    named->used = n > 3 && c[3].integer != 0;
    return 0;
}

struct put {
    struct store_write write;
    struct store_dataset *d;
    struct span content;
    const struct etag_condition *when;
    bool replace, created, same;
};

/* Sees to it that the content is there, and stays until the commit. */
static enum sql_status keep_content(struct store *s, struct put *put)
{
    const struct store_dataset *d = put->d;
    bool found = false;
    int64_t bytes = (int64_t)put->content.len;
    const struct sql_value args[] = {
        sql_text(d->sha256),
        sql_integer(d->images),
        sql_integer(d->annotations),
        sql_integer(d->categories),
        sql_integer(bytes),
        sql_blob(put->content.text, put->content.len)};
    enum sql_status rc = store_hold_content(s, d->sha256, &found);
    if (rc != SQL_OK || found)
        return rc;
    if (!store_has_room(s, &put->write, bytes)) {
        put->write.status = STORE_FULL;
        return SQL_OK;
    }
    s->writer.group_bytes += bytes;
    return sql_run(s->writer.sql, &add_content, args, 6, NULL, NULL);
}

static enum sql_status create(struct store *s, struct put *put)
{
    struct sql_row row = {.found = false};
    const struct sql_value args[] = {sql_text(put->d->name),
                                     sql_text(put->d->sha256),
                                     sql_integer(s->writer.now_ms)};
    enum sql_status rc = keep_content(s, put);
    if (rc != SQL_OK || put->write.status != STORE_OK)
        return rc;
    rc = sql_run(s->writer.sql, &add_name, args, 3, sql_take_row, &row);
    put->created = true;
    put->d->created_ms = put->d->updated_ms = s->writer.now_ms;
    /* somebody else has made it since: look again */
    return rc == SQL_OK && !row.found ? SQL_AGAIN : rc;
}

static enum sql_status replace(struct store *s, struct put *put,
                               const struct named *was)
{
    const struct sql_value args[] = {sql_text(put->d->name),
                                     sql_text(put->d->sha256),
                                     sql_integer(s->writer.now_ms)};
    enum sql_status rc = keep_content(s, put);
    if (rc != SQL_OK || put->write.status != STORE_OK)
        return rc;
    rc = sql_run(s->writer.sql, &change_name, args, 3, NULL, NULL);
    put->d->updated_ms = s->writer.now_ms;
    return rc == SQL_OK ? store_drop_content(s, was->sha256) : rc;
}

static enum sql_status find_name(struct store *s, const char *name,
                                 struct named *was)
{
    *was = (struct named){.found = false};
    return sql_run(s->writer.sql, &lock_name,
                   (struct sql_value[]){sql_text(name)}, 1, take_name, was);
}

/* Whether what is there now may be changed. */
static bool permits(const struct etag_condition *when, const struct named *was)
{
    char tag[ETAG_SHA256_BYTES];
    etag_of_sha256(was->sha256, tag);
    return etag_permits(when, was->found ? tag : NULL);
}

static enum sql_status apply_put(struct store *s, struct store_write *w)
{
    struct put *put = (struct put *)w;
    struct named was;
    put->created = put->same = false;
    enum sql_status rc = find_name(s, put->d->name, &was);
    if (rc != SQL_OK)
        return rc;
    if (!permits(put->when, &was)) {
        w->status = STORE_REFUSED;
        return SQL_OK;
    }
    if (!was.found)
        return create(s, put);
    put->d->created_ms = was.created_ms;
    put->d->updated_ms = was.updated_ms;
    put->same = strcmp(was.sha256, put->d->sha256) == 0;
    if (!put->same && was.used && !put->replace)
        w->status = STORE_CONFLICT;
    return put->same || w->status != STORE_OK ? SQL_OK : replace(s, put, &was);
}

enum store_status store_put_dataset(void *self, struct store_dataset *d,
                                    struct span content, bool replace,
                                    const struct etag_condition *when,
                                    bool *created, bool *same)
{
    struct put put = {.write = {.key = d->name, .apply = apply_put},
                      .d = d,
                      .content = content,
                      .when = when,
                      .replace = replace};
    d->bytes = (int64_t)content.len;
    enum store_status status = store_write(self, &put.write);
    *created = put.created;
    *same = put.same;
    return status;
}

struct delete
{
    struct store_write write;
    const struct etag_condition *when;
};

static enum sql_status apply_delete(struct store *s, struct store_write *w)
{
    const struct delete *delete = (const struct delete *)w;
    struct named was;
    enum sql_status rc = find_name(s, w->key, &was);
    if (rc != SQL_OK)
        return rc;
    if (!was.found)
        w->status = STORE_MISSING;
    else if (!permits(delete->when, &was))
        w->status = STORE_REFUSED;
    if (w->status != STORE_OK)
        return SQL_OK;
    rc = sql_run(s->writer.sql, &delete_name,
                 (struct sql_value[]){sql_text(w->key)}, 1, NULL, NULL);
    return rc == SQL_OK ? store_drop_content(s, was.sha256) : rc;
}

enum store_status store_delete_dataset(void *self, const char *name,
                                       const struct etag_condition *when)
{
    struct delete delete = {.write = {.key = name, .apply = apply_delete},
                            .when = when};
    return store_write(self, &delete.write);
}

/* ---- reading ---- */

static bool take_dataset(void *item, const struct sql_value *c,
                         struct arena *mem)
{
    struct store_dataset *d = item;
    *d = (struct store_dataset){.name = store_copy(&c[0], mem),
                                .sha256 = store_copy(&c[1], mem),
                                .created_ms = c[2].integer,
                                .updated_ms = c[3].integer,
                                .images = c[4].integer,
                                .annotations = c[5].integer,
                                .categories = c[6].integer,
                                .bytes = c[7].integer};
    return d->name && d->sha256;
}

enum store_status store_get_dataset(void *self, const char *name,
                                    struct store_dataset *d, struct arena *mem)
{
    const struct sql_value arg = sql_text(name);
    return store_read_item(self, &get, &arg, 1, take_dataset, d, mem);
}

enum store_status store_list_datasets(void *self, const struct store_page *page,
                                      struct store_dataset **d, size_t *n,
                                      struct arena *mem)
{
    struct store_items to = {.fill = take_dataset,
                             .item = arena_alloc(mem, page->limit, sizeof(**d)),
                             .size = sizeof(**d),
                             .n_max = page->limit,
                             .mem = mem};
    const struct sql_value args[] = {sql_text(page->after ? page->after : ""),
                                     sql_integer((int64_t)page->limit)};
    enum store_status status = store_read_items(self, &list, args, 2, &to);
    *d = to.item;
    *n = to.n;
    return status;
}

static bool take_content(void *item, const struct sql_value *c,
                         struct arena *mem)
{
    struct span *content = item;
    *content = (struct span){store_copy(&c[0], mem), c[0].n};
    return content->text;
}

enum store_status store_get_content(void *self, const char *sha256,
                                    struct span *content, struct arena *mem)
{
    const struct sql_value arg = sql_text(sha256);
    return store_read_item(self, &get_content, &arg, 1, take_content, content,
                           mem);
}
