/* Images of runs: in in batches, out one by one. */
#include "server/store_inner.h"

#include <stdio.h>
#include <string.h>

enum { SET = 6 }; /* arguments of one image that is written */

static const struct sql_statement lock_run = {
    "SELECT number, finalized_ms, seq, images, detections, bytes, replaced"
    " FROM runs WHERE id = $1",
    "SELECT number, finalized_ms, seq, images, detections, bytes, replaced"
    " FROM runs WHERE id = $1 FOR UPDATE"};

static const struct sql_statement look = {
    "SELECT digest, detections, length(part) FROM images"
    " WHERE run = $1 AND image = $2",
    NULL};

static const struct sql_statement add = {
    "INSERT INTO images(run, image, seq, digest, detections, part)"
    " VALUES($1, $2, $3, $4, $5, $6)",
    NULL};

static const struct sql_statement change = {
    "UPDATE images SET seq = $3, digest = $4, detections = $5, part = $6"
    " WHERE run = $1 AND image = $2",
    NULL};

static const struct sql_statement count = {
    "UPDATE runs SET seq = $2, images = $3, detections = $4, bytes = $5,"
    " replaced = $6, updated_ms = $7 WHERE number = $1",
    NULL};

/* What is there under the id of an image that comes. */
struct held {
    bool found, same;
    int64_t detections, bytes;
};

struct put {
    struct store_write write;
    const char *run;
    const struct store_image *image;
    size_t n;
    bool replace;
    enum store_image_fate *fate;
    struct held *held;       /* n */
    struct sql_value *looks; /* n sets of 2 */
    struct sql_value *sets; /* n sets: added from the front, replaced at the end
                             */
};

/* A run's row, as it was and as it becomes. */
struct totals {
    int64_t number, finalized_ms, seq, images, detections, bytes, replaced;
};

static int take_totals(void *context, size_t set, const struct sql_value *c,
                       size_t n)
{
    struct totals *t = context;
    (void)set;
    (void)n;
    *t = (struct totals){c[0].integer, c[1].integer, c[2].integer, c[3].integer,
                         c[4].integer, c[5].integer, c[6].integer};
    return 0;
}

static int take_held(void *context, size_t set, const struct sql_value *c,
                     size_t n)
{
    const struct put *put = context;
    (void)n;
    put->held[set] =
        (struct held){.found = true,
                      .same = c[0].n == IMAGE_DIGEST_BYTES &&
                              memcmp(c[0].bytes, put->image[set].digest,
                                     IMAGE_DIGEST_BYTES) == 0,
                      .detections = c[1].integer,
                      .bytes = c[2].integer};
    return 0;
}

static enum sql_status look_up(struct store *s, struct put *put, int64_t run)
{
    struct sql *sql = s->writer.sql;
    for (size_t i = 0; i < put->n; i++) {
        put->looks[2 * i] = sql_integer(run);
        put->looks[2 * i + 1] = sql_integer(put->image[i].image);
        put->held[i] = (struct held){.found = false};
    }
    return ((struct sql_head *)sql)
        ->driver->run(sql, &look, put->looks, 2, put->n, take_held, put);
}

static enum store_image_fate fate_of(const struct held *h, bool replace)
{
    if (!h->found)
        return IMAGE_ADDED;
    if (h->same)
        return IMAGE_REPEATED;
    return replace ? IMAGE_REPLACED : IMAGE_CONFLICT;
}

/* What becomes of each, and whether all of it may. */
static enum store_status decide(struct put *put, bool finalized)
{
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < put->n; i++) {
        put->fate[i] = fate_of(&put->held[i], put->replace);
        if (finalized && put->fate[i] != IMAGE_REPEATED)
            status = STORE_CLOSED;
        else if (status == STORE_OK && put->fate[i] == IMAGE_CONFLICT)
            status = STORE_CONFLICT;
    }
    return status;
}

static void fill_set(struct sql_value *set, int64_t run, int64_t seq,
                     const struct store_image *image)
{
    set[0] = sql_integer(run);
    set[1] = sql_integer(image->image);
    set[2] = sql_integer(seq);
    set[3] = sql_blob(image->digest, IMAGE_DIGEST_BYTES);
    set[4] = sql_integer(image->detections);
    set[5] = sql_blob(image->part.text, image->part.len);
}

/* Numbers what is written, in the order of the batch, and sums it up. */
static void arrange(struct put *put, struct totals *t, size_t *added,
                    size_t *replaced)
{
    *added = *replaced = 0;
    for (size_t i = 0; i < put->n; i++) {
        const struct store_image *image = &put->image[i];
        if (put->fate[i] == IMAGE_REPEATED)
            continue;
        size_t at =
            put->fate[i] == IMAGE_ADDED ? (*added)++ : put->n - ++*replaced;
        fill_set(put->sets + at * SET, t->number, ++t->seq, image);
        t->detections += image->detections - put->held[i].detections;
        t->bytes += (int64_t)image->part.len - put->held[i].bytes;
    }
    t->images += (int64_t)*added;
    t->replaced += (int64_t)*replaced;
}

static bool has_room(const struct store *s, struct put *put,
                     const struct totals *was, const struct totals *now)
{
    int64_t most = (int64_t)s->options.run_bytes_max;
    if (now->bytes <= was->bytes)
        return true;
    if (most == 0 || now->bytes <= most)
        return store_has_room(s, &put->write, now->bytes - was->bytes);
    snprintf(put->write.why, STORE_WHY_BYTES,
             "the run holds %lld bytes, and %lld more are beyond --run-max",
             (long long)was->bytes, (long long)(now->bytes - was->bytes));
    return false;
}

