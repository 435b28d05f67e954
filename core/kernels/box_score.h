/*
 * IoU and its kin of two boxes a and b, and what each does when a moves.
 *
 *     iou = I/U              I, U   areas of intersection and union
 *     giou = iou - (C-U)/C   C      area of the smallest enclosing box
 *     diou = iou - d2/c2     d2     squared distance of the centres
 *                            c2     squared diagonal of the enclosing box
 *     ciou = diou - alpha v  v = 4/pi^2 (difference of the angles)^2
 *                            alpha = v/(1 - iou + v)
 *
 * A quotient whose denominator is not positive is 0 with zero gradient.  Each
 * value is within 4 units in the last place of 1 of the exact one, iou within
 * 4 of its own.  Never is giou or diou above iou, nor ciou above diou.
 *
 * Sources: Rezatofighi et al. 2019, arXiv:1902.09630 (giou); Zheng et al.
 * 2020, arXiv:1911.08287 (diou, ciou).
 */
#ifndef EVALD_CORE_KERNELS_BOX_SCORE_H
#define EVALD_CORE_KERNELS_BOX_SCORE_H

#include "core/kernels/box.h"

enum box_metric { BOX_IOU, BOX_GIOU, BOX_DIOU, BOX_CIOU };

/* What implementations differ in; all zero is the definition above. */
struct box_rule {
    double eps;       /* added to U, C and c2 */
    bool floor;       /* U and C are raised to eps, in place of adding it */
    bool strict;      /* boxes that only touch do not meet: no gradient */
    bool clamp;       /* iou is at least eps, ciou within [-1, 1] */
    double alpha_eps; /* added to the denominator of alpha */
    double flat_eps;  /* added to the height in an angle */
    double gate;      /* alpha is 0 unless iou is above; 0 = no gate */
    bool full;        /* the gradient knows that alpha is no constant */
    bool paper;       /* 1/(w^2 + h^2) in the gradient of v is left out */
};

/* A denominator by the rule, and its derivative by what it was made from. */
struct denominator {
    number value, slope;
};

INLINE struct denominator denominator(number x, const struct box_rule *r)
{
    if (!r->floor)
        return (struct denominator){x + r->eps, 1};
    number eps = r->eps, slope = x == eps ? 0.5 : x > eps;
    return (struct denominator){greater(x, eps), slope};
}

/*
 * Derivatives of a score along one axis.  An end of a that moves outwards
 * changes the size of a and, as it lies within b or beyond it, the
 * intersection or the enclosing box.
 */
struct slopes {
    number within, beyond; /* by an end that lies so */
    number size;           /* by the size of a alone, in addition to those */
    number shift;          /* by twice the centre of a, likewise */
};

struct box_score {
    number iou, value;
    number distance; /* d2/c2, of diou and ciou */
    struct slopes x, y;
};

/* What a metric is made from. */
struct box_pair {
    const struct box *a, *b;
    struct meeting x, y;
    bool meet;                /* whether inner lengths have an effect */
    number inner, both, hull; /* I, U, C */
    number other;             /* area of b */
};

INLINE number box_angle(struct box b, const struct box_rule *r)
{
    number w = b.x.size, h = b.y.size + r->flat_eps;
    return sizeof(number) > sizeof(double)
               ? (number)atan2l(w, h)
               : (number)atan2((double)w, (double)h);
}

/*
 * What an axis adds to the slopes of I/U: of a its size and the other one, the
 * lengths shared along both, `rest` the area of b, if it counts, and eps.  The
 * terms are such that none cancels another.
 */
INLINE void iou_slopes(struct slopes *s, bool meet, number size, number across,
                       number inner, number inner_across, number rest,
                       number iou, struct denominator u)
{
    number whole = inverse(u.value);
    number grow = (size - inner) * across + rest;
    grow = u.slope * grow + (1 - u.slope) * u.value;
    s->beyond = -u.slope * iou * across * whole;
    s->within = meet ? inner_across * whole * grow * whole : s->beyond;
}

