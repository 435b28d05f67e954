/* Precision over recall: of all categories, and of each. */
#include "api/detection_page.h"

enum { SMALL_MAX = 100, SMALL_WIDTH = 132, SMALL_HEIGHT = 100 };

/* Precision at the recall thresholds, of class k at IoU threshold t. */
static const double *precision(const struct page *p, size_t k, size_t t)
{
    const struct coco_result *r = &p->rep->result;
    size_t row =
        coco_precision_row(r, r->protocol->area_all, COCO_LIMITS - 1, t);
    return r->class[k].precision + row * r->protocol->n_recall;
}

static bool has_curve(const struct page *p, size_t k)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    return p->rep->result.class[k].positives[q->area_all] > 0;
}

/* The mean curve over the n categories that have one, and its mean. */
static double mean_curve(const struct page *p, size_t t, size_t n, double *y)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    double sum = 0;
    for (size_t i = 0; i < q->n_recall; i++)
        y[i] = 0;
    for (size_t k = 0; k < p->rep->result.index.n_classes; k++)
        for (size_t i = 0; has_curve(p, k) && i < q->n_recall; i++)
            y[i] += precision(p, k, t)[i];
    for (size_t i = 0; i < q->n_recall; i++) {
        y[i] /= (double)n;
        sum += y[i];
    }
    return sum / (double)q->n_recall;
}

/* Where line t is in the row of colours. */
static double mix_of(const struct coco_protocol *q, size_t t)
{
    return q->n_iou > 1 ? (double)t / (double)(q->n_iou - 1) : 0;
}

/* Draws the mean curves and notes the mean of each. */
static void draw_means(const struct page *p, size_t n, double *y, double *mean)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    struct svg_plot plot = {48, 28, 520, 360, 0, 1, 0, 1};
    svg_open(p->out, 590, 432, "precision over recall, mean of the categories",
             NULL);
    svg_axes(p->out, &plot, "recall", "precision");
    for (size_t t = 0; t < q->n_iou; t++) {
        struct svg_curve curve = {.kind = "curve mix",
                                  .n = q->n_recall,
                                  .x = q->recall,
                                  .y = y,
                                  .mix = mix_of(q, t)};
        mean[t] = mean_curve(p, t, n, y);
        svg_curve(p->out, &plot, &curve);
    }
    svg_close(p->out);
}

static void legend(const struct page *p, const double *mean)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    html_raw(p->out, "<ul class=\"legend\" aria-label=\"curves\">\n");
    for (size_t t = 0; t < q->n_iou; t++) {
        html_raw(p->out, "<li><i");
        svg_mix(p->out, mix_of(q, t));
        out_format(p->out, "></i>IoU %.4g <b>", q->iou[t]);
        html_number(p->out, mean[t]);
        html_raw(p->out, "</b></li>\n");
    }
    html_raw(p->out, "</ul>\n");
}

static void small(const struct page *p, size_t k)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    struct json_out *out = p->out;
    struct svg_plot plot = {1, 1, SMALL_WIDTH - 2, SMALL_HEIGHT - 2, 0, 1,
                            0, 1};
    struct svg_curve curve = {.kind = "area",
                              .n = q->n_recall,
                              .x = q->recall,
                              .y = precision(p, k, 0),
                              .to_axis = true,
                              .mix = -1};
    char id[PAGE_ID_BYTES];
    const char *name = page_class(p, k, id);
    html_raw(out, "<figure>");
    svg_open(out, SMALL_WIDTH, SMALL_HEIGHT, "precision over recall of ", name);
    svg_rect(out, "frame", plot.left, plot.top, plot.width, plot.height);
    svg_rect_end(out);
    svg_curve(out, &plot, &curve);
    svg_close(out);
    html_raw(out, "<figcaption><span title=\"");
    html_text(out, name);
    html_raw(out, "\">");
    html_text(out, name);
    html_raw(out, "</span> <b>");
    html_number(out, p->ap[k]);
    html_raw(out, "</b></figcaption></figure>\n");
}

/* The curve of each of the n categories that have one, lowest AP first. */
static void small_multiples(const struct page *p, size_t n)
{
    size_t drawn = 0;
    out_format(p->out,
               "<h3>Each category at IoU %.4g, lowest AP first</h3>\n"
               "<p>The number is AP over all IoU thresholds; both axes are "
               "from 0 to 1.</p>\n<div class=\"small\">\n",
               p->rep->req->protocol.iou[0]);
    for (size_t i = 0; drawn < n && drawn < SMALL_MAX; i++)
        if (has_curve(p, p->worst[i])) {
            small(p, p->worst[i]);
            drawn++;
        }
    html_raw(p->out, "</div>\n");
    if (n == drawn)
        return;
    html_raw(p->out, "<p>");
    html_count(p->out, n - drawn);
    html_raw(p->out, " more categories of higher AP are not drawn.</p>\n");
}

void page_curves(const struct page *p)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    double *y = arena_alloc(p->out->mem, q->n_recall, sizeof(*y));
    double mean[COCO_IOU_MAX];
    size_t n = 0;
    for (size_t k = 0; k < p->rep->result.index.n_classes; k++)
        n += has_curve(p, k);
    if (n == 0) {
        html_raw(p->out, "<p>No category has a ground truth.</p>\n");
        return;
    }
    if (!y) {
        p->out->failed = true;
        return;
    }
    html_raw(p->out, "<figure class=\"beside\">\n");
    draw_means(p, n, y, mean);
    legend(p, mean);
    page_caption(p->out,
                 "Highest precision at each recall or beyond, mean over the "
                 "categories, one line per IoU threshold, with its mean.");
    html_raw(p->out, "</figure>\n");
    if (p->rep->req->protocol.use_categories)
        small_multiples(p, n);
}
