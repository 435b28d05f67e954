/*
 * A made-up dataset, and detectors of some quality whose runs on it are sent
 * image by image: what tests of results ask about.  Asserts with cmocka.
 */
#ifndef EVALD_TESTS_STREAMED_H
#define EVALD_TESTS_STREAMED_H

#include "tests/asked.h"

#include "api/json_out.h"
#include "core/random.h"

enum { STREAMED_IMAGES = 24, STREAMED_CLASSES = 4, STREAMED_OBJECTS = 5 };

/* Ids are odd numbers, so that even ones are of nothing. */
static inline int streamed_image(size_t i)
{
    return (int)(2 * i + 1);
}

static inline int streamed_category(size_t k)
{
    return (int)(10 * k + 1);
}

static inline double streamed_number(uint64_t *state, double most)
{
    return most * random_below(state, 1000) / 1000;
}

/* The object j of image i; image 3 has none, and there is one crowd. */
struct streamed_object {
    double x, y, w, h;
    size_t class;
    bool there, crowd;
};

static inline struct streamed_object streamed_object(size_t i, size_t j)
{
    uint64_t state = 1000 * i + j;
    for (size_t k = 0; k < 8; k++)
        random_below(&state, 2);
    struct streamed_object o = {
        .x = 200.0 * (double)j + streamed_number(&state, 50),
        .y = streamed_number(&state, 50),
        .w = 20 + streamed_number(&state, 100),
        .h = 20 + streamed_number(&state, 100),
        .class = (i + j) % (STREAMED_CLASSES - 1), /* the last has none */
        .there = i != 3 && j < 1 + i % STREAMED_OBJECTS,
        .crowd = i == 5 && j == 0,
    };
    return o;
}

static inline const char *streamed_end(struct json_out *out)
{
    out_bytes(out, "", 1);
    assert_false(out->failed);
    return out->text;
}

static inline void streamed_ground_truth(struct json_out *out)
{
    const char *comma = "";
    out_format(out, "{\"images\":[");
    for (size_t i = 0; i < STREAMED_IMAGES; i++)
        out_format(out, "%s{\"id\":%d}", i ? "," : "", streamed_image(i));
    out_format(out, "],\"categories\":[");
    for (size_t k = 0; k < STREAMED_CLASSES; k++)
        out_format(out, "%s{\"id\":%d,\"name\":\"class %zu\"}", k ? "," : "",
                   streamed_category(k), k);
    out_format(out, "],\"annotations\":[");
    for (size_t i = 0; i < STREAMED_IMAGES; i++)
        for (size_t j = 0; j < STREAMED_OBJECTS; j++) {
            struct streamed_object o = streamed_object(i, j);
            if (!o.there)
                continue;
            out_format(out,
                       "%s{\"id\":%zu,\"image_id\":%d,\"category_id\":%d,"
                       "\"bbox\":[%g,%g,%g,%g],\"area\":%g,\"iscrowd\":%d}",
                       comma, 100 * i + j + 1, streamed_image(i),
                       streamed_category(o.class), o.x, o.y, o.w, o.h,
                       o.w * o.h, o.crowd);
            comma = ",";
        }
    out_format(out, "]}");
}

/*
 * The detections of image i, without brackets: of each object one, `off` by so
 * many pixels, one of another class now and then, one of no class, and one on
 * the background.
 */
static inline const char *streamed_detections(struct json_out *out, size_t i,
                                              double off, const char *comma)
{
    static const char *const form =
        "%s{\"image_id\":%d,\"category_id\":%d,\"bbox\":[%g,%g,%g,%g],"
        "\"score\":%g}";
    for (size_t j = 0; j < STREAMED_OBJECTS; j++) {
        struct streamed_object o = streamed_object(i, j);
        uint64_t state = 77 + 100 * i + j;
        random_below(&state, 2);
        size_t class = (o.class + (i * j % 5 == 4)) % STREAMED_CLASSES;
        if (!o.there)
            continue;
        out_format(out, form, comma, streamed_image(i),
                   streamed_category(class), o.x + streamed_number(&state, off),
                   o.y + off / 4, o.w, o.h, 0.3 + streamed_number(&state, 0.7));
        comma = ",";
    }
    if (i % 4 == 0) {
        out_format(out, form, comma, streamed_image(i), streamed_category(0),
                   1500.0, 0.0, 30.0, 30.0, 0.25);
        out_format(out, form, ",", streamed_image(i), 8, 0.0, 0.0, 9.0, 9.0,
                   0.9);
        comma = ",";
    }
    return comma;
}

