/* --fail-under NAME=VALUE: what the numbers of a summary must reach. */
#ifndef EVALD_SERVER_FLOORS_H
#define EVALD_SERVER_FLOORS_H

#include "api/detection.h"

enum { FLOORS_MAX = 16 };

struct floors {
    size_t n;
    struct floor {
        char name[COCO_AREA_NAME_MAX + 4];
        double value;
    } floor[FLOORS_MAX];
};

/* An option_store (options.h) of a further one, into a struct floors. */
bool store_floor(void *to, const char *value);

/*
 * Holds the report against them and says what is under its floor.  EX_OK,
 * EXIT_FAILURE, or EX_USAGE if one names no number.
 */
int floors_check(const struct floors *floors,
                 const struct detection_report *rep);

#endif
