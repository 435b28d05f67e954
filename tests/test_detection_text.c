/* Reports as text: every output, in order, aligned, whatever is in the data. */
#include "api/detection_text.h"
#include "api/sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES_MAX ((size_t)64 << 20)

/* What the replays give; made up, so that what is written is known. */
enum { REPLAYED = OUTPUT_SLICES | OUTPUT_INTERVALS };

struct stage {
    struct arena mem;
    struct detection_request req;
    struct detection_report rep;
};

static void make_up_replays(struct stage *s)
{
    size_t numbers = coco_number_count(&s->req.protocol);
    size_t n = numbers + s->rep.result.index.n_classes;
    size_t areas = s->req.protocol.n_areas, counts = s->req.protocol.n_counts;
    s->rep.interval = arena_alloc(&s->mem, n, sizeof(*s->rep.interval));
    s->rep.size_slice = arena_alloc(&s->mem, areas, sizeof(struct coco_slice));
    s->rep.count_slice =
        arena_alloc(&s->mem, counts, sizeof(struct coco_slice));
    assert_false(s->mem.failed);
    for (size_t i = 0; i < n; i++)
        s->rep.interval[i] =
            i % 2 ? (struct coco_interval){0.3984, 0.4251, 0.00721, 1000}
                  : (struct coco_interval){NAN, NAN, NAN, 0};
    for (size_t i = 0; i < areas; i++)
        s->rep.size_slice[i] = (struct coco_slice){3, 4, 0.5, 0.25, 0, -1};
    for (size_t i = 0; i < counts; i++)
        s->rep.count_slice[i] = (struct coco_slice){0, 0, -1, -1, -1, -1};
}

/* Scores a body; stage_close in the end. */
static void stage_open(struct stage *s, const char *body, size_t len)
{
    struct api_error err = {0};
    arena_init(&s->mem, BYTES_MAX);
    detection_request_init(&s->req);
    if (decode_detection(DETECTION_BODY, body, len, &s->req, &parallel_serial,
                         &s->mem, &err))
        fail_msg("%s: %.*s", err.fault[0].detail, (int)len, body);
    unsigned outputs = s->req.outputs;
    s->req.outputs &= ~(unsigned)REPLAYED;
    if (detection_score(&s->req, &s->rep, &s->mem, &parallel_serial, &err))
        fail_msg("%s", err.fault[0].detail);
    s->req.outputs = outputs;
    make_up_replays(s);
}

static void stage_close(struct stage *s)
{
    arena_free(&s->mem);
}

/* The text, terminated, until stage_close. */
static const char *text_of(struct stage *s, unsigned outputs, bool colour)
{
    struct json_out out;
    json_out_init(&out, &s->mem, false);
    s->req.outputs = outputs;
    detection_text(&out, &s->rep, colour);
    assert_false(out.failed);
    assert_null(out.len ? memchr(out.text, '\0', out.len) : NULL);
    out_bytes(&out, "", 1);
    return out.text;
}

/* A body of a sample with all outputs. */
static void stage_sample(struct stage *s, size_t images, size_t classes,
                         const char *parameters)
{
    const struct sample_options options = {.images = images,
                                           .classes = classes,
                                           .objects = 4,
                                           .detections = 12,
                                           .seed = 1};
    struct arena mem;
    struct json_out gt, dt, body;
    arena_init(&mem, BYTES_MAX);
    json_out_init(&gt, &mem, false);
    json_out_init(&dt, &mem, false);
    json_out_init(&body, &mem, false);
    sample_write(&options, &gt, &dt);
    out_format(&body, "{\"parameters\":%s,\"ground_truth\":", parameters);
    out_bytes(&body, gt.text, gt.len);
    out_format(&body, ",\"detections\":");
    out_bytes(&body, dt.text, dt.len);
    out_format(&body, ",\"outputs\":[\"summary\",\"per_image\",\"curves\","
                      "\"operating_points\",\"confusion\",\"errors\","
                      "\"calibration\",\"lrp\"]}");
    assert_false(body.failed);
    stage_open(s, body.text, body.len);
    arena_free(&mem);
}

static void missing(const char *part, const char *text)
{
    fail_msg("no \"%s\" in:\n%s", part, text);
}

