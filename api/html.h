/*
 * Writing HTML that is well-formed XML, too: every element is closed, every
 * attribute is in double quotes, and text is escaped.
 *
 * Text is UTF-8; what is not, and characters that XML has not, become U+FFFD.
 * Failure is json_out.h's.
 */
#ifndef EVALD_API_HTML_H
#define EVALD_API_HTML_H

#include "api/json_out.h"

/* Markup as it is. */
void html_raw(struct json_out *out, const char *markup);

/* Text as content or in double quotes: all of it, n bytes of it. */
void html_text(struct json_out *out, const char *s);
void html_bytes(struct json_out *out, const char *s, size_t n);
/* At most so many characters of it, and a mark if there are more. */
void html_cut(struct json_out *out, const char *s, size_t characters);

/* <tag>text</tag> */
void html_element(struct json_out *out, const char *tag, const char *s);

/* 1234567 as 1,234,567. */
void html_count(struct json_out *out, uint64_t n);
/* Three decimals; a dash if x is not finite. */
void html_number(struct json_out *out, double x);
/* Its shortest form that reads back to x (number.h); a dash as above. */
void html_exact(struct json_out *out, double x);

/*
 * Tables: html_table, caption, html_heads, rows, html_table_end; a row:
 * html_row, cells, html_row_end.  The first cell is the row's head.  A column
 * is of numbers, unless its head begins with a <, which is left out, and its
 * cells are html_cell_words.
 */
void html_table(struct json_out *out, const char *kind);
void html_heads(struct json_out *out, const char *const *head, size_t n);
void html_table_end(struct json_out *out);
void html_row(struct json_out *out, const char *head);
void html_row_end(struct json_out *out);
void html_cell_words(struct json_out *out, const char *s);
void html_cell_count(struct json_out *out, uint64_t n);
/* A number with its exact value to be pointed at. */
void html_cell_number(struct json_out *out, double x);

#endif
