/* Ids to rows, rows to cells. */
#include "core/coco.h"
#include "core/key_sort.h"

#include <string.h>

enum { LOOKUPS_PER_ITEM = 1 << 14 };

/* The distinct values of ids, ascending; their count goes to *n_out. */
static int64_t *distinct(const int64_t *ids, size_t n, size_t *n_out,
                         struct arena *mem, const atomic_bool *stop)
{
    struct key_order by;
    int64_t *out = arena_alloc(mem, n, sizeof(*out));
    struct arena_mark mark = arena_mark(mem);
    size_t k = 0;
    *n_out = 0;
    if (!out || key_sort_ids(&by, ids, n, mem, stop))
        return NULL;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            if (i == 0 || by.key[i] != by.key[i - 1])
                out[k++] = ids[by.row[i]];
    arena_release(mem, mark);
    *n_out = k;
    return out;
}

uint32_t coco_row_of(int64_t id, const int64_t *ids, size_t n)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ids[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && ids[lo] == id ? (uint32_t)lo : COCO_UNKNOWN;
}

/* Looking up the rows of n ids, in pieces. */
struct lookup {
    const int64_t *id, *ids;
    size_t n, n_ids;
    uint32_t *row;
};

/* Files list an image's rows together, so each looks at its neighbour first. */
static void look_up(void *context, size_t item, size_t worker)
{
    const struct lookup *l = context;
    size_t from = item * LOOKUPS_PER_ITEM, to = from + LOOKUPS_PER_ITEM;
    (void)worker;
    for (size_t i = from; i < to && i < l->n; i++)
        l->row[i] = i > from && l->id[i] == l->id[i - 1]
                        ? l->row[i - 1]
                        : coco_row_of(l->id[i], l->ids, l->n_ids);
}

static uint32_t *rows_of(const int64_t *id, size_t n, const int64_t *ids,
                         size_t n_ids, struct arena *mem,
                         const struct parallel *par)
{
    uint32_t *row = arena_alloc(mem, n, sizeof(*row));
    struct lookup l = {id, ids, n, n_ids, row};
    if (row)
        par->run(par, (n + LOOKUPS_PER_ITEM - 1) / LOOKUPS_PER_ITEM, look_up,
                 &l);
    return row;
}

/*
 * Per annotation the last one that has its id: pycocotools keeps annotations
 * in a dictionary, so every occurrence of an id becomes the last.
 */
static uint32_t *last_of_same_id(struct coco_index *ix,
                                 const struct coco_ground_truth *gt,
                                 struct arena *mem, const atomic_bool *stop)
{
    uint32_t *last = arena_alloc(mem, gt->n, sizeof(*last));
    struct key_order by;
    if (!last || key_sort_ids(&by, gt->id, gt->n, mem, stop))
        return NULL;
    for (size_t i = gt->n; i-- > 0;) {
        if (i % STOP_STRETCH == 0 && is_stopped(stop))
            return NULL;
        bool same = i + 1 < gt->n && by.key[i] == by.key[i + 1];
        last[by.row[i]] = same ? last[by.row[i + 1]] : by.row[i];
        ix->duplicate_gt_ids += same;
        ix->zero_gt_ids += gt->id[i] == 0;
    }
    return last;
}

/*
 * Stable counting sort of n rows by key[row] < n_keys; rows whose key is
 * COCO_UNKNOWN are left out.  in NULL stands for 0, 1, … n-1.  Returns how
 * many rows are in out, 0 when stopped.  count has n_keys + 1 items.
 */
static size_t sort_rows(const uint32_t *in, size_t n, const uint32_t *key,
                        size_t n_keys, uint32_t *count, uint32_t *out,
                        const atomic_bool *stop)
{
    memset(count, 0, (n_keys + 1) * sizeof(*count));
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++) {
            uint32_t k = key[in ? in[i] : i];
            if (k != COCO_UNKNOWN)
                count[k + 1]++;
        }
    for (size_t k = 0; k < n_keys; k++)
        count[k + 1] += count[k];
    size_t total = count[n_keys];
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++) {
            uint32_t row = in ? in[i] : (uint32_t)i;
            if (key[row] != COCO_UNKNOWN)
                out[count[key[row]]++] = row;
        }
    return is_stopped(stop) ? 0 : total;
}

/* Rows with their image and category, on their way into cell order. */
struct table {
    size_t n; /* rows in `row`, once sorted */
    uint32_t *row, *spare;
    const uint32_t *image, *category;
    uint32_t *class; /* n_classes + 1: where each begins in row */
    const atomic_bool *stop;
};

