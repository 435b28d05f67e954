/* A loop with a pool, and jobs that note what they see. */
#ifndef EVALD_TESTS_STAGE_H
#define EVALD_TESTS_STAGE_H

#include "server/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WIDTH_MAX = 4, WIDTHS = 3, SECONDS_MAX = 120, PATIENCE_S = 20 };

/* The numbers of threads that are tried. */
static const size_t widths[WIDTHS] = {1, 2, WIDTH_MAX};

/* A loop with a pool, and what its jobs share. */
struct stage {
    uv_loop_t loop;
    uv_thread_t thread; /* the loop's */
    struct pool *pool;
    struct pool_port *port;
    atomic_size_t now[LANES], most[LANES], now_all, most_all;
    atomic_bool open; /* the gate that jobs may wait at */
    atomic_size_t started;
    size_t ended, off_thread;
};

struct task {
    struct pool_job job; /* first: a job finds its task by it */
    struct stage *stage;
    void (*work)(struct task *task);
    size_t number;
    size_t turn; /* the how manieth it started as */
    atomic_size_t runs;
    size_t dones;
    size_t end;   /* the how manieth that was done */
    bool on_loop; /* ran on the loop's thread, which it must not */
    void *own;
};

enum { STAGE_WAITERS = 3 };

/* Starts a pool, whose lanes are equally long, and gives it a port. */
static inline void stage_init(struct stage *s, size_t workers, size_t queue_max)
{
    memset(s, 0, sizeof(*s));
    assert_int_equal(uv_loop_init(&s->loop), 0);
    s->thread = uv_thread_self();
    s->pool = pool_new(workers, STAGE_WAITERS,
                       (size_t[LANES]){queue_max, queue_max, queue_max});
    assert_non_null(s->pool);
    s->port = pool_port_new(s->pool, &s->loop);
    assert_non_null(s->port);
    assert_int_equal(pool_parallel(s->pool)->width, workers);
}

/* A loop that closes has no handle and no work left. */
static inline void stage_free(struct stage *s)
{
    pool_port_free(s->port);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    pool_free(s->pool);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

/* Counts one more, and the most there ever were. */
static inline void enter(atomic_size_t *now, atomic_size_t *most)
{
    size_t n = atomic_fetch_add(now, 1) + 1, was = atomic_load(most);
    while (was < n && !atomic_compare_exchange_weak(most, &was, n))
        continue;
}

/* What submit has jobs call. */
static inline void run_task(struct pool_job *job)
{
    struct task *t = (struct task *)job;
    struct stage *s = t->stage;
    uv_thread_t self = uv_thread_self();
    t->turn = atomic_fetch_add(&s->started, 1);
    atomic_fetch_add(&t->runs, 1);
    t->on_loop = uv_thread_equal(&self, &s->thread);
    enter(&s->now[job->lane], &s->most[job->lane]);
    enter(&s->now_all, &s->most_all);
    if (t->work)
        t->work(t);
    atomic_fetch_sub(&s->now[job->lane], 1);
    atomic_fetch_sub(&s->now_all, 1);
}

static inline void task_done(struct pool_job *job)
{
    struct task *t = (struct task *)job;
    uv_thread_t self = uv_thread_self();
    t->dones++;
    t->end = t->stage->ended;
    t->stage->ended++;
    t->stage->off_thread += !uv_thread_equal(&self, &t->stage->thread);
}

/* Gives t to the pool, to do work (NULL is none); as pool_submit. */
static inline int submit(struct stage *s, struct task *t, enum pool_lane lane,
                         void (*work)(struct task *))
{
    t->stage = s;
    t->work = work;
    t->job = (struct pool_job){
        .run = run_task, .done = task_done, .lane = lane, .port = s->port};
    return pool_submit(&t->job);
}

/* Runs the loop until so many jobs have ended. */
static inline void finish(struct stage *s, size_t jobs)
{
    while (s->ended < jobs)
        uv_run(&s->loop, UV_RUN_ONCE);
    assert_int_equal(s->off_thread, 0);
}

/* Each of them has run once, and not on the loop's thread. */
static inline void check_tasks(const struct task *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (atomic_load(&t[i].runs) != 1 || t[i].dones != 1 || t[i].on_loop)
            fail_msg("job %zu: %zu runs, %zu ends, on the loop's thread: %d", i,
                     atomic_load(&t[i].runs), t[i].dones, t[i].on_loop);
}

/* Whether less than PATIENCE_S have passed. */
static inline bool patient(uint64_t since)
{
    return uv_hrtime() - since < PATIENCE_S * UINT64_C(1000000000);
}

/* A work for submit: waits until the stage is open. */
static inline void wait_at_gate(struct task *t)
{
    uint64_t since = uv_hrtime();
    while (!atomic_load(&t->stage->open) && patient(since))
        usleep(50);
}

/* Runs the loop until the counter has that value. */
static inline void await(struct stage *s, atomic_size_t *counter, size_t value)
{
    uint64_t since = uv_hrtime();
    while (atomic_load(counter) < value && patient(since)) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        usleep(50);
    }
    assert_true(atomic_load(counter) >= value);
}

/* An item that adds its number, and 1, to an atomic_size_t. */
static inline void inner_item(void *context, size_t item, size_t worker)
{
    atomic_size_t *sum = context;
    atomic_fetch_add(sum, worker < WIDTH_MAX ? item + 1 : 1000000);
}

/* One heavy job for each width, which counts its faults in number. */
static inline void check_alone(void (*work)(struct task *))
{
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct stage s;
        struct task t = {0};
        stage_init(&s, widths[w], 1);
        assert_int_equal(submit(&s, &t, LANE_HEAVY, work), 0);
        finish(&s, 1);
        assert_int_equal(t.number, 0);
        stage_free(&s);
    }
}

/* Another: as many regions as the task owns, 20,000 if it owns nothing. */
static inline void do_many_regions(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    size_t n = t->own ? *(size_t *)t->own : 20000;
    for (size_t i = 0; i < n; i++) {
        atomic_size_t sum = 0;
        par->run(par, 4, inner_item, &sum);
        t->number += sum != 10;
    }
}

#endif
