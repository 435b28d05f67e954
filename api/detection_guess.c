/* Reading ahead in a piece of text, without knowing what was before it. */
#include "api/detection_levels.h"

#include <string.h>

enum { CANDIDATES_MAX = 16 };

/* At most so many rows are in a piece, of the kind that is shortest. */
static size_t rows_max(const struct kind *kind, size_t piece_len)
{
    return piece_len / kind->bytes_min + 1;
}

static const struct kind *const kinds[] = {&detection_kind, &annotation_kind,
                                           &image_kind};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

size_t guess_bytes(size_t piece_len)
{
    size_t most = 0;
    for (size_t i = 0; i < KINDS; i++) {
        size_t bytes =
            rows_max(kinds[i], piece_len) * table_row_bytes(kinds[i]);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Whether what stands before `at` is the end of another record and a comma. */
static bool follows_record(const char *text, const char *at)
{
    while (at > text && is_blank(at[-1]))
        at--;
    if (at == text || *--at != ',')
        return false;
    while (at > text && is_blank(at[-1]))
        at--;
    return at > text && at[-1] == '}';
}

/* As many records as there are from g->from on. */
static bool read_ahead(struct guess *g, const struct kind *kind,
                       const struct span *piece, void *memory,
                       const atomic_bool *stop)
{
    struct scan s = {g->from, piece->text + piece->len, stop};
    bool more = true;
    table_over(&g->rows, kind, memory, rows_max(kind, piece->len));
    while (more && g->rows.n < g->rows.capacity && scan_peek(&s) == '{') {
        if (!table_scan(&g->rows, &s))
            break;
        g->to = s.at;
        if (!scan_more(&s, ']', &more))
            break;
    }
    return g->rows.n > 0;
}

/* `likely` is tried first: any guess is right, but not any is of use. */
void guess_make(struct guess *g, const struct kind *likely,
                const struct span *piece, void *memory, const atomic_bool *stop)
{
    const char *end = piece->text + piece->len, *at = piece->text;
    for (size_t i = 0; i < CANDIDATES_MAX; i++, at++) {
        at = memchr(at, '{', (size_t)(end - at));
        if (!at)
            break;
        if (!follows_record(piece->text, at))
            continue;
        g->from = at;
        for (size_t k = 0; k < KINDS + KINDS; k++) {
            const struct kind *kind = kinds[k % KINDS];
            if ((kind == likely) == (k < KINDS) &&
                read_ahead(g, kind, piece, memory, stop))
                return;
        }
    }
    g->from = NULL;
}