/* Whether sorting 0, 1, … n-1 by key would change nothing and drop none. */
static bool is_sorted(const uint32_t *key, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (key[i] < key[i - 1])
            return false;
    return n == 0 || key[n - 1] != COCO_UNKNOWN;
}

/*
 * Sorts n rows, those of `in` or all, by (category, image), or by (image,
 * category) when the categories are not used and an image is one cell.
 * Ends with t->row; t->row may be `in`.
 */
static void sort_table(struct table *t, const uint32_t *in, size_t n,
                       const struct coco_index *ix, bool use_categories,
                       uint32_t *count)
{
    const uint32_t *minor = use_categories ? t->image : t->category;
    const uint32_t *major = use_categories ? t->category : t->image;
    size_t n_minor = use_categories ? ix->n_images : ix->n_categories;
    size_t n_major = use_categories ? ix->n_categories : ix->n_images;
    if (in || !is_sorted(minor, n)) { /* files often are, by image */
        n = sort_rows(in, n, minor, n_minor, count, t->spare, t->stop);
        in = t->spare;
    }
    t->n = sort_rows(in, n, major, n_major, count, t->row, t->stop);
    t->class[0] = 0;
    t->class[ix->n_classes] = (uint32_t)t->n;
    for (size_t k = 0; use_categories && k < ix->n_classes; k++)
        t->class[k + 1] = count[k]; /* which sorting left at k's end */
}

/*
 * Ground truths in the order pycocotools meets them: images ascending, file
 * order within, and each occurrence replaced by the last of its id.  An
 * occurrence of unknown image, or of unknown category where categories are
 * used, is not met at all.
 */
static int gather_gt(struct coco_index *ix, struct table *t,
                     const struct coco_ground_truth *gt, bool use_categories,
                     uint32_t *count, struct arena *mem)
{
    uint32_t *last = last_of_same_id(ix, gt, mem, t->stop);
    if (!last)
        return -1;
    size_t n = sort_rows(NULL, gt->n, t->image, ix->n_images, count, t->spare,
                         t->stop);
    size_t met = 0;
    for (size_t i = 0, end; (end = stop_reach(t->stop, i, n)) > i;)
        for (; i < end; i++) {
            uint32_t row = t->spare[i];
            if (!use_categories || t->category[row] != COCO_UNKNOWN)
                t->row[met++] = last[row];
        }
    for (size_t i = 0; i < gt->n; i++)
        ix->unknown_gt +=
            t->image[i] == COCO_UNKNOWN || t->category[i] == COCO_UNKNOWN;
    sort_table(t, t->row, met, ix, use_categories, count);
    return 0;
}

static void gather_dt(struct coco_index *ix, struct table *t, size_t n,
                      bool use_categories, uint32_t *count)
{
    for (size_t i = 0; i < n; i++) {
        ix->unknown_image_dt += t->image[i] == COCO_UNKNOWN;
        ix->unknown_category_dt += t->category[i] == COCO_UNKNOWN;
    }
    sort_table(t, NULL, n, ix, use_categories, count);
}

/* Both sorted tables, to be cut into cells. */
struct cutting {
    struct coco_index *ix;
    const struct table *gt, *dt;
};

/* The image of row i of t; past the end of its class, after all images. */
static uint32_t image_at(const struct table *t, uint32_t i, size_t class)
{
    return i < t->class[class + 1] ? t->image[t->row[i]] : COCO_UNKNOWN;
}

/* How many rows from i on are of this image. */
static uint32_t run_length(const struct table *t, uint32_t i, uint32_t image,
                           size_t class)
{
    uint32_t n = 0;
    while (image_at(t, i + n, class) == image)
        n++;
    return n;
}

/* Walks the images of class k; writes its cells unless cell is NULL. */
static uint32_t cut_class(const struct cutting *c, size_t k,
                          struct coco_cell *cell)
{
    uint32_t g = c->gt->class[k], d = c->dt->class[k], n = 0;
    for (;;) {
        uint32_t in_gt = image_at(c->gt, g, k), in_dt = image_at(c->dt, d, k);
        uint32_t image = in_gt < in_dt ? in_gt : in_dt;
        if (image == COCO_UNKNOWN || is_stopped(c->gt->stop))
            return n;
        uint32_t n_gt = run_length(c->gt, g, image, k);
        uint32_t n_dt = run_length(c->dt, d, image, k);
        if (cell)
            cell[n] = (struct coco_cell){.image = image,
                                         .category = (uint32_t)k,
                                         .gt = g,
                                         .n_gt = n_gt,
                                         .dt = d,
                                         .n_dt = n_dt};
        g += n_gt;
        d += n_dt;
        n++;
    }
}