static enum sql_status write_totals(struct store *s, const struct totals *t)
{
    const struct sql_value args[] = {
        sql_integer(t->number),       sql_integer(t->seq),
        sql_integer(t->images),       sql_integer(t->detections),
        sql_integer(t->bytes),        sql_integer(t->replaced),
        sql_integer(s->writer.now_ms)};
    return sql_run(s->writer.sql, &count, args, 7, NULL, NULL);
}

static enum sql_status write_images(struct store *s, struct put *put,
                                    const struct totals *was)
{
    struct totals now = *was;
    struct sql *sql = s->writer.sql;
    const struct sql_driver *driver = ((struct sql_head *)sql)->driver;
    size_t added, replaced;
    arrange(put, &now, &added, &replaced);
    if (added + replaced == 0)
        return write_totals(s, &now); /* it is still in use */
    if (!has_room(s, put, was, &now)) {
        put->write.status = STORE_FULL;
        return SQL_OK;
    }
    enum sql_status rc =
        driver->run(sql, &add, put->sets, SET, added, NULL, NULL);
    if (rc == SQL_OK)
        rc = driver->run(sql, &change, put->sets + (put->n - replaced) * SET,
                         SET, replaced, NULL, NULL);
    if (rc == SQL_OK)
        rc = write_totals(s, &now);
    s->writer.group_bytes += now.bytes - was->bytes;
    return rc;
}

static enum sql_status apply_put(struct store *s, struct store_write *w)
{
    struct put *put = (struct put *)w;
    struct totals was = {.number = -1};
    enum sql_status rc =
        sql_run(s->writer.sql, &lock_run,
                (struct sql_value[]){sql_text(put->run)}, 1, take_totals, &was);
    if (rc == SQL_OK && was.number < 0) {
        w->status = STORE_MISSING;
        return SQL_OK;
    }
    if (rc == SQL_OK)
        rc = look_up(s, put, was.number);
    if (rc != SQL_OK)
        return rc;
    w->status = decide(put, was.finalized_ms > 0);
    return w->status == STORE_OK ? write_images(s, put, &was) : SQL_OK;
}

enum store_status store_put_images(void *self, const char *run,
                                   const struct store_image *image, size_t n,
                                   bool replace, enum store_image_fate *fate,
                                   struct arena *mem)
{
    struct put put = {.write = {.key = run, .apply = apply_put},
                      .run = run,
                      .image = image,
                      .n = n,
                      .replace = replace,
                      .held = arena_alloc(mem, n, sizeof(struct held)),
                      .looks = arena_alloc(mem, n, 2 * sizeof(*put.looks)),
                      .sets = arena_alloc(mem, n, SET * sizeof(*put.sets))};
    put.fate = fate;
    if (!put.held || !put.looks || !put.sets)
        return STORE_MEMORY;
    return store_write(self, &put.write);
}

/* ---- reading ---- */

#define IMAGE "SELECT i.image, i.seq, i.digest, i.detections, i.part"
#define OF_RUN " FROM runs r JOIN images i ON i.run = r.number WHERE r.id = $1"

static const struct sql_statement
    each_by_seq = {IMAGE OF_RUN " AND i.seq > $2 ORDER BY i.seq", NULL},
    each_by_image = {IMAGE OF_RUN " AND i.seq > $2 ORDER BY i.image", NULL},
    get = {IMAGE OF_RUN " AND i.image = $2", NULL},
    exists = {"SELECT number FROM runs WHERE id = $1", NULL};

static void to_image(const struct sql_value *c, struct store_image *image)
{
    *image = (struct store_image){.image = c[0].integer,
                                  .seq = c[1].integer,
                                  .detections = (uint32_t)c[3].integer,
                                  .part = {c[4].bytes, c[4].n}};
    if (c[2].n == IMAGE_DIGEST_BYTES)
        memcpy(image->digest, c[2].bytes, IMAGE_DIGEST_BYTES);
}

struct visitor {
    store_image_visit *visit;
    void *context;
    bool any;
};

static int visit_image(void *context, size_t set, const struct sql_value *c,
                       size_t n)
{
    struct visitor *v = context;
    struct store_image image;
    (void)set;
    (void)n;
    v->any = true;
    to_image(c, &image);
    return v->visit(v->context, &image);
}

/* A run without such images, or no run? */
static enum store_status without_images(struct store *s, const char *run)
{
    struct sql_row row = {.found = false};
    enum store_status status = store_read(
        s, &exists, (struct sql_value[]){sql_text(run)}, 1, sql_take_row, &row);
    return status == STORE_OK && !row.found ? STORE_MISSING : status;
}

enum store_status store_each_image(void *self, const char *run,
                                   int64_t after_seq, bool by_image,
                                   store_image_visit *visit, void *context)
{
    struct visitor v = {visit, context, false};
    const struct sql_value args[] = {sql_text(run), sql_integer(after_seq)};
    enum store_status status =
        store_read(self, by_image ? &each_by_image : &each_by_seq, args, 2,
                   visit_image, &v);
    return status == STORE_OK && !v.any ? without_images(self, run) : status;
}

static bool take_image(void *item, const struct sql_value *c, struct arena *mem)
{
    struct store_image *image = item;
    to_image(c, image);
    image->part.text = store_copy(&c[4], mem);
    return image->part.text;
}

enum store_status store_get_image(void *self, const char *run, int64_t image,
                                  struct store_image *out, struct arena *mem)
{
    const struct sql_value args[] = {sql_text(run), sql_integer(image)};
    return store_read_item(self, &get, args, 2, take_image, out, mem);
}