/* The same of U/C, for (C-U)/C is 1 - U/C. */
INLINE void giou_slopes(struct slopes *s, const struct box_pair *p,
                        struct side a, number across, struct meeting along,
                        struct meeting over, struct denominator u,
                        struct denominator c, number eps)
{
    number whole = inverse(c.value);
    number shared = p->meet ? over.inner : 0;
    /* the same twice: the first without needless cancellation */
    number uncovered =
        across * (along.outer - a.size) - (p->other - along.shared * shared);
    number grow = over.outer * uncovered + eps * (across - over.outer);
    if (u.slope != 1 || c.slope != 1)
        grow = u.slope * across * c.value - c.slope * u.value * over.outer;
    s->within += u.slope * (across - shared) * whole;
    s->beyond += grow * whole * whole;
}

/* Takes (C-U)/C off; where the rule raises U, u.value stands for it. */
INLINE void giou_penalty(struct box_score *s, const struct box_pair *p,
                         struct denominator u, const struct box_rule *r)
{
    struct denominator c = denominator(p->hull, r);
    number excess = r->floor ? c.value - u.value : p->hull - p->both;
    number eps = r->floor ? 0 : r->eps;
    s->value -= quotient(greater(excess, 0), c.value);
    giou_slopes(&s->x, p, p->a->x, p->a->y.size, p->x, p->y, u, c, eps);
    giou_slopes(&s->y, p, p->a->y, p->a->x.size, p->y, p->x, u, c, eps);
}

/* Takes d2/c2 off. */
INLINE void diou_penalty(struct box_score *s, const struct box_pair *p,
                         const struct box_rule *r)
{
    struct meeting x = p->x, y = p->y;
    number c2 = x.outer * x.outer + y.outer * y.outer + r->eps;
    number d2 = (x.shift * x.shift + y.shift * y.shift) * 0.25;
    number q = quotient(d2, c2), whole = inverse(c2);
    s->value -= q;
    s->distance = q;
    s->x.shift = -0.5 * x.shift * whole;
    s->y.shift = -0.5 * y.shift * whole;
    s->x.beyond += 2 * q * x.outer * whole;
    s->y.beyond += 2 * q * y.outer * whole;
}

/* Takes alpha v off; alpha may depend on iou, and with it on all of a. */
INLINE void ciou_penalty(struct box_score *s, const struct box_pair *p,
                         const struct box_rule *r)
{
    /* 4/pi^2 */
    const number scale = (number)0.405284734569351085775517852838911L;
    number turn = p->b->angle - p->a->angle, v = scale * turn * turn;
    number alpha = quotient(v, 1 - s->iou + v + r->alpha_eps);
    alpha = r->gate > 0 && !(s->iou > r->gate) ? 0 : alpha;
    s->value -= alpha * v;
    number w = p->a->x.size, h = p->a->y.size + r->flat_eps;
    number by_angle = 2 * scale * turn * alpha * (r->full ? 2 - alpha : 1) *
                      (r->paper ? 1 : inverse(w * w + h * h));
    s->x.size = by_angle * h;
    s->y.size = -by_angle * w;
    number left = r->full ? 1 - alpha * alpha : 1;
    s->x.within *= left;
    s->x.beyond *= left;
    s->y.within *= left;
    s->y.beyond *= left;
}

INLINE struct slopes slopes_times(struct slopes s, number factor)
{
    return (struct slopes){s.within * factor, s.beyond * factor,
                           s.size * factor, s.shift * factor};
}

/* Outside what the rule allows the value is constant. */
INLINE void box_clamp(struct box_score *s, enum box_metric metric,
                      const struct box_rule *r)
{
    number lo = metric == BOX_IOU ? (number)r->eps : -1;
    number pass = s->value >= lo && s->value <= 1;
    s->value = lesser(greater(s->value, lo), 1);
    s->x = slopes_times(s->x, pass);
    s->y = slopes_times(s->y, pass);
}

