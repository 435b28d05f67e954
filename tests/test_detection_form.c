/*
 * Detection requests as forms: answers are those of the same data as JSON,
 * byte for byte, each fault is told, and nothing depends on how a body is cut.
 */
#include "api/sample.h"
#include "tests/form.h"

/* Parts of a form as they are written; their order is that of the calls. */
static void add_part(struct json_out *form, const char *name, const char *text,
                     size_t len)
{
    out_format(form,
               "--x\r\nContent-Disposition: form-data; name=\"%s\"; "
               "filename=\"a\"\r\nContent-Type: text/plain\r\n\r\n",
               name);
    out_bytes(form, text, len);
    out_bytes(form, "\r\n", 2);
}

static struct body end_form(struct json_out *form)
{
    out_format(form, "--x--\r\n");
    assert_false(form->failed);
    return (struct body){form->text, form->len, FORM, CODING_IDENTITY, 0};
}

enum { GROUND_TRUTH, DETECTIONS, PARAMETERS, OUTPUTS, NONFINITE, PARTS };

/* A request, by its parts. */
struct data {
    struct json_out part[PARTS];
};
static const char *const names[PARTS] = {"ground_truth", "detections",
                                         "parameters", "outputs", "nonfinite"};

static struct data make_data(const struct sample_options *options,
                             struct arena *mem)
{
    struct data d;
    for (size_t i = 0; i < PARTS; i++)
        json_out_init(&d.part[i], mem, false);
    sample_write(options, &d.part[GROUND_TRUTH], &d.part[DETECTIONS]);
    out_format(&d.part[PARAMETERS], "{\"max_detections\":[1,2,3]}");
    out_format(&d.part[OUTPUTS],
               " [\"per_image\",\n\"summary\",\"per_class\"]\r\n");
    out_format(&d.part[NONFINITE], "\"string\"");
    return d;
}

/* The n parts of the data in this order, as a form and as JSON. */
static struct body make_form(const struct data *d, const size_t *order,
                             size_t n, struct arena *mem)
{
    struct json_out form;
    json_out_init(&form, mem, false);
    for (size_t i = 0; i < n; i++)
        add_part(&form, names[order[i]], d->part[order[i]].text,
                 d->part[order[i]].len);
    return end_form(&form);
}

static struct body make_json(const struct data *d, struct arena *mem)
{
    struct json_out body;
    json_out_init(&body, mem, false);
    for (size_t i = 0; i < PARTS; i++) {
        out_format(&body, "%s\"%s\":", i ? "," : "{", names[i]);
        out_bytes(&body, d->part[i].text, d->part[i].len);
    }
    out_format(&body, "}");
    return (struct body){body.text, body.len, JSON, CODING_IDENTITY, 0};
}

static const struct sample_options small = {4, 3, 3, 6, 2};
static const struct sample_options larger = {300, 5, 5, 20, 3};
static const size_t in_order[PARTS] = {0, 1, 2, 3, 4};

static void forms_are_answered_as_json_is(void **state)
{
    const struct sample_options *sizes[] = {&small, &larger};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct arena mem;
        arena_init(&mem, PLENTY);
        struct data d = make_data(sizes[i], &mem);
        struct body json = make_json(&d, &mem);
        struct body form = make_form(&d, in_order, PARTS, &mem);
        struct answer want = ask(&json, whole, PLENTY);
        struct answer got = ask(&form, whole, PLENTY);
        assert_int_equal(want.res.status, 200);
        assert_non_null(memmem(want.res.body, want.res.body_len,
                               "\"max_detections\":[1,2,3]", 24));
        must_be_same(&got, &want, "form", i);
        check_cuts(&form, &want);
        if (i == 0)
            check_splits(&form, &want);
        arena_free(&got.mem);
        arena_free(&want.mem);
        arena_free(&mem);
    }
}

/* What may be the beginning of a delimiter is held back, and given later. */
static void lines_may_begin_as_delimiters_do(void **state)
{
    static const char *const texts[] = {
        GT PART("detections",
                "[{\"image_id\":1,\"category_id\":7,\"bbox\":[0,\r\n-0,9,8]"
                ",\r\n\"score\":\r\n-1.5},\r\r\n\r\n{\"score\":0.25,"
                "\"image_id\":1,\"category_id\":7,\"bbox\":[-0.5,\r\n-1,9,"
                "8],\"--x\":\"--x--\"}]\r\n") END,
        GT PART("detections",
                "[{\"image_id\":1,\"category_id\":7,\"bbox\":[0,-0,9,8],"
                "\"score\":-1.5},{\"score\":0.25,\"image_id\":1,"
                "\"category_id\":7,\"bbox\":[-0.5,-1,9,8]}]") END};
    (void)state;
    struct body b = {texts[0], strlen(texts[0]), FORM, CODING_IDENTITY, 0};
    struct body plain = {texts[1], strlen(texts[1]), FORM, CODING_IDENTITY, 0};
    struct answer want = ask(&plain, whole, PLENTY);
    struct answer x = ask(&b, whole, PLENTY);
    assert_int_equal(want.res.status, 200);
    must_be_same(&x, &want, "lines", 0);
    check_cuts(&b, &want);
    check_splits(&b, &want);
    arena_free(&x.mem);
    arena_free(&want.mem);
}

