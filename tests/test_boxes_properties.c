/*
 * What must hold for any boxes: symmetry, invariance, bounds and order of the
 * metrics, and a matrix that equals its pairs.
 */
#include "tests/operations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MEMORY = 1 << 26, PAIRS = 8000, FEW = 60, METRICS = 4 };
enum { IOU, GIOU, DIOU, CIOU };
static const char *const metrics[METRICS] = {"iou", "giou", "diou", "ciou"};

static struct arena mem;

/* One metric of n pairs, in mem. */
static const double *pairs(size_t metric, size_t n, const double *a,
                           const double *b)
{
    struct op_call c;
    boxes_init(&c, metrics[metric], a, n, b, n, true, &mem);
    choose(c.op, c.param, "mode", "pairs");
    c.want[op_output_row(c.op, "indices")] = false;
    assert_int_equal(boxes_run(&c), 0);
    return c.out[op_output_row(c.op, "value")].data;
}

/* ---- boxes ---- */

/* Corners on a grid of 1/64: sums and differences are exact. */
static void grid_box(double b[4], uint64_t *s)
{
    for (size_t k = 0; k < 2; k++) {
        b[k] = (double)draw_below(s, 2048) / 64;
        b[k + 2] = b[k] + (double)(1 + draw_below(s, 2048)) / 64;
    }
}

static void free_box(double b[4], uint64_t *s)
{
    for (size_t k = 0; k < 2; k++) {
        b[k] = draw(s, -9, 9);
        b[k + 2] = b[k] + draw(s, 0, 12);
    }
}

/* A second box that has something special to do with the first. */
static void special_box(double b[4], double a[4], uint64_t *s)
{
    size_t kind = draw_below(s, 9), k = draw_below(s, 2);
    memcpy(b, a, 4 * sizeof(*b));
    if (kind == 0) /* no area */
        b[k + 2] = b[k];
    else if (kind == 1) /* a point, maybe a corner of the first */
        b[0] = b[2], b[1] = b[3];
    else if (kind == 2) /* touching */
        b[k + 2] += b[k + 2] - b[k], b[k] = a[k + 2];
    else if (kind == 3) /* nested */
        b[k] += (b[k + 2] - b[k]) / 4;
    else if (kind == 4) /* nothing at all: identical */
        b[k] = a[k];
    else if (kind == 5) /* far away */
        b[k] += 1e12, b[k + 2] += 1e12;
    else if (kind == 6) /* tiny, both */
        for (size_t i = 0; i < 4; i++)
            a[i] *= 1e-20, b[i] = a[i] * (i < 2 ? 1 : 1.5) + 1e-21;
    else if (kind == 7) /* a hair wider */
        b[k + 2] = nextafter(b[k + 2], INFINITY);
    else /* both without area */
        a[k + 2] = b[k + 2] = b[k], b[1 - k] = a[3 - k];
}

static void sort_corners(double b[4])
{
    for (size_t k = 0; k < 2; k++) {
        double lo = fmin(b[k], b[k + 2]), hi = fmax(b[k], b[k + 2]);
        b[k] = lo;
        b[k + 2] = hi;
    }
}

/* Thirds: on the grid, anywhere, special. */
static void draw_pairs(double *a, double *b, bool grid, uint64_t *s)
{
    for (size_t i = 0; i < PAIRS; i++, a += 4, b += 4) {
        if (grid || i % 3 == 0) {
            grid_box(a, s);
            grid_box(b, s);
        } else {
            free_box(a, s);
            free_box(b, s);
        }
        if (!grid && i % 3 == 2)
            special_box(b, a, s);
        sort_corners(a);
        sort_corners(b);
    }
}

static void fail_pair(const char *what, size_t metric, const double *a,
                      const double *b, double x, double y)
{
    fail_msg("%s: %s of [%.17g %.17g %.17g %.17g] and [%.17g %.17g %.17g "
             "%.17g]: %.17g, %.17g",
             what, metrics[metric], a[0], a[1], a[2], a[3], b[0], b[1], b[2],
             b[3], x, y);
}

