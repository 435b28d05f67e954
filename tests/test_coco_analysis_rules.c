/*
 * The rules of the analysis, a small scene each, worked out by hand: core/
 * and the analysis oracle must both agree.
 */
#include "tests/analysis_rules.h"
#include "tests/opinions.h"

#include <stddef.h>

static void stage(const struct scene *s, struct problem *p)
{
    static const int64_t image[] = {1}, category[] = {1, 2, 3};
    static const double recall[] = {1.0 / 3, 2.0 / 3, 1};
    *p = (struct problem){.n_images = 1,
                          .n_categories = 3,
                          .n_gt = s->n_gt,
                          .n_dt = s->n_dt,
                          .image = image,
                          .category = category,
                          .gt = s->gt,
                          .dt = s->dt};
    struct coco_protocol *how = &p->protocol;
    coco_protocol_init(how);
    how->n_recall = 3;
    memcpy(how->recall, recall, sizeof(recall));
    if (s->iou > 0)
        how->per_image_iou = s->iou;
    if (s->background > 0)
        how->background_iou = s->background;
    if (s->bins > 0)
        how->n_bins = s->bins;
    if (s->most > 0)
        how->max_detections[0] = how->max_detections[1] =
            how->max_detections[2] = s->most;
    how->score_threshold = s->least;
}

static double points_say(const struct coco_points *p, size_t n_bins, double iou,
                         const struct check *c)
{
    struct coco_lrp lrp = coco_lrp(&p->best_lrp, p->positives, iou);
    switch (c->what) {
    case 'F':
        return coco_f1(&p->best_f1, p->positives);
    case 's':
        return p->best_f1.score;
    case 'L':
        return lrp.lrp;
    case 't':
        return p->best_lrp.score;
    case 'l':
        return lrp.localisation;
    case 'p':
        return lrp.false_positive;
    case 'r':
        return lrp.false_negative;
    case 'E':
        return coco_ece(p->bin, n_bins);
    case 'M':
        return coco_mce(p->bin, n_bins);
    case 'u':
        return p->outside;
    case 'b':
        return p->bin[c->of].count;
    case '+':
        return p->at[c->of].tp;
    case '-':
        return p->at[c->of].fp;
    default:
        return p->at[c->of].score;
    }
}

static double errors_say(const struct coco_class_errors *e,
                         const struct check *c)
{
    return c->what == 'A'   ? e->ap
           : c->what == 'n' ? e->count[c->of]
                            : e->delta[c->of];
}

/* Of places, as rows. */
static double row(const struct opinions *o, uint32_t place)
{
    return place == COCO_UNKNOWN ? -1.0 : o->trial.core.index.dt[place];
}

static double core_says_of_truth(const struct opinions *o, char what, size_t at)
{
    const struct coco_verdicts *v = &o->trial.verdicts;
    size_t g = 0;
    while (o->trial.core.index.gt[g] != at)
        g++;
    return what == 'f'   ? row(o, v->found[g])
           : what == 'c' ? row(o, v->claim[g])
           : what == 'x' ? row(o, v->confused[g])
                         : v->overlap[g];
}

static double core_says_of_cell(const struct opinions *o, size_t truth,
                                size_t found)
{
    const struct coco_confusion *m = &o->confusion;
    for (size_t i = 0; i < m->n; i++)
        if (m->cell[i].truth == truth && m->cell[i].found == found)
            return m->cell[i].count;
    return 0;
}

static double core_says(const struct opinions *o, const struct check *c)
{
    const struct coco_protocol *p = &o->trial.protocol;
    if (strchr("fcxo", c->what))
        return core_says_of_truth(o, c->what, c->at);
    if (c->what == 'm')
        return core_says_of_cell(o, c->at, c->of);
    if (strchr("ndA", c->what))
        return errors_say(&o->errors[c->at], c);
    return points_say(&o->points[c->at], p->n_bins, p->per_image_iou, c);
}

static double oracle_says(const struct opinions *o, const struct check *c)
{
    const struct coco_protocol *p = &o->trial.protocol;
    const struct analysis *a = &o->oracle;
    if (c->what == 'm')
        return (double)a->matrix[c->at * (a->n_classes + 1) + c->of];
    if (strchr("ndA", c->what))
        return errors_say(&a->errors[c->at], c);
    if (!strchr("fcxo", c->what))
        return points_say(&a->points[c->at], p->n_bins, p->per_image_iou, c);
    size_t g = 0;
    while (a->gt[g].row != c->at)
        g++;
    if (c->what == 'o')
        return a->gt[g].overlap;
    size_t row = c->what == 'f'   ? a->gt[g].found
                 : c->what == 'c' ? a->gt[g].claim
                                  : a->gt[g].confused;
    return row == ORACLE_NONE ? -1 : (double)row;
}

static void play(void **state)
{
    const struct scene *s = *state;
    struct opinions o = {0};
    struct problem p;
    stage(s, &p);
    opinions_core(&o, &p, asked, ASKED, &parallel_serial);
    opinions_oracle(&o, asked, ASKED);
    assert_int_equal(strlen(s->kinds), s->n_dt);
    for (uint32_t i = 0; i < s->n_dt; i++) {
        size_t at = o.trial.core.index.dt[i];
        char core = LETTERS[o.trial.verdicts.kind[i]];
        char oracle = LETTERS[o.oracle.dt[at].kind];
        if (core != s->kinds[at] || oracle != s->kinds[at])
            fail_msg("detection %zu: core has %c, the oracle %c, not %c", at,
                     core, oracle, s->kinds[at]);
    }
    for (size_t i = 0; i < s->n_checks; i++) {
        const struct check *c = &s->checks[i];
        double core = core_says(&o, c), oracle = oracle_says(&o, c);
        if (!close_to(core, c->want) || !close_to(oracle, c->want))
            fail_msg("check %zu (%c): core has %.17g, the oracle %.17g, "
                     "not %.17g",
                     i, c->what, core, oracle, c->want);
    }
    opinions_free(&o);
}

int main(void)
{
    enum { SCENES = sizeof(scenes) / sizeof(*scenes) };
    struct CMUnitTest tests[SCENES];
    for (size_t i = 0; i < SCENES; i++)
        tests[i] =
            (struct CMUnitTest){.name = scenes[i].name,
                                .test_func = play,
                                .initial_state = (void *)(uintptr_t)&scenes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
