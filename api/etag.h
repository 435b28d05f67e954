/* Names of answers, for clients that keep them (RFC 9110, section 8.8.3). */
#ifndef EVALD_API_ETAG_H
#define EVALD_API_ETAG_H

#include "core/arena.h"

#include <stdbool.h>

/* A strong tag of these bytes, in its quotes; NULL when mem is spent. */
const char *etag_new(const char *bytes, size_t n, struct arena *mem);

/* Whether a header has the tag; it may be NULL. */
bool etag_listed(const char *list, const char *etag);

/* The tag of what a SHA-256, in hex, is of. */
enum { ETAG_SHA256_BYTES = 64 + 3 };
void etag_of_sha256(const char *sha256, char etag[ETAG_SHA256_BYTES]);

/* When something may be changed, by If-Match and If-None-Match, or NULL. */
struct etag_condition {
    const char *match, *none_match;
};

/* Whether it may, if it has this tag now; NULL: if it is not there. */
bool etag_permits(const struct etag_condition *when, const char *etag);

#endif
