/*
 * Writing the values of one array by several workers at once, for answers
 * that are large.
 */
#ifndef EVALD_API_JSON_PARALLEL_H
#define EVALD_API_JSON_PARALLEL_H

#include "api/json_out.h"
#include "core/parallel.h"

/* Writes item i, one value or several of the array, into a part of its own. */
typedef void out_item(struct json_out *part, void *context, size_t i,
                      size_t worker);

/*
 * The items of an array that is open, n of them in their order, with the bytes
 * that they would have one after the other.  bytes_max[i] is how long item i
 * may become, what stands between its values included: see out_values_max.
 * Without memory for all of that the items are written one after the other.
 * An item that is longer, no memory, or a request that is stopped set
 * out->failed.
 */
void out_parallel(struct json_out *out, size_t n, const size_t *bytes_max,
                  out_item *write, void *context, const struct parallel *par);

/*
 * The most that n values of at most len bytes need, with what stands around
 * them in up to six lists or objects inside each other.  An item in which
 * out_numbers writes needs OUT_NUMBERS_ROOM bytes besides.
 */
size_t out_values_max(const struct json_out *out, size_t n, size_t len);

enum { OUT_NUMBERS_ROOM = 16384 };

#endif
