/* What each kind of error costs. */
#include "api/detection_page.h"

/* What a kind of error is: beside its bar, in the sentence, explained. */
static const struct {
    const char *label, *noun, *meaning;
} kinds[COCO_FIXES] = {
    [COCO_CLASSIFICATION] = {"classification", "Wrong categories",
                             "the right place, another category"},
    [COCO_LOCALISATION] = {"localisation", "Loose boxes",
                           "the right category, too little overlap"},
    [COCO_BOTH] = {"both", "Loose boxes of the wrong category",
                   "another category and too little overlap"},
    [COCO_DUPLICATE] = {"duplicate", "Duplicates",
                        "an object that was found already"},
    [COCO_BACKGROUND] = {"background", "False alarms", "no object near"},
    [COCO_MISSED] = {"missed", "Missed objects",
                     "objects that no wrong or loose detection stands for"},
    [COCO_FALSE_POSITIVE] = {"false positive", "False positives",
                             "all of the first five"},
    [COCO_FALSE_NEGATIVE] = {"false negative", "False negatives",
                             "every object that was not found"},
};

/* The kind whose fix gains most of class k; COCO_FIXES if none gains. */
static size_t largest(const struct coco_class_errors *e)
{
    size_t most = COCO_FIXES;
    double gain = 0;
    for (size_t i = 0; i <= COCO_MISSED; i++)
        if (e->delta[i] > gain) {
            gain = e->delta[i];
            most = i;
        }
    return most;
}

static void sentence(const struct page *p, const struct coco_class_errors *e)
{
    struct json_out *out = p->out;
    size_t most = largest(e);
    if (most == COCO_FIXES) {
        html_raw(out, "<p class=\"lead\">No kind of error costs AP by itself."
                      "</p>\n");
        return;
    }
    out_format(out, "<p class=\"lead\">%s cost most: putting ",
               kinds[most].noun);
    html_raw(out, e->count[most] == 1 ? "the one" : "all ");
    if (e->count[most] != 1)
        html_count(out, e->count[most]);
    out_format(out, " right would lift AP at IoU %g from %.3f to %.3f.</p>\n",
               p->rep->req->protocol.per_image_iou, e->ap,
               e->ap + e->delta[most]);
}

static struct svg_bar bar(const struct coco_class_errors *e, size_t i,
                          const char *kind)
{
    return (struct svg_bar){.label = kinds[i].label,
                            .kind = kind,
                            .value = e->delta[i],
                            .count = e->count[i],
                            .counted = e->count[i] == 1 ? "error" : "errors"};
}

static void meanings(struct json_out *out)
{
    html_raw(out, "<dl class=\"protocol\">");
    for (size_t i = 0; i < COCO_FIXES; i++) {
        html_element(out, "dt", kinds[i].label);
        html_element(out, "dd", kinds[i].meaning);
    }
    html_raw(out, "</dl>\n");
}

void page_errors(const struct page *p)
{
    const struct coco_class_errors *e =
        &p->rep->errors[p->rep->result.index.n_classes];
    struct svg_bar six[COCO_MISSED + 1], two[2];
    double most = 0;
    for (size_t i = 0; i < COCO_FIXES; i++) {
        most = fmax(most, e->delta[i]);
        if (i <= COCO_MISSED)
            six[i] = bar(e, i, "main");
        else
            two[i - COCO_FALSE_POSITIVE] = bar(e, i, "far");
    }
    sentence(p, e);
    html_raw(p->out, "<div class=\"beside errors\"><div><figure>\n");
    svg_bars(p->out, six, COCO_MISSED + 1, most, "AP that each kind costs");
    page_caption(p->out, "What AP gains if all errors of one kind are put "
                         "right, and how many there are at any score.");
    html_raw(p->out, "</figure>\n<figure>\n");
    svg_bars(p->out, two, 2, most, "AP that false detections and misses cost");
    page_caption(p->out, "The same of every false detection, and of every "
                         "object that was not found. The gains do not add up.");
    html_raw(p->out, "</figure></div>\n");
    meanings(p->out);
    html_raw(p->out, "</div>\n");
}

const char *page_largest_error(const struct page *p, size_t k, double *gain)
{
    size_t most = largest(&p->rep->errors[k]);
    *gain = most == COCO_FIXES ? (double)NAN : p->rep->errors[k].delta[most];
    return most == COCO_FIXES ? "–" : kinds[most].label;
}
