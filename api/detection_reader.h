/*
 * COCO's JSON to columns while it arrives: text comes in pieces of any size,
 * and no more of it is kept than a record that is not complete.
 *
 * A record is scanned; where the scan declines, this one record becomes a
 * document, in which every fault is found and named.  A text that is no JSON
 * is refused by the byte where that shows, whatever was wrong before.
 *
 * Pieces that come together are looked at by several threads at once: each
 * guesses where in its piece a record begins, and reads from there.  The
 * reader goes through the pieces in their order and takes over what was read
 * when it comes to the very place, in a state in which it would have read the
 * same.  So neither rows nor faults depend on the pieces.
 */
#ifndef EVALD_API_DETECTION_READER_H
#define EVALD_API_DETECTION_READER_H

#include "api/detection.h"
#include "api/scan.h"

struct detection_reader;

/*
 * A reader of one text: a whole body, a ground truth or detections alone.  It
 * fills its part of *req.  name is what pointers to faults begin with, NULL
 * for a document of its own.  expected is how long the text will be, 0 if that
 * is not known.  All memory is from mem; NULL when that is spent.
 */
struct detection_reader *detection_reader_new(
    enum detection_part part, const char *name, struct detection_request *req,
    size_t expected, const struct parallel *par, struct arena *mem)
    __attribute__((warn_unused_result));

/* Says anew how long the whole text will be. */
void detection_reader_expect(struct detection_reader *r, size_t expected);

/* The next n pieces of the text, which are not kept. */
void detection_reader_take(struct detection_reader *r, const struct span *piece,
                           size_t n);

/*
 * The text has ended: adds its faults to *err, of its settings first.  0, or
 * -1 if there are any.
 */
int detection_reader_finish(struct detection_reader *r, struct api_error *err)
    __attribute__((warn_unused_result));

/* Releases what is not in mem, before the end or after it. */
void detection_reader_free(struct detection_reader *r);

#endif
