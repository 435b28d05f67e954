/*
 * Any bytes as a .npy file: what is read and written again reads the same, as
 * doubles, floats and integers; and these agree where all can be had.
 */
#include "api/npy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *memory(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p)
        abort();
    return p;
}

/* The same array in a file of ours. */
static struct npy write_again(const struct npy *a, const char *type,
                              const void *elements, char **file)
{
    char head[NPY_HEAD_BYTES];
    struct npy b;
    size_t n = npy_head(head, type, a->rank, a->dim);
    size_t bytes = a->n * (size_t)(type[1] - '0');
    *file = memory(n + bytes);
    memcpy(*file, head, n);
    memcpy(*file + n, elements, bytes);
    if (n % 64 != 0 || npy_open(&b, *file, n + bytes) || b.n != a->n ||
        b.rank != a->rank || b.fortran || b.swapped ||
        memcmp(b.dim, a->dim, a->rank * sizeof(*a->dim)) != 0)
        abort();
    return b;
}

typedef int read_all(struct npy *a, void *out);

static int doubles(struct npy *a, void *out)
{
    return npy_doubles(a, out);
}

static int floats(struct npy *a, void *out)
{
    return npy_floats(a, out);
}

static int integers(struct npy *a, void *out)
{
    return npy_integers(a, out);
}

/* The elements as this type, or NULL; written and read again too. */
static void *elements(struct npy *a, const char *type, read_all *read)
{
    size_t bytes = a->n * (size_t)(type[1] - '0');
    char *file, *out = memory(bytes), *again = memory(bytes);
    if (read(a, out)) {
        if (!*a->why)
            abort();
        free(again);
        free(out);
        return NULL;
    }
    struct npy b = write_again(a, type, out, &file);
    if (read(&b, again) || memcmp(out, again, bytes) != 0)
        abort();
    free(file);
    free(again);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npy a;
    char *file = memory(size);
    if (size)
        memcpy(file, data, size);
    if (npy_open(&a, file, size) == 0) {
        double *x = elements(&a, "f8", doubles);
        float *y = elements(&a, "f4", floats);
        int64_t *z = elements(&a, "i8", integers);
        if (!x != !y)
            abort();
        for (size_t i = 0; i < a.n && x; i++)
            if ((z && (double)z[i] != x[i]) ||
                (x[i] == x[i] && (float)x[i] != y[i]))
                abort();
        free(x);
        free(y);
        free(z);
    } else if (!*a.why) {
        abort();
    }
    free(file);
    return 0;
}
