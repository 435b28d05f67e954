/*
 * Any bytes as a number: scanned as jansson reads them, to the same bits and
 * as far; and what is read is written in a form that reads back, as a double
 * and as a float.
 */
#include "api/number.h"
#include "api/scan.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool same_bits(double x, double y)
{
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static bool scan(const char *text, size_t len, double *x, size_t *n)
{
    struct scan s = {.at = text, .end = text + len};
    bool ok = scan_number(&s, x);
    *n = ok ? (size_t)(s.at - text) : 0;
    return ok;
}

static void write_and_read(double x)
{
    char *text = malloc(NUMBER_BYTES); /* to the byte */
    double back = 0;
    float single = (float)x;
    size_t read, n = text ? number_write(x, text) : 0;
    if (!text)
        return;
    must(n == strlen(text) && scan(text, n, &back, &read) && read == n);
    must(same_bits(back, x) && same_bits(strtod(text, NULL), x));
    if (isfinite(single)) {
        must(number_write_float(single, text) == strlen(text));
        must(same_bits((double)strtof(text, NULL), (double)single));
    }
    free(text);
}

/* text has a byte to spare */
static void read(char *text, size_t len)
{
    size_t n;
    double got = 0;
    json_error_t e;
    bool ok = scan(text, len, &got, &n);
    json_t *v =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &e);
    must(ok == (bool)json_is_number(v));
    if (ok) {
        must((size_t)e.position == n && same_bits(got, json_number_value(v)));
        text[n] = '\0';
        must(json_is_integer(v) || same_bits(got, strtod(text, NULL)));
        write_and_read(got);
    }
    json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = 0;
    double x = 0;
    while (len < size && data[len] < 0x80) /* no number goes beyond */
        len++;
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    memcpy(text, data, len);
    read(text, len);
    free(text);
    memcpy(&x, data, size < sizeof(x) ? size : sizeof(x));
    if (isfinite(x))
        write_and_read(x);
    return 0;
}
