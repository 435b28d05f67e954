/*
 * Parts of many images become one result again: columns and index as of all
 * detections at once, matches as they were.
 */
#include "core/coco_mark.h"
#include "core/coco_part_fit.h"

enum { PARTS_PER_ITEM = 64 };

/* The columns of all parts, one behind the other. */
struct columns {
    int64_t *image, *category;
    double *box, *score;
};

struct job {
    struct coco_result *r;
    const struct coco_part *part;
    size_t n;
    uint32_t *base; /* n + 1: where the detections of a part begin */
    struct columns to;
    struct coco_fit *fit; /* one per worker */
    struct coco_by_image by;
    uint32_t *odd; /* per item: the first part that does not go, or n */
};

static size_t items_of(const struct job *job)
{
    return (job->n + PARTS_PER_ITEM - 1) / PARTS_PER_ITEM;
}

static size_t item_end(const struct job *job, size_t item)
{
    size_t end = (item + 1) * PARTS_PER_ITEM;
    return end < job->n ? end : job->n;
}

static void copy_columns(const struct job *job, size_t i)
{
    const struct coco_part *p = &job->part[i];
    const struct columns *to = &job->to;
    size_t at = job->base[i], n = p->n_dt;
    for (size_t d = at; d < at + n; d++)
        to->image[d] = p->image;
    memcpy(to->category + at, p->category, n * sizeof(*to->category));
    memcpy(to->box + 4 * at, p->box, 4 * n * sizeof(*to->box));
    memcpy(to->score + at, p->score, n * sizeof(*to->score));
}

static void take_parts(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    job->odd[item] = (uint32_t)job->n;
    for (size_t i = item * PARTS_PER_ITEM;
         i < item_end(job, item) && !is_stopped(job->r->stop); i++) {
        bool rises = i == 0 || job->part[i - 1].image < job->part[i].image;
        if (!rises || !coco_part_fits(&job->fit[worker], &job->part[i])) {
            job->odd[item] = (uint32_t)i;
            return;
        }
        copy_columns(job, i);
    }
}

/* Puts detections x of a cell of part i in their places, from its own. */
static void place_cell(const struct job *job, size_t i,
                       const struct coco_cell *cell, uint32_t from, size_t row)
{
    const struct coco_part *part = &job->part[i];
    const struct coco_matches *m = &job->r->matches;
    uint32_t *order = job->r->index.dt + cell->dt;
    for (uint32_t x = 0; x < cell->n_dt; x++) {
        uint32_t place = cell->dt + x, truth = COCO_UNKNOWN;
        order[x] = job->base[i] + coco_part_u32(part->order, from + (size_t)x);
        m->mark[place] = coco_mark_of(job->r->protocol, x,
                                      job->to.box + 4 * (size_t)order[x]);
        m->mark[place].overlaps = coco_part_overlaps(part, from + (size_t)x);
        if (m->mark[place].overlaps)
            truth = coco_part_u32(part->truth, row++);
        m->truth[place] = truth == COCO_UNKNOWN ? truth : cell->gt + truth;
    }
}

/* The matches of part i but for rows; false: its detections are others. */
static bool place_part(const struct job *job, size_t i)
{
    const struct coco_part *part = &job->part[i];
    uint32_t from = 0;
    size_t row = 0, next = 0;
    for (uint32_t c = job->by.first[i]; c < job->by.first[i + 1]; c++) {
        const struct coco_cell *cell = &job->r->index.cell[job->by.cell[c]];
        if (cell->n_dt == 0)
            continue;
        if (next == part->n_cells)
            return false;
        struct coco_part_cell own = coco_part_cell(part, next++);
        if (own.class != cell->category || own.n != cell->n_dt)
            return false;
        place_cell(job, i, cell, from, row);
        for (uint32_t end = from + own.n; from < end; from++)
            row += coco_part_overlaps(part, from);
    }
    return next == part->n_cells;
}

static void place_parts(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    (void)worker;
    for (size_t i = item * PARTS_PER_ITEM;
         i < item_end(job, item) && !is_stopped(job->r->stop); i++)
        if (!place_part(job, i)) {
            job->odd[item] = (uint32_t)i;
            return;
        }
}

/* A cell's rows stand together in its part, and together in the whole. */
static void copy_rows(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    const struct coco_matches *m = &job->r->matches;
    (void)worker;
    for (size_t i = item * PARTS_PER_ITEM;
         i < item_end(job, item) && !is_stopped(job->r->stop); i++) {
        const uint8_t *from = job->part[i].rows;
        for (uint32_t c = job->by.first[i]; c < job->by.first[i + 1]; c++) {
            const struct coco_cell *cell = &job->r->index.cell[job->by.cell[c]];
            size_t row = coco_row(m, cell->dt);
            size_t n = coco_row(m, cell->dt + cell->n_dt) - row;
            memcpy(m->rows + row * m->row_bytes, from, n * m->row_bytes);
            from += n * m->row_bytes;
        }
    }
}

/* Runs a task over all parts; -1 when stopped, or when one does not go. */
static int each_part(struct job *job, parallel_task *task, size_t *odd,
                     const struct parallel *par)
{
    par->run(par, items_of(job), task, job);
    if (parallel_stopped(par))
        return -1;
    for (size_t item = 0; item < items_of(job); item++)
        if (job->odd[item] < *odd)
            *odd = job->odd[item];
    return *odd < job->n ? -1 : 0;
}

