/*
 * The shortest digits of a number, by Schubfach: Giulietti 2022, "The
 * Schubfach way to render doubles".
 *
 * The numbers that read back as x lie between the middles to its neighbours.
 * Of the decimals of a spacing just below that interval's width one or two
 * lie inside; of ten times that spacing at most one does.  Products with a
 * power of ten in 128 bits decide which.
 *
 * What depends on the digits, which is chance, is computed without branches:
 * half of them would be guessed wrong.
 */
#include "api/number.h"

#include "api/power.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PLAIN_MIN = -5, PLAIN_MAX = 16 };

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

/* g * c in units of 2^-64, rounded down; 64 bits of g do for a float. */
INLINE uint128 times(struct power g, uint64_t c, bool single)
{
    uint128 high = (uint128)g.hi * c;
    return single ? high : high + ((uint128)g.lo * c >> 64);
}

INLINE uint64_t whole(uint128 product)
{
    return (uint64_t)(product >> 64);
}

/* first ? a : b, without a branch */
INLINE uint64_t choose(bool first, uint64_t a, uint64_t b)
{
    return b ^ ((a ^ b) & -(uint64_t)first);
}

/*
 * The products are four times x, and the middles, in units of 10^k.  Of that
 * a multiple of 4 is a decimal, and of 40 one that has a digit less; those in
 * low < multiple <= high read back as x.  As g is rounded up a product may be
 * too large, but by less than slack, and none is as close as that above a
 * whole number without being it.
 */
INLINE struct decimal shortest(struct binary b)
{
    int k = (b.q * 1262611 - (b.closer_below ? 524031 : 0)) >> 22;
    int h = b.q + power_exponent(-k) + 1;
    struct power g = power_above(-k, b.single);
    uint128 x = times(g, (4 * b.c) << h, b.single);
    uint128 below = times(g, (4 * b.c - 2 + b.closer_below) << h, b.single);
    uint128 above = times(g, (4 * b.c + 2) << h, b.single);
    /* the middles themselves read back as x if it is even */
    const int slack_log2 = b.single ? 33 : 1;
    uint64_t low = whole(below - ((~b.c & 1) << slack_log2));
    uint64_t high = whole(above - ((b.c & 1) << slack_log2));
    uint64_t s = whole(x) / 4, first = low / 4 + 1, tens = high / 40;
    uint64_t nearest = (whole(x - ((~s & 1) << slack_log2)) + 2) / 4;
    uint64_t ones = nearest < first ? first : nearest;
    return (struct decimal){choose(40 * tens > low, 10 * tens, ones), k};
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

/*
 * Eight digits, the first in the lowest byte: halves, pairs, single ones.
 * Each step puts a quotient before its remainder: with v = q * d + r that is
 * q + (r << n) = (v << n) - q * ((d << n) - 1).
 */
INLINE uint64_t eight_digits(uint64_t v)
{
    uint64_t q = v * 109951163 >> 40; /* v / 10000 */
    uint64_t fours = (v << 32) - q * ((UINT64_C(10000) << 32) - 1);
    q = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f);
    uint64_t pairs = (fours << 16) - q * ((100 << 16) - 1);
    q = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return (pairs << 8) - q * ((10 << 8) - 1);
}

INLINE void put_eight(char *to, uint64_t text)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, &text, sizeof(text));
#else
    for (int i = 0; i < 8; i++)
        to[i] = (char)(text >> 8 * i);
#endif
}

/* Of the bytes that are not 0 the last. */
INLINE int top_byte(uint64_t v)
{
    return (63 - __builtin_clzll(v)) / 8;
}

static const uint64_t ZEROS = UINT64_C(0x3030303030303030); /* as text */

/* 17 digits, the first of which is no zero, as text: eight bytes in a word. */
struct digits {
    char first;
    uint64_t next, last;
    int n; /* without the zeros at the end */
    int e; /* the exponent of the first */
};

