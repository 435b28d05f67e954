/*
 * Scores with weights against scores of problems in which images are copied
 * or left out for real, by bits.  A failure prints the seed of its problem.
 */
#include "tests/replayed.h"

static const struct kind small = {5, 3, 20, 40, 1, false};
static const struct kind tied = {5, 3, 20, 40, 0, true};
static const struct kind crowded = {2, 1, 40, 700, 1, false};

/* Every number, of all categories and of each. */
static void agree_everywhere(const struct coco_result *got,
                             const struct coco_result *want, uint64_t seed)
{
    const struct coco_protocol *p = want->protocol;
    assert_int_equal(got->index.n_classes, want->index.n_classes);
    for (size_t i = 0; i < coco_number_count(p); i++) {
        struct coco_number number = coco_number(p, i);
        agree(coco_value(got, &number, COCO_ALL_CLASSES),
              coco_value(want, &number, COCO_ALL_CLASSES), number.name, seed);
        for (size_t k = 0; k < want->index.n_classes; k++)
            agree(coco_value(got, &number, k), coco_value(want, &number, k),
                  number.name, seed);
    }
    for (size_t k = 0; k < want->index.n_classes; k++)
        for (size_t a = 0; a < p->n_areas; a++)
            assert_int_equal(got->class[k].positives[a],
                             want->class[k].positives[a]);
}

static void ones_change_nothing(void **state)
{
    (void)state;
    static const struct kind *const kinds[] = {&small, &tied, &crowded, &wide};
    static const size_t seeds[] = {200, 200, 20, 40};
    uint32_t ones[IMAGES];
    struct made *m = test_malloc(sizeof(*m));
    for (size_t i = 0; i < IMAGES; i++)
        ones[i] = 1;
    for (size_t k = 0; k < 4; k++)
        for (uint64_t seed = 1; seed <= seeds[k]; seed++) {
            struct player p;
            make(seed, kinds[k], m);
            player_init(&p, &m->problem, &parallel_serial);
            for (size_t i = 0; i < 2; i++) /* a take is used again */
                agree_everywhere(coco_replay_play(p.replay, ones, p.take),
                                 &p.trial.core, seed);
            player_free(&p);
        }
    test_free(m);
}

/* With weights below `weights`; on copies that the oracle scores, too. */
static void compare(const struct kind *kind, uint64_t seeds, size_t n,
                    size_t weights)
{
    struct made *m = test_malloc(2 * sizeof(*m));
    for (uint64_t seed = seeds; seed < seeds + n; seed++) {
        struct random r = {seed};
        struct player p;
        struct trial copied;
        uint32_t weight[IMAGES];
        make(seed, kind, &m[0]);
        player_init(&p, &m[0].problem, &parallel_serial);
        for (size_t turn = 0; turn < 3; turn++) {
            for (size_t i = 0; i < IMAGES; i++)
                weight[i] = (uint32_t)below(&r, weights);
            copy_images(&m[0], weight, &m[1]);
            trial_init(&copied, &m[1].problem);
            trial_core(&copied, (struct coco_wanted){0}, &parallel_serial);
            const struct coco_result *played =
                coco_replay_play(p.replay, weight, p.take);
            agree_everywhere(played, &copied.core, seed);
            trial_oracle(&copied);
            for (size_t i = 0; i < COCO_NUMBERS; i++) {
                struct coco_number number = coco_number(played->protocol, i);
                agree(coco_value(played, &number, COCO_ALL_CLASSES),
                      copied.oracle.number[i], "oracle's", seed);
            }
            trial_free(&copied);
        }
        player_free(&p);
    }
    test_free(m);
}

static void zeros_leave_images_out(void **state)
{
    (void)state;
    compare(&small, 1001, 50, 2);
    compare(&tied, 2001, 50, 2);
    compare(&wide, 3001, 4, 2);
    compare(&crowded, 4001, 6, 2);
}

static void weights_are_copies(void **state)
{
    (void)state;
    compare(&small, 5001, 50, COPIES + 1);
    compare(&wide, 6001, 4, COPIES + 1);
    compare(&crowded, 7001, 6, COPIES + 1);
}