static double first_box[4 * PAIRS], second_box[4 * PAIRS], moved_a[4 * PAIRS],
    moved_b[4 * PAIRS];

static void expect_same(const char *what, size_t metric, const double *x,
                        const double *y, double off)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (!(fabs(x[i] - y[i]) <= off))
            fail_pair(what, metric, first_box + 4 * i, second_box + 4 * i, x[i],
                      y[i]);
}

/* ---- the metrics ---- */

static void metrics_are_symmetric(void **state)
{
    uint64_t s = 1;
    (void)state;
    draw_pairs(first_box, second_box, false, &s);
    for (size_t m = 0; m < METRICS; m++) {
        arena_clear(&mem, MEMORY);
        expect_same("symmetry", m, pairs(m, PAIRS, first_box, second_box),
                    pairs(m, PAIRS, second_box, first_box), 0);
    }
}

/*
 * The same bits wherever the boxes are, and in whatever unit; but a rounding
 * may differ where products of areas come near the ends of double.
 */
static void metrics_are_invariant(void **state)
{
    static const struct {
        double scale, x, y, off;
    } moves[] = {{1, 1024, -65536, 0},    {1, 0.015625, 3, 0},
                 {0x1p20, 0, 0, 0},       {0x1p-20, 0, 0, 0},
                 {0x1p-30, 32, -1, 0},    {-1, 0, 0, 0},
                 {0x1p-100, 0, 0, 4e-16}, {0x1p100, 0, 0, 4e-16},
                 {0x1p-400, 0, 0, 4e-16}, {0x1p400, 0, 0, 4e-16}};
    uint64_t s = 2;
    (void)state;
    draw_pairs(first_box, second_box, true, &s);
    for (size_t k = 0; k < sizeof(moves) / sizeof(moves[0]); k++) {
        for (size_t i = 0; i < 4 * PAIRS; i++) {
            double by = i % 2 ? moves[k].y : moves[k].x;
            moved_a[i] = (first_box[i] + by) * moves[k].scale;
            moved_b[i] = (second_box[i] + by) * moves[k].scale;
        }
        for (size_t i = 0; i < PAIRS; i++) {
            sort_corners(moved_a + 4 * i);
            sort_corners(moved_b + 4 * i);
        }
        for (size_t m = 0; m < METRICS; m++) {
            arena_clear(&mem, MEMORY);
            expect_same("invariance", m, pairs(m, PAIRS, first_box, second_box),
                        pairs(m, PAIRS, moved_a, moved_b), moves[k].off);
        }
    }
}

static void metrics_keep_their_bounds(void **state)
{
    uint64_t s = 3;
    (void)state;
    arena_clear(&mem, MEMORY);
    draw_pairs(first_box, second_box, false, &s);
    const double *v[METRICS];
    for (size_t m = 0; m < METRICS; m++)
        v[m] = pairs(m, PAIRS, first_box, second_box);
    for (size_t i = 0; i < PAIRS; i++) {
        const double *a = first_box + 4 * i, *b = second_box + 4 * i;
        if (!(v[IOU][i] >= 0 && v[IOU][i] <= 1))
            fail_pair("0 <= iou <= 1", IOU, a, b, v[IOU][i], 0);
        for (size_t m = GIOU; m <= DIOU; m++)
            if (!(v[m][i] >= -1 && v[m][i] <= v[IOU][i]))
                fail_pair("-1 <= it <= iou", m, a, b, v[m][i], v[IOU][i]);
        if (!(v[CIOU][i] <= v[DIOU][i]))
            fail_pair("ciou <= diou", CIOU, a, b, v[CIOU][i], v[DIOU][i]);
    }
}

