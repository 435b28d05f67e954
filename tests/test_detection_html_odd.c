/*
 * The page of a report whose data are odd, evil or large: well-formed, with
 * nothing from outside but as text; and what becomes of it without memory.
 */
#include "tests/pages.h"

#define SWEEP "F1, precision and recall over the score"
#define TRUTH(b) ",\"annotations\":[" BOX(1, 7, b) "]},\"detections\":["

/* Bodies with what is rare, and what the page says of them, or does not. */
static const struct {
    const char *says, *lacks, *parameters, *body;
} odd[] = {
    {"No category has a ground truth.", SWEEP, "{}",
     "{\"ground_truth\":{\"images\":[],\"annotations\":[],\"categories\":[]},"
     "\"detections\":[]}"},
    {"No image has an error.", SWEEP, "{}",
     IMAGES CATS ",\"annotations\":[]},\"detections\":[]}"},
    {"No kind of error costs AP by itself.", SWEEP, "{}",
     IMAGES CATS TRUTH("0,0,9,9") "]}"},
    {"No category has a ground truth.", SWEEP, "{}",
     IMAGES CATS
     ",\"annotations\":[]},\"detections\":[" FOUND(1, 7, "0,0,9,9", 0.5) "]}"},
    {"No kind of error costs AP by itself.", "<figcaption><b>image", "{}",
     IMAGES CATS TRUTH("0,0,9,9") FOUND(1, 7, "0,0,9,9", 0.5) "]}"},
    {"No category was taken for another.", "no such text", "{}",
     IMAGES CATS TRUTH("3,3,0,0") FOUND(1, 7, "3,3,0,0", 0.5) "]}"},
    {"boxes of an image", SWEEP, "{}",
     IMAGES CATS TRUTH("-1e300,0,1e300,1e300")
         FOUND(1, 7, "1e308,-1e308,1.7e308,1.7e308", 1e300) "," FOUND(
             1, 8, "-1.7e308,0,1e-310,-1.7e308",
             -1e308) "," FOUND(1, 8, "-1.7e308,-1.7e308,1.7e308,1.7e308",
                               1e307) "," FOUND(1, 8, "0,0,5e-324,1",
                                                1e308) "]}"},
    {"x=\"174\" y=\"16\" width=\"170\"", "x=\"174\" y=\"16\" width=\"340\"",
     "{}",
     IMAGES CATS TRUTH("-1.7e308,0,1.7e308,1e-300")
         FOUND(1, 7, "0,0,1.7e308,1e-300", 0.5) "]}"},
    {SWEEP, "no such text", "{}",
     IMAGES CATS TRUTH("0,0,-5,-5")
         FOUND(1, 7, "0,0,5e-324,0", -3) "," FOUND(2, 7, "0,0,1,1", 4) "]}"},
    {SWEEP, "class=\"mark\"", "{}",
     IMAGES CATS TRUTH("0,0,9,9")
         FOUND(1, 7, "50,0,9,9", 0.5) "," FOUND(1, 8, "80,0,9,9", 0.6) "]}"},
    {"<b>image 1", SWEEP, "{}",
     IMAGES CATS TRUTH("0,0,9,9") FOUND(1, 7, "50,0,9,9", 1e308) "," FOUND(
         1, 7, "50,0,9,9", -1e308) "]}"},
    {"<b>image 1", SWEEP, "{}",
     IMAGES CATS TRUTH("0,0,9,9") FOUND(1, 7, "50,0,9,9", 3) "]}"},
    {">all categories<", "too many categories", "{\"use_categories\":false}",
     pets},
    {"IoU 0.5 <b>", "IoU 0.55",
     "{\"iou_thresholds\":[0.5],"
     "\"recall_thresholds\":[0.5]}",
     pets},
    {">AR_3<", "no such text",
     "{\"max_detections\":[1,2,3],\"per_image_iou\":1}", pets},
    {"AP_tiny.", "no such text",
     "{\"score_threshold\":0.85,\"area_ranges\":{\"all\":[0,1e5],"
     "\"tiny.\":[0,0]}}",
     pets},
    {"No category has a ground truth.", SWEEP,
     "{\"area_ranges\":{\"all\":[1e9,1e10]}}", pets},
};

