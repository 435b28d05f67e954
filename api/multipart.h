/*
 * Reading multipart/form-data (RFC 7578, RFC 2046) in pieces of any size.
 *
 *   multipart_init        from the header Content-Type
 *   multipart_next        the next event in a piece of the body, again and
 *                         again until it says MORE; then the next piece
 *   multipart_unfinished  after the last piece: whether that was all of it
 *
 * Content is handed out where it stands.  What is held back at the end of a
 * piece, since it may turn out to be a delimiter, is always the beginning of
 * one, so that nothing but headers is copied.
 */
#ifndef EVALD_API_MULTIPART_H
#define EVALD_API_MULTIPART_H

#include "api/scan.h"

enum {
    MULTIPART_BOUNDARY_MAX = 70, /* characters, as RFC 2046 has it */
    MULTIPART_HEAD_MAX = 4096,   /* bytes of a part's headers */
    MULTIPART_NAME_MAX = 256,    /* bytes of a name, and of a filename */
};

enum multipart_event {
    MULTIPART_MORE,        /* the piece is used up */
    MULTIPART_PART,        /* a part begins: see name, filename, content_type */
    MULTIPART_DATA,        /* a stretch of its content, one byte or more */
    MULTIPART_END_OF_PART, /* its content ends */
    MULTIPART_END,         /* the closing delimiter; what follows is ignored */
    MULTIPART_BAD,         /* why says what is wrong; so is all that follows */
};

enum multipart_state {
    MULTIPART_PREAMBLE,
    MULTIPART_DELIMITED, /* right behind a delimiter */
    MULTIPART_DASH,      /* behind the first dash that closes */
    MULTIPART_PADDING,   /* in blanks behind a delimiter */
    MULTIPART_LINE_END,  /* before the LF of the delimiter's line */
    MULTIPART_HEAD,
    MULTIPART_CONTENT,
    MULTIPART_EPILOGUE,
    MULTIPART_BROKEN,
};

/* Must stay where it is, as it points into itself. */
struct multipart {
    const char *why; /* static text without a full stop */
    /*
     * Of the latest part, until the next event PART; terminated, and not
     * looked at any further: they may be any bytes but NUL, CR and LF.
     */
    const char *name;
    const char *filename;     /* NULL = none */
    const char *content_type; /* NULL = none */
    /* The rest is this module's own. */
    enum multipart_state state;
    char delimiter[MULTIPART_BOUNDARY_MAX + 4]; /* CR LF "--" boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of it that have been seen */
    size_t given;   /* the first of these, which belong to what is before */
    bool encoded;   /* the part has a Content-Transfer-Encoding */
    size_t head_len;
    char head[MULTIPART_HEAD_MAX + 1];
};

/*
 * content_type is the header's value, which may be NULL.  0, or -1 with m->why
 * set when it has no boundary, or one that RFC 2046 does not allow.
 */
int multipart_init(struct multipart *m, const char *content_type)
    __attribute__((warn_unused_result));

/*
 * Goes on at *at, up to end, and moves *at behind what it has read.  For DATA
 * *data is set: it lies in the piece or in *m, and holds until the next call.
 *
 * Of Content-Disposition, name and filename are read: in quotes \" and \\ stand
 * for " and \, any other backslash and what browsers write as %22, %0D and %0A
 * are left as they are.  Each part must have a name.  Lines end with CR LF.
 */
enum multipart_event multipart_next(struct multipart *m, const char **at,
                                    const char *end, struct span *data)
    __attribute__((warn_unused_result));

/*
 * NULL if the closing delimiter has been seen; else what is missing, as static
 * text.
 */
const char *multipart_unfinished(const struct multipart *m);

#endif
