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

enum { PLAIN_MIN = -5, PLAIN_MAX = 16, DIGITS_MAX = 17 };
static const double INTEGRAL_MAX = 1e15;

__extension__ typedef unsigned __int128 uint128;

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

/* g * c / 2^128, odd if anything was cut off. */
static uint64_t times_double(struct power g, uint64_t c)
{
    uint128 low = (uint128)g.lo * c;
    uint128 high = (uint128)g.hi * c + (low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The same with 64 bits of g, which are enough for a float. */
static uint64_t times_float(struct power g, uint64_t c)
{
    uint128 p = (uint128)g.hi * c;
    return (uint64_t)(p >> 64) | ((uint64_t)p >> 32 > 1);
}

/* 10^k rounded up. */
static struct power power_above(int k, bool single)
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

static struct decimal shortest(struct binary b)
{
    int k = (b.q * 1262611 - (b.closer_below ? 524031 : 0)) >> 22;
    int h = b.q + power_exponent(-k) + 1;
    struct power g = power_above(-k, b.single);
    uint64_t (*times)(struct power, uint64_t) =
        b.single ? times_float : times_double;
    uint64_t below = times(g, (4 * b.c - 2 + b.closer_below) << h);
    uint64_t here = times(g, (4 * b.c) << h);
    uint64_t above = times(g, (4 * b.c + 2) << h);
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

static struct binary of_double(double x)
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

static struct binary of_float(float x)
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

/* The digits of d, without zeros at the end; returns how many. */
static int write_digits(struct decimal *d, char out[DIGITS_MAX + 3])
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    char text[20];
    size_t at = sizeof(text);
    while (d->digits % 100 == 0) {
        d->digits /= 100;
        d->exponent += 2;
    }
    if (d->digits % 10 == 0) {
        d->digits /= 10;
        d->exponent++;
    }
    uint64_t rest = d->digits;
    for (; rest >= 10; rest /= 100) {
        at -= 2;
        memcpy(text + at, pairs + rest % 100 * 2, 2);
    }
    if (rest > 0)
        text[--at] = (char)('0' + rest);
    memcpy(out, text + at, sizeof(text) - at);
    return (int)(sizeof(text) - at);
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
    memcpy(p, bytes, (size_t)n);
    return p + n;
}

static char *zeros(char *p, int n)
{
    memset(p, '0', (size_t)n);
    return p + n;
}

/* Lays out the digits: 0.00123, 12.3, 12300.0 or 1.23e45. */
static char *lay_out(struct decimal d, char *p)
{
    char digits[DIGITS_MAX + 3] = "";
    int n = write_digits(&d, digits);
    int e = d.exponent + n - 1; /* of the first digit */
    if (e < PLAIN_MIN || e > PLAIN_MAX) {
        *p++ = digits[0];
        if (n > 1)
            *p++ = '.';
        return write_exponent(append(p, digits + 1, n - 1), e);
    }
    if (e < 0) {
        p = zeros(append(p, "0.", 2), -e - 1);
        return append(p, digits, n);
    }
    if (n <= e + 1)
        return append(zeros(append(p, digits, n), e + 1 - n), ".0", 2);
    p = append(p, digits, e + 1);
    *p++ = '.';
    return append(p, digits + e + 1, n - e - 1);
}

static size_t write(double x, bool single, char *out)
{
    char *p = out;
    if (signbit(x))
        *p++ = '-';
    x = fabs(x);
    if (x == 0)
        p = append(p, "0.0", 3);
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