static void size_slices_are_numbers_of_the_summary(void **state)
{
    (void)state;
    static const size_t ap[] = {0, 3, 4, 5}, ar[] = {8, 9, 10, 11};
    struct made *m = test_malloc(sizeof(*m));
    make(11, &wide, m);
    coco_protocol_init(&m->problem.protocol);
    struct player p;
    player_init(&p, &m->problem, &parallel_serial);
    struct coco_slice out[4];
    coco_size_slices(&p.trial.core, out);
    for (size_t a = 0; a < 4; a++) {
        agree(out[a].ap, core_number(&p.trial, ap[a]), "AP", a);
        agree(out[a].ar, core_number(&p.trial, ar[a]), "AR", a);
        uint32_t n = 0;
        for (size_t i = 0; i < m->problem.n_gt; i++)
            n += !m->gt[i].crowd &&
                 m->gt[i].area >= p.trial.protocol.area[a].lo &&
                 m->gt[i].area <= p.trial.protocol.area[a].hi;
        assert_int_equal(out[a].positives, n);
        assert_int_equal(out[a].images, m->problem.n_images);
    }
    agree(out[0].ap50, core_number(&p.trial, 1), "AP50", 0);
    agree(out[0].ap75, core_number(&p.trial, 2), "AP75", 0);
    assert_true(out[1].ap50 >= 0 && !same_bits(out[1].ap50, out[0].ap50));
    player_free(&p);
    m->problem.protocol.iou[0] = 0.51;
    m->problem.protocol.max_detections[2] = 99;
    player_init(&p, &m->problem, &parallel_serial);
    coco_size_slices(&p.trial.core, out);
    agree(out[0].ap50, -1, "AP50 without its threshold", 0);
    assert_true(out[0].ap75 > 0 && out[0].ap > 0);
    player_free(&p);
    test_free(m);
}

/* Weights 1 where so many ground truths count; says how many images. */
static uint32_t of_count(const struct trial *s, const struct made *m,
                         const struct coco_count *range, uint32_t *weight)
{
    uint32_t images = 0;
    for (size_t i = 0; i < s->core.index.n_images; i++) {
        uint32_t n = 0;
        for (size_t j = 0; j < m->problem.n_gt; j++)
            n += m->gt[j].image == s->core.index.image[i] && !m->gt[j].crowd &&
                 m->gt[j].area <= 12000;
        weight[i] = n >= range->lo && n <= range->hi;
        images += weight[i];
    }
    return images;
}

static void count_slices_are_problems_of_their_own(void **state)
{
    (void)state;
    struct made *m = test_malloc(2 * sizeof(*m));
    make(21, &wide, &m[0]);
    struct coco_protocol *p = &m[0].problem.protocol;
    coco_protocol_init(p);
    p->n_counts = 5;
    p->count[4] = (struct coco_count){"0-2", 0, 2};
    p->area[3] = p->area[0];
    p->area[3].hi = 12000;
    p->area[0] = (struct coco_area){"tiny", 0, 300};
    p->area_all = 3;
    struct player player;
    player_init(&player, &m[0].problem, &parallel_serial);
    struct coco_slice out[5];
    assert_int_equal(coco_count_slices(&player.trial.core, player.replay, out,
                                       &player.trial.mem, &parallel_serial),
                     0);
    for (size_t i = 0; i < 5; i++) {
        uint32_t weight[IMAGES];
        struct trial own;
        assert_int_equal(out[i].images,
                         of_count(&player.trial, &m[0], &p->count[i], weight));
        assert_true(i == 3 || out[i].images > 0);
        copy_images(&m[0], weight, &m[1]);
        trial_init(&own, &m[1].problem);
        trial_core(&own, (struct coco_wanted){0}, &parallel_serial);
        agree(out[i].ap, core_number(&own, 0), "AP", i);
        agree(out[i].ap50, core_number(&own, 1), "AP50", i);
        agree(out[i].ap75, core_number(&own, 2), "AP75", i);
        agree(out[i].ar, core_number(&own, 8), "AR", i);
        uint32_t positives = 0;
        for (size_t k = 0; k < own.core.index.n_classes; k++)
            positives += own.core.class[k].positives[3];
        assert_int_equal(out[i].positives, positives);
        arena_free(&own.mem);
    }
    player_free(&player);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ones_change_nothing),
        cmocka_unit_test(zeros_leave_images_out),
        cmocka_unit_test(weights_are_copies),
        cmocka_unit_test(size_slices_are_numbers_of_the_summary),
        cmocka_unit_test(count_slices_are_problems_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
