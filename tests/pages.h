/* Pages of reports, as the tests of detection_html.h make and check them. */
#ifndef EVALD_TESTS_PAGES_H
#define EVALD_TESTS_PAGES_H

#include "api/detection_html.h"
#include "api/sample.h"
#include "api/utf8.h"
#include "tests/markup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 30 };

/* A request, its report, and their memory. */
struct scored {
    struct arena mem;
    struct detection_request req;
    struct detection_report rep;
};

static inline void read_body(struct scored *s, const char *body)
{
    struct api_error err = {0};
    arena_init(&s->mem, PLENTY);
    detection_request_init(&s->req);
    s->req.options.bootstrap.resamples = 20;
    if (decode_detection(DETECTION_BODY, body, strlen(body), &s->req,
                         &parallel_serial, &s->mem, &err))
        fail_msg("%s: %s", body, err.fault[0].detail);
}

static inline void score(struct scored *s, unsigned outputs)
{
    struct api_error err = {0};
    s->req.outputs = outputs;
    if (detection_score(&s->req, &s->rep, &s->mem, &parallel_serial, &err))
        fail_msg("not scored: %s", err.fault[0].detail);
}

static inline bool has(const struct json_out *page, const char *what)
{
    return memmem(page->text, page->len, what, strlen(what)) != NULL;
}

/* The page, which must be sound. */
static inline struct json_out page_of(struct scored *s, const char *title)
{
    static const char *const foreign[] = {
        "http:", "https:", "<script", "src=", "url(", "@import", "onload="};
    /* What svg_number brings nearer: nothing should have been so far away. */
    static const char *const far[] = {"\"100000", "\"-100000", "M100000",
                                      "L100000"};
    struct markup m;
    struct json_out out;
    json_out_init(&out, &s->mem, false);
    detection_html(&out, &s->rep, title);
    assert_false(out.failed);
    if (!markup_read(&m, out.text, out.len))
        fail_msg("%s: %.*s", m.fault, 120,
                 m.at > out.text + 60 ? m.at - 60 : m.at);
    assert_true(m.elements > 50);
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (has(&out, foreign[i]))
            fail_msg("the page has %s", foreign[i]);
    for (size_t i = 0; i < COUNT(far); i++)
        if (has(&out, far[i]))
            fail_msg("the page draws outside: %s", far[i]);
    for (const char *c = out.text, *end = c + out.len; c < end;) {
        size_t n = utf8_sequence(c, end);
        assert_true(n > 0);
        c += n;
    }
    return out;
}

#define IMAGES \
    "{\"ground_truth\":{\"images\":[{\"id\":1},{\"id\":2},{\"id\":3}],"
#define BOX(i, c, b)                                                         \
    "{\"id\":" #i ",\"image_id\":" #i ",\"category_id\":" #c ",\"bbox\":[" b \
    "],\"iscrowd\":0}"
#define FOUND(i, c, b, s)                                      \
    "{\"image_id\":" #i ",\"category_id\":" #c ",\"bbox\":[" b \
    "],\"score\":" #s "}"
#define CATS \
    "\"categories\":[{\"id\":7,\"name\":\"cat\"},{\"id\":8,\"name\":\"dog\"}]"

/* clang-format off */
/*
 * Image 1: a cat found.  Image 2: a dog taken for a cat, and a false alarm.
 * Image 3: a cat that nothing is near.
 */
static const char pets[] =
    IMAGES CATS ",\"annotations\":[" BOX(1, 7, "0,0,10,10") ","
    BOX(2, 8, "0,0,10,20") "," BOX(3, 7, "5,5,50,50") "]},\"detections\":["
    FOUND(1, 7, "0,0,10,10", 0.9) "," FOUND(2, 7, "0,0,10,19", 0.8) ","
    FOUND(2, 8, "70,70,9,9", 0.7) "]}";
/* clang-format on */

static inline size_t count(const struct json_out *page, const char *what)
{
    size_t n = 0;
    const char *at = page->text, *end = at + page->len;
    while ((at = memmem(at, (size_t)(end - at), what, strlen(what)))) {
        at += strlen(what);
        n++;
    }
    return n;
}

/* Each section, by its id, and the output that it belongs to. */
static const struct {
    const char *id;
    unsigned output; /* 0: always there */
} sections[] = {
    {"summary", 0},
    {"errors", OUTPUT_ERRORS},
    {"curves", OUTPUT_CURVES},
    {"categories", OUTPUT_PER_CLASS},
    {"confusion", OUTPUT_CONFUSION},
    {"points", OUTPUT_OPERATING_POINTS},
    {"calibration", OUTPUT_CALIBRATION},
    {"slices", OUTPUT_SLICES},
    {"images", OUTPUT_PER_IMAGE},
    {"suspects", OUTPUT_PER_IMAGE},
    {"protocol", 0},
};

static inline void must_have_sections(const struct json_out *page,
                                      unsigned outputs)
{
    for (size_t i = 0; i < COUNT(sections); i++) {
        char section[40], link[40];
        bool want = !sections[i].output || (outputs & sections[i].output);
        snprintf(section, sizeof(section), "<section id=\"%s\">",
                 sections[i].id);
        snprintf(link, sizeof(link), "<a href=\"#%s\">", sections[i].id);
        if (has(page, section) != want || has(page, link) != want)
            fail_msg("outputs %u: section %s", outputs, sections[i].id);
    }
    assert_int_equal(has(page, "<div class=\"tile\">"),
                     (outputs & OUTPUT_SUMMARY) != 0);
}

/* The sample with so many classes. */
static inline void read_sample(struct scored *s, size_t classes)
{
    struct sample_options options = {200, classes, 10, 30, 1};
    struct json_out gt, dt;
    struct api_error err = {0};
    arena_init(&s->mem, PLENTY);
    detection_request_init(&s->req);
    s->req.options.bootstrap.resamples = 20;
    json_out_init(&gt, &s->mem, false);
    json_out_init(&dt, &s->mem, false);
    sample_write(&options, &gt, &dt);
    assert_int_equal(decode_detection(DETECTION_GROUND_TRUTH, gt.text, gt.len,
                                      &s->req, &parallel_serial, &s->mem, &err),
                     0);
    assert_int_equal(decode_detection(DETECTION_LIST, dt.text, dt.len, &s->req,
                                      &parallel_serial, &s->mem, &err),
                     0);
}

#endif
