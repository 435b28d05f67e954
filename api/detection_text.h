/* The sections of a report as text (detection.h), and what they share. */
#ifndef EVALD_API_DETECTION_TEXT_H
#define EVALD_API_DETECTION_TEXT_H

#include "api/detection.h"
#include "api/text_table.h"

/* Each writes one output that was asked for, its title first. */
typedef void text_section(const struct text_out *to,
                          const struct detection_report *rep);

text_section text_classes, text_images, text_curves, text_operating_points,
    text_confusion, text_errors, text_calibration, text_lrp, text_slices,
    text_intervals;

enum { TEXT_ID_BYTES = 24 };

/*
 * What to call class k: its name, else its id, for which id has room; "all"
 * where there are no categories, and the row behind the last class.
 */
const char *text_class(const struct detection_report *rep, size_t k,
                       char id[TEXT_ID_BYTES]);

/* A cell with that, fit for a terminal. */
void text_class_cell(struct text_table *t, const struct detection_report *rep,
                     size_t k);

/* A cell with an AP, in a tone by how good that is. */
void text_ap_cell(struct text_table *t, double ap);

/*
 * The rows of tables that show what holds overall, and then each category if
 * there are any: how many, and the class of one; n_classes is overall.
 */
size_t text_overall_rows(const struct detection_report *rep);
size_t text_overall_class(const struct detection_report *rep, size_t row);

#endif