/* The next of the n! orders; false after the last. */
static bool next_order(size_t *order, size_t n)
{
    size_t i = n - 1, j = n - 1;
    while (i > 0 && order[i - 1] > order[i])
        i--;
    if (i == 0)
        return false;
    while (order[j] < order[i - 1])
        j--;
    size_t swap = order[j];
    order[j] = order[i - 1];
    order[i - 1] = swap;
    for (j = n - 1; i < j; i++, j--) {
        swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    return true;
}

static void parts_come_in_any_order(void **state)
{
    size_t order[PARTS], n = 0;
    struct arena mem;
    (void)state;
    memcpy(order, in_order, sizeof(order));
    arena_init(&mem, PLENTY);
    struct data d = make_data(&small, &mem);
    struct body json = make_json(&d, &mem);
    struct answer want = ask(&json, whole, PLENTY);
    do {
        struct body form = make_form(&d, order, PARTS, &mem);
        struct answer x = ask(&form, whole, PLENTY);
        struct answer y = ask(&form, (struct cut){61, 61}, PLENTY);
        must_be_same(&x, &want, "order", n);
        must_be_same(&y, &want, "order, in pieces", n);
        arena_free(&x.mem);
        arena_free(&y.mem);
        n++;
    } while (next_order(order, PARTS));
    assert_int_equal(n, 120);
    arena_free(&want.mem);
    arena_free(&mem);
}

/* detail is a part of what is said. */
static const struct {
    int status;
    const char *problem, *pointer, *detail, *text;
} faults[] = {
    {422, "unknown-member", "",
     "the part \"detection\" is not known; did you mean \"detections\"?",
     GT DT PART("detection", "[]") END},
    {422, "unknown-member", "", "\"file\" is not known; there are ground_truth",
     GT DT PART("file", "[") END},
    {422, "unknown-member", "", "\"\xef\xbf\xbd\xc3\xa9\"",
     GT DT PART("\xff\xc3\xa9", "") END},
    {400, "malformed-form", NULL, "two parts have the same name",
     GT DT PART("detections", "[]") END},
    {400, "malformed-form", NULL, "two parts have the same name",
     GT DT FEW FEW END},
    {422, "missing-member", "", "\"ground_truth\" is missing: curl -F", DT END},
    {422, "missing-member", "", "\"detections\" is missing: curl -F", GT END},
    {422, "missing-member", "", "\"ground_truth\" is missing", FEW END},
    {400, "malformed-json", NULL, "ground_truth: line 2, column 10 (byte 10)",
     PART("ground_truth", "\n{\"images\"}") DT END},
    {400, "malformed-json", NULL, "detections: line 1, column 3 (byte 2)",
     GT PART("detections", "[]]") END},
    {400, "malformed-json", NULL, "detections: line 3, column 2 (byte 5): ",
     GT PART("detections", "[\r\n\n ") END},
    {400, "malformed-json", NULL, "outputs: line 1, column 2 (byte 1)",
     GT DT PART("outputs", "[") END},
    {400, "malformed-json", NULL, "parameters: line 1, column ",
     GT DT PART("parameters", "{},\"outputs\":[\"per_image\"]") END},
    {400, "malformed-json", NULL, "ground_truth: it is empty",
     PART("ground_truth", "") DT END},
    {400, "malformed-json", NULL, "detections: it is empty",
     GT PART("detections", "") END},
    {400, "malformed-json", NULL, "parameters: it is empty",
     GT DT PART("parameters", "") END},
    {422, "invalid-value", "/ground_truth", "must be an object",
     PART("ground_truth", "[]") DT END},
    {422, "invalid-value", "/detections", "must be ",
     GT PART("detections", "1") END},
    {422, "missing-member", "/ground_truth/images", "",
     PART("ground_truth", "{\"annotations\":[],\"categories\":[]}") DT END},
    {422, "invalid-value", "/detections/0/score", "",
     GT PART("detections", FOUND("true")) END},
    {422, "number-out-of-range", "/detections/0/score", "",
     GT PART("detections", FOUND("1e999")) END},
    {422, "non-finite-number", "/detections/0/score", "",
     GT PART("detections", FOUND("\"NaN\"")) END},
    {422, "invalid-value", "/parameters", "",
     GT DT PART("parameters", "1") END},
    {422, "unknown-member", "/parameters/iou", "",
     GT DT PART("parameters", "{\"iou\":1}") END},
    {422, "unknown-member", "/outputs/0", "did you mean",
     GT DT PART("outputs", "[\"sumary\"]") END},
    {422, "unknown-member", "/nonfinite", "",
     GT DT PART("nonfinite", "\"nil\"") END},
    {501, "not-offered", "/parameters/iou_type", "",
     GT DT PART("parameters", "{\"iou_type\":\"segm\"}") END},
    {400, "malformed-form", NULL, "ends before the boundary", GT DT},
    {400, "malformed-form", NULL, "ends before the boundary", GT DT "--x-"},
    {400, "malformed-form", NULL, "ends before the boundary",
     GT HEAD("detections") "[]"},
    {400, "malformed-form", NULL, "ends within the headers",
     GT "--x\r\nContent-Disposition: form-data; name=\"detections"},
    {400, "malformed-form", NULL, "no line with the boundary", ""},
    {400, "malformed-form", NULL, "no line with the boundary",
     "{\"ground_truth\":{}}"},
    {400, "malformed-form", NULL, "has no name",
     "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n" END},
    {400, "malformed-form", NULL, "Content-Transfer-Encoding",
     "--x\r\nContent-Disposition: form-data; name=\"detections\"\r\n"
     "Content-Transfer-Encoding: base64\r\n\r\nW10=\r\n" END},
};

static void every_fault_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct body b = {faults[i].text, strlen(faults[i].text), FORM,
                         CODING_IDENTITY, 0};
        struct answer x = ask(&b, whole, PLENTY);
        check_problem(&x, faults[i].status, faults[i].problem,
                      faults[i].pointer, faults[i].detail);
        check_cuts(&b, &x);
        check_splits(&b, &x);
        arena_free(&x.mem);
    }
}

