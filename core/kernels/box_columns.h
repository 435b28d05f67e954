/*
 * Boxes as columns, for loops in which one box meets many.
 */
#ifndef EVALD_CORE_KERNELS_BOX_COLUMNS_H
#define EVALD_CORE_KERNELS_BOX_COLUMNS_H

#include "core/kernels/box.h"

/* The numbers of struct box, in a column each. */
enum box_column {
    BOX_X_LO,
    BOX_X_HI,
    BOX_X_SIZE,
    BOX_Y_LO,
    BOX_Y_HI,
    BOX_Y_SIZE,
    BOX_AREA,
    BOX_ANGLE,
    BOX_X_AT, /* from here on for formats other than xyxy only */
    BOX_X_LO_REST,
    BOX_X_HI_REST,
    BOX_Y_AT,
    BOX_Y_LO_REST,
    BOX_Y_HI_REST,
    BOX_COLUMNS
};

struct box_columns {
    size_t n;
    enum box_format format;
    const real *raw; /* n*4, as the client gave them */
    double *column[BOX_COLUMNS];
    size_t *odd, n_odd; /* the rows that are not plain, rising */
};

/* Takes n boxes apart, in memory from mem.  -1 when that is spent or stopped.
 */
int NAME(box_columns_init)(struct box_columns *c, struct arena *mem,
                           const real *raw, size_t n, enum box_format format);
#define box_columns_init NAME(box_columns_init)

/* Fills the column of angles, by atan2(width, height); -1 likewise. */
int NAME(box_columns_angles)(struct box_columns *c, struct arena *mem);
#define box_columns_angles NAME(box_columns_angles)

/* Row i; where it is not asked for, the angle is 0. */
INLINE struct box box_at(double *const column[BOX_COLUMNS], size_t i,
                         enum box_format format, bool angle)
{
    bool given = format != BOX_XYXY;
#define AT(name) column[BOX_##name][i]
#define GIVEN(name) (given ? column[BOX_##name][i] : 0)
    return (struct box){{{AT(X_LO), GIVEN(X_LO_REST)},
                         {AT(X_HI), GIVEN(X_HI_REST)},
                         GIVEN(X_AT),
                         AT(X_SIZE)},
                        {{AT(Y_LO), GIVEN(Y_LO_REST)},
                         {AT(Y_HI), GIVEN(Y_HI_REST)},
                         GIVEN(Y_AT),
                         AT(Y_SIZE)},
                        AT(AREA),
                        angle ? AT(ANGLE) : 0};
#undef AT
#undef GIVEN
}

#endif
