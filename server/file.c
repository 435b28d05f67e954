#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES_FIRST = 1 << 16, PIECE_BYTES = 1 << 22 };

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

static FILE *open_path(const char *path)
{
    return strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
}

int file_read(const char *path, char **text, size_t *len)
{
    FILE *f = open_path(path);
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

/* Opening a pipe does not wait, so that it is seen to be one. */
static FILE *open_small(const char *path, size_t bytes_max)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    int rc = fstat(fd, &st), why = errno;
    if (rc == 0) {
        rc = !S_ISREG(st.st_mode) || (size_t)st.st_size > bytes_max;
        why = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
    }
    FILE *f = rc ? NULL : fdopen(fd, "rb");
    if (f)
        return f;
    close(fd);
    errno = rc ? why : ENOMEM;
    return NULL;
}

int file_read_small(const char *path, size_t bytes_max, char **text,
                    size_t *len)
{
    FILE *f = open_small(path, bytes_max);
    *text = f ? malloc(bytes_max + 1) : NULL;
    *len = *text ? fread(*text, 1, bytes_max + 1, f) : 0;
    int why = !f || ferror(f) ? errno : *len > bytes_max ? EFBIG : 0;
    if (f && !*text)
        why = ENOMEM;
    if (f)
        fclose(f);
    if (why == 0)
        return 0;
    free(*text);
    *text = NULL;
    errno = why;
    return -1;
}

int file_read_pieces(const char *path,
                     void (*take)(void *context, const char *piece, size_t len),
                     void *context)
{
    FILE *f = open_path(path);
    char *piece = malloc(PIECE_BYTES);
    size_t len = PIECE_BYTES;
    int rc = f && piece ? 0 : -1;
    while (rc == 0 && len == PIECE_BYTES) {
        len = fread(piece, 1, PIECE_BYTES, f);
        if (len < PIECE_BYTES && ferror(f))
            rc = -1;
        else
            take(context, piece, len);
    }
    int saved = errno;
    free(piece);
    if (f && f != stdin)
        fclose(f);
    errno = saved;
    return rc;
}

size_t file_size(const char *path)
{
    struct stat st;
    if (strcmp(path, "-") == 0 || stat(path, &st) || !S_ISREG(st.st_mode))
        return 0;
    return (size_t)st.st_size;
}

int file_write(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return -1;
    int rc = fwrite(text, 1, len, f) == len ? 0 : -1;
    return fclose(f) || rc ? -1 : 0;
}

static int write_whole(int fd, const char *text, size_t len)
{
    FILE *f = fdopen(fd, "wb");
    if (!f) {
        close(fd);
        return -1;
    }
    int rc = fwrite(text, 1, len, f) == len ? 0 : -1;
    if (fflush(f) || fsync(fd))
        rc = -1;
    return fclose(f) || rc ? -1 : 0;
}

/* What a new file is to be. */
static mode_t mode_of_new(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Beside it first, where a rename is one step. */
static int replace(const char *path, mode_t mode, const char *text, size_t len)
{
    char *partial = NULL;
    if (asprintf(&partial, "%s.XXXXXX", path) < 0)
        return -1;
    int fd = mkostemp(partial, O_CLOEXEC), rc = -1;
    if (fd >= 0) {
        rc = fchmod(fd, mode);
        if (write_whole(fd, text, len) || (rc == 0 && rename(partial, path)))
            rc = -1;
        int why = errno;
        if (rc)
            unlink(partial);
        errno = why;
    }
    free(partial);
    return rc;
}

int file_replace(const char *path, const char *text, size_t len)
{
    struct stat st;
    if (stat(path, &st))
        return errno == ENOENT ? replace(path, mode_of_new(), text, len) : -1;
    if (!S_ISREG(st.st_mode))
        return file_write(path, text, len);
    char *target = realpath(path, NULL); /* a link stays one */
    int rc = target ? replace(target, st.st_mode & 07777, text, len) : -1;
    free(target);
    return rc;
}
