/* Where to put the score threshold. */
#include "api/detection_page.h"

enum { STEPS = 200 };

/* Counts and what is read from them, at STEPS + 1 scores from lo to hi. */
struct sweep {
    double lo, hi;
    double score[STEPS + 1];
    uint32_t tp[STEPS + 1], fp[STEPS + 1];
    size_t n; /* steps that some detection reaches */
    double f1[STEPS + 1], precision[STEPS + 1], recall[STEPS + 1];
};

/* Whether a detection counts, as a true or a false positive. */
static bool counts(const struct page *p, size_t place)
{
    return p->rep->verdicts.kind[place] <= COCO_TRUE_POSITIVE;
}

static void find_range(const struct page *p, struct sweep *s)
{
    size_t n = p->rep->result.index.n_dt;
    s->lo = INFINITY;
    s->hi = -INFINITY;
    for (size_t i = 0, end; (end = stop_reach(p->out->mem->stop, i, n)) > i;)
        for (; i < end; i++)
            if (counts(p, i)) {
                s->lo =
                    fmin(s->lo, coco_score_at(&p->rep->result, (uint32_t)i));
                s->hi =
                    fmax(s->hi, coco_score_at(&p->rep->result, (uint32_t)i));
            }
    if (s->lo >= 0 && s->lo <= s->hi && s->hi <= 1) {
        s->lo = 0;
        s->hi = 1;
    }
}

/* Counts each detection at the last step that it reaches. */
static void count(const struct page *p, struct sweep *s)
{
    size_t n = p->rep->result.index.n_dt;
    for (size_t i = 0, end; (end = stop_reach(p->out->mem->stop, i, n)) > i;)
        for (; i < end; i++) {
            if (!counts(p, i))
                continue;
            double step =
                (coco_score_at(&p->rep->result, (uint32_t)i) - s->lo) /
                (s->hi - s->lo) * STEPS;
            bool true_positive = p->rep->verdicts.kind[i] == COCO_TRUE_POSITIVE;
            ++(true_positive ? s->tp : s->fp)[(size_t)step];
        }
}

/* Adds up from the highest score down, and reads the curves. */
static void add_up(struct sweep *s, uint32_t positives)
{
    for (size_t i = STEPS + 1; i-- > 0;) {
        if (i < STEPS) {
            s->tp[i] += s->tp[i + 1];
            s->fp[i] += s->fp[i + 1];
        }
        struct coco_level level = {.tp = s->tp[i], .fp = s->fp[i]};
        s->n += level.tp || level.fp;
        s->score[i] = s->lo + (s->hi - s->lo) * (double)i / STEPS;
        s->f1[i] = coco_f1(&level, positives);
        s->precision[i] = coco_precision(&level);
        s->recall[i] = coco_recall(&level, positives);
    }
}

static void draw(const struct page *p, const struct sweep *s,
                 const struct coco_points *all)
{
    static const char *const names[] = {"F1", "precision", "recall"};
    static const char *const kinds[] = {"curve main", "curve good",
                                        "curve far"};
    const double *const y[] = {s->f1, s->precision, s->recall};
    struct svg_plot plot = {48, 28, 520, 300, s->lo, s->hi, 0, 1};
    double best = svg_x(&plot, all->best_f1.score);
    html_raw(p->out, "<figure class=\"beside\">\n");
    svg_open(p->out, 590, 372, "F1, precision and recall over the score", NULL);
    svg_axes(p->out, &plot, "score threshold", "F1, precision, recall");
    if (isfinite(best))
        svg_line(p->out, "mark", best, plot.top, best, plot.top + plot.height);
    for (size_t i = 0; i < 3; i++)
        svg_curve(p->out, &plot,
                  &(struct svg_curve){.kind = kinds[i],
                                      .n = s->n,
                                      .x = s->score,
                                      .y = y[i],
                                      .mix = -1});
    svg_close(p->out);
    html_raw(p->out, "<ul class=\"legend\" aria-label=\"curves\">\n");
    for (size_t i = 0; i < 3; i++)
        out_format(p->out, "<li><i class=\"%s\"></i>%s</li>\n", kinds[i] + 6,
                   names[i]);
    html_raw(p->out, "</ul>\n");
    page_caption(p->out, "What is left of all categories' detections at each "
                         "score threshold; the mark is at the best F1.");
    html_raw(p->out, "</figure>\n");
}

/* The figure; not of scores that are all the same, or too far apart. */
static void figure(const struct page *p, const struct coco_points *all)
{
    struct sweep *s = arena_zero(p->out->mem, 1, sizeof(*s));
    if (!s) {
        p->out->failed = true;
        return;
    }
    find_range(p, s);
    if (all->positives == 0 || !(s->hi > s->lo) || !isfinite(s->hi - s->lo) ||
        is_stopped(p->out->mem->stop))
        return;
    count(p, s);
    add_up(s, all->positives);
    draw(p, s, all);
}

static void level_row(const struct page *p, const char *what, double score,
                      const struct coco_level *level, uint32_t positives)
{
    html_row(p->out, what);
    html_cell_number(p->out, score);
    html_cell_number(p->out, coco_f1(level, positives));
    html_cell_number(p->out, coco_precision(level));
    html_cell_number(p->out, coco_recall(level, positives));
    html_cell_count(p->out, level->tp);
    html_cell_count(p->out, level->fp);
    html_cell_count(p->out, positives - level->tp);
    html_row_end(p->out);
}

void page_points(const struct page *p)
{
    static const char *const heads[] = {"",
                                        "score",
                                        "F1",
                                        "precision",
                                        "recall",
                                        "true positives",
                                        "false positives",
                                        "missed"};
    const struct coco_points *all =
        &p->rep->points[p->rep->result.index.n_classes];
    const struct detection_options *o = &p->rep->req->options;
    figure(p, all);
    html_table(p->out, "narrow");
    out_format(p->out,
               "<caption>All categories together at IoU %g; each category's "
               "best is in the table of categories</caption>",
               p->rep->req->protocol.per_image_iou);
    html_heads(p->out, heads, 8);
    level_row(p, "best F1", all->best_f1.score, &all->best_f1, all->positives);
    level_row(p, "score threshold", p->rep->req->protocol.score_threshold,
              &all->threshold, all->positives);
    for (size_t i = 0; i < o->n_scores; i++)
        level_row(p, "asked for", o->score[i], &all->at[i], all->positives);
    html_table_end(p->out);
}
