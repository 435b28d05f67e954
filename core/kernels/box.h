/*
 * The geometry of two boxes: what all that compares boxes is made of.
 *
 * A box is two sides, one along each axis.  How two sides a and b lie follows
 * from four lengths: their sizes, from the start of b to the end of a, and
 * from the start of a to the end of b.  The least of the four is the length
 * they share (negative: minus the gap), the greatest spans both, and the
 * difference of the last two is twice the distance of their centres.  Each is
 * rounded once, wherever the boxes lie: an end that is a sum, as in xywh and
 * cxcywh, is kept as that sum, and a given size is never worked out anew.
 *
 * All is done in `number`: double here, and long double for box_wide.c.  In
 * double no area, nor a product of three of them, leaves the range as long as
 * both boxes are plain; those that are not go to box_wide.c.
 */
#ifndef EVALD_CORE_KERNELS_BOX_H
#define EVALD_CORE_KERNELS_BOX_H

#include "core/kernels/map.h"

#include <float.h>
#include <math.h>

#ifndef BOX_NUMBER
#define BOX_NUMBER double
#endif
typedef BOX_NUMBER number;

enum box_format { BOX_XYXY, BOX_XYWH, BOX_CXCYWH };

#define BOX_FORMAT_PARAM                                                     \
    {                                                                        \
        .name = "format", .type = OP_CHOICE, .fallback = BOX_XYXY,           \
        .choices = (const char *const[]){"xyxy", "xywh", "cxcywh", NULL},    \
        .doc =                                                               \
            "what the four numbers of a box are: two corners, or the lower " \
            "corner or the centre with width and height"                     \
    }

/* Where a side ends: at + rest, at being that sum rounded. */
struct edge {
    number at, rest;
};

/* A box along one axis. */
struct side {
    struct edge lo, hi;
    number at, size; /* of xywh and cxcywh as given */
};

struct box {
    struct side x, y;
    number area;
    number angle; /* of the diagonal: atan2(width, height) */
};

/*
 * Whether products of areas are within the range of double: all coordinates
 * are 0 or within what float can hold, so that every difference of two of
 * them is 0 or above 2^-150.
 */
INLINE bool box_plain(const real *p)
{
    bool plain = true;
    for (int i = 0; PRECISE && i < 4; i++) {
        double size = fabs((double)p[i]);
        plain &= size == 0 || (size >= 0x1p-97 && size <= 0x1p128);
    }
    return plain;
}

/* The sum of two numbers without any error (Knuth, TAOCP 2, 4.2.2). */
INLINE struct edge edge_sum(number a, number b)
{
    number at = a + b, of_b = at - a;
    return (struct edge){at, (a - (at - of_b)) + (b - of_b)};
}

/* The part of a box p along axis 0 or 1. */
INLINE struct side side_read(const real *p, int axis, enum box_format format)
{
    number at = p[axis], size = p[axis + 2];
    struct edge exact = {at, 0};
    if (format == BOX_XYXY)
        return (struct side){exact, {size, 0}, at, size - at};
    if (format == BOX_XYWH)
        return (struct side){exact, edge_sum(at, size), at, size};
    return (struct side){edge_sum(at, -size / 2), edge_sum(at, size / 2), at,
                         size};
}

/* All but the angle. */
INLINE struct box box_read(const real *p, enum box_format format)
{
    struct box b = {side_read(p, 0, format), side_read(p, 1, format), 0, 0};
    b.area = b.x.size * b.y.size;
    return b;
}

/* Comparisons as the processor's own minimum and maximum make them. */
INLINE number lesser(number a, number b)
{
    return a < b ? a : b;
}

INLINE number greater(number a, number b)
{
    return a > b ? a : b;
}

/* 1/b, and 0 where b is no positive number. */
INLINE number inverse(number b)
{
    return b > 0 ? 1 / b : 0;
}

/* a/b, and 0 where b is no positive number, for then a is 0 too. */
INLINE number quotient(number a, number b)
{
    const number least =
        sizeof(number) > sizeof(double) ? (number)LDBL_MIN : (number)DBL_MIN;
    return a / greater(b, least);
}

/* From lo to hi. */
INLINE number edge_distance(struct edge lo, struct edge hi)
{
    struct edge d = edge_sum(hi.at, -lo.at);
    return d.at + (d.rest + (hi.rest - lo.rest));
}

/* How two sides a and b lie. */
struct meeting {
    number inner;  /* the length they share; negative: minus the gap */
    number shared; /* the same, and 0 across a gap */
    number outer;  /* the length that spans both */
    number shift;  /* twice the centre of a less twice the centre of b */
};

/* Of xyxy, where all ends are numbers, it takes fewer steps. */
INLINE struct meeting corners_meet(struct side a, struct side b)
{
    number start = greater(a.lo.at, b.lo.at), end = lesser(a.hi.at, b.hi.at);
    return (struct meeting){
        end - start,
        greater(end, start) - start,
        greater(a.hi.at, b.hi.at) - lesser(a.lo.at, b.lo.at),
        (a.hi.at - b.lo.at) - (b.hi.at - a.lo.at),
    };
}

INLINE struct meeting side_meet(struct side a, struct side b,
                                enum box_format format)
{
    if (format == BOX_XYXY)
        return corners_meet(a, b);
    number p = edge_distance(b.lo, a.hi), q = edge_distance(a.lo, b.hi);
    number inner = lesser(lesser(a.size, b.size), lesser(p, q));
    number centred = 2 * (a.at - b.at);
    return (struct meeting){
        inner,
        greater(inner, 0),
        greater(greater(a.size, b.size), greater(p, q)),
        format == BOX_XYWH ? centred + (a.size - b.size) : centred,
    };
}

/* 1 if a lies before b, 0 if behind, 1/2 if they are the same. */
INLINE number edge_before(struct edge a, struct edge b)
{
    number rest = a.rest == b.rest ? 0.5 : a.rest < b.rest;
    return a.at == b.at ? rest : a.at < b.at;
}

#endif
