/* AP by the size of objects, and by how many there are on an image. */
#include "api/detection_page.h"

enum {
    SLICES_MAX =
        COCO_AREAS_MAX > COCO_COUNTS_MAX ? COCO_AREAS_MAX : COCO_COUNTS_MAX
};

/* What a row of slices is called. */
typedef const char *slice_name(const struct coco_protocol *q, size_t i);

static const char *size_name(const struct coco_protocol *q, size_t i)
{
    return q->area[i].name;
}

static const char *count_name(const struct coco_protocol *q, size_t i)
{
    return q->count[i].name;
}

/* Two bars per slice: AP and AP50. */
static void bars(const struct page *p, const struct coco_slice *slice, size_t n,
                 slice_name *name, const char *words)
{
    struct svg_bar bar[2 * SLICES_MAX];
    for (size_t i = 0; i < n; i++) {
        struct svg_bar ap = {
            .label = name(&p->rep->req->protocol, i),
            .kind = "main",
            .value = page_defined(slice[i].ap),
            .count = slice[i].positives,
            .counted = slice[i].positives == 1 ? "object" : "objects",
        };
        bar[2 * i] = bar[2 * i + 1] = ap;
        bar[2 * i + 1].label = "AP50";
        bar[2 * i + 1].kind = "soft";
        bar[2 * i + 1].value = page_defined(slice[i].ap50);
        bar[2 * i + 1].counted = NULL;
    }
    svg_bars(p->out, bar, 2 * n, 1, words);
}

static void table(const struct page *p, const struct coco_slice *slice,
                  size_t n, slice_name *name)
{
    static const char *const heads[] = {
        "slice", "images", "ground truths", "AP", "AP50", "AP75", "AR"};
    html_table(p->out, "narrow");
    html_raw(p->out, "<caption>The same in numbers</caption>");
    html_heads(p->out, heads, 7);
    for (size_t i = 0; i < n; i++) {
        html_row(p->out, name(&p->rep->req->protocol, i));
        html_cell_count(p->out, slice[i].images);
        html_cell_count(p->out, slice[i].positives);
        html_cell_number(p->out, page_defined(slice[i].ap));
        html_cell_number(p->out, page_defined(slice[i].ap50));
        html_cell_number(p->out, page_defined(slice[i].ap75));
        html_cell_number(p->out, page_defined(slice[i].ar));
        html_row_end(p->out);
    }
    html_table_end(p->out);
}

static void slices(const struct page *p, const struct coco_slice *slice,
                   size_t n, slice_name *name, const char *words)
{
    html_element(p->out, "h3", words);
    html_raw(p->out, "<figure>\n");
    bars(p, slice, n, name, words);
    html_raw(p->out, "<ul class=\"legend\"><li><i class=\"main\"></i>AP</li>"
                     "<li><i class=\"soft\"></i>AP50</li></ul></figure>\n");
    table(p, slice, n, name);
}

void page_slices(const struct page *p)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    slices(p, p->rep->size_slice, q->n_areas, size_name,
           "By area of the objects");
    if (q->n_counts)
        slices(p, p->rep->count_slice, q->n_counts, count_name,
               "By number of objects on an image");
}
