/*
 * core/ against the oracle, bit by bit, on random small problems that are
 * all corner cases: ties, exact thresholds, empty boxes, crowds, repeated
 * ids.  A failure prints the seed of its problem.
 */
#include "core/coco.h"
#include "tests/drawn.h"
#include "tests/oracle.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

enum { PROBLEMS = 4000 };

static const struct coco_wanted everything = {
    .scores = true, .limits = true, .truths = true};

static const struct kind small = {"small", 4, 3, 12, 16, false, false};
static const struct kind unique = {"unique", 5, 3, 14, 18, true, false};
static const struct kind undefined = {"undefined", 2, 2, 10, 12, false, true};
static const struct kind crowded = {"crowded", 3, 2, 60, 400, false, false};
static const struct kind wide = {"wide", 40, 20, 900, 1800, false, false};

/* Fails the test unless both are the same bits; any two NaNs are. */
static void agree(double core, double other, const char *what, size_t at,
                  uint64_t seed)
{
    if (!same_bits(core, other) && !(isnan(core) && isnan(other)))
        fail_msg("%s %zu: %.17g, not %.17g (seed %llu)", what, at, core, other,
                 (unsigned long long)seed);
}

static void agree_at(const struct trial *s, struct place at, uint64_t seed)
{
    const struct oracle *o = &s->oracle;
    size_t i = oracle_at(o, at.t, at.r, at.k, at.a, at.m);
    agree(core_at(s, 'p', at), o->precision[i], "precision", i, seed);
    agree(core_at(s, 's', at), o->scores[i], "score", i, seed);
    i = oracle_recall_at(o, at.t, at.k, at.a, at.m);
    agree(core_at(s, 'r', at), o->recall[i], "recall", i, seed);
}

static void agree_everywhere(const struct trial *s, uint64_t seed)
{
    const struct oracle *o = &s->oracle;
    assert_int_equal(s->core.index.n_classes, o->n_classes);
    struct place at;
    for (at.t = 0; at.t < o->n_iou; at.t++)
        for (at.r = 0; at.r < o->n_recall; at.r++)
            for (at.k = 0; at.k < o->n_classes; at.k++)
                for (at.a = 0; at.a < o->n_areas; at.a++)
                    for (at.m = 0; at.m < COCO_LIMITS; at.m++)
                        agree_at(s, at, seed);
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        agree(core_number(s, i), o->number[i], "number", i, seed);
}

/* COCO's AP of a problem that has this image only. */
static double ap_alone(const struct trial *s, int64_t image)
{
    struct trial one = {.protocol = s->protocol};
    arena_init(&one.mem, (size_t)1 << 30);
    size_t n_met, *met = oracle_met(&s->protocol, &s->gt, &n_met, &one.mem);
    struct gt_row *gt = trial_alloc(&one, n_met, sizeof(*gt));
    struct dt_row *dt = trial_alloc(&one, s->dt.n, sizeof(*dt));
    struct problem p = {.protocol = s->protocol,
                        .n_images = 1,
                        .n_categories = s->gt.n_categories,
                        .image = &image,
                        .category = s->gt.category,
                        .gt = gt,
                        .dt = dt};
    for (size_t i = 0; i < n_met; i++) {
        size_t j = met[i];
        struct gt_row g = {s->gt.id[j], image,         s->gt.category_id[j],
                           {0},         s->gt.area[j], s->gt.crowd[j]};
        memcpy(g.box, s->gt.box + 4 * j, sizeof(g.box));
        if (s->gt.image_id[j] == image)
            gt[p.n_gt++] = g;
    }
    for (size_t j = 0; j < s->dt.n; j++) {
        struct dt_row d = {image, s->dt.category_id[j], {0}, s->dt.score[j]};
        memcpy(d.box, s->dt.box + 4 * j, sizeof(d.box));
        if (s->dt.image_id[j] == image)
            dt[p.n_dt++] = d;
    }
    struct trial alone;
    trial_init(&alone, &p);
    trial_oracle(&alone);
    const struct oracle *o = &alone.oracle;
    size_t n = 0;
    double *x =
        trial_alloc(&one, o->n_iou * o->n_recall * o->n_classes, sizeof(*x));
    for (size_t i = 0; i < o->n_iou * o->n_recall * o->n_classes; i++) {
        x[n] =
            o->precision[(i * o->n_areas + p.protocol.area_all) * COCO_LIMITS +
                         COCO_LIMITS - 1];
        n += x[n] > -1;
    }
    double ap = n ? oracle_mean(x, n, p.protocol.summation) : -1;
    trial_free(&alone);
    arena_free(&one.mem);
    return ap;
}

