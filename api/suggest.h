/* The nearest known name to a misspelt one. */
#ifndef EVALD_API_SUGGEST_H
#define EVALD_API_SUGGEST_H

#include <stddef.h>

/*
 * The name of the n at least edit distance (insert, delete, replace, swap of
 * neighbours) from word, if that is at most a third of the word's length
 * plus one; else NULL.  Words of more than 63 bytes have none.
 */
const char *suggest(const char *word, const char *const *names, size_t n);

#endif
