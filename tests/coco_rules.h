/*
 * The rules of COCO evaluation as a table: small problems, a row each, and
 * what comes of them, worked out by hand.
 */
#ifndef EVALD_TESTS_COCO_RULES_H
#define EVALD_TESTS_COCO_RULES_H

#include "tests/problem.h"

/* Precision of one true positive and no false one: 1 / (1 + 2^-52). */
#define ONE 0.9999999999999998

enum { ALL, SMALL, MEDIUM, LARGE };
enum { T50, T55, T75 = 5 };
enum { M1, M10, M100 };

struct check {
    char what; /* of core_at, or number, iou or recall grid, K, cut */
    struct place at;
    double want;
};

struct rule {
    const char *name;
    size_t n_gt, n_dt, n_images, n_categories, n_checks;
    const struct gt_row *gt;
    const struct dt_row *dt;
    const int64_t *image, *category;
    const struct check *checks;
    void (*adjust)(struct coco_protocol *p);
};

#define ROWS(type, ...) \
    (const type[])      \
    {                   \
        __VA_ARGS__     \
    }
#define COUNT(type, ...) sizeof(ROWS(type, __VA_ARGS__)) / sizeof(type)
#define GT(...)                             \
    .gt = ROWS(struct gt_row, __VA_ARGS__), \
    .n_gt = COUNT(struct gt_row, __VA_ARGS__)
#define DT(...)                             \
    .dt = ROWS(struct dt_row, __VA_ARGS__), \
    .n_dt = COUNT(struct dt_row, __VA_ARGS__)
#define IMAGES(...) \
    .image = ROWS(int64_t, __VA_ARGS__), .n_images = COUNT(int64_t, __VA_ARGS__)
#define CATEGORIES(...)                     \
    .category = ROWS(int64_t, __VA_ARGS__), \
    .n_categories = COUNT(int64_t, __VA_ARGS__)
#define WANT(...)                              \
    .checks = ROWS(struct check, __VA_ARGS__), \
    .n_checks = COUNT(struct check, __VA_ARGS__)

/* Ground truth and detection; the short ones lie in image 1, category 1. */
#define G(id, x, y, w, h) GA(id, x, y, w, h, (w) * (h))
#define GA(id, x, y, w, h, area)        \
    {                                   \
        id, 1, 1, {x, y, w, h}, area, 0 \
    }
#define GI(id, image, category, x, y, w, h)             \
    {                                                   \
        id, image, category, {x, y, w, h}, (w) * (h), 0 \
    }
#define CROWD(id, x, y, w, h)                \
    {                                        \
        id, 1, 1, {x, y, w, h}, (w) * (h), 1 \
    }
#define D(score, x, y, w, h) DI(score, 1, 1, x, y, w, h)
#define DI(score, image, category, x, y, w, h) \
    {                                          \
        image, category, {x, y, w, h}, score   \
    }

/* Two ground truths, both found: precision 1 all along. */
#define TWO_FOUND                                \
    GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10)), \
        DT(D(.9, 0, 0, 10, 10), D(.8, 20, 0, 10, 10))

/* Checks of category 0 and the largest max_detections, then of any. */
#define P(t, r, a, want)           \
    {                              \
        'p', {t, r, 0, a, 2}, want \
    }
#define S(t, r, a, want)           \
    {                              \
        's', {t, r, 0, a, 2}, want \
    }
#define R(t, a, want)              \
    {                              \
        'r', {t, 0, 0, a, 2}, want \
    }
#define P_AT(t, r, k, a, m, want)  \
    {                              \
        'p', {t, r, k, a, m}, want \
    }
#define S_AT(t, r, k, a, m, want)  \
    {                              \
        's', {t, r, k, a, m}, want \
    }
#define R_AT(t, k, a, m, want)     \
    {                              \
        'r', {t, 0, k, a, m}, want \
    }
#define NUMBER(i, want)            \
    {                              \
        'n', {i, 0, 0, 0, 0}, want \
    }
#define CLASSES(want)  \
    {                  \
        'K', {0}, want \
    }
#define CUT(want)      \
    {                  \
        'c', {0}, want \
    }
#define IOU(i, want)               \
    {                              \
        'i', {i, 0, 0, 0, 0}, want \
    }
#define RECALL(i, want)            \
    {                              \
        'g', {i, 0, 0, 0, 0}, want \
    }

