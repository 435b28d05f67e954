/* Images of a run, box by box: as they are among others, and why. */
#include "tests/streamed.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OFF 12.0

static struct kept kept;
static char run[RUN_ID_BYTES];

static int setup(void **state)
{
    (void)state;
    kept_init(&kept);
    streamed_dataset(&kept, "made-up");
    streamed_open(&kept, "made-up", "\"score_threshold\":0.4", run);
    streamed_send(&kept, run, 0, STREAMED_IMAGES, OFF);
    return 0;
}

static json_t *get(const char *what, const char *query)
{
    struct answer a = streamed_get(&kept, 200, run, what, query);
    return streamed_json(&a);
}

static int64_t integer(const json_t *v, const char *key)
{
    return json_integer_value(json_object_get(v, key));
}

static bool has_status(const json_t *row, const char *status)
{
    return strcmp(json_string_value(json_object_get(row, "status")), status) ==
           0;
}

/* How many rows of a list have a status, and are shown if there is a say. */
static int64_t with_status(const json_t *view, const char *list,
                           const char *status)
{
    int64_t n = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(view, list), i, row)
    {
        json_t *shown = json_object_get(row, "shown");
        n += has_status(row, status) && (!shown || json_is_true(shown));
    }
    return n;
}

/* What the rows say adds up to the counts. */
static void check_sums(const json_t *view)
{
    static const char *const wrong[] = {"classification", "localisation",
                                        "both", "duplicate", "background"};
    int64_t fp = 0;
    for (size_t i = 0; i < COUNT(wrong); i++)
        fp += with_status(view, "detections", wrong[i]);
    assert_int_equal(fp, integer(view, "fp"));
    assert_int_equal(with_status(view, "detections", "true_positive"),
                     integer(view, "tp"));
    assert_int_equal(with_status(view, "detections", "ignored"),
                     integer(view, "ignored"));
    assert_int_equal(with_status(view, "ground_truths", "found"),
                     integer(view, "tp"));
    assert_int_equal(with_status(view, "ground_truths", "missed"),
                     integer(view, "fn"));
}

/* The rows that met name each other. */
static void check_links(const json_t *view)
{
    const json_t *dt = json_object_get(view, "detections");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(view, "ground_truths"), i, row)
    {
        json_t *found = json_object_get(row, "detection");
        assert_int_equal(json_is_null(found), !has_status(row, "found"));
        if (json_is_null(found))
            continue;
        const json_t *by =
            json_array_get(dt, (size_t)json_integer_value(found));
        assert_true(has_status(by, "true_positive"));
        assert_int_equal(integer(by, "annotation_id"),
                         integer(row, "annotation_id"));
    }
    json_array_foreach(dt, i, row)
        assert_int_equal(integer(row, "detection"), i);
}

/* Moves the numbers of detections back to those of the whole. */
static void renumber(json_t *view, const char *list, size_t before)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(view, list), i, row)
    {
        json_t *d = json_object_get(row, "detection");
        if (json_is_integer(d))
            json_integer_set(d, json_integer_value(d) + (json_int_t)before);
    }
}

static void images_are_shown_as_among_others(void **state)
{
    static const char *const members[] = {
        "image_id", "tp", "fp",       "fn", "ignored", "precision",
        "recall",   "f1", "mean_iou", "AP", "matches", "suspects"};
    (void)state;
    json_t *doc = get("images", ""), *row;
    size_t i, before = 0;
    json_array_foreach(json_object_get(doc, "per_image"), i, row)
    {
        char what[50];
        snprintf(what, sizeof(what), "images/%lld",
                 (long long)integer(row, "image_id"));
        json_t *view = get(what, "");
        assert_int_equal(integer(row, "ground_truths"),
                         integer(view, "tp") + integer(view, "fn"));
        check_sums(view);
        check_links(view);
        size_t n = json_array_size(json_object_get(view, "detections"));
        renumber(view, "matches", before);
        renumber(view, "suspects", before);
        before += n;
        for (size_t m = 0; m < COUNT(members); m++)
            if (!json_equal(json_object_get(row, members[m]),
                            json_object_get(view, members[m])))
                fail_msg("%s: %s", what, members[m]);
        json_decref(view);
    }
    assert_int_equal(i, STREAMED_IMAGES);
    json_decref(doc);
}

/* Image 11 has the crowd, image 1 a detection of no category. */
static void rows_of_an_image_say_what_they_are(void **state)
{
    (void)state;
    json_t *view = get("images/1", "");
    assert_int_equal(with_status(view, "detections", "unknown_category"), 1);
    json_t *row = json_array_get(json_object_get(view, "detections"), 2);
    assert_int_equal(integer(row, "category_id"), 8);
    assert_true(json_is_null(json_object_get(row, "name")));
    assert_true(json_is_null(json_object_get(row, "annotation_id")));
    assert_true(json_is_null(json_object_get(row, "iou")));
    row = json_array_get(json_object_get(view, "detections"), 1);
    assert_true(has_status(row, "background"));
    assert_true(json_is_false(json_object_get(row, "shown")));
    json_decref(view);
    view = get("images/11", "");
    row = json_array_get(json_object_get(view, "ground_truths"), 0);
    assert_true(has_status(row, "ignored"));
    assert_int_equal(integer(row, "iscrowd"), 1);
    assert_string_equal(json_string_value(json_object_get(row, "name")),
                        "class 2");
    assert_int_equal(json_array_size(json_object_get(row, "bbox")), 4);
    json_decref(view);
    view = get("images/7", "");
    assert_int_equal(json_array_size(json_object_get(view, "ground_truths")),
                     0);
    json_decref(view);
}

static void images_that_are_not_there(void **state)
{
    static const struct {
        const char *id, *detail;
    } rows[] = {
        {"images/2", "image 2 is not in the dataset of the run"},
        {"images/-1", "image -1 is not in the dataset of the run"},
        {"images/47", "image 47 of the dataset has not come yet"},
        {"images/1x", "\"1x\" is not the id of an image, which is an integer"},
        {"images/-", "\"-\" is not the id of an image, which is an integer"},
        {"images/99999999999999999999",
         "\"99999999999999999999\" is not the id of an image, which is an "
         "integer"},
    };
    char open[RUN_ID_BYTES];
    (void)state;
    streamed_open(&kept, "made-up", "", open);
    streamed_send(&kept, open, 0, 5, OFF);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a = streamed_get(&kept, 404, open, rows[i].id, "");
        json_t *doc = streamed_json(&a);
        const char *detail = json_string_value(json_object_get(doc, "detail"));
        if (strcmp(detail, rows[i].detail) != 0)
            fail_msg("%s: %s", rows[i].id, detail);
        json_decref(doc);
    }
}

static void images_without_categories_add_up(void **state)
{
    char all[RUN_ID_BYTES];
    (void)state;
    streamed_open(&kept, "made-up", "\"use_categories\":false", all);
    streamed_send(&kept, all, 0, STREAMED_IMAGES, OFF);
    struct answer a = streamed_get(&kept, 200, all, "images/1", "");
    json_t *view = streamed_json(&a);
    check_sums(view);
    check_links(view);
    json_decref(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_shown_as_among_others),
        cmocka_unit_test(rows_of_an_image_say_what_they_are),
        cmocka_unit_test(images_that_are_not_there),
        cmocka_unit_test(images_without_categories_add_up),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
