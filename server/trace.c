#include "server/trace.h"

#include <string.h>

/* 00-<32: the trace>-<16: the caller's part of it>-<2: flags> */
enum { TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };

static const char digits[] = "0123456789abcdef";

/* n digits, capitals not among them, and then the byte that is due. */
static bool is_hex(const char *text, size_t n, char then)
{
    return strspn(text, digits) == n && text[n] == then;
}

static bool is_zero(const char *text, size_t n)
{
    return strspn(text, "0") >= n;
}

/* A later version may have more after what this one has. */
static bool is_valid(const char *text)
{
    if (!is_hex(text, TRACE - 1, '-') || strncmp(text, "ff", 2) == 0 ||
        !is_hex(text + TRACE, PARENT - TRACE - 1, '-') ||
        !is_hex(text + PARENT, FLAGS - PARENT - 1, '-') ||
        is_zero(text + TRACE, PARENT - TRACE - 1) ||
        is_zero(text + PARENT, FLAGS - PARENT - 1))
        return false;
    return is_hex(text + FLAGS, END - FLAGS, '\0') ||
           (strncmp(text, "00", 2) != 0 &&
            is_hex(text + FLAGS, END - FLAGS, '-'));
}

bool trace_read(const char *traceparent, char id[TRACE_ID_BYTES])
{
    id[0] = '\0';
    if (!traceparent || !is_valid(traceparent))
        return false;
    memcpy(id, traceparent + TRACE, TRACE_ID_BYTES - 1);
    id[TRACE_ID_BYTES - 1] = '\0';
    return true;
}
