/* A report as text: what people read in a terminal. */
#include "api/detection.h"

#include <stdio.h>

enum { NAME_COLUMNS = 20 };

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

/* A number in a column of 9, or a dash. */
static void cell(struct json_out *out, bool defined, double x)
{
    if (defined)
        out_format(out, " %9.3f", x);
    else
        out_format(out, " %9s", "-");
}

/* A name in a column of NAME_COLUMNS characters, cut or filled up. */
static void name_cell(struct json_out *out, const char *name)
{
    size_t bytes = 0, columns = 0;
    for (; name[bytes]; bytes++) {
        bool starts = (name[bytes] & 0xc0) != 0x80; /* a character of UTF-8 */
        if (starts && columns == NAME_COLUMNS)
            break;
        columns += starts;
    }
    out_bytes(out, name, bytes);
    out_format(out, "%*s", (int)(NAME_COLUMNS - columns), "");
}

/* What to call class k; id is room for a number. */
static const char *class_name(const struct detection_report *rep, size_t k,
                              char *id, size_t size)
{
    if (!rep->req->protocol.use_categories)
        return "all";
    if (rep->name[k])
        return rep->name[k];
    snprintf(id, size, "%lld", (long long)rep->result.index.category[k]);
    return id;
}

static void class_table(struct json_out *out,
                        const struct detection_report *rep)
{
    const struct coco_result *r = &rep->result;
    size_t n = coco_number_count(r->protocol);
    out_format(out, "\n%-*s %7s %7s", NAME_COLUMNS, "category", "truths",
               "found");
    for (size_t i = 0; i < n; i++)
        out_format(out, " %9s", coco_number(r->protocol, i).name);
    out_format(out, "\n");
    for (size_t k = 0; k < r->index.n_classes && !out->failed; k++) {
        char id[32];
        name_cell(out, class_name(rep, k, id, sizeof(id)));
        out_format(out, " %7u %7u",
                   r->class[k].positives[r->protocol->area_all],
                   r->class[k].n_dt);
        for (size_t i = 0; i < n; i++) {
            struct coco_number number = coco_number(r->protocol, i);
            double x = coco_value(r, &number, k);
            cell(out, x > -1, x);
        }
        out_format(out, "\n");
    }
}

static void image_table(struct json_out *out,
                        const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    out_format(out,
               "\nper image at IoU %g, score >= %g\n"
               "%12s %7s %7s %5s %5s %5s %7s %9s %9s %9s %9s %9s\n",
               p->per_image_iou, p->score_threshold, "image", "truths", "found",
               "tp", "fp", "fn", "ignored", "precision", "recall", "f1",
               "mean IoU", "AP");
    for (size_t i = 0; i < rep->result.index.n_images && !out->failed; i++) {
        const struct coco_image *m = &rep->image[i];
        double found = (double)m->tp + m->fp;
        double f1_of = 2.0 * m->tp + m->fp + m->fn;
        out_format(out, "%12lld %7u %7u %5u %5u %5u %7u",
                   (long long)rep->result.index.image[i], m->positives,
                   m->detections, m->tp, m->fp, m->fn, m->ignored);
        cell(out, found > 0, m->tp / found);
        cell(out, m->positives > 0, (double)m->tp / m->positives);
        cell(out, f1_of > 0, 2.0 * m->tp / f1_of);
        cell(out, m->tp > 0, m->mean_iou);
        cell(out, m->ap > -1, m->ap);
        out_format(out, "\n");
    }
}

void detection_text(struct json_out *out, const struct detection_report *rep)
{
    unsigned outputs = rep->req->outputs;
    if (outputs & OUTPUT_SUMMARY)
        for (size_t i = 0; i < COCO_NUMBERS; i++)
            twelve_line(out, rep, i);
    if (outputs & OUTPUT_PER_CLASS)
        class_table(out, rep);
    if (outputs & OUTPUT_PER_IMAGE)
        image_table(out, rep);
}
