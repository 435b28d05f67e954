/* A body that an intake takes in pieces, some at a time. */
#ifndef EVALD_TESTS_PIECES_H
#define EVALD_TESTS_PIECES_H

#include "api/api.h"

enum { PIECES = 5 };

static inline void take_pieces(struct api_intake *in, const char *body,
                               size_t n_body, size_t piece_bytes)
{
    for (size_t at = 0; at < n_body;) {
        struct span piece[PIECES];
        size_t n = 0;
        for (; n < PIECES && at < n_body; n++) {
            size_t len = n_body - at < piece_bytes ? n_body - at : piece_bytes;
            piece[n] = (struct span){body + at, len};
            at += len;
        }
        api_intake_take(in, piece, n);
    }
}

#endif
