/*
 * Two runs compared: with itself, with a better one, with others; its numbers
 * are those of the two, its intervals those of the same resamples.
 */
#include "tests/streamed.h"

#include "core/coco.h"

#include <math.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { GOOD_PIXELS = 4, BAD_PIXELS = 60 };

static struct kept kept;
static char good[RUN_ID_BYTES], bad[RUN_ID_BYTES], short_one[RUN_ID_BYTES];
static char other[RUN_ID_BYTES], strict[RUN_ID_BYTES];

static int setup(void **state)
{
    (void)state;
    kept_init(&kept);
    streamed_dataset(&kept, "made-up");
    streamed_open(&kept, "made-up", "", good);
    streamed_send(&kept, good, 0, STREAMED_IMAGES, GOOD_PIXELS);
    streamed_open(&kept, "made-up", "", bad);
    streamed_send(&kept, bad, 0, STREAMED_IMAGES, BAD_PIXELS);
    streamed_open(&kept, "made-up", "", short_one);
    streamed_send(&kept, short_one, 2, 9, GOOD_PIXELS);
    streamed_open(&kept, "made-up",
                  "\"per_image_iou\":0.75,\"score_threshold\":0.2,"
                  "\"area_ranges\":{\"all\":[0,1e10],\"wide\":[100,1e10]}",
                  strict);
    streamed_send(&kept, strict, 0, STREAMED_IMAGES, GOOD_PIXELS);
    expect(&kept, 201,
           &(struct question){.method = "PUT",
                              .path = "/v1/datasets/other",
                              .body = "{\"images\":[{\"id\":5},{\"id\":6}],"
                                      "\"categories\":[{\"id\":11},"
                                      "{\"id\":12}],\"annotations\":[]}"});
    streamed_open(&kept, "other", "", other);
    char path[100];
    snprintf(path, sizeof(path), "/v1/runs/%s/images", other);
    expect(&kept, 200,
           &(struct question){.method = "POST",
                              .path = path,
                              .body = "{\"image_ids\":[5,6],"
                                      "\"detections\":[]}"});
    return 0;
}

static struct answer compare(int status, const char *a, const char *b,
                             const char *more)
{
    char query[200];
    snprintf(query, sizeof(query), "a=%s&b=%s%s", a, b, more);
    return must(&kept, status,
                &(struct question){
                    .method = "GET", .path = "/v1/compare", .query = query});
}

static json_t *compared(const char *a, const char *b, const char *more)
{
    struct answer answer = compare(200, a, b, more);
    return streamed_json(&answer);
}

static double number(const json_t *v, const char *key)
{
    json_t *x = json_object_get(v, key);
    if (!x || !(json_is_number(x) || json_is_null(x)))
        fail_msg("no number %s", key);
    return json_is_null(x) ? (double)NAN : json_number_value(x);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static bool same(double x, double y)
{
    return bits_of(x) == bits_of(y) || (isnan(x) && isnan(y));
}

/* Every number of a and b is the same, and not all are undefined. */
static void check_none(const json_t *v, bool interval, size_t *defined)
{
    double a = number(v, "a"), delta = number(v, "delta");
    assert_true(same(a, number(v, "b")));
    assert_true(same(delta, isnan(a) ? (double)NAN : 0.0));
    if (interval && !isnan(a)) {
        assert_true(same(number(v, "low"), 0.0));
        assert_true(same(number(v, "high"), 0.0));
    }
    *defined += isnan(a) ? 0 : 1;
}

static void a_run_is_like_itself(void **state)
{
    (void)state;
    json_t *doc = compared(bad, bad, "&resamples=50"), *v;
    const char *key;
    size_t i, defined = 0;
    json_object_foreach(json_object_get(doc, "summary"), key, v)
        check_none(v, true, &defined);
    assert_true(defined >= 10);
    json_array_foreach(json_object_get(doc, "per_class"), i, v)
        check_none(json_object_get(v, "AP"), true, &defined);
    assert_int_equal(i, STREAMED_CLASSES);
    json_array_foreach(json_object_get(doc, "per_image"), i, v)
    {
        check_none(json_object_get(v, "f1"), false, &defined);
        check_none(json_object_get(v, "AP"), false, &defined);
    }
    assert_int_equal(i, STREAMED_IMAGES);
    for (i = 0; i < 3; i++)
        assert_true(json_is_true(json_object_get(
            doc, (const char *[]){"same_protocol", "same_dataset",
                                  "same_images"}[i])));
    json_decref(doc);
}

/* What a run's result says, by a key of its rows. */
static json_t *result_of(const char *run, const char *what)
{
    struct answer a = streamed_get(&kept, 200, run, what, "");
    return streamed_json(&a);
}

static const json_t *row_with(const json_t *list, const char *key, int64_t id)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)(uintptr_t)list, i,
                       row) if (json_integer_value(json_object_get(row, key)) ==
                                id) return row;
    return NULL;
}

