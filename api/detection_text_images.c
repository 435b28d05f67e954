/* Image by image: counts, and what deserves a look at the data. */
#include "api/detection_suspects.h"
#include "api/detection_text.h"

#include <math.h>

enum { SUSPECTS_SHOWN = 50 };

/* A whole number, or a dash. */
static void id_cell(struct text_table *t, bool known, int64_t id)
{
    if (known)
        text_cell(t, TEXT_PLAIN, "%lld", (long long)id);
    else
        text_cell(t, TEXT_PLAIN, "-");
}

static void image_row(struct text_table *t, const void *context, size_t i)
{
    const struct detection_report *rep = context;
    const struct coco_image *m = &rep->image[i];
    const uint32_t counts[] = {m->positives, m->detections, m->tp,
                               m->fp,        m->fn,         m->ignored};
    const double tp = m->tp;
    id_cell(t, true, rep->result.index.image[i]);
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        text_cell(t, TEXT_PLAIN, "%u", counts[c]);
    text_number(t, TEXT_PLAIN, tp / (tp + m->fp), 3);
    text_number(t, TEXT_PLAIN, tp / m->positives, 3);
    text_number(t, TEXT_PLAIN, 2 * tp / (2 * tp + m->fp + m->fn), 3);
    text_number(t, TEXT_PLAIN, m->mean_iou, 3);
    text_ap_cell(t, m->ap);
}

/* How many there are of each kind, and the most confident. */
struct list {
    const struct detection_report *rep;
    size_t image; /* that is looked at */
    size_t count[SUSPICIONS], n, all;
    struct shown {
        struct suspect suspect;
        size_t image;
        double score; /* -infinity where there is none */
    } shown[SUSPECTS_SHOWN];
};

/* Into its place in the list, behind equal ones, or nowhere. */
static void note_suspect(void *context, const struct suspect *s)
{
    struct list *l = context;
    double score = s->detection == COCO_UNKNOWN
                       ? -INFINITY
                       : coco_score_at(&l->rep->result, s->detection);
    l->count[s->kind]++;
    l->all++;
    if (l->n == SUSPECTS_SHOWN && !(score > l->shown[l->n - 1].score))
        return;
    l->n += l->n < SUSPECTS_SHOWN;
    size_t i = l->n - 1;
    for (; i > 0 && score > l->shown[i - 1].score; i--)
        l->shown[i] = l->shown[i - 1];
    l->shown[i] = (struct shown){*s, l->image, score};
}

static void suspect_row(struct text_table *t, const void *context, size_t i)
{
    const struct list *l = context;
    const struct shown *shown = &l->shown[i];
    const struct suspect *s = &shown->suspect;
    const struct coco_result *r = &l->rep->result;
    bool found = s->detection != COCO_UNKNOWN;
    bool labelled = s->truth != COCO_UNKNOWN;
    double iou = !labelled ? NAN
                 : found   ? coco_match_iou(r, &l->rep->verdicts, s->detection)
                           : l->rep->verdicts.overlap[s->truth];
    id_cell(t, true, r->index.image[shown->image]);
    text_cell(t, TEXT_PLAIN, "%s", suspicion_name[s->kind]);
    id_cell(t, found, found ? r->index.dt[s->detection] : 0);
    id_cell(t, labelled, labelled ? r->gt->id[r->index.gt[s->truth]] : 0);
    text_number(t, TEXT_PLAIN, iou, 3);
    text_number(t, TEXT_PLAIN, found ? shown->score : NAN, 3);
}

static void text_suspects(const struct text_out *to, const struct list *l)
{
    struct text_table t;
    text_title(to, "suspects, score >= %g, most confident first",
               l->rep->req->options.suspect_score);
    for (size_t i = 0; i < SUSPICIONS; i++)
        out_format(to->out, "%s%zu %s", i ? ", " : "", l->count[i],
                   suspicion_name[i]);
    out_bytes(to->out, "\n", 1);
    if (!l->all)
        return;
    text_table_init(&t, to);
    text_right(&t, "image");
    text_left(&t, "kind");
    text_right(&t, "detection");
    text_right(&t, "annotation");
    text_right(&t, "IoU");
    text_right(&t, "score");
    text_table_write(&t, l->n, suspect_row, l);
    if (l->all > l->n)
        out_format(to->out, "and %zu more\n", l->all - l->n);
}

void text_images(const struct text_out *to, const struct detection_report *rep)
{
    static const char *const columns[] = {
        "image",   "truths",    "found",  "tp", "fp",       "fn",
        "ignored", "precision", "recall", "f1", "mean IoU", "AP"};
    const struct coco_protocol *p = &rep->req->protocol;
    struct list l = {.rep = rep};
    struct text_table t;
    text_title(to, "per image at IoU %g, score >= %g", p->per_image_iou,
               p->score_threshold);
    text_table_init(&t, to);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        text_right(&t, columns[i]);
    text_table_write(&t, rep->result.index.n_images, image_row, rep);
    for (; l.image < rep->result.index.n_images; l.image++) {
        if (is_stopped(to->out->mem->stop))
            return;
        detection_suspects(rep, l.image, note_suspect, &l);
    }
    text_suspects(to, &l);
}
