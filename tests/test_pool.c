/*
 * Jobs of the pool: lanes, loops that share it, jobs that are taken back.
 * Threads only note what they see; the test's own thread judges.
 */
#include "tests/stage.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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
            assert_true(t[i].turn == i && t[i].end == i);
        stage_free(&s);
        free(t);
    }
}

static void full_lanes_refuse(void **state)
{
    (void)state;
    enum { QUEUE = 3, JOBS = 2 * QUEUE + 1 };
    for (int full = LANE_LIGHT; full <= LANE_HEAVY; full++) {
        struct stage s;
        struct task t[JOBS + 1] = {0};
        enum pool_lane lane = (enum pool_lane)full, other = lane ^ 1;
        stage_init(&s, 1, QUEUE);
        assert_int_equal(submit(&s, &t[0], lane, wait_at_gate), 0);
        await(&s, &s.started, 1);
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

/* As many wait at once as there are threads for it, and all others go on. */
static void jobs_that_wait_hold_nobody_up(void **state)
{
    (void)state;
    enum { WAITING = 10, OTHERS = 8 };
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct stage s;
        struct task t[WAITING + OTHERS] = {0}, more[STAGE_WAITERS] = {0};
        struct task late = {0};
        stage_init(&s, widths[w], WAITING);
        for (size_t i = 0; i < WAITING; i++)
            assert_int_equal(submit(&s, &t[i], LANE_STORE, wait_at_gate), 0);
        await(&s, &s.now[LANE_STORE], STAGE_WAITERS);
        for (size_t i = 0; i < STAGE_WAITERS; i++)
            assert_int_equal(submit(&s, &more[i], LANE_STORE, NULL), 0);
        assert_int_equal(submit(&s, &late, LANE_STORE, NULL), -1);
        for (size_t i = WAITING; i < WAITING + OTHERS; i++)
            assert_int_equal(
                submit(&s, &t[i], i % 2 ? LANE_LIGHT : LANE_HEAVY, NULL), 0);
        finish(&s, OTHERS);
        assert_int_equal(atomic_load(&s.now[LANE_STORE]), STAGE_WAITERS);
        atomic_store(&s.open, true);
        finish(&s, WAITING + OTHERS + STAGE_WAITERS);
        check_tasks(t, WAITING + OTHERS);
        assert_int_equal(atomic_load(&s.most[LANE_STORE]), STAGE_WAITERS);
        stage_free(&s);
    }
}

/* Frees the port as soon as it may, with threads still on their way back. */
static void done_and_free(struct pool_job *job)
{
    task_done(job);
    pool_port_free(job->port);
}

static void a_port_ends_with_its_last_job(void **state)
{
    (void)state;
    pool_port_free(NULL);
    pool_free(NULL);
    for (size_t i = 0; i < 900; i++) {
        struct stage s;
        size_t n = i % 4;
        struct task t = {.stage = &s, .work = do_many_regions, .own = &n};
        stage_init(&s, widths[i % COUNT(widths)], 1);
        t.job = (struct pool_job){.run = run_task,
                                  .done = done_and_free,
                                  .lane = LANE_HEAVY,
                                  .port = s.port};
        assert_int_equal(pool_submit(&t.job), 0);
        uv_run(&s.loop, UV_RUN_DEFAULT);
        pool_free(s.pool);
        assert_true(t.dones == 1 && t.number == 0);
        assert_int_equal(uv_loop_close(&s.loop), 0);
    }
}

/* Light jobs that come last are run first. */
static void light_jobs_overtake_heavy_ones(void **state)
{
    (void)state;
    enum { EACH = 20, ALL = 2 * EACH };
    struct stage s;
    struct task first = {0}, t[ALL] = {0};
    stage_init(&s, 1, EACH);
    assert_int_equal(submit(&s, &first, LANE_HEAVY, wait_at_gate), 0);
    await(&s, &s.started, 1);
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(
            submit(&s, &t[i], i < EACH ? LANE_HEAVY : LANE_LIGHT, NULL), 0);
    struct pool_stats stats = pool_stats(s.pool);
    assert_int_equal(stats.waiting[LANE_LIGHT], EACH);
    assert_int_equal(stats.waiting[LANE_HEAVY], EACH);
    assert_int_equal(stats.running[LANE_LIGHT], 0);
    assert_int_equal(stats.running[LANE_HEAVY], 1);
    atomic_store(&s.open, true);
    finish(&s, ALL + 1);
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(t[i].turn, 1 + (i + EACH) % ALL);
    stage_free(&s);
}

/* The first, the last and those between; what runs is not taken back. */
static void cancelled_jobs_do_not_run(void **state)
{
    (void)state;
    enum { JOBS = 9 };
    for (int each = 0; each < LANES; each++) {
        enum pool_lane lane = (enum pool_lane)each;
        size_t threads = lane == LANE_STORE ? STAGE_WAITERS : 1;
        struct stage s;
        struct task t[JOBS] = {0}, more[STAGE_WAITERS] = {0};
        stage_init(&s, 1, JOBS);
        assert_int_equal(submit(&s, &t[0], lane, wait_at_gate), 0);
        for (size_t i = 1; i < threads; i++)
            assert_int_equal(submit(&s, &more[i], lane, wait_at_gate), 0);
        await(&s, &s.started, threads);
        for (size_t i = 1; i < JOBS; i++)
            assert_int_equal(submit(&s, &t[i], lane, NULL), 0);
        assert_false(pool_cancel(&t[0].job));
        for (size_t i = 1; i < JOBS; i++)
            if (i % 3 != 0)
                assert_true(pool_cancel(&t[i].job));
        assert_false(pool_cancel(&t[1].job));
        assert_int_equal(pool_stats(s.pool).waiting[lane], 2);
        assert_int_equal(submit(&s, &t[JOBS - 1], lane, NULL), 0);
        atomic_store(&s.open, true);
        finish(&s, threads + 3);
        for (size_t i = 0; i < JOBS; i++) {
            bool ran = i % 3 == 0 || i == JOBS - 1;
            assert_int_equal(atomic_load(&t[i].runs), ran);
            assert_int_equal(t[i].dones, ran);
        }
        assert_false(pool_cancel(&t[0].job));
        stage_free(&s);
    }
}

/* A loop on a thread of its own, with a port to a pool that others have. */
struct guest {
    uv_thread_t thread;
    struct stage stage;
    size_t cancelled, full, faults;
};

enum { GUESTS = 3, GUEST_JOBS = 3000, GUEST_WINDOW = 50 };

static void do_some(struct task *t)
{
    const struct parallel *par = pool_parallel(t->stage->pool);
    atomic_size_t sum = 0;
    if (t->number % 5 == 0)
        par->run(par, 8, inner_item, &sum);
}

/* Some jobs are taken back, if they have not begun; some do not fit. */
static void guest_main(void *context)
{
    struct guest *g = context;
    struct stage *s = &g->stage;
    struct task *t = calloc(GUEST_JOBS, sizeof(*t));
    s->thread = uv_thread_self();
    for (size_t i = 0; i < GUEST_JOBS; i++) {
        t[i].number = i;
        if (submit(s, &t[i], i % 3 ? LANE_LIGHT : LANE_HEAVY, do_some)) {
            t[i].own = &g->full;
            g->full++;
        } else if (i % 7 == 0 && pool_cancel(&t[i].job)) {
            t[i].own = &g->cancelled;
            g->cancelled++;
        }
        while (i + 1 - s->ended - g->full - g->cancelled > GUEST_WINDOW)
            uv_run(&s->loop, UV_RUN_ONCE);
    }
    while (s->ended + g->full + g->cancelled < GUEST_JOBS)
        uv_run(&s->loop, UV_RUN_ONCE);
    pool_port_free(s->port);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < GUEST_JOBS; i++)
        g->faults += atomic_load(&t[i].runs) != !t[i].own ||
                     t[i].dones != !t[i].own || t[i].on_loop;
    g->faults += s->off_thread;
    free(t);
}

