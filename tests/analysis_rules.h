/*
 * The rules of the analysis as a table: small scenes, a row each, and what
 * comes of them, worked out by hand.
 */
#ifndef EVALD_TESTS_ANALYSIS_RULES_H
#define EVALD_TESTS_ANALYSIS_RULES_H

#include "tests/problem.h"

#include <math.h>

/*
 * What is asked, of whom:
 *   of a ground truth by its row   'f'ound, 'c'laim, confused ('x'): rows of
 *                                  detections or -1; 'o'verlap
 *   of a cell of the confusion     'm': truth, found
 *   of a class and a fix           'n'umber, 'd'elta;  of a class 'A'P
 *   of a class                     'F'1 at its best, its score ('s'); lowest
 *                                  'L'RP, its score ('t'), its parts: 'l', 'p'
 *                                  and 'r'; 'E'CE, 'M'CE, 'u': outside
 *   of a class and a bin           'b': its count
 *   of a class and an asked score  '+': tp, '-': fp, '@': score
 */
struct check {
    char what;
    size_t at, of;
    double want;
};

struct scene {
    const char *name;
    size_t n_gt, n_dt, n_checks;
    const struct gt_row *gt;
    const struct dt_row *dt;
    const char *kinds; /* a letter of LETTERS per detection */
    const struct check *checks;
    /* 0 is COCO's own, but for the last two */
    double iou, background;
    size_t bins;
    uint32_t most; /* the largest limit */
    double least;  /* score_threshold */
};

static const char LETTERS[] = "CLBDGTIX"; /* as enum coco_kind; G: background */

enum { CLS = COCO_CLASSIFICATION, LOC = COCO_LOCALISATION };
enum { DUP = COCO_DUPLICATE, BKG = COCO_BACKGROUND, BOTH = COCO_BOTH };
enum { MISS = COCO_MISSED, FP = COCO_FALSE_POSITIVE, FN = COCO_FALSE_NEGATIVE };

/* Classes of categories 1 to 3, all of them, and what they are taken for. */
enum { ONE, TWO, THREE, ALL, NOTHING = 3 };

#define ROWS(type, ...) \
    (const type[])      \
    {                   \
        __VA_ARGS__     \
    }
#define COUNT(type, ...) sizeof(ROWS(type, __VA_ARGS__)) / sizeof(type)
#define TRUTHS(...)                         \
    .gt = ROWS(struct gt_row, __VA_ARGS__), \
    .n_gt = COUNT(struct gt_row, __VA_ARGS__)
#define DETECTIONS(...)                     \
    .dt = ROWS(struct dt_row, __VA_ARGS__), \
    .n_dt = COUNT(struct dt_row, __VA_ARGS__)
#define WANT(...)                              \
    .checks = ROWS(struct check, __VA_ARGS__), \
    .n_checks = COUNT(struct check, __VA_ARGS__)

/* A square of 10 by 10 at x; detections as wide as w, of IoU w / 10. */
#define G(id, category, x)                      \
    {                                           \
        id, 1, category, {x, 0, 10, 10}, 100, 0 \
    }
#define CROWD(id, category, x)                  \
    {                                           \
        id, 1, category, {x, 0, 10, 10}, 100, 1 \
    }
#define D(category, x, w, score)          \
    {                                     \
        1, category, {x, 0, w, 10}, score \
    }

static const double asked[] = {0.81, 0.8, 0.5, 0};
enum { ASKED = sizeof(asked) / sizeof(*asked) };

