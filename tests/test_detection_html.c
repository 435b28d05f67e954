/*
 * What the page of a report says: the sections that were asked for, with what
 * the report has.
 */
#include "tests/pages.h"

static void sections_are_there_when_asked_for(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit <= OUTPUTS_ALL; bit *= 2) {
        unsigned outputs[] = {bit, OUTPUTS_ALL & ~bit};
        for (size_t i = 0; i < 2; i++) {
            struct scored s;
            read_body(&s, pets);
            score(&s, outputs[i]);
            struct json_out page = page_of(&s, NULL);
            must_have_sections(&page, outputs[i]);
            arena_free(&s.mem);
        }
    }
}

static void must_follow(const struct json_out *page, const char *first,
                        const char *then)
{
    const char *a = memmem(page->text, page->len, first, strlen(first));
    const char *b = memmem(page->text, page->len, then, strlen(then));
    if (!a || !b || a > b)
        fail_msg("no %s before %s", first, then);
}

/* What is said of the pets. */
static void it_says_what_the_report_says(void **state)
{
    static const struct {
        size_t times;
        const char *what;
    } rows[] = {
        {1, "<title>Pets</title>"},
        {1, "<h1>Pets</h1>"},
        {1, "<dt>images</dt><dd>3</dd>"},
        {1, "<dt>detections</dt><dd>3</dd>"},
        {1, "Wrong categories cost most: putting the one right would lift AP"},
        {1, "dog → cat: 1 (100.0 % of the row)"},
        {1, "cat → cat: 1 (50.0 % of the row)"},
        {1, "<th scope=\"row\">dog</th><td class=\"words\">cat</td><td>1</td>"},
        {2, "<b>image "}, /* the first has no error */
        {1, "<b>image 2</b> F1 0.000, AP 0.000<br/>0 found, 1 missed, 2 false"},
        {1, "<b>image 3</b> F1 0.000, AP 0.000<br/>0 found, 1 missed, 0 false"},
        {1 + 2, "<rect class=\"missed\""}, /* with the legend's */
        {1 + 2, "<rect class=\"wrong\""},
        {1, "<rect class=\"hit\""},
        {1, "<title>score 0.867 to 0.933: precision 1.000 (1 of 1), mean "
            "score 0.900</title>"},
        {1, "cat 0.8: false positive"},
        {1, "<th scope=\"row\">missing_label</th><td>1</td>"},
        {1, "<th scope=\"row\">wrong_label</th><td>1</td>"},
        {1, "<th scope=\"row\">loose_label</th><td>0</td>"},
        {1, "<th scope=\"row\">spurious_label</th><td>1</td>"},
        {1, "<td class=\"words\">cat</td><td class=\"words\">dog</td>"
            "<td>2</td><td title=\"0.95\">0.950</td>"},
        {1, "<th scope=\"row\">asked for</th><td title=\"0.75\">0.750</td>"
            "<td title=\"0.4\">0.400</td>"},
    };
    struct scored s;
    struct json_out json;
    (void)state;
    read_body(&s, pets);
    s.req.options.n_scores = 1;
    s.req.options.score[0] = 0.75;
    score(&s, OUTPUTS_ALL);
    struct json_out page = page_of(&s, "Pets");
    for (size_t i = 0; i < COUNT(rows); i++)
        if (count(&page, rows[i].what) != rows[i].times)
            fail_msg("%zu times: %s", count(&page, rows[i].what), rows[i].what);
    must_follow(&page, "<b>image 2", "<b>image 3"); /* more errors go first */
    must_follow(&page, "<th scope=\"row\">dog</th><td>1</td><td>1</td>",
                "<th scope=\"row\">cat</th><td>2</td><td>2</td>");
    json_out_init(&json, &s.mem, false);
    detection_write(&json, &s.rep);
    const char *hash = memmem(json.text, json.len, "sha256:", 7);
    char text[72] = "";
    memcpy(text, hash, 71);
    assert_int_equal(count(&page, text), 1);
    arena_free(&s.mem);
}

