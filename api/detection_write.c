/* A report as JSON. */
#include "api/detection_write.h"
#include "api/json_parallel.h"
#include "api/number.h"

#include <string.h>

void write_numbers(struct json_out *out, const char *key, const double *x,
                   size_t n)
{
    out_key(out, key);
    out_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        i += out_numbers(out, x + i, n - i);
        if (i < n)
            out_number(out, x[i]);
    }
    out_close(out, ']');
}

void write_parameters(struct json_out *out, const struct coco_protocol *p)
{
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
    out_member_number(out, "background_iou", p->background_iou);
    out_member_integer(out, "calibration_bins", (int64_t)p->n_bins);
    out_key(out, "count_ranges");
    out_open(out, '{');
    for (size_t c = 0; c < p->n_counts; c++)
        write_count_range(out, p->count[c].name, &p->count[c]);
    out_close(out, '}');
}

/* The members that say what was measured; their text is what is hashed. */
static void write_protocol_members(struct json_out *out,
                                   const struct coco_protocol *p)
{
    out_member_string(out, "evaluator", "pycocotools 2.0.11");
    write_parameters(out, p);
}

int detection_protocol_hash(const struct coco_protocol *p, struct arena *mem,
                            char hash[PROTOCOL_HASH_BYTES])
{
    struct json_out text;
    json_out_init(&text, mem, false);
    out_open(&text, '{');
    write_protocol_members(&text, p);
    out_close(&text, '}');
    protocol_hash(text.text, text.failed ? 0 : text.len, hash);
    return text.failed ? -1 : 0;
}

void write_protocol(struct json_out *out, const struct coco_protocol *p)
{
    char hash[PROTOCOL_HASH_BYTES];
    if (detection_protocol_hash(p, out->mem, hash))
        out->failed = true;
    out_key(out, "protocol");
    out_open(out, '{');
    write_protocol_members(out, p);
    out_member_string(out, "hash", hash);
    out_close(out, '}');
}

void write_value(struct json_out *out, const char *key, double x)
{
    out_key(out, key);
    if (x > -1)
        out_number(out, x);
    else
        out_null(out);
}

void write_summary(struct json_out *out, const struct detection_report *rep)
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
    const struct detection_counts *n = &rep->counts;
    out_key(out, "counts");
    out_open(out, '{');
    out_member_integer(out, "images", (int64_t)ix->n_images);
    out_member_integer(out, "annotations", (int64_t)n->annotations);
    out_member_integer(out, "crowd", (int64_t)n->crowd);
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

void write_category(struct json_out *out, const struct detection_report *rep,
                    size_t k)
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

enum { CLASS_ID, CLASS_TRUTHS, CLASS_DETECTIONS, CLASS_SCORES };

static const char *class_number_name(const struct coco_protocol *p, size_t i,
                                     char buf[ROW_NUMBER_BYTES])
{
    static const char *const names[CLASS_SCORES] = {
        [CLASS_ID] = "category_id",
        [CLASS_TRUTHS] = "ground_truths",
        [CLASS_DETECTIONS] = "detections"};
    if (i < CLASS_SCORES)
        return names[i];
    if (i - CLASS_SCORES >= coco_number_count(p))
        return NULL;
    struct coco_number number = coco_number(p, i - CLASS_SCORES);
    _Static_assert(sizeof(number.name) == ROW_NUMBER_BYTES, "room for it");
    return memcpy(buf, number.name, sizeof(number.name));
}

static double class_number(const struct detection_report *rep, size_t i,
                           size_t k)
{
    const struct coco_result *r = &rep->result;
    if (i == CLASS_ID)
        return (double)k;
    if (i == CLASS_TRUTHS)
        return r->class[k].positives[r->protocol->area_all];
    if (i == CLASS_DETECTIONS)
        return r->class[k].n_dt;
    struct coco_number number = coco_number(r->protocol, i - CLASS_SCORES);
    double x = coco_value(r, &number, k);
    return x > -1 ? x : (double)NAN;
}

const struct row_numbers class_numbers = {class_number_name, class_number};

static void write_class(struct json_out *out,
                        const struct detection_report *rep, size_t k)
{
    const struct coco_protocol *p = rep->result.protocol;
    const char *name;
    char buf[ROW_NUMBER_BYTES];
    for (size_t i = CLASS_TRUTHS; (name = class_number_name(p, i, buf)); i++)
        if (i < CLASS_SCORES)
            out_member_integer(out, name, (int64_t)class_number(rep, i, k));
        else
            out_member_number(out, name, class_number(rep, i, k));
}

void open_at_iou(struct json_out *out, const struct detection_report *rep,
                 const char *key)
{
    out_key(out, key);
    out_open(out, '{');
    out_member_number(out, "iou", rep->req->protocol.per_image_iou);
}

