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

/*
 * Those of the parameters that change no number of the protocol: their names,
 * for whoever checks that all are known, and reading those that are in v.
 */
enum { OPTION_NAMES_MAX = 8 };
size_t option_names(const char *names[OPTION_NAMES_MAX]);
void read_options(const json_t *v, const struct at *at,
                  struct detection_options *o, struct api_error *err);

/* The members of "intervals" that are in v, whatever else is. */
int read_bootstrap(const json_t *v, const struct at *at,
                   struct coco_bootstrap *how, struct api_error *err);

/* A number from lo to hi. */
int read_within(const json_t *v, const struct at *at, double lo, double hi,
                double *out, struct api_error *err);

/* All members of a body but its data, which are known by name. */
void read_settings(const json_t *v, struct detection_request *req,
                   struct api_error *err);

#endif
