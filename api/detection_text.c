/* A report as text: what people read in a terminal.  Summary and averages. */
#include "api/detection_text.h"

#include <math.h>
#include <stdio.h>

/* pycocotools' line of one number, character for character. */
static void twelve_line(struct json_out *out,
                        const struct detection_report *rep, size_t i)
{
    const struct coco_protocol *p = &rep->req->protocol;
    struct coco_number n = coco_number(p, i);
    char iou[32];
    if (n.iou > 0)
        snprintf(iou, sizeof(iou), "%.2f", n.iou);
    else
        snprintf(iou, sizeof(iou), "%.2f:%.2f", p->iou[0],
                 p->iou[p->n_iou - 1]);
    out_format(out, " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3u ] = %.3f\n",
               n.recall ? "Average Recall" : "Average Precision",
               n.recall ? "(AR)" : "(AP)", iou, n.area, n.limit, rep->value[i]);
}

static void twelve_lines(const struct text_out *to,
                         const struct detection_report *rep)
{
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        twelve_line(to->out, rep, i);
}

const char *text_class(const struct detection_report *rep, size_t k,
                       char id[TEXT_ID_BYTES])
{
    if (!rep->req->protocol.use_categories || k == rep->result.index.n_classes)
        return "all";
    if (rep->name[k] && rep->name[k][0])
        return rep->name[k];
    snprintf(id, TEXT_ID_BYTES, "%lld",
             (long long)rep->result.index.category[k]);
    return id;
}

void text_class_cell(struct text_table *t, const struct detection_report *rep,
                     size_t k)
{
    char id[TEXT_ID_BYTES], name[TEXT_NAME_BYTES];
    text_name(name, text_class(rep, k, id), TEXT_NAME_MAX);
    text_cell(t, TEXT_PLAIN, "%s", name);
}

void text_ap_cell(struct text_table *t, double ap)
{
    text_number(t, text_grade(ap, 0.2, 0.5), ap, 3);
}

size_t text_overall_rows(const struct detection_report *rep)
{
    bool named = rep->req->protocol.use_categories;
    return 1 + (named ? rep->result.index.n_classes : 0);
}

size_t text_overall_class(const struct detection_report *rep, size_t row)
{
    return row ? row - 1 : rep->result.index.n_classes;
}

static void class_row(struct text_table *t, const void *context, size_t k)
{
    const struct detection_report *rep = context;
    const struct coco_result *r = &rep->result;
    const struct coco_class *class = &r->class[k];
    text_class_cell(t, rep, k);
    text_cell(t, TEXT_PLAIN, "%u", class->positives[r->protocol->area_all]);
    text_cell(t, TEXT_PLAIN, "%u", class->n_dt);
    for (size_t i = 0; i < coco_number_count(r->protocol); i++) {
        struct coco_number number = coco_number(r->protocol, i);
        double x = coco_value(r, &number, k);
        if (i == 0)
            text_ap_cell(t, x);
        else
            text_number(t, TEXT_PLAIN, x, 3);
    }
}

void text_classes(const struct text_out *to, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    struct text_table t;
    text_title(to, "per category");
    text_table_init(&t, to);
    text_left(&t, "category");
    text_right(&t, "truths");
    text_right(&t, "found");
    for (size_t i = 0; i < coco_number_count(p); i++)
        text_right(&t, coco_number(p, i).name);
    text_table_write(&t, rep->result.index.n_classes, class_row, rep);
}

static void slice_numbers(struct text_table *t, const struct coco_slice *s)
{
    text_cell(t, TEXT_PLAIN, "%u", s->images);
    text_cell(t, TEXT_PLAIN, "%u", s->positives);
    text_ap_cell(t, s->ap);
    text_number(t, TEXT_PLAIN, s->ap50, 3);
    text_number(t, TEXT_PLAIN, s->ap75, 3);
    text_number(t, TEXT_PLAIN, s->ar, 3);
}

static void size_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    const struct coco_area *area = &rep->req->protocol.area[i];
    text_cell(t, TEXT_PLAIN, "%s", area->name);
    text_cell(t, TEXT_PLAIN, "%g to %g", area->lo, area->hi);
    slice_numbers(t, &rep->size_slice[i]);
}

