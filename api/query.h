/* The query of a target: what follows its '?', pairs joined by '&'. */
#ifndef EVALD_API_QUERY_H
#define EVALD_API_QUERY_H

#include "api/error.h"
#include "core/arena.h"

#include <stdint.h>

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

enum { QUERY_LISTS_MAX = 4 };

/*
 * Reads a query whose keys are names, of which the first `lists` may come more
 * than once: value[i] becomes the value of names[i], NULL = it is not there,
 * lists with commas between what came.  "pretty" is known to every path, and
 * not told.  0, or -1 with *err set.
 */
int query_read(const char *query, const char *const *names, size_t n,
               size_t lists, const char **value, struct arena *mem,
               struct api_error *err) __attribute__((warn_unused_result));

/* As query_read, of keys that come once. */
static inline int query_values(const char *query, const char *const *names,
                               size_t n, const char **value, struct arena *mem,
                               struct api_error *err)
{
    return query_read(query, names, n, 0, value, mem, err);
}

/*
 * Each reads a value of query_read into *out; 0, or -1 with *err set.
 *   flag     "", true, 1 or false, 0; NULL is false
 *   integer  from lo to hi; NULL leaves *out as it is
 */
int query_flag(const char *name, const char *value, bool *out,
               struct api_error *err);
int query_integer(const char *name, const char *value, int64_t lo, int64_t hi,
                  int64_t *out, struct api_error *err);

/* Whether a value is a number as JSON has it: -1, 0.5, 1e-3; not 01 or .5. */
bool query_is_number(const char *value);

/* Cuts the next item off a list, in place; NULL at its end. */
const char *query_item(char **list);

#endif