static const char *find(const char *text, const char *part)
{
    const char *found = strstr(text, part);
    if (!found)
        missing(part, text);
    return found;
}

/* The title of each output, in the order of the API. */
static const struct {
    unsigned output;
    const char *title;
} titles[] = {
    {OUTPUT_SUMMARY, " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all"},
    {OUTPUT_PER_CLASS, "per category\ncategory "},
    {OUTPUT_PER_IMAGE, "per image at IoU 0.5, score >= 0\nimage "},
    {OUTPUT_CURVES, "precision over recall, 0 to 1\ncategory "},
    {OUTPUT_OPERATING_POINTS, "operating points at IoU 0.5\ncategory "},
    {OUTPUT_CONFUSION, "confusion at IoU 0.5, score >= 0\n"},
    {OUTPUT_ERRORS, "errors at IoU 0.5, background under 0.1\n"},
    {OUTPUT_CALIBRATION, "calibration at IoU 0.5, score >= 0\nscores "},
    {OUTPUT_LRP, "localisation recall precision at IoU 0.5, lower is better\n"},
    {OUTPUT_SLICES, "by size of the objects\nsize "},
    {OUTPUT_INTERVALS,
     "intervals of 95 % by 1000 resamples of the images, seed 0\nnumber "},
};

static void every_output_has_a_section_in_the_order_of_the_api(void **state)
{
    struct stage s;
    size_t n;
    const char *const *names = detection_output_names(&n);
    (void)state;
    stage_sample(&s, 8, 3, "{}");
    const char *at = text_of(&s, OUTPUTS_ALL, false);
    assert_int_equal(n, COUNT(titles) + 1); /* arrays */
    for (size_t i = 0; i < COUNT(titles); i++) {
        unsigned bit = 0;
        assert_true(detection_output_named(names[i], &bit));
        assert_int_equal(bit, titles[i].output);
        at = find(at, titles[i].title);
        const char *alone = text_of(&s, bit, false);
        assert_ptr_equal(find(alone, titles[i].title), alone);
    }
    assert_string_equal(text_of(&s, OUTPUT_ARRAYS, false), "");
    stage_close(&s);
}

static void the_summary_is_twelve_plain_lines(void **state)
{
    struct stage s;
    size_t lines = 0;
    (void)state;
    stage_sample(&s, 8, 3, "{}");
    const char *text = text_of(&s, OUTPUT_SUMMARY, true);
    for (const char *c = text; *c; c++) {
        assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
        lines += *c == '\n';
    }
    assert_int_equal(lines, 12);
    stage_close(&s);
}

/* Removes ANSI's SGR sequences, of which there must be some. */
static void strip(char *to, const char *from)
{
    size_t sequences = 0;
    while (*from) {
        if (strncmp(from, "\033[", 2) != 0) {
            *to++ = *from++;
            continue;
        }
        from += 2 + strspn(from + 2, "0123456789");
        assert_int_equal(*from++, 'm');
        sequences++;
    }
    *to = '\0';
    assert_true(sequences > 10 && sequences % 2 == 0);
}

static void colour_only_when_asked_for(void **state)
{
    struct stage s;
    (void)state;
    stage_sample(&s, 8, 3, "{}");
    const char *plain = text_of(&s, OUTPUTS_ALL, false);
    const char *coloured = text_of(&s, OUTPUTS_ALL, true);
    assert_null(strchr(plain, '\033'));
    char *stripped = arena_alloc(&s.mem, strlen(coloured) + 1, 1);
    strip(stripped, coloured);
    assert_string_equal(stripped, plain);
    stage_close(&s);
}

static size_t characters(const char *line, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += (line[i] & 0xc0) != 0x80;
    return n;
}

/* Lines from the heading to the next empty one have as many characters. */
static void expect_even(const char *text, const char *heading)
{
    const char *line = find(text, heading);
    size_t want = characters(line, strcspn(line, "\n")), rows = 0;
    for (; *line && *line != '\n'; line += strcspn(line, "\n") + 1, rows++)
        if (characters(line, strcspn(line, "\n")) != want)
            fail_msg("not %zu characters: %.*s", want, (int)strcspn(line, "\n"),
                     line);
    assert_true(rows > 1);
}

