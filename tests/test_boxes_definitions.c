/*
 * Suppression and assignment of boxes against plain loops over their
 * definitions.
 */
#include "tests/operations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MEMORY = 1 << 24, FEW = 60, ROUNDS = 60 };

static struct arena mem;

static double naive_iou(const double *a, const double *b)
{
    double w = fmin(a[2], b[2]) - fmax(a[0], b[0]);
    double h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    double inter = fmax(w, 0) * fmax(h, 0);
    double whole =
        (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter;
    return whole > 0 ? inter / whole : 0;
}

/* The squared distance of the centres in parts of the hull's diagonal. */
static double naive_distance(const double *a, const double *b)
{
    double w = fmax(a[2], b[2]) - fmin(a[0], b[0]);
    double h = fmax(a[3], b[3]) - fmin(a[1], b[1]);
    double x = (a[0] + a[2] - b[0] - b[2]) / 2;
    double y = (a[1] + a[3] - b[1] - b[3]) / 2;
    return w > 0 || h > 0 ? (x * x + y * y) / (w * w + h * h) : 0;
}

enum { HARD, DISTANT, LINEAR, GAUSSIAN };
static const char *const methods[] = {"hard", "diou", "linear", "gaussian"};

struct suppression {
    size_t method, most;
    double threshold, floor, beta, sigma;
    const int64_t *labels; /* NULL = all alike */
};

/* What a kept box leaves of the score of another; -inf when it removes it. */
static double left_of(const struct suppression *p, const double *kept,
                      const double *other, double score)
{
    double iou = naive_iou(kept, other), value = iou;
    if (p->method == GAUSSIAN)
        return score * exp(-iou * iou / p->sigma);
    if (p->method == LINEAR)
        return iou > p->threshold ? score * (1 - iou) : score;
    if (p->method == DISTANT)
        value = iou - pow(naive_distance(kept, other), p->beta);
    return value > p->threshold ? -INFINITY : score;
}

/* Picks the best again and again; returns how many were kept. */
static size_t naive_nms(const struct suppression *p, size_t n,
                        const double *boxes, double *score, size_t *kept,
                        double *final)
{
    size_t count = 0;
    while (count < p->most) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!isnan(score[i]) && score[i] >= p->floor &&
                (best == n || score[i] > score[best]))
                best = i;
        if (best == n)
            break;
        kept[count] = best;
        final[count++] = score[best];
        score[best] = NAN;
        for (size_t i = 0; i < n; i++)
            if (!isnan(score[i]) &&
                (!p->labels || p->labels[i] == p->labels[best]))
                score[i] =
                    left_of(p, boxes + 4 * best, boxes + 4 * i, score[i]);
    }
    return count;
}

static void compare_nms(const struct suppression *p, size_t n, double *boxes,
                        double *score)
{
    size_t kept[FEW];
    double final[FEW];
    struct op_call c;
    boxes_init(&c, "nms", boxes, n, score, n, false, &mem);
    choose(c.op, c.param, "method", methods[p->method]);
    param_set(&c, "iou_threshold", p->threshold);
    param_set(&c, "score_threshold", p->floor);
    param_set(&c, "beta", p->beta);
    param_set(&c, "sigma", p->sigma);
    param_set(&c, "max_output", (double)p->most);
    if (p->labels)
        c.in[2] = (struct op_tensor){(void *)p->labels, 1, {n}, n};
    assert_int_equal(boxes_run(&c), 0);
    const struct op_tensor *at = &c.out[op_output_row(c.op, "indices")];
    const double *got = c.out[op_output_row(c.op, "scores")].data;
    size_t count = naive_nms(p, n, boxes, score, kept, final);
    if (at->n != count)
        fail_msg("%s keeps %zu, must keep %zu", methods[p->method], at->n,
                 count);
    for (size_t i = 0; i < count; i++)
        if (((const int64_t *)at->data)[i] != (int64_t)kept[i] ||
            fabs(got[i] - final[i]) > 1e-13 * fabs(final[i]))
            fail_msg("%s: kept %zu is %lld at %.17g, must be %zu at %.17g",
                     methods[p->method], i,
                     (long long)((const int64_t *)at->data)[i], got[i], kept[i],
                     final[i]);
}

