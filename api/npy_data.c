/* Elements of .npy arrays: their order, their bytes, their types. */
#include "api/half.h"
#include "api/npy_type.h"
#include "api/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Elements at a time; a tile of a transposition is TILE x TILE. */
enum { BLOCK = 256, TILE = 32, SIZE_BYTES_MAX = 8 };

static const double EXACT_MAX = 0x1p53;

/*
 * Loops that load n elements, which may stand anywhere.  A macro, as they
 * differ in nothing but their types.
 */
/* NOLINTBEGIN(bugprone-macro-parentheses): types bear none */
#define WIDEN(name, type, to)                                          \
    static void name(const void *from, size_t n, to *out)              \
    {                                                                  \
        for (size_t i = 0; i < n; i++) {                               \
            type x;                                                    \
            memcpy(&x, (const char *)from + i * sizeof(x), sizeof(x)); \
            out[i] = (to)x;                                            \
        }                                                              \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
WIDEN(widen_f4, float, double)
WIDEN(widen_f8, double, double)
WIDEN(widen_i1, int8_t, int64_t)
WIDEN(widen_i2, int16_t, int64_t)
WIDEN(widen_i4, int32_t, int64_t)
WIDEN(widen_8, int64_t, int64_t)
WIDEN(widen_u1, uint8_t, int64_t)
WIDEN(widen_u2, uint16_t, int64_t)
WIDEN(widen_u4, uint32_t, int64_t)

static void widen_b1(const void *from, size_t n, int64_t *out)
{
    const unsigned char *flag = from;
    for (size_t i = 0; i < n; i++)
        out[i] = flag[i] != 0;
}

static void widen_f2(const void *from, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, (const char *)from + i * sizeof(bits), sizeof(bits));
        out[i] = (double)half_to_float((uint16_t)bits);
    }
}

const struct npy_type npy_types[] = {
    {"f2", widen_f2, NULL}, {"f4", widen_f4, NULL}, {"f8", widen_f8, NULL},
    {"i1", NULL, widen_i1}, {"i2", NULL, widen_i2}, {"i4", NULL, widen_i4},
    {"i8", NULL, widen_8},  {"u1", NULL, widen_u1}, {"u2", NULL, widen_u2},
    {"u4", NULL, widen_u4}, {"u8", NULL, widen_8},  {"b1", NULL, widen_b1},
};
const size_t npy_n_types = sizeof(npy_types) / sizeof(npy_types[0]);

bool npy_is_single(const struct npy *a)
{
    return a->type->name[0] == 'f' && npy_size(a->type) <= sizeof(float);
}

/* Where elements go, and as what. */
struct reader {
    struct npy *a;
    enum { AS_DOUBLE, AS_FLOAT, AS_INTEGER } as;
    bool plain; /* they are that already */
    void *out;
};

static bool is_unsigned(const struct npy *a)
{
    return a->type->name[0] == 'u';
}

/* "has 2.5 at [1][2], must be ..." */
static int fail_at(struct npy *a, const char *value, size_t at,
                   const char *must)
{
    char place[24 * NPY_RANK_MAX] = "";
    size_t n = 0, stride = a->n;
    for (size_t d = 0; d < a->rank; d++) {
        stride /= a->dim[d];
        n += (size_t)snprintf(place + n, sizeof(place) - n, "[%zu]",
                              at / stride);
        at %= stride;
    }
    return npy_fail(a, "has %s%s%s, must have %s", value, n ? " at " : "",
                    place, must);
}

static int fail_integer(struct npy *a, int64_t x, size_t at, const char *must)
{
    char value[32];
    if (is_unsigned(a))
        snprintf(value, sizeof(value), "%llu", (unsigned long long)x);
    else
        snprintf(value, sizeof(value), "%lld", (long long)x);
    return fail_at(a, value, at, must);
}

