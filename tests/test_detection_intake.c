/*
 * What a form and its encoding may bring along: detections as .npy, bodies
 * that are compressed, and memory down to nothing.
 */
#include "core/random.h"
#include "tests/form.h"
#include "tests/npy_file.h"

#include <math.h>

enum { ROWS_MAX = 40, COLUMNS = 7 };

static struct body make_form(struct json_out *form, struct arena *mem,
                             const char *before, const char *data, size_t len,
                             const char *after)
{
    json_out_init(form, mem, false);
    out_format(form, "%s" HEAD("detections"), before);
    out_bytes(form, data, len);
    out_format(form, "\r\n%s" END, after);
    assert_false(form->failed);
    return (struct body){form->text, form->len, FORM, CODING_IDENTITY, 0};
}

/* Detections of the one image and its category, in 1/8 and as good halves. */
static size_t make_rows(double row[ROWS_MAX][COLUMNS])
{
    uint64_t r = 1;
    for (size_t i = 0; i < ROWS_MAX; i++) {
        row[i][0] = 1;
        row[i][6] = i % 5 ? 7 : 8;
        for (size_t k = 1; k < 6; k++)
            row[i][k] = (double)(random_next(&r) % 96) / 8;
        row[i][5] = (double)i / 64;
    }
    row[3][3] = -2; /* a width that deserves a warning */
    return ROWS_MAX;
}

static void write_rows(struct json_out *out, double row[ROWS_MAX][COLUMNS],
                       size_t n)
{
    out_format(out, "[");
    for (size_t i = 0; i < n; i++)
        out_format(out,
                   "%s{\"image_id\":%g,\"category_id\":%g,"
                   "\"bbox\":[%g,%g,%g,%g],\"score\":%.17g}",
                   i ? "," : "", row[i][0], row[i][6], row[i][1], row[i][2],
                   row[i][3], row[i][4], row[i][5]);
    out_format(out, "]");
}

/* Element i, of a file of this type: the doubles are exact in all of them. */
static void add_element(struct file *f, const char *type, double x)
{
    char bytes[8];
    float single = (float)x;
    size_t size = (size_t)(type[2] - '0');
    assert_true((double)single == x);
    memcpy(bytes, size == 4 ? (void *)&single : (void *)&x, size);
    for (size_t k = 0; k < size; k++)
        file_add(f, &bytes[type[0] == '>' ? size - 1 - k : k], 1);
}

static void make_file(struct file *f, const char *type, bool fortran,
                      double row[ROWS_MAX][COLUMNS], size_t n)
{
    char dict[120];
    snprintf(dict, sizeof(dict),
             "{'descr': '%s', 'fortran_order': %s, 'shape': (%zu, 7), }\n",
             type, fortran ? "True" : "False", n);
    file_make(f, dict, "", 0);
    for (size_t i = 0; i < n * COLUMNS; i++)
        add_element(f, type,
                    fortran ? row[i % n][i / n]
                            : row[i / COLUMNS][i % COLUMNS]);
}

static void rows_are_answered_as_json_is(void **state)
{
    static const char *const types[] = {"<f8", "<f4", ">f8", ">f4"};
    static const char *const outputs =
        PART("outputs", "[\"summary\",\"per_class\",\"per_image\"]");
    static double row[ROWS_MAX][COLUMNS];
    static struct file f;
    struct arena mem;
    struct json_out json, form;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t n = 0; n <= make_rows(row); n += ROWS_MAX) {
        json_out_init(&json, &mem, false);
        write_rows(&json, row, n);
        struct body b =
            make_form(&form, &mem, GT, json.text, json.len, outputs);
        struct answer want = ask(&b, whole, PLENTY);
        assert_int_equal(want.res.status, 200);
        for (size_t i = 0; i < 2 * COUNT(types); i++) {
            make_file(&f, types[i / 2], i % 2, row, n);
            b = make_form(&form, &mem, outputs, f.text, f.len, GT);
            struct answer x = ask(&b, whole, PLENTY);
            must_be_same(&x, &want, "type", i);
            check_cuts(&b, &want);
            arena_free(&x.mem);
        }
        arena_free(&want.mem);
    }
    arena_free(&mem);
}

#define OF_TWO(type) \
    "{'descr': '" type "', 'fortran_order': False, 'shape': (2, 7), }\n"
#define SHAPED(shape) \
    "{'descr': '<f8', 'fortran_order': False, 'shape': " shape ", }\n"
#define GOOD                  \
    {                         \
        1, 0, 0, 9, 8, 0.5, 7 \
    }

