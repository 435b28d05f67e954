/*
 * Results of runs: without a query the bytes of section 5; filters, orders and
 * pages show parts of that.
 */
#include "tests/streamed.h"

#include <math.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OFF 12.0
#define FEW "\"intervals\":{\"resamples\":20}"

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

static const struct {
    const char *name, *output, *query;
    const char *options; /* of section 5 that say what query says */
    bool paged;
} results[] = {
    {"summary", "summary", "", "", false},
    {"classes", "per_class", "", "", true},
    {"images", "per_image", "", "", true},
    {"images", "per_image", "suspect_score=0.8", ",\"suspect_score\":0.8",
     true},
    {"images", "per_image", "sort=image_id&order=asc", "", true},
    {"curves", "curves", "", "", false},
    {"curves", "curves", "curve_points=3", ",\"curve_points\":3", false},
    {"operating_points", "operating_points", "", "", false},
    {"operating_points", "operating_points",
     "score_thresholds=0.3,0.5&score_thresholds=0.9",
     ",\"score_thresholds\":[0.3,0.5,0.9]", false},
    {"confusion", "confusion", "", "", false},
    {"errors", "errors", "", "", false},
    {"calibration", "calibration", "", "", false},
    {"lrp", "lrp", "", "", false},
    {"slices", "slices", "", "", false},
    {"intervals", "intervals", "resamples=20", "," FEW, false},
    {"intervals", "intervals", "resamples=7&level=0.5&seed=3",
     ",\"intervals\":{\"resamples\":7,\"level\":0.5,\"seed\":3}", false},
    {"arrays", "arrays", "", "", false},
};

static void results_have_the_bytes_of_one_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(results); i++) {
        char parameters[300], *want = NULL;
        snprintf(parameters, sizeof(parameters), "\"score_threshold\":0.4%s",
                 results[i].options);
        struct answer one =
            streamed_evaluate(&kept, OFF, parameters, results[i].output);
        struct answer got =
            streamed_get(&kept, 200, run, results[i].name, results[i].query);
        assert_true(asprintf(&want,
                             "{\"run\":\"%s\",\"state\":\"open\",%.*s%s}", run,
                             (int)one.len - 2, one.body + 1,
                             results[i].paged ? ",\"next\":null" : "") > 0);
        if (strcmp(got.body, want) != 0)
            fail_msg("%s?%s:\n%.2000s\n%.2000s", results[i].name,
                     results[i].query, got.body, want);
        assert_non_null(got.etag);
        free(want);
        done(&one);
        done(&got);
    }
}

/* What a result lists. */
static json_t *list_of(json_t *doc, const char *output)
{
    json_t *list = json_object_get(doc, output);
    return json_is_array(list) ? list : json_object_get(list, "per_class");
}

