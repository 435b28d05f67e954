#include "api/sample.h"

#include "core/random.h"

#include <math.h>
#include <stdio.h>

enum { IMAGE_ID_STEP = 37, WIDTH = 640, HEIGHT = 480, NAMES = 12 };

static const char *const names[NAMES] = {
    "person", "car",   "chair", "bottle",        "cup",   "dog",
    "bus",    "truck", "cat",   "traffic light", "horse", "kite",
};

struct sampler {
    const struct sample_options *options;
    struct json_out *gt, *dt;
    uint64_t state;
    int64_t annotation; /* the id last given */
};

struct object {
    double x, y, w, h;
    size_t class;
    bool crowd;
};

/* From 0 up to, but not, 1. */
static double uniform(struct sampler *s)
{
    return (double)(random_next(&s->state) >> 11) * 0x1p-53;
}

/* Normal enough: mean 0, deviation 1. */
static double normal(struct sampler *s)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(s);
    return sum;
}

/* About e^x; of products only, so that it is the same with every libm. */
static double power_of_e(double x)
{
    double y = 1 + x / 1024;
    for (int i = 0; i < 10; i++)
        y *= y;
    return y;
}

/* Low numbers are frequent, the first most of all. */
static size_t pick_class(struct sampler *s)
{
    double u = uniform(s);
    return (size_t)((double)s->options->classes * u * u * u);
}