static void no_categories(struct coco_protocol *p)
{
    p->use_categories = false;
}

static void limits_1_2_3(struct coco_protocol *p)
{
    for (uint32_t i = 0; i < COCO_LIMITS; i++)
        p->max_detections[i] = i + 1;
}

static void limits_1_100_200(struct coco_protocol *p)
{
    p->max_detections[1] = 100;
    p->max_detections[2] = 200;
}

static void one_threshold(struct coco_protocol *p, double iou)
{
    p->n_iou = 1;
    p->iou[0] = iou;
}

static void threshold_1(struct coco_protocol *p)
{
    one_threshold(p, 1);
}

static void threshold_51(struct coco_protocol *p)
{
    one_threshold(p, 0.51);
}

/* The IoU of the boxes in overlap_is_rounded_step_by_step, rounded so. */
static void threshold_rounded(struct coco_protocol *p)
{
    one_threshold(p, 0x1.36a9427ad4507p-1);
}

static const struct rule rules[] = {
    /* clang-format off */
    /* 1: ids */
    {"categories_are_sorted_by_id", CATEGORIES(9, 2),
     GT(GI(1, 1, 9, 0, 0, 10, 10), GI(2, 1, 2, 0, 0, 10, 10)),
     DT(DI(.9, 1, 9, 0, 0, 10, 10)),
     WANT(R_AT(T50, 0, ALL, M100, 0), R_AT(T50, 1, ALL, M100, 1))},
    {"repeated_category_ids_count_once", CATEGORIES(5, 5),
     GT(GI(1, 1, 5, 0, 0, 10, 10)), DT(DI(.9, 1, 5, 0, 0, 10, 10)),
     WANT(CLASSES(1), R(T50, ALL, 1))},
    {"images_are_sorted_by_id", IMAGES(7, 3),
     GT(GI(1, 7, 1, 0, 0, 10, 10)),
     DT(DI(.5, 7, 1, 0, 0, 10, 10), DI(.5, 3, 1, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, .5), R(T50, ALL, 1))},
    {"detections_of_unknown_categories_vanish", CATEGORIES(4),
     GT(GI(1, 1, 4, 0, 0, 10, 10)),
     DT(DI(.9, 1, 3, 50, 0, 10, 10), DI(.5, 1, 4, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE))},
    {"unknown_categories_vanish_even_where_categories_are_not_used",
     CATEGORIES(4), GT(GI(1, 1, 4, 0, 0, 10, 10)),
     DT(DI(.9, 1, 3, 50, 0, 10, 10), DI(.5, 1, 4, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE)), .adjust = no_categories},

    /* 2: file order breaks ties */
    {"equal_scores_keep_file_order", GT(G(1, 0, 0, 10, 10)),
     DT(D(.5, 50, 0, 10, 10), D(.5, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, .5))},
    {"equal_scores_keep_file_order_the_other_way", GT(G(1, 0, 0, 10, 10)),
     DT(D(.5, 0, 0, 10, 10), D(.5, 50, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE))},
    {"ground_truths_keep_file_order", /* not the order of their ids */
     GT(G(9, 0, 0, 10, 5), G(4, 0, 5, 10, 5)),
     DT(D(.9, 0, 0, 10, 10), D(.5, 0, 5, 10, 5)),
     WANT(R(T50, ALL, .5), R(T75, ALL, .5))},

    /* 3: areas */
    {"detection_area_is_width_times_height", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 200, 0, 32, 33), D(.5, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, .5), P(T50, 0, SMALL, ONE),
          P(T50, 0, MEDIUM, -1))},
    {"ground_truth_area_is_the_field", GT(GA(1, 0, 0, 10, 10, 5000)),
     DT(D(.9, 0, 0, 10, 10)),
     WANT(R(T50, ALL, 1), R(T50, SMALL, -1), R(T50, MEDIUM, 1),
          R(T50, LARGE, -1))},

    /* 4: crowds and repeated ids */
    {"crowd_is_no_positive",
     GT(G(1, 0, 0, 10, 10), CROWD(2, 50, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)), WANT(R(T50, ALL, 1))},
    {"match_with_a_crowd_does_not_count",
     GT(CROWD(1, 0, 0, 10, 10), G(2, 50, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.5, 50, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE), R(T50, ALL, 1))},
    {"last_of_equal_annotation_ids_stands_for_all",
     GT(G(1, 0, 0, 10, 10), G(1, 50, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.5, 50, 0, 10, 10)),
     WANT(R(T50, ALL, .5), P(T50, 0, ALL, .5))},
    {"last_of_equal_ids_brings_its_image_and_category", CATEGORIES(1, 2),
     GT(GI(1, 1, 1, 0, 0, 10, 10), GI(1, 2, 2, 0, 0, 10, 10)),
     DT(DI(.9, 2, 2, 0, 0, 10, 10)),
     WANT(R_AT(T50, 0, ALL, M100, -1), R_AT(T50, 1, ALL, M100, .5))},

    /* 5: overlap */
    {"degenerate_boxes_do_not_overlap_themselves",
     GT(G(1, 0, 0, 0, 5), G(2, 50, 0, 5, 0), G(3, 99, 0, 5, 5)),
     DT(D(.9, 0, 0, 0, 5), D(.8, 50, 0, 5, 0)), WANT(R(T50, ALL, 0))},
    {"overlap_is_relative_to_the_union", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 5, 10, 10)), WANT(R(T50, ALL, 0))},
    {"overlap_is_the_common_part", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 2, 2, 8, 8)), /* 64 / 100 */
     WANT(R(T50, ALL, 1), R(2, ALL, 1), R(3, ALL, 0))},
    {"overlap_with_a_crowd_is_relative_to_the_detection",
     GT(CROWD(1, 0, 0, 100, 100), G(2, 200, 0, 10, 10)),
     DT(D(.9, 20, 20, 10, 10), D(.5, 200, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE))},
    {"overlap_is_rounded_step_by_step", GT(G(1, 4.0, 8.7, 4.3, 6.9)),
     DT(D(.9, 4.9, 7.9, 3.2, 9.0)), WANT(R(0, ALL, 1)),
     .adjust = threshold_rounded},

    /* 6: order and limits of detections */
    {"minus_zero_ties_with_zero", GT(G(1, 0, 0, 10, 10)),
     DT(D(-0.0, 0, 0, 10, 10), D(0.0, 50, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE), S(T50, 0, ALL, -0.0))},
    {"scores_below_zero_are_sorted_too", GT(G(1, 0, 0, 10, 10)),
     DT(D(-2, 50, 0, 10, 10), D(-1, 0, 0, 10, 10), D(-3, 90, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE))},
    {"detections_are_sorted_before_they_are_cut", GT(G(1, 0, 0, 10, 10)),
     DT(D(.1, 0, 0, 10, 10), D(.9, 50, 0, 10, 10)),
     WANT(R_AT(T50, 0, ALL, M1, 0), R_AT(T50, 0, ALL, M10, 1))},
    {"limits_are_per_image_and_category", CATEGORIES(1, 2),
     GT(GI(1, 1, 1, 0, 0, 10, 10), GI(2, 2, 1, 0, 0, 10, 10),
        GI(3, 1, 2, 0, 0, 10, 10)),
     DT(DI(.9, 1, 1, 50, 0, 10, 10), DI(.8, 1, 1, 0, 0, 10, 10),
        DI(.2, 1, 1, 70, 0, 10, 10), DI(.1, 1, 1, 90, 0, 10, 10),
        DI(.7, 2, 1, 0, 0, 10, 10), DI(.6, 1, 2, 0, 0, 10, 10)),
     WANT(R_AT(T50, 0, ALL, 0, .5), R_AT(T50, 0, ALL, 1, 1),
          R_AT(T50, 1, ALL, 0, 1), CUT(1)), .adjust = limits_1_2_3},

    /* 7: ignored ground truths */
    {"area_1024_is_small_and_medium", GT(G(1, 0, 0, 32, 32)),
     DT(D(.9, 0, 0, 32, 32)),
     WANT(R(T50, ALL, 1), R(T50, SMALL, 1), R(T50, MEDIUM, 1),
          R(T50, LARGE, -1))},
    {"area_9216_is_medium_and_large", GT(G(1, 0, 0, 96, 96)),
     DT(D(.9, 0, 0, 96, 96)),
     WANT(R(T50, SMALL, -1), R(T50, MEDIUM, 1), R(T50, LARGE, 1))},
    {"ignored_ground_truths_come_last",
     GT(CROWD(1, 0, 0, 10, 10), G(2, 0, 0, 10, 6)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 5)),
     WANT(R(T50, ALL, 1), P(T50, 100, ALL, ONE), R(T75, ALL, 1))},

    /* 8: matching */
    {"overlap_equal_to_the_threshold_matches", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 5)), WANT(R(T50, ALL, 1), R(T55, ALL, 0))},
    {"equal_iou_later_ground_truth_wins",
     GT(G(1, 0, 0, 10, 5), G(2, 0, 5, 10, 5)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 5, 10, 5)),
     WANT(R(T50, ALL, .5), P(T50, 0, ALL, ONE))},
    {"threshold_1_asks_for_a_little_less",
     GT(GA(1, 0, 0, 1, 1, 1), GA(2, 50, 0, 1, 1, 1)),
     DT(D(.9, 0, 0, 1, 1 - 5e-11), D(.8, 50, 0, 1, 1 - 5e-10)),
     WANT(R(0, ALL, .5)), .adjust = threshold_1},
    {"better_overlap_wins_over_a_later_one",
     GT(G(1, 0, 0, 10, 10), G(2, 0, 0, 10, 6)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 4)), WANT(R(T50, ALL, 1))},
    {"better_overlap_wins_over_an_earlier_one",
     GT(G(1, 0, 0, 10, 6), G(2, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 4)), WANT(R(T50, ALL, 1))},
    {"crowd_is_met_again_and_again",
     GT(CROWD(1, 0, 0, 10, 10), G(2, 50, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 5), D(.5, 50, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE))},
    {"other_ground_truths_are_met_once",
     GT(G(1, 0, 0, 10, 10), G(2, 50, 0, 10, 10), G(3, 90, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 10), D(.7, 50, 0, 10, 10)),
     WANT(R(T50, ALL, 2.0 / 3), P(T50, 50, ALL, 2.0 / 3))},
    {"ignored_one_is_left_alone_by_a_detection_that_counts",
     GT(G(1, 0, 0, 10, 6), CROWD(2, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)), WANT(R(T50, ALL, 1), R(T75, ALL, 0))},
    {"thresholds_match_independently", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 6), D(.8, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE), P(T75, 0, ALL, .5), R(T75, ALL, 1))},
    {"match_inherits_the_ignore_flag",
     GT(GA(1, 0, 0, 10, 10, 5000), G(2, 50, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.5, 50, 0, 10, 10)),
     WANT(P(T50, 0, SMALL, ONE), R(T50, SMALL, 1), R(T50, MEDIUM, 1))},

    /* 9: detections that do not count, and id 0 */
    {"unmatched_detection_outside_the_range_is_ignored",
     GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 200, 0, 50, 50), D(.5, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, .5), P(T50, 0, SMALL, ONE))},
    {"detection_that_overlaps_too_little_is_unmatched", /* IoU 0.545 */
     GT(G(1, 0, 0, 32, 18)),
     DT(D(.9, 0, 0, 32, 33), D(.5, 0, 0, 32, 18)),
     WANT(P(T75, 0, ALL, .5), P(T75, 0, SMALL, ONE))},
    {"unmatched_detection_at_the_end_of_a_range_counts",
     GT(G(1, 0, 0, 32, 32)),
     DT(D(.9, 200, 0, 32, 32), D(.5, 0, 0, 32, 32)),
     WANT(P(T50, 0, SMALL, .5), P(T50, 0, MEDIUM, .5))},
    {"matched_detection_outside_the_range_counts", GT(G(1, 0, 0, 32, 32)),
     DT(D(.9, 0, 0, 32, 33)), WANT(R(T50, SMALL, 1))},
    {"match_to_id_0_counts_as_unmatched", GT(G(0, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)), WANT(R(T50, ALL, 0), P(T50, 0, ALL, 0))},
    {"match_to_id_0_takes_it_all_the_same",
     GT(G(0, 0, 0, 10, 10), G(5, 0, 0, 10, 6)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 0, 0, 10, 9)),
     WANT(R(T50, ALL, .5), P(T50, 0, ALL, .5))},

    /* 10: without categories */
    {"without_categories_all_are_one", CATEGORIES(1, 2),
     GT(G(1, 0, 0, 10, 10)), DT(DI(.9, 1, 2, 0, 0, 10, 10)),
     WANT(CLASSES(1), R(T50, ALL, 1)), .adjust = no_categories},
    {"without_categories_ties_follow_category_ids",
     CATEGORIES(2, 1), IMAGES(1, 2), GT(G(1, 0, 0, 10, 10)),
     DT(DI(.5, 1, 2, 50, 0, 10, 10), DI(.5, 1, 1, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE)), .adjust = no_categories},
    {"without_categories_an_unknown_one_still_stands_for_its_id",
     GT(GI(1, 1, 77, 0, 0, 10, 10), GI(1, 1, 1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)), WANT(R(T50, ALL, .5)),
     .adjust = no_categories},

    /* 11: joining images */
    {"images_are_joined_by_score",
     GT(GI(1, 1, 1, 0, 0, 10, 10), GI(2, 2, 1, 0, 0, 10, 10)),
     DT(DI(.5, 1, 1, 50, 0, 10, 10), DI(.9, 2, 1, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, ONE), R(T50, ALL, .5), S(T50, 0, ALL, .9))},
    {"equal_scores_keep_image_order",
     GT(GI(1, 2, 1, 0, 0, 10, 10)),
     DT(DI(.5, 2, 1, 0, 0, 10, 10), DI(.5, 1, 1, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, .5))},
    {"positives_are_those_of_all_images",
     GT(GI(1, 1, 1, 0, 0, 10, 10), GI(2, 2, 1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)), WANT(R(T50, ALL, .5))},
    {"no_ground_truth_gives_minus_1", CATEGORIES(1, 2, 3),
     GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), DI(.9, 1, 2, 0, 0, 10, 10)),
     WANT(P_AT(T50, 0, 1, ALL, M100, -1), S_AT(T50, 0, 1, ALL, M100, -1),
          R_AT(T50, 1, ALL, M100, -1), R_AT(T50, 2, ALL, M100, -1),
          NUMBER(8, 1))},
    {"ground_truth_without_detections_gives_0", GT(G(1, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, 0), S(T50, 0, ALL, 0), R(T50, ALL, 0),
          NUMBER(0, 0))},

    /* 12: precision and recall */
    {"lone_perfect_detection_is_just_below_1", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)),
     WANT(P(T50, 0, ALL, 0x1.ffffffffffffep-1),
          NUMBER(0, 0x1.ffffffffffffep-1), R(T50, ALL, 1))},
    {"precision_counts_false_positives_before",
     GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10)),
     DT(D(.9, 50, 0, 10, 10), D(.8, 0, 0, 10, 10), D(.7, 20, 0, 10, 10)),
     WANT(P(T50, 0, ALL, 2.0 / 3))},
    {"recall_is_a_quotient", /* 3 * (1.0 / 5) is another double */
     GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10), G(3, 40, 0, 10, 10),
        G(4, 60, 0, 10, 10), G(5, 80, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 20, 0, 10, 10), D(.7, 40, 0, 10, 10)),
     WANT(R(T50, ALL, 0.6), P(T50, 60, ALL, 1), P(T50, 61, ALL, 0))},

    /* 13: the curve */
    {"precision_is_the_best_at_this_recall_or_beyond",
     GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10), G(3, 40, 0, 10, 10),
        G(4, 60, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.85, 90, 0, 10, 10), D(.8, 90, 0, 10, 10),
        D(.7, 20, 0, 10, 10), D(.6, 40, 0, 10, 10), D(.5, 60, 0, 10, 10)),
     WANT(P(T50, 25, ALL, ONE), P(T50, 26, ALL, 2.0 / 3),
          P(T50, 100, ALL, 2.0 / 3), S(T50, 26, ALL, .7),
          S(T50, 100, ALL, .5))},
    {"recall_equal_to_the_point_reaches_it",
     GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 50, 0, 10, 10)),
     WANT(P(T50, 50, ALL, ONE), P(T50, 51, ALL, 0), S(T50, 50, ALL, .9),
          S(T50, 51, ALL, 0), R(T50, ALL, .5))},
    {"recall_0_is_met_by_the_first_detection", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 50, 0, 10, 10), D(.5, 0, 0, 10, 10)),
     WANT(S(T50, 0, ALL, .9), S(T50, 1, ALL, .5))},

    /* 14: grids; 0.5 + 0.05 * 7 and 35 / 100 are other doubles */
    {"iou_thresholds_are_numpys",
     WANT(IOU(0, 0.5), IOU(5, 0.75), IOU(7, 0.85), IOU(9, 0.95),
          IOU(8, 0.8999999999999999), CLASSES(1))},
    {"recall_points_are_numpys",
     WANT(RECALL(35, 0.35000000000000003), RECALL(41, 0.41000000000000003),
          RECALL(70, 0.7000000000000001), RECALL(95, 0.9500000000000001),
          RECALL(94, 0.9400000000000001), RECALL(100, 1))},
    {"recall_7_in_10_stays_below_point_70", /* 7 / 10 < 70 * 0.01 */
     GT(G(1, 0, 0, 1, 1), G(2, 5, 0, 1, 1), G(3, 10, 0, 1, 1),
        G(4, 15, 0, 1, 1), G(5, 20, 0, 1, 1), G(6, 25, 0, 1, 1),
        G(7, 30, 0, 1, 1), G(8, 35, 0, 1, 1), G(9, 40, 0, 1, 1),
        G(10, 45, 0, 1, 1)),
     DT(D(.9, 0, 0, 1, 1), D(.9, 5, 0, 1, 1), D(.9, 10, 0, 1, 1),
        D(.9, 15, 0, 1, 1), D(.9, 20, 0, 1, 1), D(.9, 25, 0, 1, 1),
        D(.9, 30, 0, 1, 1)),
     WANT(R(T50, ALL, .7), P(T50, 69, ALL, 1), P(T50, 70, ALL, 0))},

    /* 15: shapes */
    {"tensors_keep_their_axes", CATEGORIES(1, 2),
     GT(G(1, 0, 0, 10, 10), G(2, 100, 0, 100, 100),
        GI(3, 1, 2, 0, 0, 40, 40)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 100, 0, 100, 60),
        DI(.7, 1, 2, 0, 0, 40, 32)), /* IoU 1, 0.6 and 0.8 */
     WANT(R_AT(T50, 0, ALL, M1, .5), R_AT(T50, 0, ALL, M10, 1),
          R_AT(T75, 0, ALL, M10, .5), R_AT(T50, 0, SMALL, M1, 1),
          R_AT(T50, 0, LARGE, M1, 0), R_AT(T50, 0, LARGE, M10, 1),
          R_AT(T75, 0, LARGE, M10, 0), R_AT(T75, 1, MEDIUM, M1, 1),
          R_AT(7, 1, MEDIUM, M1, 0), P_AT(T50, 50, 0, ALL, M1, ONE),
          P_AT(T50, 51, 0, ALL, M1, 0), P_AT(T75, 51, 0, ALL, M100, 0),
          NUMBER(9, 1), NUMBER(11, .3))},

    /* 16: means; coco_mean has rows of its own below */
    {"nothing_to_average_gives_minus_1", GT(G(1, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10)),
     WANT(NUMBER(4, -1), NUMBER(5, -1), NUMBER(10, -1), NUMBER(9, 1))},
    {"mean_goes_through_recalls_before_categories", CATEGORIES(1, 2, 3),
     GT(G(1, 0, 0, 10, 10), GI(2, 1, 2, 0, 0, 10, 10),
        GI(3, 1, 3, 0, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 7), DI(.9, 1, 2, 0, 0, 10, 9),
        DI(.9, 1, 3, 50, 0, 10, 10), DI(.7, 1, 3, 0, 0, 10, 8)),
     WANT(NUMBER(0, 0.5833333333333331))},

    /* 17: what the numbers are of */
    {"first_number_wants_100_literally", TWO_FOUND,
     WANT(NUMBER(0, -1), NUMBER(1, 1), NUMBER(3, 1), NUMBER(8, 1)),
     .adjust = limits_1_2_3},
    {"first_number_finds_100_anywhere", TWO_FOUND,
     WANT(NUMBER(0, 1), NUMBER(1, 1)), .adjust = limits_1_100_200},
    {"ap50_and_ap75_want_exactly_these_thresholds", TWO_FOUND,
     WANT(NUMBER(0, 1), NUMBER(1, -1), NUMBER(2, -1)),
     .adjust = threshold_51},
    {"numbers_take_their_limit_and_threshold",
     GT(G(1, 0, 0, 10, 10), G(2, 20, 0, 10, 10)),
     DT(D(.9, 0, 0, 10, 10), D(.8, 20, 0, 10, 7)),
     WANT(NUMBER(1, 1), NUMBER(6, .5), NUMBER(7, .75), NUMBER(8, .75),
          NUMBER(9, .75))},
    /* clang-format on */
};

#endif
