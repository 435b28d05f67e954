/* Contents decoded as a whole, for tests of them. */
#ifndef EVALD_TESTS_DECODED_H
#define EVALD_TESTS_DECODED_H

#include "api/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Decodes to the arena; 0, or the problem. */
static inline enum problem decode(enum coding coding, const char *bytes,
                                  size_t len, size_t max, struct arena *mem,
                                  const char **text, size_t *n,
                                  struct api_error *err)
{
    size_t left = mem->bytes_max - mem->bytes_used;
    char *copy = malloc(len + 1);
    memcpy(copy, bytes, len);
    *text = copy;
    *n = len;
    err->n = 0;
    int rc = content_decode(coding, text, n, max, mem, err);
    assert_int_equal(rc, err->n ? -1 : 0);
    assert_true(mem->bytes_max - mem->bytes_used == left);
    free(copy);
    return err->n ? err->fault[0].kind : PROBLEM_NONE;
}

#endif
