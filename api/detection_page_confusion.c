/* Which category was taken for which. */
#include "api/detection_page.h"

enum {
    LISTED = 20, /* confusions beside a matrix */
    LISTED_MAX = 50,
    DRAWN_MAX = 100,   /* categories of a matrix that is drawn */
    COUNTED_MAX = 20,  /* of one with counts in its cells */
    LABEL_WIDTH = 120, /* pixels */
    LABEL_CHARACTERS = 16,
    SIDE = 620, /* pixels for all cells, about */
    CELL_MIN = 10,
    CELL_MAX = 44,
};

/* The name of a row or column, the background included. */
static const char *label(const struct page *p, size_t k, char id[PAGE_ID_BYTES])
{
    return k == p->rep->result.index.n_classes ? "background"
                                               : page_class(p, k, id);
}

static double cell_size(size_t n)
{
    double size = (double)SIDE / (double)n;
    return size < CELL_MIN ? CELL_MIN : size > CELL_MAX ? CELL_MAX : size;
}

static void labels(const struct page *p, size_t n, double size)
{
    char id[PAGE_ID_BYTES];
    for (size_t k = 0; k < n; k++) {
        double at = LABEL_WIDTH + ((double)k + 0.5) * size;
        svg_text(p->out, "name", LABEL_WIDTH - 6, at + 4, "end");
        html_cut(p->out, label(p, k, id), LABEL_CHARACTERS);
        out_format(p->out,
                   "</text>\n<text class=\"name\" transform=\"translate(%.1f "
                   "%d) rotate(-90)\">",
                   at + 4, LABEL_WIDTH - 6);
        html_cut(p->out, label(p, k, id), LABEL_CHARACTERS);
        html_raw(p->out, "</text>\n");
    }
}

/* One cell; total is the sum of its row. */
static void cell(const struct page *p, const struct coco_confused *c,
                 double size, double total, bool counted)
{
    char id[PAGE_ID_BYTES], found[PAGE_ID_BYTES];
    double share = c->count / total;
    double x = LABEL_WIDTH + c->found * size, y = LABEL_WIDTH + c->truth * size;
    bool right = c->truth == c->found;
    out_format(p->out, "<g fill-opacity=\"%.2f\">", 0.08 + 0.92 * share);
    svg_rect(p->out, right ? "right" : "main", x, y, size - 1, size - 1);
    html_raw(p->out, "<title>");
    html_text(p->out, label(p, c->truth, id));
    html_raw(p->out, " → ");
    html_text(p->out, label(p, c->found, found));
    html_raw(p->out, ": ");
    html_count(p->out, c->count);
    out_format(p->out, " (%.1f %% of the row)</title>", 100 * share);
    svg_rect_end(p->out);
    html_raw(p->out, "</g>");
    if (!counted)
        return;
    const char *kind = share <= 0.6 ? "count"
                       : right      ? "count on-right"
                                    : "count on";
    svg_text(p->out, kind, x + size / 2, y + size / 2 + 4, "middle");
    out_format(p->out, "%u</text>\n", c->count);
}

/* Cells come row by row: each row is added up, then drawn. */
static void cells(const struct page *p, double size, bool counted)
{
    const struct coco_confusion *c = &p->rep->confusion;
    for (size_t i = 0, end; i < c->n; i = end) {
        double total = 0;
        for (end = i; end < c->n && c->cell[end].truth == c->cell[i].truth;
             end++)
            total += c->cell[end].count;
        for (size_t j = i; j < end && !p->out->failed; j++)
            cell(p, &c->cell[j], size, total, counted);
    }
}

static void matrix(const struct page *p, size_t n)
{
    double size = cell_size(n), side = size * (double)n;
    html_raw(p->out, "<figure class=\"scroll\">\n");
    svg_open(p->out, LABEL_WIDTH + side + 2, LABEL_WIDTH + side + 2,
             "confusion matrix, ground truths by row, detections by column",
             NULL);
    svg_rect(p->out, "frame", LABEL_WIDTH - 1, LABEL_WIDTH - 1, side + 1,
             side + 1);
    svg_rect_end(p->out);
    labels(p, n, size);
    cells(p, size, n <= COUNTED_MAX + 1);
    svg_close(p->out);
    page_caption(p->out,
                 "Ground truths by row, detections by column; the colour is "
                 "the share of the row. In the last column are objects that "
                 "were missed, in the last row false alarms.");
    html_raw(p->out, "</figure>\n");
}

/* Ground truths of class k that count. */
static uint32_t positives(const struct page *p, size_t k)
{
    return p->rep->result.class[k].positives[p->rep->req->protocol.area_all];
}

/* The most frequent confusions of two categories. */
static void pairs(const struct page *p, size_t most)
{
    static const char *const heads[] = {"ground truth", "<taken for", "count",
                                        "of its ground truths"};
    struct coco_confused *pair;
    size_t n = detection_confusions(p->rep, p->out->mem, &pair);
    if (n == 0) {
        html_raw(p->out, "<p>No category was taken for another.</p>\n");
        return;
    }
    html_table(p->out, "narrow");
    html_raw(p->out, "<caption>Most frequent confusions</caption>");
    html_heads(p->out, heads, 4);
    for (size_t i = 0; i < n && i < most; i++) {
        const struct coco_confused *x = &pair[i];
        char id[PAGE_ID_BYTES];
        html_row(p->out, page_class(p, x->truth, id));
        html_cell_words(p->out, page_class(p, x->found, id));
        html_cell_count(p->out, x->count);
        out_format(p->out, "<td>%.1f %%</td>",
                   100.0 * x->count / positives(p, x->truth));
        html_row_end(p->out);
    }
    html_table_end(p->out);
}

void page_confusion(const struct page *p)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    size_t n = p->rep->result.index.n_classes;
    out_format(p->out,
               "<p>At IoU %g, with detections of score %g or more.</p>\n",
               q->per_image_iou, q->score_threshold);
    if (n <= DRAWN_MAX)
        matrix(p, n + 1);
    else
        html_raw(p->out, "<p>There are too many categories to draw.</p>\n");
    if (q->use_categories)
        pairs(p, n <= DRAWN_MAX ? LISTED : LISTED_MAX);
}
