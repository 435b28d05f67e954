/* The headline: numbers, counts, warnings; and what was measured. */
#include "api/detection_page.h"

/* Rows of the summary that everybody asks for first. */
static const size_t headline[] = {0, 1, 2, 8};

static void tile(const struct page *p, size_t i)
{
    struct json_out *out = p->out;
    double x = page_defined(p->rep->value[i]);
    html_raw(out, "<div class=\"tile\"><span>");
    html_text(out, coco_number(&p->rep->req->protocol, i).name);
    html_raw(out, "</span><strong title=\"");
    html_exact(out, x);
    html_raw(out, "\">");
    html_number(out, x);
    html_raw(out, "</strong><small>");
    if (p->rep->interval)
        page_interval(out, &p->rep->interval[i]);
    html_raw(out, "</small></div>\n");
}

/* What a number is the mean of. */
static void meaning(struct json_out *out, const struct coco_number *n)
{
    html_raw(out, "<td class=\"words\">");
    html_raw(out, n->recall ? "average recall, " : "average precision, ");
    if (n->iou > 0)
        out_format(out, "IoU %g", n->iou);
    else
        html_raw(out, "mean over IoU thresholds");
    html_raw(out, ", area ");
    html_text(out, n->area);
    out_format(out, ", up to %u detections</td>", n->limit);
}

static void number_row(const struct page *p, size_t i)
{
    struct json_out *out = p->out;
    struct coco_number number = coco_number(&p->rep->req->protocol, i);
    double x = page_defined(p->rep->value[i]);
    html_row(out, number.name);
    html_cell_number(out, x);
    if (p->rep->interval) {
        html_raw(out, "<td>");
        page_interval(out, &p->rep->interval[i]);
        html_raw(out, "</td>");
    }
    html_raw(out, "<td>");
    svg_spark(out, x);
    html_raw(out, "</td>");
    meaning(out, &number);
    html_row_end(out);
}

static void numbers(const struct page *p)
{
    static const char *const heads[] = {"number", "value", "", "<meaning"};
    static const char *const with[] = {"number", "value", "interval", "",
                                       "<meaning"};
    struct json_out *out = p->out;
    const struct coco_bootstrap *b = &p->rep->req->options.bootstrap;
    html_table(out, "numbers");
    html_raw(out, "<caption>Summary");
    if (p->rep->interval) {
        out_format(out, ", with %g %% intervals from ", 100 * b->level);
        html_count(out, b->resamples);
        html_raw(out, " resamples of the images");
    }
    html_raw(out, "</caption>");
    if (p->rep->interval)
        html_heads(out, with, 5);
    else
        html_heads(out, heads, 4);
    for (size_t i = 0; i < coco_number_count(&p->rep->req->protocol); i++)
        number_row(p, i);
    html_table_end(out);
}

static void count(struct json_out *out, const char *what, uint64_t n)
{
    html_raw(out, "<div><dt>");
    html_raw(out, what);
    html_raw(out, "</dt><dd>");
    html_count(out, n);
    html_raw(out, "</dd></div>");
}

static void counts(const struct page *p)
{
    const struct coco_index *ix = &p->rep->result.index;
    html_raw(p->out, "<dl class=\"counts\">");
    count(p->out, "images", ix->n_images);
    count(p->out, "categories", ix->n_categories);
    count(p->out, "annotations", p->rep->counts.annotations);
    count(p->out, "of them crowds", p->rep->counts.crowd);
    count(p->out, "detections", p->rep->req->dt.n);
    html_raw(p->out, "</dl>\n");
}

static void warnings(const struct page *p)
{
    struct detection_warning w[DETECTION_WARNINGS_MAX];
    size_t n = detection_warnings(p->rep, w);
    if (n == 0)
        return;
    html_raw(p->out, "<ul class=\"warnings\" aria-label=\"warnings\">\n");
    for (size_t i = 0; i < n; i++) {
        html_raw(p->out, "<li><b>");
        html_count(p->out, w[i].count);
        html_raw(p->out, "</b> ");
        html_text(p->out, w[i].detail);
        html_raw(p->out, " <code>");
        html_text(p->out, w[i].code);
        html_raw(p->out, "</code></li>\n");
    }
    html_raw(p->out, "</ul>\n");
}

void page_summary(const struct page *p)
{
    bool asked = p->rep->req->outputs & OUTPUT_SUMMARY;
    if (asked) {
        html_raw(p->out, "<div class=\"tiles\">\n");
        for (size_t i = 0; i < sizeof(headline) / sizeof(headline[0]); i++)
            tile(p, headline[i]);
        html_raw(p->out, "</div>\n");
    }
    counts(p);
    warnings(p);
    if (asked)
        numbers(p);
}

/* A name and what follows it, up to end. */
static void entry(struct json_out *out, const char *name)
{
    html_raw(out, "</dd><dt>");
    html_raw(out, name);
    html_raw(out, "</dt><dd>");
}

static void entry_number(struct json_out *out, const char *name, double x)
{
    entry(out, name);
    html_exact(out, x);
}

static void areas(struct json_out *out, const struct coco_protocol *protocol)
{
    entry(out, "area ranges");
    for (size_t a = 0; a < protocol->n_areas; a++) {
        html_raw(out, a ? ", " : "");
        html_text(out, protocol->area[a].name);
        out_format(out, " %g to %g", protocol->area[a].lo,
                   protocol->area[a].hi);
    }
}

void page_protocol(const struct page *p)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    struct json_out *out = p->out;
    char hash[PROTOCOL_HASH_BYTES];
    if (detection_protocol_hash(q, out->mem, hash)) {
        out->failed = true;
        return;
    }
    html_raw(out, "<p>Two reports compare if their protocols have the same "
                  "hash.</p>\n<dl class=\"protocol\"><dt>hash</dt><dd><code>");
    html_raw(out, hash);
    html_raw(out, "</code>");
    entry(out, "evaluator");
    html_raw(out, "pycocotools 2.0.11, boxes");
    entry(out, "IoU thresholds");
    for (size_t i = 0; i < q->n_iou; i++)
        out_format(out, "%s%.4g", i ? ", " : "", q->iou[i]);
    entry(out, "recall thresholds");
    out_format(out, "%zu, from %g to %g", q->n_recall, q->recall[0],
               q->recall[q->n_recall - 1]);
    entry(out, "most detections");
    for (size_t i = 0; i < COCO_LIMITS; i++)
        out_format(out, "%s%u", i ? ", " : "", q->max_detections[i]);
    html_raw(out, q->use_categories ? " per image and category" : " per image");
    areas(out, q);
    entry(out, "categories");
    html_raw(out, q->use_categories ? "are told apart" : "all count as one");
    entry_number(out, "score threshold", q->score_threshold);
    entry_number(out, "IoU of one match", q->per_image_iou);
    entry_number(out, "IoU of the background", q->background_iou);
    html_raw(out, "</dd></dl>\n");
}
