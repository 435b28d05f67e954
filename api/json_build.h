/*
 * Documents without jansson's parser: what is plain is built by way of its
 * constructors, several times faster.
 */
#ifndef EVALD_API_JSON_BUILD_H
#define EVALD_API_JSON_BUILD_H

#include "core/stop.h"

#include <jansson.h>

/*
 * What json_loadb makes of text with JSON_REJECT_DUPLICATES and
 * JSON_DECODE_ANY, or NULL: it declines what scan.h declines and strings with
 * escapes.  new; of a text that it declines, parts may leak, so memory must
 * come from a pile that is dropped (json_memory.h).
 */
json_t *json_build(const char *text, size_t len, const atomic_bool *stop)
    __attribute__((warn_unused_result));

#endif
