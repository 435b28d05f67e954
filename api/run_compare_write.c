/* A comparison as JSON. */
#include "api/detection_write.h"
#include "api/run_compare.h"

#include <math.h>

static void write_compared(struct json_out *out, const struct comparison *c,
                           const char *key, struct compared x, bool interval)
{
    out_key(out, key);
    out_open(out, '{');
    out_member_number(out, "a", x.a);
    out_member_number(out, "b", x.b);
    out_member_number(out, "delta", compared_delta(&x));
    if (interval && c->resampled) {
        out_member_number(out, "low", x.interval ? x.interval->low : NAN);
        out_member_number(out, "high", x.interval ? x.interval->high : NAN);
    }
    out_close(out, '}');
}

static void write_flag(struct json_out *out, const char *key, bool flag)
{
    out_key(out, key);
    out_boolean(out, flag);
}

/* How the intervals came about; null where there are none. */
static void write_how(struct json_out *out, const struct comparison *c)
{
    out_key(out, "intervals");
    if (!c->interval) {
        out_null(out);
        return;
    }
    out_open(out, '{');
    out_member_integer(out, "resamples", c->how.resamples);
    out_member_number(out, "level", c->how.level);
    out_member_integer(out, "seed", (int64_t)c->how.seed);
    out_member_string(out, "method", "percentile");
    out_member_string(out, "unit", "image");
    out_close(out, '}');
}

static void write_classes(struct json_out *out, const struct comparison *c)
{
    out_key(out, "per_class");
    out_open(out, '[');
    for (size_t i = 0; i < c->n_classes && !out->failed; i++) {
        size_t owner = compared_owner(&c->class[i]);
        out_open(out, '{');
        write_category(out, c->rep[owner], c->class[i].row[owner]);
        write_compared(out, c, "AP", compared_class(c, i), true);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static int64_t image_id(const struct comparison *c, size_t i)
{
    return c->rep[0]->result.index.image[c->image[i].row[0]];
}

static void write_images_of(struct json_out *out, const struct comparison *c,
                            size_t most)
{
    out_key(out, "per_image");
    out_open(out, '[');
    for (size_t i = 0; i < c->n_images && i < most && !out->failed; i++) {
        out_open(out, '{');
        out_member_integer(out, "image_id", image_id(c, i));
        write_compared(out, c, "f1", compared_f1(c, i), false);
        write_compared(out, c, "AP", compared_ap(c, i), false);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void run_compare_write(struct json_out *out, const struct comparison *c,
                       size_t images_max)
{
    static const char *const keys[] = {"a", "b"};
    const struct coco_protocol *p = &c->run[0].req.protocol;
    out_open(out, '{');
    for (size_t i = 0; i < 2; i++) {
        out_key(out, keys[i]);
        out_open(out, '{');
        run_write(out, &c->run[i].row, NULL);
        out_close(out, '}');
    }
    write_flag(out, "same_protocol", c->same_protocol);
    write_flag(out, "same_dataset", c->same_dataset);
    write_flag(out, "same_images", c->same_images);
    write_how(out, c);
    out_key(out, "summary");
    out_open(out, '{');
    for (size_t i = 0; i < coco_number_count(p); i++)
        write_compared(out, c, coco_number(p, i).name, compared_number(c, i),
                       true);
    out_close(out, '}');
    write_classes(out, c);
    write_images_of(out, c, images_max);
    out_close(out, '}');
}
