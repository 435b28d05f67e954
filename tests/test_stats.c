/* The diagnostics of activations: values derived by hand. */
#include "tests/activate.h"
#include "tests/crowd.h"

#include <float.h>

enum { LARGE = 100003 };

/* Checks by hand: activate with these, then look. */
#define ACTIVATE(t, b, v, g, from)                \
    activate((t), (b), &parallel_serial,          \
             &(struct input){.n_value = COUNT(v), \
                             .n = COUNT(g),       \
                             .value = (v),        \
                             .x = (from),         \
                             .grad = (g),         \
                             .channel_axis = NAN})

static void moments_by_hand(void **state)
{
    (void)state;
    static const double v[] = {2, 4, 4, 4, 5, 5, 7, 9};
    static const double g[] = {0, -0.0, 1, -2, 0.0625, 0.125, -0.0625, 1};
    static const double x[] = {-1, 1, 1, 1, -1, 1, 0, 1};
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        ACTIVATE(&t, b, v, g, x);
        equal(&t, "count", 8);
        equal(&t, "min", 2);
        equal(&t, "max", 9);
        equal(&t, "mean", 5);
        equal(&t, "std", 2);
        equal(&t, "zero_centredness", 2.5);
        equal(&t, "grad_abs_mean", 4.25 / 8);
        equal(&t, "grad_sq_mean", (1 + 4 + 1 + 0x1p-6 + 2 * 0x1p-8) / 8);
        equal(&t, "dead_fraction", 2. / 8);
        /* below 0.1: all but 1, -2, 0.125 and 1 */
        equal(&t, "vanishing_fraction", 4. / 8);
        equal(&t, "saturated_low_fraction", 2. / 8);
        equal(&t, "saturated_high_fraction", 1. / 8);
        equal(&t, "nan_count", 0);
        equal(&t, "inf_count", 0);
        equal(&t, "first_nonfinite_index", NAN);
        arena_free(&t.mem);
    }
}

static void the_limit_of_vanishing_is_exclusive(void **state)
{
    (void)state;
    /* 0.05 * 20 is 1 in double, too */
    static const double g[] = {20, 1, 0.999, -1, -0.999, NAN, INFINITY};
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        ACTIVATE(&t, b, g, g, g);
        equal(&t, "vanishing_fraction", 2. / 5);
        equal(&t, "saturated_low_fraction", 1. / 5);
        equal(&t, "saturated_high_fraction", 1. / 5);
        equal(&t, "grad_abs_mean",
              (22 + 2 * (b->type == OP_FLOAT32 ? (double)0.999f : 0.999)) / 5);
        arena_free(&t.mem);
    }
}

static void dead_gradients_vanish(void **state)
{
    (void)state;
    static const double g[3] = {0}, x[3] = {-1, 0, 1};
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        ACTIVATE(&t, b, x, g, x);
        equal(&t, "dead_fraction", 1);
        equal(&t, "vanishing_fraction", 1);
        equal(&t, "saturated_low_fraction", 1. / 3);
        equal(&t, "saturated_high_fraction", 1. / 3);
        arena_free(&t.mem);
    }
}

static void nonfinite_values_are_left_out(void **state)
{
    (void)state;
    static const double v[] = {1, 3, -INFINITY, NAN, 5, INFINITY, NAN, NAN};
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        ACTIVATE(&t, b, v, v, v);
        equal(&t, "count", 8);
        equal(&t, "nan_count", 3);
        equal(&t, "inf_count", 2);
        equal(&t, "first_nonfinite_index", 2);
        assert_int_equal(find(&t, "first_nonfinite_index")->kind,
                         OP_FACT_COUNT);
        equal(&t, "min", 1);
        equal(&t, "max", 5);
        equal(&t, "mean", 3);
        near(&t, "std", sqrtl(8.L / 3), 1e-15, 1);
        equal(&t, "fp16_overflow_fraction", 0);
        equal(&t, "grad_abs_mean", 3);
        equal(&t, "histogram.underflow", 0);
        equal(&t, "histogram.overflow", 0);
        arena_free(&t.mem);
    }
}

static void the_first_is_found_in_any_stretch(void **state)
{
    (void)state;
    static double v[LARGE];
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t at = LARGE - 1; at > 30000; at -= 10000) {
            struct trial t;
            v[at] = at % 20000 ? NAN : -INFINITY;
            ACTIVATE(&t, b, v, v, v);
            equal(&t, "first_nonfinite_index", (double)at);
            arena_free(&t.mem);
            v[at] = 0;
        }
}

