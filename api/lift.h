/*
 * Documents of many numbers: the numbers straight into memory, the rest by
 * way of jansson.
 *
 * One pass over the text lifts rectangular arrays of numbers out of it and
 * leaves null in their places.  jansson reads what is left, the skeleton, and
 * so remains the judge of every document: a text with a valid array at the
 * place of a value is valid if and only if it is with null there.  Whatever
 * the pass does not know stays in the skeleton.
 */
#ifndef EVALD_API_LIFT_H
#define EVALD_API_LIFT_H

#include "api/json_read.h"
#include "core/op.h"

enum {
    LIFT_DEPTH_MAX = 5, /* segments of a pattern */
    LIFT_WANTED_MAX = 4 /* patterns */
};

/* A member of an object by its key, or an item of an array. */
struct lift_link {
    const char *key; /* in the text; NULL = an item */
    size_t n;        /* bytes of the key, or which item */
};

struct lift {
    struct op_tensor array; /* doubles, 1 or more; data is the consumer's */
    struct lift_link link[LIFT_DEPTH_MAX];
    size_t depth;     /* links, the document's own member first */
    const char *text; /* what was lifted */
    size_t len;
};

/* What was lifted, in the order of the text. */
struct lifted {
    struct lift *lift;
    size_t n;
    size_t next; /* where lift_find looks first */
};

/*
 * As json_read of text, but with null for what is in *lifted.
 *   text    must live as long as *lifted does
 *   wanted  places as JSON pointers, ended by NULL; a segment of one asterisk
 *           is any member or item
 *   max     at most so many are lifted
 *
 * An array is lifted if it is at a wanted place, rectangular, not empty, of
 * OP_RANK_MAX dimensions or less and of nothing but numbers and the strings
 * "NaN", "Infinity" and "-Infinity".  Integers from 2^53 on, and below a key
 * that is written with escapes, are left where they are.
 */
const json_t *lift_read(const char *text, size_t len, const char *const *wanted,
                        size_t max, struct arena *mem, struct lifted *lifted,
                        struct api_error *err)
    __attribute__((warn_unused_result));

/*
 * What was lifted from a place, or NULL.  Fast when places are asked for in
 * the order of the text; lifted may be NULL.
 */
struct op_tensor *lift_find(struct lifted *lifted, const struct at *at);

#endif
