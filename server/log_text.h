/*
 * One line of the log while it is put together, for people or as an object of
 * JSON.  A field has a name for each; people get " value" where theirs is "".
 * Lines are written at every request, so this does without printf.
 */
#ifndef EVALD_SERVER_LOG_TEXT_H
#define EVALD_SERVER_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the longest message, every byte of it escaped, and for a request. */
enum { MESSAGE_BYTES = 1024, LINE_BYTES = 8192 };

struct line {
    bool json;
    size_t len;
    char text[LINE_BYTES];
};

struct field {
    const char *text, *json;
};

/* Begins a line with the time of day and the name of its level. */
void line_begin(struct line *l, bool json, const char *level);
void line_end(struct line *l);

/*
 * At most bytes_max of a text, which may have any bytes: what is no text of
 * UTF-8 is replaced.  NULL = no such field.
 */
void line_string(struct line *l, struct field f, const char *s,
                 size_t bytes_max);
void line_count(struct line *l, struct field f, uint64_t n);

/* With three digits behind the point. */
void line_ms(struct line *l, struct field f, double ms);

/* Words that only people are shown. */
void line_words(struct line *l, const char *words);

#endif
