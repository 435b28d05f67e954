/*
 * Tables for a terminal: columns as wide as what is in them, sparklines, bars,
 * colour where it is wanted.
 *
 * A width is a number of characters of UTF-8.  Characters that are drawn two
 * columns wide, as those of East Asian scripts, or in none, as combining
 * marks, put the rest of their line out of place.
 */
#ifndef EVALD_API_TEXT_TABLE_H
#define EVALD_API_TEXT_TABLE_H

#include "api/json_out.h"

struct text_out {
    struct json_out *out;
    bool colour; /* ANSI's SGR sequences, which HTTP's readers do not want */
};

enum text_tone { TEXT_PLAIN, TEXT_BOLD, TEXT_RED, TEXT_YELLOW, TEXT_GREEN };

/*
 * The tone of x on a scale from bad to good, whichever is larger: red up to
 * bad, green from good on, yellow between; plain where x is not more than -1,
 * or NaN.
 */
enum text_tone text_grade(double x, double bad, double good);

/* A bold line, which says what comes next, and an empty one before it. */
void text_title(const struct text_out *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum {
    TEXT_COLUMNS_MAX = 64,
    TEXT_NAME_MAX = 32, /* characters of a name in a table */
    TEXT_NAME_BYTES = 4 * TEXT_NAME_MAX + 4,
    TEXT_CELL_BYTES = 512,
};

/*
 * Writes name into buf, terminated, in at most `most` characters, 1 to
 * TEXT_NAME_MAX; the last is an ellipsis where more are left out.  Names come
 * from files and shall not drive the terminal: control characters and what
 * turns the direction of writing becomes '?', as does what is no UTF-8.
 */
void text_name(char buf[TEXT_NAME_BYTES], const char *name, size_t most);

/*
 * n > 0 numbers from 0 to 1 as a line of at most `columns` characters, each of
 * as many numbers as fit, their mean.  NaN is left out; where there is nothing
 * else it is a dot.  buf has TEXT_CELL_BYTES; columns at most 100.
 */
void text_spark(char *buf, const double *x, size_t n, size_t columns);

/* x of most, the length of `columns`, at most 100, in eighths of a column. */
void text_bar(char *buf, double x, double most, size_t columns);

struct text_table {
    const struct text_out *to;
    size_t n;
    struct text_column {
        char heading[TEXT_NAME_BYTES];
        bool left; /* else to the right, as numbers are */
        size_t width;
    } column[TEXT_COLUMNS_MAX];
    /* Where a row is being made: */
    bool measuring;
    size_t at, blanks;
};

void text_table_init(struct text_table *t, const struct text_out *to);
/* Further columns; what is beyond TEXT_COLUMNS_MAX is left out. */
void text_left(struct text_table *t, const char *heading);
void text_right(struct text_table *t, const char *heading);

/*
 * Writes the headings, and rows: make puts the cells of one, from left to
 * right.  It is called twice for each, the first time to measure, so that
 * tables of any length need no memory but for their text.
 */
void text_table_write(struct text_table *t, size_t rows,
                      void (*make)(struct text_table *t, const void *context,
                                   size_t row),
                      const void *context);

/* The next cell.  The format's text is without control characters. */
void text_cell(struct text_table *t, enum text_tone tone, const char *format,
               ...) __attribute__((format(printf, 3, 4)));
/* x with so many decimals, or a dash where it is not more than -1, or NaN. */
void text_number(struct text_table *t, enum text_tone tone, double x,
                 int decimals);

#endif
