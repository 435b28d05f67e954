/* The categories as a table, lowest AP first. */
#include "api/detection_page.h"

static double value(const struct page *p, size_t i, size_t k)
{
    const struct coco_result *r = &p->rep->result;
    struct coco_number number = coco_number(r->protocol, i);
    return page_defined(coco_value(r, &number, k));
}

static void heads(const struct page *p)
{
    const char *head[12] = {"category", "ground truths", "detections", "AP",
                            "",         "AP50",          "AP75"};
    size_t n = 7;
    if (p->rep->interval)
        head[n++] = "AP interval";
    if (p->rep->points) {
        head[n++] = "best F1";
        head[n++] = "at score";
        head[n++] = "oLRP";
    }
    if (p->rep->errors)
        head[n++] = "<costs most";
    html_heads(p->out, head, n);
}

static void points(const struct page *p, size_t k)
{
    const struct coco_points *x = &p->rep->points[k];
    html_cell_number(p->out, coco_f1(&x->best_f1, x->positives));
    html_cell_number(p->out, x->best_f1.score);
    html_cell_number(p->out, coco_lrp(&x->best_lrp, x->positives,
                                      p->rep->req->protocol.per_image_iou)
                                 .lrp);
}

static void costs_most(const struct page *p, size_t k)
{
    double gain;
    html_raw(p->out, "<td class=\"words\">");
    html_text(p->out, page_largest_error(p, k, &gain));
    if (gain > 0)
        out_format(p->out, " <b>%.3f</b>", gain);
    html_raw(p->out, "</td>");
}

static void row(const struct page *p, size_t k)
{
    const struct coco_result *r = &p->rep->result;
    char id[PAGE_ID_BYTES];
    html_row(p->out, page_class(p, k, id));
    html_cell_count(p->out, r->class[k].positives[r->protocol->area_all]);
    html_cell_count(p->out, r->class[k].n_dt);
    html_cell_number(p->out, p->ap[k]);
    html_raw(p->out, "<td>");
    svg_spark(p->out, p->ap[k]);
    html_raw(p->out, "</td>");
    html_cell_number(p->out, value(p, 1, k));
    html_cell_number(p->out, value(p, 2, k));
    if (p->rep->interval) {
        size_t first = coco_number_count(r->protocol);
        html_raw(p->out, "<td>");
        page_interval(p->out, &p->rep->interval[first + k]);
        html_raw(p->out, "</td>");
    }
    if (p->rep->points)
        points(p, k);
    if (p->rep->errors)
        costs_most(p, k);
    html_row_end(p->out);
}

void page_classes(const struct page *p)
{
    html_table(p->out, "wide");
    html_raw(p->out, "<caption>Categories, lowest AP first");
    if (p->rep->errors || p->rep->points)
        out_format(p->out, "; F1, oLRP and costs are at IoU %g",
                   p->rep->req->protocol.per_image_iou);
    html_raw(p->out, "</caption>");
    heads(p);
    for (size_t i = 0; i < p->rep->result.index.n_classes && !p->out->failed;
         i++)
        row(p, p->worst[i]);
    html_table_end(p->out);
}