/* That one is 422 is not the only fault: later ones are there too. */
static void faults_of_all_parts_are_listed(void **state)
{
    static const char text[] =
        PART("outputs", "[\"sumary\"]") PART("detections", FOUND("null"))
            PART("gt", "{}") PART("ground_truth", "{\"images\":1}") END;
    struct body b = {text, sizeof(text) - 1, FORM, CODING_IDENTITY, 0};
    struct answer x = ask(&b, whole, PLENTY);
    (void)state;
    check_problem(&x, 422, "invalid-value", "/detections/0/score", "");
    static const char *const pointers[] = {
        "\"/detections/0/score\"",      "\"pointer\":\"\"",
        "\"/ground_truth/images\"",     "\"/ground_truth/annotations\"",
        "\"/ground_truth/categories\"", "\"/outputs/0\""};
    for (size_t i = 0; i < COUNT(pointers); i++)
        if (!memmem(x.res.body, x.res.body_len, pointers[i],
                    strlen(pointers[i])))
            fail_msg("no %s: %.*s", pointers[i], (int)x.res.body_len,
                     x.res.body);
    check_cuts(&b, &x);
    arena_free(&x.mem);
}

static void boundaries_must_be_there(void **state)
{
    static const struct {
        const char *type, *detail;
    } rows[] = {
        {"multipart/form-data", "boundary"},
        {"multipart/form-data; boundary=", "boundary"},
        {"multipart/form-data; boundary=\"a;b\"", "boundary"},
        {"multipart/form-data; boundary=y", "no line with the boundary"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const char text[] = GT DT END;
        struct body b = {text, sizeof(text) - 1, rows[i].type, CODING_IDENTITY,
                         0};
        struct answer x = ask(&b, whole, PLENTY);
        check_problem(&x, 400, "malformed-form", NULL, rows[i].detail);
        check_cuts(&b, &x);
        arena_free(&x.mem);
    }
}

/* Of one MiB it is taken, of a byte more it is not; nor is it kept. */
static void settings_are_short(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct arena mem;
        struct json_out form, blanks;
        arena_init(&mem, PLENTY);
        json_out_init(&form, &mem, false);
        json_out_init(&blanks, &mem, false);
        out_bytes(&form, GT DT, strlen(GT DT));
        for (size_t n = 2; n < ((size_t)1 << 20) + over; n++)
            out_bytes(&blanks, " ", 1);
        out_bytes(&blanks, "{}", 2);
        add_part(&form, "parameters", blanks.text, blanks.len);
        struct body b = end_form(&form);
        struct answer x = ask(&b, whole, PLENTY);
        struct answer y = ask(&b, (struct cut){100, 4001}, PLENTY);
        if (over)
            check_problem(&x, 400, "malformed-form", NULL, "1 MiB");
        else
            assert_int_equal(x.res.status, 200);
        must_be_same(&y, &x, "over", over);
        arena_free(&x.mem);
        arena_free(&y.mem);
        arena_free(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_answered_as_json_is),
        cmocka_unit_test(lines_may_begin_as_delimiters_do),
        cmocka_unit_test(parts_come_in_any_order),
        cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(faults_of_all_parts_are_listed),
        cmocka_unit_test(boundaries_must_be_there),
        cmocka_unit_test(settings_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
