/*
 * COCO's JSON to columns without a document: what detection_read.h does, eight
 * times faster, for bodies without a fault.  About the others it declines:
 * it returns false, *req and mem may be half filled, and the document has to
 * be read to know what is wrong.
 */
#ifndef EVALD_API_DETECTION_SCAN_H
#define EVALD_API_DETECTION_SCAN_H

#include "api/detection.h"
#include "api/scan.h"

/* The value at s, as read_ground_truth and read_detections take it. */
bool scan_ground_truth(struct scan *s, struct detection_request *req,
                       struct arena *mem);
bool scan_detections(struct scan *s, struct detection_request *req,
                     struct arena *mem);

/*
 * A body.  Its other members go to settings, as the text of an object of
 * their own.
 */
bool scan_body(struct scan *s, struct detection_request *req, struct arena *mem,
               struct json_out *settings);

/* Nothing but white space is left. */
bool scan_ends(struct scan *s);

#endif
