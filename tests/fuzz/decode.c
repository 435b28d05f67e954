/*
 * Any bytes as a body, read in pieces, as a whole, and by way of a document of
 * the whole: the same verdict, and the same columns by bits.
 */
#include "tests/documents.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool taken;
    char *text = malloc(size); /* to the byte, so that a step beyond is seen */
    uint64_t seed = size;
    if (!text)
        return 0;
    for (size_t i = 0; i < size && i < 64; i++)
        seed = seed * 31 + data[i];
    memcpy(text, data, size);
    if (!reads_alike(text, size, seed, &taken))
        abort();
    free(text);
    return 0;
}