/* Small boxes in a small space, many alike; scores with ties. */
static void nms_is_its_definition(void **state)
{
    static const double thresholds[] = {0.5, 1.0 / 3, 0.25, 0, 1, 0.7, 0.6};
    double boxes[4 * FEW], score[FEW];
    int64_t labels[FEW];
    uint64_t s = 7;
    (void)state;
    for (size_t r = 0; r < 4 * ROUNDS; r++) {
        arena_clear(&mem, MEMORY);
        size_t n = r % 7 == 0 ? 1 : 2 + draw_below(&s, FEW - 1);
        struct suppression p = {
            .method = r % 4,
            .most = draw_below(&s, 3) ? FEW : 1 + draw_below(&s, n),
            .threshold = thresholds[draw_below(&s, 7)],
            .floor = draw_below(&s, 2) ? 0.001 : 0.25,
            .beta = draw_below(&s, 2) ? 1 : 0.75,
            .sigma = draw_below(&s, 2) ? 0.5 : 0.125,
            .labels = draw_below(&s, 2) ? labels : NULL,
        };
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < 2; k++) {
                boxes[4 * i + k] = (double)draw_below(&s, 8);
                boxes[4 * i + k + 2] =
                    boxes[4 * i + k] + (double)draw_below(&s, 6);
            }
            labels[i] = (int64_t)draw_below(&s, 3) - 1;
            /* soft scores meet by rounding: there only what differs by far */
            score[i] = p.method >= LINEAR ? draw(&s, 0, 1)
                                          : (double)draw_below(&s, 16) / 16;
        }
        compare_nms(&p, n, boxes, score);
    }
}

static void compare_assign(size_t n, size_t m, const double *anchors,
                           const double *boxes, double high, double low,
                           bool force)
{
    struct op_call c;
    boxes_init(&c, "assign", anchors, n, boxes, m, true, &mem);
    param_set(&c, "positive_iou", high);
    param_set(&c, "negative_iou", low);
    param_set(&c, "force_match", force);
    assert_int_equal(boxes_run(&c), 0);
    const int64_t *label = c.out[op_output_row(c.op, "labels")].data;
    const int64_t *match = c.out[op_output_row(c.op, "matched")].data;
    const double *value = c.out[op_output_row(c.op, "value")].data;
    double best_of[FEW] = {0};
    for (size_t i = 0; i < n * m; i++)
        best_of[i % m] = fmax(
            best_of[i % m], naive_iou(anchors + i / m * 4, boxes + i % m * 4));
    for (size_t i = 0; i < n; i++) {
        double best = 0;
        size_t at = 0;
        bool forced = false;
        for (size_t j = 0; j < m; j++) {
            double iou = naive_iou(anchors + 4 * i, boxes + 4 * j);
            at = iou > best ? j : at;
            best = fmax(best, iou);
            forced = forced || (force && iou > 0 && iou == best_of[j]);
        }
        bool positive = m > 0 && (best >= high || forced);
        int64_t want = positive ? 1 : best < low ? 0 : -1;
        if (label[i] != want || value[i] != best ||
            match[i] != (positive ? (int64_t)at : -1))
            fail_msg("anchor %zu of %zu: %lld, %lld at %.17g; must be %lld, "
                     "%zu at %.17g",
                     i, n, (long long)label[i], (long long)match[i], value[i],
                     (long long)want, at, best);
    }
}

static void assignment_is_its_definition(void **state)
{
    double anchors[4 * FEW], boxes[4 * FEW];
    uint64_t s = 8;
    (void)state;
    for (size_t r = 0; r < ROUNDS; r++) {
        size_t n = 1 + draw_below(&s, FEW), m = draw_below(&s, 12);
        double high = (double)(1 + draw_below(&s, 8)) / 8;
        arena_clear(&mem, MEMORY);
        for (size_t i = 0; i < FEW; i++)
            for (size_t k = 0; k < 2; k++) {
                size_t at = 4 * i + k;
                anchors[at] = (double)draw_below(&s, 8);
                anchors[at + 2] = anchors[at] + (double)draw_below(&s, 6);
                boxes[at] = (double)draw_below(&s, 8);
                boxes[at + 2] = boxes[at] + (double)draw_below(&s, 6);
            }
        compare_assign(n, m, anchors, boxes, high, high / 2, r % 2);
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
        cmocka_unit_test(nms_is_its_definition),
        cmocka_unit_test(assignment_is_its_definition),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