void write_each_class(struct json_out *out, const struct detection_report *rep,
                      void (*members)(struct json_out *out,
                                      const struct detection_report *rep,
                                      size_t k))
{
    const struct detection_rows *rows = &rep->shown.classes;
    size_t n = rows_shown(rows, rep->result.index.n_classes);
    out_key(out, "per_class");
    out_open(out, '[');
    for (size_t i = 0; i < n && !out->failed; i++) {
        size_t k = row_shown(rows, i);
        out_open(out, '{');
        write_category(out, rep, k);
        members(out, rep, k);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void write_classes(struct json_out *out,
                          const struct detection_report *rep)
{
    write_each_class(out, rep, write_class);
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
    if (tensor == RECALL)
        return class->recall[coco_recall_row(r, at[3], at[4], at[0])];
    size_t row = coco_precision_row(r, at[3], at[4], at[0]);
    return (tensor == PRECISION ? class->precision
                                : class->scores)[row * p->n_recall + at[1]];
}

/*
 * Nested arrays over those of the axes T, R, K, A, M from axis on.
 */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void write_axes(struct json_out *out, const struct coco_result *r,
                       enum tensor tensor, size_t axis, size_t at[5])
{
    const struct coco_protocol *p = r->protocol;
    const size_t size[5] = {p->n_iou, p->n_recall, r->index.n_classes,
                            p->n_areas, COCO_LIMITS};
    out_open(out, '[');
    for (at[axis] = 0; at[axis] < size[axis] && !out->failed; at[axis]++) {
        if (axis < 4)
            write_axes(out, r, tensor, axis + 1, at);
        else
            out_number(out, tensor_value(r, tensor, at));
    }
    out_close(out, ']');
}

/* A tensor being written. */
struct tensor_job {
    const struct coco_result *r;
    enum tensor tensor;
};

/* What it has at threshold t; recall has no axis R. */
static void write_threshold(struct json_out *part, void *context, size_t t,
                            size_t worker)
{
    const struct tensor_job *job = context;
    size_t at[5] = {t};
    (void)worker;
    write_axes(part, job->r, job->tensor, job->tensor == RECALL ? 2 : 1, at);
}

/* How long the values of one threshold and recall may become. */
static size_t tensor_bytes(const struct json_out *out,
                           const struct coco_result *r)
{
    enum { UNDEFINED = sizeof("-1.0"), LISTS = 2 };
    size_t bytes = out_values_max(out, LISTS, NUMBER_BYTES);
    for (size_t k = 0; k < r->index.n_classes; k++) {
        bytes += out_values_max(out, LISTS, 0);
        for (size_t a = 0; a < r->protocol->n_areas; a++)
            bytes += out_values_max(out, LISTS, 0) +
                     out_values_max(out, COCO_LIMITS,
                                    r->class[k].positives[a] ? NUMBER_BYTES
                                                             : UNDEFINED);
    }
    return bytes;
}

static void write_tensor(struct json_out *out,
                         const struct detection_report *rep, enum tensor tensor)
{
    const struct coco_result *r = &rep->result;
    const struct coco_protocol *p = r->protocol;
    size_t bytes = tensor_bytes(out, r), bytes_max[COCO_IOU_MAX];
    for (size_t t = 0; t < p->n_iou; t++)
        bytes_max[t] = tensor == RECALL ? bytes : bytes * p->n_recall;
    out_open(out, '[');
    out_parallel(out, p->n_iou, bytes_max, write_threshold,
                 &(struct tensor_job){r, tensor}, rep->par);
    out_close(out, ']');
}

static void write_arrays(struct json_out *out,
                         const struct detection_report *rep)
{
    static const char *const names[] = {"precision", "recall", "scores"};
    out_key(out, "arrays");
    out_open(out, '{');
    for (enum tensor tensor = PRECISION; tensor <= SCORES; tensor++) {
        out_key(out, names[tensor]);
        write_tensor(out, rep, tensor);
    }
    out_close(out, '}');
}

/* The outputs in the order of the answer, behind counts and warnings. */
static const struct {
    enum detection_output output;
    void (*write)(struct json_out *out, const struct detection_report *rep);
} members[] = {
    {OUTPUT_PER_CLASS, write_classes},
    {OUTPUT_PER_IMAGE, write_images},
    {OUTPUT_CURVES, write_curves},
    {OUTPUT_OPERATING_POINTS, write_operating_points},
    {OUTPUT_CONFUSION, write_confusion},
    {OUTPUT_ERRORS, write_errors},
    {OUTPUT_CALIBRATION, write_calibration},
    {OUTPUT_LRP, write_lrp},
    {OUTPUT_SLICES, write_slices},
    {OUTPUT_INTERVALS, write_intervals},
    {OUTPUT_ARRAYS, write_arrays},
};

void detection_write_members(struct json_out *out,
                             const struct detection_report *rep)
{
    write_protocol(out, &rep->req->protocol);
    if (rep->req->outputs & OUTPUT_SUMMARY)
        write_summary(out, rep);
    write_counts(out, rep);
    write_warnings(out, rep);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (rep->req->outputs & members[i].output)
            members[i].write(out, rep);
}

void detection_write(struct json_out *out, const struct detection_report *rep)
{
    out_open(out, '{');
    detection_write_members(out, rep);
    out_close(out, '}');
}
