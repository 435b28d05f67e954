/*
 * A scored request as one page of HTML to look at: a file that needs nothing
 * beside it, no script and no network.
 *
 * It has what rep has, in the order in which the author of a detector asks:
 * how good is it, what costs most, which categories, which images.  The same
 * report gives the same bytes.
 */
#ifndef EVALD_API_DETECTION_HTML_H
#define EVALD_API_DETECTION_HTML_H

#include "api/detection.h"

/* The outputs that a page has, if nobody chooses. */
enum { OUTPUTS_PAGE = OUTPUTS_ALL & ~(OUTPUT_ARRAYS | OUTPUT_INTERVALS) };

/* title is any text, or NULL.  Failure is json_out.h's. */
void detection_html(struct json_out *out, const struct detection_report *rep,
                    const char *title);

#endif
