#include "api/detection_page.h"

#include <stdio.h>

const char *page_class(const struct page *p, size_t k, char id[PAGE_ID_BYTES])
{
    if (!p->rep->req->protocol.use_categories)
        return "all categories";
    if (p->rep->name[k])
        return p->rep->name[k];
    snprintf(id, PAGE_ID_BYTES, "%lld",
             (long long)p->rep->result.index.category[k]);
    return id;
}

double page_f1(const struct coco_image *image)
{
    double twice = 2.0 * image->tp;
    return twice / (twice + image->fp + image->fn);
}

double page_confident(const struct page *p)
{
    return fmax(p->rep->req->protocol.score_threshold,
                p->rep->req->options.suspect_score);
}

void page_offer(struct page_top *top, double key, double second, size_t row)
{
    size_t i = top->n;
    while (i > 0 &&
           (key > top->item[i - 1].key ||
            (key == top->item[i - 1].key && second > top->item[i - 1].second)))
        i--;
    if (i == top->max)
        return;
    top->n += top->n < top->max;
    for (size_t j = top->n - 1; j > i; j--)
        top->item[j] = top->item[j - 1];
    top->item[i].key = key;
    top->item[i].second = second;
    top->item[i].row = row;
}

void page_interval(struct json_out *out, const struct coco_interval *x)
{
    if (!isfinite(x->low) || !isfinite(x->high)) {
        html_number(out, (double)NAN);
        return;
    }
    html_raw(out, "[");
    html_number(out, x->low);
    html_raw(out, ", ");
    html_number(out, x->high);
    html_raw(out, "]");
}

void page_caption(struct json_out *out, const char *words)
{
    html_raw(out, "<figcaption>");
    html_raw(out, words);
    html_raw(out, "</figcaption>\n");
}
