#include "core/coco.h"

int coco_score(struct coco_result *r, struct coco_wanted wanted,
               struct arena *mem, const struct parallel *par)
{
    if (coco_match(r, wanted.truths, mem, par))
        return -1;
    return coco_accumulate(r, wanted, mem, par);
}

size_t coco_class_at(const struct coco_index *ix, uint32_t place)
{
    size_t lo = 0, hi = ix->n_classes;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (ix->class_dt[mid] <= place)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}
