#include "core/coco.h"

int coco_score(struct coco_result *r, struct coco_wanted wanted,
               struct arena *mem, const struct parallel *par)
{
    if (coco_match(r, wanted.images, mem, par))
        return -1;
    return coco_accumulate(r, wanted.scores, mem, par);
}
