/*
 * How fast an operation's request is decoded, from its text to tensors,
 * parameters and outputs, against what jansson takes to parse the same text.
 * Both are timed in turn, so the ratio holds on a machine whose speed drifts.
 * memchr over the text says what merely looking at each byte takes.
 */
#include "api/operation.h"
#include "core/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 21,
    SMALL_REPEATS = 4000,
    LARGE_NUMBERS = 1000000,
    MEMORY_KEPT = 64 << 20,
};

struct bench {
    const char *text;
    size_t len, row;
    struct arena mem;
    struct api_error err;
    struct operation_request req;
};

static double now(void) /* of this thread, so that others disturb less */
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

/* What a training loop may send of a few samples: numbers of 6 to 9 digits. */
#define HEAD "{\"inputs\":{\"x\":["
#define TAIL "]},\"outputs\":[\"value\",\"grad\"]}"
static const char small[] =
    HEAD "3.23757,1.710536,1.0638072,-1.72034,-0.14398862,-3.29186,-0."
         "716305,-3.83899717,2.15034,-3.64648,-0.9775618,0.4068115,0.0"
         "4336,-1.52264,-3.13505" TAIL;
_Static_assert(sizeof(small) - 1 == 188, "it is called so");

/* The same of n numbers; new. */
static char *large(size_t n)
{
    uint64_t r = 1;
    char *text = malloc(16 * n + sizeof(HEAD TAIL));
    must(text, "malloc");
    char *to = stpcpy(text, HEAD);
    for (size_t i = 0; i < n; i++) {
        double x = (double)(random_next(&r) >> 11) * 0x1p-50 - 4;
        to += sprintf(to, "%s%.*f", i ? "," : "", (int)(5 + i % 4), x);
    }
    strcpy(to, TAIL);
    return text;
}

/* Seconds of `repeats` times each. */
static double by_jansson(struct bench *b, size_t repeats)
{
    double start = now();
    for (size_t i = 0; i < repeats; i++) {
        json_t *doc = json_loadb(b->text, b->len, 0, NULL);
        must(doc, "json_loadb");
        json_decref(doc);
    }
    return now() - start;
}

static double by_lifting(struct bench *b, size_t repeats)
{
    double start = now();
    for (size_t i = 0; i < repeats; i++) {
        struct operation_source src = {.row = b->row};
        struct lifted lifted;
        arena_clear(&b->mem, MEMORY_KEPT);
        must(operation_body(b->text, b->len, &b->mem, &lifted, &src, &b->err) ==
                 0,
             "operation_body");
        must(operation_read(&src, &parallel_serial, &b->mem, &b->req,
                            &b->err) == 0,
             "operation_read");
    }
    return now() - start;
}

static double by_memchr(struct bench *b, size_t repeats)
{
    double start = now();
    for (size_t i = 0; i < repeats; i++) {
        const char *volatile text = b->text;
        must(!memchr(text, '\0', b->len), "memchr");
    }
    return now() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x)
{
    qsort(x, ROUNDS, sizeof(*x), by_value);
    return x[ROUNDS / 2];
}

static void compare(const char *what, const char *text, size_t repeats)
{
    static struct bench b;
    double jansson[ROUNDS], lifting[ROUNDS], ratio[ROUNDS], share[ROUNDS];
    b = (struct bench){.text = text,
                       .len = strlen(text),
                       .row = operation_find("activations/mish")};
    arena_init(&b.mem, (size_t)1 << 30);
    by_lifting(&b, repeats);
    for (size_t i = 0; i < ROUNDS; i++) {
        jansson[i] = by_jansson(&b, repeats);
        lifting[i] = by_lifting(&b, repeats);
        ratio[i] = jansson[i] / lifting[i];
        share[i] = by_memchr(&b, repeats) / lifting[i];
    }
    double unit = 1e6 / (double)repeats, took = median(lifting),
           times = median(ratio);
    printf("%s: jansson %.2f us, decoded in %.2f us (%.0f MB/s), %.1f times as "
           "fast (%.1f to %.1f), %.2f %% of memchr's speed\n",
           what, unit * median(jansson), unit * took,
           1e-6 * (double)(b.len * repeats) / took, times, ratio[0],
           ratio[ROUNDS - 1], 100 * median(share));
    arena_free(&b.mem);
}

int main(void)
{
    char *text = large(LARGE_NUMBERS);
    compare("188 bytes", small, SMALL_REPEATS);
    compare("1e6 numbers", text, 1);
    free(text);
    return EXIT_SUCCESS;
}
