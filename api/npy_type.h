/* The types of .npy elements: what npy.c and npy_data.c share. */
#ifndef EVALD_API_NPY_TYPE_H
#define EVALD_API_NPY_TYPE_H

#include "api/npy.h"

/*
 * One of doubles and integers is set: it widens n elements that are in this
 * machine's order, exactly.  u8 comes as int64_t of the same bits.
 */
struct npy_type {
    const char *name; /* as in descr; its digit is the size in bytes */
    void (*doubles)(const void *from, size_t n, double *out);
    void (*integers)(const void *from, size_t n, int64_t *out);
};

extern const struct npy_type npy_types[];
extern const size_t npy_n_types;

static inline size_t npy_size(const struct npy_type *type)
{
    return (size_t)(type->name[1] - '0');
}

/* Says what is wrong; returns -1. */
int npy_fail(struct npy *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
