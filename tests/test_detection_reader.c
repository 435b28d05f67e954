/* Detection bodies in pieces: as a document of the whole reads them. */
#include "api/detection_reader.h"
#include "api/sample.h"
#include "core/random.h"
#include "tests/documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Whether text is taken; both ways must say the same, however it is cut. */
static bool is_taken(const char *text, size_t len)
{
    bool taken = false;
    for (uint64_t seed = 1; seed <= 7; seed++)
        if (!reads_alike(text, len, seed, &taken))
            fail_msg("read differently (seed %d): %.*s", (int)seed, (int)len,
                     text);
    return taken;
}

/* A body of the sample's, in mem. */
static struct json_out sample_body(struct arena *mem, bool pretty)
{
    const struct sample_options options = {6, 4, 4, 12, 3};
    struct json_out gt, dt, body;
    json_out_init(&gt, mem, pretty);
    json_out_init(&dt, mem, pretty);
    json_out_init(&body, mem, false);
    sample_write(&options, &gt, &dt);
    out_format(&body, "{\"parameters\":{\"max_detections\":[1,2,3]},"
                      "\"detections\":");
    out_bytes(&body, dt.text, dt.len);
    out_format(&body, " , \"outputs\" :[\"per_image\"], \"ground_truth\":");
    out_bytes(&body, gt.text, gt.len);
    out_format(&body, "}\n");
    return body;
}

/* Bodies with what is rare, by the members of their parts. */
static const struct {
    const char *images, *annotations, *categories, *detections;
} bodies[] = {
    {"{\"id\":1}", "", "", ""},
    {"{\"id\":1.0,\"file_name\":\"\\ud83d\\ude00\"}", "", "{\"id\":1e0}", ""},
    {"{\"id\":-0}", "", "{\"id\":1,\"name\":null}", ""},
    {"{\"id\":1}",
     "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,-0.0],"
     "\"iscrowd\":true,\"segmentation\":{\"size\":[1,2],\"counts\":\"ab\"}}",
     "{\"name\":\"\\u4eba\",\"id\":1}",
     "{\"score\":-0,\"bbox\":[-0,1e-300,2.5E+3,0.1],\"category_id\":1.0,"
     "\"image_id\":1,\"area\":[]}"},
    {"{\"id\":1}",
     "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],"
     "\"iscrowd\":0,\"ignore\":1.0,\"area\":5}",
     "{\"id\":1},{\"id\":1,\"name\":\"again\"}",
     "{\"image_id\":1,\"category_id\":7,\"bbox\":[1,2,-3,4],\"score\":1}"},
    {"{\"id\":1}",
     "{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],"
     "\"iscrowd\":1,\"ignore\":true}",
     "{\"id\":1}", ""},
    {"{\"id\":1},{\"id\":1}", "", "", ""},
    {"{\"id\":9223372036854775807}", "", "", ""},
    {"{\"id\":9223372036854775808}", "", "", ""},
    {"{\"id\":1,\"id\":1}", "", "", ""},
    {"{\"id\":1}", "", "", "{\"image_id\":1}"},
    {"{}", "", "", ""},
    {"1", "", "", ""},
    {"{\"id\":1}",
     "{\"id\":1,\"image_id\":1,\"category_id\":1,"
     "\"bbox\":[1,2,3]}",
     "", ""},
};

static void rare_bodies_are_read_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char text[1024];
        int n = snprintf(text, sizeof(text),
                         "{\"ground_truth\":{\"images\":[%s],"
                         "\"annotations\":[%s],\"info\":{},"
                         "\"categories\":[%s]},\"detections\":[%s]}",
                         bodies[i].images, bodies[i].annotations,
                         bodies[i].categories, bodies[i].detections);
        is_taken(text, (size_t)n);
    }
}
static void samples_are_read_alike(void **state)
{
    struct arena mem;
    (void)state;
    arena_init(&mem, (size_t)64 << 20);
    for (int pretty = 0; pretty < 2; pretty++) {
        struct json_out body = sample_body(&mem, pretty);
        assert_true(is_taken(body.text, body.len));
    }
    arena_free(&mem);
}

