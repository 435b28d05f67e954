/* The text that Prometheus reads, letter by letter. */
#include "server/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 20 };

static const char *const colors[] = {"red", "back\\slash \"quote\"\nline",
                                     NULL};
static const char *const shades[] = {"dark"};

static bool name_size(size_t i, char text[LABEL_BYTES])
{
    snprintf(text, LABEL_BYTES, "%zu", i + 1);
    return i < 2;
}

static const struct metric_label color = {"color", 3, colors, NULL},
                                 shade = {"shade", 1, shades, NULL},
                                 size = {"size", 2, NULL, name_size};

static const struct metric metrics[] = {
    {.name = "a_total", .help = "A \"b\" c\\d\ne.", .cell = 0},
    {.name = "b",
     .help = "B.",
     .type = METRIC_GAUGE,
     .cell = 1,
     .label = {&color, &size}},
    {.name = "c", .help = "C.", .type = METRIC_GAUGE, .cell = 7},
    {.name = "d_total",
     .help = "D.",
     .sparse = true,
     .cell = 8,
     .label = {&size}},
    {.name = "e_seconds_total", .help = "E.", .nanoseconds = true, .cell = 10},
    {.name = "f_seconds",
     .help = "F.",
     .type = METRIC_HISTOGRAM,
     .cell = 11,
     .label = {&shade}},
};

/* The last two of b are of no color. */
static const uint64_t cells[11 + HISTOGRAM_CELLS] = {
    [0] = 7,
    [1] = 1,
    [2] = 2,
    [3] = 3,
    [4] = 4,
    [5] = 5,
    [6] = 6,
    [7] = METRIC_UNKNOWN,
    [9] = 9,
    [10] = 1234500000,
    [11] = 1,
    [12] = 2,
    [11 + HISTOGRAM_BOUNDS - 1] = 3,
    [11 + HISTOGRAM_BOUNDS] = 4,
    [11 + HISTOGRAM_SUM] = 5000000000,
};

/* What is the same in both forms, and what differs around it. */
static const char b_and_c[] =
    "# HELP b B.\n"
    "# TYPE b gauge\n"
    "b{color=\"red\",size=\"1\"} 1\n"
    "b{color=\"red\",size=\"2\"} 2\n"
    "b{color=\"back\\\\slash \\\"quote\\\"\\nline\",size=\"1\"} 3\n"
    "b{color=\"back\\\\slash \\\"quote\\\"\\nline\",size=\"2\"} 4\n"
    "# HELP c C.\n"
    "# TYPE c gauge\n";
static const char f[] = "# HELP f_seconds F.\n"
                        "# TYPE f_seconds histogram\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.0001\"} 1\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.00025\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.0005\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.001\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.0025\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.005\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.01\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.025\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.05\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.1\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.25\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"0.5\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"1.0\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"2.5\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"5.0\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"10.0\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"30.0\"} 3\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"60.0\"} 6\n"
                        "f_seconds_bucket{shade=\"dark\",le=\"+Inf\"} 10\n"
                        "f_seconds_sum{shade=\"dark\"} 5.0\n"
                        "f_seconds_count{shade=\"dark\"} 10\n";
static const struct {
    const char *a, *d_and_e, *end;
} forms[] = {
    [EXPOSITION_TEXT] = {"# HELP a_total A \"b\" c\\\\d\\ne.\n"
                         "# TYPE a_total counter\n"
                         "a_total 7\n",
                         "# HELP d_total D.\n"
                         "# TYPE d_total counter\n"
                         "d_total{size=\"2\"} 9\n"
                         "# HELP e_seconds_total E.\n"
                         "# TYPE e_seconds_total counter\n"
                         "e_seconds_total 1.2345\n",
                         ""},
    [EXPOSITION_OPENMETRICS] = {"# HELP a A \\\"b\\\" c\\\\d\\ne.\n"
                                "# TYPE a counter\n"
                                "a_total 7\n",
                                "# HELP d D.\n"
                                "# TYPE d counter\n"
                                "d_total{size=\"2\"} 9\n"
                                "# HELP e_seconds E.\n"
                                "# TYPE e_seconds counter\n"
                                "e_seconds_total 1.2345\n",
                                "# EOF\n"},
};

static void a_small_table_letter_by_letter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct arena mem;
        struct json_out out;
        char want[4096];
        snprintf(want, sizeof(want), "%s%s%s%s%s", forms[i].a, b_and_c,
                 forms[i].d_and_e, f, forms[i].end);
        arena_init(&mem, PLENTY);
        json_out_init(&out, &mem, false);
        exposition_write(&out, (enum exposition)i, metrics, COUNT(metrics),
                         cells);
        out_bytes(&out, "", 1);
        assert_string_equal(out.text, want);
        arena_free(&mem);
    }
}

static void bounds_belong_to_what_is_below(void **state)
{
    static const struct {
        uint64_t ns;
        size_t cell;
    } rows[] = {
        {0, 0},
        {100000, 0},
        {100001, 1},
        {1000000000, 12},
        {1000000001, 13},
        {60000000000, 17},
        {60000000001, 18},
        {UINT64_MAX, 18},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(histogram_cell(rows[i].ns), rows[i].cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_table_letter_by_letter),
        cmocka_unit_test(bounds_belong_to_what_is_below),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
