/*
 * Reading JSON text straight into numbers, without a document.
 *
 * A scan accepts a subset of what jansson accepts and reads it to the same
 * values; about anything else it declines, and says nothing: who scans must
 * be able to start over with json_read, which knows what is wrong and where.
 * It declines what is malformed or out of range, and what is rare: keys with
 * escapes, depth beyond 64, objects of more than 32 members.
 *
 * Every function skips white space first, moves past what it has read, and
 * returns false to decline, after which the scan is of no more use.
 */
#ifndef EVALD_API_SCAN_H
#define EVALD_API_SCAN_H

#include "api/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *at, *end;
    const atomic_bool
        *stop; /* NULL, or what is long is declined once it is set */
};

/* How often a character is in a text. */
size_t scan_count(const char *text, size_t len, char c);

/* The next character that is no white space, or '\0' at the end. */
static inline char scan_peek(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' ||
                              *s->at == '\t' || *s->at == '\r'))
        s->at++;
    if (s->at == s->end)
        return '\0';
    return *s->at;
}

/* This character. */
static inline bool scan_char(struct scan *s, char c)
{
    if (scan_peek(s) != c || s->at == s->end)
        return false;
    s->at++;
    return true;
}

/* After a value: true in *more for a comma, false for this closing bracket. */
static inline bool scan_more(struct scan *s, char closing, bool *more)
{
    char c = scan_peek(s);
    *more = c == ',';
    if (c != ',' && c != closing)
        return false;
    s->at++;
    return true;
}

/*
 * One member's key and the colon.  seen holds the keys of the object so far,
 * n_seen their number: a key that is among them is declined.
 */
enum { SCAN_MEMBERS_MAX = 32 };
bool scan_key(struct scan *s, struct span *key,
              struct span seen[SCAN_MEMBERS_MAX], size_t *n_seen);

/*
 * A number of any length, correctly rounded; below half the smallest double
 * it is zero.  Declined are integers beyond int64 and what is not finite.
 */
bool scan_number(struct scan *s, double *out);

/* As scan_number, without blanks before it: behind the number, or NULL. */
const char *scan_number_at(const char *at, const char *end, double *out);

/* An integer, or a real of integral value within 2^53. */
bool scan_integer(struct scan *s, int64_t *out);

/* A string, its quotes included; valid as a document of its own. */
bool scan_string(struct scan *s, struct span *out);

/* Any value, looked through but not kept. */
bool scan_skip(struct scan *s);

/*
 * Where the value at text ends, valid or not: behind the bracket or quote that
 * matches its first, or at the first character that cannot be part of a
 * number or word.  NULL if the text ends before that is seen, or stop, which
 * may be NULL, is set.
 */
const char *scan_value_end(const char *text, const char *end,
                           const atomic_bool *stop);

#endif