static void agree_on_image(const struct trial *s, size_t i, uint64_t seed)
{
    const struct coco_image *got = &s->images[i];
    int64_t id = s->core.index.image[i];
    struct coco_image want = {.ap = ap_alone(s, id)};
    oracle_image(&s->protocol, &s->gt, &s->dt, id, &want);
    assert_int_equal(got->tp + got->fn, got->positives);
    assert_int_equal(got->tp + got->fp + got->ignored, got->detections);
    const uint32_t pairs[][2] = {{got->positives, want.positives},
                                 {got->detections, want.detections},
                                 {got->tp, want.tp},
                                 {got->fp, want.fp},
                                 {got->fn, want.fn},
                                 {got->ignored, want.ignored}};
    for (size_t j = 0; j < sizeof(pairs) / sizeof(*pairs); j++)
        agree(pairs[j][0], pairs[j][1], "count of an image", j, seed);
    agree(got->mean_iou, want.mean_iou, "mean IoU of image", i, seed);
    agree(got->ap, want.ap, "AP of image", i, seed);
}

/* Without scores only some precisions are kept: those the numbers need. */
static void agree_without_scores(struct trial *s, uint64_t seed)
{
    trial_core(s, (struct coco_wanted){0}, &parallel_serial);
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        agree(core_number(s, i), s->oracle.number[i], "plain number", i, seed);
}

static void compare(const struct kind *kind, uint64_t seeds, size_t n)
{
    struct made *m = test_malloc(sizeof(*m));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct trial s;
        make(seed, kind, m);
        trial_init(&s, &m->problem);
        trial_core(&s, everything, &parallel_serial);
        trial_oracle(&s);
        agree_everywhere(&s, seed);
        for (size_t i = 0; i < s.core.index.n_images; i++)
            agree_on_image(&s, i, seed);
        agree_without_scores(&s, seed);
        trial_free(&s);
    }
    test_free(m);
}

static void small_problems_agree(void **state)
{
    (void)state;
    compare(&small, 1, PROBLEMS);
}

static void crowded_problems_agree(void **state)
{
    (void)state;
    compare(&crowded, 10001, 60);
}

static void wide_problems_agree(void **state)
{
    (void)state;
    compare(&wide, 20001, 4);
}

static void undefined_overlaps_agree(void **state)
{
    (void)state;
    compare(&undefined, 30001, 1000);
}

/* Every item once, in an order and by workers that nobody would choose. */
static void run_shuffled(const struct parallel *self, size_t n,
                         parallel_task *task, void *context)
{
    struct random r = {n};
    size_t step = 1 + below(&r, n + 1);
    for (;; step++) { /* coprime to n, so every item is met */
        size_t a = n, b = step;
        for (size_t c; b > 0; c = a % b, a = b, b = c)
            ;
        if (a <= 1 || n == 0)
            break;
    }
    for (size_t i = 0; i < n; i++)
        task(context, (n - 1 - i) * step % n, below(&r, self->width));
}

struct crew {
    atomic_size_t next, workers;
    size_t n;
    parallel_task *task;
    void *context;
};

static void *work(void *arg)
{
    struct crew *c = arg;
    size_t worker = atomic_fetch_add(&c->workers, 1);
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < c->n;)
        c->task(c->context, i, worker);
    return NULL;
}

static void run_threads(const struct parallel *self, size_t n,
                        parallel_task *task, void *context)
{
    struct crew c = {.n = n, .task = task, .context = context};
    pthread_t thread[8];
    assert_true(self->width <= 8);
    for (size_t i = 0; i < self->width; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, &c), 0);
    for (size_t i = 0; i < self->width; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
}

