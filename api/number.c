/*
 * The shortest digits of a number, by Schubfach: Giulietti 2022, "The
 * Schubfach way to render doubles".
 *
 * The numbers that read back as x lie between the middles to its neighbours.
 * Of the decimals of a spacing just below that interval's width one or two
 * lie inside; of ten times that spacing at most one does.  Products with a
 * power of ten in 128 bits decide which: they are rounded to odd, so that a
 * comparison never goes wrong by what was cut off.
 */
#include "api/number.h"

#include "api/power.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Copies are as long as 24 digits, which is more than any number has. */
enum { PLAIN_MIN = -5, PLAIN_MAX = 16, TEXT_BYTES = 24 };
static const double INTEGRAL_MAX = 1e15;

__extension__ typedef unsigned __int128 uint128;

/* One function for both types, and yet each compiled for its own. */
#define INLINE static inline __attribute__((always_inline))

/* digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* What of a binary format the search needs to know. */
struct binary {
    uint64_t c; /* the number is c * 2^q, without its sign */
    int q;
    bool closer_below; /* the lower neighbour is at half the distance */
    bool single;
};

/*
 * g * c / 2^128, odd if anything was cut off.  64 bits of g are enough for a
 * float.
 */
INLINE uint64_t times(struct power g, uint64_t c, bool single)
{
    uint128 high = (uint128)g.hi * c;
    if (single)
        return (uint64_t)(high >> 64) | ((uint64_t)high >> 32 > 1);
    high += (uint128)g.lo * c >> 64;
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* 10^k rounded up. */
INLINE struct power power_above(int k, bool single)
{
    struct power g = power_of_ten(k);
    bool exact = k >= 0 && k <= POWER_EXACT_MAX;
    if (single) {
        g.hi += !exact || g.lo != 0;
    } else if (!exact) {
        g.lo++;
        g.hi += g.lo == 0;
    }
    return g;
}

INLINE struct decimal shortest(struct binary b)
{
    int k = (b.q * 1262611 - (b.closer_below ? 524031 : 0)) >> 22;
    int h = b.q + power_exponent(-k) + 1;
    struct power g = power_above(-k, b.single);
    uint64_t below = times(g, (4 * b.c - 2 + b.closer_below) << h, b.single);
    uint64_t here = times(g, (4 * b.c) << h, b.single);
    uint64_t above = times(g, (4 * b.c + 2) << h, b.single);
    uint64_t low = below + (b.c & 1), high = above - (b.c & 1);
    uint64_t s = here / 4, tens = s / 10;
    if (s >= 10) {
        bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
        if (down != up)
            return (struct decimal){tens + up, k + 1};
    }
    bool down = low <= 4 * s, up = 4 * s + 4 <= high;
    if (down != up)
        return (struct decimal){s + up, k};
    up = here > 4 * s + 2 || (here == 4 * s + 2 && (s & 1));
    return (struct decimal){s + up, k};
}

INLINE struct binary of_double(double x)
{
    uint64_t bits, mantissa, exponent;
    memcpy(&bits, &x, sizeof(bits));
    mantissa = bits & ((UINT64_C(1) << 52) - 1);
    exponent = bits >> 52 & 0x7ff;
    if (exponent == 0)
        return (struct binary){mantissa, -1074, false, false};
    return (struct binary){mantissa | UINT64_C(1) << 52, (int)exponent - 1075,
                           mantissa == 0 && exponent > 1, false};
}

INLINE struct binary of_float(float x)
{
    uint32_t bits, mantissa, exponent;
    memcpy(&bits, &x, sizeof(bits));
    mantissa = bits & ((UINT32_C(1) << 23) - 1);
    exponent = bits >> 23 & 0xff;
    if (exponent == 0)
        return (struct binary){mantissa, -149, false, true};
    return (struct binary){mantissa | UINT32_C(1) << 23, (int)exponent - 150,
                           mantissa == 0 && exponent > 1, true};
}

/* Eight digits, the first in the lowest byte: halves, pairs, single ones. */
static uint64_t eight_digits(uint64_t v)
{
    uint64_t fours = v / 10000 | (v % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f);
    uint64_t pairs = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (pairs - 10 * tens) << 8;
}

/*
 * Digits as text, 24 of them, and which of them are between the zeros on
 * either side.  What follows may be read, and means nothing.
 */
struct digits {
    char text[2 * TEXT_BYTES];
    int first, n;
};

static void put_eight(char *to, uint64_t digits)
{
    digits |= UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, &digits, sizeof(digits));
#else
    for (int i = 0; i < 8; i++)
        to[i] = (char)(digits >> 8 * i);
#endif
}

