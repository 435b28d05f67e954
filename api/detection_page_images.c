/* The images that went worst, as their boxes. */
#include "api/detection_page.h"

#include <stdio.h>
#include <string.h>

enum {
    WORST = 12,
    FALSE_MAX = 30,  /* false positives that are drawn */
    FALSE_MIN = 3,   /* of them, however low they score */
    BOXES_MAX = 300, /* of an image */
    WIDTH = 340,     /* pixels */
    HEIGHT = 260,
    MARGIN = 4,
    LABEL_HEIGHT = 12,
    LETTER = 6, /* pixels, about */
    LABEL_CHARACTERS = 22,
};

/* What a box is; those that matter more later, to be drawn over the others. */
enum look { IGNORED, FOUND, HIT, MISSED, WRONG, LOOKS };
static const struct {
    const char *kind, *words;
} looks[LOOKS] = {
    [IGNORED] = {"ignored", "ground truth that does not count"},
    [FOUND] = {"found", "ground truth, found"},
    [HIT] = {"hit", "true positive"},
    [MISSED] = {"missed", "ground truth, missed"},
    [WRONG] = {"wrong", "false positive"},
};

struct shown {
    enum look look;
    uint32_t class;
    const double *box; /* x y width height */
    double score;      /* NaN of a ground truth */
};

/* Corners in pixels. */
struct corners {
    double x1, y1, x2, y2;
};

/* The boxes of one image, and how they lie in the picture. */
struct scene {
    size_t n, n_left_out, n_labels;
    double left, top, width, height; /* of their hull, in eighths: see below */
    double scale;                    /* pixels of an eighth */
    struct shown box[BOXES_MAX];
    struct corners label[BOXES_MAX];
};

static void show(struct scene *s, struct shown box)
{
    if (s->n < BOXES_MAX)
        s->box[s->n++] = box;
    else
        s->n_left_out++;
}

static const double *detection_box(const struct coco_result *r, size_t place)
{
    return r->dt->box + 4 * (size_t)r->index.dt[place];
}

static void show_truths(const struct page *p, const struct coco_cell *cell,
                        struct scene *s)
{
    const struct coco_result *r = &p->rep->result;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
        show(s, (struct shown){
                    !p->rep->verdicts.counts[g]               ? IGNORED
                    : coco_is_missed(r, &p->rep->verdicts, g) ? MISSED
                                                              : FOUND,
                    cell->category, r->gt->box + 4 * (size_t)r->index.gt[g],
                    (double)NAN});
}

/* Shows hits, and offers false positives by score. */
static void show_detections(const struct page *p, const struct coco_cell *cell,
                            struct scene *s, struct page_top *wrong)
{
    const struct coco_result *r = &p->rep->result;
    for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
        double score = coco_score_at(&p->rep->result, d);
        uint8_t kind = p->rep->verdicts.kind[d];
        if (score < r->protocol->score_threshold)
            continue;
        if (kind == COCO_TRUE_POSITIVE)
            show(s, (struct shown){HIT, cell->category, detection_box(r, d),
                                   score});
        else if (kind < COCO_FALSE_KINDS)
            page_offer(wrong, score, 0, d);
    }
}

static void gather(const struct page *p, size_t image, struct scene *s)
{
    const struct coco_result *r = &p->rep->result;
    const struct coco_by_image *by = &p->rep->by_image;
    struct page_top wrong = {.max = FALSE_MAX};
    for (uint32_t c = by->first[image]; c < by->first[image + 1]; c++) {
        const struct coco_cell *cell = &r->index.cell[by->cell[c]];
        show_truths(p, cell, s);
        show_detections(p, cell, s, &wrong);
    }
    for (size_t i = 0; i < wrong.n; i++) {
        uint32_t place = (uint32_t)wrong.item[i].row;
        if (i < FALSE_MIN || wrong.item[i].key >= page_confident(p))
            show(s, (struct shown){WRONG,
                                   (uint32_t)coco_class_at(&r->index, place),
                                   detection_box(r, place), wrong.item[i].key});
    }
}

/*
 * A box in eighths of its unit, so that neither its far corner nor the hull of
 * several is beyond what a double can be.
 */
static struct corners eighths(const double *box)
{
    double x = box[0] / 8, y = box[1] / 8, w = box[2] / 8, h = box[3] / 8;
    return (struct corners){fmin(x, x + w), fmin(y, y + h), fmax(x, x + w),
                            fmax(y, y + h)};
}

static void measure(struct scene *s)
{
    struct corners hull = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < s->n; i++) {
        struct corners c = eighths(s->box[i].box);
        hull.x1 = fmin(hull.x1, c.x1);
        hull.y1 = fmin(hull.y1, c.y1);
        hull.x2 = fmax(hull.x2, c.x2);
        hull.y2 = fmax(hull.y2, c.y2);
    }
    s->left = hull.x1;
    s->top = hull.y1;
    s->width = hull.x2 - hull.x1;
    s->height = hull.y2 - hull.y1;
    /* Of a hull without extent nothing is scaled: all of it is one point. */
    s->scale = fmin(s->width > 0 ? WIDTH / s->width : 1e300,
                    s->height > 0 ? HEIGHT / s->height : 1e300);
    s->scale = fmin(s->scale, 1e300);
}

static struct corners place(const struct scene *s, const double *box)
{
    struct corners c = eighths(box);
    double down = MARGIN + LABEL_HEIGHT;
    return (struct corners){MARGIN + (c.x1 - s->left) * s->scale,
                            down + (c.y1 - s->top) * s->scale,
                            MARGIN + (c.x2 - s->left) * s->scale,
                            down + (c.y2 - s->top) * s->scale};
}

