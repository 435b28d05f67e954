/*
 * Non-maximum suppression within one label.
 *
 * Boxes lie in the cells of a grid (box_grid.h), a column for each number of
 * theirs: of the hard methods those that stay, of the soft ones those still to
 * be picked.  A quick test without division, I > t U with a margin, finds the
 * few pairs for which the quotient is worked out; it is the rounded quotient
 * that decides.
 */
#include "core/kernels/box_nms.h"
#include "core/kernels/box_grid.h"
#include "core/kernels/box_score.h"

#include "core/elementary.h"

static const struct box_rule exact = {.eps = 0};

/* Pairs of one box that are worked out until the stop is looked at again. */
enum { LOOK_AGAIN = 1 << 12 };

/* One label. */
struct run {
    const struct nms_job *job;
    size_t from, n; /* of order, slots and cells */
    struct nms_cell *cell;
    struct grid grid;
    size_t kept;
};

static struct box box_of(const struct nms_job *job, uint32_t row)
{
    return box_read(job->raw + 4 * (size_t)row, job->format);
}

static struct box_answer answer(const struct nms_job *job, uint32_t i,
                                uint32_t j)
{
    const real *p = job->raw + 4 * (size_t)i, *q = job->raw + 4 * (size_t)j;
    enum box_metric metric = job->method == NMS_DIOU ? BOX_DIOU : BOX_IOU;
    return box_plain(p) && box_plain(q)
               ? box_answer(metric, &exact, p, q, false, job->format)
               : box_answer_wide(metric, &exact, p, q, false, job->format);
}

/* What is left of a score once row i has been picked. */
static double left_of(const struct nms_job *job, uint32_t i, uint32_t j)
{
    const double *param = job->call->param;
    double t = param[NMS_IOU_THRESHOLD];
    struct box_answer y = answer(job, i, j);
    switch (job->method) {
    case NMS_LINEAR:
        return y.iou > t ? 1 - y.iou : 1;
    case NMS_GAUSSIAN:
        return exp_(-(y.iou * y.iou / param[NMS_SIGMA]));
    case NMS_DIOU:
        return y.iou - pow(y.distance, param[NMS_BETA]) > t ? 0 : 1;
    default:
        return y.iou > t ? 0 : 1;
    }
}

/* Fits the grid to the boxes of a run, and finds the cell of each. */
static void lay_grid(struct run *r)
{
    const struct nms_job *job = r->job;
    const uint32_t *order = job->order + r->from;
    size_t cells = job->odd ? 1 : grid_cells(r->n);
    size_t n = r->n < GRID_SAMPLE ? r->n : GRID_SAMPLE;
    double sample[2][GRID_SAMPLE];
    r->grid = (struct grid){.cells = cells};
    for (size_t i = 0; i < n; i++) {
        struct box b = box_of(job, order[i * r->n / n]);
        sample[0][i] = side_centre(b.x);
        sample[1][i] = side_centre(b.y);
    }
    for (int k = 0; k < 2; k++)
        grid_lay(&r->grid.axis[k], sample[k], n, cells);
    for (size_t i = 0; i < r->n && !op_stopped(job->call); i++) {
        struct box b = box_of(job, order[i]);
        struct side side[2] = {b.x, b.y};
        size_t at[2];
        for (int k = 0; k < 2; k++) {
            struct grid_axis *a = &r->grid.axis[k];
            double centre = side_centre(side[k]);
            a->size_max = greater(a->size_max, side[k].size);
            a->place_max = greater(a->place_max, fabs(centre));
            at[k] = cells == 1 ? 0 : grid_cell(&r->grid, k, centre);
        }
        job->home[r->from + i] = (uint32_t)(at[1] * cells + at[0]);
    }
}