static void categories_are_chosen(void **state)
{
    static const struct {
        const char *name, *output;
    } by_class[] = {
        {"classes", "per_class"},
        {"curves", "curves"},
        {"operating_points", "operating_points"},
        {"errors", "errors"},
        {"calibration", "calibration"},
        {"lrp", "lrp"},
        {"intervals", "intervals"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(by_class); i++) {
        bool interval = i == COUNT(by_class) - 1;
        const char *more = interval ? "&resamples=20" : "";
        char query[100];
        json_t *all = get(by_class[i].name, more), *row;
        snprintf(query, sizeof(query), "category=21,1&category=21%s", more);
        json_t *some = get(by_class[i].name, query);
        json_t *list = list_of(some, by_class[i].output);
        size_t k, n = 0;
        json_array_foreach(list_of(all, by_class[i].output), k, row)
        {
            int64_t id =
                json_integer_value(json_object_get(row, "category_id"));
            if (id == 1 || id == 21)
                assert_true(json_equal(row, json_array_get(list, n++)));
        }
        assert_true(n > 0);
        assert_int_equal(n, json_array_size(list));
        json_object_del(all, by_class[i].output);
        json_object_del(some, by_class[i].output);
        assert_true(json_equal(all, some));
        json_decref(all);
        json_decref(some);
    }
}

static void thresholds_are_chosen(void **state)
{
    (void)state;
    json_t *some = get("curves", "iou=0.75&iou=0.5&category=11"), *row;
    json_t *list = json_object_get(some, "curves");
    static const double want[] = {0.5, 0.75};
    size_t i;
    assert_int_equal(json_array_size(list), COUNT(want));
    for (i = 0; i < COUNT(want); i++) {
        row = json_array_get(list, i);
        double iou = json_number_value(json_object_get(row, "iou"));
        assert_true(fabs(iou - want[i]) < 1e-12);
        assert_int_equal(
            json_integer_value(json_object_get(row, "category_id")), 11);
    }
    json_decref(some);
}

/* Whether b may stand behind a. */
static bool in_order(json_t *a, json_t *b, const char *member, const char *id,
                     bool descending)
{
    json_t *x = json_object_get(a, member), *y = json_object_get(b, member);
    assert_non_null(x);
    double p = json_number_value(x), q = json_number_value(y);
    bool rises = json_integer_value(json_object_get(a, id)) <
                 json_integer_value(json_object_get(b, id));
    if (json_is_null(x) || json_is_null(y))
        return json_is_null(y) && (rises || !json_is_null(x));
    return p == q ? rises : (p < q) != descending;
}

/* All pages of that, a row at most as long as limit says. */
static json_t *walk(const char *what, const char *output, const char *query,
                    size_t limit)
{
    json_t *rows = json_array();
    char cursor[100] = "", full[300];
    for (size_t page = 0; page < 100; page++) {
        snprintf(full, sizeof(full), "%s&limit=%zu%s%s", query, limit,
                 cursor[0] ? "&cursor=" : "", cursor);
        json_t *doc = get(what, full), *list = json_object_get(doc, output);
        json_t *next = json_object_get(doc, "next");
        assert_true(json_array_size(list) <= limit);
        json_array_extend(rows, list);
        snprintf(cursor, sizeof(cursor), "%s",
                 json_is_string(next) ? json_string_value(next) : "");
        assert_true(json_is_null(next) || json_array_size(list) == limit);
        json_decref(doc);
        if (!cursor[0])
            return rows;
    }
    fail_msg("%s?%s: pages without end", what, query);
    return rows;
}

static void check_order(const char *what, const char *output, const char *id,
                        const char *member, bool descending)
{
    char query[200];
    snprintf(query, sizeof(query), "sort=%s&order=%s", member,
             descending ? "desc" : "asc");
    json_t *doc = get(what, query), *list = json_object_get(doc, output);
    for (size_t i = 1; i < json_array_size(list); i++)
        if (!in_order(json_array_get(list, i - 1), json_array_get(list, i),
                      member, id, descending))
            fail_msg("%s?%s: row %zu", what, query, i);
    for (size_t limit = 1; limit < 30; limit += 6) {
        json_t *rows = walk(what, output, query, limit);
        assert_true(json_equal(rows, list));
        json_decref(rows);
    }
    json_decref(doc);
}

static void rows_are_sorted_by_every_number(void **state)
{
    static const struct {
        const char *what, *output, *id;
    } lists[] = {{"classes", "per_class", "category_id"},
                 {"images", "per_image", "image_id"}};
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        json_t *doc = get(lists[i].what, ""), *value;
        json_t *list = json_object_get(doc, lists[i].output);
        const char *member;
        size_t n = 0;
        json_object_foreach(json_array_get(list, 0), member, value)
        {
            if (!json_is_number(value) && !json_is_null(value))
                continue;
            check_order(lists[i].what, lists[i].output, lists[i].id, member,
                        false);
            check_order(lists[i].what, lists[i].output, lists[i].id, member,
                        true);
            n++;
        }
        assert_true(n >= 12);
        json_decref(doc);
    }
}

static void filtered_rows_come_in_pages(void **state)
{
    (void)state;
    json_t *rows =
        walk("classes", "per_class", "category=1,31,11&order=desc", 2);
    static const int want[] = {31, 11, 1};
    assert_int_equal(json_array_size(rows), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_integer_value(json_object_get(
                             json_array_get(rows, i), "category_id")),
                         want[i]);
    json_decref(rows);
    rows = get("images", "cursor=4000000000.0a");
    assert_int_equal(json_array_size(json_object_get(rows, "per_image")), 0);
    assert_true(json_is_null(json_object_get(rows, "next")));
    json_decref(rows);
}

