/* Settings of a detection request, from jansson's documents. */
#ifndef EVALD_API_DETECTION_SETTINGS_H
#define EVALD_API_DETECTION_SETTINGS_H

#include "api/detection.h"
#include "api/json_read.h"

/* v may be NULL for a missing member; 0, or -1 with *err set. */
int read_parameters(const json_t *v, const struct at *at,
                    struct detection_request *req, struct api_error *err);
int read_outputs(const json_t *v, const struct at *at,
                 struct detection_request *req, struct api_error *err);

/* All members of a body but its data, which are known by name. */
void read_settings(const json_t *v, struct detection_request *req,
                   struct api_error *err);

#endif