/* Of a number that has 17 digits or less, or of a float's 9. */
INLINE struct digits digits_of(struct decimal number, bool single)
{
    const uint64_t least =
        single ? UINT64_C(100000000) : UINT64_C(10000000000000000);
    struct digits d = {.e = number.exponent + (single ? 8 : 16)};
    uint64_t v = number.digits, next, last = 0;
    /* One is missing at most, or two of a float; more if it is subnormal. */
    unsigned less = v < least, much_less = single && v < least / 10;
    v *= 1 + 9 * less + 90 * much_less;
    d.e -= (int)(less + much_less);
    while (v < least) {
        v *= 10;
        d.e--;
    }
    d.first = (char)('0' + v / least);
    v %= least;
    if (!single) {
        last = eight_digits(v % 100000000);
        v /= 100000000;
    }
    next = eight_digits(v);
    d.n = last ? 10 + top_byte(last) : next ? 2 + top_byte(next) : 1;
    d.next = next | ZEROS;
    d.last = last | ZEROS;
    return d;
}

/* A point before byte i < 8 of the text, the last byte of which is lost. */
INLINE uint64_t with_point(uint64_t text, int i)
{
    uint64_t before = (UINT64_C(1) << 8 * i) - 1;
    return (text & before) | (uint64_t)'.' << 8 * i | (text & ~before) << 8;
}

/* Three digits at most, as eight_digits has them. */
INLINE char *write_exponent(char *p, int e)
{
    uint64_t v = (uint64_t)(e < 0 ? -e : e);
    uint64_t tens = v * 205 >> 11, hundreds = v * 41 >> 12;
    uint64_t text = ZEROS + (v << 16) - tens * ((10 << 16) - (1 << 8)) -
                    hundreds * ((10 << 8) - 1);
    int skip = (v < 100) + (v < 10);
    p[0] = 'e';
    p[1] = '-';
    p += 1 + (e < 0);
    put_eight(p, text >> 8 * skip);
    return p + 3 - skip;
}

/*
 * Lays out the digits: 0.00123, 12.3, 12300.0 or 1.23e45.  All of them are
 * put down every time, and the returned end leaves zeros behind.
 */
INLINE char *lay_out(struct digits d, char *p)
{
    bool plain = d.e >= PLAIN_MIN && d.e <= PLAIN_MAX;
    if (plain && d.e < 0) {
        put_eight(p, ZEROS);
        p[1] = '.';
        p += 1 - d.e;
        p[0] = d.first;
        put_eight(p + 1, d.next);
        put_eight(p + 9, d.last);
        return p + d.n;
    }
    int point = plain ? d.e : 0; /* behind this digit, from 0 */
    p[0] = d.first;
    if (point < 8) {
        put_eight(p + 2, d.next);
        put_eight(p + 10, d.last);
        put_eight(p + 1, with_point(d.next, point));
    } else if (point < 16) {
        put_eight(p + 1, d.next);
        put_eight(p + 10, d.last);
        put_eight(p + 9, with_point(d.last, point - 8));
    } else {
        put_eight(p + 1, d.next);
        put_eight(p + 9, d.last);
        put_eight(p + 17, with_point(ZEROS, 0));
    }
    if (!plain)
        return write_exponent(p + d.n + (d.n > 1), d.e);
    return p + 1 + (d.n > d.e + 1 ? d.n : d.e + 2);
}

INLINE size_t write(double x, bool single, char *out)
{
    char *p = out;
    *p = '-';
    p += signbit(x) != 0;
    x = fabs(x);
    if (x == 0) {
        p = stpcpy(p, "0.0");
    } else {
        struct binary b = single ? of_float((float)x) : of_double(x);
        p = lay_out(digits_of(shortest(b), single), p);
    }
    *p = '\0';
    return (size_t)(p - out);
}

size_t number_write(double x, char *out)
{
    return write(x, false, out);
}

struct number_text number_text(double x)
{
    struct number_text t;
    if (!isfinite(x)) {
        snprintf(t.text, sizeof(t.text), "%g", x);
        return t;
    }
    size_t n = number_write(x, t.text);
    if (n > 2 && strcmp(t.text + n - 2, ".0") == 0)
        t.text[n - 2] = '\0';
    return t;
}

size_t number_write_float(float x, char *out)
{
    return write((double)x, true, out);
}