static void nothing_is_null(void **state)
{
    (void)state;
    static const char *const null[] = {
        "min",
        "max",
        "mean",
        "std",
        "zero_centredness",
        "grad_abs_mean",
        "grad_sq_mean",
        "dead_fraction",
        "vanishing_fraction",
        "saturated_low_fraction",
        "saturated_high_fraction",
        "fp16_overflow_fraction",
        "fp16_subnormal_fraction",
        "fp16_max_abs_error",
    };
    static const double nan[] = {NAN, NAN, NAN};
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t n = 0; n <= COUNT(nan); n += COUNT(nan)) {
            struct trial t;
            struct input in = {n, n, nan, nan, nan, NULL, 0, NAN};
            activate(&t, b, &parallel_serial, &in);
            for (size_t i = 0; i < COUNT(null); i++)
                equal(&t, null[i], NAN);
            equal(&t, "count", (double)n);
            equal(&t, "nan_count", (double)n);
            equal(&t, "inf_count", 0);
            equal(&t, "first_nonfinite_index", n ? 0 : NAN);
            const double *edge = values(&t, "histogram.edges", BINS + 1);
            assert_true(edge[0] == -0.5 && edge[BINS] == 0.5);
            for (size_t k = 0; k < BINS; k++)
                assert_true(values(&t, "histogram.counts", BINS)[k] == 0);
            arena_free(&t.mem);
        }
}

/* The constant, and the range of its histogram in float64. */
static const struct {
    double value, low, high;
} constants[] = {
    {0, -0.5, 0.5},
    {3, 2.5, 3.5},
    {-0.1, -0.6, 0.4},
    {0x1p-149, -0.5, 0.5},
    {0x1p60, 0x1p60 - 0x1p20, 0x1p60 + 0x1p20},
    {-0x1.8p100, -0x1.8p100 - 0x1.8p60, -0x1.8p100 + 0x1.8p60},
};

static void constants_have_no_spread(void **state)
{
    (void)state;
    static double v[LARGE];
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t c = 0; c < COUNT(constants); c++) {
            struct trial t;
            for (size_t i = 0; i < COUNT(v); i++)
                v[i] = constants[c].value;
            ACTIVATE(&t, b, v, v, v);
            double is = b->type == OP_FLOAT32 ? (float)v[0] : v[0];
            equal(&t, "mean", is);
            equal(&t, "std", 0);
            equal(&t, "zero_centredness", NAN);
            const double *edge = values(&t, "histogram.edges", BINS + 1);
            const double *count = values(&t, "histogram.counts", BINS);
            assert_true(fabs(edge[0] - constants[c].low) <= 1e-8);
            assert_true(fabs(edge[BINS] - constants[c].high) <= 1e-8);
            assert_true(count[BINS / 2] + count[BINS / 2 - 1] == COUNT(v));
            arena_free(&t.mem);
        }
}

static void huge_and_tiny_values_stay_in_range(void **state)
{
    (void)state;
    static const double scales[] = {1e300,       0x1p450,   0x1p-450,
                                    DBL_MAX / 4, 0x1p-1070, 1e-160};
    static const struct build *b = &builds[1];
    for (size_t s = 0; s < COUNT(scales); s++) {
        const double k = scales[s], v[] = {-4 * k, -4 * k, 4 * k, 2 * k, -k};
        struct trial t;
        ACTIVATE(&t, b, v, v, v);
        near(&t, "mean", -0.6L * k, 1e-15, k);
        near(&t, "std", sqrtl((16 * 3 + 4 + 1 - 9 / 5.L) / 5) * k, 1e-15,
             3 * k);
        near(&t, "grad_abs_mean", 3.0L * k, 1e-15, 3 * k);
        const long double square = 10.6L * k * k;
        if (square > DBL_MIN && square < DBL_MAX)
            near(&t, "grad_sq_mean", square, 1e-15, square);
        equal(&t, "min", -4 * k);
        equal(&t, "max", 4 * k);
        const double *edge = values(&t, "histogram.edges", BINS + 1);
        const double *count = values(&t, "histogram.counts", BINS);
        double sum = 0;
        for (size_t i = 0; i < BINS; i++) {
            assert_true(isfinite(edge[i + 1]) && edge[i] < edge[i + 1]);
            sum += count[i];
        }
        assert_true(sum == COUNT(v));
        arena_free(&t.mem);
    }
}

static void offsets_do_not_cancel(void **state)
{
    (void)state;
    static double v[3 * LARGE];
    for (size_t i = 0; i < COUNT(v); i++)
        v[i] = 1e8 + (double)(i % 3) - 1;
    struct trial t;
    ACTIVATE(&t, &builds[1], v, v, v);
    equal(&t, "mean", 1e8);
    near(&t, "std", sqrtl(2.L / 3), 1e-15, 1);
    near(&t, "zero_centredness", 1e8L / sqrtl(2.L / 3), 2e-15, 1.3e8);
    arena_free(&t.mem);
}

/* Values, and what half precision makes of the lot. */
static const struct {
    double value, overflow, subnormal, error;
} halves[] = {
    {65504, 0, 0, 0},
    {65519, 0, 0, 15},
    {-65519.99609375, 0, 0, 15.99609375},
    {65520, 1, 0, NAN},
    {-1e30, 1, 0, NAN},
    {0x1p-14, 0, 0, 0},
    {0x1p-15, 0, 1, 0},
    {-0x1p-24, 0, 1, 0},
    {0x1p-25, 0, 1, 0x1p-25},     /* a tie, to 0 */
    {0x1.8p-24, 0, 1, 0x1p-25},   /* a tie, to 2^-23 */
    {0x1.4p-25, 0, 1, 0x1.8p-26}, /* up, to 2^-24 */
    {0x1.ffep-15, 0, 1, 0x1p-26}, /* up, to 2^-14 */
    {1 + 0x1p-11, 0, 0, 0x1p-11},
    {1 + 0x1.8p-11, 0, 0, 0x1p-12},
    {2049, 0, 0, 1},
    {2051, 0, 0, 1},
    {0, 0, 0, 0},
    {0x1p-149, 0, 1, 0x1p-149},
};

