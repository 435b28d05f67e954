/* What a call prints: both streams of the process, sent to files meanwhile. */
#ifndef EVALD_TESTS_STREAMS_H
#define EVALD_TESTS_STREAMS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAID_BYTES = 16384 };

struct streams {
    FILE *file[2];
    int was[2];
};

static inline void streams_divert(struct streams *s)
{
    FILE *stream[2] = {stdout, stderr};
    for (int i = 0; i < 2; i++) {
        s->file[i] = tmpfile();
        if (!s->file[i])
            abort();
        fflush(stream[i]);
        s->was[i] = dup(fileno(stream[i]));
        dup2(fileno(s->file[i]), fileno(stream[i]));
    }
}

/* Puts them back; the beginning of what was printed goes to out and err. */
static inline void streams_restore(struct streams *s, char out[SAID_BYTES],
                                   char err[SAID_BYTES])
{
    FILE *stream[2] = {stdout, stderr};
    char *said[2] = {out, err};
    for (int i = 0; i < 2; i++) {
        fflush(stream[i]);
        dup2(s->was[i], fileno(stream[i]));
        close(s->was[i]);
        rewind(s->file[i]);
        size_t n = fread(said[i], 1, SAID_BYTES - 1, s->file[i]);
        said[i][n] = '\0';
        fclose(s->file[i]);
    }
}

#endif
