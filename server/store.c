/* Opens, starts and closes the store. */
#include "server/store_inner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 20 };

int64_t store_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t store_monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int store_thread(pthread_t *thread, const char *name, void *run(void *),
                 struct store *s)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return rc;
    sigfillset(&all);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, &attr, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        pthread_setname_np(*thread, name);
    return rc;
}

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
    store_pulse_init(&s->pulse);
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
    if (o->memory_bytes)
        sql_limit_sqlite(o->memory_bytes);
    if (!s || !s->options.where)
        snprintf(why, STORE_WHY_BYTES, "no memory");
    else if (take_place(s, why) == 0 && connect_first(s, why) == 0)
        return s;
    store_close(s);
    return NULL;
}

/* From now on somebody waits for what is asked of the database. */
int store_start(struct store *s)
{
    errno = EROFS;
    if (s->options.read_only || store_pulse_start(s))
        return -1;
    store_limit(s, s->writer.sql);
    return store_writer_start(s);
}

/* The writer is the last to leave, and puts the log into the file. */
void store_close(struct store *s)
{
    if (!s)
        return;
    store_writer_end(s);
    store_pulse_end(s);
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
    stats.reachable = stats.reachable && !store_is_away(s);
    return stats;
}
