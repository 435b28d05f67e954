/* The query of a target: what follows its '?', pairs joined by '&'. */
#ifndef EVALD_API_QUERY_H
#define EVALD_API_QUERY_H

#include "api/error.h"
#include "core/arena.h"

/* Whether the query has this key, with or without a value, as it stands. */
bool query_has(const char *query, const char *key);

/* key=value, decoded: %XX is a byte, + a space.  Without '=', value is "". */
struct query_pair {
    const char *key, *value;
};

/*
 * Cuts the next pair off *query, into mem.  1, 0 at the end, -1 with *err set:
 * a % needs two hexadecimal digits behind it, which must not be 00.  Pairs that
 * are empty are skipped.
 */
int query_next(const char **query, struct arena *mem, struct query_pair *pair,
               struct api_error *err) __attribute__((warn_unused_result));

#endif
