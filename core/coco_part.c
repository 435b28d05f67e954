/* One image's detections and matches as bytes, and back. */
#include "core/coco_mark.h"
#include "core/coco_part_fit.h"
#include "core/key_sort.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers are copied as they are");

/* What a part begins with. */
struct head {
    char magic[4];
    uint16_t row_bytes, zero;
    int64_t image;
    uint32_t n_dt, n_placed, n_rows, n_cells, n_truths, negative_size;
};

_Static_assert(sizeof(struct head) == 40, "no padding");

static const char magic[4] = {'e', 'v', 'P', '1'};

/* What follows the head: its members in struct coco_part, in this order. */
struct section {
    size_t view; /* offset of its pointer */
    size_t n, size;
};

enum { SECTIONS = 8 };

static void list_sections(const struct coco_part *p,
                          struct section out[SECTIONS])
{
    const struct section sections[SECTIONS] = {
        {offsetof(struct coco_part, category), p->n_dt, sizeof(int64_t)},
        {offsetof(struct coco_part, box), p->n_dt, 4 * sizeof(double)},
        {offsetof(struct coco_part, score), p->n_dt, sizeof(double)},
        {offsetof(struct coco_part, cell), p->n_cells, 2 * sizeof(uint32_t)},
        {offsetof(struct coco_part, order), p->n_placed, sizeof(uint32_t)},
        {offsetof(struct coco_part, overlaps), (p->n_placed + UINT64_C(7)) / 8,
         1},
        {offsetof(struct coco_part, rows), p->n_rows, p->row_bytes},
        {offsetof(struct coco_part, truth), p->n_rows, sizeof(uint32_t)},
    };
    memcpy(out, sections, sizeof(sections));
}

/*
 * Points p into bytes, where its counts say that things are.  Returns how long
 * it is, SIZE_MAX when that is more than there can be.
 */
static size_t lay_out(struct coco_part *p, const uint8_t *bytes)
{
    struct section section[SECTIONS];
    size_t at = sizeof(struct head);
    list_sections(p, section);
    for (size_t i = 0; i < SECTIONS; i++) {
        const uint8_t *view = bytes ? bytes + at : NULL;
        size_t size;
        memcpy((char *)p + section[i].view, &view, sizeof(view));
        if (__builtin_mul_overflow(section[i].n, section[i].size, &size) ||
            __builtin_add_overflow(at, size, &at))
            return SIZE_MAX;
    }
    return at;
}

static void put_u32(const uint8_t *to, size_t i, uint32_t x)
{
    memcpy((uint8_t *)to + i * sizeof(x), &x, sizeof(x));
}

/* Fills cells, order, overlaps, rows and truth. */
static void put_matches(const struct coco_part *p, const struct coco_result *r)
{
    const struct coco_index *ix = &r->index;
    const struct coco_matches *m = &r->matches;
    size_t n_cells = 0, row = 0;
    memset((uint8_t *)p->overlaps, 0, (p->n_placed + UINT64_C(7)) / 8);
    memcpy((uint8_t *)p->rows, m->rows, p->n_rows * m->row_bytes);
    for (size_t c = 0; c < ix->n_cells && !is_stopped(r->stop); c++) {
        const struct coco_cell *cell = &ix->cell[c];
        if (cell->n_dt == 0)
            continue;
        put_u32(p->cell, 2 * n_cells, cell->category);
        put_u32(p->cell, 2 * n_cells++ + 1, cell->n_dt);
        for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
            put_u32(p->order, d, ix->dt[d]);
            if (!m->mark[d].overlaps)
                continue;
            ((uint8_t *)p->overlaps)[d / 8] |= (uint8_t)(1u << d % 8);
            put_u32(p->truth, row++,
                    m->truth[d] == COCO_UNKNOWN ? COCO_UNKNOWN
                                                : m->truth[d] - cell->gt);
        }
    }
}

static struct coco_part measure(const struct coco_result *r)
{
    const struct coco_index *ix = &r->index;
    struct coco_part p = {
        .image = ix->image[0],
        .n_dt = (uint32_t)r->dt->n,
        .n_placed = (uint32_t)ix->n_dt,
        .n_truths = (uint32_t)ix->n_gt,
        .row_bytes = (uint16_t)r->matches.row_bytes,
    };
    for (size_t d = 0; d < ix->n_dt; d++)
        p.n_rows += r->matches.mark[d].overlaps;
    for (size_t c = 0; c < ix->n_cells; c++)
        p.n_cells += ix->cell[c].n_dt > 0;
    for (size_t i = 0; i < r->dt->n; i++)
        p.negative_size +=
            r->dt->box[4 * i + 2] < 0 || r->dt->box[4 * i + 3] < 0;
    return p;
}