#define LONG "abcdefghijklmnopqrstuvwxyzabcdef"

/* Names of categories that are hard on tables, by id from 1. */
static const char hard_names[] =
    "{\"ground_truth\":{\"images\":[{\"id\":1},{\"id\":123456789012}],"
    "\"categories\":[{\"id\":1,\"name\":\"\\u001b[31mred\\u0007\"},"
    "{\"id\":2,\"name\":\"\\u009b2J\\ttab\"},{\"id\":3,\"name\":\"\"},"
    "{\"id\":4,\"name\":\"größer\"},{\"id\":5,\"name\":\"" LONG "g\"},"
    "{\"id\":6}],"
    "\"annotations\":[{\"id\":7,\"image_id\":1,\"category_id\":1,"
    "\"bbox\":[0,0,40,50],\"area\":2000,\"iscrowd\":0},"
    "{\"id\":8,\"image_id\":1,\"category_id\":4,"
    "\"bbox\":[60,0,40,50],\"area\":2000,\"iscrowd\":0}]},"
    "\"detections\":[{\"image_id\":1,\"category_id\":1,"
    "\"bbox\":[0,0,40,25],\"score\":0.6},{\"image_id\":1,\"category_id\":2,"
    "\"bbox\":[61,0,40,50],\"score\":0.75}],"
    "\"parameters\":{\"score_thresholds\":[0.7]},"
    "\"outputs\":[\"per_class\",\"per_image\",\"operating_points\","
    "\"confusion\",\"errors\",\"calibration\",\"lrp\",\"curves\"]}";

static void hard_names_are_cut_and_aligned(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, hard_names, sizeof(hard_names) - 1);
    const char *text = text_of(&s, OUTPUTS_ALL & ~OUTPUT_SUMMARY, false);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\n')
            fail_msg("character %d in:\n%s", *c, text);
    assert_null(strstr(text, "\xc2\x9b"));
    find(text, "\n?[31mred? ");
    find(text, "\n?2J?tab ");
    find(text, "\n3  ");
    find(text, "\n6  ");
    find(text, "\nabcdefghijklmnopqrstuvwxyzabcde…  ");
    assert_null(strstr(text, LONG));
    expect_even(text, "category                          truths  found ");
    expect_even(text, "       image  truths  found ");
    expect_even(text, "category                          choice ");
    expect_even(text, "category                             AP     Cls ");
    expect_even(text, "category                           oLRP ");
    expect_even(text, "truth \\ found ");
    text = text_of(&s, OUTPUT_INTERVALS, false);
    expect_even(text, "category ");
    stage_close(&s);
}

static const struct {
    unsigned output;
    const char *part;
} parts[] = {
    {OUTPUT_CONFUSION,
     "1 right, 1 confused, 0 missed, 0 on background\n"
     "truth \\ found                     ?[31mred?  ?2J?tab  3  größer  "
     "abcdefghi…  6  background\n"
     "?[31mred?                                 1        ·  ·       ·  "
     "         ·  ·           ·\n"},
    {OUTPUT_CONFUSION,
     "\ngrößer                                    ·        1  ·"},
    {OUTPUT_PER_IMAGE,
     "suspects, score >= 0.5, most confident first\n"
     "0 missing_label, 1 wrong_label, 0 loose_label, 0 spurious_label\n"
     "image  kind         detection  annotation    IoU  score\n"
     "    1  wrong_label          1           8  0.951  0.750\n"},
    {OUTPUT_OPERATING_POINTS,
     " best F1  0.600  0.500      0.500   0.500   1   1   1\n"},
    {OUTPUT_OPERATING_POINTS,
     " asked    0.700  0.000      0.000   0.000   0   1   2\n"},
    {OUTPUT_ERRORS, "\nCls   classification      1  0.5000  ████████████"},
    {OUTPUT_CURVES,
     "1  1.000  ████████████████████  0.000  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"},
    {OUTPUT_CALIBRATION, "  ········█··▁···\n"},
};

