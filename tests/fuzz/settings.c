/*
 * Any bytes as a file of settings: read, or refused with one line on stderr;
 * what evald says is in force is within its bounds.
 */
#include "server/settings.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct command command = {
    .name = "serve",
    .usage = "[OPTION ...]",
    .help = "Serves.",
    .options = settings_rows,
    .n_options = SETTINGS,
};

static int read_quietly(struct settings *s, int argc, char **argv, int err)
{
    int was = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(err, STDERR_FILENO);
    int code = settings_read(s, &command, argc, argv);
    fflush(stderr);
    dup2(was, STDERR_FILENO);
    close(was);
    return code;
}

/* A number that is in force is one that its row takes. */
static void check_bounds(const struct settings *s)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct option *o = &settings_rows[i];
        size_t least, most;
        const char *field = (const char *)s + o->offset;
        if (!o->most)
            continue;
        if (!o->store(&least, o->least) || !o->store(&most, o->most) ||
            *(const size_t *)field < least || *(const size_t *)field > most)
            abort();
    }
    if (!s->listen || strchr(s->listen, '\n') || (s->tls_cert && !s->tls_key) ||
        s->body_bytes_max > s->memory_bytes)
        abort();
}

/* One line, but for the bytes of the file that it quotes. */
static void check_refusal(int err)
{
    char said[4096];
    ssize_t n = pread(err, said, sizeof(said) - 1, 0);
    if (n < 14 || strncmp(said, "evald serve: ", 13) != 0 ||
        said[n - 1] != '\n' || memchr(said, '\n', (size_t)n) != said + n - 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings s;
    static int file = -1, err = -1;
    static char path[48], program[] = "serve", flag[] = "--config";
    char *argv[] = {program, flag, path, NULL};
    if (file < 0) {
        file = memfd_create("settings", 0);
        err = memfd_create("stderr", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    if (file < 0 || err < 0 || ftruncate(file, 0) || ftruncate(err, 0) ||
        lseek(err, 0, SEEK_SET) || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    int code = read_quietly(&s, 3, argv, err);
    if (code == -1)
        check_bounds(&s);
    else if (code == EX_CONFIG)
        check_refusal(err);
    else
        abort();
    settings_clear(&s);
    return 0;
}
