/*
 * Per class the detections in use, best score first, and behind those what has
 * come since it was last asked.  Their places are numbers in order of arrival,
 * by which matches has their rows; an image arrives at once, so among equal
 * scores of one image they break ties as places in its cell would.
 *
 * Takes 20 bytes per detection and a match row for those that overlap, in
 * blocks that double: up to twice as much in use, and what was outgrown waits
 * for others to grow into.
 */
#include "core/coco_live.h"

#include "core/coco_curve.h"
#include "core/coco_mark.h"
#include "core/coco_part_fit.h"
#include "core/key_sort.h"

enum { BLOCK_LOG_MIN = 6, BLOCK_LOG_MAX = 40 };

/* 2^log bytes, or none. */
struct block {
    void *at;
    unsigned log;
};

/* A block that was outgrown. */
struct spare {
    struct spare *next;
};

/* The detections of a class, in columns. */
struct list {
    uint32_t n, n_sorted;
    struct block key;    /* uint64_t, of score_key */
    struct block sorted; /* struct coco_sorted */
    struct block image;  /* uint32_t, rows of the index */
};

struct coco_live {
    const struct coco_protocol *protocol;
    const struct coco_truths *truths;
    struct arena *mem;
    struct coco_fit fit;
    struct spare *spare[BLOCK_LOG_MAX + 1];
    struct list *list;         /* per class */
    uint32_t *positives;       /* [K][A] */
    bool *added;               /* per image */
    struct block rows, rank;   /* of matches */
    uint32_t n_places, n_rows; /* in them */
    struct coco_live_counts counts;
};

struct coco_live *coco_live_new(const struct coco_protocol *p,
                                const struct coco_truths *truths,
                                struct arena *mem)
{
    struct coco_live *live = arena_zero(mem, 1, sizeof(*live));
    const struct coco_index *ix = &truths->index;
    if (!live || coco_fit_init(&live->fit, p, truths, mem))
        return NULL;
    live->protocol = p;
    live->truths = truths;
    live->mem = mem;
    live->list = arena_zero(mem, ix->n_classes, sizeof(*live->list));
    live->positives =
        arena_zero(mem, ix->n_classes, p->n_areas * sizeof(*live->positives));
    live->added = arena_zero(mem, ix->n_images, sizeof(*live->added));
    return mem->failed ? NULL : live;
}

struct coco_live_counts coco_live_counts(const struct coco_live *live)
{
    return live->counts;
}

/*
 * Has b hold n items of size bytes, of which `used` are there.  Outgrown
 * blocks are for others to grow into.
 */
static int reserve(struct coco_live *live, struct block *b, size_t used,
                   size_t n, size_t size)
{
    size_t log = b->at ? b->log : BLOCK_LOG_MIN;
    while (log <= BLOCK_LOG_MAX && ((size_t)1 << log) / size < n)
        log++;
    if (b->at && log == b->log)
        return 0;
    if (log > BLOCK_LOG_MAX)
        return -1;
    void *at = live->spare[log];
    if (at)
        live->spare[log] = live->spare[log]->next;
    else
        at = arena_alloc(live->mem, (size_t)1 << log, 1);
    if (!at)
        return -1;
    if (b->at) {
        memcpy(at, b->at, used * size);
        struct spare *old = b->at;
        old->next = live->spare[b->log];
        live->spare[b->log] = old;
    }
    *b = (struct block){at, (unsigned)log};
    return 0;
}

static int reserve_list(struct coco_live *live, struct list *l, uint32_t more)
{
    size_t n = (size_t)l->n + more;
    return reserve(live, &l->key, l->n, n, sizeof(uint64_t)) ||
                   reserve(live, &l->sorted, l->n, n,
                           sizeof(struct coco_sorted)) ||
                   reserve(live, &l->image, l->n, n, sizeof(uint32_t))
               ? -1
               : 0;
}

/* Room for all that a part brings. */
static int reserve_part(struct coco_live *live, const struct coco_part *part)
{
    size_t places = (size_t)live->n_places + part->n_placed;
    size_t rows = (size_t)live->n_rows + part->n_rows;
    if (places > COCO_ROWS_MAX)
        return -1;
    for (size_t i = 0; i < part->n_cells; i++) {
        struct coco_part_cell cell = coco_part_cell(part, i);
        if (reserve_list(live, &live->list[cell.class], cell.n))
            return -1;
    }
    size_t ranks = live->n_places / 64 + (live->n_places % 64 > 0);
    return reserve(live, &live->rank, ranks, places / 64 + 1,
                   sizeof(struct coco_rank)) ||
                   reserve(live, &live->rows, live->n_rows, rows,
                           part->row_bytes)
               ? -1
               : 0;
}

