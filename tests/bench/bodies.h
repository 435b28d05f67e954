/* Large bodies of every kind, for benches. */
#ifndef EVALD_TESTS_BENCH_BODIES_H
#define EVALD_TESTS_BENCH_BODIES_H

#include "api/content.h"
#include "api/json_out.h"
#include "api/npy.h"
#include "core/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    const char *name, *path, *query, *type, *accept, *coding;
    char *body; /* in its own memory */
    size_t len;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static struct arena text_memory;
static uint64_t state = 1;

static inline double draw(double lo, double hi)
{
    return lo + (hi - lo) * (double)(random_next(&state) >> 11) * 0x1p-53;
}

static inline struct json_out begin(void)
{
    struct json_out out;
    arena_init(&text_memory, (size_t)4 << 30);
    json_out_init(&out, &text_memory, false);
    return out;
}

static inline void end(struct json_out *out, struct job *job)
{
    must(!out->failed, "writing a body");
    job->len = out->len;
    job->body = malloc(out->len);
    must(job->body, "malloc");
    memcpy(job->body, out->text, out->len);
    arena_free(&text_memory);
}

static inline void put_boxes(struct json_out *out, size_t n, double place,
                             double size)
{
    out_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        double x = draw(0, place), y = draw(0, place);
        double box[] = {x, y, x + draw(size / 2, size),
                        y + draw(size / 2, size)};
        out_open(out, '[');
        out_numbers(out, box, 4);
        out_close(out, ']');
    }
    out_close(out, ']');
}

static inline void put_numbers(struct json_out *out, size_t n, double lo,
                               double hi)
{
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_number(out, (float)draw(lo, hi));
    out_close(out, ']');
}

static inline void nms(struct job *job, size_t n, double place,
                       const char *method)
{
    struct json_out out = begin();
    out_format(&out, "{\"inputs\":{\"boxes\":");
    put_boxes(&out, n, place, 50);
    out.comma = false;
    out_format(&out, ",\"scores\":");
    put_numbers(&out, n, 0.01, 1);
    out_format(&out, "},\"parameters\":{\"method\":\"%s\"}}", method);
    end(&out, job);
}

static inline void matrix(struct job *job, size_t n, size_t m,
                          const char *params)
{
    struct json_out out = begin();
    out_format(&out, "{\"inputs\":{\"boxes_a\":");
    put_boxes(&out, n, 1000, 50);
    out.comma = false;
    out_format(&out, ",\"boxes_b\":");
    put_boxes(&out, m, 1000, 50);
    out_format(&out, "},\"parameters\":{%s}}", params);
    end(&out, job);
}

static inline void assign(struct job *job, size_t n, size_t m)
{
    struct json_out out = begin();
    out_format(&out, "{\"inputs\":{\"anchors\":");
    put_boxes(&out, n, 1000, 50);
    out.comma = false;
    out_format(&out, ",\"boxes\":");
    put_boxes(&out, m, 1000, 50);
    out_format(&out, "}}");
    end(&out, job);
}

static inline void vector(struct job *job, size_t n, const char *more)
{
    struct json_out out = begin();
    out_format(&out, "{\"inputs\":{\"x\":");
    put_numbers(&out, n, -3, 3);
    out_format(&out, "}%s}", more);
    end(&out, job);
}

static inline void loss(struct job *job, const char *a, size_t n, const char *b,
                        double lo, double hi, const char *more)
{
    struct json_out out = begin();
    out_format(&out, "{\"inputs\":{\"%s\":", a);
    put_numbers(&out, n, -3, 3);
    out.comma = false;
    out_format(&out, ",\"%s\":", b);
    put_numbers(&out, n, lo, hi);
    out_format(&out, "}%s}", more);
    end(&out, job);
}