static int put_doubles(struct reader *r, const double *x, size_t n, size_t at)
{
    int64_t *integer = (int64_t *)r->out + at;
    if (r->as == AS_DOUBLE)
        memcpy((double *)r->out + at, x, n * sizeof(*x));
    for (size_t i = 0; i < n && r->as == AS_FLOAT; i++)
        ((float *)r->out)[at + i] = (float)x[i];
    for (size_t i = 0; i < n && r->as == AS_INTEGER; i++) {
        if (!(fabs(x[i]) <= EXACT_MAX && x[i] == rint(x[i]))) {
            return fail_at(r->a, number_text(x[i]).text, at + i,
                           "whole numbers within 2^53 where integers are "
                           "wanted");
        }
        integer[i] = (int64_t)x[i];
    }
    return 0;
}

/* Of u8, what is 2^63 and more has come as a negative number. */
static bool fits(const struct reader *r, int64_t x)
{
    static const int64_t most = INT64_C(1) << 53;
    if (x < 0 && is_unsigned(r->a))
        return false;
    return r->as == AS_INTEGER || (x <= most && x >= -most);
}

static int put_integers(struct reader *r, const int64_t *x, size_t n, size_t at)
{
    for (size_t i = 0; i < n; i++)
        if (!fits(r, x[i]))
            return fail_integer(r->a, x[i], at + i,
                                r->as == AS_INTEGER
                                    ? "integers below 2^63"
                                    : "integers within 2^53, which are exact "
                                      "as float64");
    if (r->as == AS_INTEGER)
        memcpy((int64_t *)r->out + at, x, n * sizeof(*x));
    for (size_t i = 0; i < n && r->as == AS_DOUBLE; i++)
        ((double *)r->out)[at + i] = (double)x[i];
    for (size_t i = 0; i < n && r->as == AS_FLOAT; i++)
        ((float *)r->out)[at + i] = (float)x[i];
    return 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Puts n elements that stand one after the other, in this machine's order;
 * the first is element `at` of the row-major array.
 */
static int put(struct reader *r, const char *from, size_t n, size_t at)
{
    const struct npy_type *type = r->a->type;
    size_t size = npy_size(type);
    int rc = 0;
    if (r->plain) {
        stop_copy(r->a->stop, (char *)r->out + at * size, from, n * size);
        return 0;
    }
    for (size_t i = 0, k; i < n && rc == 0 && !is_stopped(r->a->stop); i += k) {
        double numbers[BLOCK];
        int64_t integers[BLOCK];
        k = least(n - i, BLOCK);
        if (type->doubles) {
            type->doubles(from + i * size, k, numbers);
            rc = put_doubles(r, numbers, k, at + i);
        } else {
            type->integers(from + i * size, k, integers);
            rc = put_integers(r, integers, k, at + i);
        }
    }
    return rc;
}

/* Gathers n elements of a size, `step` bytes apart; may turn their bytes. */
#define GATHER(bits)                                                   \
    static void gather_##bits(const char *from, size_t step, size_t n, \
                              bool turn, char *to)                     \
    {                                                                  \
        for (size_t i = 0; i < n; i++) {                               \
            uint##bits##_t x;                                          \
            memcpy(&x, from + i * step, sizeof(x));                    \
            if (turn)                                                  \
                x = __builtin_bswap##bits(x);                          \
            memcpy(to + i * sizeof(x), &x, sizeof(x));                 \
        }                                                              \
    }
GATHER(16)
GATHER(32)
GATHER(64)

static void gather_8(const char *from, size_t step, size_t n, bool turn,
                     char *to)
{
    (void)turn;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i * step];
}

typedef void gather(const char *from, size_t step, size_t n, bool turn,
                    char *to);
static gather *const gathers[SIZE_BYTES_MAX + 1] = {
    [1] = gather_8, [2] = gather_16, [4] = gather_32, [8] = gather_64};

