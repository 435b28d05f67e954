/* Built with -ffp-contract=off, as the scoring is. */
#include "tests/analysis_oracle.h"
#include "tests/oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)4 << 30)

void *analysis_alloc(struct analysis *a, size_t n, size_t size)
{
    void *p = arena_zero(&a->mem, n, size);
    if (!p) {
        fputs("analysis oracle: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

/* How many distinct ids are lower; ORACLE_NONE if this is none of them. */
static size_t rank(const int64_t *ids, size_t n, int64_t id)
{
    size_t lower = 0;
    bool known = false;
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again = again || ids[j] == ids[i];
        lower += ids[i] < id && !again;
        known = known || ids[i] == id;
    }
    return known ? lower : ORACLE_NONE;
}

static size_t count_distinct(const struct coco_ground_truth *gt)
{
    size_t n = 0;
    for (size_t i = 0; i < gt->n_categories; i++) {
        size_t r = rank(gt->category, gt->n_categories, gt->category[i]);
        n = r + 1 > n ? r + 1 : n;
    }
    return n;
}

/* The IoU of a match. */
static double least(const struct analysis *a)
{
    return fmin(a->p->per_image_iou, 1 - 1e-10);
}

static bool cell_of(struct analysis *a, int64_t image, int64_t category,
                    struct analysis_cell *c)
{
    c->image = rank(a->truths->image, a->truths->n_images, image);
    c->category = rank(a->truths->category, a->truths->n_categories, category);
    c->class = a->p->use_categories ? c->category : 0;
    return c->image != ORACLE_NONE && c->category != ORACLE_NONE;
}

/* Less than 0 if x comes first; by class, image and category. */
static int cell_order(const struct analysis_cell *x,
                      const struct analysis_cell *y)
{
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    if (x->category != y->category)
        return x->category < y->category ? -1 : 1;
    return 0;
}

static bool is_outside(struct analysis *a, double area)
{
    const struct coco_area *all = &a->p->area[a->p->area_all];
    return area < all->lo || area > all->hi;
}

/* Ground truths in the order of core's places. */
static void place_ground_truths(struct analysis *a)
{
    size_t n, *met = oracle_met(a->p, a->truths, &n, &a->mem);
    a->gt = analysis_alloc(a, n, sizeof(*a->gt));
    for (size_t i = 0; i < n; i++) {
        size_t row = met[i], j = a->n_gt;
        struct analysis_gt g = {.row = row,
                                .counts = !a->truths->crowd[row] &&
                                          !is_outside(a, a->truths->area[row]),
                                .found = ORACLE_NONE,
                                .claim = ORACLE_NONE,
                                .confused = ORACLE_NONE};
        if (!cell_of(a, a->truths->image_id[row], a->truths->category_id[row],
                     &g.cell))
            continue;
        for (; j > 0 && cell_order(&a->gt[j - 1].cell, &g.cell) > 0; j--)
            a->gt[j] = a->gt[j - 1];
        a->gt[j] = g;
        a->n_gt++;
    }
}

/* Does detection i come before j? */
typedef bool before(struct analysis *a, size_t i, size_t j);

static bool score_first(struct analysis *a, size_t i, size_t j)
{
    const struct analysis_cell *x = &a->dt[i].cell, *y = &a->dt[j].cell;
    if (a->detections->score[i] != a->detections->score[j])
        return a->detections->score[i] > a->detections->score[j];
    if (x->image != y->image)
        return x->image < y->image;
    return x->category != y->category ? x->category < y->category : i < j;
}

/* That of core's marks. */
static bool cell_first(struct analysis *a, size_t i, size_t j)
{
    const struct analysis_cell *x = &a->dt[i].cell, *y = &a->dt[j].cell;
    if (x->class != y->class)
        return x->class < y->class;
    return x->image != y->image ? x->image < y->image : score_first(a, i, j);
}

/* Known detections in that order; how many are in n_order. */
static size_t *sorted(struct analysis *a, before *comes_first)
{
    size_t *order = analysis_alloc(a, a->detections->n, sizeof(*order));
    a->n_order = 0;
    for (size_t i = 0; i < a->detections->n; i++) {
        if (!a->dt[i].known)
            continue;
        size_t j = a->n_order++;
        for (; j > 0 && comes_first(a, i, order[j - 1]); j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    return order;
}

static double overlap(struct analysis *a, size_t row, size_t place)
{
    size_t gt = a->gt[place].row;
    const double *d = a->detections->box + 4 * row,
                 *g = a->truths->box + 4 * gt;
    double w = fmin(d[0] + d[2], g[0] + g[2]) - fmax(d[0], g[0]);
    double h = fmin(d[1] + d[3], g[1] + g[3]) - fmax(d[1], g[1]);
    if (w <= 0 || h <= 0)
        return 0;
    double both = w * h, area = d[2] * d[3];
    return both / (a->truths->crowd[gt] ? area : area + g[2] * g[3] - both);
}

static bool same_cell(const struct analysis_cell *x,
                      const struct analysis_cell *y)
{
    return x->class == y->class && x->image == y->image;
}

/* The best free one of those that count, or that do not; of equals the last. */
static size_t choose(struct analysis *a, size_t row, bool counts,
                     const bool *taken)
{
    size_t best = ORACLE_NONE;
    double most = least(a);
    for (size_t g = 0; g < a->n_gt; g++) {
        if (!same_cell(&a->gt[g].cell, &a->dt[row].cell) ||
            a->gt[g].counts != counts ||
            (taken[g] && !a->truths->crowd[a->gt[g].row]) ||
            overlap(a, row, g) < most)
            continue;
        most = overlap(a, row, g);
        best = g;
    }
    return best;
}

/*
 * The best that counts, in its class or in others; of equals the first.  An
 * overlap of 0 / 0 is none.
 */
static size_t closest(struct analysis *a, size_t row, bool own)
{
    size_t best = ORACLE_NONE;
    double most = -1;
    for (size_t g = 0; g < a->n_gt; g++) {
        const struct analysis_cell *c = &a->gt[g].cell;
        if (a->gt[g].counts && c->image == a->dt[row].cell.image &&
            (c->class == a->dt[row].cell.class) == own &&
            overlap(a, row, g) > most) {
            most = overlap(a, row, g);
            best = g;
        }
    }
    return best;
}

static void tell_false(struct analysis *a, size_t row)
{
    struct analysis_dt *d = &a->dt[row];
    size_t own = closest(a, row, true), other = closest(a, row, false);
    double of_own = own == ORACLE_NONE ? -1 : overlap(a, row, own);
    double of_other = other == ORACLE_NONE ? -1 : overlap(a, row, other);
    double background = a->p->background_iou;
    d->truth = ORACLE_NONE;
    if (of_own >= background && of_own < least(a))
        d->kind = COCO_LOCALISATION, d->truth = own;
    else if (of_other >= least(a))
        d->kind = COCO_CLASSIFICATION, d->truth = other;
    else if (of_own >= least(a))
        d->kind = COCO_DUPLICATE, d->truth = own;
    else if (of_own < background && of_other < background)
        d->kind = COCO_BACKGROUND;
    else
        d->kind = COCO_BOTH, d->truth = other;
}

/* What a detection met, if that makes it more than a false positive. */
static bool meets(struct analysis *a, size_t row, bool *taken)
{
    struct analysis_dt *d = &a->dt[row];
    const double *box = a->detections->box + 4 * row;
    size_t g = choose(a, row, true, taken);
    if (g == ORACLE_NONE)
        g = choose(a, row, false, taken);
    if (g != ORACLE_NONE)
        taken[g] = true;
    d->truth = g;
    bool ignored = g != ORACLE_NONE && !a->gt[g].counts;
    bool matched = g != ORACLE_NONE && !ignored &&
                   a->truths->id[a->gt[g].row] != 0; /* as good as none */
    if (!ignored && !matched && !is_outside(a, box[2] * box[3]))
        return false;
    d->kind = matched ? COCO_TRUE_POSITIVE : COCO_IGNORED;
    if (matched)
        a->gt[g].found = row;
    return true;
}

static void match(struct analysis *a)
{
    bool *taken = analysis_alloc(a, a->n_gt, sizeof(*taken));
    for (size_t i = 0, nth = 0; i < a->n_order; i++, nth++) {
        struct analysis_dt *d = &a->dt[a->order[i]];
        if (i == 0 || !same_cell(&a->dt[a->order[i - 1]].cell, &d->cell))
            nth = 0;
        d->truth = ORACLE_NONE;
        if (nth >= a->p->max_detections[COCO_LIMITS - 1])
            d->kind = COCO_CUT;
        else if (!meets(a, a->order[i], taken))
            tell_false(a, a->order[i]);
        if (d->truth != ORACLE_NONE)
            d->iou = overlap(a, a->order[i], d->truth);
    }
}

/* In the order of score_first; so the first to claim has the best score. */
static void claim(struct analysis *a)
{
    for (size_t i = a->n_order; i-- > 0;) {
        struct analysis_dt *d = &a->dt[a->by_score[i]];
        if ((d->kind == COCO_CLASSIFICATION || d->kind == COCO_LOCALISATION) &&
            a->gt[d->truth].found == ORACLE_NONE)
            a->gt[d->truth].claim = a->by_score[i];
    }
}

bool analysis_is_false(const struct analysis_dt *d)
{
    return d->known && d->kind < COCO_FALSE_KINDS;
}

bool analysis_counts(const struct analysis_dt *d)
{
    return analysis_is_false(d) || (d->known && d->kind == COCO_TRUE_POSITIVE);
}

bool analysis_is_confident(const struct analysis *a, size_t row)
{
    return a->detections->score[row] >= a->p->score_threshold;
}

static bool is_missed(struct analysis *a, size_t g)
{
    const struct analysis_gt *t = &a->gt[g];
    return t->counts &&
           (t->found == ORACLE_NONE || !analysis_is_confident(a, t->found));
}

/* What a false positive takes of what AP left over, else ORACLE_NONE. */
static size_t take_other(struct analysis *a, size_t row)
{
    size_t best = ORACLE_NONE;
    double most = least(a);
    for (size_t g = 0; g < a->n_gt; g++) {
        const struct analysis_cell *c = &a->gt[g].cell;
        if (is_missed(a, g) && a->gt[g].confused == ORACLE_NONE &&
            c->image == a->dt[row].cell.image &&
            c->class != a->dt[row].cell.class && overlap(a, row, g) >= most) {
            most = overlap(a, row, g);
            best = g;
        }
    }
    return best;
}

static void confuse(struct analysis *a)
{
    size_t k = a->n_classes,
           *m = analysis_alloc(a, (k + 1) * (k + 1), sizeof(*m));
    for (size_t i = 0; i < a->n_order; i++) {
        const struct analysis_dt *d = &a->dt[a->by_score[i]];
        if (!analysis_counts(d) || !analysis_is_confident(a, a->by_score[i]))
            continue;
        size_t g =
            analysis_is_false(d) ? take_other(a, a->by_score[i]) : d->truth;
        size_t truth = g == ORACLE_NONE ? k : a->gt[g].cell.class;
        m[truth * (k + 1) + d->cell.class]++;
        if (analysis_is_false(d) && g != ORACLE_NONE)
            a->gt[g].confused = a->by_score[i];
    }
    for (size_t g = 0; g < a->n_gt; g++)
        if (is_missed(a, g) && a->gt[g].confused == ORACLE_NONE)
            m[a->gt[g].cell.class * (k + 1) + k]++;
    a->matrix = m;
}

static void find_overlaps(struct analysis *a)
{
    for (size_t g = 0; g < a->n_gt; g++)
        for (size_t i = 0; i < a->detections->n; i++)
            if (a->dt[i].known && a->dt[i].kind != COCO_CUT &&
                a->dt[i].cell.image == a->gt[g].cell.image &&
                analysis_is_confident(a, i) &&
                overlap(a, i, g) > a->gt[g].overlap)
                a->gt[g].overlap = overlap(a, i, g);
}

void analysis_make(struct analysis *a, const struct coco_protocol *p,
                   const struct coco_ground_truth *gt,
                   const struct coco_detections *dt)
{
    *a = (struct analysis){.p = p, .truths = gt, .detections = dt};
    arena_init(&a->mem, BYTES_MAX);
    a->n_classes = p->use_categories ? count_distinct(gt) : 1;
    place_ground_truths(a);
    a->dt = analysis_alloc(a, dt->n, sizeof(*a->dt));
    for (size_t i = 0; i < dt->n; i++)
        a->dt[i].known =
            cell_of(a, dt->image_id[i], dt->category_id[i], &a->dt[i].cell);
    a->by_score = sorted(a, score_first);
    a->order = sorted(a, cell_first);
    match(a);
    claim(a);
    confuse(a);
    find_overlaps(a);
}

void analysis_free(struct analysis *a)
{
    arena_free(&a->mem);
}
