#include "api/accept.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The end of the part that starts at p: a separator out of quotes, or end. */
static const char *part_end(const char *p, const char *end, char separator)
{
    bool quoted = false;
    for (; p < end && (quoted || *p != separator); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < end)
            p++;
    }
    return p;
}

/* A piece of a header, without the white space around it. */
struct piece {
    const char *text;
    size_t len;
};

static struct piece trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct piece){from, (size_t)(to - from)};
}

/*
 * Cuts the next piece off *rest, up to the separator.  False at the end.  No
 * piece is empty, but for what stands between two separators.
 */
static bool next_piece(const char **rest, const char *end, char separator,
                       struct piece *piece)
{
    if (*rest >= end)
        return false;
    const char *to = part_end(*rest, end, separator);
    *piece = trimmed(*rest, to);
    *rest = to + (to < end);
    return true;
}

static bool is(struct piece piece, const char *word)
{
    return piece.len == strlen(word) &&
           strncasecmp(piece.text, word, piece.len) == 0;
}

/* Whether the piece is name=…; *value is what follows, out of its quotes. */
static bool parameter(struct piece piece, const char *name, struct piece *value)
{
    const char *equals = memchr(piece.text, '=', piece.len);
    const char *end = piece.text + piece.len;
    if (!equals || !is(trimmed(piece.text, equals), name))
        return false;
    *value = trimmed(equals + 1, end);
    if (value->len >= 2 && *value->text == '"') {
        value->text++;
        value->len -= 2;
    }
    return true;
}

/* Whether a range is a type, of which no parameters are looked at. */
static bool is_type(struct piece range, const char *type)
{
    return range.len == strcspn(type, ";") &&
           strncasecmp(range.text, type, range.len) == 0;
}

/* How closely a range fits a type: 0 = not, 2 = star, 4 = group, 6 = it. */
static int fit(struct piece range, const char *type)
{
    size_t group = strcspn(type, "/") + 1;
    if (is(range, "*/*"))
        return 2;
    if (range.len == group + 1 && range.text[group] == '*' &&
        strncasecmp(range.text, type, group) == 0)
        return 4;
    return is_type(range, type) ? 6 : 0;
}

/*
 * How closely one element of Accept fits, and its quality.  Our types have no
 * parameter but a charset: a range that asks for another fits less than one
 * that does not.
 */
static int element(struct piece e, const char *type, double *q)
{
    const char *rest = e.text, *end = e.text + e.len;
    struct piece piece, value;
    *q = 1;
    if (!next_piece(&rest, end, ';', &piece))
        return 0;
    int f = fit(piece, type), other = 0;
    while (f && next_piece(&rest, end, ';', &piece)) {
        if (parameter(piece, "q", &value))
            *q = strtod(value.text, NULL);
        else if (piece.len && !parameter(piece, "charset", &value))
            other = 1;
    }
    return f - other;
}

/* The quality that the closest range of the header gives a type. */
static double accepted(const char *accept, const char *type)
{
    const char *rest = accept, *end = accept + strlen(accept);
    struct piece e;
    double quality = 0, q;
    int closest = 0;
    while (next_piece(&rest, end, ',', &e)) {
        int f = element(e, type, &q);
        if (f > closest) {
            closest = f;
            quality = q;
        }
    }
    return quality;
}

size_t accept_pick(const char *accept, const char *const *types)
{
    size_t n = 0, best = SIZE_MAX;
    double most = 0;
    if (!accept || !*accept)
        return 0;
    for (; types[n]; n++) {
        double q = accepted(accept, types[n]);
        if (q > most) {
            most = q;
            best = n;
        }
    }
    return best < n ? best : n;
}

/* Whether the parameters that are left leave JSON in UTF-8. */
static bool is_utf8(const char *rest, const char *end)
{
    struct piece piece, value;
    while (next_piece(&rest, end, ';', &piece))
        if (parameter(piece, "charset", &value) && !is(value, "utf-8"))
            return false;
    return true;
}

size_t content_pick(const char *content_type, const char *const *types)
{
    const char *rest = content_type ? content_type : "";
    const char *end = rest + strlen(rest);
    struct piece piece;
    bool any = next_piece(&rest, end, ';', &piece);
    size_t row = 0;
    while (types[row] && !(any && is(piece, types[row])))
        row++;
    bool json = types[row] && strcmp(types[row], "application/json") == 0;
    if (!json || is_utf8(rest, end))
        return row;
    while (types[row])
        row++;
    return row;
}

double accept_coding(const char *accept_encoding, const char *coding)
{
    const char *rest = accept_encoding ? accept_encoding : "";
    const char *end = rest + strlen(rest);
    struct piece e, piece, value;
    double quality = 0;
    while (next_piece(&rest, end, ',', &e)) {
        const char *at = e.text, *to = e.text + e.len;
        double q = 1;
        if (!next_piece(&at, to, ';', &piece))
            continue;
        bool named = is(piece, coding);
        if (!named && !is(piece, "*"))
            continue;
        while (next_piece(&at, to, ';', &piece))
            if (parameter(piece, "q", &value))
                q = strtod(value.text, NULL);
        if (named)
            return q;
        quality = q;
    }
    return quality;
}
