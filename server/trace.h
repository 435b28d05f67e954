/*
 * W3C trace context: the header traceparent, by which a request is found in
 * the logs of all it went through.
 * Source: https://www.w3.org/TR/trace-context/, sections 3.2 and 4.3.
 */
#ifndef EVALD_SERVER_TRACE_H
#define EVALD_SERVER_TRACE_H

#include <stdbool.h>

enum { TRACE_ID_BYTES = 33 };

/*
 * The trace id of a traceparent, 32 hexadecimal digits; "" where the header
 * is missing (NULL) or not valid.  True if there is one.
 */
bool trace_read(const char *traceparent, char id[TRACE_ID_BYTES]);

#endif