/* digits > 0 */
static void write_digits(uint64_t digits, struct digits *d)
{
    uint64_t part[3] = {
        eight_digits(digits / UINT64_C(10000000000000000)),
        eight_digits(digits / 100000000 % 100000000),
        eight_digits(digits % 100000000),
    };
    int first = 0, last = 2;
    for (size_t i = 0; i < 3; i++)
        put_eight(d->text + 8 * i, part[i]);
    while (first < 2 && part[first] == 0)
        first++;
    while (last > 0 && part[last] == 0)
        last--;
    d->first = 8 * first + __builtin_ctzll(part[first]) / 8;
    d->n = 8 * last + 7 - __builtin_clzll(part[last]) / 8 - d->first + 1;
}

/* A number of at most three digits. */
static char *write_exponent(char *p, int e)
{
    *p++ = 'e';
    if (e < 0)
        *p++ = '-';
    e = e < 0 ? -e : e;
    if (e >= 100)
        *p++ = (char)('0' + e / 100);
    if (e >= 10)
        *p++ = (char)('0' + e / 10 % 10);
    *p++ = (char)('0' + e % 10);
    return p;
}

static char *append(char *p, const char *bytes, int n)
{
    memcpy(p, bytes, TEXT_BYTES); /* of a fixed length, so without a call */
    return p + n;
}

static char *zeros(char *p, int n)
{
    memset(p, '0', TEXT_BYTES);
    return p + n;
}

/* Lays out the digits: 0.00123, 12.3, 12300.0 or 1.23e45. */
static char *lay_out(struct decimal number, char *p)
{
    struct digits d;
    write_digits(number.digits, &d);
    const char *digits = d.text + d.first;
    int n = d.n;
    int e = number.exponent + TEXT_BYTES - 1 - d.first; /* of the first */
    if (e < PLAIN_MIN || e > PLAIN_MAX) {
        *p++ = digits[0];
        if (n > 1)
            *p++ = '.';
        return write_exponent(append(p, digits + 1, n - 1), e);
    }
    if (e < 0) {
        *p++ = '0';
        *p++ = '.';
        return append(zeros(p, -e - 1), digits, n);
    }
    if (n <= e + 1) {
        p = zeros(append(p, digits, n), e + 1 - n);
        *p++ = '.';
        *p++ = '0';
        return p;
    }
    p = append(p, digits, e + 1);
    *p++ = '.';
    return append(p, digits + e + 1, n - e - 1);
}

INLINE size_t write(double x, bool single, char *out)
{
    char *p = out;
    if (signbit(x))
        *p++ = '-';
    x = fabs(x);
    if (x == 0)
        p = stpcpy(p, "0.0");
    else if (x < INTEGRAL_MAX && !single && x == (double)(uint64_t)x)
        p = lay_out((struct decimal){(uint64_t)x, 0}, p);
    else
        p = lay_out(shortest(single ? of_float((float)x) : of_double(x)), p);
    *p = '\0';
    return (size_t)(p - out);
}

size_t number_write(double x, char *out)
{
    return write(x, false, out);
}

size_t number_write_float(float x, char *out)
{
    return write((double)x, true, out);
}
