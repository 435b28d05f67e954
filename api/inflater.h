/*
 * Inflating a stream that comes in pieces.  However it is cut, the same streams
 * are taken, and the same bytes come out.
 *
 * Members of gzip and frames of zstd may follow each other, as both formats
 * have it; frames that are to be skipped are.  Checksums are verified.  Zstd
 * of a window beyond 8 MiB, or of a dictionary, is refused: RFC 8878 and
 * RFC 9659 ask nobody to read more.
 */
#ifndef EVALD_API_INFLATER_H
#define EVALD_API_INFLATER_H

#include "api/content.h"

struct inflater;

enum inflated {
    INFLATED_ALL,       /* of the input: give more, unless that was the end */
    INFLATED_ROOM,      /* the room is full: make more for the same input */
    INFLATED_MALFORMED, /* inflater_fault says why; it stays so */
    INFLATED_NO_MEMORY, /* likewise */
};

/*
 * A new stream, not of CODING_UNKNOWN; identity is passed through.  It is on
 * the heap, since the libraries allocate by themselves.  NULL without memory.
 */
struct inflater *inflater_new(enum coding coding)
    __attribute__((warn_unused_result));

/*
 * Reads from *in, which moves, up to end, and writes *n bytes to out, at most
 * room.  Output may be held back until more input comes; of a stream that is
 * whole there is none left.  Time is linear in what is read and written.
 */
enum inflated inflater_take(struct inflater *inf, const char **in,
                            const char *end, char *out, size_t room, size_t *n)
    __attribute__((warn_unused_result));

/* Whether the stream is complete if no more input comes. */
bool inflater_is_whole(const struct inflater *inf);

/* What is wrong: static, without a full stop.  Also of one that is not whole
 * although its input has ended. */
const char *inflater_fault(const struct inflater *inf);

/*
 * Fails as the body that gave rc does: INFLATED_ROOM is a body beyond
 * bytes_max, INFLATED_MALFORMED one of that fault.
 */
int inflater_fail(enum inflated rc, enum coding coding, const char *fault,
                  size_t bytes_max, struct api_error *err);

/* NULL is fine. */
void inflater_free(struct inflater *inf);

/*
 * How large a whole body says it becomes, which may be a lie; 0 if it does not
 * say.
 */
size_t inflater_hint(enum coding coding, const char *body, size_t len);

#endif
