/*
 * Jobs that split themselves over the pool's threads.  Threads only note what
 * they see; the test's own thread judges.
 */
#include "tests/stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS_MAX = 1000 };

/* What is seen of one region's items. */
struct region_log {
    const struct parallel *par;
    atomic_size_t count[ITEMS_MAX];
    double value[ITEMS_MAX];
    atomic_bool busy[WIDTH_MAX]; /* a worker id at work */
    atomic_size_t faults;
    bool nests; /* every item is a region itself */
};

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

/* A job whose region is told to stop by one of its items. */
struct halt {
    atomic_bool stop;
    atomic_size_t done;
};

enum { HALT_ITEM = 100, HALT_ITEMS = 1000000 };

static void halt_at(void *context, size_t item, size_t worker)
{
    struct halt *halt = context;
    (void)worker;
    atomic_fetch_add(&halt->done, 1);
    if (item == HALT_ITEM)
        atomic_store(&halt->stop, true);
}

static void run_and_halt(struct task *t)
{
    struct halt halt = {0};
    struct parallel par = *pool_parallel(t->stage->pool);
    par.stop = &halt.stop;
    par.run(&par, HALT_ITEMS, halt_at, &halt);
    size_t done = atomic_load(&halt.done);
    t->number += done <= HALT_ITEM || done > HALT_ITEMS / 2;
    par.run(&par, HALT_ITEMS, halt_at, &halt);
    t->number += atomic_load(&halt.done) != done;
    atomic_store(&halt.stop, false);
    par.run(&par, HALT_ITEM, halt_at, &halt);
    t->number += atomic_load(&halt.done) != done + HALT_ITEM;
}

static void stopped_regions_leave_items_out(void **state)
{
    (void)state;
    check_alone(run_and_halt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_done_once_nested_or_not),
        cmocka_unit_test(many_regions_follow_each_other),
        cmocka_unit_test(idle_threads_join_in),
        cmocka_unit_test(helpers_leave_for_light_jobs),
        cmocka_unit_test(stopped_regions_leave_items_out),
    };
    alarm(SECONDS_MAX); /* what hangs dies */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
