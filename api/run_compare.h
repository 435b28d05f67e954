/* Two runs, and what the second has more than the first. */
#ifndef EVALD_API_RUN_COMPARE_H
#define EVALD_API_RUN_COMPARE_H

#include "api/run.h"

/* A number of both runs; NAN = one has it not, or it is not defined. */
struct compared {
    double a, b;
    const struct coco_interval *interval; /* of b - a, or NULL */
};

/* b - a; zero where both are the same, NAN where one is not defined. */
double compared_delta(const struct compared *c);

/* A category or an image by its rows in the two; SIZE_MAX = it is not there. */
struct compared_row {
    size_t row[2];
};

struct comparison {
    struct run run[2];
    struct detection_report *rep[2];
    bool same_protocol, same_dataset, same_images;
    bool resampled; /* by how; else there are no intervals */
    struct coco_bootstrap how;
    /* coco_number_count of the first's protocol, then its classes; or NULL */
    struct coco_interval *interval;
    size_t n_classes, n_images; /* that either has; that both have */
    struct compared_row *class; /* by id */
    struct compared_row *image; /* largest change first */
};

/* Number i of the first's protocol, over all categories. */
struct compared compared_number(const struct comparison *c, size_t i);
/* AP of a category. */
struct compared compared_class(const struct comparison *c, size_t i);
/* Of an image. */
struct compared compared_f1(const struct comparison *c, size_t i);
struct compared compared_ap(const struct comparison *c, size_t i);

/* Which of the two to ask for the id and the name of a row. */
size_t compared_owner(const struct compared_row *row);

/* As JSON, and as text to read; at most so many images. */
void run_compare_write(struct json_out *out, const struct comparison *c,
                       size_t images_max);
void run_compare_text(struct json_out *out, const struct comparison *c,
                      size_t images_max);

#endif