/* Ground truths that count, of one more image. */
static void add_positives(struct coco_live *live, uint32_t image)
{
    const struct coco_by_image *by = &live->truths->by_image;
    size_t n_areas = live->protocol->n_areas;
    for (uint32_t c = by->first[image]; c < by->first[image + 1]; c++) {
        const struct coco_cell *cell = &live->truths->index.cell[by->cell[c]];
        uint32_t *positives = live->positives + cell->category * n_areas;
        for (uint32_t g = cell->gt; g < cell->gt + cell->n_gt; g++)
            for (size_t a = 0; a < n_areas; a++)
                positives[a] += coco_counts(&live->fit.whole, g, a);
    }
}

/* A detection of a part: its place there, and in its cell. */
struct arrival {
    uint32_t place, in_cell;
    size_t row; /* if it overlaps */
};

/* One that is beyond every limit gets no place. */
static void add_detection(struct coco_live *live, struct list *l,
                          const struct coco_part *part, uint32_t image,
                          struct arrival from)
{
    uint32_t dt = coco_part_u32(part->order, from.place);
    double xywh[4];
    memcpy(xywh, part->box + dt * sizeof(xywh), sizeof(xywh));
    struct coco_mark mark = coco_mark_of(live->protocol, from.in_cell, xywh);
    if (mark.limit >= COCO_LIMITS)
        return;
    mark.overlaps = coco_part_overlaps(part, from.place);
    if (mark.overlaps)
        memcpy((char *)live->rows.at + live->n_rows * (size_t)part->row_bytes,
               part->rows + from.row * part->row_bytes, part->row_bytes);
    ((uint64_t *)l->key.at)[l->n] =
        score_key(coco_part_double(part->score, dt));
    ((struct coco_sorted *)l->sorted.at)[l->n] =
        (struct coco_sorted){live->n_places, mark};
    ((uint32_t *)l->image.at)[l->n++] = image;
    live->n_rows = coco_rank_add(live->rank.at, live->n_places++, mark.overlaps,
                                 live->n_rows);
}

int coco_live_add(struct coco_live *live, const struct coco_part *part)
{
    uint32_t image = coco_truths_image(live->truths, part->image);
    struct arrival at = {0};
    if (image == COCO_UNKNOWN || live->added[image] ||
        !coco_part_fits(&live->fit, part) || reserve_part(live, part))
        return -1;
    for (size_t i = 0; i < part->n_cells; i++) {
        struct coco_part_cell cell = coco_part_cell(part, i);
        for (at.in_cell = 0; at.in_cell < cell.n; at.in_cell++, at.place++) {
            add_detection(live, &live->list[cell.class], part, image, at);
            at.row += coco_part_overlaps(part, at.place);
        }
    }
    add_positives(live, image);
    live->added[image] = true;
    live->counts.images++;
    live->counts.detections += part->n_dt;
    return 0;
}

/* To sort what has come to the class where that is most. */
struct scratch {
    struct key_order by;
    uint32_t *image;
    struct coco_sorted *sorted;
};

struct job {
    struct coco_live *live;
    struct scratch *scratch; /* one per worker */
    const atomic_bool *stop;
};

/* Orders n that came, by score, of equal ones by image, then as they came. */
static void sort_arrivals(const struct list *l, uint32_t n,
                          const struct scratch *s, const atomic_bool *stop)
{
    const uint64_t *key = (const uint64_t *)l->key.at + l->n_sorted;
    bool rising = true;
    memcpy(s->image, (const uint32_t *)l->image.at + l->n_sorted,
           n * sizeof(*s->image));
    memcpy(s->sorted, (const struct coco_sorted *)l->sorted.at + l->n_sorted,
           n * sizeof(*s->sorted));
    for (uint32_t i = 0; i < n; i++) {
        s->by.key[i] = s->image[i];
        s->by.row[i] = i;
        rising &= i == 0 || s->image[i - 1] <= s->image[i];
    }
    if (!rising)
        key_sort(&s->by, n, stop);
    for (uint32_t i = 0; i < n && !is_stopped(stop); i++)
        s->by.key[i] = key[s->by.row[i]];
    if (!is_stopped(stop))
        key_sort(&s->by, n, stop);
}

