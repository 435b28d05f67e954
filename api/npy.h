/*
 * Arrays as numpy.save writes them: .npy, format versions 1.0, 2.0 and 3.0.
 *
 *   npy_open      looks at the header, and at how much data there is
 *   npy_doubles   the elements, row-major, whatever their type and order is
 *   npy_floats, npy_integers  likewise
 *   npy_head      what stands before the elements of an array on its way out
 *
 * Read are f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1, in either order
 * of bytes, row-major (C) and column-major (Fortran).  Each function that can
 * fail returns -1 and says in why what is wrong, as what follows the name of
 * the array: "has 5 bytes of data, must have 8".
 * Format: numpy.lib.format.
 */
#ifndef EVALD_API_NPY_H
#define EVALD_API_NPY_H

#include "core/stop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The media type; it is not registered, but used. */
#define NPY_TYPE "application/x-npy"

enum {
    NPY_RANK_MAX = 8,
    NPY_HEADER_MAX = 1 << 16, /* bytes of the dict in the header */
    NPY_WHY_BYTES = 256,
    NPY_HEAD_BYTES = 384, /* of what npy_head writes */
};

struct npy_type;

struct npy {
    char why[NPY_WHY_BYTES];
    const struct npy_type *type;
    bool swapped; /* bytes are not in this machine's order */
    bool fortran; /* the first dimension is the innermost */
    size_t rank, dim[NPY_RANK_MAX];
    size_t n;                /* elements: the product of dim */
    const char *data;        /* borrowed; of any alignment */
    const atomic_bool *stop; /* NULL at first: reading fails when it is set */
};

/* Fills *a from the whole of a file, which must outlive it. */
int npy_open(struct npy *a, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* Whether float holds all that the type does: f2 and f4. */
bool npy_is_single(const struct npy *a);

/*
 * The elements where they stand, if they are what npy_floats ("f4"),
 * npy_doubles ("f8") or npy_integers ("i8") would copy, and aligned; else NULL.
 */
const void *npy_in_place(const struct npy *a, const char *type);

/*
 * Each fills the n elements of out, which must not overlap the data.
 *   doubles   exact; an integer beyond 2^53 in magnitude is a fault
 *   floats    as doubles, then rounded; f4 is taken over bit by bit
 *   integers  exact; of floats only whole numbers within 2^53, of u8 only
 *             those below 2^63
 * Of b1, whatever is not 0 is 1.
 */
int npy_doubles(struct npy *a, double *out) __attribute__((warn_unused_result));
int npy_floats(struct npy *a, float *out) __attribute__((warn_unused_result));
int npy_integers(struct npy *a, int64_t *out)
    __attribute__((warn_unused_result));

/*
 * Writes what precedes the data of a row-major array, byte for byte as numpy
 * 1.24 does: a multiple of 64 bytes.  Returns how many.
 *   type  "f4", "f8", "i8": in this machine's order
 *   rank  at most NPY_RANK_MAX
 */
size_t npy_head(char head[NPY_HEAD_BYTES], const char *type, size_t rank,
                const size_t *dim);

#endif