static void check_pair(const json_t *v, const json_t *a, const json_t *b,
                       const char *key)
{
    double x = number(a, key), y = number(b, key);
    assert_true(same(number(v, "a"), x));
    assert_true(same(number(v, "b"), y));
    assert_true(same(number(v, "delta"), y - x));
}

static void check_rows(const json_t *doc, const char *list, const char *id,
                       const char *member, const json_t *a, const json_t *b)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(doc, list), i, row)
    {
        int64_t key = json_integer_value(json_object_get(row, id));
        check_pair(json_object_get(row, member),
                   row_with(json_object_get(a, list), id, key),
                   row_with(json_object_get(b, list), id, key), member);
    }
    assert_true(i > 0);
}

static void numbers_are_those_of_the_two(void **state)
{
    (void)state;
    json_t *doc = compared(good, bad, "&resamples=0"), *v;
    json_t *a = result_of(good, "summary"), *b = result_of(bad, "summary");
    const char *key;
    json_object_foreach(json_object_get(doc, "summary"), key, v)
    {
        check_pair(v, json_object_get(a, "summary"),
                   json_object_get(b, "summary"), key);
        assert_null(json_object_get(v, "low"));
    }
    json_decref(a);
    json_decref(b);
    a = result_of(good, "classes"), b = result_of(bad, "classes");
    check_rows(doc, "per_class", "category_id", "AP", a, b);
    json_decref(a);
    json_decref(b);
    a = result_of(good, "images"), b = result_of(bad, "images");
    check_rows(doc, "per_image", "image_id", "f1", a, b);
    check_rows(doc, "per_image", "image_id", "AP", a, b);
    json_decref(a);
    json_decref(b);
    assert_true(json_is_null(json_object_get(doc, "intervals")));
    json_decref(doc);
}

static void what_is_better_is_found(void **state)
{
    (void)state;
    json_t *up = compared(bad, good, "&resamples=200&seed=3");
    json_t *down = compared(good, bad, "&resamples=200&seed=3");
    json_t *gain = json_object_get(json_object_get(up, "summary"), "AP");
    json_t *loss = json_object_get(json_object_get(down, "summary"), "AP");
    assert_true(number(gain, "delta") > 0.1);
    assert_true(number(gain, "low") > 0);
    assert_true(number(gain, "low") < number(gain, "delta"));
    assert_true(number(gain, "high") > number(gain, "delta"));
    assert_true(number(loss, "high") < 0);
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(up, "summary"), key, v)
    {
        double delta = number(v, "delta");
        if (isnan(delta)
                ? !isnan(number(v, "low"))
                : !(number(v, "low") <= delta && delta <= number(v, "high")))
            fail_msg("%s is not within its interval", key);
    }
    json_t *how = json_object_get(up, "intervals");
    assert_int_equal(json_integer_value(json_object_get(how, "resamples")),
                     200);
    assert_int_equal(json_integer_value(json_object_get(how, "seed")), 3);
    json_decref(up);
    json_decref(down);
}

/* f1, then AP, then id. */
static bool may_follow(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"f1", "AP"};
    for (size_t k = 0; k < 2; k++) {
        double x = fabs(number(json_object_get(a, keys[k]), "delta"));
        double y = fabs(number(json_object_get(b, keys[k]), "delta"));
        x = isnan(x) ? -1 : x;
        y = isnan(y) ? -1 : y;
        if (x != y)
            return x > y;
    }
    return json_integer_value(json_object_get(a, "image_id")) <
           json_integer_value(json_object_get(b, "image_id"));
}