static void loops_share_a_pool(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT(widths); w++) {
        struct guest g[GUESTS] = {0};
        struct pool *pool = pool_new(widths[w], 2, (size_t[LANES]){60, 40, 40});
        assert_non_null(pool);
        for (size_t i = 0; i < GUESTS; i++) {
            struct stage *s = &g[i].stage;
            assert_int_equal(uv_loop_init(&s->loop), 0);
            s->pool = pool;
            s->port = pool_port_new(pool, &s->loop);
            assert_non_null(s->port);
            uv_thread_create(&g[i].thread, guest_main, &g[i]);
        }
        for (size_t i = 0; i < GUESTS; i++) {
            uv_thread_join(&g[i].thread);
            assert_int_equal(uv_loop_close(&g[i].stage.loop), 0);
            assert_int_equal(g[i].faults, 0);
        }
        struct pool_stats stats = pool_stats(pool);
        const struct pool_stats nothing = {0};
        assert_memory_equal(&stats, &nothing, sizeof(stats));
        pool_free(pool);
    }
}

/* What a thread of the pool is: its name, its signals, its place in line. */
static void look_around(struct task *t)
{
    char name[16];
    sigset_t blocked;
    pthread_getname_np(pthread_self(), name, sizeof(name));
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    t->number += strncmp(name, "evald-work-", 11) != 0;
    t->number +=
        !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1);
    t->number += getpriority(PRIO_PROCESS, (id_t)gettid()) <=
                 getpriority(PRIO_PROCESS, (id_t)getpid());
}

static void threads_stay_in_the_background(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    check_alone(look_around);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGTERM),
                     sigismember(&after, SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_and_ends_once),
        cmocka_unit_test(lanes_are_first_in_first_out),
        cmocka_unit_test(full_lanes_refuse),
        cmocka_unit_test(heavy_jobs_leave_one_worker),
        cmocka_unit_test(jobs_that_wait_hold_nobody_up),
        cmocka_unit_test(a_port_ends_with_its_last_job),
        cmocka_unit_test(light_jobs_overtake_heavy_ones),
        cmocka_unit_test(cancelled_jobs_do_not_run),
        cmocka_unit_test(loops_share_a_pool),
        cmocka_unit_test(threads_stay_in_the_background),
    };
    alarm(SECONDS_MAX); /* what hangs dies */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
