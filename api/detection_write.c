/* A report as JSON. */
#include "api/detection.h"

#include "api/protocol_hash.h"

static void write_numbers(struct json_out *out, const char *key,
                          const double *x, size_t n)
{
    out_key(out, key);
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_number(out, x[i]);
    out_close(out, ']');
}

/* The members that say what was measured; their text is what is hashed. */
static void write_protocol_members(struct json_out *out,
                                   const struct coco_protocol *p)
{
    out_member_string(out, "evaluator", "pycocotools 2.0.11");
    out_member_string(out, "iou_type", "bbox");
    write_numbers(out, "iou_thresholds", p->iou, p->n_iou);
    write_numbers(out, "recall_thresholds", p->recall, p->n_recall);
    out_key(out, "max_detections");
    out_open(out, '[');
    for (size_t i = 0; i < COCO_LIMITS; i++)
        out_integer(out, p->max_detections[i]);
    out_close(out, ']');
    out_key(out, "area_ranges");
    out_open(out, '{');
    for (size_t a = 0; a < p->n_areas; a++) {
        double range[] = {p->area[a].lo, p->area[a].hi};
        write_numbers(out, p->area[a].name, range, 2);
    }
    out_close(out, '}');
    out_key(out, "use_categories");
    out_boolean(out, p->use_categories);
    out_member_string(out, "summation",
                      p->summation == COCO_NUMPY1 ? "numpy1" : "numpy2");
    out_member_number(out, "score_threshold", p->score_threshold);
    out_member_number(out, "per_image_iou", p->per_image_iou);
}

static void write_protocol(struct json_out *out, const struct coco_protocol *p)
{
    struct json_out text;
    char hash[PROTOCOL_HASH_BYTES];
    json_out_init(&text, out->mem, false);
    out_open(&text, '{');
    write_protocol_members(&text, p);
    out_close(&text, '}');
    out->failed |= text.failed;
    protocol_hash(text.text, text.failed ? 0 : text.len, hash);
    out_key(out, "protocol");
    out_open(out, '{');
    write_protocol_members(out, p);
    out_member_string(out, "hash", hash);
    out_close(out, '}');
}

/* A number of a summary, -1 as null. */
static void write_value(struct json_out *out, const char *name, double x)
{
    out_key(out, name);
    if (x > -1)
        out_number(out, x);
    else
        out_null(out);
}

static void write_summary(struct json_out *out,
                          const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    out_key(out, "summary");
    out_open(out, '{');
    for (size_t i = 0; i < coco_number_count(p); i++)
        write_value(out, coco_number(p, i).name, rep->value[i]);
    out_close(out, '}');
    write_numbers(out, "summary_array", rep->value, COCO_NUMBERS);
}

static void write_counts(struct json_out *out,
                         const struct detection_report *rep)
{
    const struct coco_index *ix = &rep->result.index;
    size_t crowd = 0;
    for (size_t i = 0; i < rep->req->gt.n; i++)
        crowd += rep->req->gt.crowd[i];
    out_key(out, "counts");
    out_open(out, '{');
    out_member_integer(out, "images", (int64_t)ix->n_images);
    out_member_integer(out, "annotations", (int64_t)rep->req->gt.n);
    out_member_integer(out, "crowd", (int64_t)crowd);
    out_member_integer(out, "detections", (int64_t)rep->req->dt.n);
    out_member_integer(out, "categories", (int64_t)ix->n_categories);
    out_close(out, '}');
}

static void write_warnings(struct json_out *out,
                           const struct detection_report *rep)
{
    struct detection_warning w[DETECTION_WARNINGS_MAX];
    size_t n = detection_warnings(rep, w);
    out_key(out, "warnings");
    out_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        out_open(out, '{');
        out_member_string(out, "code", w[i].code);
        out_member_integer(out, "count", (int64_t)w[i].count);
        out_member_string(out, "detail", w[i].detail);
        out_close(out, '}');
    }
    out_close(out, ']');
}

/* Which category a class is; without categories there is one, without id. */
static void write_category(struct json_out *out,
                           const struct detection_report *rep, size_t k)
{
    bool named = rep->req->protocol.use_categories;
    out_key(out, "category_id");
    if (named)
        out_integer(out, rep->result.index.category[k]);
    else
        out_null(out);
    out_key(out, "name");
    if (named && rep->name[k])
        out_string(out, rep->name[k]);
    else
        out_null(out);
}

