/*
 * Writing JSON and text into memory of an arena.
 *
 * The writer puts the commas and, when asked, the indentation; the caller
 * opens, closes and names.  When the arena is spent, or its request stopped,
 * everything written from then on is dropped and out->failed is set: look once,
 * at the end, and now and then in a loop that is long.
 */
#ifndef EVALD_API_JSON_OUT_H
#define EVALD_API_JSON_OUT_H

#include "core/arena.h"

#include <stdint.h>

struct json_out {
    struct arena *mem;
    char *text; /* not terminated */
    size_t len, capacity;
    size_t until; /* of capacity: so far without a look at mem->stop */
    bool pretty, failed;
    bool comma; /* the next value needs one before it */
    bool keyed; /* the next value follows its key */
    unsigned depth;
    /* The number that out_number wrote last: many come several times. */
    struct {
        uint64_t bits;
        size_t at, len; /* its text; len 0 = none */
    } last;
};

void json_out_init(struct json_out *out, struct arena *mem, bool pretty);

/* Forgets what was written since `before`, a copy of *out, was made. */
void out_rewind(struct json_out *out, const struct json_out *before);

void out_open(struct json_out *out, char bracket);
void out_close(struct json_out *out, char bracket);

/* Keys and strings are UTF-8; what is not becomes U+FFFD. */
void out_key(struct json_out *out, const char *key);
void out_string(struct json_out *out, const char *s);
void out_integer(struct json_out *out, int64_t i);
void out_boolean(struct json_out *out, bool b);
void out_null(struct json_out *out);

/* A double in its shortest form (number.h); null when it is not finite. */
void out_number(struct json_out *out, double x);
void out_float(struct json_out *out, float x);

/*
 * Items of an array: n numbers as the above would write them, only faster,
 * but up to the first that is not finite.  Returns how many; if less than n,
 * the next is the caller's to write as it likes.
 */
size_t out_numbers(struct json_out *out, const double *x, size_t n);
size_t out_floats(struct json_out *out, const float *x, size_t n);

/* JSON text that is written already, as one value. */
void out_raw(struct json_out *out, const char *json);

void out_member_string(struct json_out *out, const char *key, const char *s);
void out_member_integer(struct json_out *out, const char *key, int64_t i);
void out_member_number(struct json_out *out, const char *key, double x);

/* Makes room for n more bytes at once, for who knows how many will come. */
void out_reserve(struct json_out *out, size_t n);

/* As out_reserve, but if there is no room nothing has happened: false. */
bool out_try_reserve(struct json_out *out, size_t n)
    __attribute__((warn_unused_result));

/* Plain bytes, for text that is no JSON. */
void out_bytes(struct json_out *out, const char *bytes, size_t n);
void out_format(struct json_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