/* Merges n into the list, which they were the end of, from its end on. */
static void merge(struct list *l, uint32_t n, const struct scratch *s)
{
    uint64_t *key = l->key.at;
    uint32_t *image = l->image.at;
    struct coco_sorted *sorted = l->sorted.at;
    for (size_t old = l->n_sorted, to = l->n; n > 0;) {
        uint32_t row = s->by.row[n - 1];
        to--;
        if (old > 0 && (key[old - 1] > s->by.key[n - 1] ||
                        (key[old - 1] == s->by.key[n - 1] &&
                         image[old - 1] > s->image[row]))) {
            old--;
            key[to] = key[old];
            image[to] = image[old];
            sorted[to] = sorted[old];
        } else {
            n--;
            key[to] = s->by.key[n];
            image[to] = s->image[row];
            sorted[to] = s->sorted[row];
        }
    }
    l->n_sorted = l->n;
}

/* Merging is not stopped halfway: the list is to be of use afterwards. */
static void sort_list(void *context, size_t k, size_t worker)
{
    const struct job *job = context;
    const struct scratch *s = &job->scratch[worker];
    struct list *l = &job->live->list[k];
    uint32_t n = l->n - l->n_sorted;
    if (n == 0)
        return;
    sort_arrivals(l, n, s, job->stop);
    if (!is_stopped(job->stop))
        merge(l, n, s);
}

static int sort_lists(struct coco_live *live, struct arena *mem,
                      const struct parallel *par)
{
    struct job job = {.live = live, .stop = par->stop};
    size_t n_classes = live->truths->index.n_classes, n = 0;
    struct arena_mark mark = arena_mark(mem);
    for (size_t k = 0; k < n_classes; k++)
        if (live->list[k].n - live->list[k].n_sorted > n)
            n = live->list[k].n - live->list[k].n_sorted;
    job.scratch = arena_alloc(mem, par->width, sizeof(*job.scratch));
    for (size_t w = 0; w < par->width && !mem->failed; w++)
        job.scratch[w] = (struct scratch){
            .by = key_order_alloc(n, mem),
            .image = arena_alloc(mem, n, sizeof(uint32_t)),
            .sorted = arena_alloc(mem, n, sizeof(struct coco_sorted)),
        };
    if (mem->failed)
        return -1;
    par->run(par, n_classes, sort_list, &job);
    if (parallel_stopped(par))
        return -1;
    arena_release(mem, mark);
    return 0;
}

/* The state as a result whose numbers can be asked for. */
static int make_result(const struct coco_live *live, struct coco_result *r,
                       struct arena *mem, const struct parallel *par)
{
    size_t n = live->truths->index.n_classes;
    size_t n_areas = live->protocol->n_areas;
    struct coco_ranked *ranked = arena_alloc(mem, n, sizeof(*ranked));
    *r = live->fit.whole;
    r->matches = live->fit.shape;
    r->matches.rows = live->rows.at;
    r->matches.rank = live->rank.at;
    r->class = arena_zero(mem, n, sizeof(*r->class));
    for (size_t k = 0; k < n && !mem->failed; k++) {
        memcpy(r->class[k].positives, live->positives + k * n_areas,
               n_areas * sizeof(*live->positives));
        ranked[k] =
            (struct coco_ranked){live->list[k].sorted.at, live->list[k].n};
    }
    if (mem->failed)
        return -1;
    return coco_curves(r, ranked, (struct coco_wanted){0}, mem, par);
}

int coco_live_values(struct coco_live *live, double *value,
                     struct arena *scratch, const struct parallel *par)
{
    struct coco_result r;
    if (sort_lists(live, scratch, par) || make_result(live, &r, scratch, par))
        return -1;
    for (size_t i = 0; i < coco_number_count(live->protocol); i++) {
        struct coco_number number = coco_number(live->protocol, i);
        value[i] = coco_value(&r, &number, COCO_ALL_CLASSES);
    }
    return parallel_stopped(par) ? -1 : 0;
}