uint8_t *coco_part_pack(const struct coco_result *r, size_t *n_bytes,
                        struct arena *mem)
{
    struct coco_part p = measure(r);
    *n_bytes = lay_out(&p, NULL);
    uint8_t *bytes = arena_alloc(mem, *n_bytes, 1);
    if (!bytes)
        return NULL;
    lay_out(&p, bytes);
    struct head head = {
        .row_bytes = p.row_bytes,
        .image = p.image,
        .n_dt = p.n_dt,
        .n_placed = p.n_placed,
        .n_rows = p.n_rows,
        .n_cells = p.n_cells,
        .n_truths = p.n_truths,
        .negative_size = p.negative_size,
    };
    memcpy(head.magic, magic, sizeof(magic));
    memcpy(bytes, &head, sizeof(head));
    size_t n = r->dt->n;
    stop_copy(r->stop, (uint8_t *)p.category, r->dt->category_id, 8 * n);
    stop_copy(r->stop, (uint8_t *)p.box, r->dt->box, 32 * n);
    stop_copy(r->stop, (uint8_t *)p.score, r->dt->score, 8 * n);
    put_matches(&p, r);
    return is_stopped(r->stop) ? NULL : bytes;
}

static bool all_finite(const uint8_t *p, size_t n)
{
    uint64_t odd = 0;
    for (size_t i = 0; i < n; i++) {
        double x = coco_part_double(p, i);
        odd |= x - x != 0;
    }
    return !odd;
}

/* Whether n numbers are below end, or COCO_UNKNOWN if it may be. */
static bool all_below(const uint8_t *p, size_t n, uint32_t end, bool unknown)
{
    uint32_t odd = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = coco_part_u32(p, i);
        odd |= (x >= end) & !(unknown && x == COCO_UNKNOWN);
    }
    return !odd;
}

/* Classes rise and have detections, which are n_placed together. */
static bool cells_add_up(const struct coco_part *p, size_t n_classes)
{
    uint64_t placed = 0, next = 0;
    for (size_t i = 0; i < p->n_cells; i++) {
        struct coco_part_cell cell = coco_part_cell(p, i);
        if (cell.class < next || cell.class >= n_classes || cell.n == 0)
            return false;
        next = (uint64_t)cell.class + 1;
        placed += cell.n;
    }
    return placed == p->n_placed;
}

static bool bits_add_up(const struct coco_part *p)
{
    size_t bytes = (p->n_placed + (size_t)7) / 8, rows = 0;
    for (size_t i = 0; i < bytes; i++)
        rows += (size_t)__builtin_popcount(p->overlaps[i]);
    if (p->n_placed % 8 != 0 && p->overlaps[bytes - 1] >> p->n_placed % 8)
        return false; /* bits of no place */
    return rows == p->n_rows;
}

int coco_part_open(struct coco_part *part, const uint8_t *bytes, size_t n_bytes,
                   const struct coco_protocol *p, size_t n_classes)
{
    struct head head;
    struct coco_matches shape;
    if (n_bytes < sizeof(head))
        return -1;
    memcpy(&head, bytes, sizeof(head));
    coco_matches_shape(&shape, p);
    if (memcmp(head.magic, magic, sizeof(magic)) != 0 || head.zero != 0 ||
        head.row_bytes != shape.row_bytes || head.n_dt > COCO_ROWS_MAX ||
        head.n_placed > head.n_dt || head.negative_size > head.n_dt)
        return -1;
    *part = (struct coco_part){
        .image = head.image,
        .n_dt = head.n_dt,
        .n_placed = head.n_placed,
        .n_rows = head.n_rows,
        .n_cells = head.n_cells,
        .n_truths = head.n_truths,
        .negative_size = head.negative_size,
        .row_bytes = head.row_bytes,
    };
    if (lay_out(part, NULL) != n_bytes)
        return -1;
    lay_out(part, bytes);
    return cells_add_up(part, n_classes) && bits_add_up(part) &&
                   all_finite(part->box, 4 * (size_t)part->n_dt) &&
                   all_finite(part->score, part->n_dt) &&
                   all_below(part->order, part->n_placed, part->n_dt, false) &&
                   all_below(part->truth, part->n_rows, part->n_truths, true)
               ? 0
               : -1;
}
