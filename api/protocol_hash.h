/* What names a protocol. */
#ifndef EVALD_API_PROTOCOL_HASH_H
#define EVALD_API_PROTOCOL_HASH_H

#include <stddef.h>

enum { PROTOCOL_HASH_BYTES = sizeof("sha256:") + 64 };

/* "sha256:" and 64 hexadecimal digits of text, terminated. */
void protocol_hash(const char *text, size_t len,
                   char hash[PROTOCOL_HASH_BYTES]);

#endif