static void known_data_gives_known_text(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, hard_names, sizeof(hard_names) - 1);
    for (size_t i = 0; i < COUNT(parts); i++)
        find(text_of(&s, parts[i].output, false), parts[i].part);
    stage_close(&s);
}

static void the_50_most_confident_suspects_are_listed(void **state)
{
    struct stage s;
    unsigned kind[4], rest, scored = 0;
    double before = INFINITY;
    (void)state;
    stage_sample(&s, 120, 4, "{\"suspect_score\":0.9}");
    const char *text = find(text_of(&s, OUTPUT_PER_IMAGE, false), "\nsuspects");
    const char *line = find(text, "\nimage ") + 1;
    assert_int_equal(sscanf(find(text + 1, "\n"),
                            " %u missing_label, %u wrong_label, %u "
                            "loose_label, %u spurious_label\n",
                            kind, kind + 1, kind + 2, kind + 3),
                     4);
    for (size_t i = 0; i < 50; i++) {
        char word[32];
        line = find(line, "\n") + 1;
        assert_int_equal(sscanf(line, "%*u %*s %*s %*s %*s %31s", word), 1);
        double score = strcmp(word, "-") == 0 ? -1 : atof(word);
        assert_true(score <= before && (score >= 0.9 || score < 0));
        before = score;
        scored += score >= 0;
    }
    assert_int_equal(scored, kind[0] + kind[1] + kind[2]); /* all of them */
    assert_int_equal(sscanf(find(line, "\n"), " and %u more\n", &rest), 1);
    assert_int_equal(kind[0] + kind[1] + kind[2] + kind[3], 50 + rest);
    stage_close(&s);
}

/* A confusion of every class with every other, and with the background. */
static void make_up_confusion(struct stage *s)
{
    uint32_t n = (uint32_t)s->rep.result.index.n_classes;
    struct coco_confusion *c = &s->rep.confusion;
    *c = (struct coco_confusion){
        .cell = arena_alloc(&s->mem, (n + 1) * (n + 1), sizeof(*c->cell))};
    assert_non_null(c->cell);
    for (uint32_t truth = 0; truth <= n; truth++)
        for (uint32_t found = 0; found <= n; found++)
            if (truth < n || found < n)
                c->cell[c->n++] = (struct coco_confused){
                    truth, found, 1 + (7 * truth + 3 * found) % 41};
}

static void more_than_12_classes_are_shown_by_pairs(void **state)
{
    (void)state;
    for (size_t classes = 12; classes <= 13; classes++) {
        struct stage s;
        unsigned n, before = 41;
        stage_sample(&s, 60, classes, "{}");
        make_up_confusion(&s);
        const char *text = text_of(&s, OUTPUT_CONFUSION, false);
        assert_int_equal(strstr(text, "truth \\ found") != NULL, classes == 12);
        const char *line = strstr(text, "found as");
        for (size_t i = 0; line && i < 20; i++, before = n) {
            line = find(line, "\n") + 1;
            const char *count_end = find(line, "█") - 2;
            n = (unsigned)atoi(count_end - 2);
            assert_true(i ? n <= before : n == 41);
        }
        if (classes == 13)
            assert_string_equal(find(line, "\n"), "\nand 136 more pairs\n");
        stage_close(&s);
    }
}

static void intervals_are_a_value_and_its_ends(void **state)
{
    struct stage s;
    char want[64];
    (void)state;
    stage_sample(&s, 8, 3, "{}");
    const char *text = text_of(&s, OUTPUT_INTERVALS, false);
    snprintf(want, sizeof(want), "%.3f [0.398, 0.425]  0.0072       1000\n",
             s.rep.value[1]);
    find(find(text, "\nAP50 "), want);
    snprintf(want, sizeof(want), "%.3f [-, -]       -          0\n",
             s.rep.value[0]);
    find(find(text, "\nAP "), want);
    expect_even(text, "number ");
    stage_close(&s);
}

#define IMAGE "\"images\":[{\"id\":1}],"
#define CLASS "\"categories\":[{\"id\":1,\"name\":\"a\"}]"
#define NO_TRUTH "\"annotations\":[],"
#define TRUTH                                                      \
    "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1," \
    "\"bbox\":[0,0,9,9],\"area\":81,\"iscrowd\":0}],"