static inline void npy(struct job *job, size_t rows, size_t n, const char *type)
{
    char head[NPY_HEAD_BYTES];
    size_t dim[] = {rows, n}, bytes = type[1] == '4' ? 4 : 8;
    size_t len = npy_head(head, type, 2, dim);
    job->len = len + rows * n * bytes;
    job->body = malloc(job->len);
    must(job->body, "malloc");
    memcpy(job->body, head, len);
    for (size_t i = 0; i < rows * n; i++) {
        double x = draw(-3, 3);
        float f = (float)x;
        if (bytes == 4)
            memcpy(job->body + len + 4 * i, &f, 4);
        else
            memcpy(job->body + len + 8 * i, &x, 8);
    }
}

/* Text between a head and a tail, n times. */
static inline void repeat(struct job *job, const char *head, const char *what,
                          size_t n, const char *tail)
{
    size_t w = strlen(what), h = strlen(head);
    job->len = h + n * w + strlen(tail);
    job->body = malloc(job->len + 1);
    must(job->body, "malloc");
    memcpy(job->body, head, h);
    for (size_t i = 0; i < n; i++)
        memcpy(job->body + h + i * w, what, w);
    memcpy(job->body + h + n * w, tail, strlen(tail));
}

static inline void put_ground_truth(struct json_out *out, size_t images,
                                    size_t classes, size_t truths)
{
    out_format(out, "{\"images\":[");
    for (size_t i = 0; i < images; i++)
        out_format(out, "%s{\"id\":%zu}", i ? "," : "", i + 1);
    out_format(out, "],\"categories\":[");
    for (size_t i = 0; i < classes; i++)
        out_format(out, "%s{\"id\":%zu}", i ? "," : "", i + 1);
    out_format(out, "],\"annotations\":[");
    for (size_t i = 0; i < truths; i++)
        out_format(out,
                   "%s{\"id\":%zu,\"image_id\":%zu,\"category_id\":%zu,"
                   "\"bbox\":[%.2f,%.2f,%.2f,%.2f],\"area\":900,\"iscrowd\":0}",
                   i ? "," : "", i + 1, 1 + i % images,
                   1 + i / images % classes, draw(0, 600), draw(0, 400),
                   draw(10, 60), draw(10, 60));
    out_format(out, "]}");
}

static inline void put_detections(struct json_out *out, size_t images,
                                  size_t classes, size_t n)
{
    out_format(out, "[");
    for (size_t i = 0; i < n; i++)
        out_format(
            out,
            "%s{\"image_id\":%zu,\"category_id\":%zu,\"bbox\":[%.9g,%.9g,"
            "%.9g,%.9g],\"score\":%.9g}",
            i ? "," : "", 1 + i * images / n, 1 + i % classes, draw(0, 600),
            draw(0, 400), draw(10, 60), draw(10, 60), draw(0, 1));
    out_format(out, "]");
}

static inline void detection(struct job *job, size_t images, size_t classes,
                             size_t truths, size_t n, const char *more)
{
    struct json_out out = begin();
    out_format(&out, "{\"ground_truth\":");
    put_ground_truth(&out, images, classes, truths);
    out_format(&out, ",\"detections\":");
    put_detections(&out, images, classes, n);
    out_format(&out, "%s}", more);
    end(&out, job);
}

static inline void form(struct job *job, size_t images, size_t classes,
                        size_t truths, size_t n)
{
    struct json_out out = begin();
    out_format(&out, "--b\r\nContent-Disposition: form-data; "
                     "name=\"ground_truth\"\r\n\r\n");
    put_ground_truth(&out, images, classes, truths);
    out_format(&out, "\r\n--b\r\nContent-Disposition: form-data; "
                     "name=\"detections\"\r\n\r\n");
    put_detections(&out, images, classes, n);
    out_format(&out, "\r\n--b--\r\n");
    end(&out, job);
}

static inline void compress(struct job *job, enum coding coding)
{
    struct arena mem;
    char *body = job->body;
    arena_init(&mem, (size_t)1 << 30);
    must(content_encode(coding, &body, &job->len, &mem), "compressing");
    free(job->body);
    job->body = malloc(job->len);
    must(job->body, "malloc");
    memcpy(job->body, body, job->len);
    job->coding = coding_name(coding);
    arena_free(&mem);
}

#endif
