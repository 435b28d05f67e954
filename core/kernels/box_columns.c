#include "core/kernels/box_columns.h"

static void take_apart(struct box_columns *c, size_t i)
{
    const struct box b = box_read(c->raw + 4 * i, c->format);
    double *const *column = c->column;
    column[BOX_X_LO][i] = b.x.lo.at;
    column[BOX_X_HI][i] = b.x.hi.at;
    column[BOX_X_SIZE][i] = b.x.size;
    column[BOX_Y_LO][i] = b.y.lo.at;
    column[BOX_Y_HI][i] = b.y.hi.at;
    column[BOX_Y_SIZE][i] = b.y.size;
    column[BOX_AREA][i] = b.area;
    if (c->format == BOX_XYXY)
        return;
    column[BOX_X_AT][i] = b.x.at;
    column[BOX_Y_AT][i] = b.y.at;
    column[BOX_X_LO_REST][i] = b.x.lo.rest;
    column[BOX_X_HI_REST][i] = b.x.hi.rest;
    column[BOX_Y_LO_REST][i] = b.y.lo.rest;
    column[BOX_Y_HI_REST][i] = b.y.hi.rest;
}

/* Notes the rows that are not plain. */
static int list_odd(struct box_columns *c, struct arena *mem)
{
    size_t n = 0;
    for (size_t i = 0; PRECISE && i < c->n; i++)
        n += !box_plain(c->raw + 4 * i);
    c->odd = arena_alloc(mem, n, sizeof(*c->odd));
    if (!c->odd)
        return -1;
    for (size_t i = 0; c->n_odd < n; i++)
        if (!box_plain(c->raw + 4 * i))
            c->odd[c->n_odd++] = i;
    return 0;
}

int box_columns_init(struct box_columns *c, struct arena *mem, const real *raw,
                     size_t n, enum box_format format)
{
    *c = (struct box_columns){.n = n, .format = format, .raw = raw};
    for (int k = 0; k < BOX_COLUMNS; k++) {
        if (k == BOX_ANGLE || (k >= BOX_X_AT && format == BOX_XYXY))
            continue;
        c->column[k] = arena_alloc(mem, n, sizeof(double));
        if (!c->column[k])
            return -1;
    }
    for (size_t i = 0; i < n && !is_stopped(mem->stop); i++)
        take_apart(c, i);
    return list_odd(c, mem);
}

int box_columns_angles(struct box_columns *c, struct arena *mem)
{
    double *angle = arena_alloc(mem, c->n, sizeof(*angle));
    if (!angle)
        return -1;
    for (size_t i = 0; i < c->n && !is_stopped(mem->stop); i++)
        angle[i] = atan2(c->column[BOX_X_SIZE][i], c->column[BOX_Y_SIZE][i]);
    c->column[BOX_ANGLE] = angle;
    return is_stopped(mem->stop) ? -1 : 0;
}
