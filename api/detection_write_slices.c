/* Scores of parts of the images, and of resamples, as JSON. */
#include "api/detection_write.h"

static void write_slice(struct json_out *out, const struct coco_slice *s)
{
    out_member_integer(out, "images", s->images);
    out_member_integer(out, "ground_truths", s->positives);
    write_value(out, "AP", s->ap);
    write_value(out, "AP50", s->ap50);
    write_value(out, "AP75", s->ap75);
    write_value(out, "AR", s->ar);
}

static void write_size_slices(struct json_out *out,
                              const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    out_key(out, "size");
    out_open(out, '[');
    for (size_t a = 0; a < p->n_areas; a++) {
        double ends[] = {p->area[a].lo, p->area[a].hi};
        out_open(out, '{');
        out_member_string(out, "name", p->area[a].name);
        write_numbers(out, "area", ends, 2);
        write_slice(out, &rep->size_slice[a]);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void write_count_range(struct json_out *out, const char *key,
                       const struct coco_count *count)
{
    out_key(out, key);
    out_open(out, '[');
    out_integer(out, count->lo);
    if (count->hi == UINT32_MAX)
        out_null(out);
    else
        out_integer(out, count->hi);
    out_close(out, ']');
}

static void write_count_slices(struct json_out *out,
                               const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    out_key(out, "count");
    out_open(out, '[');
    for (size_t c = 0; c < p->n_counts; c++) {
        out_open(out, '{');
        out_member_string(out, "name", p->count[c].name);
        write_count_range(out, "objects", &p->count[c]);
        write_slice(out, &rep->count_slice[c]);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void write_slices(struct json_out *out, const struct detection_report *rep)
{
    out_key(out, "slices");
    out_open(out, '{');
    write_size_slices(out, rep);
    write_count_slices(out, rep);
    out_close(out, '}');
}

static void write_interval(struct json_out *out, const char *key,
                           const struct coco_interval *i)
{
    out_key(out, key);
    out_open(out, '{');
    out_member_number(out, "low", i->low);
    out_member_number(out, "high", i->high);
    out_member_number(out, "std", i->std);
    out_member_integer(out, "resamples", i->defined);
    out_close(out, '}');
}

static void class_interval(struct json_out *out,
                           const struct detection_report *rep, size_t k)
{
    size_t numbers = coco_number_count(&rep->req->protocol);
    write_interval(out, "AP", &rep->interval[numbers + k]);
}

void write_intervals(struct json_out *out, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    const struct coco_bootstrap *how = &rep->req->options.bootstrap;
    out_key(out, "intervals");
    out_open(out, '{');
    out_member_integer(out, "resamples", how->resamples);
    out_member_number(out, "level", how->level);
    out_member_integer(out, "seed", (int64_t)how->seed);
    out_member_string(out, "method", "percentile");
    out_member_string(out, "unit", "image");
    out_key(out, "summary");
    out_open(out, '{');
    for (size_t i = 0; i < coco_number_count(p); i++)
        write_interval(out, coco_number(p, i).name, &rep->interval[i]);
    out_close(out, '}');
    write_each_class(out, rep, class_interval);
    out_close(out, '}');
}
