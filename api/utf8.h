/* UTF-8 of RFC 3629. */
#ifndef EVALD_API_UTF8_H
#define EVALD_API_UTF8_H

#include <stddef.h>

/*
 * Bytes of the character at s, before end; 0 if it is none: a stray byte, an
 * overlong form, a surrogate, beyond U+10FFFF, or cut off.
 */
size_t utf8_sequence(const char *s, const char *end);

#endif