/* Gives each cell room for all boxes that may come into it. */
static void lay_cells(struct run *r)
{
    size_t cells = r->grid.cells * r->grid.cells;
    uint32_t at = (uint32_t)r->from;
    r->cell = r->job->cell + r->from;
    for (size_t c = 0; c < cells; c++)
        r->cell[c] = (struct nms_cell){0, 0, 0};
    for (size_t i = 0; i < r->n; i++)
        r->cell[r->job->home[r->from + i]].count++;
    for (size_t c = 0; c < cells; c++) {
        r->cell[c].start = at;
        at += r->cell[c].count;
        r->cell[c].count = 0;
    }
}

static void put(struct nms_cell *c, const struct nms_slots *s, uint32_t row,
                const struct box *b, double score)
{
    size_t at = c->start + c->count++;
    s->x_lo[at] = b->x.lo.at;
    s->x_hi[at] = b->x.hi.at;
    s->y_lo[at] = b->y.lo.at;
    s->y_hi[at] = b->y.hi.at;
    s->area[at] = b->area;
    s->score[at] = score;
    s->row[at] = row;
}

/* Whether a slot may be in reach of box b: one pair of the quick test. */
INLINE bool near(const struct nms_slots *s, size_t i, const struct box *b,
                 double area, double margin)
{
    double w = lesser(s->x_hi[i], b->x.hi.at) - greater(s->x_lo[i], b->x.lo.at);
    double h = lesser(s->y_hi[i], b->y.hi.at) - greater(s->y_lo[i], b->y.lo.at);
    double inner = greater(w, 0) * greater(h, 0);
    return inner > margin * (s->area[i] + area - inner);
}

/* How many slots of a cell are near. */
static int64_t count_near(const struct nms_cell *c, const struct nms_slots *s,
                          const struct box *b, double margin)
{
    const struct nms_slots part = {s->x_lo + c->start,
                                   s->x_hi + c->start,
                                   s->y_lo + c->start,
                                   s->y_hi + c->start,
                                   s->area + c->start,
                                   NULL,
                                   NULL};
    const struct box box = *b;
    double area = box.area;
    int64_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += near(&part, i, &box, area, margin);
    return n;
}

/* Whether a box of this cell that stays suppresses row j. */
static bool suppressed_in(const struct nms_job *job, const struct nms_cell *c,
                          uint32_t j, const struct box *b)
{
    const struct nms_slots *s = &job->slot;
    const atomic_bool *stop = job->call->par->stop;
    if (!job->odd && count_near(c, s, b, job->margin) == 0)
        return false;
    double area = b->area;
    for (size_t i = c->start; i < (size_t)c->start + c->count; i++) {
        if (i % LOOK_AGAIN == 0 && is_stopped(stop))
            return true;
        if ((job->odd || near(s, i, b, area, job->margin)) &&
            left_of(job, s->row[i], j) == 0)
            return true;
    }
    return false;
}

static bool suppressed(const struct run *r, uint32_t j, const struct box *b)
{
    struct grid_part part = {{0, 0}, {0, 0}};
    if (r->grid.cells > 1)
        part = grid_around(&r->grid, b, r->job->t);
    for (size_t y = part.first[1]; y <= part.last[1]; y++)
        for (size_t x = part.first[0]; x <= part.last[0]; x++)
            if (suppressed_in(r->job, &r->cell[y * r->grid.cells + x], j, b))
                return true;
    return false;
}

/* Best first: who is not suppressed by one that stays stays. */
static void run_hard(struct run *r)
{
    const struct nms_job *job = r->job;
    for (size_t i = 0;
         i < r->n && r->kept < job->most && !op_stopped(job->call); i++) {
        uint32_t row = job->order[r->from + i];
        struct box b = box_of(job, row);
        if (suppressed(r, row, &b))
            continue;
        job->final[row] = nms_score(job, row);
        put(&r->cell[job->home[r->from + i]], &job->slot, row, &b, 0);
        r->kept++;
    }
}