static void halves_by_hand(void **state)
{
    (void)state;
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t i = 0; i < COUNT(halves); i++) {
            struct trial t;
            const double v[] = {halves[i].value};
            ACTIVATE(&t, b, v, v, v);
            equal(&t, "fp16_overflow_fraction", halves[i].overflow);
            equal(&t, "fp16_subnormal_fraction", halves[i].subnormal);
            equal(&t, "fp16_max_abs_error", halves[i].error);
            arena_free(&t.mem);
        }
}

/* 2 x 3 x 2: the middle channel and the last row of the first are dead. */
static const double holes[] = {0, 1, 0, 0, 0, -0.0, 0, 0, 0, -0.0, NAN, 0};
static const size_t holes_dim[] = {2, 3, 2};

static const struct {
    double axis;
    int n_dead; /* -1: not asked */
    double dead[3];
} axes[] = {
    {NAN, -1, {0}}, {3, -1, {0}}, {-4, -1, {0}}, {0, 0, {0}},
    {1, 1, {1}},    {-2, 1, {1}}, {2, 0, {0}},   {-3, 0, {0}},
};

static void dead_channels_by_hand(void **state)
{
    (void)state;
    for (const struct build *b = NULL; (b = next_build(b));)
        for (size_t i = 0; i < COUNT(axes); i++) {
            struct trial t;
            struct input in = {12,    12,        holes, holes,
                               holes, holes_dim, 3,     axes[i].axis};
            activate(&t, b, &parallel_serial, &in);
            if (axes[i].n_dead < 0) {
                assert_null(find(&t, "dead_channels"));
                assert_null(find(&t, "dead_channel_count"));
            } else {
                const size_t n = (size_t)axes[i].n_dead;
                const double *got = values(&t, "dead_channels", n);
                equal(&t, "dead_channel_count", axes[i].n_dead);
                assert_memory_equal(got, axes[i].dead, n * sizeof(*got));
            }
            arena_free(&t.mem);
        }
}

static void many_channels_are_found(void **state)
{
    (void)state;
    enum { OUTER = 5, CHANNELS = 200 };
    static const size_t dim[] = {OUTER, CHANNELS};
    static double g[OUTER * CHANNELS];
    for (size_t k = 0; k < CHANNELS; k++) /* alive in one place each */
        g[k % OUTER * CHANNELS + k] = k % 7 != 0;
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        struct input in = {COUNT(g), COUNT(g), g, g, g, dim, 2, -1};
        activate(&t, b, &threads, &in);
        const double *dead = values(&t, "dead_channels", (CHANNELS + 6) / 7);
        for (size_t k = 0; k < (CHANNELS + 6) / 7; k++)
            assert_true(dead[k] == 7. * (double)k);
        arena_free(&t.mem);
    }
}

static void channels_without_elements_are_not_dead(void **state)
{
    (void)state;
    static const size_t dim[] = {0, 3};
    static const double none[1];
    for (const struct build *b = NULL; (b = next_build(b));) {
        struct trial t;
        struct input in = {0, 0, none, none, none, dim, 2, 1};
        activate(&t, b, &parallel_serial, &in);
        equal(&t, "dead_channel_count", 0);
        arena_free(&t.mem);
    }
}

static void spent_memory_is_said(void **state)
{
    (void)state;
    static const size_t dim[] = {12, 1};
    for (size_t room = 0, rc = 1; rc != 0; room += 64) {
        struct trial t;
        struct input in = {12, 12, holes, holes, holes, dim, 2, 0};
        activate(&t, &builds[1], &parallel_serial, &in);
        t.call.n_facts = 0;
        t.mem.bytes_max = t.mem.bytes_used + room;
        rc = (size_t)-builds[1].stats(&t.call);
        assert_true(room < 1 << 16 && (rc == 1) == t.mem.failed);
        arena_free(&t.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_by_hand),
        cmocka_unit_test(the_limit_of_vanishing_is_exclusive),
        cmocka_unit_test(dead_gradients_vanish),
        cmocka_unit_test(nonfinite_values_are_left_out),
        cmocka_unit_test(the_first_is_found_in_any_stretch),
        cmocka_unit_test(nothing_is_null),
        cmocka_unit_test(constants_have_no_spread),
        cmocka_unit_test(huge_and_tiny_values_stay_in_range),
        cmocka_unit_test(offsets_do_not_cancel),
        cmocka_unit_test(halves_by_hand),
        cmocka_unit_test(dead_channels_by_hand),
        cmocka_unit_test(many_channels_are_found),
        cmocka_unit_test(channels_without_elements_are_not_dead),
        cmocka_unit_test(spent_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