/* Files of two rows, wrong by their dict or by their numbers. */
static const struct {
    const char *dict;
    double row[2][COLUMNS];
    const char *problem, *pointer, *detail;
} files[] = {
    {SHAPED("(2, 6)"), {GOOD, GOOD}, "invalid-value", "/detections", "bytes"},
    {SHAPED("(7, 2)"),
     {GOOD, GOOD},
     "shape-mismatch",
     "/detections",
     "the second of 7: image_id, x, y, width, height, score, category_id"},
    {SHAPED("(14,)"), {GOOD, GOOD}, "shape-mismatch", "/detections", "two"},
    {SHAPED("(1, 2, 7)"), {GOOD, GOOD}, "shape-mismatch", "/detections", "two"},
    {SHAPED("(3, 7)"),
     {GOOD, GOOD},
     "invalid-value",
     "/detections",
     "has 112 bytes of data, must have 168"},
    {OF_TWO("<c8"),
     {GOOD, GOOD},
     "invalid-value",
     "/detections",
     "descr '<c8'"},
    {"{}", {GOOD, GOOD}, "invalid-value", "/detections", "no 'descr'"},
    {OF_TWO("<f8"),
     {GOOD, {1, 0, 0, 9, (double)NAN, 0.5, 7}},
     "non-finite-number",
     "/detections/1/4",
     "(height) is nan"},
    {OF_TWO("<f8"),
     {{1, 0, 0, 9, 8, -(double)INFINITY, 7}, GOOD},
     "non-finite-number",
     "/detections/0/5",
     "(score) is -inf"},
    {OF_TWO("<f8"),
     {{(double)NAN, 0, 0, 9, 8, 0.5, 7}, GOOD},
     "non-finite-number",
     "/detections/0/0",
     "(image_id) is nan"},
    {OF_TWO("<f8"),
     {GOOD, {1.5, 0, 0, 9, 8, 0.5, 7}},
     "invalid-value",
     "/detections/1/0",
     "(image_id) is 1.5, must be an int"},
    {OF_TWO("<f8"),
     {GOOD, {1, 0, 0, 9, 8, 0.5, 1e300}},
     "invalid-value",
     "/detections/1/6",
     "(category_id) is 1e300,"},
    {OF_TWO("<f8"),
     {{0x1p53 + 2, 0, 0, 9, 8, 0.5, 7}, GOOD},
     "invalid-value",
     "/detections/0/0",
     "(image_id) is 9007199254740994"},
    {OF_TWO("<i8"), {GOOD, GOOD}, "invalid-value", "/detections", "2^53"},
    {OF_TWO("<f8"),
     {GOOD, {2, 0, 0, 9, 8, 0.5, 7}},
     "unknown-image",
     "/detections/1/image_id",
     "2"},
};

static void files_of_other_numbers_are_refused(void **state)
{
    struct arena mem;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < COUNT(files); i++) {
        static struct file f;
        struct json_out form;
        file_make(&f, files[i].dict, files[i].row, sizeof(files[i].row));
        struct body b = make_form(&form, &mem, GT, f.text, f.len, "");
        struct answer x = ask(&b, whole, PLENTY);
        check_problem(&x, 422, files[i].problem, files[i].pointer,
                      files[i].detail);
        check_cuts(&b, &x);
        arena_free(&x.mem);
    }
    arena_free(&mem);
}

static void a_file_may_be_cut_anywhere(void **state)
{
    static double row[ROWS_MAX][COLUMNS];
    static struct file f;
    struct arena mem;
    struct json_out form;
    (void)state;
    make_rows(row);
    make_file(&f, "<f4", false, row, 3);
    arena_init(&mem, PLENTY);
    struct body b = make_form(&form, &mem, GT, f.text, f.len, FEW);
    struct answer want = ask(&b, whole, PLENTY);
    assert_int_equal(want.res.status, 200);
    check_splits(&b, &want);
    arena_free(&want.mem);
    for (size_t n = 1; n < f.len; n++) {
        b = make_form(&form, &mem, GT, f.text, n, FEW);
        struct answer x = ask(&b, whole, PLENTY);
        check_problem(&x, 422, "invalid-value", "/detections", "");
        arena_free(&x.mem);
    }
    arena_free(&mem);
}

static struct body packed(const struct body *b, enum coding coding,
                          struct arena *mem)
{
    struct body p = *b;
    char *text = arena_alloc(mem, b->len, 1);
    assert_non_null(text);
    memcpy(text, b->text, b->len);
    assert_true(content_encode(coding, &text, &p.len, mem));
    p.text = text;
    p.coding = coding;
    return p;
}

static const char good[] = GT DT FEW PART("outputs", "[\"per_image\"]") END;
static const char broken[] = GT PART("detections", "[{]") FEW END;

static void compressed_forms_are_answered_alike(void **state)
{
    static const char *const texts[] = {good, broken};
    struct arena mem;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < COUNT(texts); i++)
        for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
            struct body b = {texts[i], strlen(texts[i]), FORM, CODING_IDENTITY,
                             0};
            struct body p = packed(&b, c, &mem);
            struct answer want = ask(&b, whole, PLENTY);
            struct answer x = ask(&p, whole, PLENTY);
            assert_int_equal(want.res.status, i ? 400 : 200);
            must_be_same(&x, &want, "coding", c);
            check_cuts(&p, &want);
            check_splits(&p, &want);
            p.len--;
            arena_free(&x.mem);
            x = ask(&p, whole, PLENTY);
            check_problem(&x, 400, "malformed-content", NULL, "too early");
            check_cuts(&p, &x);
            arena_free(&x.mem);
            arena_free(&want.mem);
        }
    arena_free(&mem);
}