/* Whether slot i goes before slot j. */
static bool better(const struct nms_slots *s, size_t i, size_t j)
{
    return s->score[i] > s->score[j] ||
           (s->score[i] == s->score[j] && s->row[i] < s->row[j]);
}

static void find_best(struct nms_cell *c, const struct nms_slots *s)
{
    c->best = c->start;
    for (uint32_t i = c->start; i < c->start + c->count; i++)
        if (better(s, i, c->best))
            c->best = i;
}

/* The last slot of the cell takes the place of slot i. */
static void drop(struct nms_cell *c, const struct nms_slots *s, size_t i)
{
    size_t last = c->start + --c->count;
    double *column[] = {s->x_lo, s->x_hi, s->y_lo, s->y_hi, s->area, s->score};
    for (size_t k = 0; k < sizeof(column) / sizeof(column[0]); k++)
        column[k][i] = column[k][last];
    s->row[i] = s->row[last];
}

/* Takes from the scores of a cell what row j, just picked, leaves them. */
static void decay(const struct nms_job *job, struct nms_cell *c, uint32_t j,
                  const struct box *b)
{
    const struct nms_slots *s = &job->slot;
    double area = b->area;
    double least = job->call->param[NMS_SCORE_THRESHOLD];
    if (!job->odd && count_near(c, s, b, job->margin) == 0)
        return;
    for (size_t i = c->start; i < (size_t)c->start + c->count;) {
        if (i % LOOK_AGAIN == 0 && op_stopped(job->call))
            break;
        if (job->odd || near(s, i, b, area, job->margin))
            s->score[i] *= left_of(job, j, s->row[i]);
        if (s->score[i] < least)
            drop(c, s, i);
        else
            i++;
    }
    find_best(c, s);
}

/* The cell that holds the best box of all, or NULL. */
static struct nms_cell *best_cell(const struct run *r)
{
    struct nms_cell *best = NULL;
    for (size_t c = 0; c < r->grid.cells * r->grid.cells; c++)
        if (r->cell[c].count &&
            (!best || better(&r->job->slot, r->cell[c].best, best->best)))
            best = &r->cell[c];
    return best;
}

/* The best one is picked, and the scores of others decay; again and again. */
static void run_soft(struct run *r)
{
    const struct nms_job *job = r->job;
    const struct nms_slots *s = &job->slot;
    size_t cells = r->grid.cells;
    for (size_t i = r->from; i < r->from + r->n && !op_stopped(job->call);
         i++) {
        struct box b = box_of(job, job->order[i]);
        put(&r->cell[job->home[i]], s, job->order[i], &b,
            nms_score(job, job->order[i]));
    }
    for (size_t c = 0; c < cells * cells; c++)
        find_best(&r->cell[c], s);
    for (struct nms_cell *c;
         r->kept < job->most && !op_stopped(job->call) && (c = best_cell(r));
         r->kept++) {
        uint32_t row = s->row[c->best];
        struct box b = box_of(job, row);
        job->final[row] = s->score[c->best];
        drop(c, s, c->best);
        find_best(c, s);
        struct grid_part part = {{0, 0}, {0, 0}};
        if (cells > 1)
            part = grid_around(&r->grid, &b, job->t);
        for (size_t y = part.first[1]; y <= part.last[1]; y++)
            for (size_t x = part.first[0]; x <= part.last[0]; x++)
                decay(job, &r->cell[y * cells + x], row, &b);
    }
}

void nms_label(void *context, size_t item, size_t worker)
{
    const struct nms_job *job = context;
    struct run r = {.job = job,
                    .from = job->runs[item],
                    .n = job->runs[item + 1] - job->runs[item]};
    (void)worker;
    lay_grid(&r);
    if (op_stopped(job->call)) /* homes are missing */
        return;
    lay_cells(&r);
    if (job->method == NMS_LINEAR || job->method == NMS_GAUSSIAN)
        run_soft(&r);
    else
        run_hard(&r);
}
