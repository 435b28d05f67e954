/*
 * Any bytes as a body, read with the scan and by way of a document: the same
 * verdict, and the same columns by bits.
 */
#include "tests/same_request.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct detection_request scanned, read;
    struct api_error scan_err = {0}, read_err = {0};
    struct arena scan_mem, read_mem;
    char *text = malloc(size); /* to the byte, so that a step beyond is seen */
    if (!text)
        return 0;
    memcpy(text, data, size);
    arena_init(&scan_mem, (size_t)64 << 20);
    arena_init(&read_mem, (size_t)64 << 20);
    detection_request_init(&scanned);
    detection_request_init(&read);
    int a = decode_body(text, size, &scanned, &scan_mem, &scan_err);
    int b = decode_body_document(text, size, &read, &read_mem, &read_err);
    if (a != b || scan_err.n != read_err.n ||
        (a == 0 && !same_request(&scanned, &read)))
        abort();
    arena_free(&scan_mem);
    arena_free(&read_mem);
    free(text);
    return 0;
}
