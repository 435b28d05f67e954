/*
 * Values while images arrive, in any order, asked at any time, against scoring
 * what is there at once, by bits.  A failure prints the seed of its problem.
 */
#include "tests/counting.h"
#include "tests/crowd.h"
#include "tests/parts.h"

/* The images in random order. */
static void shuffle(struct random *r, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i-- > 1;) {
        size_t j = below(r, i + 1), spare = order[i];
        order[i] = order[j];
        order[j] = spare;
    }
}

/* What scoring these images at once gives. */
static void value_at_once(const struct cut *c, const struct made *m,
                          const bool *in, double *value, size_t *detections)
{
    struct made *chosen = test_malloc(sizeof(*chosen));
    struct trial s;
    choose(c, m, in, false, chosen);
    trial_init(&s, &chosen->problem);
    trial_core(&s, (struct coco_wanted){0}, &parallel_serial);
    for (size_t i = 0; i < coco_number_count(&s.protocol); i++)
        value[i] = core_number(&s, i);
    *detections = s.dt.n;
    arena_free(&s.mem);
    test_free(chosen);
}

static void values_are(struct coco_live *live, const struct cut *c,
                       const struct made *m, const bool *in, uint64_t seed,
                       const struct parallel *par)
{
    double got[COCO_VALUES_MAX] = {0}, want[COCO_VALUES_MAX] = {0};
    size_t images = 0, detections;
    struct arena scratch;
    arena_init(&scratch, (size_t)1 << 28);
    value_at_once(c, m, in, want, &detections);
    assert_false(coco_live_values(live, got, &scratch, par));
    for (size_t i = 0; i < coco_number_count(&m->problem.protocol); i++)
        if (!same_bits(got[i], want[i]))
            fail_msg("number %zu: %.17g, not %.17g (seed %llu)", i, got[i],
                     want[i], (unsigned long long)seed);
    for (size_t i = 0; i < c->n; i++)
        images += in[i];
    assert_int_equal(coco_live_counts(live).images, images);
    assert_int_equal(coco_live_counts(live).detections, detections);
    arena_free(&scratch);
}

/* Adds the images in random order, and asks now and then. */
static void compare(const struct kind *kind, uint64_t seeds, size_t n,
                    const struct parallel *par)
{
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct random r = {seed};
        size_t order[IDS_MAX] = {0};
        bool in[IDS_MAX] = {false};
        struct arena mem;
        make(seed, kind, m);
        cut_init(c, &m->problem);
        arena_init(&mem, (size_t)1 << 28);
        struct coco_live *live =
            coco_live_new(&c->whole.protocol, &c->truths, &mem);
        assert_non_null(live);
        shuffle(&r, order, c->n);
        for (size_t i = 0; i < c->n; i++) {
            if (below(&r, 3) == 0)
                values_are(live, c, m, in, seed, par);
            assert_false(coco_live_add(live, &c->part[order[i]]));
            in[order[i]] = true;
            assert_int_equal(coco_live_add(live, &c->part[order[i]]), -1);
        }
        values_are(live, c, m, in, seed, par);
        values_are(live, c, m, in, seed, par);
        arena_free(&mem);
        cut_free(c);
    }
    test_free(c);
    test_free(m);
}

static void live_is_at_once(void **state)
{
    (void)state;
    compare(&small, 1, 300, &parallel_serial);
    compare(&undefined, 1001, 60, &parallel_serial);
    compare(&crowded, 2001, 15, &parallel_serial);
    compare(&wide, 3001, 20, &parallel_serial);
}

static void workers_do_not_matter(void **state)
{
    (void)state;
    compare(&wide, 4001, 8, &reverse);
    compare(&wide, 5001, 8, &threads);
}

static void other_images_are_not_taken(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    struct arena mem;
    bool in[IDS_MAX] = {true};
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    arena_init(&mem, (size_t)1 << 28);
    struct coco_live *live =
        coco_live_new(&c->whole.protocol, &c->truths, &mem);
    struct coco_part other = c->part[1], more = c->part[1];
    other.image = 12345;
    more.n_truths++;
    assert_false(coco_live_add(live, &c->part[0]));
    assert_int_equal(coco_live_add(live, &other), -1);
    assert_int_equal(coco_live_add(live, &more), -1);
    values_are(live, c, m, in, 3001, &parallel_serial);
    arena_free(&mem);
    cut_free(c);
    test_free(c);
    test_free(m);
}

/* Stopped anywhere while asked, it has the very bits when asked again. */
static void stopping_does_no_harm(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    double value[COCO_VALUES_MAX];
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    size_t stopped = 0;
    for (size_t items = 0, done = 0; !done; items++) {
        struct counting lent;
        counting_init(&lent, items);
        struct arena mem, scratch;
        bool in[IDS_MAX] = {false};
        arena_init(&mem, (size_t)1 << 28);
        arena_init(&scratch, (size_t)1 << 28);
        struct coco_live *live =
            coco_live_new(&c->whole.protocol, &c->truths, &mem);
        for (size_t i = c->n; i-- > 0; in[i] = true)
            assert_false(coco_live_add(live, &c->part[i]));
        done = coco_live_values(live, value, &scratch, &lent.par) == 0;
        assert_int_equal(!done, atomic_load(&lent.stop));
        stopped += !done;
        values_are(live, c, m, in, 3001, &parallel_serial);
        arena_free(&mem);
        arena_free(&scratch);
    }
    assert_true(stopped > 10);
    cut_free(c);
    test_free(c);
    test_free(m);
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    double value[COCO_VALUES_MAX];
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    size_t spent = 0;
    for (size_t bytes = 0, done = 0; !done; bytes += 256) {
        struct arena mem;
        bool in[IDS_MAX] = {false};
        arena_init(&mem, bytes);
        struct coco_live *live =
            coco_live_new(&c->whole.protocol, &c->truths, &mem);
        size_t i = 0;
        for (; live && i < c->n && !coco_live_add(live, &c->part[i]); i++)
            in[i] = true;
        done = live && i == c->n;
        if (done)
            values_are(live, c, m, in, 3001, &parallel_serial);
        spent += !done;
        arena_free(&mem);
    }
    assert_true(spent > 10);
    struct arena mem;
    arena_init(&mem, (size_t)1 << 28);
    struct coco_live *live =
        coco_live_new(&c->whole.protocol, &c->truths, &mem);
    bool in[IDS_MAX] = {false};
    for (size_t i = 0; i < c->n; in[i++] = true)
        assert_false(coco_live_add(live, &c->part[i]));
    for (size_t bytes = 0, done = 0; !done; bytes += 256) {
        struct arena scratch;
        arena_init(&scratch, bytes);
        done = !coco_live_values(live, value, &scratch, &parallel_serial);
        arena_free(&scratch);
    }
    values_are(live, c, m, in, 3001, &parallel_serial);
    arena_free(&mem);
    cut_free(c);
    test_free(c);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_is_at_once),
        cmocka_unit_test(workers_do_not_matter),
        cmocka_unit_test(other_images_are_not_taken),
        cmocka_unit_test(stopping_does_no_harm),
        cmocka_unit_test(memory_that_ends_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