static double within(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* To 1 / per; what a file would hold. */
static double rounded(double x, double per)
{
    return rint(x * per) / per;
}

/* A ground truth or a false alarm; some are crowds, if wanted this is. */
static struct object new_object(struct sampler *s, bool crowd)
{
    double size = power_of_e(3.9 + 1.15 * normal(s)),
           shape = power_of_e(0.25 * normal(s));
    struct object o = {
        .w = rounded(within(size * shape, 2, WIDTH - 1), 100),
        .h = rounded(within(size / shape, 2, HEIGHT - 1), 100),
        .class = pick_class(s),
        .crowd = (uniform(s) < 0.02) | crowd,
    };
    if (o.crowd) {
        o.w = rounded(within(3 * o.w, 2, WIDTH - 1), 100);
        o.h = rounded(within(2 * o.h, 2, HEIGHT - 1), 100);
    }
    o.x = rounded(uniform(s) * (WIDTH - o.w), 100);
    o.y = rounded(uniform(s) * (HEIGHT - o.h), 100);
    return o;
}

static void write_box(struct json_out *out, const struct object *o)
{
    out_key(out, "bbox");
    out_open(out, '[');
    out_number(out, o->x);
    out_number(out, o->y);
    out_number(out, o->w);
    out_number(out, o->h);
    out_close(out, ']');
}

static void write_annotation(struct sampler *s, int64_t image,
                             const struct object *o)
{
    out_open(s->gt, '{');
    out_member_integer(s->gt, "id", ++s->annotation);
    out_member_integer(s->gt, "image_id", image);
    out_member_integer(s->gt, "category_id", (int64_t)o->class + 1);
    write_box(s->gt, o);
    double fill = 0.5 + 0.45 * uniform(s); /* a mask is less than its box */
    out_member_number(s->gt, "area", rounded(o->w * o->h * fill, 10000));
    out_member_integer(s->gt, "iscrowd", o->crowd);
    out_close(s->gt, '}');
}

/* Scores are written as float32 detectors give them: 0.236 has 17 digits. */
static void write_detection(struct sampler *s, int64_t image,
                            const struct object *o, double score)
{
    struct object kept = {
        .w = rounded(within(o->w, 0.5, WIDTH), 1000),
        .h = rounded(within(o->h, 0.5, HEIGHT), 1000),
        .x = rounded(within(o->x, 0, WIDTH - 1), 1000),
        .y = rounded(within(o->y, 0, HEIGHT - 1), 1000),
    };
    out_open(s->dt, '{');
    out_member_integer(s->dt, "image_id", image);
    out_member_integer(s->dt, "category_id", (int64_t)o->class + 1);
    write_box(s->dt, &kept);
    out_member_number(s->dt, "score", (float)within(score, 0.001, 0.999));
    out_close(s->dt, '}');
}

/* o, moved and stretched by about this share of its size. */
static struct object jittered(struct sampler *s, const struct object *o,
                              double share)
{
    struct object j = *o;
    j.x += share * normal(s) * o->w;
    j.y += share * normal(s) * o->h;
    j.w *= power_of_e(share * normal(s));
    j.h *= power_of_e(share * normal(s));
    return j;
}

/* What a detector makes of one object: a hit, and what comes with it. */
static size_t detect(struct sampler *s, int64_t image, const struct object *o)
{
    bool small = o->w * o->h < 1024;
    double share = small ? 0.12 : 0.06;
    double score = within(0.75 - share + 0.2 * normal(s), 0.05, 0.999);
    size_t n = 1;
    if (uniform(s) > (small ? 0.62 : 0.9))
        return 0;
    struct object hit = jittered(s, o, share * (0.3 + uniform(s)));
    write_detection(s, image, &hit, score);
    double u = uniform(s);
    for (int more = u < 0.1 ? 2 : u<0.35; more> 0; more--) {
        n++;
        struct object again = jittered(s, &hit, 0.12);
        write_detection(s, image, &again, score * (0.1 + 0.5 * uniform(s)));
    }
    if (uniform(s) < 0.3) {
        hit.class = pick_class(s);
        write_detection(s, image, &hit, score * (0.1 + 0.6 * uniform(s)));
        n++;
    }
    return n;
}

static void false_alarm(struct sampler *s, int64_t image)
{
    struct object o = new_object(s, false);
    double u = uniform(s);
    write_detection(s, image, &o, 0.6 * u * u * u);
}

/*
 * Of 16 images one has neither objects nor detections, one false alarms only,
 * and two objects that are all missed.
 */
static void write_image(struct sampler *s, size_t i)
{
    const struct sample_options *opt = s->options;
    int64_t image = 139 + (int64_t)i * IMAGE_ID_STEP;
    bool bare = i % 8 == 5, blind = i % 8 == 6 || i % 16 == 13;
    double many = 2.0 * (double)opt->objects * uniform(s);
    size_t objects = bare ? 0 : (size_t)(many + 0.5), found = 0;
    objects += i == 2;
    for (size_t k = 0; k < objects; k++) {
        struct object o = new_object(s, i == 2 && k == 0);
        write_annotation(s, image, &o);
        if (!blind && found + 4 <= opt->detections)
            found += detect(s, image, &o);
    }
    /* a detector that keeps everything fills up; a few alarms otherwise */
    size_t alarms = opt->detections - found;
    if (opt->detections < 50)
        alarms = (size_t)((double)alarms * 0.4 * uniform(s));
    while (!blind && alarms-- > 0)
        false_alarm(s, image);
}

static void write_images(struct json_out *out, const struct sample_options *opt)
{
    out_key(out, "images");
    out_open(out, '[');
    for (size_t i = 0; i < opt->images; i++) {
        char file[32];
        int64_t id = 139 + (int64_t)i * IMAGE_ID_STEP;
        snprintf(file, sizeof(file), "%012lld.jpg", (long long)id);
        out_open(out, '{');
        out_member_integer(out, "id", id);
        out_member_integer(out, "width", WIDTH);
        out_member_integer(out, "height", HEIGHT);
        out_member_string(out, "file_name", file);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void write_categories(struct json_out *out,
                             const struct sample_options *opt)
{
    out_key(out, "categories");
    out_open(out, '[');
    for (size_t k = 0; k < opt->classes; k++) {
        char name[32];
        snprintf(name, sizeof(name), "class %zu", k + 1);
        out_open(out, '{');
        out_member_integer(out, "id", (int64_t)k + 1);
        out_member_string(out, "name", k < NAMES ? names[k] : name);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void sample_write(const struct sample_options *options,
                  struct json_out *ground_truth, struct json_out *detections)
{
    struct sampler s = {options, ground_truth, detections, options->seed, 0};
    out_open(s.gt, '{');
    write_images(s.gt, options);
    write_categories(s.gt, options);
    out_key(s.gt, "annotations");
    out_open(s.gt, '[');
    out_open(s.dt, '[');
    for (size_t i = 0; i < options->images; i++)
        write_image(&s, i);
    out_close(s.dt, ']');
    out_close(s.gt, ']');
    out_close(s.gt, '}');
}
