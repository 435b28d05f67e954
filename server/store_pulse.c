/*
 * Whether a database that is elsewhere is there: a thread with a connection of
 * its own asks it each second.  So a database that hangs is told from a
 * statement that takes long, and who waits for one that hangs is let go.
 */
#include "server/store_inner.h"

#include "server/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    PULSE_MS = 1000,
    ANSWER_MS = 3000,    /* it has the least to do of all statements */
    WAIT_FIRST_MS = 100, /* until it connects again; doubles up to PULSE_MS */
};

bool store_is_away(const struct store *s)
{
    return atomic_load(&s->pulse.away);
}

/* ---- the pulse's thread ---- */

static bool answers(struct store_pulse *p)
{
    static const struct sql_statement ask = {"SELECT 1", NULL};
    return sql_run(p->sql, &ask, NULL, 0, NULL, NULL) == SQL_OK;
}

static void let_go(struct store_pulse *p)
{
    struct sql_head *head = (struct sql_head *)p->sql;
    head->driver->close(p->sql);
    p->sql = NULL;
}

/* What waits for its answer is let go; the writer waits until it is back. */
static void set_away(struct store *s, bool away, const char *why)
{
    struct store_pulse *p = &s->pulse;
    if (atomic_exchange(&p->away, away) == away)
        return;
    p->failed = 0;
    p->wait_ms = WAIT_FIRST_MS;
    if (away)
        log_warning("store: the database is away: %s", why);
    else
        log_info("store: the database is there again");
    pthread_mutex_lock(&s->writer.mutex);
    pthread_cond_signal(&s->writer.work);
    pthread_mutex_unlock(&s->writer.mutex);
}

/* The first times it is told, then less and less often. */
static void count_failure(struct store_pulse *p, const char *why)
{
    p->failed++;
    if ((p->failed & (p->failed - 1)) == 0)
        log_warning("store: cannot connect: %s", why);
}

/*
 * Twice, where it is not away yet: who ends all connections may end one that
 * has just begun, too.
 */
static struct sql *connect_anew(struct store *s, char why[SQL_WHY_BYTES])
{
    struct sql *sql = store_connect(s->options.where, false, why);
    if (!sql && !store_is_away(s))
        sql = store_connect(s->options.where, false, why);
    return sql;
}

/*
 * A connection that has ended says nothing about others: it is away when there
 * is no new one.  Where there was only silence that is not waited for.
 */
static void feel(struct store *s)
{
    struct store_pulse *p = &s->pulse;
    char why[SQL_WHY_BYTES];
    if (p->sql && !answers(p)) {
        if (((struct sql_head *)p->sql)->silent)
            set_away(s, true, sql_why(p->sql));
        let_go(p);
    }
    if (!p->sql) {
        p->sql = connect_anew(s, why);
        if (p->sql)
            sql_limit(p->sql, ANSWER_MS, &p->ending);
        else
            set_away(s, true, why);
    }
    if (p->sql)
        set_away(s, false, "");
    else if (!atomic_load(&p->ending))
        count_failure(p, why);
}

/* How long until it is felt again. */
static int64_t pause_ms(struct store_pulse *p)
{
    if (!atomic_load(&p->away))
        return PULSE_MS;
    int64_t ms = p->wait_ms;
    p->wait_ms = 2 * ms < PULSE_MS ? 2 * ms : PULSE_MS;
    return ms;
}

static void *feel_all(void *context)
{
    struct store *s = context;
    struct store_pulse *p = &s->pulse;
    pthread_mutex_lock(&p->mutex);
    while (!atomic_load(&p->ending)) {
        p->asked = false;
        pthread_mutex_unlock(&p->mutex);
        feel(s);
        int64_t due = store_monotonic_ms() + pause_ms(p);
        struct timespec until = {due / 1000, due % 1000 * 1000000};
        pthread_mutex_lock(&p->mutex);
        while (!p->asked && !atomic_load(&p->ending))
            if (pthread_cond_timedwait(&p->work, &p->mutex, &until))
                break;
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- for everybody ---- */

void store_pulse_init(struct store_pulse *p)
{
    pthread_condattr_t clock;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &clock);
    pthread_condattr_destroy(&clock);
}

void store_pulse_ask(struct store *s)
{
    struct store_pulse *p = &s->pulse;
    if (!p->started || atomic_load(&p->away))
        return;
    pthread_mutex_lock(&p->mutex);
    p->asked = true;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mutex);
}

int store_pulse_start(struct store *s)
{
    if (!postgresql_is(s->options.where))
        return 0;
    int rc = store_thread(&s->pulse.thread, "store-pulse", feel_all, s);
    s->pulse.started = rc == 0;
    errno = rc;
    return rc ? -1 : 0;
}

void store_pulse_end(struct store *s)
{
    struct store_pulse *p = &s->pulse;
    pthread_mutex_lock(&p->mutex);
    atomic_store(&p->ending, true);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mutex);
    if (p->started)
        pthread_join(p->thread, NULL);
    if (p->sql)
        let_go(p);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
}
