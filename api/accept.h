/* Content negotiation: RFC 9110, sections 8.3, 12.5.1 and 12.5.3. */
#ifndef EVALD_API_ACCEPT_H
#define EVALD_API_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The row of the types (such as "text/plain; charset=utf-8"), a list that NULL
 * ends, that the Accept header likes best; of equals the first.  Their number
 * if it accepts none; 0 if accept is NULL.
 */
size_t accept_pick(const char *accept, const char *const *types);

/*
 * The row of the types, a list that NULL ends, that a Content-Type is; JSON
 * only in UTF-8, if it says.  Their number if it is none of them, or NULL.
 */
size_t content_pick(const char *content_type, const char *const *types);

/*
 * The quality that the Accept-Encoding header gives a coding, by its name or
 * else by "*"; 0 if it has neither.  The header may be NULL, which names none.
 */
double accept_coding(const char *accept_encoding, const char *coding);

#endif