static void a_box_equals_itself(void **state)
{
    uint64_t s = 4;
    (void)state;
    draw_pairs(first_box, second_box, false, &s);
    for (size_t m = 0; m < METRICS; m++) {
        arena_clear(&mem, MEMORY);
        const double *v = pairs(m, PAIRS, first_box, first_box);
        for (size_t i = 0; i < PAIRS; i++) {
            const double *a = first_box + 4 * i;
            bool area = a[2] > a[0] && a[3] > a[1];
            if (v[i] != area)
                fail_pair("identity", m, a, a, v[i], area);
        }
    }
}

/* Of FEW boxes against `across` others. */
static const double *matrix(size_t metric, size_t across)
{
    struct op_call c;
    boxes_init(&c, metrics[metric], first_box, FEW, second_box, across, true,
               &mem);
    c.want[op_output_row(c.op, "indices")] = false;
    assert_int_equal(boxes_run(&c), 0);
    return c.out[op_output_row(c.op, "value")].data;
}

static void a_matrix_is_its_pairs(void **state)
{
    static const size_t widths[] = {1, 3, 8, 61};
    uint64_t s = 5;
    (void)state;
    draw_pairs(first_box, second_box, false, &s);
    for (size_t m = 0; m < METRICS; m++) {
        for (size_t w = 0; w < 4; w++) {
            size_t across = widths[w];
            arena_clear(&mem, MEMORY);
            for (size_t i = 0; i < FEW * across; i++) {
                memcpy(moved_a + 4 * i, first_box + i / across * 4, 32);
                memcpy(moved_b + 4 * i, second_box + i % across * 4, 32);
            }
            const double *x = matrix(m, across);
            const double *y = pairs(m, FEW * across, moved_a, moved_b);
            for (size_t i = 0; i < FEW * across; i++)
                if (!same_number(x[i], y[i]))
                    fail_pair("matrix, pairs", m, moved_a + 4 * i,
                              moved_b + 4 * i, x[i], y[i]);
        }
    }
}

/* How many of a row go before its element j. */
static size_t rank_of(const double *row, size_t n, size_t j)
{
    size_t rank = 0;
    for (size_t i = 0; i < n; i++)
        rank += row[i] > row[j] || (row[i] == row[j] && i < j);
    return rank;
}

static void top_k_is_the_sorted_matrix(void **state)
{
    static const size_t ks[] = {1, 2, 7, FEW};
    uint64_t s = 6;
    (void)state;
    draw_pairs(first_box, second_box, false, &s);
    for (size_t i = 0; i < 4 * FEW; i++) /* ties */
        second_box[i] = i / 4 % 3 == 0 ? second_box[i % 4] : second_box[i];
    for (size_t m = 0; m < METRICS; m++) {
        for (size_t t = 0; t < 4; t++) {
            struct op_call c;
            arena_clear(&mem, MEMORY);
            const double *full = matrix(m, FEW);
            boxes_init(&c, metrics[m], first_box, FEW, second_box, FEW, true,
                       &mem);
            param_set(&c, "top_k", (double)ks[t]);
            assert_int_equal(boxes_run(&c), 0);
            const double *value = c.out[op_output_row(c.op, "value")].data;
            const int64_t *at = c.out[op_output_row(c.op, "indices")].data;
            for (size_t i = 0; i < FEW * ks[t]; i++) {
                const double *row = full + i / ks[t] * FEW;
                size_t j = (size_t)at[i];
                assert_true(j < FEW && rank_of(row, FEW, j) == i % ks[t]);
                assert_true(same_number(row[j], value[i]));
            }
        }
    }
}

static int begin(void **state)
{
    (void)state;
    arena_init(&mem, MEMORY);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&mem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_symmetric),
        cmocka_unit_test(metrics_are_invariant),
        cmocka_unit_test(metrics_keep_their_bounds),
        cmocka_unit_test(a_box_equals_itself),
        cmocka_unit_test(a_matrix_is_its_pairs),
        cmocka_unit_test(top_k_is_the_sorted_matrix),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
