/* Files of .npy, made by their dicts, opened where memory ends with them. */
#ifndef EVALD_TESTS_NPY_FILE_H
#define EVALD_TESTS_NPY_FILE_H

#include "api/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_BYTES = 1 << 17 };

struct file {
    size_t len;
    char text[FILE_BYTES];
};

static inline void file_add(struct file *f, const void *bytes, size_t n)
{
    assert_true(n <= FILE_BYTES - f->len);
    memcpy(f->text + f->len, bytes, n);
    f->len += n;
}

/* A file of version 1.0 with a dict and n bytes of data. */
static inline void file_make(struct file *f, const char *dict, const void *data,
                             size_t n)
{
    size_t len = strlen(dict);
    const char head[] = {'\x93',
                         'N',
                         'U',
                         'M',
                         'P',
                         'Y',
                         1,
                         0,
                         (char)(unsigned char)(len & 255),
                         (char)(unsigned char)(len >> 8)};
    f->len = 0;
    file_add(f, head, sizeof(head));
    file_add(f, dict, len);
    file_add(f, data, n);
}

/* An opened copy, to be freed. */
struct opened {
    struct npy a;
    char *copy;
    int rc;
};

static inline struct opened file_open(const char *text, size_t len)
{
    struct opened o = {.copy = malloc(len ? len : 1)};
    assert_non_null(o.copy);
    memcpy(o.copy, text, len);
    o.rc = npy_open(&o.a, o.copy, len);
    return o;
}

#endif
