/*
 * The summary of a run while its images arrive: what was sorted stays sorted,
 * and what is new is merged in, so that asking often is cheap.  The numbers
 * have the bits of coco_score over the images that were added.
 */
#ifndef EVALD_CORE_COCO_LIVE_H
#define EVALD_CORE_COCO_LIVE_H

#include "core/coco_part.h"

struct coco_live;

/*
 * Of the images of truths (borrowed, with protocol, for as long as it is used;
 * made with the protocol's use_categories), none of which has been added yet.
 * All memory is from mem, also later, so it is for this alone; NULL when it is
 * spent.
 */
struct coco_live *coco_live_new(const struct coco_protocol *p,
                                const struct coco_truths *truths,
                                struct arena *mem)
    __attribute__((warn_unused_result));

/*
 * Adds an image, in any order; nothing of part is kept.  -1 when the arena is
 * spent (the whole is of no use then), or when the part does not go with the
 * truths or its image was added before (then nothing has happened).
 */
int coco_live_add(struct coco_live *live, const struct coco_part *part)
    __attribute__((warn_unused_result));

/* What was added so far. */
struct coco_live_counts {
    size_t images, detections;
};
struct coco_live_counts coco_live_counts(const struct coco_live *live);

/*
 * value[i] becomes coco_number i of the summary over what was added, -1 where
 * undefined (COCO_VALUES_MAX of them at most).  scratch is for this call
 * alone.  -1 when an arena is spent, or when stopped; it can be asked again.
 */
int coco_live_values(struct coco_live *live, double *value,
                     struct arena *scratch, const struct parallel *par)
    __attribute__((warn_unused_result));

#endif
