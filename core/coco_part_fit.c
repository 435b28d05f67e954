#include "core/coco_part_fit.h"

#include "core/coco_mark.h"
#include "core/key_sort.h"

int coco_fit_init(struct coco_fit *fit, const struct coco_protocol *p,
                  const struct coco_truths *truths, struct arena *mem)
{
    size_t most = 0;
    for (size_t c = 0; c < truths->index.n_cells; c++)
        if (truths->index.cell[c].n_gt > most)
            most = truths->index.cell[c].n_gt;
    *fit = (struct coco_fit){
        .whole = {.protocol = p, .gt = truths->gt, .index = truths->index},
        .truths = truths,
        .taken = arena_alloc(mem, most, sizeof(*fit->taken)),
    };
    coco_matches_shape(&fit->shape, p);
    return fit->taken ? 0 : -1;
}

/* A cell of a part, and what the whole has there. */
struct fitted {
    uint32_t class, place, n; /* of the part's places */
    uint32_t row, n_rows;     /* of the part's rows */
    uint32_t gt, n_gt;        /* of the whole's index.gt */
};

/* The order of detections in a cell: by score; of equal ones as they came. */
struct position {
    uint64_t key;
    int64_t category; /* matters where all of them share a cell */
    uint32_t dt;
};

static bool before(const struct position *a, const struct position *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    return a->category != b->category ? a->category < b->category
                                      : a->dt < b->dt;
}

/* Detections of the cell's category, in order, so none of them twice. */
static bool in_order(const struct coco_fit *fit, const struct coco_part *part,
                     const struct fitted *cell)
{
    const struct coco_index *ix = &fit->truths->index;
    struct position last = {0};
    for (uint32_t i = 0; i < cell->n; i++) {
        if (i % STOP_STRETCH == 0 && is_stopped(fit->whole.stop))
            return false;
        uint32_t dt = coco_part_u32(part->order, cell->place + (size_t)i);
        struct position here = {score_key(coco_part_double(part->score, dt)),
                                coco_part_i64(part->category, dt), dt};
        if (fit->truths->use_categories
                ? here.category != ix->category[cell->class]
                : coco_row_of(here.category, ix->category, ix->n_categories) ==
                      COCO_UNKNOWN)
            return false;
        if (i > 0 && !before(&last, &here))
            return false;
        last = here;
    }
    return true;
}

/* The thresholds at which the detection of a row is a true positive. */
static uint64_t true_at(const struct coco_fit *fit,
                        const struct coco_part *part, size_t row, size_t area)
{
    size_t bytes = fit->shape.mask_bytes;
    const uint8_t *p = part->rows + row * part->row_bytes + area * 2 * bytes;
    return coco_bits_load(p, bytes) & ~coco_bits_load(p + bytes, bytes) &
           UINT64_MAX >> (64 - fit->shape.n_thresholds);
}

static bool true_within(const struct coco_fit *fit,
                        const struct coco_part *part, const struct fitted *cell,
                        size_t area)
{
    uint32_t positives = 0, any = 0, count[COCO_IOU_MAX + 1] = {0};
    size_t end = cell->row + (size_t)cell->n_rows;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
        positives += coco_counts(&fit->whole, g, area);
    for (size_t row = cell->row; row < end; row++)
        any += true_at(fit, part, row, area) != 0;
    if (any <= positives)
        return true;
    for (size_t row = cell->row; row < end; row++)
        for (uint64_t bits = true_at(fit, part, row, area); bits;
             bits &= bits - 1)
            if (++count[__builtin_ctzll(bits)] > positives)
                return false;
    return true;
}

/* What the rows' detections met is there, and true ones met it alone. */
static bool met_apart(const struct coco_fit *fit, const struct coco_part *part,
                      const struct fitted *cell)
{
    size_t area = fit->whole.protocol->area_all;
    size_t end = cell->row + (size_t)cell->n_rows;
    memset(fit->taken, 0, cell->n_gt * sizeof(*fit->taken));
    for (size_t row = cell->row; row < end; row++) {
        uint32_t truth = coco_part_u32(part->truth, row);
        if (truth != COCO_UNKNOWN && truth >= cell->n_gt)
            return false;
        if (!(true_at(fit, part, row, area) >> fit->shape.per_image & 1))
            continue;
        if (truth == COCO_UNKNOWN || fit->taken[truth] ||
            !coco_counts(&fit->whole, cell->gt + truth, area))
            return false;
        fit->taken[truth] = true;
    }
    return true;
}

static bool cell_fits(const struct coco_fit *fit, const struct coco_part *part,
                      const struct fitted *cell)
{
    for (size_t a = 0; a < fit->whole.protocol->n_areas; a++)
        if (!true_within(fit, part, cell, a))
            return false;
    return in_order(fit, part, cell) && met_apart(fit, part, cell);
}

/* Whether the image's cells have as many ground truths as the part says. */
static bool truths_add_up(const struct coco_truths *t, uint32_t image,
                          uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t c = t->by_image.first[image];
         c < t->by_image.first[image + 1]; c++)
        sum += t->index.cell[t->by_image.cell[c]].n_gt;
    return sum == n;
}

bool coco_part_fits(struct coco_fit *fit, const struct coco_part *part)
{
    const struct coco_truths *t = fit->truths;
    const struct coco_by_image *by = &t->by_image;
    uint32_t image = coco_truths_image(t, part->image);
    if (image == COCO_UNKNOWN || !truths_add_up(t, image, part->n_truths))
        return false;
    struct fitted at = {0};
    uint32_t c = by->first[image], end = by->first[image + 1];
    for (size_t i = 0; i < part->n_cells; i++) {
        struct coco_part_cell cell = coco_part_cell(part, i);
        at.class = cell.class;
        at.n = cell.n;
        at.n_rows = at.gt = at.n_gt = 0;
        for (uint32_t d = at.place; d < at.place + at.n; d++)
            at.n_rows += coco_part_overlaps(part, d);
        while (c < end && t->index.cell[by->cell[c]].category < at.class)
            c++;
        if (c < end && t->index.cell[by->cell[c]].category == at.class) {
            at.gt = t->index.cell[by->cell[c]].gt;
            at.n_gt = t->index.cell[by->cell[c]].n_gt;
        }
        if (!cell_fits(fit, part, &at))
            return false;
        at.place += at.n;
        at.row += at.n_rows;
    }
    return true;
}
