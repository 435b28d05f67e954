/* What the parts of the store in arrays share (kept.h). */
#ifndef EVALD_TESTS_KEPT_INNER_H
#define EVALD_TESTS_KEPT_INNER_H

#include "tests/kept.h"

/* Keeps bytes, with a NUL behind, until an earlier state is put back. */
char *kept_bytes(struct kept *k, const void *bytes, size_t n);
/* The same of a text; NULL stays NULL. */
const char *kept_text(struct kept *k, const char *text);

/* A copy in mem, or NULL: there was none, or mem is spent. */
const char *kept_copy(const char *text, struct arena *mem);

/* Whether this call is the one that is to fail. */
bool kept_fails(struct kept *k);

#define FAIL_IF_TOLD(k)       \
    do {                      \
        if (kept_fails(k))    \
            return (k)->fail; \
    } while (0)

/* The content with this hash, or NULL. */
struct kept_content *kept_content(struct kept *k, const char *sha256);

/* Sets the calls for datasets. */
void kept_init_datasets(struct kept *k);

#endif