/* Recall is sampled at 1/3, 2/3 and 1. */
static const struct scene scenes[] = {
    {
        .name = "each type of error",
        TRUTHS(G(1, 1, 0), G(2, 2, 20), G(3, 1, 40), G(4, 2, 60), G(5, 1, 80)),
        DETECTIONS(D(1, 0, 10, 0.9), D(1, 0, 10, 0.8), D(1, 20, 10, 0.7),
                   D(1, 40, 4, 0.6), D(2, 40, 4, 0.5), D(1, 200, 5, 0.4),
                   D(1, 80, 10, 0.3)),
        .kinds = "TDCLBGT",
        WANT({'f', 0, 0, 0}, {'f', 2, 0, -1}, {'c', 1, 0, 2}, {'c', 2, 0, 3},
             {'c', 3, 0, -1}, {'n', ONE, CLS, 1}, {'n', ONE, LOC, 1},
             {'n', ONE, DUP, 1}, {'n', ONE, BKG, 1}, {'n', TWO, BOTH, 1},
             {'n', ONE, FP, 4}, {'n', TWO, FP, 1}, {'n', ONE, FN, 1},
             {'n', ONE, MISS, 0}, {'n', TWO, FN, 2}, {'n', TWO, MISS, 1},
             {'n', ALL, FP, 5}, {'n', ALL, FN, 3},
             /* hits at places 1 and 6 of 3; 6 becomes 5 */
             {'A', ONE, 0, 4.0 / 9}, {'d', ONE, CLS, 1.0 / 45},
             {'d', ONE, DUP, 1.0 / 45}, {'d', ONE, BKG, 1.0 / 45},
             {'d', ONE, BOTH, 0}, {'d', ONE, FP, 2.0 / 9},
             /* one more hit, at place 4 */
             {'d', ONE, LOC, 2.0 / 9},
             /* recall 1/2 at place 1, 1 at 6 */
             {'d', ONE, FN, 1.0 / 9}, {'d', ONE, MISS, 0},
             /* a hit at place 1 of 2, before a miss */
             {'A', TWO, 0, 0}, {'d', TWO, CLS, 1.0 / 3}, {'d', TWO, LOC, 0},
             {'d', TWO, BOTH, 0}, {'d', TWO, FN, 0}, {'d', TWO, MISS, 0},
             {'A', ALL, 0, 2.0 / 9}, {'d', ALL, CLS, 8.0 / 45},
             {'d', ALL, LOC, 1.0 / 9}, {'d', ALL, DUP, 1.0 / 90},
             {'d', ALL, FP, 1.0 / 9}, {'d', ALL, FN, 1.0 / 18},
             {'m', ONE, ONE, 2}, {'m', ONE, NOTHING, 1}, {'m', TWO, ONE, 1},
             {'m', TWO, NOTHING, 1}, {'m', NOTHING, ONE, 3},
             {'m', NOTHING, TWO, 1}, {'m', ONE, TWO, 0}),
    },
    {
        .name = "confusion at a score",
        TRUTHS(G(1, 1, 0), G(2, 2, 0), G(3, 1, 20)),
        DETECTIONS(D(1, 0, 10, 0.4), D(2, 0, 10, 0.7), D(2, 20, 10, 0.5),
                   D(3, 20, 10, 0.6), D(3, 0, 10, 0.3)),
        .kinds = "TTCCC",
        .least = 0.5,
        /* the first is out, so its ground truth is free; nobody wants it */
        WANT({'m', ONE, NOTHING, 1}, {'m', TWO, TWO, 1}, {'m', ONE, THREE, 1},
             {'m', NOTHING, TWO, 1}, {'m', NOTHING, THREE, 0},
             {'m', ONE, ONE, 0}, {'x', 2, 0, 3}, {'x', 0, 0, -1},
             {'f', 0, 0, 0}),
    },
    {
        .name = "what is found below the score is open for confusion",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 0, 10, 0.4), D(2, 0, 8, 0.6)),
        .kinds = "TC",
        .least = 0.5,
        WANT({'m', ONE, TWO, 1}, {'m', ONE, ONE, 0}, {'m', NOTHING, TWO, 0},
             {'x', 0, 0, 1}, {'c', 0, 0, -1}, {'o', 0, 0, 0.8}),
    },
    {
        .name = "confusion: best score first, of equal overlaps the last",
        TRUTHS(G(1, 2, 0), G(2, 3, 0)),
        DETECTIONS(D(1, 0, 10, 0.7), D(1, 0, 10, 0.9), D(1, 0, 10, 0.8)),
        .kinds = "CCC",
        WANT({'x', 1, 0, 1}, {'x', 0, 0, 2}, {'m', TWO, ONE, 1},
             {'m', THREE, ONE, 1}, {'m', NOTHING, ONE, 1},
             /* an error is of the first */
             {'c', 0, 0, 1}, {'c', 1, 0, -1}, {'n', THREE, MISS, 1}),
    },
    {
        .name = "confusion: of equal scores the first by category",
        TRUTHS(G(1, 3, 0)),
        DETECTIONS(D(2, 0, 9, 0.5), D(1, 0, 8, 0.5)),
        .kinds = "CC",
        WANT({'x', 0, 0, 1}, {'m', THREE, ONE, 1}, {'m', NOTHING, TWO, 1}),
    },
    {
        .name = "confusion wants the IoU of a match, and takes the highest",
        TRUTHS(G(1, 2, 0), G(2, 2, 2), G(3, 2, 40)),
        DETECTIONS(D(1, 2, 10, 0.5), D(1, 40, 4.9, 0.5)),
        .kinds = "CB",
        WANT({'x', 1, 0, 0}, {'x', 0, 0, -1}, {'x', 2, 0, -1},
             {'m', TWO, ONE, 1}, {'m', NOTHING, ONE, 1}, {'m', TWO, NOTHING, 2},
             {'o', 2, 0, 0.49}, {'o', 0, 0, 80.0 / 120}),
    },
    {
        .name = "a match at the very threshold, errors at the very background",
        TRUTHS(G(1, 1, 0), G(2, 1, 20), G(3, 2, 40)),
        DETECTIONS(D(1, 0, 5, 0.9), D(1, 20, 2.5, 0.9), D(1, 40, 2.5, 0.9),
                   D(1, 40, 2.4, 0.9), D(3, 40, 5, 0.9), D(1, 20, 2.4, 0.9)),
        .background = 0.25,
        .kinds = "TLBGCG",
        WANT({'c', 1, 0, 1}, {'c', 2, 0, 4}),
    },
    {
        .name =
            "localisation goes before classification, that before duplicate",
        TRUTHS(G(1, 1, 0), G(2, 2, 6), G(3, 1, 40), G(4, 2, 40)),
        DETECTIONS(D(1, 6, 10, 0.5), D(1, 40, 10, 0.9), D(1, 40, 10, 0.8)),
        .kinds = "LTC",
        WANT({'c', 0, 0, 0}, {'c', 1, 0, -1}, {'c', 3, 0, 2}),
    },
    {
        .name = "the highest overlap of its own category tells the type",
        TRUTHS(G(1, 1, 0), G(2, 1, 8)),
        DETECTIONS(D(1, 0, 10, 0.9), D(1, 0, 10, 0.8)),
        .kinds = "TD",
        WANT({'c', 1, 0, -1}, {'n', ONE, MISS, 1}),
    },
    {
        .name = "crowds ignore, and are overlapped by no error",
        TRUTHS(CROWD(1, 1, 0), G(2, 2, 20)),
        DETECTIONS(D(1, 0, 4, 0.9), D(2, 0, 10, 0.9), D(1, 0, 5, 0.9)),
        .kinds = "IGI",
        WANT({'m', NOTHING, TWO, 1}, {'m', TWO, NOTHING, 1},
             {'m', NOTHING, ONE, 0}, {'n', ONE, FP, 0}, {'m', ONE, NOTHING, 0},
             {'-', ONE, 3, 0}),
    },
    {
        .name = "what is cut is nothing",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 40, 10, 0.9), D(1, 0, 10, 0.7), D(1, 50, 10, 0.8)),
        .most = 2,
        .kinds = "GXG",
        WANT({'f', 0, 0, -1}, {'o', 0, 0, 0}, {'n', ONE, FP, 2},
             {'m', NOTHING, ONE, 2}, {'-', ONE, 3, 2}),
    },
    {
        .name = "the best score claims, whatever its type",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(2, 0, 10, 0.6), D(1, 0, 4, 0.7)),
        .kinds = "CL",
        WANT({'c', 0, 0, 1}, {'d', ONE, CLS, 0}, {'d', ONE, LOC, 1},
             {'n', ONE, MISS, 0}, {'n', TWO, CLS, 1}),
    },
    {
        .name = "of equal claims the first by category",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(2, 0, 10, 0.7), D(1, 0, 4, 0.7), D(1, 0, 3, 0.7)),
        .kinds = "CLL",
        WANT({'c', 0, 0, 1}),
    },
    {
        .name = "no error claims what was found",
        TRUTHS(G(1, 1, 0), G(2, 1, 40)),
        DETECTIONS(D(1, 0, 4, 0.9), D(1, 0, 10, 0.8)),
        .kinds = "LT",
        /* a hit at place 2, then at 1 */
        WANT({'c', 0, 0, -1}, {'d', ONE, LOC, 1.0 / 6}, {'f', 0, 0, 1}),
    },
    {
        .name = "what changes its category is behind equal scores",
        TRUTHS(G(1, 2, 0)),
        DETECTIONS(D(1, 0, 10, 0.5), D(2, 40, 10, 0.5), D(2, 60, 10, 0.4)),
        .kinds = "CGG",
        WANT({'d', TWO, CLS, 0.5}),
    },
    {
        .name = "what changes its category goes by its score",
        TRUTHS(G(1, 2, 0), G(2, 2, 20)),
        DETECTIONS(D(1, 0, 10, 0.4), D(1, 20, 10, 0.8), D(2, 40, 10, 0.6)),
        .kinds = "CCG",
        /* hits at places 1 and 3 */
        WANT({'d', TWO, CLS, 7.0 / 9}),
    },
    {
        .name = "missed ground truths are not counted, unless claimed",
        TRUTHS(G(1, 1, 0), G(2, 1, 20), G(3, 1, 40), G(4, 1, 60)),
        DETECTIONS(D(1, 0, 10, 0.9), D(1, 20, 10, 0.8), D(1, 40, 4, 0.7)),
        .kinds = "TTL",
        /* recall is 2/4, 2/3 and 2/2 */
        WANT({'A', ONE, 0, 1.0 / 3}, {'d', ONE, MISS, 1.0 / 3},
             {'d', ONE, FN, 2.0 / 3}),
    },
    {
        .name = "what keeps its category keeps its place",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 40, 10, 0.5), D(1, 0, 4, 0.5), D(1, 60, 10, 0.5)),
        .kinds = "GLG",
        WANT({'d', ONE, LOC, 0.5}),
    },
    {
        .name = "a category without ground truths left keeps its place",
        TRUTHS(G(1, 1, 0), G(2, 2, 40)),
        DETECTIONS(D(1, 0, 10, 0.5)),
        .kinds = "T",
        WANT({'A', ALL, 0, 0.5}, {'d', ALL, MISS, 0}, {'d', ALL, FN, 0},
             {'A', THREE, 0, -1}, {'d', THREE, FP, 0}),
    },
    {
        .name = "errors of a category without ground truth are counted",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(2, 40, 10, 0.5)),
        .kinds = "G",
        WANT({'A', TWO, 0, -1}, {'n', TWO, BKG, 1}, {'n', ALL, BKG, 1},
             {'F', TWO, 0, NAN}, {'s', TWO, 0, INFINITY}, {'L', TWO, 0, NAN}),
    },
    {
        .name = "equal scores stand or fall together",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 0, 10, 0.8), D(1, 40, 10, 0.8), D(2, 0, 10, 0.8)),
        .kinds = "TGC",
        WANT({'F', ONE, 0, 2.0 / 3}, {'s', ONE, 0, 0.8}, {'+', ONE, 1, 1},
             {'-', ONE, 1, 1}, {'+', ONE, 0, 0}, {'@', ONE, 0, INFINITY},
             {'@', ONE, 3, 0.8}, {'-', ALL, 1, 2}, {'F', ALL, 0, 0.5}),
    },
    {
        .name = "the best F1 may lie behind a worse one",
        TRUTHS(G(1, 1, 0), G(2, 1, 20)),
        DETECTIONS(D(1, 0, 10, 0.8), D(1, 40, 10, 0.8), D(1, 20, 10, 0.4),
                   D(1, 60, 10, 0.2)),
        .kinds = "TGTG",
        WANT({'F', ONE, 0, 0.8}, {'s', ONE, 0, 0.4}, {'@', ONE, 2, 0.8},
             {'-', ONE, 3, 2}, {'@', ALL, 3, 0.2}),
    },
    {
        .name = "of equal F1 the highest score",
        TRUTHS(G(1, 1, 0), G(2, 1, 20)),
        DETECTIONS(D(1, 0, 10, 0.9), D(1, 40, 10, 0.8), D(1, 60, 10, 0.7),
                   D(1, 20, 10, 0.6)),
        .kinds = "TGGT",
        WANT({'F', ONE, 0, 2.0 / 3}, {'s', ONE, 0, 0.9}),
    },
    {
        .name = "none may be the best",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 40, 10, 0.9)),
        .kinds = "G",
        WANT({'F', ONE, 0, 0}, {'s', ONE, 0, INFINITY}, {'L', ONE, 0, 1},
             {'t', ONE, 0, INFINITY}),
    },
    {
        .name = "a match at the threshold is worth nothing to LRP",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 0, 5, 0.9)),
        .kinds = "T",
        WANT({'L', ONE, 0, 1}, {'t', ONE, 0, INFINITY}, {'F', ONE, 0, 1}),
    },
    {
        .name = "lowest LRP and its parts",
        TRUTHS(G(1, 1, 0), G(2, 1, 20)),
        DETECTIONS(D(1, 0, 8, 0.9), D(1, 40, 10, 0.8), D(1, 20, 6, 0.7)),
        .kinds = "TGT",
        /* (0.4 + 1) / 2, (0.4 + 2) / 3, (1.2 + 1) / 3 */
        WANT({'L', ONE, 0, 0.7}, {'t', ONE, 0, 0.9}, {'l', ONE, 0, 0.2},
             {'p', ONE, 0, 0}, {'r', ONE, 0, 0.5}, {'L', ALL, 0, 0.7}),
    },
    {
        .name = "lowest LRP with a false positive",
        TRUTHS(G(1, 1, 0), G(2, 1, 20)),
        DETECTIONS(D(1, 0, 8, 0.9), D(1, 40, 10, 0.8), D(1, 20, 9, 0.7)),
        .kinds = "TGT",
        /* (0.4 + 0.2 + 1) / 3 */
        WANT({'L', ONE, 0, 1.6 / 3}, {'t', ONE, 0, 0.7}, {'l', ONE, 0, 0.15},
             {'p', ONE, 0, 1.0 / 3}, {'r', ONE, 0, 0}),
    },
    {
        .name = "calibration",
        TRUTHS(G(1, 1, 0), G(2, 1, 20)),
        DETECTIONS(D(1, 0, 10, 0.9), D(1, 40, 10, 0.8), D(1, 20, 10, 0.5),
                   D(1, 60, 10, 0.2), D(1, 80, 10, 0)),
        .bins = 2,
        .kinds = "TGTGG",
        /* |1 - 0.7| and |1 - 1.7| */
        WANT({'E', ONE, 0, 0.2}, {'M', ONE, 0, 0.35}, {'b', ONE, 0, 3},
             {'b', ONE, 1, 2}, {'E', TWO, 0, NAN}, {'M', TWO, 0, NAN}),
    },
    {
        .name = "a bin has its upper edge, the first its lower one, too",
        TRUTHS(G(1, 1, 0)),
        DETECTIONS(D(1, 40, 10, 0.25), D(1, 40, 10, 0.5), D(1, 40, 10, -0.0),
                   D(1, 40, 10, 1), D(1, 40, 10, -0.1), D(1, 40, 10, 1.1),
                   D(1, 40, 10, 0x1.0000000000001p-2), D(1, 40, 10, -2)),
        .bins = 4,
        .least = -1,
        .kinds = "GGGGGGGG",
        WANT({'b', ONE, 0, 2}, {'b', ONE, 1, 2}, {'b', ONE, 2, 0},
             {'b', ONE, 3, 1}, {'u', ONE, 0, 2}),
    },
};

#endif
