/* Runs of numbers: the text is that of one number after the other. */
#include "api/json_out.h"
#include "core/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 26 };

/* As many numbers as there are between two that are not finite. */
static void write_runs(struct json_out *out, const double *x, size_t n,
                       bool single)
{
    float *floats = calloc(n + 1, sizeof(*floats));
    assert_non_null(floats);
    for (size_t i = 0; i < n; i++)
        floats[i] = (float)x[i];
    for (size_t i = 0; i < n;) {
        i += single ? out_floats(out, floats + i, n - i)
                    : out_numbers(out, x + i, n - i);
        if (i < n)
            out_string(out, isnan(x[i++]) ? "nan" : "inf");
    }
    free(floats);
}

static void write_singly(struct json_out *out, const double *x, size_t n,
                         bool single)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            out_string(out, isnan(x[i]) ? "nan" : "inf");
        else if (single)
            out_float(out, (float)x[i]);
        else
            out_number(out, x[i]);
}

/* Arrays of n numbers, one and two deep, in an arena of so many bytes. */
static struct json_out write_arrays(struct arena *mem, const double *x,
                                    size_t n, unsigned how, bool runs)
{
    struct json_out out;
    bool single = how & 1;
    json_out_init(&out, mem, how & 2);
    out_open(&out, '[');
    for (int i = 0; i < 2; i++) {
        (runs ? write_runs : write_singly)(&out, x, n, single);
        out_open(&out, '[');
        (runs ? write_runs : write_singly)(&out, x, n, single);
        out_close(&out, ']');
    }
    out_close(&out, ']');
    return out;
}

static void runs_are_written_as_single_numbers(void **state)
{
    (void)state;
    enum { MOST = 1300 };
    static const size_t lengths[] = {0,   1,   2,   3,   255, 256,
                                     257, 258, 511, 512, 513, MOST};
    static double x[MOST];
    uint64_t seed = 11;
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (unsigned how = 0; how < 16; how++) {
            struct arena mem, other;
            for (size_t k = 0; k < lengths[i]; k++) {
                uint64_t r = random_next(&seed);
                x[k] = (double)(int64_t)r * 0x1p-70;
                if (how >= 8 && r % 64 == 0)
                    x[k] = r & 64 ? NAN : INFINITY;
            }
            if (how >= 12 && lengths[i] > 0)
                x[0] = x[lengths[i] - 1] = -INFINITY;
            arena_init(&mem, PLENTY);
            arena_init(&other, PLENTY);
            struct json_out a = write_arrays(&mem, x, lengths[i], how, true);
            struct json_out b = write_arrays(&other, x, lengths[i], how, false);
            assert_false(a.failed || b.failed);
            assert_int_equal(a.len, b.len);
            assert_memory_equal(a.text, b.text, b.len);
            arena_free(&mem);
            arena_free(&other);
        }
}

/* The numbers count as written, so that who writes them comes to an end. */
static void runs_are_dropped_when_memory_is_spent(void **state)
{
    (void)state;
    enum { N = 1000 };
    static double x[N];
    for (size_t budget = 0; budget < 60000; budget += 2048) {
        struct arena mem;
        arena_init(&mem, budget);
        struct json_out out = write_arrays(&mem, x, N, 2, true);
        assert_true(out.failed && out.len <= out.capacity);
        arena_free(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_written_as_single_numbers),
        cmocka_unit_test(runs_are_dropped_when_memory_is_spent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