static int set_bases(struct job *job, struct arena *mem)
{
    size_t sum = 0;
    job->base = arena_alloc(mem, job->n + 1, sizeof(*job->base));
    for (size_t i = 0; i <= job->n && !mem->failed; i++) {
        job->base[i] = (uint32_t)sum;
        sum += i < job->n ? job->part[i].n_dt : 0;
        if (sum > COCO_ROWS_MAX)
            return -1;
    }
    return mem->failed ? -1 : 0;
}

/* The columns that r->dt is to be; they stay. */
static int make_columns(struct job *job, struct arena *mem)
{
    size_t n = 0;
    for (size_t i = 0; i < job->n; i++)
        n += job->part[i].n_dt;
    struct coco_detections *dt = arena_alloc(mem, 1, sizeof(*dt));
    if (!dt || n > COCO_ROWS_MAX)
        return -1;
    job->to = (struct columns){
        .image = arena_alloc(mem, n, sizeof(int64_t)),
        .category = arena_alloc(mem, n, sizeof(int64_t)),
        .box = arena_alloc(mem, n, 4 * sizeof(double)),
        .score = arena_alloc(mem, n, sizeof(double)),
    };
    *dt = (struct coco_detections){
        .n = n,
        .image_id = job->to.image,
        .category_id = job->to.category,
        .box = job->to.box,
        .score = job->to.score,
    };
    job->r->dt = dt;
    return mem->failed ? -1 : 0;
}

/* What is needed while parts are taken. */
static int make_room(struct job *job, const struct coco_truths *truths,
                     size_t workers, struct arena *mem)
{
    job->odd = arena_alloc(mem, items_of(job), sizeof(*job->odd));
    job->fit = arena_alloc(mem, workers, sizeof(*job->fit));
    if (set_bases(job, mem) || mem->failed)
        return -1;
    for (size_t w = 0; w < workers; w++) {
        if (coco_fit_init(&job->fit[w], job->r->protocol, truths, mem))
            return -1;
        job->fit[w].whole.stop = job->r->stop;
    }
    return 0;
}

/* The whole when every image has a part, else what these have of it. */
static int choose_truths(struct job *job, const struct coco_truths *truths,
                         struct arena *mem)
{
    struct coco_result *r = job->r;
    r->gt = truths->gt;
    if (job->n == truths->index.n_images)
        return 0;
    struct coco_ground_truth *some = arena_alloc(mem, 1, sizeof(*some));
    uint32_t *image = arena_alloc(mem, job->n, sizeof(*image));
    if (mem->failed)
        return -1;
    for (size_t i = 0; i < job->n; i++)
        image[i] = coco_truths_image(truths, job->part[i].image);
    r->gt = some;
    return coco_ground_truth_of_images(some, truths, image, job->n, mem);
}

/* The matches' arrays, rows included: parts say how many there are. */
static int make_matches(struct job *job, struct arena *mem)
{
    struct coco_matches *m = &job->r->matches;
    size_t n = job->r->index.n_dt, rows = 0;
    for (size_t i = 0; i < job->n; i++)
        rows += job->part[i].n_rows;
    *m = (struct coco_matches){0};
    coco_matches_shape(m, job->r->protocol);
    m->mark = arena_alloc(mem, n, sizeof(*m->mark));
    m->rank = arena_alloc(mem, n / 64 + 1, sizeof(*m->rank));
    m->truth = arena_alloc(mem, n, sizeof(*m->truth));
    m->rows = arena_alloc(mem, rows, m->row_bytes);
    return mem->failed ? -1 : 0;
}

/* Which places have rows, from their marks. */
static void rank_places(const struct coco_result *r)
{
    const struct coco_matches *m = &r->matches;
    size_t n = r->index.n_dt;
    uint32_t rows = 0;
    for (size_t d = 0, end; (end = stop_reach(r->stop, d, n)) > d;)
        for (; d < end; d++)
            rows = coco_rank_add(m->rank, d, m->mark[d].overlaps, rows);
    (void)coco_rank_add(m->rank, n, false, rows); /* where a cell may end */
}

/* What coco_match would leave, once the index is there. */
static int restore_matches(struct job *job, size_t *odd, struct arena *mem,
                           const struct parallel *par)
{
    if (make_matches(job, mem))
        return -1;
    struct arena_mark mark = arena_mark(mem);
    if (coco_by_image(&job->by, &job->r->index, mem, par) ||
        each_part(job, place_parts, odd, par))
        return -1;
    rank_places(job->r);
    if (parallel_stopped(par) || each_part(job, copy_rows, odd, par))
        return -1;
    arena_release(mem, mark);
    return 0;
}

int coco_join(struct coco_result *r, const struct coco_truths *truths,
              const struct coco_part *part, size_t n, size_t *odd,
              struct arena *mem, const struct parallel *par)
{
    struct job job = {.r = r, .part = part, .n = n};
    const struct coco_index *whole = &truths->index;
    r->stop = par->stop;
    *odd = n;
    if (make_columns(&job, mem) || make_room(&job, truths, par->width, mem) ||
        each_part(&job, take_parts, odd, par) ||
        choose_truths(&job, truths, mem) ||
        coco_index(&r->index, r->gt, r->dt, truths->use_categories, mem, par))
        return -1;
    r->index.unknown_gt = whole->unknown_gt;
    r->index.duplicate_gt_ids = whole->duplicate_gt_ids;
    r->index.zero_gt_ids = whole->zero_gt_ids;
    return restore_matches(&job, odd, mem, par);
}
