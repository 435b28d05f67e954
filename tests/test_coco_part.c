/*
 * Images that were matched alone, packed and joined, against the same images
 * scored at once, by bits: all that is kept of matches, and all that is read
 * from them.  A failure prints the seed of its problem.
 */
#include "tests/counting.h"
#include "tests/crowd.h"
#include "tests/parts.h"

/* Two results that are to be the same, and what is told of them. */
struct pair {
    const struct coco_result *x, *y;
    const struct told *a, *b;
    uint64_t seed;
};

static void must_be(const struct pair *p, bool ok, const char *what)
{
    if (!ok)
        fail_msg("%s (seed %llu)", what, (unsigned long long)p->seed);
}

static void same_bytes(const struct pair *p, const char *what, const void *x,
                       const void *y, size_t n)
{
    must_be(p, x && y && memcmp(x, y, n) == 0, what);
}

#define SAME_BYTES(a, b, n) same_bytes(p, #a, a, b, (n) * sizeof(*(a)))
#define SAME(field, n) SAME_BYTES(x->field, y->field, n)

static void same_index(const struct pair *p)
{
    const struct coco_index *x = &p->x->index, *y = &p->y->index;
    must_be(p, x->n_images == y->n_images && x->n_classes == y->n_classes,
            "counts of the index");
    must_be(
        p, x->n_gt == y->n_gt && x->n_dt == y->n_dt && x->n_cells == y->n_cells,
        "rows of the index");
    must_be(p, x->unknown_category_dt == y->unknown_category_dt,
            "detections of unknown categories");
    SAME(image, x->n_images);
    SAME(category, x->n_categories);
    SAME(dt, x->n_dt);
    SAME(cell, x->n_cells);
    SAME(class_gt, x->n_classes + 1);
    SAME(class_dt, x->n_classes + 1);
    SAME(class_cell, x->n_classes + 1);
    SAME(dt_image, p->x->dt->n);
}

static void same_columns(const struct pair *p)
{
    const struct coco_detections *x = p->x->dt, *y = p->y->dt;
    const struct coco_ground_truth *g = p->x->gt, *h = p->y->gt;
    must_be(p, x->n == y->n, "detections");
    SAME(image_id, x->n);
    SAME(category_id, x->n);
    SAME(box, 4 * x->n);
    SAME(score, x->n);
    for (size_t i = 0; i < p->x->index.n_gt; i++) {
        size_t at = p->x->index.gt[i], in = p->y->index.gt[i];
        must_be(p, g->id[at] == h->id[in], "ground truth");
        SAME_BYTES(g->box + 4 * at, h->box + 4 * in, 4);
    }
}

static void same_matches(const struct pair *p)
{
    const struct coco_matches *x = &p->x->matches, *y = &p->y->matches;
    size_t n = p->x->index.n_dt;
    must_be(p,
            x->row_bytes == y->row_bytes && x->mask_bytes == y->mask_bytes &&
                x->n_thresholds == y->n_thresholds &&
                x->per_image == y->per_image,
            "shape of rows");
    SAME(mark, n);
    for (size_t i = 0; i < (n + 63) / 64; i++)
        must_be(p,
                x->rank[i].overlaps == y->rank[i].overlaps &&
                    x->rank[i].before == y->rank[i].before,
                "rank");
    size_t rows = 0;
    for (size_t i = 0; i < n; i++)
        rows += x->mark[i].overlaps;
    SAME(rows, rows * x->row_bytes);
    SAME(truth, n);
}

static void same_accumulated(const struct pair *p)
{
    const struct coco_matches *x = &p->x->matches, *y = &p->y->matches;
    const struct coco_index *ix = &p->x->index;
    SAME(class_sorted, ix->n_classes);
    must_be(p, x->cut == y->cut, "detections cut");
    for (size_t k = 0; k < ix->n_classes; k++)
        SAME_BYTES(x->sorted + ix->class_dt[k], y->sorted + ix->class_dt[k],
                   x->class_sorted[k]);
    for (size_t i = 0; i < coco_number_count(p->x->protocol); i++)
        must_be(p, same_bits(p->a->number[i], p->b->number[i]), "number");
    for (size_t i = 0; i < coco_number_count(p->x->protocol) + ix->n_classes;
         i++)
        must_be(p,
                memcmp(&p->a->intervals[i], &p->b->intervals[i],
                       3 * sizeof(double)) == 0 &&
                    p->a->intervals[i].defined == p->b->intervals[i].defined,
                "interval");
}

static void same_verdicts(const struct pair *p)
{
    const struct coco_verdicts *x = &p->a->v, *y = &p->b->v;
    size_t n_dt = p->x->index.n_dt, n_gt = p->x->index.n_gt;
    SAME(kind, n_dt);
    SAME(truth, n_dt);
    SAME(counts, n_gt);
    SAME(found, n_gt);
    SAME(claim, n_gt);
    SAME(confused, n_gt);
    SAME(overlap, n_gt);
}

