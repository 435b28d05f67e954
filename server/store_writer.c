/* The thread that writes: what waits goes into one transaction. */
#include "server/store_inner.h"

#include "server/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GROUP_MAX = 256,
    ATTEMPTS = 50,        /* against other transactions */
    AGAIN_MS = 20 * 1000, /* no attempt begins later */
    WAIT_FIRST_MS = 100,  /* until it connects again */
    WAIT_MOST_MS = 1000,  /* doubled up to this */
    SWEEP_MS = 5000,      /* between looks for trash where there was none */
    ASK_MS = 5000,        /* between looks at what others have written */
    ASK_SHARE = 100,      /* of the time may be spent on them, one part */
    EXPIRE_MOST_MS = 60000,
};

static const struct sql_statement begin = {"BEGIN IMMEDIATE", "BEGIN"},
                                  commit = {"COMMIT", NULL},
                                  rollback = {"ROLLBACK", NULL};

/* ---- the connection ---- */

static void set_reachable(struct store_writer *x, bool reachable)
{
    pthread_mutex_lock(&x->mutex);
    x->stats.reachable = reachable;
    pthread_mutex_unlock(&x->mutex);
}

/* Lets go of a connection that is of no more use, if it is. */
static void let_go(struct store *s, char why[STORE_WHY_BYTES])
{
    struct store_writer *x = &s->writer;
    struct sql_head *head = (struct sql_head *)x->sql;
    snprintf(why, STORE_WHY_BYTES, "%.190s", head->why);
    if (!head->lost)
        return;
    head->driver->close(x->sql);
    x->sql = NULL;
    x->again_ms = store_monotonic_ms();
    x->wait_ms = WAIT_FIRST_MS;
    set_reachable(x, false);
    store_pulse_ask(s);
    log_warning("store: lost the database: %s", why);
}

/*
 * Each time that it fails the wait until the next doubles.  While the database
 * is away nothing is tried.
 */
static bool connect_again(struct store *s, char why[STORE_WHY_BYTES])
{
    struct store_writer *x = &s->writer;
    char text[SQL_WHY_BYTES] = "";
    int64_t now = store_monotonic_ms();
    if (!x->sql && now >= x->again_ms && !store_is_away(s)) {
        x->sql = store_reconnect(s, true, text);
        x->again_ms = now + x->wait_ms;
        x->wait_ms = 2 * x->wait_ms < WAIT_MOST_MS ? 2 * x->wait_ms
                                                   : (int64_t)WAIT_MOST_MS;
        if (!x->sql)
            log_warning("store: cannot connect: %s", text);
        if (x->sql) {
            log_info("store: connected again");
            pthread_mutex_lock(&x->mutex);
            x->stats.reachable = true;
            x->stats.reconnects++;
            pthread_mutex_unlock(&x->mutex);
        }
    }
    if (!x->sql)
        snprintf(why, STORE_WHY_BYTES, "%s", store_away);
    return x->sql;
}

/* ---- transactions ---- */

static enum sql_status step(struct store_writer *x,
                            const struct sql_statement *s)
{
    return sql_run(x->sql, s, NULL, 0, NULL, NULL);
}

/* One attempt.  *sent: the commit was, and may have come through. */
static enum sql_status transact_once(struct store *s, struct store_write **w,
                                     size_t n, bool *sent)
{
    struct store_writer *x = &s->writer;
    x->group_bytes = 0;
    x->now_ms = store_now_ms();
    enum sql_status rc = step(x, &begin);
    for (size_t i = 0; i < n && rc == SQL_OK; i++) {
        w[i]->status = STORE_OK;
        w[i]->why[0] = '\0';
        rc = w[i]->apply(s, w[i]);
    }
    *sent = rc == SQL_OK;
    if (rc == SQL_OK)
        rc = step(x, &commit);
    if (rc == SQL_OK) {
        x->bytes += x->group_bytes;
    }
    return rc;
}

/* What has not gone through leaves nothing; its reason is in why. */
static enum sql_status undo(struct store *s, char why[STORE_WHY_BYTES])
{
    struct store_writer *x = &s->writer;
    let_go(s, why);
    if (!x->sql)
        return SQL_GONE;
    step(x, &rollback); /* it may have happened by itself */
    char ignored[STORE_WHY_BYTES];
    if (((struct sql_head *)x->sql)->lost)
        let_go(s, ignored);
    return SQL_OK;
}

