/*
 * Numbers of any length, read to the same value as by jansson.  Nineteen
 * digits decide nearly always; where they do not, all that can matter do.
 */
#include "api/decimal.h"
#include "api/scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 19,       /* fit in 64 bits */
    DIGITS_KEPT = 800,     /* the middle of two doubles has 768 at most */
    EXPONENT_MAX = 100000, /* zero or infinity, whatever the digits kept */
};

/* Beyond what digits in memory could make up for. */
static const int64_t EXPONENT_HUGE = INT64_C(1000000000000000);

/* The highest bit of the first of eight bytes that is no digit, if one is. */
static inline uint64_t first_other(uint64_t v)
{
    v ^= 0x3030303030303030; /* digits are 0 to 9 */
    return ((v + 0x7676767676767676) | v) & 0x8080808080808080;
}

/* Their value, first byte first: pairs, then fours, then all. */
static inline uint64_t eight_value(uint64_t v)
{
    v = (v & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
    v = (v & 0x00ff00ff00ff00ff) * 6553601 >> 16;
    return (v & 0x0000ffff0000ffff) * 42949672960001 >> 32;
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && (unsigned char)(*p - '0') <= 9;
}

/*
 * Past the digits from p on, which are appended to *m; beyond 19 of them that
 * may overflow.  How many there are is hard to foretell, so what is less than
 * eight is moved behind zeros instead of being looped over.
 */
static inline const char *digits(const char *p, const char *end, uint64_t *m)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint64_t power[] = {1,     10,     100,     1000,
                                     10000, 100000, 1000000, 10000000};
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof(v));
        uint64_t other = first_other(v);
        if (other) {
            unsigned n = (unsigned)__builtin_ctzll(other) / 8;
            v = v << 8 << (56 - 8 * n);
            *m = *m * power[n] + eight_value(v);
            return p + n;
        }
        *m = *m * 100000000 + eight_value(v);
        p += 8;
    }
#endif
    for (; is_digit(p, end); p++)
        *m = *m * 10 + (uint64_t)(*p - '0');
    return p;
}

/* A number's parts: (negative ? -1 : 1) * m * 10^e. */
struct decimal {
    const char *text, *end; /* without the sign */
    uint64_t m;             /* overflowed if there are more than 19 digits */
    int64_t e;
    size_t n_digits; /* zeros at the front are counted behind a point alone */
    bool negative, integer;
};

/* Each of the parts returns where it ends, or NULL if it is none. */
static inline const char *whole(const char *p, const char *end,
                                struct decimal *d)
{
    const char *from = p;
    if (!is_digit(p, end))
        return NULL;
    if (*p == '0')
        return is_digit(p + 1, end) ? NULL : p + 1;
    p = digits(p, end, &d->m);
    d->n_digits = (size_t)(p - from);
    return p;
}

static inline const char *fraction(const char *p, const char *end,
                                   struct decimal *d)
{
    const char *from = p;
    p = digits(p, end, &d->m);
    d->e = from - p;
    d->n_digits += (size_t)(p - from);
    d->integer = false;
    return p > from ? p : NULL;
}

static inline const char *exponent(const char *p, const char *end,
                                   struct decimal *d)
{
    int64_t e = 0;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (!is_digit(p, end))
        return NULL;
    for (; is_digit(p, end); p++)
        e = e < EXPONENT_HUGE ? 10 * e + (*p - '0') : e;
    d->e += negative ? -e : e;
    d->integer = false;
    return p;
}

/* The grammar of a number, and nothing but its grammar: where it ends. */
static inline const char *parts(const char *p, const char *end,
                                struct decimal *d)
{
    *d = (struct decimal){.negative = p < end && *p == '-', .integer = true};
    d->text = p += d->negative;
    p = whole(p, end, d);
    if (p && p < end && *p == '.')
        p = fraction(p + 1, end, d);
    if (p && p < end && (*p == 'e' || *p == 'E'))
        p = exponent(p + 1, end, d);
    d->end = p;
    return p;
}