static void images_come_by_their_change(void **state)
{
    (void)state;
    json_t *doc = compared(good, bad, "&resamples=0");
    json_t *list = json_object_get(doc, "per_image");
    assert_int_equal(json_array_size(list), STREAMED_IMAGES);
    for (size_t i = 1; i < json_array_size(list); i++)
        if (!may_follow(json_array_get(list, i - 1), json_array_get(list, i)))
            fail_msg("image %zu", i);
    json_t *few = compared(good, bad, "&resamples=0&limit=5");
    json_t *first = json_object_get(few, "per_image");
    assert_int_equal(json_array_size(first), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(
            json_equal(json_array_get(first, i), json_array_get(list, i)));
    json_decref(doc);
    json_decref(few);
}

static void runs_of_other_images_have_no_intervals(void **state)
{
    (void)state;
    json_t *doc = compared(good, short_one, "");
    json_t *ap = json_object_get(json_object_get(doc, "summary"), "AP");
    assert_true(json_is_false(json_object_get(doc, "same_images")));
    assert_true(json_is_null(json_object_get(ap, "low")));
    assert_true(json_is_null(json_object_get(ap, "high")));
    assert_true(fabs(number(ap, "delta")) < 1);
    assert_int_equal(json_array_size(json_object_get(doc, "per_image")), 7);
    json_decref(doc);
}

static void detail_is(struct answer *a, const char *want)
{
    json_t *doc = streamed_json(a);
    const char *detail = json_string_value(json_object_get(doc, "detail"));
    if (strcmp(detail, want) != 0)
        fail_msg("%s", detail);
    json_decref(doc);
}

static void what_cannot_be_compared_is_named(void **state)
{
    static const char *const queries[] = {"", "&force=false", "&force=0"};
    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct answer a = compare(409, good, strict, queries[i]);
        detail_is(&a, "the runs differ in area_ranges, score_threshold, "
                      "per_image_iou; ?force compares them all the same");
    }
    struct answer a = compare(409, good, other, "");
    json_t *doc = streamed_json(&a);
    const char *detail = json_string_value(json_object_get(doc, "detail"));
    assert_non_null(strstr(detail, "different datasets, made-up (sha256 "));
    assert_string_equal(json_string_value(json_object_get(doc, "type")),
                        "/problems/incomparable");
    json_decref(doc);
}

static void force_compares_what_there_is(void **state)
{
    (void)state;
    json_t *doc = compared(good, strict, "&force");
    json_t *summary = json_object_get(doc, "summary"), *row;
    assert_true(json_is_false(json_object_get(doc, "same_protocol")));
    assert_true(isnan(number(json_object_get(summary, "AP_small"), "b")));
    assert_true(same(number(json_object_get(summary, "AP"), "delta"), 0.0));
    assert_true(
        json_is_null(json_object_get(json_object_get(summary, "AP"), "low")));
    json_decref(doc);
    doc = compared(good, other, "&force=true");
    json_t *list = json_object_get(doc, "per_class");
    assert_int_equal(json_array_size(list), STREAMED_CLASSES + 1);
    row = json_array_get(list, 2);
    assert_int_equal(json_integer_value(json_object_get(row, "category_id")),
                     12);
    assert_true(isnan(number(json_object_get(row, "AP"), "a")));
    assert_int_equal(json_array_size(json_object_get(doc, "per_image")), 1);
    json_decref(doc);
}

static void runs_without_categories_have_one_row(void **state)
{
    char all[RUN_ID_BYTES];
    (void)state;
    streamed_open(&kept, "made-up", "\"use_categories\":false", all);
    streamed_send(&kept, all, 0, STREAMED_IMAGES, GOOD_PIXELS);
    json_t *doc = compared(all, all, "&resamples=20");
    json_t *list = json_object_get(doc, "per_class");
    json_t *row = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 1);
    assert_true(json_is_null(json_object_get(row, "category_id")));
    assert_true(same(number(json_object_get(row, "AP"), "high"), 0.0));
    json_decref(doc);
    doc = compared(good, all, "&force");
    list = json_object_get(doc, "per_class");
    assert_int_equal(json_array_size(list), STREAMED_CLASSES + 1);
    row = json_object_get(json_array_get(list, STREAMED_CLASSES), "AP");
    assert_true(isnan(number(row, "a")));
    json_decref(doc);
}