/* Until the next attempt, longer each time, and not for all the same. */
static void pause_before(size_t attempt)
{
    long us = (long)(attempt + 1) * 200 + random() % 1000;
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/*
 * Runs the writes in one transaction: again when it lost against another, or
 * once more when the connection turns out to be lost.
 */
static enum sql_status transact(struct store *s, struct store_write **w,
                                size_t n, char why[STORE_WHY_BYTES])
{
    enum sql_status rc = SQL_GONE;
    bool sent = false, lost = false;
    int64_t last_ms = store_monotonic_ms() + AGAIN_MS;
    for (size_t i = 0; i < ATTEMPTS; i++) {
        if (!connect_again(s, why))
            return SQL_GONE;
        rc = transact_once(s, w, n, &sent);
        if (rc == SQL_OK)
            return rc;
        bool gone = undo(s, why) == SQL_GONE;
        if (gone && (sent || lost))
            return SQL_GONE;
        if ((rc != SQL_AGAIN && !gone) || store_monotonic_ms() > last_ms)
            return rc;
        lost = lost || gone;
        if (!gone)
            pause_before(i);
    }
    return rc;
}

static void refuse(struct store_write **w, size_t n, enum sql_status rc,
                   const char *why)
{
    for (size_t i = 0; i < n; i++) {
        w[i]->status = store_status_of(rc);
        snprintf(w[i]->why, STORE_WHY_BYTES, "%s", why);
    }
}

static enum sql_status write_once(struct store *s, struct store_write **w,
                                  size_t n)
{
    char why[STORE_WHY_BYTES] = "";
    enum sql_status rc = transact(s, w, n, why);
    if (rc != SQL_OK)
        refuse(w, n, rc, why);
    if (rc == SQL_BROKEN)
        log_error("store: %s", why);
    return rc;
}

/* One that the database chokes on does not take the others with it. */
static void write_group(struct store *s, struct store_write **w, size_t n)
{
    if (write_once(s, w, n) == SQL_BROKEN && n > 1)
        for (size_t i = 0; i < n; i++)
            write_once(s, w + i, 1);
}

/* ---- what is done between groups ---- */

struct chore {
    struct store_write write;
    bool more;
};

static enum sql_status sweep(struct store *s, struct store_write *w)
{
    return store_sweep(s, &((struct chore *)w)->more);
}

static enum sql_status expire(struct store *s, struct store_write *w)
{
    (void)w;
    return store_expire(s);
}

static bool run_chore(struct store *s, struct chore *c)
{
    char why[STORE_WHY_BYTES];
    struct store_write *w = &c->write;
    return transact(s, &w, 1, why) == SQL_OK;
}

/* As long as it takes others have their turn. */
static void sweep_some(struct store *s)
{
    struct store_writer *x = &s->writer;
    int64_t begun = store_monotonic_ms();
    struct chore c = {.write = {.apply = sweep}};
    x->trash = !run_chore(s, &c) || c.more;
    int64_t now = store_monotonic_ms();
    x->sweep_ms = now + (c.more ? now - begun : SWEEP_MS);
}

static void expire_some(struct store *s)
{
    struct store_writer *x = &s->writer;
    int64_t keep = (int64_t)(s->options.keep_ms / 10);
    struct chore c = {.write = {.apply = expire}};
    run_chore(s, &c);
    x->keep_ms = store_monotonic_ms() + 1 +
                 (keep < EXPIRE_MOST_MS ? keep : (int64_t)EXPIRE_MOST_MS);
}

/* Others may write to a database that is shared, so all of it is summed up. */
static void ask(struct store *s)
{
    struct store_writer *x = &s->writer;
    int64_t bytes = 0;
    char why[STORE_WHY_BYTES];
    int64_t begun = store_monotonic_ms();
    if (store_sum(x->sql, &bytes) == SQL_OK)
        x->bytes = bytes;
    else
        let_go(s, why);
    int64_t now = store_monotonic_ms(), share = ASK_SHARE * (now - begun);
    x->ask_ms = now + (share > ASK_MS ? share : (int64_t)ASK_MS);
}

static bool shared(const struct store *s)
{
    return postgresql_is(s->options.where);
}

/* When there is something to do beside what waits, at the latest. */
static int64_t due_ms(const struct store *s)
{
    const struct store_writer *x = &s->writer;
    if (!x->sql)
        return store_is_away(s) ? INT64_MAX : x->again_ms;
    int64_t due = INT64_MAX;
    if (x->trash && x->sweep_ms < due)
        due = x->sweep_ms;
    if (s->options.keep_ms && x->keep_ms < due)
        due = x->keep_ms;
    if (shared(s) && x->ask_ms < due)
        due = x->ask_ms;
    return due;
}

static void keep_house(struct store *s)
{
    struct store_writer *x = &s->writer;
    char why[STORE_WHY_BYTES];
    int64_t now = store_monotonic_ms();
    if (now < due_ms(s) || !connect_again(s, why))
        return;
    if (x->trash && now >= x->sweep_ms)
        sweep_some(s);
    if (s->options.keep_ms && now >= x->keep_ms)
        expire_some(s);
    if (shared(s) && x->sql && now >= x->ask_ms)
        ask(s);
}

/* ---- the queue; what follows holds the mutex ---- */

/* False when it is to end. */
static bool wait_for_work(struct store *s)
{
    struct store_writer *x = &s->writer;
    while (!x->first && !x->ending) {
        int64_t due = due_ms(s), ms = due < INT64_MAX ? due : 0;
        struct timespec until = {ms / 1000, ms % 1000 * 1000000};
        if (due == INT64_MAX)
            pthread_cond_wait(&x->work, &x->mutex);
        else if (pthread_cond_timedwait(&x->work, &x->mutex, &until))
            break;
    }
    return x->first || !x->ending;
}

static int compare(const void *a, const void *b)
{
    const struct store_write *v = *(struct store_write *const *)a,
                             *w = *(struct store_write *const *)b;
    int by_key = strcmp(v->key, w->key);
    return by_key ? by_key : (v->order > w->order) - (v->order < w->order);
}

static size_t take_group(struct store_writer *x,
                         struct store_write *group[GROUP_MAX])
{
    size_t n = 0;
    for (; x->first && n < GROUP_MAX; n++) {
        group[n] = x->first;
        group[n]->order = n;
        x->first = x->first->next;
    }
    if (!x->first)
        x->last = &x->first;
    qsort(group, n, sizeof(struct store_write *), compare);
    return n;
}

static void answer(struct store_writer *x, struct store_write **w, size_t n)
{
    x->stats.waiting -= n;
    x->stats.writes += n;
    x->stats.commits++;
    x->stats.bytes = x->bytes;
    for (size_t i = 0; i < n; i++) {
        w[i]->done = true;
        pthread_cond_signal(&w[i]->answered);
    }
}

static void *write_all(void *context)
{
    struct store *s = context;
    struct store_writer *x = &s->writer;
    struct store_write *group[GROUP_MAX];
    pthread_mutex_lock(&x->mutex);
    while (wait_for_work(s)) {
        size_t n = take_group(x, group);
        pthread_mutex_unlock(&x->mutex);
        if (n)
            write_group(s, group, n);
        pthread_mutex_lock(&x->mutex);
        if (n)
            answer(x, group, n);
        pthread_mutex_unlock(&x->mutex);
        keep_house(s);
        pthread_mutex_lock(&x->mutex);
    }
    pthread_mutex_unlock(&x->mutex);
    return NULL;
}

/* ---- for everybody ---- */

int store_writer_start(struct store *s)
{
    struct store_writer *x = &s->writer;
    x->ask_ms = store_monotonic_ms() + ASK_MS;
    int rc = store_thread(&x->thread, "store", write_all, s);
    pthread_mutex_lock(&x->mutex);
    x->started = rc == 0;
    pthread_mutex_unlock(&x->mutex);
    errno = rc;
    return rc ? -1 : 0;
}

void store_writer_end(struct store *s)
{
    struct store_writer *x = &s->writer;
    pthread_mutex_lock(&x->mutex);
    bool started = x->started;
    x->ending = true;
    pthread_cond_signal(&x->work);
    pthread_mutex_unlock(&x->mutex);
    if (started)
        pthread_join(x->thread, NULL);
}

enum store_status store_write(struct store *s, struct store_write *w)
{
    struct store_writer *x = &s->writer;
    w->next = NULL;
    w->done = false;
    w->why[0] = '\0';
    pthread_cond_init(&w->answered, NULL);
    pthread_mutex_lock(&x->mutex);
    if (!x->started || x->ending) {
        w->status = STORE_GONE;
        snprintf(w->why, sizeof(w->why), "the store does not write now");
    } else {
        *x->last = w;
        x->last = &w->next;
        x->stats.waiting++;
        pthread_cond_signal(&x->work);
        while (!w->done)
            pthread_cond_wait(&w->answered, &x->mutex);
    }
    pthread_mutex_unlock(&x->mutex);
    pthread_cond_destroy(&w->answered);
    store_say(w->why);
    return w->status;
}

bool store_has_room(const struct store *s, struct store_write *w, int64_t bytes)
{
    int64_t most = (int64_t)s->options.bytes_max;
    int64_t held = s->writer.bytes + s->writer.group_bytes;
    if (bytes <= 0 || most == 0 || bytes <= most - held)
        return true;
    snprintf(w->why, sizeof(w->why),
             "the store holds %lld bytes, and %lld more are beyond --store-max",
             (long long)held, (long long)bytes);
    return false;
}
