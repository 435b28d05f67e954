#include "core/kernels/row.h"

#include "core/sum.h"

enum { LANES = 16 };

real row_max(size_t n, const real *x)
{
    real lane[LANES], max = x[0];
    for (size_t j = 0; j < LANES; j++)
        lane[j] = max;
    for (size_t i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (size_t i = n - n % LANES; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t j = 0; j < LANES; j++)
        max = lane[j] > max ? lane[j] : max;
    return max;
}

size_t row_find(size_t n, const real *x, real value)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        int found = 0;
        for (size_t j = 0; j < LANES; j++)
            found |= x[i + j] == value;
        if (found)
            break;
    }
    while (i < n && x[i] != value)
        i++;
    return i < n ? i : 0;
}

/* e^(x + lost), lost being 0 where x is low. */
INLINE double exp_above(double x, double lost, double low)
{
    double near = x < low ? low : x;
    struct exponential e =
        PRECISE ? exponential_long(near, near == x ? lost : 0, true)
                : exponential_short(near);
    return e.s * ((e.p + e.q) / (e.p - e.q)) * e.tail;
}

void row_exp_of(size_t n, double *x, double low)
{
    for (size_t i = 0; i < n; i++)
        x[i] = exp_above(x[i], 0, low);
}

void row_exp(size_t n, const real *restrict x, double max, double low,
             double *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] - max;
    if (!PRECISE)
        row_exp_of(n, out, low);
    for (size_t i = 0; PRECISE && i < n; i++) {
        double back = out[i] - x[i];
        double lost = (x[i] - (out[i] - back)) - (max + back);
        out[i] = exp_above(out[i], lost, low);
    }
}

double row_sum(size_t n, const double *x)
{
    if (PRECISE)
        return sum_total(sum_block(n, x));
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    for (size_t j = 0; i + j < n; j++)
        lane[j] += x[i + j];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}