static void faults_are_told(void **state)
{
    char one[50];
    const struct {
        const char *query;
        int status;
        const char *detail;
    } rows[] = {
        {"", 422, "a is missing in the query, must be the id of a run"},
        {one, 422, "b is missing in the query, must be the id of a run"},
        {"a=1&b=2&c=3", 422, NULL},
        {"a=1&b=2", 404, "there is no run of this id"},
        {"a=1/2&b=2", 404, "there is no run of this id"},
        {"a=1&b=2&force=2", 422,
         "force is \"2\" in the query, must be true or 1, false or 0, or "
         "without a value"},
        {"a=1&b=2&resamples=100001", 422,
         "resamples is 100001, must be from 1 to 100000"},
        {"a=1&b=2&limit=x", 422, "limit is a string, must be an integer"},
    };
    (void)state;
    snprintf(one, sizeof(one), "a=%s", good);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a = must(&kept, rows[i].status,
                               &(struct question){.method = "GET",
                                                  .path = "/v1/compare",
                                                  .query = rows[i].query});
        if (rows[i].detail)
            detail_is(&a, rows[i].detail);
        else
            done(&a);
    }
}

static void equal_seeds_give_equal_bytes(void **state)
{
    (void)state;
    struct answer a = compare(200, good, bad, "&resamples=50&seed=9");
    struct answer b = compare(200, good, bad, "&seed=9&resamples=50");
    assert_string_equal(a.body, b.body);
    assert_string_equal(a.etag, b.etag);
    done(&a);
    done(&b);
}

/* The text between a title and the next, without the columns' headings. */
static size_t lines_of(const char *text, const char *title)
{
    const char *at = strstr(text, title);
    size_t n = 0;
    if (!at)
        return 0;
    for (at = strchr(at, '\n') + 1; *at && *at != '\n'; n++)
        at = strchr(at, '\n') + 1;
    return n - 1;
}

static struct answer text_of(const char *a, const char *b, const char *more)
{
    char query[200];
    snprintf(query, sizeof(query), "a=%s&b=%s%s", a, b, more);
    return must(&kept, 200,
                &(struct question){.method = "GET",
                                   .path = "/v1/compare",
                                   .query = query,
                                   .accept = "text/plain"});
}

static void text_has_what_changed(void **state)
{
    (void)state;
    struct answer a = text_of(bad, good, "&resamples=100");
    assert_string_equal(a.type, "text/plain; charset=utf-8");
    assert_int_equal(lines_of(a.body, "runs"), 3);
    assert_int_equal(lines_of(a.body, "summary"), COCO_NUMBERS + 1);
    assert_int_equal(lines_of(a.body, "categories that gained most"), 3);
    assert_int_equal(lines_of(a.body, "categories that lost most"), 0);
    assert_non_null(strstr(a.body, "  \u25b2\n"));
    assert_null(strstr(a.body, "\u25bc"));
    assert_null(strchr(a.body, '\033'));
    done(&a);
    a = text_of(good, bad, "&resamples=0&limit=7");
    assert_int_equal(lines_of(a.body, "summary"), COCO_NUMBERS);
    assert_int_equal(lines_of(a.body, "categories that lost most"), 3);
    assert_int_equal(lines_of(a.body, "images that lost most"), 7);
    done(&a);
    a = text_of(good, good, "&resamples=0");
    assert_null(strstr(a.body, "lost most"));
    assert_null(strstr(a.body, "gained most"));
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_like_itself),
        cmocka_unit_test(numbers_are_those_of_the_two),
        cmocka_unit_test(what_is_better_is_found),
        cmocka_unit_test(images_come_by_their_change),
        cmocka_unit_test(runs_of_other_images_have_no_intervals),
        cmocka_unit_test(what_cannot_be_compared_is_named),
        cmocka_unit_test(force_compares_what_there_is),
        cmocka_unit_test(runs_without_categories_have_one_row),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(equal_seeds_give_equal_bytes),
        cmocka_unit_test(text_has_what_changed),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
