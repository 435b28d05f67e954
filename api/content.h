/*
 * Content codings, RFC 9110, section 8.4: bodies that come compressed, and
 * answers that leave so.  Streams that come in pieces: inflater.h.
 */
#ifndef EVALD_API_CONTENT_H
#define EVALD_API_CONTENT_H

#include "api/error.h"
#include "core/arena.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD, CODING_UNKNOWN };

/* The codings that are read and written, best first, as headers list them. */
#define CONTENT_CODINGS "zstd, gzip"

/* Shorter answers fit in a packet anyway: they are sent as they are. */
enum { CONTENT_BYTES_MIN = 1024 };

/*
 * What Content-Encoding says; the header may be NULL.  A list of codings is
 * unknown: nobody compresses twice but to hide how much it will be.
 */
enum coding coding_of(const char *content_encoding);

/* As headers have it; not of CODING_UNKNOWN. */
const char *coding_name(enum coding coding);

/*
 * The coding that the client would have us answer in; the header, which may be
 * NULL, is Accept-Encoding.  Of codings it likes equally zstd, then gzip; of
 * what it does not accept none, even if it refuses identity.
 */
enum coding coding_wanted(const char *accept_encoding);

/*
 * Inflates a whole body, of *len bytes at *body: both become those of the
 * content, in mem.
 *   bytes_max  more of it is PROBLEM_BODY_TOO_LARGE, found when it is reached
 * What the content takes is added to the budget of mem, so that it has as much
 * left as before.  At no time is there more than one buffer of bytes_max + 1
 * bytes, beside the window of the stream (8 MiB at most).  -1 with *err set.
 */
int content_decode(enum coding coding, const char **body, size_t *len,
                   size_t bytes_max, struct arena *mem, struct api_error *err)
    __attribute__((warn_unused_result));

/*
 * Compresses an answer likewise; the same bytes always give the same bytes.
 * False, with nothing changed, if that saves nothing or there is no memory.
 */
bool content_encode(enum coding coding, char **body, size_t *len,
                    struct arena *mem);

#endif