static void odd_data_are_drawn(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct scored s;
        struct api_error err = {0};
        read_body(&s, odd[i].body);
        assert_int_equal(decode_parameters(odd[i].parameters,
                                           strlen(odd[i].parameters), &s.req,
                                           &s.mem, &err),
                         0);
        score(&s, OUTPUTS_ALL);
        struct json_out page = page_of(&s, "odd");
        must_have_sections(&page, OUTPUTS_ALL);
        if (!has(&page, odd[i].says) || has(&page, odd[i].lacks))
            fail_msg("row %zu: not %s, or %s", i, odd[i].says, odd[i].lacks);
        arena_free(&s.mem);
    }
}

#define EVIL "</title><script src=\"http://x\">&amp;'\xff\xc3\x01\xed\xa0\x80"

/* What people call things is text, wherever it stands. */
static void names_are_text(void **state)
{
    static const char *const names[] = {EVIL, "\xef\xbf\xbf"};
    static const char as_text[] =
        "&lt;/title&gt;&lt;script src=&quot;http://x&quot;&gt;&amp;amp;'"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
        "\xef\xbf\xbd";
    struct scored s;
    struct markup m;
    struct json_out out;
    (void)state;
    read_body(&s, pets);
    s.req.category_name[0] = names[0];
    s.req.category_name[1] = names[1];
    score(&s, OUTPUTS_ALL);
    json_out_init(&out, &s.mem, false);
    detection_html(&out, &s.rep, EVIL);
    assert_false(out.failed);
    if (!markup_read(&m, out.text, out.len))
        fail_msg("%s: %.*s", m.fault, 120, m.at - 60);
    assert_false(has(&out, "<script"));
    assert_false(has(&out, "\xff"));
    assert_false(has(&out, "\xef\xbf\xbf"));
    assert_true(count(&out, as_text) > 10);
    arena_free(&s.mem);
}

static void many_classes_stay_small(void **state)
{
    static const struct {
        size_t classes, bytes_max;
    } rows[] = {{1, 200000}, {100, 2000000}, {101, 2000000}, {1230, 3000000}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scored s;
        read_sample(&s, rows[i].classes);
        score(&s, OUTPUTS_ALL);
        struct json_out page = page_of(&s, "many");
        if (page.len > rows[i].bytes_max)
            fail_msg("%zu classes: %zu bytes", rows[i].classes, page.len);
        assert_int_equal(has(&page, "too many categories to draw"),
                         rows[i].classes > 100);
        arena_free(&s.mem);
    }
}

/* Any memory: the page or a failure, and the same page every time. */
static void without_memory_it_fails(void **state)
{
    struct scored s;
    size_t failures = 0;
    (void)state;
    read_body(&s, pets);
    score(&s, OUTPUTS_ALL);
    struct json_out want = page_of(&s, "pets");
    for (size_t bytes = 0; bytes < 8 * want.len; bytes += 997) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, bytes);
        json_out_init(&out, &mem, false);
        detection_html(&out, &s.rep, "pets");
        failures += out.failed;
        assert_true(out.failed || out.len == want.len);
        if (!out.failed)
            assert_memory_equal(out.text, want.text, want.len);
        arena_free(&mem);
    }
    assert_true(failures > 10 && failures < 8 * want.len / 997);
    arena_free(&s.mem);
}

static void once_stopped_it_fails(void **state)
{
    atomic_bool stop = true;
    struct scored s;
    struct json_out out;
    (void)state;
    read_body(&s, pets);
    score(&s, OUTPUTS_ALL);
    s.mem.stop = &stop;
    json_out_init(&out, &s.mem, false);
    detection_html(&out, &s.rep, NULL);
    assert_true(out.failed);
    arena_free(&s.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_data_are_drawn),
        cmocka_unit_test(names_are_text),
        cmocka_unit_test(many_classes_stay_small),
        cmocka_unit_test(without_memory_it_fails),
        cmocka_unit_test(once_stopped_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