static void write_classes(struct json_out *out,
                          const struct detection_report *rep)
{
    const struct coco_result *r = &rep->result;
    out_key(out, "per_class");
    out_open(out, '[');
    for (size_t k = 0; k < r->index.n_classes && !out->failed; k++) {
        const struct coco_class *class = &r->class[k];
        out_open(out, '{');
        write_category(out, rep, k);
        out_member_integer(out, "ground_truths",
                           class->positives[r->protocol->area_all]);
        out_member_integer(out, "detections", class->n_dt);
        for (size_t i = 0; i < coco_number_count(r->protocol); i++) {
            struct coco_number number = coco_number(r->protocol, i);
            write_value(out, number.name, coco_value(r, &number, k));
        }
        out_close(out, '}');
    }
    out_close(out, ']');
}

/* a / b, or null where that is not defined. */
static void write_ratio(struct json_out *out, const char *key, double a,
                        double b)
{
    out_key(out, key);
    if (b > 0)
        out_number(out, a / b);
    else
        out_null(out);
}

static void write_image(struct json_out *out, int64_t id,
                        const struct coco_image *image)
{
    out_open(out, '{');
    out_member_integer(out, "image_id", id);
    out_member_integer(out, "ground_truths", image->positives);
    out_member_integer(out, "detections", image->detections);
    out_member_integer(out, "tp", image->tp);
    out_member_integer(out, "fp", image->fp);
    out_member_integer(out, "fn", image->fn);
    out_member_integer(out, "ignored", image->ignored);
    write_ratio(out, "precision", image->tp, (double)image->tp + image->fp);
    write_ratio(out, "recall", image->tp, image->positives);
    write_ratio(out, "f1", 2.0 * image->tp,
                2.0 * image->tp + image->fp + image->fn);
    out_member_number(out, "mean_iou", image->mean_iou);
    write_value(out, "AP", image->ap);
    out_close(out, '}');
}

static void write_images(struct json_out *out,
                         const struct detection_report *rep)
{
    out_key(out, "per_image");
    out_open(out, '[');
    for (size_t i = 0; i < rep->result.index.n_images && !out->failed; i++)
        write_image(out, rep->result.index.image[i], &rep->image[i]);
    out_close(out, ']');
}

/* The three tensors of pycocotools: which, and where its values lie. */
enum tensor { PRECISION, RECALL, SCORES };

/* The value at (t, i, k, a, m); i = 0 of recall. */
static double tensor_value(const struct coco_result *r, enum tensor tensor,
                           const size_t at[5])
{
    const struct coco_protocol *p = r->protocol;
    const struct coco_class *class = &r->class[at[2]];
    if (class->positives[at[3]] == 0)
        return -1;
    size_t row = (at[3] * COCO_LIMITS + at[4]) * p->n_iou + at[0];
    if (tensor == RECALL)
        return class->recall[row];
    return (tensor == PRECISION ? class->precision
                                : class->scores)[row * p->n_recall + at[1]];
}

/*
 * Nested arrays over the axes T, R (not of recall), K, A, M: five deep.
 */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void write_axes(struct json_out *out, const struct coco_result *r,
                       enum tensor tensor, size_t axis, size_t at[5])
{
    const struct coco_protocol *p = r->protocol;
    const size_t size[5] = {p->n_iou, p->n_recall, r->index.n_classes,
                            p->n_areas, COCO_LIMITS};
    size_t next = axis == 0 && tensor == RECALL ? 2 : axis + 1;
    out_open(out, '[');
    for (at[axis] = 0; at[axis] < size[axis] && !out->failed; at[axis]++) {
        if (next < 5)
            write_axes(out, r, tensor, next, at);
        else
            out_number(out, tensor_value(r, tensor, at));
    }
    out_close(out, ']');
}

static void write_arrays(struct json_out *out, const struct coco_result *r)
{
    static const char *const names[] = {"precision", "recall", "scores"};
    out_key(out, "arrays");
    out_open(out, '{');
    for (enum tensor tensor = PRECISION; tensor <= SCORES; tensor++) {
        size_t at[5] = {0};
        out_key(out, names[tensor]);
        write_axes(out, r, tensor, 0, at);
    }
    out_close(out, '}');
}

void detection_write(struct json_out *out, const struct detection_report *rep)
{
    unsigned outputs = rep->req->outputs;
    out_open(out, '{');
    write_protocol(out, &rep->req->protocol);
    if (outputs & OUTPUT_SUMMARY)
        write_summary(out, rep);
    write_counts(out, rep);
    write_warnings(out, rep);
    if (outputs & OUTPUT_PER_CLASS)
        write_classes(out, rep);
    if (outputs & OUTPUT_PER_IMAGE)
        write_images(out, rep);
    if (outputs & OUTPUT_ARRAYS)
        write_arrays(out, &rep->result);
    out_close(out, '}');
}
