/*
 * Reading JSON documents: jansson, and what it leaves to be said.
 *
 * Paths are RFC 6901 pointers, built only when something is wrong: a struct
 * at is a link in a chain on the stack.
 */
#ifndef EVALD_API_JSON_READ_H
#define EVALD_API_JSON_READ_H

#include "api/error.h"
#include "core/arena.h"

#include <jansson.h>
#include <stdint.h>

/*
 * The document in text, in memory from mem (json_memory.h: borrowed, never to
 * be decref'ed).  NULL with *err set when it is not valid JSON: NUL bytes,
 * duplicate keys and invalid UTF-8 are not.  A number beyond int64 or double
 * is a fault of its own, with its pointer.
 */
const json_t *json_read(const char *text, size_t len, struct arena *mem,
                        struct api_error *err)
    __attribute__((warn_unused_result));

struct at;

/* Where a piece of text begins in the whole of it. */
struct json_origin {
    const struct at *at; /* the value that the piece is; NULL = the document */
    size_t byte, line, column; /* 0, 1, 1 = the beginning */
};

/* As json_read, of one value in a longer text: errors say where in that. */
const json_t *json_read_value(const char *text, size_t len,
                              const struct json_origin *origin,
                              struct arena *mem, struct api_error *err)
    __attribute__((warn_unused_result));

/* Fails: what is wrong at a byte of a piece of text. */
int json_malformed(const char *text, size_t offset,
                   const struct json_origin *origin, const char *what,
                   struct api_error *err);

/* The origin of what follows the first n bytes of text. */
struct json_origin json_advance(struct json_origin o, const char *text,
                                size_t n);

/* A place in a document: a member of, or an item in, another place. */
struct at {
    const struct at *in; /* NULL = the document */
    const char *key;     /* NULL = an item */
    size_t item;
};

/*
 * Writes the pointer of at; if it does not fit, that of a place around it,
 * and false.
 */
bool at_pointer(const struct at *at, char pointer[POINTER_BYTES]);

/* As api_fail, at a place. */
int at_fail(struct api_error *err, enum problem kind, const struct at *at,
            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The kind of v in words: "an object", "a string", … */
const char *json_kind(const json_t *v);

/*
 * Each reads v, which may be NULL for a missing member, and returns 0, or -1
 * with *err set.
 *   integer  an integer, or a real of integral value within 2^53
 *   number   an integer or a real; the strings "NaN", "Infinity" and
 *            "-Infinity" are known, but not finite, which is refused
 *   real     as number, the three strings included
 *   boolean  true or false
 *   array, object  v itself, when it is one
 */
int read_integer(const json_t *v, const struct at *at, int64_t *out,
                 struct api_error *err);
int read_number(const json_t *v, const struct at *at, double *out,
                struct api_error *err);
int read_real(const json_t *v, const struct at *at, double *out,
              struct api_error *err);
int read_boolean(const json_t *v, const struct at *at, bool *out,
                 struct api_error *err);
int read_array(const json_t *v, const struct at *at, struct api_error *err);
int read_object(const json_t *v, const struct at *at, struct api_error *err);

/* Whether read_integer takes a real of this value. */
bool is_integral(double x);

/* The row of names that the string v is, in *row. */
int read_choice(const json_t *v, const struct at *at, const char *const *names,
                size_t n, size_t *row, struct api_error *err);

/* As read_choice, of a word that is no JSON. */
int read_word(const char *word, const struct at *at, const char *const *names,
              size_t n, size_t *row, struct api_error *err);

/* A key must be one of names; at is its place. */
int read_key(const char *key, const struct at *at, const char *const *names,
             size_t n, struct api_error *err);

/*
 * Every key of the object v must be one of names.  member[i] is what names[i]
 * names, or NULL where it is not there.
 */
int read_members(const json_t *v, const struct at *at, const char *const *names,
                 size_t n, const json_t **member, struct api_error *err);

/* As read_members, for who looks at the members later. */
int read_known(const json_t *v, const struct at *at, const char *const *names,
               size_t n, struct api_error *err);

#endif