static void draw_box(const struct page *p, const struct scene *s,
                     const struct shown *b)
{
    struct corners c = place(s, b->box);
    char id[PAGE_ID_BYTES];
    svg_rect(p->out, looks[b->look].kind, c.x1, c.y1, c.x2 - c.x1, c.y2 - c.y1);
    html_raw(p->out, "<title>");
    html_text(p->out, page_class(p, b->class, id));
    if (isfinite(b->score)) {
        html_raw(p->out, " ");
        html_exact(p->out, b->score);
    }
    out_format(p->out, ": %s</title>", looks[b->look].words);
    svg_rect_end(p->out);
}

static bool overlap(const struct corners *a, const struct corners *b)
{
    return a->x1 < b->x2 && b->x1 < a->x2 && a->y1 < b->y2 && b->y1 < a->y2;
}

/* Whether nothing is written there yet; from now on there is. */
static bool take_place(struct scene *s, struct corners c)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (overlap(&c, &s->label[i]))
            return false;
    s->label[s->n_labels++] = c;
    return true;
}

/* The label of a box, where it covers no other: all are in the tooltips. */
static void draw_label(const struct page *p, struct scene *s,
                       const struct shown *b)
{
    struct corners c = place(s, b->box);
    char id[PAGE_ID_BYTES], score[16] = "";
    const char *name = page_class(p, b->class, id);
    if (isfinite(b->score))
        snprintf(score, sizeof(score), fabs(b->score) < 1e3 ? " %.2f" : " %.1g",
                 b->score);
    size_t letters = strlen(name);
    letters = letters < LABEL_CHARACTERS ? letters : LABEL_CHARACTERS;
    double width = LETTER * (double)(letters + strlen(score));
    double x = fmax(fmin(c.x1, MARGIN + WIDTH - width), MARGIN);
    double y = b->look == MISSED ? c.y2 - 3 : c.y1 - 3;
    if (!take_place(s, (struct corners){x, y - LABEL_HEIGHT, x + width, y}))
        return;
    char kind[32];
    snprintf(kind, sizeof(kind), "of-%s", looks[b->look].kind);
    svg_text(p->out, kind, x, y, "start");
    html_cut(p->out, name, LABEL_CHARACTERS);
    html_raw(p->out, score);
    html_raw(p->out, "</text>\n");
}

static void draw(const struct page *p, struct scene *s)
{
    svg_open(p->out, WIDTH + 2 * MARGIN,
             fmax(s->height * s->scale, LABEL_HEIGHT) + 2 * MARGIN +
                 LABEL_HEIGHT,
             "boxes of an image", NULL);
    for (enum look look = 0; look < LOOKS; look++)
        for (size_t i = 0; i < s->n; i++)
            if (s->box[i].look == look)
                draw_box(p, s, &s->box[i]);
    for (enum look look = LOOKS; look-- > HIT;)
        for (size_t i = 0; i < s->n; i++)
            if (s->box[i].look == look)
                draw_label(p, s, &s->box[i]);
    svg_close(p->out);
}

static void caption(const struct page *p, size_t i, const struct scene *s)
{
    const struct coco_image *image = &p->rep->image[i];
    out_format(p->out, "<figcaption><b>image %lld</b> F1 %.3f, AP ",
               (long long)p->rep->result.index.image[i], page_f1(image));
    html_number(p->out, page_defined(image->ap));
    out_format(p->out, "<br/>%u found, %u missed, %u false", image->tp,
               image->fn, image->fp);
    if (s->n_left_out)
        out_format(p->out, ", %zu boxes not drawn", s->n_left_out);
    html_raw(p->out, "</figcaption>");
}

static void explain(const struct page *p)
{
    const struct coco_protocol *q = &p->rep->req->protocol;
    out_format(p->out,
               "<p>Lowest F1 at IoU %g, with detections of score %g or more "
               "(the parameter score_threshold). "
               "Of the false positives those of score %g or more are drawn, "
               "and always the best three. The frame is that of the boxes, not "
               "of the image.</p>\n<ul class=\"legend\">",
               q->per_image_iou, q->score_threshold, page_confident(p));
    for (size_t i = 0; i < LOOKS; i++)
        out_format(
            p->out,
            "<li><svg class=\"key\" viewBox=\"0 0 22 12\" width=\"22\" "
            "height=\"12\" aria-hidden=\"true\"><rect class=\"%s\" "
            "x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>%s</li>\n",
            looks[i].kind, looks[i].words);
    html_raw(p->out, "</ul>\n");
}

void page_images(const struct page *p)
{
    struct scene *s = arena_alloc(p->out->mem, 1, sizeof(*s));
    struct page_top top = {.max = WORST};
    size_t n = p->rep->result.index.n_images;
    if (!s) {
        p->out->failed = true;
        return;
    }
    for (size_t i = 0, end; (end = stop_reach(p->out->mem->stop, i, n)) > i;)
        for (; i < end; i++) {
            double errors = (double)p->rep->image[i].fp + p->rep->image[i].fn;
            if (errors > 0)
                page_offer(&top, -page_f1(&p->rep->image[i]), errors, i);
        }
    if (top.n == 0) {
        html_raw(p->out, "<p>No image has an error.</p>\n");
        return;
    }
    explain(p);
    html_raw(p->out, "<div class=\"images\">\n");
    for (size_t i = 0; i < top.n && !p->out->failed; i++) {
        s->n = s->n_left_out = s->n_labels = 0;
        gather(p, top.item[i].row, s);
        measure(s);
        html_raw(p->out, "<figure>");
        draw(p, s);
        caption(p, top.item[i].row, s);
        html_raw(p->out, "</figure>\n");
    }
    html_raw(p->out, "</div>\n");
}
