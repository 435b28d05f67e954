/* Whole files. */
#ifndef EVALD_SERVER_FILE_H
#define EVALD_SERVER_FILE_H

#include <stddef.h>

/*
 * The content of the file at path, "-" for standard input, in *text (new, to
 * be freed) and *len.  0, or -1 with errno set.
 */
int file_read(const char *path, char **text, size_t *len);

/* Writes len bytes to the file at path.  0, or -1 with errno set. */
int file_write(const char *path, const char *text, size_t len);

#endif
