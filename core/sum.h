/*
 * Sums that lose nothing that a double can hold: every rounding error is
 * added up beside the sum (Knuth's two-sum), so that the total of n numbers
 * is as good as one rounding for any n that fits into memory.
 *
 * Element i of a block goes to lane i % 8, and the lanes are added in order:
 * the bits depend on how numbers are cut into blocks, never on the width of
 * vectors.  Sums of parts are to be added in a fixed order, too.
 */
#ifndef EVALD_CORE_SUM_H
#define EVALD_CORE_SUM_H

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A sum so far; {0, 0} is none. */
struct sum {
    double high, low; /* the rounded sum, and what rounding took from it */
};

/* Two registers of four lanes: the widest that most machines have. */
typedef double sum_lanes __attribute__((vector_size(32)));

static inline void sum_add_lanes(sum_lanes *high, sum_lanes *low,
                                 const double *x)
{
    sum_lanes add;
    memcpy(&add, x, sizeof(add));
    sum_lanes sum = *high + add, kept = sum - *high;
    *low += (*high - (sum - kept)) + (add - kept);
    *high = sum;
}

static inline struct sum sum_join(struct sum a, struct sum b)
{
    double sum = a.high + b.high, kept = sum - a.high;
    double lost = (a.high - (sum - kept)) + (b.high - kept);
    return (struct sum){sum, a.low + b.low + lost};
}

static inline struct sum sum_add(struct sum a, double x)
{
    return sum_join(a, (struct sum){x, 0});
}

/* The sum of n numbers. */
static inline struct sum sum_block(size_t n, const double *x)
{
    sum_lanes high[2] = {{0}}, low[2] = {{0}};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        sum_add_lanes(&high[0], &low[0], x + i);
        sum_add_lanes(&high[1], &low[1], x + i + 4);
    }
    double rest[8] = {0};
    for (size_t j = 0; i + j < n; j++)
        rest[j] = x[i + j];
    sum_add_lanes(&high[0], &low[0], rest);
    sum_add_lanes(&high[1], &low[1], rest + 4);
    struct sum s = {0, 0};
    for (size_t j = 0; j < 8; j++)
        s = sum_join(s, (struct sum){high[j / 4][j % 4], low[j / 4][j % 4]});
    return s;
}

/* The total.  What an infinity takes away from infinity does not count. */
static inline double sum_total(struct sum s)
{
    return isfinite(s.high) ? s.high + s.low : s.high;
}

#endif
