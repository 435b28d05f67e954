/*
 * A byte that says what is wanted and how much of it, then any bytes as a
 * document: lifting changes neither the verdict on it, nor the words of it,
 * nor a value.
 */
#include "tests/same_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const sets[][LIFT_WANTED_MAX + 1] = {
    {"/inputs/*", "/inputs/*/data"},
    {"/requests/*/inputs/*", "/requests/*/inputs/*/data"},
    {"", "/*", "/*/*", "/*/*/*/*/*"},
    {"/a", "/*/a/*"},
};
static const size_t bounds[] = {6, 1536, 1, 0};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    if (size == 0)
        return 0;
    char *text = malloc(size - 1 ? size - 1 : 1); /* a step beyond is seen */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    const char *what = documents_differ(text, size - 1, sets[data[0] % 4],
                                        bounds[data[0] / 4 % 4], &n);
    if (what)
        fprintf(stderr, "differs: %s\n", what);
    free(text);
    if (what)
        abort();
    return 0;
}