static void same_analysis(const struct pair *p)
{
    const struct told *x = p->a, *y = p->b;
    size_t rows = p->x->index.n_classes + 1;
    SAME(images, p->x->index.n_images);
    must_be(p, x->confusion.n == y->confusion.n, "cells of the confusion");
    SAME(confusion.cell, x->confusion.n);
    SAME(errors, rows);
    for (size_t k = 0; k < rows; k++) {
        same_bytes(p, "levels", &x->points[k], &y->points[k],
                   offsetof(struct coco_points, at));
        SAME(points[k].at, ASKED);
        SAME(points[k].bin, p->x->protocol->n_bins);
    }
}

/* Joined, and scored at once. */
static void same_everything(struct cut *c, const struct made *chosen,
                            const bool *in, uint64_t seed,
                            const struct parallel *par)
{
    struct trial s;
    struct arena mem;
    struct coco_result joined = {0};
    struct told a = {0}, b = {0};
    size_t odd;
    trial_init(&s, &chosen->problem);
    arena_init(&mem, (size_t)1 << 30);
    s.core =
        (struct coco_result){.protocol = &s.protocol, .gt = &s.gt, .dt = &s.dt};
    struct pair p = {&joined, &s.core, &a, &b, seed};
    must_be(&p,
            !coco_index(&s.core.index, &s.gt, &s.dt, s.protocol.use_categories,
                        &s.mem, &parallel_serial) &&
                !coco_match(&s.core, true, &s.mem, &parallel_serial),
            "matching at once");
    must_be(&p, join(c, in, &joined, &odd, &mem, par) == 0, "joining");
    same_index(&p);
    same_columns(&p);
    same_matches(&p);
    must_be(&p, !tell(&a, &joined, &mem, par), "telling of the joined");
    must_be(&p, !tell(&b, &s.core, &s.mem, &parallel_serial), "telling");
    same_accumulated(&p);
    same_verdicts(&p);
    same_analysis(&p);
    arena_free(&mem);
    arena_free(&s.mem);
}

/* All images, with the ground truth as it is, and two random sets of them. */
static void compare(const struct kind *kind, uint64_t seeds, size_t n,
                    const struct parallel *par)
{
    struct made *m = test_malloc(2 * sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct random r = {seed};
        bool in[IDS_MAX];
        make(seed, kind, &m[0]);
        cut_init(c, &m[0].problem);
        for (size_t turn = 0; turn < 3; turn++) {
            for (size_t i = 0; i < IDS_MAX; i++)
                in[i] = turn == 0 || below(&r, 2);
            choose(c, &m[0], in, turn == 0, &m[1]);
            same_everything(c, &m[1], in, seed, par);
        }
        cut_free(c);
    }
    test_free(c);
    test_free(m);
}

static void joined_is_at_once(void **state)
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
    static const struct kind many = {"many", 63, 3, 300, 600, false, false};
    compare(&small, 4001, 30, &reverse);
    compare(&many, 5001, 8, &reverse);
    compare(&many, 6001, 8, &threads);
}

static void no_image_at_all(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    bool in[IDS_MAX] = {false};
    make(7, &small, &m[0]);
    cut_init(c, &m[0].problem);
    choose(c, &m[0], in, false, &m[1]);
    same_everything(c, &m[1], in, 7, &parallel_serial);
    cut_free(c);
    test_free(c);
    test_free(m);
}

/* The last of an id lies on another image, before it and behind it. */
static void an_id_on_two_images_moves_there(void **state)
{
    (void)state;
    static const int64_t image[] = {10, 20, 30}, category[] = {1, 2};
    static const struct gt_row gt[] = {
        {5, 20, 1, {0, 0, 9, 9}, 81, 0},    /* stands on 10, before all there */
        {7, 10, 1, {0, 0, 10, 10}, 100, 0}, /* its own */
        {9, 10, 1, {2, 0, 9, 9}, 81, 0},    /* stands on 30 */
        {0, 20, 2, {0, 0, 9, 9}, 81, 0},    /* stands on 30 */
        {5, 10, 1, {0, 0, 8, 8}, 64, 0},    {9, 30, 1, {4, 0, 9, 9}, 81, 0},
        {0, 30, 2, {4, 0, 9, 9}, 81, 0},
    };
    static const size_t want[] = {3, 0, 4};
    struct problem p = {.n_images = 3,
                        .n_categories = 2,
                        .n_gt = 7,
                        .image = image,
                        .category = category,
                        .gt = gt};
    coco_protocol_init(&p.protocol);
    struct cut *c = test_malloc(sizeof(*c));
    cut_init(c, &p);
    for (uint32_t i = 0; i < 3; i++) {
        struct coco_ground_truth own;
        assert_int_equal(c->part[i].n_truths, want[i]);
        assert_int_equal(c->part[i].image, image[i]);
        assert_false(coco_ground_truth_of_images(&own, &c->truths, &i, 1,
                                                 &c->whole.mem));
        assert_int_equal(own.n, want[i]);
        for (size_t g = 0; g < own.n; g++)
            assert_int_equal(own.image_id[g], image[i]);
        if (i == 0) { /* 10: its own rows come first, 20's later */
            assert_int_equal(own.id[0], 7);
            assert_int_equal(own.id[1], 5);
            assert_int_equal(own.id[2], 5);
            assert_true(same_bits(own.box[4 * 1 + 2], 8));
        }
    }
    assert_int_equal(coco_truths_image(&c->truths, 20), 1);
    assert_int_equal(coco_truths_image(&c->truths, 21), COCO_UNKNOWN);
    cut_free(c);
    test_free(c);
}

