#include "api/suggest.h"

#include <string.h>

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; row i - 1 and i - 2 are kept. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replace, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = above, above = row, row = spare;
    }
    return above[m];
}

const char *suggest(const char *word, const char *const *names, size_t n)
{
    size_t len = strlen(word), best = len / 3 + 2;
    const char *found = NULL;
    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        size_t d = m > WORD_MAX ? best : distance(word, len, names[i], m);
        if (d < best) {
            best = d;
            found = names[i];
        }
    }
    return found;
}