/* The whole as one request of section 5, with these outputs. */
static inline struct answer streamed_evaluate(struct kept *kept, double off,
                                              const char *parameters,
                                              const char *output)
{
    struct arena mem;
    struct json_out out;
    const char *comma = "";
    arena_init(&mem, 1 << 24);
    json_out_init(&out, &mem, false);
    out_format(&out, "{\"ground_truth\":");
    streamed_ground_truth(&out);
    out_format(&out, ",\"detections\":[");
    for (size_t i = 0; i < STREAMED_IMAGES; i++)
        comma = streamed_detections(&out, i, off, comma);
    out_format(&out, "],\"parameters\":{%s},\"outputs\":[\"%s\"]}", parameters,
               output);
    struct answer a = must(kept, 200,
                           &(struct question){
                               .method = "POST",
                               .path = "/v1/detection/evaluate",
                               .body = streamed_end(&out),
                           });
    arena_free(&mem);
    return a;
}

static inline void streamed_dataset(struct kept *kept, const char *name)
{
    struct arena mem;
    struct json_out out;
    char path[100];
    arena_init(&mem, 1 << 24);
    json_out_init(&out, &mem, false);
    streamed_ground_truth(&out);
    snprintf(path, sizeof(path), "/v1/datasets/%s", name);
    struct answer a = ask(kept, &(struct question){.method = "PUT",
                                                   .path = path,
                                                   .body = streamed_end(&out)});
    assert_true(a.status == 201 || a.status == 200);
    done(&a);
    arena_free(&mem);
}

/* Opens a run; its id is put into id. */
static inline void streamed_open(struct kept *kept, const char *dataset,
                                 const char *parameters, char id[RUN_ID_BYTES])
{
    char body[2000];
    json_error_t error;
    snprintf(body, sizeof(body),
             "{\"dataset\":\"%s\",\"name\":\"a <run>\",\"parameters\":{%s}}",
             dataset, parameters);
    struct answer a = must(
        kept, 201,
        &(struct question){.method = "POST", .path = "/v1/runs", .body = body});
    json_t *doc = json_loads(a.body, 0, &error);
    snprintf(id, RUN_ID_BYTES, "%s",
             json_string_value(json_object_get(doc, "id")));
    json_decref(doc);
    done(&a);
}

/* Sends images from first to end, less one, last first, a request each. */
static inline void streamed_send(struct kept *kept, const char *id,
                                 size_t first, size_t end, double off)
{
    for (size_t i = end; i-- > first;) {
        struct arena mem;
        struct json_out out;
        char path[100];
        arena_init(&mem, 1 << 24);
        json_out_init(&out, &mem, false);
        out_format(&out, "{\"image_ids\":[%d],\"detections\":[",
                   streamed_image(i));
        streamed_detections(&out, i, off, "");
        out_format(&out, "]}");
        snprintf(path, sizeof(path), "/v1/runs/%s/images", id);
        expect(kept, 200,
               &(struct question){
                   .method = "POST", .path = path, .body = streamed_end(&out)});
        arena_free(&mem);
    }
}

/* GET of a path below the run. */
static inline struct answer streamed_get(struct kept *kept, int status,
                                         const char *id, const char *what,
                                         const char *query)
{
    char path[200];
    snprintf(path, sizeof(path), "/v1/runs/%s/%s", id, what);
    return must(
        kept, status,
        &(struct question){.method = "GET", .path = path, .query = query});
}

static inline json_t *streamed_json(struct answer *a)
{
    json_error_t error;
    json_t *doc = json_loads(a->body, JSON_REJECT_DUPLICATES, &error);
    if (!doc)
        fail_msg("%s at %d: %.300s", error.text, error.position, a->body);
    done(a);
    return doc;
}

#endif
