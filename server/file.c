#include "server/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 1 << 16 };

/* Reads to the end, doubling the room as it fills. */
static int read_all(FILE *f, char **text, size_t *len)
{
    size_t capacity = BYTES_FIRST;
    *text = malloc(capacity);
    *len = 0;
    while (*text) {
        *len += fread(*text + *len, 1, capacity - *len, f);
        if (*len < capacity)
            return ferror(f) ? -1 : 0;
        char *larger = realloc(*text, capacity *= 2);
        if (!larger)
            return -1;
        *text = larger;
    }
    return -1;
}

int file_read(const char *path, char **text, size_t *len)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    *text = NULL;
    if (!f)
        return -1;
    int rc = read_all(f, text, len), saved = errno;
    if (rc) {
        free(*text);
        *text = NULL;
    }
    if (f != stdin)
        fclose(f);
    errno = saved;
    return rc;
}

int file_write(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return -1;
    int rc = fwrite(text, 1, len, f) == len ? 0 : -1;
    return fclose(f) || rc ? -1 : 0;
}