static void count_cells(void *context, size_t k, size_t worker)
{
    const struct cutting *c = context;
    (void)worker;
    c->ix->class_cell[k + 1] = cut_class(c, k, NULL);
}

static void write_cells(void *context, size_t k, size_t worker)
{
    const struct cutting *c = context;
    (void)worker;
    cut_class(c, k, c->ix->cell + c->ix->class_cell[k]);
}

static int make_cells(struct coco_index *ix, const struct table *gt,
                      const struct table *dt, struct arena *mem,
                      const struct parallel *par)
{
    struct cutting c = {ix, gt, dt};
    par->run(par, ix->n_classes, count_cells, &c);
    if (parallel_stopped(par))
        return -1;
    ix->class_cell[0] = 0;
    for (size_t k = 0; k < ix->n_classes; k++)
        ix->class_cell[k + 1] += ix->class_cell[k];
    ix->n_cells = ix->class_cell[ix->n_classes];
    ix->cell = arena_alloc(mem, ix->n_cells, sizeof(*ix->cell));
    if (!ix->cell)
        return -1;
    par->run(par, ix->n_classes, write_cells, &c);
    return parallel_stopped(par) ? -1 : 0;
}

/* The distinct ids, and all that is as long as there are classes of them. */
static int index_ids(struct coco_index *ix, const struct coco_ground_truth *gt,
                     bool use_categories, struct arena *mem,
                     const atomic_bool *stop)
{
    *ix = (struct coco_index){0};
    ix->image = distinct(gt->image, gt->n_images, &ix->n_images, mem, stop);
    ix->category =
        distinct(gt->category, gt->n_categories, &ix->n_categories, mem, stop);
    if (!ix->image || !ix->category)
        return -1;
    ix->n_classes = use_categories ? ix->n_categories : 1;
    size_t bounds = ix->n_classes + 1;
    ix->class_cell = arena_alloc(mem, bounds, sizeof(*ix->class_cell));
    ix->class_gt = arena_alloc(mem, bounds, sizeof(*ix->class_gt));
    ix->class_dt = arena_alloc(mem, bounds, sizeof(*ix->class_dt));
    return mem->failed ? -1 : 0;
}

int coco_index(struct coco_index *ix, const struct coco_ground_truth *gt,
               const struct coco_detections *dt, bool use_categories,
               struct arena *mem, const struct parallel *par)
{
    if (index_ids(ix, gt, use_categories, mem, par->stop))
        return -1;
    struct table g = {.class = ix->class_gt, .stop = par->stop};
    struct table d = {.class = ix->class_dt, .stop = par->stop};
    g.row = ix->gt = arena_alloc(mem, gt->n, sizeof(*ix->gt));
    g.image = rows_of(gt->image_id, gt->n, ix->image, ix->n_images, mem, par);
    d.row = ix->dt = arena_alloc(mem, dt->n, sizeof(*ix->dt));
    d.image = ix->dt_image =
        rows_of(dt->image_id, dt->n, ix->image, ix->n_images, mem, par);
    struct arena_mark mark = arena_mark(mem); /* the rest is for sorting only */
    size_t keys =
        ix->n_images > ix->n_categories ? ix->n_images : ix->n_categories;
    size_t most = gt->n > dt->n ? gt->n : dt->n;
    uint32_t *count = arena_alloc(mem, keys + 1, sizeof(*count));
    g.spare = d.spare = arena_alloc(mem, most, sizeof(*g.spare));
    g.category = rows_of(gt->category_id, gt->n, ix->category, ix->n_categories,
                         mem, par);
    d.category = rows_of(dt->category_id, dt->n, ix->category, ix->n_categories,
                         mem, par);
    if (!g.image || !g.category || !d.image || !d.category || mem->failed ||
        parallel_stopped(par))
        return -1;
    if (gather_gt(ix, &g, gt, use_categories, count, mem))
        return -1;
    gather_dt(ix, &d, dt->n, use_categories, count);
    if (parallel_stopped(par))
        return -1;
    arena_release(mem, mark);
    ix->n_gt = g.n;
    ix->n_dt = d.n;
    return make_cells(ix, &g, &d, mem, par);
}
