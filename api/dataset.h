/*
 * Ground truth that is kept under a name, by its content: in columns, packed
 * as bytes for a store, and opened once for all requests that score on it.
 */
#ifndef EVALD_API_DATASET_H
#define EVALD_API_DATASET_H

#include "api/cache.h"
#include "api/detection.h"
#include "api/route.h"
#include "api/store.h"
#include "core/coco_part.h"

struct cache_entry;

/* What is told of annotations beside their scores. */
struct dataset_tally {
    size_t annotations, crowd;
    size_t missing_area, ignore_overwritten, negative_size;
    size_t unknown, duplicate_ids, zero_ids;
};

/*
 * Opened content; read only, so that requests share it.  Its images are
 * distinct; of categories with the same id the last one's name is shown.
 */
struct dataset {
    uint64_t serial; /* no other that was opened has it, also of this content */
    struct coco_ground_truth gt;
    const char **category_name;    /* per row of gt.category, or NULL */
    const uint8_t *annotation_odd; /* per row of gt: all the bits */
    struct detection_oddities odd;
    size_t n_classes_by_category; /* distinct categories */
    /*
     * The annotations by image: of image i of `image`, ascending, the rows
     * row[first[i]] to row[first[i + 1] - 1], in file order.
     */
    size_t n_images;
    const int64_t *image;
    uint32_t *first, *row;
    struct coco_truths truths;      /* its images are those of `image` */
    struct dataset_tally elsewhere; /* annotations of images it has not */
};

/* The columns of req's ground truth as bytes in mem; NULL = it is spent. */
char *dataset_pack(const struct detection_request *req, size_t *n,
                   struct arena *mem) __attribute__((warn_unused_result));

/*
 * Opens packed content, which is copied, to be scored with or without
 * categories; -1: mem is spent, or stopped, -2: damaged.
 */
int dataset_open(struct dataset *d, struct span packed, bool use_categories,
                 struct arena *mem, const struct parallel *par)
    __attribute__((warn_unused_result));

/*
 * The content of that hash, from the cache or the store; read only until
 * dataset_release.  NULL with call->err set if it cannot be had.
 */
const struct dataset *dataset_hold(struct api_call *call, const char *sha256,
                                   bool use_categories,
                                   struct cache_entry **entry)
    __attribute__((warn_unused_result));
void dataset_release(struct api_call *call, struct cache_entry *entry);

/* The steps of opening that look at every annotation; -1: mem is spent. */
int dataset_sort_annotations(struct dataset *d, struct arena *mem)
    __attribute__((warn_unused_result));

/* Adds the annotations of image i of d->image. */
void dataset_count(const struct dataset *d, size_t i,
                   struct dataset_tally *sum);

/* The row of an image in d->image, or SIZE_MAX. */
size_t dataset_image(const struct dataset *d, int64_t id);

#endif