static int read_rows(struct reader *r)
{
    const struct npy *a = r->a;
    size_t size = npy_size(a->type);
    char block[BLOCK * SIZE_BYTES_MAX];
    if (!a->swapped || size == 1)
        return put(r, a->data, a->n, 0);
    for (size_t i = 0; i < a->n && !is_stopped(a->stop); i += BLOCK) {
        size_t n = least(a->n - i, BLOCK);
        gathers[size](a->data + i * size, size, n, true, block);
        if (put(r, block, n, i))
            return -1;
    }
    return 0;
}

/* A dimension: elements from one to the next, in the data and row-major. */
struct axis {
    size_t n, from, to;
};

/*
 * The plane of the first and the last dimension, tile by tile, so that what
 * one row brings into the cache serves its neighbours.
 */
static int read_plane(struct reader *r, const struct axis *first,
                      const struct axis *last, size_t from, size_t to)
{
    const struct npy *a = r->a;
    size_t size = npy_size(a->type);
    char row[TILE * SIZE_BYTES_MAX];
    for (size_t i = 0; i < first->n; i += TILE)
        for (size_t j = 0; j < last->n && !is_stopped(r->a->stop); j += TILE) {
            size_t n = least(last->n - j, TILE);
            size_t end = least(first->n, i + TILE);
            for (size_t k = i; k < end; k++) {
                gathers[size](a->data + (from + k + j * last->from) * size,
                              last->from * size, n, a->swapped, row);
                if (put(r, row, n, to + k * first->to + j))
                    return -1;
            }
        }
    return 0;
}

/* The dimensions of more than one element; how many. */
static size_t find_axes(const struct npy *a, struct axis axis[NPY_RANK_MAX])
{
    size_t rank = 0, from = 1, to = a->n;
    for (size_t d = 0; d < a->rank; d++) {
        to /= a->dim[d];
        if (a->dim[d] > 1)
            axis[rank++] = (struct axis){a->dim[d], from, to};
        from *= a->dim[d];
    }
    return rank;
}

/* Planes, for each place in the dimensions between. */
static int read_columns(struct reader *r)
{
    struct axis axis[NPY_RANK_MAX];
    size_t at[NPY_RANK_MAX] = {0}, from = 0, to = 0, d;
    size_t rank = find_axes(r->a, axis);
    if (rank < 2)
        return read_rows(r);
    do {
        if (read_plane(r, &axis[0], &axis[rank - 1], from, to))
            return -1;
        for (d = rank - 2; d > 0; d--) {
            from += axis[d].from;
            to += axis[d].to;
            if (++at[d] < axis[d].n)
                break;
            from -= at[d] * axis[d].from;
            to -= at[d] * axis[d].to;
            at[d] = 0;
        }
    } while (d > 0);
    return 0;
}

static bool is_type(const struct npy *a, const char *name)
{
    return strcmp(a->type->name, name) == 0;
}

const void *npy_in_place(const struct npy *a, const char *type)
{
    bool aligned = (uintptr_t)a->data % npy_size(a->type) == 0;
    return is_type(a, type) && !a->swapped && !a->fortran && aligned ? a->data
                                                                     : NULL;
}

static int read_all(struct reader *r, const char *plain)
{
    r->plain = is_type(r->a, plain);
    if (r->a->n == 0)
        return 0;
    if (r->a->fortran ? read_columns(r) : read_rows(r))
        return -1;
    return is_stopped(r->a->stop) ? npy_fail(r->a, "was not read to its end")
                                  : 0;
}

int npy_doubles(struct npy *a, double *out)
{
    return read_all(&(struct reader){.a = a, .as = AS_DOUBLE, .out = out},
                    "f8");
}

int npy_floats(struct npy *a, float *out)
{
    return read_all(&(struct reader){.a = a, .as = AS_FLOAT, .out = out}, "f4");
}

int npy_integers(struct npy *a, int64_t *out)
{
    return read_all(&(struct reader){.a = a, .as = AS_INTEGER, .out = out},
                    "i8");
}
