/* Opens, starts and closes the store. */
#include "server/store_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool ready(void *self)
{
    return store_stats(self).reachable;
}

static const char *why_not(void *self)
{
    (void)self;
    return store_said();
}

static const struct api_store calls = {
    .put_dataset = store_put_dataset,
    .get_dataset = store_get_dataset,
    .get_content = store_get_content,
    .list_datasets = store_list_datasets,
    .delete_dataset = store_delete_dataset,
    .create_run = store_create_run,
    .get_run = store_get_run,
    .list_runs = store_list_runs,
    .update_run = store_update_run,
    .delete_run = store_delete_run,
    .finalize_run = store_finalize_run,
    .put_images = store_put_images,
    .each_image = store_each_image,
    .get_image = store_get_image,
    .ready = ready,
    .why = why_not,
};

static void init(struct store *s, const struct store_options *o)
{
    struct store_writer *x = &s->writer;
    pthread_condattr_t clock;
    s->options = *o;
    s->options.where = strdup(o->where);
    s->calls = calls;
    s->calls.self = s;
    s->lock = -1;
    store_readers_init(&s->readers, o->readers);
    pthread_mutex_init(&x->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&x->work, &clock);
    pthread_condattr_destroy(&clock);
    x->last = &x->first;
    x->trash = true;
    x->wait_ms = 1;
    x->stats.kind = postgresql_is(o->where) ? "postgresql" : "sqlite";
}

/* The lock before all else: who has it not touches nothing. */
static int take_place(struct store *s, char why[STORE_WHY_BYTES])
{
    if (s->options.read_only || postgresql_is(s->options.where))
        return 0;
    if (store_make_directory(s->options.where, why))
        return -1;
    s->lock = store_lock(s->options.where, why);
    return s->lock < 0 ? -1 : 0;
}

static int connect_first(struct store *s, char why[STORE_WHY_BYTES])
{
    struct store_writer *x = &s->writer;
    char text[SQL_WHY_BYTES] = "";
    bool writes = !s->options.read_only;
    x->sql = store_connect(s->options.where, writes, text);
    if (!x->sql) {
        if (postgresql_is(s->options.where))
            snprintf(why, STORE_WHY_BYTES, "cannot open the database: %.170s",
                     text);
        else
            snprintf(why, STORE_WHY_BYTES, "cannot open %.80s: %.90s",
                     s->options.where, text);
        return -1;
    }
    if (writes ? store_migrate(x->sql, store_migrations, store_version, why)
               : store_migrated(x->sql, store_version, why))
        return -1;
    if (store_sum(x->sql, &x->bytes) != SQL_OK) {
        snprintf(why, STORE_WHY_BYTES, "%.190s", sql_why(x->sql));
        return -1;
    }
    x->stats.bytes = x->bytes;
    x->stats.reachable = true;
    return 0;
}

struct store *store_open(const struct store_options *o,
                         char why[STORE_WHY_BYTES])
{
    struct store *s = calloc(1, sizeof(*s));
    if (s)
        init(s, o);
    if (!s || !s->options.where)
        snprintf(why, STORE_WHY_BYTES, "no memory");
    else if (take_place(s, why) == 0 && connect_first(s, why) == 0)
        return s;
    store_close(s);
    return NULL;
}

int store_start(struct store *s)
{
    if (!s->options.read_only)
        return store_writer_start(s);
    errno = EROFS;
    return -1;
}

/* The writer is the last to leave, and puts the log into the file. */
void store_close(struct store *s)
{
    if (!s)
        return;
    store_writer_end(s);
    store_readers_close(&s->readers);
    if (s->writer.sql)
        ((struct sql_head *)s->writer.sql)->driver->close(s->writer.sql);
    if (s->lock >= 0)
        close(s->lock);
    pthread_cond_destroy(&s->writer.work);
    pthread_mutex_destroy(&s->writer.mutex);
    free((char *)s->options.where);
    free(s);
}

const char *store_file(const struct store *s)
{
    return postgresql_is(s->options.where) ? NULL : s->options.where;
}

const struct api_store *store_calls(struct store *s)
{
    return &s->calls;
}

struct store_stats store_stats(struct store *s)
{
    struct store_writer *x = &s->writer;
    pthread_mutex_lock(&x->mutex);
    struct store_stats stats = x->stats;
    pthread_mutex_unlock(&x->mutex);
    return stats;
}
