/* The body of a detection request on its way in: inflated, then read. */
#ifndef EVALD_API_DETECTION_INTAKE_H
#define EVALD_API_DETECTION_INTAKE_H

#include "api/detection_form.h"
#include "api/inflater.h"

enum { WINDOWS = 8, WINDOW_BYTES = 1 << 18 };

/* Of a body that is JSON, or of one that is a form. */
struct api_intake {
    struct detection_request req;
    struct detection_reader *reader;
    struct detection_form *form;
    struct arena *mem;
    double parse_ms;
    /* Of a body that comes compressed: */
    enum coding coding;
    struct inflater *inflater;
    size_t length; /* of the body as it comes; 0 = not known */
    size_t deflated, inflated, inflated_max; /* bytes so far */
    struct span window[WINDOWS];             /* of what has been inflated */
    char *memory;                            /* of the windows */
    struct api_error err;                    /* about how it is compressed */
};

/* The body has ended.  0, or -1 with *err set. */
int intake_finish(struct api_intake *in, struct api_error *err)
    __attribute__((warn_unused_result));

#endif