#define FOUND \
    "{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,9,9],\"score\":1}"
#define OUTSIDE \
    "{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,9,9],\"score\":7}"

/* Where there is little or nothing to show. */
static const char *const sparse[][3] = {
    {"\"images\":[]," NO_TRUTH "\"categories\":[]", "", "{}"},
    {IMAGE NO_TRUTH "\"categories\":[]", "", "{}"},
    {IMAGE NO_TRUTH CLASS, "", "{}"},
    {IMAGE NO_TRUTH CLASS, FOUND, "{}"},
    {IMAGE TRUTH CLASS, "", "{}"},
    {IMAGE TRUTH CLASS, FOUND, "{}"},
    {IMAGE TRUTH CLASS, OUTSIDE, "{}"},
    {IMAGE TRUTH CLASS, FOUND, "{\"use_categories\":false}"},
    {IMAGE NO_TRUTH CLASS, "", "{\"use_categories\":false}"},
    {"\"images\":[]," NO_TRUTH "\"categories\":[]", "",
     "{\"use_categories\":false}"},
    {IMAGE TRUTH CLASS, FOUND, "{\"score_threshold\":2}"},
    {IMAGE TRUTH CLASS, FOUND,
     "{\"iou_thresholds\":[1],"
     "\"per_image_iou\":1}"},
    {IMAGE TRUTH CLASS, FOUND,
     "{\"recall_thresholds\":[0.5],"
     "\"calibration_bins\":100,"
     "\"count_ranges\":{}}"},
    {IMAGE TRUTH CLASS, FOUND,
     "{\"calibration_bins\":1,"
     "\"count_ranges\":{\"c\":[0,null]},"
     "\"area_ranges\":{\"all\":[0,1e10],"
     "\"t\":[0,9]}}"},
};

static void little_data_is_shown_as_such(void **state)
{
    char body[2048];
    (void)state;
    for (size_t i = 0; i < COUNT(sparse); i++) {
        struct stage s;
        int n = snprintf(body, sizeof(body),
                         "{\"ground_truth\":{%s},\"detections\":[%s],"
                         "\"parameters\":%s,\"outputs\":[\"per_image\","
                         "\"operating_points\",\"confusion\",\"errors\","
                         "\"calibration\",\"lrp\",\"curves\"]}",
                         sparse[i][0], sparse[i][1], sparse[i][2]);
        stage_open(&s, body, (size_t)n);
        const char *text = text_of(&s, OUTPUTS_ALL, false);
        for (size_t k = 0; k < 12; k++)
            text = strchr(text, '\n') + 1;
        if (strstr(text, "nan") || strstr(text, "inf") || strstr(text, " \n") ||
            strstr(text, "\n\n\n") || strchr(text, '\033'))
            fail_msg("row %zu:\n%s", i, text);
        stage_close(&s);
    }
}

static void little_memory_is_told(void **state)
{
    struct stage s;
    bool failed = false, whole = false;
    (void)state;
    stage_sample(&s, 8, 13, "{}");
    const char *want = text_of(&s, OUTPUTS_ALL, false);
    for (size_t bytes = 0; bytes < 1 << 17; bytes += 1024) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, bytes);
        json_out_init(&out, &mem, false);
        detection_text(&out, &s.rep, false);
        *(out.failed ? &failed : &whole) = true;
        if (!out.failed)
            assert_true(out.len == strlen(want) &&
                        memcmp(out.text, want, out.len) == 0);
        arena_free(&mem);
    }
    assert_true(failed && whole);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_has_a_section_in_the_order_of_the_api),
        cmocka_unit_test(the_summary_is_twelve_plain_lines),
        cmocka_unit_test(colour_only_when_asked_for),
        cmocka_unit_test(hard_names_are_cut_and_aligned),
        cmocka_unit_test(known_data_gives_known_text),
        cmocka_unit_test(the_50_most_confident_suspects_are_listed),
        cmocka_unit_test(more_than_12_classes_are_shown_by_pairs),
        cmocka_unit_test(intervals_are_a_value_and_its_ends),
        cmocka_unit_test(little_data_is_shown_as_such),
        cmocka_unit_test(little_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