/* Lowest F1 first, whatever the number of errors. */
static void worst_images_go_first(void **state)
{
    /* clang-format off */
    static const char body[] =
        IMAGES CATS ",\"annotations\":[" BOX(1, 7, "0,0,9,9") ","
        BOX(2, 7, "0,0,9,9") "]},\"detections\":["
        FOUND(1, 7, "0,0,9,9", 0.9) "," FOUND(1, 7, "50,0,9,9", 0.9) ","
        FOUND(1, 8, "50,0,9,9", 0.9) "]}";
    /* clang-format on */
    struct scored s;
    (void)state;
    read_body(&s, body);
    score(&s, OUTPUTS_ALL);
    struct json_out page = page_of(&s, NULL);
    must_follow(&page, "<b>image 2</b> F1 0.000", "<b>image 1</b> F1 0.500");
    arena_free(&s.mem);
}

/* The mean of a curve is AP at its threshold, whatever else is measured. */
static void curves_are_those_of_all_areas(void **state)
{
    static const char parameters[] =
        "{\"area_ranges\":{\"small\":[0,500],\"all\":[0,1e10],\"large\":"
        "[9000,1e10]},\"max_detections\":[1,3,100]}";
    static const unsigned arrays[] = {0, OUTPUT_ARRAYS};
    (void)state;
    for (size_t i = 0; i < COUNT(arrays); i++) {
        struct scored s;
        struct api_error err = {0};
        read_sample(&s, 7);
        assert_int_equal(decode_parameters(parameters, sizeof(parameters) - 1,
                                           &s.req, &s.mem, &err),
                         0);
        score(&s, OUTPUT_CURVES | arrays[i]);
        struct json_out page = page_of(&s, "curves");
        const char *const names[] = {"0.5", "0.75"};
        for (size_t n = 0; n < 2; n++) {
            char legend[60];
            snprintf(legend, sizeof(legend), "</i>IoU %s <b>%.3f</b>", names[n],
                     s.rep.value[1 + n]);
            assert_int_equal(count(&page, legend), 1);
        }
        arena_free(&s.mem);
    }
}

/* Slices and intervals as they are given, whoever made them. */
static void slices_and_intervals_are_shown(void **state)
{
    static struct coco_slice size[4] = {{3, 4, 0.25, 0.5, 0.125, 0.75},
                                        {3, 0, -1, -1, -1, -1},
                                        {3, 1, 0.25, 0.5, 0.125, 0.75},
                                        {3, 1, 0.25, 0.5, 0.125, 0.75}};
    static struct coco_slice number[4] = {{1, 1234, 0.375, 0.5, 0.125, 1}};
    static const struct {
        size_t times;
        const char *what;
    } rows[] = {
        {1, "[0.100, 0.300]</small>"},
        {1, "<td>[0.100, 0.300]</td>"},
        {1, "<td>[0.200, 0.400]</td>"}, /* of the cat */
        {1, "with 95 % intervals from 20 resamples"},
        {1, "<th scope=\"row\">small</th><td>3</td><td>0</td><td>–</td>"},
        {1, "<th scope=\"row\">all</th><td>3</td><td>4</td>"
            "<td title=\"0.25\">0.250</td><td title=\"0.5\">0.500</td>"
            "<td title=\"0.125\">0.125</td><td title=\"0.75\">0.750</td>"},
        {1, "</tspan> · 1,234 objects</text>"},
        {1, "<title>1: 0.375</title>"},
        {4, "<title>AP50: 0.5</title>"},
        {1, ">10+</text>"},
    };
    struct coco_interval interval[COCO_VALUES_MAX];
    struct scored s;
    (void)state;
    for (size_t i = 0; i < COUNT(interval); i++)
        interval[i] = (struct coco_interval){(double)NAN, (double)NAN, 0, 0};
    interval[0] = (struct coco_interval){0.1, 0.3, 0.05, 20};
    interval[COCO_NUMBERS] = (struct coco_interval){0.2, 0.4, 0.05, 20};
    read_body(&s, pets);
    score(&s, OUTPUTS_ALL);
    s.rep.size_slice = size;
    s.rep.count_slice = number;
    s.rep.interval = interval;
    struct json_out page = page_of(&s, NULL);
    must_have_sections(&page, OUTPUTS_ALL);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (count(&page, rows[i].what) != rows[i].times)
            fail_msg("%zu times: %s", count(&page, rows[i].what), rows[i].what);
    arena_free(&s.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_there_when_asked_for),
        cmocka_unit_test(it_says_what_the_report_says),
        cmocka_unit_test(worst_images_go_first),
        cmocka_unit_test(curves_are_those_of_all_areas),
        cmocka_unit_test(slices_and_intervals_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
