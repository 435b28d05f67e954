/*
 * Scores of boxes whose areas, or products of them, double cannot hold: the
 * same code in long double, whose exponents have four bits more.
 */
#define BOX_NUMBER long double
#include "core/kernels/box_score.h"

struct box_answer box_answer_wide(enum box_metric metric,
                                  const struct box_rule *r, const real *p,
                                  const real *q, bool crowd,
                                  enum box_format format)
{
    return box_answer(metric, r, p, q, crowd, format);
}