static void faults_are_told(void **state)
{
    static const struct {
        const char *what, *query, *pointer, *detail;
    } faults[] = {
        {"summary", "category=1", "/category",
         "category is not a known key; known is pretty alone"},
        {"classes", "categroy=1", "/categroy",
         "categroy is not a known member; did you mean \"category\"?"},
        {"classes", "x=1", "/x",
         "x is not a known member; known are category, sort, order, limit, "
         "cursor"},
        {"confusion", "iou=0.5", "/iou",
         "iou is not a known key; known is pretty alone"},
        {"classes", "category=5", "/category/0",
         "category[0] is 5, which is no category of the dataset"},
        {"classes", "category=1,cat", "/category/1",
         "category[1] is a string, must be an integer"},
        {"classes", "category=", "/category/0",
         "category[0] is a string, must be an integer"},
        {"curves", "iou=0.52", "/iou/0",
         "iou[0] is 0.52, which is none of the run's "
         "iou_thresholds"},
        {"images", "sort=f2", "/sort",
         "sort is not a known choice (\"f2\"); did you mean \"fp\"?"},
        {"images", "sort=matches", "/sort",
         "sort is not a known choice (\"matches\"); known are image_id, "
         "ground_truths, detections, tp, fp, fn, ignored, precision, recall, "
         "f1, mean_iou, AP"},
        {"images", "order=up", "/order",
         "order is not a known choice (\"up\"); known are asc, desc"},
        {"images", "limit=0", "/limit",
         "limit is 0, must be from 1 to 2147483647"},
        {"images", "limit=1&limit=2", "/limit",
         "limit is twice in the query, must be there once"},
        {"images", "cursor=3.4a", "/cursor",
         "cursor is \"3.4a\", which is not the next of a page with this sort "
         "and order"},
        {"images", "cursor=-1.0a", "/cursor",
         "cursor is \"-1.0a\", which is not the next of a page with this sort "
         "and order"},
        {"images", "cursor=", "/cursor",
         "cursor is \"\", which is not the next of a page with this sort and "
         "order"},
        {"intervals", "resamples=0", "/resamples",
         "resamples is 0, must be from 1 to 100000"},
        {"intervals", "level=1", "/level",
         "level is 1, must be more than 0 and less than 1, such as 0.95"},
        {"curves", "curve_points=1", "/curve_points",
         "curve_points is 1, must be from 2 to 1000000"},
        {"operating_points", "score_thresholds=0.5,x", "/score_thresholds/1",
         "score_thresholds[1] is a string, must be a number"},
        {"images/1", "limit=1", "/limit", NULL},
        {"report.html", "limit=1", "/limit", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct answer a =
            streamed_get(&kept, 422, run, faults[i].what, faults[i].query);
        json_t *doc = streamed_json(&a);
        const char *detail = json_string_value(json_object_get(doc, "detail"));
        const char *pointer = json_string_value(json_object_get(
            json_array_get(json_object_get(doc, "errors"), 0), "pointer"));
        if (strcmp(pointer, faults[i].pointer) != 0 ||
            (faults[i].detail && strcmp(detail, faults[i].detail) != 0))
            fail_msg("%s?%s: %s: %s", faults[i].what, faults[i].query, pointer,
                     detail);
        json_decref(doc);
    }
}

static void runs_without_images_have_results(void **state)
{
    char empty[RUN_ID_BYTES];
    (void)state;
    streamed_open(&kept, "made-up", "", empty);
    for (size_t i = 0; i < COUNT(results); i++) {
        struct answer a =
            streamed_get(&kept, 200, empty, results[i].name, results[i].query);
        json_decref(streamed_json(&a));
    }
    struct answer a = streamed_get(&kept, 200, empty, "report.html", "");
    done(&a);
}

static void runs_without_categories_have_none(void **state)
{
    char all[RUN_ID_BYTES];
    (void)state;
    streamed_open(&kept, "made-up", "\"use_categories\":false", all);
    streamed_send(&kept, all, 0, STREAMED_IMAGES, OFF);
    struct answer a = streamed_get(&kept, 422, all, "classes", "category=1");
    assert_non_null(strstr(a.body, "does not use categories"));
    done(&a);
}

static void the_report_is_a_page(void **state)
{
    (void)state;
    struct answer a = streamed_get(&kept, 200, run, "report.html", "");
    assert_string_equal(a.type, "text/html; charset=utf-8");
    assert_non_null(strstr(a.body, "a &lt;run&gt;"));
    assert_null(strstr(a.body, "<script"));
    assert_non_null(a.etag);
    done(&a);
}

static void answers_that_are_known_are_not_sent(void **state)
{
    char path[100], tag[100];
    (void)state;
    struct answer a = streamed_get(&kept, 200, run, "summary", "");
    snprintf(tag, sizeof(tag), "%s", a.etag);
    done(&a);
    snprintf(path, sizeof(path), "/v1/runs/%s/summary", run);
    expect(&kept, 304,
           &(struct question){
               .method = "GET", .path = path, .if_none_match = tag});
}

static void other_runs_are_missing(void **state)
{
    static const char *const what[] = {"summary", "images/1", "report.html"};
    (void)state;
    for (size_t i = 0; i < COUNT(what); i++) {
        struct answer a =
            streamed_get(&kept, 404, "0123456789ABCDEFGHJKMNPQRS", what[i], "");
        done(&a);
        a = ask(NULL, &(struct question){.method = "GET",
                                         .path = "/v1/runs/x/summary"});
        assert_int_equal(a.status, 501);
        done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_the_bytes_of_one_request),
        cmocka_unit_test(categories_are_chosen),
        cmocka_unit_test(thresholds_are_chosen),
        cmocka_unit_test(rows_are_sorted_by_every_number),
        cmocka_unit_test(filtered_rows_come_in_pages),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(runs_without_images_have_results),
        cmocka_unit_test(runs_without_categories_have_none),
        cmocka_unit_test(the_report_is_a_page),
        cmocka_unit_test(answers_that_are_known_are_not_sent),
        cmocka_unit_test(other_runs_are_missing),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
