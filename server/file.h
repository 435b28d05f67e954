/* Whole files. */
#ifndef EVALD_SERVER_FILE_H
#define EVALD_SERVER_FILE_H

#include <stddef.h>

/*
 * The content of the file at path, "-" for standard input, in *text (new, to
 * be freed) and *len.  0, or -1 with errno set.
 */
int file_read(const char *path, char **text, size_t *len);

/*
 * The same of a regular file of at most bytes_max bytes, which a daemon may
 * read without being kept waiting.  EINVAL if it is none, EFBIG if longer.
 */
int file_read_small(const char *path, size_t bytes_max, char **text,
                    size_t *len);

/*
 * Hands the content of the file at path, "-" for standard input, to take, in
 * order, in pieces that do not outlive the call.  0, or -1 with errno set.
 */
int file_read_pieces(const char *path,
                     void (*take)(void *context, const char *piece, size_t len),
                     void *context);

/* The size of the file at path; 0 if it has none, or is not to be had. */
size_t file_size(const char *path);

/* Writes len bytes to the file at path.  0, or -1 with errno set. */
int file_write(const char *path, const char *text, size_t len);

/*
 * The same, whole or not at all: readers see the file as it was or as it is to
 * be.  What is there and is no file, such as a pipe or a device, is written to
 * as it is.
 */
int file_replace(const char *path, const char *text, size_t len);

#endif