/* Whatever is broken, both ways say the same. */
static void broken_samples_are_read_alike(void **state)
{
    static const char bytes[] = "\"\\,:[]{}0-.e 9n\xc3";
    struct arena mem;
    uint64_t r = 4;
    (void)state;
    arena_init(&mem, (size_t)64 << 20);
    struct json_out body = sample_body(&mem, false);
    char *text = arena_alloc(&mem, body.len + 1, 1);
    for (size_t i = 0; i < 8000; i++) {
        memcpy(text, body.text, body.len);
        size_t len = body.len, at = random_next(&r) % len;
        switch (random_next(&r) % 3) {
        case 0:
            text[at] = bytes[random_next(&r) % (sizeof(bytes) - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, --len - at);
            break;
        default:
            memmove(text + at + 1, text + at, len++ - at);
        }
        bool taken;
        if (!reads_alike(text, len, i, &taken))
            fail_msg("read differently (%zu): %.*s", i, (int)len, text);
    }
    arena_free(&mem);
}

/* Members of records as writers have them, by weight. */
static const char *pick(uint64_t *r, const char *const *choices, size_t n)
{
    return choices[random_next(r) % n];
}

static void write_annotation(struct json_out *out, uint64_t *r, size_t i)
{
    static const char *const more[] = {
        "",
        "",
        ",\"area\":7.25",
        ",\"iscrowd\":1,\"ignore\":0",
        ",\"segmentation\":[[1,2.5,3]],\"area\":3,\"iscrowd\":false",
        ",\"note\":\"}, {\\\"id\\\":1}\"",
        ",\"ign\\u006fre\":1",
        ",\"x\":{\"y\":[{\"id\":1},{\"id\":2}]}"};
    static const char *const sizes[] = {"3,4", "3.5,4e0", "-1,2", "0,0"};
    out_format(out,
               "%s{\"id\":%zu,\"image_id\":%d,\"bbox\":[1,2,%s],"
               "\"category_id\":1%s}",
               i ? pick(r, (const char *const[]){",", " ,\n "}, 2) : "", i + 1,
               (int)(random_next(r) % 9), pick(r, sizes, COUNT(sizes)),
               pick(r, more, COUNT(more)));
}

static void write_detection(struct json_out *out, uint64_t *r, size_t i)
{
    static const char *const more[] = {"",
                                       "",
                                       "",
                                       ",\"id\":7,\"area\":2",
                                       ",\"s\":\"\\u4eba},{\"",
                                       ",\"t\":[1e3,null]"};
    static const char *const scores[] = {"0.5", "1", "0.123456789012345678",
                                         "-2.5e-7"};
    bool swapped = random_next(r) % 4 == 0;
    out_format(out,
               swapped ? "%s{\"score\":%s,\"image_id\":%d,"
                         "\"category_id\":%d,\"bbox\":[ 0.1 ,2,3,4]%s}"
                       : "%s{\"score\": %s, \"image_id\": %d, "
                         "\"category_id\": %d, \"bbox\": [5, 6, 7, -8]%s}",
               i ? "," : "", pick(r, scores, COUNT(scores)),
               (int)(random_next(r) % 9), (int)(random_next(r) % 3),
               pick(r, more, COUNT(more)));
}

/* Lists that are long enough for every kind of cut. */
static struct json_out random_body(struct arena *mem, uint64_t *r)
{
    size_t annotations = random_next(r) % 60, found = random_next(r) % 90;
    struct json_out out;
    json_out_init(&out, mem, false);
    out_format(&out, "{\"ground_truth\":{\"images\":[");
    for (int i = 0; i < 9; i++)
        out_format(&out, "%s{\"id\":%d}", i ? "," : "", i);
    out_format(&out, "],\"annotations\":[");
    for (size_t i = 0; i < annotations; i++)
        write_annotation(&out, r, i);
    out_format(&out, "],\"categories\":[{\"id\":1,\"name\":\"a\"}]},"
                     "\"detections\":[");
    for (size_t i = 0; i < found; i++)
        write_detection(&out, r, i);
    out_format(&out, "]}");
    return out;
}

static void random_bodies_are_read_alike(void **state)
{
    struct arena mem;
    uint64_t r = 7;
    (void)state;
    arena_init(&mem, (size_t)64 << 20);
    for (size_t i = 0; i < 400; i++) {
        struct json_out body = random_body(&mem, &r);
        assert_true(is_taken(body.text, body.len));
        arena_clear(&mem, SIZE_MAX);
    }
    arena_free(&mem);
}

/* Columns in place of records, whole and broken. */
static void columns_are_read_alike(void **state)
{
    static const char *const columns[] = {
        "{\"image_id\":[1,1],\"category_id\":[1,2],"
        "\"bbox\":[[1,2,3,4],[0.5,1e1,-2,3]],\"score\":[1,0.25]}",
        "{\"score\":[],\"bbox\":[],\"category_id\":[],\"image_id\":[]}",
        "{\"score\":[1],\"bbox\":[[1,2,3,4]],\"category_id\":[1],"
        "\"image_id\":[1],\"segmentation\":[{\"size\":[1,2]}]}",
        "{\"score\":[1],\"bbox\":[[1,2,3]],\"category_id\":[1],"
        "\"image_id\":[1]}",
        "{\"score\":[1],\"bbox\":[[1,2,3,4]],\"category_id\":[1.5],"
        "\"image_id\":[1]}",
        "{\"score\":[1,2],\"bbox\":[[1,2,3,4]],\"category_id\":[1],"
        "\"image_id\":[1]}",
        "{\"score\":1,\"bbox\":[],\"category_id\":[],\"image_id\":[]}",
        "{\"score\":[\"NaN\"],\"bbox\":[[1,2,3,4]],\"category_id\":[1],"
        "\"image_id\":[1]}",
        "{\"score\":[1],\"score\":[1]}",
        "{}",
        "7",
        "null",
        "[7]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(columns); i++) {
        char text[1024];
        int n = snprintf(text, sizeof(text),
                         "{\"detections\":%s,\"ground_truth\":{\"images\":"
                         "[{\"id\":1}],\"annotations\":[],"
                         "\"categories\":[]}}",
                         columns[i]);
        assert_int_equal(is_taken(text, (size_t)n), i < 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_bodies_are_read_alike),
        cmocka_unit_test(random_bodies_are_read_alike),
        cmocka_unit_test(columns_are_read_alike),
        cmocka_unit_test(samples_are_read_alike),
        cmocka_unit_test(broken_samples_are_read_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