static void count_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    const struct coco_count *count = &rep->req->protocol.count[i];
    text_cell(t, TEXT_PLAIN, "%s", count->name);
    if (count->hi == UINT32_MAX)
        text_cell(t, TEXT_PLAIN, "%u or more", count->lo);
    else
        text_cell(t, TEXT_PLAIN, "%u to %u", count->lo, count->hi);
    slice_numbers(t, &rep->count_slice[i]);
}

static void slice_columns(struct text_table *t, const struct text_out *to,
                          const char *name, const char *range)
{
    static const char *const numbers[] = {"images", "truths", "AP",
                                          "AP50",   "AP75",   "AR"};
    text_table_init(t, to);
    text_left(t, name);
    text_left(t, range);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        text_right(t, numbers[i]);
}

void text_slices(const struct text_out *to, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    struct text_table t;
    text_title(to, "by size of the objects");
    slice_columns(&t, to, "size", "square pixels");
    text_table_write(&t, p->n_areas, size_row, rep);
    text_title(to, "by number of objects in the image");
    slice_columns(&t, to, "count", "objects");
    text_table_write(&t, p->n_counts, count_row, rep);
}

static void interval_cells(struct text_table *t, double x,
                           const struct coco_interval *interval)
{
    if (!(x > -1))
        text_cell(t, TEXT_PLAIN, "-");
    else if (isnan(interval->low))
        text_cell(t, TEXT_PLAIN, "%.3f [-, -]", x);
    else
        text_cell(t, TEXT_PLAIN, "%.3f [%.3f, %.3f]", x, interval->low,
                  interval->high);
    text_number(t, TEXT_PLAIN, interval->std, 4);
    text_cell(t, TEXT_PLAIN, "%u", interval->defined);
}

static void number_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    struct coco_number number = coco_number(&rep->req->protocol, i);
    text_cell(t, TEXT_PLAIN, "%s", number.name);
    interval_cells(t, rep->value[i], &rep->interval[i]);
}

static void class_interval_row(struct text_table *t, const void *context,
                               size_t k)
{
    const struct detection_report *rep = context;
    const struct coco_protocol *p = &rep->req->protocol;
    struct coco_number ap = coco_number(p, 0);
    text_class_cell(t, rep, k);
    interval_cells(t, coco_value(&rep->result, &ap, k),
                   &rep->interval[coco_number_count(p) + k]);
}

static void interval_columns(struct text_table *t, const struct text_out *to,
                             const char *name, const char *number)
{
    text_table_init(t, to);
    text_left(t, name);
    text_right(t, number);
    text_right(t, "std");
    text_right(t, "resamples");
}

void text_intervals(const struct text_out *to,
                    const struct detection_report *rep)
{
    const struct coco_bootstrap *b = &rep->req->options.bootstrap;
    const struct coco_index *ix = &rep->result.index;
    struct text_table t;
    text_title(to,
               "intervals of %g %% by %u resamples of the images, seed %llu",
               100 * b->level, b->resamples, (unsigned long long)b->seed);
    interval_columns(&t, to, "number", "value");
    text_table_write(&t, coco_number_count(&rep->req->protocol), number_row,
                     rep);
    if (!rep->req->protocol.use_categories)
        return;
    out_bytes(to->out, "\n", 1);
    interval_columns(&t, to, "category", "AP");
    text_table_write(&t, ix->n_classes, class_interval_row, rep);
}

void detection_text(struct json_out *out, const struct detection_report *rep,
                    bool colour)
{
    /* In the order of the API. */
    static const struct {
        unsigned output;
        text_section *write;
    } sections[] = {
        {OUTPUT_SUMMARY, twelve_lines},
        {OUTPUT_PER_CLASS, text_classes},
        {OUTPUT_PER_IMAGE, text_images},
        {OUTPUT_CURVES, text_curves},
        {OUTPUT_OPERATING_POINTS, text_operating_points},
        {OUTPUT_CONFUSION, text_confusion},
        {OUTPUT_ERRORS, text_errors},
        {OUTPUT_CALIBRATION, text_calibration},
        {OUTPUT_LRP, text_lrp},
        {OUTPUT_SLICES, text_slices},
        {OUTPUT_INTERVALS, text_intervals},
    };
    const struct text_out to = {out, colour};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        if (rep->req->outputs & sections[i].output)
            sections[i].write(&to, rep);
}
