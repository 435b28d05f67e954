/* The annotations of a dataset by image, and what is told of them. */
#include "api/dataset.h"
#include "core/key_sort.h"

static void count_row(const struct dataset *d, size_t row,
                      struct dataset_tally *sum)
{
    const double *box = d->gt.box + 4 * row;
    unsigned odd = d->annotation_odd[row];
    sum->annotations++;
    sum->crowd += d->gt.crowd[row];
    sum->negative_size += box[2] < 0 || box[3] < 0;
    sum->missing_area += (odd & ODD_MISSING_AREA) != 0;
    sum->ignore_overwritten += (odd & ODD_IGNORE_OVERWRITTEN) != 0;
    sum->unknown += (odd & ODD_UNKNOWN) != 0;
    sum->duplicate_ids += (odd & ODD_DUPLICATE_ID) != 0;
    sum->zero_ids += (odd & ODD_ZERO_ID) != 0;
}

void dataset_count(const struct dataset *d, size_t i, struct dataset_tally *sum)
{
    for (uint32_t r = d->first[i]; r < d->first[i + 1]; r++)
        count_row(d, d->row[r], sum);
}

/* Marks those whose id a later one has, too. */
static int mark_duplicates(const struct dataset *d, uint8_t *odd,
                           struct arena *mem)
{
    size_t n = d->gt.n;
    struct arena_mark mark = arena_mark(mem);
    struct key_order by;
    if (key_sort_ids(&by, d->gt.id, n, mem, mem->stop))
        return -1;
    for (size_t i = 1; i < n; i++)
        if (by.key[i] == by.key[i - 1])
            odd[by.row[i - 1]] |= ODD_DUPLICATE_ID;
    arena_release(mem, mark);
    return 0;
}

/* image[row] of each annotation becomes a row of d->image, or SIZE_MAX. */
static int mark(struct dataset *d, size_t *image, struct arena *mem)
{
    const struct coco_ground_truth *gt = &d->gt;
    const struct coco_index *ix = &d->truths.index;
    uint8_t *odd = arena_alloc(mem, gt->n, sizeof(*odd));
    if (!odd)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(mem->stop, i, gt->n)) > i;)
        for (; i < end; i++) {
            bool again = i > 0 && gt->image_id[i] == gt->image_id[i - 1];
            bool unknown = coco_row_of(gt->category_id[i], ix->category,
                                       ix->n_categories) == COCO_UNKNOWN;
            image[i] = again ? image[i - 1] : dataset_image(d, gt->image_id[i]);
            unknown |= image[i] == SIZE_MAX;
            odd[i] =
                (uint8_t)(d->annotation_odd[i] | (unknown ? ODD_UNKNOWN : 0) |
                          (gt->id[i] == 0 ? ODD_ZERO_ID : 0));
        }
    d->annotation_odd = odd;
    return is_stopped(mem->stop) ? -1 : mark_duplicates(d, odd, mem);
}

/* first[i + 1] counts up to image i's beginning, then on to its end. */
int dataset_sort_annotations(struct dataset *d, struct arena *mem)
{
    size_t n = d->gt.n;
    d->first = arena_zero(mem, d->n_images + 2, sizeof(*d->first));
    d->row = arena_alloc(mem, n, sizeof(*d->row));
    size_t *image = arena_alloc(mem, n, sizeof(*image));
    if (mem->failed || mark(d, image, mem))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (image[i] != SIZE_MAX)
            d->first[image[i] + 2]++;
    for (size_t i = 0; i < d->n_images; i++)
        d->first[i + 2] += d->first[i + 1];
    for (size_t i = 0; i < n; i++)
        if (image[i] != SIZE_MAX)
            d->row[d->first[image[i] + 1]++] = (uint32_t)i;
        else
            count_row(d, i, &d->elsewhere);
    return 0;
}
