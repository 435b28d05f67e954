/*
 * The head of a request as a tolerant parser takes it apart, in place: lines
 * end in CR LF, CR or LF, blanks may be anywhere, folded lines are joined, and
 * strings end at NUL.  What the gate is shown by libmicrohttpd is of this kind.
 */
#ifndef EVALD_TESTS_HEAD_H
#define EVALD_TESTS_HEAD_H

#include "server/gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A part of the head that is still to be read. */
struct head {
    char *at;
    size_t left, read;
};

/* The next line, ended by NUL; NULL if its end has not come. */
static inline char *head_line(struct head *h)
{
    char *line = h->at;
    size_t n = 0, end = 1;
    while (n < h->left && line[n] != '\r' && line[n] != '\n')
        n++;
    if (n == h->left)
        return NULL;
    if (line[n] == '\r' && n + 1 < h->left && line[n + 1] == '\n')
        end = 2;
    line[n] = '\0';
    h->at += n + end;
    h->left -= n + end;
    h->read += n + end;
    return line;
}

static inline bool head_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The request line; false if it has no three parts. */
static inline bool head_begin(char *line, struct gate *g)
{
    char *target = strchr(line, ' ');
    char *version = strrchr(line, ' ');
    if (!target || target == version)
        return false;
    while (target < version && head_is_blank(*target))
        *target++ = '\0';
    char *end = version;
    while (end > target && head_is_blank(end[-1]))
        end--;
    *end = '\0';
    gate_begin(g, line, target, version + 1);
    return true;
}

/* Joins what is folded to line; the rest of it moves up. */
static inline void head_unfold(struct head *h, char *line)
{
    while (h->left > 0 && head_is_blank(*h->at)) {
        const char *more = head_line(h);
        if (!more)
            return;
        while (head_is_blank(*more))
            more++;
        memmove(line + strlen(line), more, strlen(more) + 1);
    }
}

/*
 * Shows the gate a head of n bytes, which it changes.  False if it is none
 * that a parser would get through; else g says what the gate thinks of it, and
 * *bytes is how many of them are the head.  Strings in g are text's.
 */
static inline bool head_read(char *text, size_t n, struct gate *g,
                             size_t *bytes)
{
    struct head h = {text, n, 0};
    char *line = head_line(&h);
    if (!line || !head_begin(line, g))
        return false;
    while ((line = head_line(&h)) && *line) {
        head_unfold(&h, line);
        char *colon = strchr(line, ':');
        if (!colon)
            return false;
        char *value = colon + 1;
        while (head_is_blank(*value))
            value++;
        *colon = '\0';
        gate_header(g, line, strlen(line), value, strlen(value));
    }
    if (!line)
        return false;
    gate_end(g, h.read);
    *bytes = h.read;
    return true;
}

#endif
