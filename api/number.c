#include "api/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_SAFE = 15, DIGITS_MAX = 17, PLAIN_MIN = -5, PLAIN_MAX = 16 };

/* x as d.ddde±x with this many digits; whether that reads back as x. */
static bool fits(double x, int digits, char *out)
{
    snprintf(out, NUMBER_BYTES, "%.*e", digits - 1, x);
    return strtod(out, NULL) == x;
}

/*
 * 15 digits name every normal double that some 15 or fewer digits name, and
 * %e rounds correctly, so the search starts there; subnormals have fewer.
 * At a power of two the doubles below lie closer than those above: there the
 * nearest 16-digit number may be another double's while the next one is not.
 */
static void shortest(double x, char *out)
{
    int digits = fabs(x) < 0x1p-1022 ? 1 : DIGITS_SAFE, exponent;
    while (!fits(x, digits, out))
        digits++;
    if (digits < DIGITS_MAX || frexp(fabs(x), &exponent) != 0.5)
        return;
    fits(x, DIGITS_MAX - 1, out);
    char *last = out + (*out == '-') + DIGITS_MAX - 1;
    if (*last < '9') {
        ++*last;
        if (strtod(out, NULL) == x)
            return;
    }
    fits(x, DIGITS_MAX, out);
}

/* Splits d.ddde±x into its digits, trailing zeros gone, and its exponent. */
static int split(const char *text, char *digits)
{
    const char *e = strchr(text, 'e');
    size_t n = 0;
    for (const char *p = text; p < e; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return (int)strtol(e + 1, NULL, 10);
}

size_t number_write(double x, char *out)
{
    char text[NUMBER_BYTES], digits[NUMBER_BYTES];
    if (x == rint(x) && fabs(x) < 1e15)
        return (size_t)snprintf(out, NUMBER_BYTES, "%.1f", x);
    shortest(x, text);
    const char *sign = *text == '-' ? "-" : "";
    int exponent = split(text + strlen(sign), digits);
    int n = (int)strlen(digits);
    int len;
    if (exponent < PLAIN_MIN || exponent > PLAIN_MAX)
        len = snprintf(out, NUMBER_BYTES, "%s%c%s%se%d", sign, digits[0],
                       n > 1 ? "." : "", digits + 1, exponent);
    else if (exponent < 0)
        len = snprintf(out, NUMBER_BYTES, "%s0.%.*d%s", sign, -exponent - 1, 0,
                       digits);
    else if (n <= exponent + 1)
        len = snprintf(out, NUMBER_BYTES, "%s%s%.*d.0", sign, digits,
                       exponent + 1 - n, 0);
    else
        len = snprintf(out, NUMBER_BYTES, "%s%.*s.%s", sign, exponent + 1,
                       digits, digits + exponent + 1);
    return (size_t)len;
}
