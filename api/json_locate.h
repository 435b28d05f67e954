/* Where in a JSON text a byte lies. */
#ifndef EVALD_API_JSON_LOCATE_H
#define EVALD_API_JSON_LOCATE_H

#include <stddef.h>

/*
 * Writes the RFC 6901 pointer of the value that byte offset lies in.  The
 * text is valid JSON up to there.  Beyond depth 64, and where it does not
 * fit in size bytes, it is that of a value around it.
 */
void json_locate(const char *text, size_t offset, char *pointer, size_t size);

#endif
