/*
 * Looking at pages: whether markup is well-formed, by a reader of its own that
 * takes less than HTML allows, namely what is XML, too.
 */
#ifndef EVALD_TESTS_MARKUP_H
#define EVALD_TESTS_MARKUP_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MARKUP_DEPTH_MAX = 32, MARKUP_NAME_MAX = 16 };

/* A page being read; fault is why it is not well-formed. */
struct markup {
    const char *at, *end;
    char open[MARKUP_DEPTH_MAX][MARKUP_NAME_MAX + 1];
    size_t depth, elements;
    const char *fault;
};

static inline bool markup_fail(struct markup *m, const char *fault)
{
    if (!m->fault)
        m->fault = fault;
    return false;
}

static inline bool markup_take(struct markup *m, const char *what)
{
    size_t n = strlen(what);
    if ((size_t)(m->end - m->at) < n || memcmp(m->at, what, n) != 0)
        return false;
    m->at += n;
    return true;
}

static inline bool markup_reference(struct markup *m)
{
    return markup_take(m, "&lt;") || markup_take(m, "&gt;") ||
           markup_take(m, "&amp;") || markup_take(m, "&quot;") ||
           markup_fail(m, "a & that is no reference");
}

static inline bool markup_name(struct markup *m, char name[MARKUP_NAME_MAX + 1],
                               const char *others)
{
    size_t n = 0;
    while (m->at < m->end && n < MARKUP_NAME_MAX &&
           (isalnum((unsigned char)*m->at) || strchr(others, *m->at)))
        name[n++] = *m->at++;
    name[n] = '\0';
    return n > 0 || markup_fail(m, "no name");
}

/* Attributes that are numbers, and what their values may consist of. */
static inline bool markup_is_drawn(const char *name)
{
    static const char *const names[] = {
        "x",  "y",  "width", "height",  "x1",          "x2",
        "y1", "y2", "d",     "viewBox", "fill-opacity"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static inline bool markup_attribute(struct markup *m)
{
    char name[MARKUP_NAME_MAX + 1];
    if (!markup_name(m, name, "-:") || !markup_take(m, "=\""))
        return markup_fail(m, "an attribute without quotes");
    for (; m->at < m->end && *m->at != '"';) {
        if (*m->at == '<')
            return markup_fail(m, "a < in an attribute");
        if (markup_is_drawn(name) && !strchr("0123456789.- MLh", *m->at))
            return markup_fail(m, "a coordinate that is no number");
        if (*m->at != '&')
            m->at++;
        else if (!markup_reference(m))
            return false;
    }
    return markup_take(m, "\"") || markup_fail(m, "an open attribute");
}

static inline bool markup_end_tag(struct markup *m)
{
    char name[MARKUP_NAME_MAX + 1];
    if (!markup_name(m, name, "") || !markup_take(m, ">"))
        return markup_fail(m, "no end tag");
    if (m->depth == 0 || strcmp(m->open[--m->depth], name) != 0)
        return markup_fail(m, "an end tag of another element");
    return true;
}

static inline bool markup_tag(struct markup *m)
{
    char *name = m->open[m->depth];
    if (markup_take(m, "/"))
        return markup_end_tag(m);
    if (m->depth + 1 == MARKUP_DEPTH_MAX || !markup_name(m, name, ""))
        return markup_fail(m, "too deep, or no tag");
    m->elements++;
    while (markup_take(m, " "))
        if (!markup_attribute(m))
            return false;
    if (markup_take(m, "/>"))
        return true;
    if (!markup_take(m, ">"))
        return markup_fail(m, "a tag that does not end");
    m->depth++;
    return true;
}

/* Whether all of it is one element behind a doctype. */
static inline bool markup_read(struct markup *m, const char *text, size_t n)
{
    *m = (struct markup){.at = text, .end = text + n};
    if (!markup_take(m, "<!DOCTYPE html>\n"))
        return markup_fail(m, "no doctype");
    while (m->at < m->end && !m->fault) {
        unsigned char c = (unsigned char)*m->at;
        if (markup_take(m, "<"))
            markup_tag(m);
        else if (c == '&')
            markup_reference(m);
        else if (c < ' ' && !strchr("\n\r\t", c))
            markup_fail(m, "a control character");
        else
            m->at++;
    }
    if (m->depth)
        markup_fail(m, "an element that does not end");
    return !m->fault;
}

#endif
