/*
 * What looks mislabelled in the ground truth of a report that has images:
 *   missing label   a confident detection (suspect_score) on the background
 *   wrong label     one on a missed ground truth of another category
 *   loose label     one that overlaps a missed ground truth too little
 *   spurious label  a ground truth that is missed at score_threshold, and
 *                   that no detection overlaps by background_iou
 */
#ifndef EVALD_API_DETECTION_SUSPECTS_H
#define EVALD_API_DETECTION_SUSPECTS_H

#include "api/detection.h"

enum suspicion {
    MISSING_LABEL,
    WRONG_LABEL,
    LOOSE_LABEL,
    SPURIOUS_LABEL,
    SUSPICIONS
};

/* "missing_label" and so on. */
extern const char *const suspicion_name[SUSPICIONS];

struct suspect {
    enum suspicion kind;
    /* Places of index.dt and index.gt; one may be COCO_UNKNOWN. */
    uint32_t detection, truth;
};

/* Calls visit for every suspect of the image, a row of the index. */
void detection_suspects(const struct detection_report *rep, size_t image,
                        void (*visit)(void *context, const struct suspect *s),
                        void *context);

#endif
