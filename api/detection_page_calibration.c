/* Whether scores are probabilities. */
#include "api/detection_page.h"

enum {
    RANKED = 10,         /* categories that are listed */
    RANKED_AT_LEAST = 10 /* detections, as few say nothing */
};

static uint64_t in_bins(const struct coco_bin *bin, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += bin[i].count;
    return sum;
}

/* A bin as its precision, with a line at its mean score. */
static void draw_bin(struct json_out *out, const struct svg_plot *plot,
                     const struct coco_bin *bin, double low, double high)
{
    if (bin->count == 0)
        return;
    double precision = (double)bin->tp / bin->count;
    double confidence = bin->confidence / bin->count;
    double x = svg_x(plot, low), width = svg_x(plot, high) - x;
    double y = svg_y(plot, precision), at = svg_y(plot, confidence);
    html_raw(out, "<g>");
    out_format(out,
               "<title>score %.3g to %.3g: precision %.3f (%u of %u), mean "
               "score %.3f</title>",
               low, high, precision, bin->tp, bin->count, confidence);
    svg_rect(out, "main", x + 1, y, width - 2, svg_y(plot, 0) - y);
    svg_rect_end(out);
    svg_rect(out, precision < confidence ? "gap bad" : "gap good", x + 1,
             fmin(y, at), width - 2, fabs(y - at));
    svg_rect_end(out);
    svg_line(out, "mean", x + 1, at, x + width - 1, at);
    html_raw(out, "</g>\n");
}

static void diagram(const struct page *p, const struct coco_points *all)
{
    size_t n = p->rep->req->protocol.n_bins;
    struct svg_plot plot = {48, 28, 340, 340, 0, 1, 0, 1};
    html_raw(p->out, "<figure class=\"beside\">\n");
    svg_open(p->out, 410, 412, "reliability diagram: precision over score",
             NULL);
    svg_axes(p->out, &plot, "score", "precision");
    for (size_t i = 0; i < n; i++)
        draw_bin(p->out, &plot, &all->bin[i], coco_bin_edge(i, n),
                 coco_bin_edge(i + 1, n));
    svg_line(p->out, "diagonal", svg_x(&plot, 0), svg_y(&plot, 0),
             svg_x(&plot, 1), svg_y(&plot, 1));
    svg_close(p->out);
    html_raw(p->out,
             "<ul class=\"legend\"><li><i class=\"main\"></i>precision or mean "
             "score, the lower</li>"
             "<li><i class=\"bad\"></i>scores too high: up to their mean</li>"
             "<li><i class=\"good\"></i>scores too low: up to the precision"
             "</li></ul>\n");
    page_caption(p->out, "Scores that are probabilities have bars that end at "
                         "the diagonal. The line across each bar is its "
                         "mean score.");
    html_raw(p->out, "</figure>\n");
}

static void sentence(const struct page *p, const struct coco_points *all)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    html_raw(p->out, "<p>Expected calibration error <b>");
    html_number(p->out, coco_ece(all->bin, q->n_bins));
    html_raw(p->out, "</b>, maximal <b>");
    html_number(p->out, coco_mce(all->bin, q->n_bins));
    html_raw(p->out, "</b>, over ");
    html_count(p->out, in_bins(all->bin, q->n_bins));
    out_format(p->out, " detections of score %g or more, at IoU %g.",
               q->score_threshold, q->per_image_iou);
    if (all->outside) {
        html_raw(p->out, " Not counted are ");
        html_count(p->out, all->outside);
        html_raw(p->out, " with scores below 0 or above 1.");
    }
    html_raw(p->out, "</p>\n");
}

static void worst(const struct page *p)
{
    static const char *const heads[] = {"category", "detections", "ECE", "MCE"};
    size_t n_bins = p->rep->req->protocol.n_bins;
    struct page_top top = {.max = RANKED};
    for (size_t k = 0; k < p->rep->result.index.n_classes; k++) {
        const struct coco_bin *bin = p->rep->points[k].bin;
        if (in_bins(bin, n_bins) >= RANKED_AT_LEAST)
            page_offer(&top, coco_ece(bin, n_bins), 0, k);
    }
    if (top.n == 0)
        return;
    html_table(p->out, "narrow");
    out_format(p->out,
               "<caption>Categories of highest calibration error, of those "
               "with %d detections or more</caption>",
               RANKED_AT_LEAST);
    html_heads(p->out, heads, 4);
    for (size_t i = 0; i < top.n; i++) {
        const struct coco_bin *bin = p->rep->points[top.item[i].row].bin;
        char id[PAGE_ID_BYTES];
        html_row(p->out, page_class(p, top.item[i].row, id));
        html_cell_count(p->out, in_bins(bin, n_bins));
        html_cell_number(p->out, top.item[i].key);
        html_cell_number(p->out, coco_mce(bin, n_bins));
        html_row_end(p->out);
    }
    html_table_end(p->out);
}

void page_calibration(const struct page *p)
{
    const struct coco_points *all =
        &p->rep->points[p->rep->result.index.n_classes];
    sentence(p, all);
    diagram(p, all);
    if (p->rep->req->protocol.use_categories)
        worst(p);
}
