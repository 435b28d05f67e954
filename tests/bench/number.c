/*
 * How fast numbers become text and text becomes numbers, beside the C
 * library: doubles of 17 digits and floats of 9, of any bits and from -6 to 6,
 * on one thread.  Both sides are timed in turn and ratios are medians of the
 * rounds', so they hold on a machine whose speed drifts.
 *
 *   number             a table to read
 *   number ROW ROUNDS  one side of it for a profiler: rows from 0, ours alone
 */
#include "api/number.h"
#include "api/json_out.h"
#include "api/scan.h"
#include "core/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, NUMBERS = 50000, TEXT_BYTES = 32, DATA_BYTES = 1 << 26 };

/* The same numbers in every form; text is separated by commas. */
struct data {
    double number[NUMBERS];
    float single[NUMBERS];
    char text[2][NUMBERS * TEXT_BYTES]; /* of 17 digits, of 9 */
    size_t len[2];
    struct arena mem;
};

/* What a side made of the data, so that it is not optimised away. */
typedef double side(struct data *d);

static double our_doubles(struct data *d)
{
    char text[NUMBER_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        n += number_write(d->number[i], text);
    return (double)n;
}

static double their_doubles(struct data *d)
{
    char text[NUMBER_BYTES];
    int n = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        n += snprintf(text, sizeof(text), "%.17g", d->number[i]);
    return n;
}

static double our_floats(struct data *d)
{
    char text[NUMBER_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        n += number_write_float(d->single[i], text);
    return (double)n;
}

static double their_floats(struct data *d)
{
    char text[NUMBER_BYTES];
    int n = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        n += snprintf(text, sizeof(text), "%.9g", (double)d->single[i]);
    return n;
}

/* The arena keeps its memory, so only the first round takes any. */
static struct json_out begin(struct data *d)
{
    struct json_out out;
    arena_clear(&d->mem, SIZE_MAX);
    json_out_init(&out, &d->mem, false);
    out_open(&out, '[');
    return out;
}

static double our_double_array(struct data *d)
{
    struct json_out out = begin(d);
    out_numbers(&out, d->number, NUMBERS);
    out_close(&out, ']');
    return (double)out.len;
}

static double our_float_array(struct data *d)
{
    struct json_out out = begin(d);
    out_floats(&out, d->single, NUMBERS);
    out_close(&out, ']');
    return (double)out.len;
}

static double their_double_array(struct data *d)
{
    char *text = arena_alloc(&d->mem, NUMBERS, TEXT_BYTES), *p = text;
    for (size_t i = 0; text && i < NUMBERS; i++)
        p += snprintf(p, TEXT_BYTES, "%.17g,", d->number[i]);
    arena_clear(&d->mem, SIZE_MAX);
    return (double)(p - text);
}

static double their_float_array(struct data *d)
{
    char *text = arena_alloc(&d->mem, NUMBERS, TEXT_BYTES), *p = text;
    for (size_t i = 0; text && i < NUMBERS; i++)
        p += snprintf(p, TEXT_BYTES, "%.9g,", (double)d->single[i]);
    arena_clear(&d->mem, SIZE_MAX);
    return (double)(p - text);
}

static double our_reading(struct data *d, size_t digits)
{
    struct scan s = {.at = d->text[digits],
                     .end = d->text[digits] + d->len[digits]};
    double x = 0, sum = 0;
    while (s.at < s.end && scan_number(&s, &x)) {
        sum += x;
        s.at++;
    }
    return sum;
}

static double their_reading(struct data *d, size_t digits)
{
    char *p = d->text[digits], *end = p + d->len[digits];
    double sum = 0;
    while (p < end) {
        sum += strtod(p, &p);
        p++;
    }
    return sum;
}

static double our_reading_17(struct data *d)
{
    return our_reading(d, 0);
}

static double their_reading_17(struct data *d)
{
    return their_reading(d, 0);
}

static double our_reading_9(struct data *d)
{
    return our_reading(d, 1);
}

static double their_reading_9(struct data *d)
{
    return their_reading(d, 1);
}

static const struct {
    const char *name;
    side *ours, *theirs;
} rows[] = {
    {"write a double, printf %.17g", our_doubles, their_doubles},
    {"write a float, printf %.9g", our_floats, their_floats},
    {"array of doubles, snprintf", our_double_array, their_double_array},
    {"array of floats, snprintf", our_float_array, their_float_array},
    {"read 17 digits, strtod", our_reading_17, their_reading_17},
    {"read 9 digits, strtod", our_reading_9, their_reading_9},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Any finite bits, or numbers from -6 to 6 as activations take them. */
static void make_numbers(struct data *d, bool any)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < NUMBERS;) {
        uint64_t bits = random_next(&seed);
        uint32_t low = (uint32_t)bits;
        memcpy(&d->number[i], &bits, sizeof(bits));
        memcpy(&d->single[i], &low, sizeof(low));
        if (!any) {
            d->number[i] = (double)(bits >> 11) * 0x1p-53 * 12 - 6;
            d->single[i] = (float)d->number[i];
        }
        i += isfinite(d->number[i]) && isfinite(d->single[i]);
    }
}

static void make_text(struct data *d)
{
    for (size_t k = 0; k < 2; k++) {
        char *p = d->text[k];
        for (size_t i = 0; i < NUMBERS; i++)
            p += k == 0 ? sprintf(p, "%.17g,", d->number[i])
                        : sprintf(p, "%.9g,", (double)d->single[i]);
        d->len[k] = (size_t)(p - d->text[k]);
    }
}

/* Nanoseconds per number, in time of the processor. */
static double measure(side *run, struct data *d)
{
    static volatile double kept;
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    kept = run(d);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    (void)kept;
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 +
            (double)(to.tv_nsec - from.tv_nsec)) /
           NUMBERS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double x[ROUNDS])
{
    qsort(x, ROUNDS, sizeof(*x), by_value);
    return x[ROUNDS / 2];
}

static void table(struct data *d, const char *numbers)
{
    printf("numbers, %s: ns each, ours and theirs\n", numbers);
    for (size_t r = 0; r < ROWS; r++) {
        double ours[ROUNDS], theirs[ROUNDS], ratio[ROUNDS];
        measure(rows[r].ours, d); /* a warming up */
        for (size_t i = 0; i < ROUNDS; i++) {
            ours[i] = measure(rows[r].ours, d);
            theirs[i] = measure(rows[r].theirs, d);
            ratio[i] = theirs[i] / ours[i];
        }
        printf("  %-34s %8.1f %8.1f %6.1f times as fast\n", rows[r].name,
               median(ours), median(theirs), median(ratio));
    }
}

int main(int argc, char **argv)
{
    static struct data d;
    arena_init(&d.mem, DATA_BYTES);
    make_numbers(&d, true);
    make_text(&d);
    if (argc == 3) {
        size_t row = strtoul(argv[1], NULL, 10);
        unsigned long rounds = strtoul(argv[2], NULL, 10);
        while (row < ROWS && rounds-- > 0)
            measure(rows[row].ours, &d);
    } else {
        table(&d, "any bits");
        make_numbers(&d, false);
        make_text(&d);
        table(&d, "from -6 to 6");
    }
    arena_free(&d.mem);
    return 0;
}
