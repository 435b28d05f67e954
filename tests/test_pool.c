/*
 * The pool on a loop of its own, with 1, 2 and 4 workers of libuv's four
 * threads.  Threads only note what they see; the test's own thread judges.
 */
#include "server/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WIDTH_MAX = 4, ITEMS_MAX = 1000, SECONDS_MAX = 120, PATIENCE_S = 20 };

static const size_t widths[] = {1, 2, WIDTH_MAX};

/* A loop with a pool, and what its jobs share. */
struct stage {
    uv_loop_t loop;
    uv_thread_t thread; /* the loop's */
    struct pool *pool;
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
    bool on_loop; /* ran on the loop's thread, which it must not */
    void *own;
};

static void stage_init(struct stage *s, size_t workers, size_t queue_max)
{
    memset(s, 0, sizeof(*s));
    assert_int_equal(uv_loop_init(&s->loop), 0);
    s->thread = uv_thread_self();
    s->pool = pool_new(&s->loop, workers, queue_max);
    assert_non_null(s->pool);
    assert_int_equal(pool_parallel(s->pool)->width, workers);
}

/* A loop that closes has no handle and no work left. */
static void stage_free(struct stage *s)
{
    pool_free(s->pool);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

/* Counts one more, and the most there ever were. */
static void enter(atomic_size_t *now, atomic_size_t *most)
{
    size_t n = atomic_fetch_add(now, 1) + 1, was = atomic_load(most);
    while (was < n && !atomic_compare_exchange_weak(most, &was, n))
        continue;
}

static void run_task(struct pool_job *job)
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

static void task_done(struct pool_job *job)
{
    struct task *t = (struct task *)job;
    uv_thread_t self = uv_thread_self();
    t->dones++;
    t->stage->ended++;
    t->stage->off_thread += !uv_thread_equal(&self, &t->stage->thread);
}

static int submit(struct stage *s, struct task *t, enum pool_lane lane,
                  void (*work)(struct task *))
{
    t->stage = s;
    t->work = work;
    t->job =
        (struct pool_job){.run = run_task, .done = task_done, .lane = lane};
    return pool_submit(s->pool, &t->job);
}

/* Runs the loop until so many jobs have ended. */
static void finish(struct stage *s, size_t jobs)
{
    while (s->ended < jobs)
        uv_run(&s->loop, UV_RUN_ONCE);
    assert_int_equal(s->off_thread, 0);
}

static void check_tasks(const struct task *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (atomic_load(&t[i].runs) != 1 || t[i].dones != 1 || t[i].on_loop)
            fail_msg("job %zu: %zu runs, %zu ends, on the loop's thread: %d", i,
                     atomic_load(&t[i].runs), t[i].dones, t[i].on_loop);
}

static bool patient(uint64_t since)
{
    return uv_hrtime() - since < PATIENCE_S * UINT64_C(1000000000);
}

static void wait_at_gate(struct task *t)
{
    uint64_t since = uv_hrtime();
    while (!atomic_load(&t->stage->open) && patient(since))
        usleep(50);
}

static void await(struct stage *s, atomic_size_t *counter, size_t value)
{
    uint64_t since = uv_hrtime();
    while (atomic_load(counter) < value && patient(since)) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        usleep(50);
    }
    assert_true(atomic_load(counter) >= value);
}

static void every_job_runs_and_ends_once(void **state)
{
    (void)state;
    enum { JOBS = 600 };
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct stage s;
        struct task *t = calloc(JOBS, sizeof(*t));
        stage_init(&s, widths[w], JOBS);
        for (size_t i = 0; i < JOBS; i++)
            assert_false(submit(&s, &t[i], i % 3 > 0, NULL));
        finish(&s, JOBS);
        check_tasks(t, JOBS);
        assert_true(atomic_load(&s.most_all) <= widths[w]);
        stage_free(&s);
        free(t);
    }
}

/* One at a time, or the order is not seen: 1 worker, or 2 and heavy jobs. */
static void lanes_are_first_in_first_out(void **state)
{
    (void)state;
    enum { JOBS = 100 };
    static const struct {
        size_t workers;
        enum pool_lane lane;
    } rows[] = {{1, LANE_LIGHT}, {1, LANE_HEAVY}, {2, LANE_HEAVY}};
    for (size_t r = 0; r < COUNT(rows); r++) {
        struct stage s;
        struct task *t = calloc(JOBS, sizeof(*t));
        stage_init(&s, rows[r].workers, JOBS);
        for (size_t i = 0; i < JOBS; i++)
            assert_int_equal(submit(&s, &t[i], rows[r].lane, NULL), 0);
        finish(&s, JOBS);
        for (size_t i = 0; i < JOBS; i++)
            assert_int_equal(t[i].turn, i);
        stage_free(&s);
        free(t);
    }
}