/* Its number is told of a part that is not in its place, or not whole. */
static void parts_that_do_not_go_are_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    bool in[IDS_MAX];
    struct coco_result r;
    struct arena mem;
    size_t odd, i = 0;
    memset(in, true, sizeof(in));
    arena_init(&mem, (size_t)1 << 28);
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    for (size_t at = 0; at + 1 < c->n; at++) {
        struct coco_part spare = c->part[at];
        c->part[at] = c->part[at + 1];
        assert_int_equal(join(c, in, &r, &odd, &mem, &parallel_serial), -1);
        assert_int_equal(odd, at + 1); /* twice the same */
        c->part[at + 1] = spare;
        assert_int_equal(join(c, in, &r, &odd, &mem, &parallel_serial), -1);
        assert_int_equal(odd, at + 1);
        c->part[at + 1] = c->part[at];
        c->part[at] = spare;
    }
    while (c->part[i].n_placed == c->part[i].n_dt)
        i++;
    for (size_t d = 0; d < c->part[i].n_dt; d++) { /* now they are known */
        uint8_t *category = c->block[i] + (c->part[i].category - c->block[i]);
        int64_t id = m->problem.category[0], is;
        memcpy(&is, category + d * sizeof(is), sizeof(is));
        if (is == 1000 || is == -1)
            memcpy(category + d * sizeof(id), &id, sizeof(id));
    }
    assert_int_equal(join(c, in, &r, &odd, &mem, &parallel_serial), -1);
    assert_int_equal(odd, i);
    arena_free(&mem);
    cut_free(c);
    test_free(c);
    test_free(m);
}

static void stopping_anywhere_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    bool in[IDS_MAX];
    size_t odd, stopped = 0;
    memset(in, true, sizeof(in));
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    for (size_t items = 0, done = 0; !done; items++) {
        struct counting lent;
        counting_init(&lent, items);
        struct arena mem;
        struct coco_result r;
        arena_init(&mem, (size_t)1 << 26);
        mem.stop = &lent.stop;
        done = join(c, in, &r, &odd, &mem, &lent.par) == 0;
        assert_int_equal(!done, atomic_load(&lent.stop));
        assert_int_equal(odd, c->n);
        stopped += !done;
        arena_free(&mem);
    }
    assert_true(stopped > 5);
    cut_free(c);
    test_free(c);
    test_free(m);
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    bool in[IDS_MAX] = {true, true, false, true};
    size_t odd, spent = 0;
    make(3001, &wide, m);
    cut_init(c, &m->problem);
    assert_true(c->n > 4);
    for (size_t bytes = 0, done = 0; !done; bytes += 64) {
        struct arena mem;
        struct coco_result r;
        arena_init(&mem, bytes);
        done = join(c, in, &r, &odd, &mem, &parallel_serial) == 0;
        assert_int_equal(odd, 3);
        spent += !done;
        arena_free(&mem);
    }
    assert_true(spent > 10);
    for (size_t bytes = 0, done = 0; !done; bytes += 64) {
        struct arena mem;
        struct coco_truths t;
        struct coco_ground_truth gt;
        static const uint32_t images[] = {0, 1};
        arena_init(&mem, bytes);
        done =
            !coco_truths_init(&t, &c->whole.gt, true, &mem, &parallel_serial) &&
            !coco_ground_truth_of_images(&gt, &t, images, 2, &mem);
        arena_free(&mem);
    }
    cut_free(c);
    test_free(c);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_is_at_once),
        cmocka_unit_test(workers_do_not_matter),
        cmocka_unit_test(no_image_at_all),
        cmocka_unit_test(an_id_on_two_images_moves_there),
        cmocka_unit_test(parts_that_do_not_go_are_told),
        cmocka_unit_test(stopping_anywhere_is_told),
        cmocka_unit_test(memory_that_ends_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
