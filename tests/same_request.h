/* Two readings of a request, held against each other. */
#ifndef EVALD_TESTS_SAME_REQUEST_H
#define EVALD_TESTS_SAME_REQUEST_H

#include "api/detection_settings.h"

#include <string.h>

static inline bool same_bytes(const void *a, const void *b, size_t n,
                              size_t size)
{
    return n == 0 || memcmp(a, b, n * size) == 0;
}

static inline bool same_ground_truth(const struct coco_ground_truth *a,
                                     const struct coco_ground_truth *b)
{
    return a->n == b->n && a->n_images == b->n_images &&
           a->n_categories == b->n_categories &&
           same_bytes(a->image, b->image, a->n_images, sizeof(int64_t)) &&
           same_bytes(a->category, b->category, a->n_categories,
                      sizeof(int64_t)) &&
           same_bytes(a->id, b->id, a->n, sizeof(int64_t)) &&
           same_bytes(a->image_id, b->image_id, a->n, sizeof(int64_t)) &&
           same_bytes(a->category_id, b->category_id, a->n, sizeof(int64_t)) &&
           same_bytes(a->box, b->box, a->n, 4 * sizeof(double)) &&
           same_bytes(a->area, b->area, a->n, sizeof(double)) &&
           same_bytes(a->crowd, b->crowd, a->n, sizeof(uint8_t));
}

static inline bool same_detections(const struct coco_detections *a,
                                   const struct coco_detections *b)
{
    return a->n == b->n &&
           same_bytes(a->image_id, b->image_id, a->n, sizeof(int64_t)) &&
           same_bytes(a->category_id, b->category_id, a->n, sizeof(int64_t)) &&
           same_bytes(a->box, b->box, a->n, 4 * sizeof(double)) &&
           same_bytes(a->score, b->score, a->n, sizeof(double));
}

static inline bool same_names(const struct detection_request *a,
                              const struct detection_request *b)
{
    for (size_t i = 0; i < a->gt.n_categories; i++) {
        const char *x = a->category_name[i], *y = b->category_name[i];
        if (!x != !y || (x && strcmp(x, y) != 0))
            return false;
    }
    return true;
}

static inline bool same_settings(const struct detection_request *a,
                                 const struct detection_request *b)
{
    const struct coco_protocol *p = &a->protocol, *q = &b->protocol;
    return a->outputs == b->outputs && p->n_iou == q->n_iou &&
           p->n_recall == q->n_recall && p->n_areas == q->n_areas &&
           same_bytes(p->iou, q->iou, p->n_iou, sizeof(double)) &&
           same_bytes(p->recall, q->recall, p->n_recall, sizeof(double)) &&
           p->use_categories == q->use_categories &&
           p->summation == q->summation &&
           same_bytes(&a->odd, &b->odd, 1, sizeof(a->odd));
}

static inline bool same_request(const struct detection_request *a,
                                const struct detection_request *b)
{
    return same_ground_truth(&a->gt, &b->gt) &&
           same_detections(&a->dt, &b->dt) && same_names(a, b) &&
           same_settings(a, b);
}

#endif