static void full_lanes_refuse(void **state)
{
    (void)state;
    enum { QUEUE = 3, JOBS = 2 * QUEUE + 1 };
    for (int full = 0; full < LANES; full++) {
        struct stage s;
        struct task t[JOBS + 1] = {0};
        enum pool_lane lane = (enum pool_lane)full, other = lane ^ 1;
        stage_init(&s, 1, QUEUE);
        assert_int_equal(submit(&s, &t[0], lane, wait_at_gate), 0);
        for (size_t i = 1; i <= QUEUE; i++)
            assert_int_equal(submit(&s, &t[i], lane, NULL), 0);
        assert_int_equal(submit(&s, &t[JOBS], lane, NULL), -1);
        for (size_t i = QUEUE + 1; i < JOBS; i++)
            assert_int_equal(submit(&s, &t[i], other, NULL), 0);
        assert_int_equal(submit(&s, &t[JOBS], other, NULL), -1);
        atomic_store(&s.open, true);
        finish(&s, JOBS);
        check_tasks(t, JOBS);
        assert_int_equal(atomic_load(&t[JOBS].runs), 0);
        assert_int_equal(submit(&s, &t[JOBS], lane, NULL), 0);
        finish(&s, JOBS + 1);
        stage_free(&s);
    }
}

/* Light jobs end while as many heavy ones as may are stuck. */
static void heavy_jobs_leave_one_worker(void **state)
{
    (void)state;
    enum { HEAVY = 10, LIGHT = 20 };
    for (size_t w = 1; w < COUNT(widths); w++) {
        struct stage s;
        struct task t[HEAVY + LIGHT] = {0};
        stage_init(&s, widths[w], HEAVY + LIGHT);
        for (size_t i = 0; i < HEAVY; i++)
            assert_int_equal(submit(&s, &t[i], LANE_HEAVY, wait_at_gate), 0);
        await(&s, &s.now[LANE_HEAVY], widths[w] - 1);
        for (size_t i = HEAVY; i < HEAVY + LIGHT; i++)
            assert_int_equal(submit(&s, &t[i], LANE_LIGHT, NULL), 0);
        finish(&s, LIGHT);
        assert_int_equal(atomic_load(&s.now[LANE_HEAVY]), widths[w] - 1);
        for (size_t i = 0; i < HEAVY; i++)
            assert_int_equal(t[i].dones, 0);
        atomic_store(&s.open, true);
        finish(&s, HEAVY + LIGHT);
        check_tasks(t, HEAVY + LIGHT);
        assert_int_equal(atomic_load(&s.most[LANE_HEAVY]), widths[w] - 1);
        stage_free(&s);
    }
}

/* What is seen of one region's items. */
struct region_log {
    const struct parallel *par;
    atomic_size_t count[ITEMS_MAX];
    double value[ITEMS_MAX];
    atomic_bool busy[WIDTH_MAX]; /* a worker id at work */
    atomic_size_t faults;
    bool nests; /* every item is a region itself */
};

static void inner_item(void *context, size_t item, size_t worker)
{
    atomic_size_t *sum = context;
    atomic_fetch_add(sum, worker < WIDTH_MAX ? item + 1 : 1000000);
}

static void log_item(void *context, size_t item, size_t worker)
{
    struct region_log *log = context;
    if (worker >= log->par->width) {
        atomic_fetch_add(&log->faults, 1);
        return;
    }
    if (atomic_exchange(&log->busy[worker], true))
        atomic_fetch_add(&log->faults, 1);
    log->value[item] = 1 / ((double)item + 1);
    if (log->nests) {
        atomic_size_t sum = 0;
        log->par->run(log->par, item % 9, inner_item, &sum);
        if (sum != (item % 9) * (item % 9 + 1) / 2)
            atomic_fetch_add(&log->faults, 1);
    }
    atomic_fetch_add(&log->count[item], 1);
    atomic_store(&log->busy[worker], false);
}

/* The faults of a region of n items: items not done once, wrong values. */
static size_t region_faults(const struct parallel *par, size_t n, bool nests)
{
    struct region_log *log = calloc(1, sizeof(*log));
    log->par = par;
    log->nests = nests;
    par->run(par, n, log_item, log);
    size_t faults = atomic_load(&log->faults);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        double want = i < n ? 1 / ((double)i + 1) : 0;
        faults += atomic_load(&log->count[i]) != (i < n);
        faults += memcmp(&log->value[i], &want, sizeof(want)) != 0;
    }
    free(log);
    return faults;
}

static const size_t item_counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 64, 999, 1000};

/* Nested ones, if the task owns something. */
static void do_regions(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    for (size_t i = 0; i < 10 * COUNT(item_counts); i++)
        t->number += region_faults(par, item_counts[i % COUNT(item_counts)],
                                   t->own != NULL);
}

/* Several jobs at once, all with regions; light ones come in between. */
static void check_regions(bool nested, size_t workers)
{
    enum { JOBS = 12 };
    struct stage s;
    struct task t[JOBS] = {0};
    stage_init(&s, workers, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        t[i].own = nested ? &s : NULL;
        assert_int_equal(submit(&s, &t[i], i % 3 ? LANE_HEAVY : LANE_LIGHT,
                                i % 4 == 3 ? NULL : do_regions),
                         0);
    }
    finish(&s, JOBS);
    check_tasks(t, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(t[i].number, 0);
    stage_free(&s);
}

static void items_are_done_once_nested_or_not(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        check_regions(false, widths[w]);
        check_regions(true, widths[w]);
    }
}

