/* Names of answers, for clients that keep them (RFC 9110, section 8.8.3). */
#ifndef EVALD_API_ETAG_H
#define EVALD_API_ETAG_H

#include "core/arena.h"

#include <stdbool.h>

/* A strong tag of these bytes, in its quotes; NULL when mem is spent. */
const char *etag_new(const char *bytes, size_t n, struct arena *mem);

/* Whether If-None-Match has the tag; the header may be NULL. */
bool etag_listed(const char *if_none_match, const char *etag);

#endif
