#include "api/detection_suspects.h"

const char *const suspicion_name[SUSPICIONS] = {
    [MISSING_LABEL] = "missing_label",
    [WRONG_LABEL] = "wrong_label",
    [LOOSE_LABEL] = "loose_label",
    [SPURIOUS_LABEL] = "spurious_label",
};

/* Of the kinds of false positives; SUSPICIONS = none. */
static const enum suspicion of_kind[COCO_FALSE_KINDS] = {
    [COCO_CLASSIFICATION] = WRONG_LABEL,
    [COCO_LOCALISATION] = LOOSE_LABEL,
    [COCO_BOTH] = SUSPICIONS,
    [COCO_DUPLICATE] = SUSPICIONS,
    [COCO_BACKGROUND] = MISSING_LABEL,
};

static enum suspicion of_detection(const struct detection_report *rep,
                                   uint32_t d)
{
    const struct coco_verdicts *v = &rep->verdicts;
    uint32_t truth = v->truth[d];
    if (v->kind[d] >= COCO_FALSE_KINDS ||
        !(coco_score_at(&rep->result, d) >= rep->req->options.suspect_score))
        return SUSPICIONS;
    bool missed =
        truth == COCO_UNKNOWN || coco_is_missed(&rep->result, v, truth);
    return missed ? of_kind[v->kind[d]] : SUSPICIONS;
}

static bool is_spurious(const struct detection_report *rep, uint32_t g)
{
    const struct coco_protocol *p = &rep->req->protocol;
    const struct coco_verdicts *v = &rep->verdicts;
    return v->counts[g] && v->overlap[g] < p->background_iou &&
           coco_is_missed(&rep->result, v, g);
}

void detection_suspects(const struct detection_report *rep, size_t image,
                        void (*visit)(void *context, const struct suspect *s),
                        void *context)
{
    const struct coco_by_image *by = &rep->by_image;
    for (uint32_t i = by->first[image]; i < by->first[image + 1]; i++) {
        const struct coco_cell *c = &rep->result.index.cell[by->cell[i]];
        for (uint32_t d = c->dt; d < c->dt + c->n_dt; d++) {
            struct suspect s = {of_detection(rep, d), d,
                                rep->verdicts.truth[d]};
            if (s.kind != SUSPICIONS)
                visit(context, &s);
        }
        for (uint32_t g = c->gt; g < c->gt + c->n_gt; g++)
            if (is_spurious(rep, g))
                visit(context,
                      &(struct suspect){SPURIOUS_LABEL, COCO_UNKNOWN, g});
    }
}
