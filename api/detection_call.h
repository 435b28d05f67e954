/* Answers of calls that are a report, as JSON or as text. */
#ifndef EVALD_API_DETECTION_CALL_H
#define EVALD_API_DETECTION_CALL_H

#include "api/detection.h"
#include "api/route.h"

/* -1 with call->err set if text is wanted of outputs that have none. */
int detection_check_text(struct api_call *call, unsigned outputs);

/* The whole answer, of the type that Accept picked. */
void detection_answer(struct api_call *call,
                      const struct detection_report *rep);

#endif
