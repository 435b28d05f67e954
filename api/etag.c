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
bool etag_listed(const char *list, const char *etag)
{
    return list && (strcmp(list, "*") == 0 || strstr(list, etag) != NULL);
}

void etag_of_sha256(const char *sha256, char etag[ETAG_SHA256_BYTES])
{
    snprintf(etag, ETAG_SHA256_BYTES, "\"%.64s\"", sha256);
}

bool etag_permits(const struct etag_condition *when, const char *etag)
{
    if (when->match && !(etag && etag_listed(when->match, etag)))
        return false;
    return !(etag && etag_listed(when->none_match, etag));
}
