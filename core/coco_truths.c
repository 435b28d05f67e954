/* Which ground truth an image has, and a whole of some of the images. */
#include "core/coco_part.h"

#include <string.h>

int coco_truths_init(struct coco_truths *t, const struct coco_ground_truth *gt,
                     bool use_categories, struct arena *mem,
                     const struct parallel *par)
{
    static const struct coco_detections none = {0};
    *t = (struct coco_truths){.gt = gt, .use_categories = use_categories};
    if (coco_index(&t->index, gt, &none, use_categories, mem, par))
        return -1;
    return coco_by_image(&t->by_image, &t->index, mem, par);
}

uint32_t coco_truths_image(const struct coco_truths *t, int64_t id)
{
    return coco_row_of(id, t->index.image, t->index.n_images);
}

/* Columns that are being filled. */
struct columns {
    size_t n;
    int64_t *id, *image_id, *category_id;
    double *box, *area;
    uint8_t *crowd;
};

static void add_cell(struct columns *to, const struct coco_truths *t,
                     const struct coco_cell *cell)
{
    const struct coco_ground_truth *gt = t->gt;
    for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++, to->n++) {
        size_t row = t->index.gt[g];
        to->id[to->n] = gt->id[row];
        to->image_id[to->n] = gt->image_id[row];
        to->category_id[to->n] = gt->category_id[row];
        memcpy(to->box + 4 * to->n, gt->box + 4 * row, 4 * sizeof(*to->box));
        to->area[to->n] = gt->area[row];
        to->crowd[to->n] = gt->crowd[row];
    }
}

/* How many rows these images have. */
static size_t count_rows(const struct coco_truths *t, const uint32_t *image,
                         size_t n)
{
    const struct coco_by_image *by = &t->by_image;
    size_t rows = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = by->first[image[i]]; c < by->first[image[i] + 1]; c++)
            rows += t->index.cell[by->cell[c]].n_gt;
    return rows;
}

int coco_ground_truth_of_images(struct coco_ground_truth *out,
                                const struct coco_truths *t,
                                const uint32_t *image, size_t n,
                                struct arena *mem)
{
    const struct coco_by_image *by = &t->by_image;
    size_t rows = count_rows(t, image, n);
    int64_t *ids = arena_alloc(mem, n, sizeof(*ids));
    struct columns to = {
        .id = arena_alloc(mem, rows, sizeof(*to.id)),
        .image_id = arena_alloc(mem, rows, sizeof(*to.image_id)),
        .category_id = arena_alloc(mem, rows, sizeof(*to.category_id)),
        .box = arena_alloc(mem, rows, 4 * sizeof(*to.box)),
        .area = arena_alloc(mem, rows, sizeof(*to.area)),
        .crowd = arena_alloc(mem, rows, sizeof(*to.crowd)),
    };
    if (mem->failed)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(mem->stop, i, n)) > i;)
        for (; i < end; i++) {
            ids[i] = t->index.image[image[i]];
            for (uint32_t c = by->first[image[i]]; c < by->first[image[i] + 1];
                 c++)
                add_cell(&to, t, &t->index.cell[by->cell[c]]);
        }
    *out = (struct coco_ground_truth){
        .n_images = n,
        .n_categories = t->gt->n_categories,
        .n = rows,
        .image = ids,
        .category = t->gt->category,
        .id = to.id,
        .image_id = to.image_id,
        .category_id = to.category_id,
        .box = to.box,
        .area = to.area,
        .crowd = to.crowd,
    };
    return is_stopped(mem->stop) ? -1 : 0;
}
