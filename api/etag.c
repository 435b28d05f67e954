#include "api/etag.h"

#include "api/protocol_hash.h"

#include <stdio.h>
#include <string.h>

enum { DIGITS = 32 };

const char *etag_new(const char *bytes, size_t n, struct arena *mem)
{
    char hash[PROTOCOL_HASH_BYTES];
    size_t size = sizeof("\"\"") + DIGITS;
    char *etag = arena_alloc(mem, size, 1);
    if (!etag)
        return NULL;
    protocol_hash(bytes, n, hash);
    snprintf(etag, size, "\"%.*s\"", DIGITS, strchr(hash, ':') + 1);
    return etag;
}

/*
 * No tag has quotes within, so that one of ours cannot be found in another.
 * A proxy may have made it weak, W/"...", which counts as the same here.
 */
bool etag_listed(const char *if_none_match, const char *etag)
{
    return if_none_match && (strcmp(if_none_match, "*") == 0 ||
                             strstr(if_none_match, etag) != NULL);
}
