#include "api/json_locate.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

/* One open bracket, and how far in we are. */
struct level {
    bool object;
    size_t item;
    const char *key; /* of the member at hand, or NULL before any */
    size_t key_len;
};

/* The closing quote of the string that opens at i, or end. */
static size_t string_end(const char *text, size_t i, size_t end)
{
    for (i++; i < end && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < end ? i : end;
}

/* Appends "/" and n bytes of s with ~ and / escaped, if it all fits. */
static size_t add(char *pointer, size_t size, size_t at, const char *s,
                  size_t n)
{
    size_t end = at;
    if (2 * n + 2 > size - at)
        return at;
    pointer[end++] = '/';
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '~' || s[i] == '/') {
            pointer[end++] = '~';
            pointer[end++] = s[i] == '~' ? '0' : '1';
        } else {
            pointer[end++] = s[i];
        }
    }
    return end;
}

/* As add, of a key between its quotes; jansson undoes its escapes. */
static size_t add_key(char *pointer, size_t size, size_t at, const char *key,
                      size_t n)
{
    json_t *s = json_loadb(key - 1, n + 2, JSON_DECODE_ANY, NULL);
    if (s)
        at =
            add(pointer, size, at, json_string_value(s), json_string_length(s));
    json_decref(s);
    return at;
}

static void write_pointer(const struct level *level, size_t depth,
                          char *pointer, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < depth && i < DEPTH_MAX; i++) {
        char item[24];
        int n = snprintf(item, sizeof(item), "%zu", level[i].item);
        size_t end = at;
        if (!level[i].object)
            end = add(pointer, size, at, item, (size_t)n);
        else if (level[i].key)
            end = add_key(pointer, size, at, level[i].key, level[i].key_len);
        if (end == at)
            break;
        at = end;
    }
    pointer[at] = '\0';
}

void json_locate(const char *text, size_t offset, char *pointer, size_t size)
{
    struct level level[DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < offset; i++) {
        struct level *top =
            depth && depth <= DEPTH_MAX ? &level[depth - 1] : NULL;
        size_t end;
        switch (text[i]) {
        case '{':
        case '[':
            if (depth < DEPTH_MAX)
                level[depth] = (struct level){.object = text[i] == '{'};
            depth++;
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case ',':
            if (top) {
                top->item++;
                top->key = NULL;
            }
            break;
        case '"':
            end = string_end(text, i, offset);
            if (top && top->object && !top->key) {
                top->key = text + i + 1;
                top->key_len = end - i - 1;
            }
            i = end;
            break;
        default:
            break;
        }
    }
    write_pointer(level, depth, pointer, size);
}