enum { MEBI = 1 << 20, LIMIT = 2 * MEBI, BOMB_MEBIS = 300 };

/* 300 MiB of blanks behind a beginning, as members of its encoding. */
static struct body make_bomb(const char *begin, const char *type,
                             enum coding coding, struct arena *mem)
{
    struct json_out bomb;
    char *blanks = arena_alloc(mem, MEBI, 1);
    assert_non_null(blanks);
    memset(blanks, ' ', MEBI);
    struct body mebi = {blanks, MEBI, type, CODING_IDENTITY, LIMIT};
    struct body packed_mebi = packed(&mebi, coding, mem);
    for (size_t i = 0; begin[i]; i++)
        blanks[i] = begin[i];
    struct body first = packed(&mebi, coding, mem);
    json_out_init(&bomb, mem, false);
    out_bytes(&bomb, first.text, first.len);
    for (size_t i = 1; i < BOMB_MEBIS; i++)
        out_bytes(&bomb, packed_mebi.text, packed_mebi.len);
    assert_false(bomb.failed);
    return (struct body){bomb.text, bomb.len, type, coding, LIMIT};
}

static void bombs_are_refused_early(void **state)
{
    static const struct {
        const char *begin, *type;
    } rows[] = {
        {"", JSON},
        {"{\"ground_truth\":", JSON},
        {"", FORM},
        {HEAD("ground_truth") "[", FORM},
        {GT DT HEAD("parameters"), FORM},
        {GT HEAD("detections") "\x93NUMPY", FORM},
    };
    struct arena mem;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        enum coding c = i % 2 ? CODING_GZIP : CODING_ZSTD;
        struct body b = make_bomb(rows[i / 2].begin, rows[i / 2].type, c, &mem);
        struct cut cuts[] = {whole, {1000, 1000}};
        assert_true(b.len < LIMIT);
        for (size_t k = 0; k < COUNT(cuts); k++) {
            struct answer x = ask(&b, cuts[k], PLENTY);
            check_problem(&x, 413, "body-too-large", NULL, "2097152");
            assert_true(x.inflated <= LIMIT + WINDOW_BYTES);
            assert_true(x.mem.bytes_used < 24 * (size_t)MEBI);
            arena_free(&x.mem);
        }
    }
    arena_free(&mem);
}

/* The whole answer, or a 413 that can be read. */
static bool check_budget(const struct body *b, struct cut cut,
                         const struct answer *want, size_t budget)
{
    struct answer x = ask(b, cut, budget);
    bool answered = x.res.status == want->res.status;
    if (answered)
        must_be_same(&x, want, "budget", budget);
    else
        check_problem(&x, 413, "too-much-memory", NULL, "");
    arena_free(&x.mem);
    return answered;
}

static void check_budgets(const struct body *b)
{
    static const struct cut cuts[] = {{61, 61}, {300, 7}};
    struct answer want = ask(b, whole, PLENTY);
    for (size_t k = 0; k < 3; k++) {
        size_t answers = 0, refusals = 0;
        for (size_t n = 0; n <= 8 * (size_t)MEBI;
             n += n < 32768 ? 64 : n / 16) {
            if (check_budget(b, k ? cuts[k - 1] : whole, &want, n))
                answers++;
            else
                refusals++;
        }
        if (answers == 0 || refusals == 0)
            fail_msg("%zu answers, %zu refusals: %.*s", answers, refusals,
                     (int)b->len, b->text);
    }
    arena_free(&want.mem);
}

static void any_budget_gives_an_answer_or_413(void **state)
{
    static const char *const texts[] = {
        good,
        broken,
        DT END,
        GT DT PART("outputs", "[1]") END,
        PART("ground_truth", "") DT END,
        PART("detections", "") GT END,
        GT DT PART("parameters", "") END,
        GT DT PART("unknown", "") END,
    };
    static double row[ROWS_MAX][COLUMNS];
    static struct file f;
    struct arena mem;
    struct json_out form;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct body b = {texts[i], strlen(texts[i]), FORM, CODING_IDENTITY, 0};
        check_budgets(&b);
    }
    make_rows(row);
    make_file(&f, "<f8", true, row, ROWS_MAX);
    struct body b = make_form(&form, &mem, GT FEW, f.text, f.len, "");
    check_budgets(&b);
    for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
        struct body p = packed(&b, c, &mem);
        check_budgets(&p);
    }
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_answered_as_json_is),
        cmocka_unit_test(files_of_other_numbers_are_refused),
        cmocka_unit_test(a_file_may_be_cut_anywhere),
        cmocka_unit_test(compressed_forms_are_answered_alike),
        cmocka_unit_test(bombs_are_refused_early),
        cmocka_unit_test(any_budget_gives_an_answer_or_413),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