/* Two results of core/ on the same problem. */
static void same_results(const struct trial *s, const struct trial *other,
                         uint64_t seed)
{
    const struct coco_protocol *p = &s->protocol;
    struct place at = {0};
    for (; at.k < s->core.index.n_classes; at.k++)
        for (at.a = 0; at.a < p->n_areas; at.a++)
            for (at.m = 0; at.m < COCO_LIMITS; at.m++)
                for (at.t = 0; at.t < p->n_iou; at.t++)
                    for (at.r = 0; at.r < p->n_recall; at.r++)
                        for (const char *c = "psr"; *c; c++)
                            agree(core_at(s, *c, at), core_at(other, *c, at),
                                  "tensors at recall", at.r, seed);
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        agree(core_number(s, i), core_number(other, i), "number", i, seed);
    for (size_t i = 0; i < s->core.index.n_images; i++)
        if (memcmp(&s->images[i], &other->images[i],
                   offsetof(struct coco_image, mean_iou)) != 0)
            fail_msg("image %zu (seed %llu)", i, (unsigned long long)seed);
    for (size_t i = 0; i < s->core.index.n_images; i++) {
        agree(s->images[i].mean_iou, other->images[i].mean_iou, "mean IoU", i,
              seed);
        agree(s->images[i].ap, other->images[i].ap, "AP of image", i, seed);
    }
}

static void compare_workers(const struct kind *kind, uint64_t seeds, size_t n,
                            const struct parallel *par)
{
    struct made *m = test_malloc(sizeof(*m));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct trial one, many;
        make(seed, kind, m);
        trial_init(&one, &m->problem);
        trial_init(&many, &m->problem);
        trial_core(&one, everything, &parallel_serial);
        trial_core(&many, everything, par);
        same_results(&one, &many, seed);
        arena_free(&one.mem);
        arena_free(&many.mem);
    }
    test_free(m);
}

static void order_of_work_does_not_matter(void **state)
{
    (void)state;
    const struct parallel three = {.width = 3, .run = run_shuffled};
    compare_workers(&small, 40001, 300, &three);
    compare_workers(&wide, 50001, 6, &three);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    const struct parallel two = {.width = 2, .run = run_threads};
    compare_workers(&small, 60001, 200, &two);
    compare_workers(&wide, 70001, 6, &two);
}

static struct random deal;

/* Image ids in a new order, and rows regrouped by them, kept in order. */
static void shuffle_images(struct made *m, struct made *out)
{
    *out = *m;
    struct problem *p = &out->problem;
    p->image = out->image, p->category = out->category;
    p->gt = out->gt, p->dt = out->dt;
    make_ids(&deal, out->image, p->n_images);
    size_t g = 0, d = 0;
    for (size_t i = 0; i <= p->n_images; i++) {
        int64_t id = i < p->n_images ? out->image[i] : 1000;
        for (size_t j = 0; j < p->n_gt; j++)
            if (m->gt[j].image == id)
                out->gt[g++] = m->gt[j];
        for (size_t j = 0; j < p->n_dt; j++)
            if (m->dt[j].image == id)
                out->dt[d++] = m->dt[j];
    }
    assert_true(g == p->n_gt && d == p->n_dt);
}

static void order_of_images_does_not_matter(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    deal.state = 5;
    for (uint64_t seed = 80001; seed < 80301; seed++) {
        struct trial one, other;
        make(seed, &unique, m);
        shuffle_images(&m[0], &m[1]);
        trial_init(&one, &m[0].problem);
        trial_init(&other, &m[1].problem);
        trial_core(&one, everything, &parallel_serial);
        trial_core(&other, everything, &parallel_serial);
        same_results(&one, &other, seed);
        arena_free(&one.mem);
        arena_free(&other.mem);
    }
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_problems_agree),
        cmocka_unit_test(crowded_problems_agree),
        cmocka_unit_test(wide_problems_agree),
        cmocka_unit_test(undefined_overlaps_agree),
        cmocka_unit_test(order_of_work_does_not_matter),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(order_of_images_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