static bool fits_int64(const struct decimal *d)
{
    return d->n_digits <= DIGITS_MAX &&
           d->m <= (uint64_t)INT64_MAX + d->negative;
}

static int clamp(int64_t e)
{
    return e < -EXPONENT_MAX  ? -EXPONENT_MAX
           : e > EXPONENT_MAX ? EXPONENT_MAX
                              : (int)e;
}

/* The digits of a long number, from the first that is not 0. */
struct long_decimal {
    char text[DIGITS_KEPT + 32]; /* the digits kept, and room */
    size_t n, n_kept;
    uint64_t m; /* the first DIGITS_MAX */
    bool more;  /* of those not kept one is not 0 */
};

static void collect(const char *text, const char *end, struct long_decimal *l)
{
    l->n = l->n_kept = l->m = 0;
    l->more = false;
    for (const char *p = text; p < end; p++) {
        if (*p == 'e' || *p == 'E')
            break;
        if (*p == '.' || (*p == '0' && l->n == 0))
            continue;
        if (l->n < DIGITS_MAX)
            l->m = 10 * l->m + (uint64_t)(*p - '0');
        if (l->n < DIGITS_KEPT)
            l->text[l->n_kept++] = *p;
        else
            l->more = l->more || *p != '0';
        l->n++;
    }
}

/*
 * Digits and an exponent, as a point depends on the locale.  For digits that
 * are not kept a 1 stands in: a middle ends before.
 */
static bool by_strtod(struct long_decimal *l, int64_t e, double *out)
{
    size_t n = l->n_kept;
    if (l->more)
        l->text[n++] = '1';
    e += (int64_t)(l->n - n);
    snprintf(l->text + n, sizeof(l->text) - n, "e%d", clamp(e));
    *out = strtod(l->text, NULL);
    return isfinite(*out);
}

/*
 * More digits than 64 bits hold, or what arithmetic on 128 bits cannot do.
 * Between m and m + 1 it lies: if both are the same double, it is that.
 */
__attribute__((noinline)) static bool long_value(const char *text,
                                                 const char *end,
                                                 int64_t exponent, double *out)
{
    struct long_decimal l;
    double above;
    collect(text, end, &l);
    bool cut = l.n > DIGITS_MAX;
    int e = clamp(cut ? exponent + (int64_t)(l.n - DIGITS_MAX) : exponent);
    return (decimal_to_double(l.m, e, out) &&
            decimal_to_double(l.m + cut, e, &above) && *out == above) ||
           by_strtod(&l, exponent, out);
}

static inline bool value_of(const struct decimal *d, double *out)
{
    if (d->integer && !fits_int64(d))
        return false;
    if ((d->n_digits > DIGITS_MAX ||
         !decimal_to_double(d->m, clamp(d->e), out)) &&
        !long_value(d->text, d->end, d->e, out))
        return false;
    /* the integer -0 is 0; signs are hard to foretell, so there is no branch */
    bool minus = d->negative & (!d->integer | (d->m > 0));
    uint64_t bits;
    memcpy(&bits, out, sizeof(bits));
    bits ^= (uint64_t)minus << 63;
    memcpy(out, &bits, sizeof(bits));
    return true;
}

const char *scan_number_at(const char *at, const char *end, double *out)
{
    struct decimal d;
    return parts(at, end, &d) && value_of(&d, out) ? d.end : NULL;
}

bool scan_number(struct scan *s, double *out)
{
    scan_peek(s);
    const char *end = scan_number_at(s->at, s->end, out);
    if (end)
        s->at = end;
    return end;
}

bool scan_integer(struct scan *s, int64_t *out)
{
    struct decimal d;
    double x;
    scan_peek(s);
    if (!parts(s->at, s->end, &d))
        return false;
    s->at = d.end;
    if (d.integer) {
        *out = (int64_t)(d.negative ? 0 - d.m : d.m);
        return fits_int64(&d);
    }
    if (!value_of(&d, &x) || x != rint(x) || fabs(x) > 0x1p53)
        return false;
    *out = (int64_t)x;
    return true;
}