/* One heavy job for each width, which counts its faults in number. */
static void check_alone(void (*work)(struct task *))
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

/* As many regions as the task owns, 20,000 if it owns nothing. */
static void do_many_regions(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    size_t n = t->own ? *(size_t *)t->own : 20000;
    for (size_t i = 0; i < n; i++) {
        atomic_size_t sum = 0;
        par->run(par, 4, inner_item, &sum);
        t->number += sum != 10;
    }
}

static void many_regions_follow_each_other(void **state)
{
    (void)state;
    check_alone(do_many_regions);
}

/*
 * A meeting of as many items as there are workers, each on its thread and
 * under an id of its own.
 */
struct meeting {
    size_t wanted;
    atomic_size_t here, faults;
    atomic_bool taken[WIDTH_MAX];
};

static void meet(void *context, size_t item, size_t worker)
{
    struct meeting *m = context;
    uint64_t since = uv_hrtime();
    (void)item;
    if (worker >= m->wanted || atomic_exchange(&m->taken[worker], true))
        atomic_fetch_add(&m->faults, 1);
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < m->wanted && patient(since))
        usleep(20);
    atomic_fetch_add(&m->faults, atomic_load(&m->here) < m->wanted);
}

static void hold_meetings(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    for (int i = 0; i < 50 && t->number == 0; i++) {
        struct meeting m = {.wanted = par->width};
        par->run(par, par->width, meet, &m);
        t->number += atomic_load(&m.faults);
    }
}

static void idle_threads_join_in(void **state)
{
    (void)state;
    check_alone(hold_meetings);
}

/* Helpers are kept busy until light jobs have run; the job itself waits. */
struct siege {
    size_t width;
    atomic_size_t helpers, light_ran, faults;
};

enum { LIGHT_JOBS = 8 };

static void besiege(void *context, size_t item, size_t worker)
{
    struct siege *siege = context;
    uint64_t since = uv_hrtime();
    (void)item;
    atomic_fetch_add(&siege->helpers, worker > 0);
    atomic_fetch_add(&siege->faults, worker >= siege->width);
    while (atomic_load(&siege->light_ran) < LIGHT_JOBS &&
           atomic_load(&siege->faults) == 0) {
        usleep(100);
        if (worker > 0)
            return;
        atomic_fetch_add(&siege->faults, !patient(since));
    }
}

static void lay_siege(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    par->run(par, (size_t)PATIENCE_S * 10000 * par->width, besiege, t->own);
}

static void lift_siege(struct task *t)
{
    atomic_fetch_add(&((struct siege *)t->own)->light_ran, 1);
}

static void helpers_leave_for_light_jobs(void **state)
{
    (void)state;
    for (size_t w = 1; w < COUNT(widths); w++) {
        struct stage s;
        struct siege siege = {.width = widths[w]};
        struct task heavy = {.own = &siege}, light[LIGHT_JOBS] = {0};
        stage_init(&s, widths[w], LIGHT_JOBS);
        assert_int_equal(submit(&s, &heavy, LANE_HEAVY, lay_siege), 0);
        await(&s, &siege.helpers, 20);
        for (size_t i = 0; i < LIGHT_JOBS; i++) {
            light[i].own = &siege;
            assert_int_equal(submit(&s, &light[i], LANE_LIGHT, lift_siege), 0);
            finish(&s, i + 1);
        }
        finish(&s, LIGHT_JOBS + 1);
        assert_int_equal(atomic_load(&siege.faults), 0);
        stage_free(&s);
    }
}

/* Frees the pool as soon as it may, with helpers still on their way back. */
static void done_and_free(struct pool_job *job)
{
    task_done(job);
    pool_free(job->pool);
}

static void helpers_outlive_the_last_job(void **state)
{
    (void)state;
    pool_free(NULL);
    for (size_t i = 0; i < 900; i++) {
        struct stage s;
        size_t n = i % 4;
        struct task t = {.stage = &s, .work = do_many_regions, .own = &n};
        stage_init(&s, widths[i % COUNT(widths)], 1);
        t.job = (struct pool_job){
            .run = run_task, .done = done_and_free, .lane = LANE_HEAVY};
        assert_int_equal(pool_submit(s.pool, &t.job), 0);
        uv_run(&s.loop, UV_RUN_DEFAULT);
        assert_true(t.dones == 1 && t.number == 0);
        assert_int_equal(uv_loop_close(&s.loop), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_and_ends_once),
        cmocka_unit_test(lanes_are_first_in_first_out),
        cmocka_unit_test(full_lanes_refuse),
        cmocka_unit_test(heavy_jobs_leave_one_worker),
        cmocka_unit_test(items_are_done_once_nested_or_not),
        cmocka_unit_test(many_regions_follow_each_other),
        cmocka_unit_test(idle_threads_join_in),
        cmocka_unit_test(helpers_leave_for_light_jobs),
        cmocka_unit_test(helpers_outlive_the_last_job),
    };
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    alarm(SECONDS_MAX); /* what hangs dies */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