INLINE struct box_pair box_pair(const struct box *a, const struct box *b,
                                bool crowd, bool strict, enum box_format format)
{
    struct box_pair p = {.a = a,
                         .b = b,
                         .x = side_meet(a->x, b->x, format),
                         .y = side_meet(a->y, b->y, format)};
    p.meet = strict ? p.x.inner > 0 && p.y.inner > 0
                    : p.x.inner >= 0 && p.y.inner >= 0;
    p.inner = p.x.shared * p.y.shared;
    p.other = b->area;
    p.both = crowd ? a->area : a->area + b->area - p.inner;
    p.hull = p.x.outer * p.y.outer;
    return p;
}

/*
 * A metric of a and b.  crowd: b is a crowd, the union is the area of a alone
 * (COCO).  What the caller does not look at is not computed.
 */
INLINE struct box_score box_score(enum box_metric metric,
                                  const struct box_rule *r, const struct box *a,
                                  const struct box *b, bool crowd,
                                  enum box_format format)
{
    const struct box_pair p = box_pair(a, b, crowd, r->strict, format);
    struct denominator u = denominator(p.both, r);
    number iou = quotient(p.inner, u.value);
    struct box_score s = {.iou = iou, .value = iou};
    number rest = (crowd ? 0 : p.other) + (r->floor ? 0 : r->eps);
    iou_slopes(&s.x, p.meet, a->x.size, a->y.size, p.x.inner, p.y.inner, rest,
               iou, u);
    iou_slopes(&s.y, p.meet, a->y.size, a->x.size, p.y.inner, p.x.inner, rest,
               iou, u);
    if (metric == BOX_CIOU)
        ciou_penalty(&s, &p, r);
    if (metric >= BOX_DIOU)
        diou_penalty(&s, &p, r);
    if (metric == BOX_GIOU)
        giou_penalty(&s, &p, u, r);
    if (r->clamp && (metric == BOX_IOU || metric == BOX_CIOU))
        box_clamp(&s, metric, r);
    return s;
}

/*
 * The derivatives by the two numbers that give side a in its format.  Where
 * two ends coincide each is half within and half beyond the other.
 */
INLINE void side_gradient(struct slopes s, struct side a, struct side b,
                          enum box_format format, double *at, double *size)
{
    number first = edge_before(a.lo, b.lo), last = edge_before(b.hi, a.hi);
    number lo = -(1 - first) * s.within - first * s.beyond;
    number hi = (1 - last) * s.within + last * s.beyond;
    if (format == BOX_XYXY) {
        *at = (double)(lo - s.size + s.shift);
        *size = (double)(hi + s.size + s.shift);
        return;
    }
    *at = (double)(lo + hi + 2 * s.shift);
    *size = (double)(format == BOX_XYWH ? hi + s.size + s.shift
                                        : (hi - lo) * 0.5 + s.size);
}

/* A score in double, with the derivatives by the four numbers of a. */
struct box_answer {
    double value, iou, distance, grad[4];
};

INLINE struct box_answer box_answer(enum box_metric metric,
                                    const struct box_rule *r, const real *p,
                                    const real *q, bool crowd,
                                    enum box_format format)
{
    struct box a = box_read(p, format), b = box_read(q, format);
    if (metric == BOX_CIOU) {
        a.angle = box_angle(a, r);
        b.angle = box_angle(b, r);
    }
    struct box_score s = box_score(metric, r, &a, &b, crowd, format);
    struct box_answer y = {.value = (double)s.value,
                           .iou = (double)s.iou,
                           .distance = (double)s.distance};
    side_gradient(s.x, a.x, b.x, format, &y.grad[0], &y.grad[2]);
    side_gradient(s.y, a.y, b.y, format, &y.grad[1], &y.grad[3]);
    return y;
}

/* The same for boxes that are not plain. */
struct box_answer NAME(box_answer_wide)(enum box_metric metric,
                                        const struct box_rule *r, const real *p,
                                        const real *q, bool crowd,
                                        enum box_format format);
#define box_answer_wide NAME(box_answer_wide)

#endif
