/*
 * Where boxes lie, so that a box meets only those that it may overlap.
 *
 * A box belongs to the cell that its centre is in; the cells cover the middle
 * of the boxes, and what lies outside belongs to the outermost ones.  Boxes of
 * an IoU above t are similar in size, so their centres are near: grid_around
 * gives the cells that can hold any.
 */
#ifndef EVALD_CORE_KERNELS_BOX_GRID_H
#define EVALD_CORE_KERNELS_BOX_GRID_H

#include "core/kernels/box.h"

#include <assert.h>
#include <stddef.h>

enum {
    GRID_PER_CELL = 16,   /* boxes in a cell, about */
    GRID_CELLS_MAX = 256, /* along an axis */
    GRID_SAMPLE = 64,
};

/* Cells along one axis. */
struct grid_axis {
    double origin, per_unit;    /* cell = (centre - origin) * per_unit */
    double size_max, place_max; /* of the boxes' sizes and |centres| */
};

struct grid {
    size_t cells; /* along each axis */
    struct grid_axis axis[2];
};

/* A rectangle of cells, ends included. */
struct grid_part {
    size_t first[2], last[2];
};

INLINE double side_centre(struct side s)
{
    return s.lo.at * 0.5 + s.hi.at * 0.5;
}

/* How many cells n boxes deserve along each axis; the square is at most n. */
static inline size_t grid_cells(size_t n)
{
    size_t cells = 1;
    while (cells < GRID_CELLS_MAX &&
           (cells + 1) * (cells + 1) * GRID_PER_CELL <= n)
        cells++;
    return cells;
}

static inline void grid_sort(double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j && x[j] < x[j - 1]; j--) {
            double swap = x[j];
            x[j] = x[j - 1];
            x[j - 1] = swap;
        }
}

/* Lays the cells out from a sorted sample of centres, its ends left out. */
static inline void grid_lay(struct grid_axis *a, double *sample, size_t n,
                            size_t cells)
{
    assert(n > 0);
    grid_sort(sample, n);
    double lo = sample[n / 16], hi = sample[n - 1 - n / 16];
    a->origin = lo;
    a->per_unit = hi > lo ? (double)cells / (hi - lo) : 0;
}

static inline size_t grid_cell(const struct grid *g, int axis, double centre)
{
    const struct grid_axis *a = &g->axis[axis];
    double at = (centre - a->origin) * a->per_unit;
    double last = (double)(g->cells - 1);
    return at > 0 ? (size_t)(at < last ? at : last) : 0;
}

/*
 * How far apart two centres can be whose boxes' IoU is above t, if one has
 * this size: half of both less what they share, which is t of the larger.  The
 * other is at most size/t.
 */
static inline double grid_reach(const struct grid_axis *a, double size,
                                double t)
{
    double larger = lesser(size / t, a->size_max);
    double reach = t >= 0.5 ? (1 - t) * size
                            : 0.5 * size + (0.5 - t) * greater(size, larger);
    /* and all that rounding may do */
    return reach * (1 + 0x1p-20) + a->place_max * 0x1p-48;
}

static inline struct grid_part grid_around(const struct grid *g,
                                           const struct box *b, double t)
{
    struct grid_part part;
    for (int k = 0; k < 2; k++) {
        struct side s = k ? b->y : b->x;
        double centre = side_centre(s);
        double reach = grid_reach(&g->axis[k], s.size, t);
        part.first[k] = grid_cell(g, k, centre - reach);
        part.last[k] = grid_cell(g, k, centre + reach);
    }
    return part;
}

#endif
