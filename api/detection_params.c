/* What to measure: the protocol. */
#include "api/detection_settings.h"
#include "api/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Reads one parameter into the protocol. */
typedef int read_parameter(const json_t *v, const struct at *at,
                           struct coco_protocol *p, struct api_error *err);

int read_within(const json_t *v, const struct at *at, double lo, double hi,
                double *out, struct api_error *err)
{
    if (read_number(v, at, out, err))
        return -1;
    if (!(*out >= lo && *out <= hi))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be from %g to %g", number_text(*out).text,
                       lo, hi);
    return 0;
}

/* An array of 1 to max numbers from 0 to 1. */
static int read_fractions(const json_t *v, const struct at *at, size_t max,
                          double *out, size_t *n, struct api_error *err)
{
    if (read_array(v, at, err))
        return -1;
    *n = json_array_size(v);
    if (*n == 0 || *n > max)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu values, must have 1 to %zu", *n, max);
    for (size_t i = 0; i < *n; i++)
        if (read_within(json_array_get(v, i), &(struct at){at, NULL, i}, 0, 1,
                        &out[i], err))
            return -1;
    return 0;
}

static int read_iou_type(const json_t *v, const struct at *at,
                         struct coco_protocol *p, struct api_error *err)
{
    static const char *const types[] = {"bbox", "segm", "keypoints"};
    size_t row;
    (void)p;
    if (read_choice(v, at, types, COUNT(types), &row, err))
        return -1;
    if (row != 0)
        return at_fail(err, PROBLEM_NOT_OFFERED, at,
                       "is \"%s\"; this version scores boxes: use \"bbox\"",
                       types[row]);
    return 0;
}

static int read_iou_thresholds(const json_t *v, const struct at *at,
                               struct coco_protocol *p, struct api_error *err)
{
    return read_fractions(v, at, COCO_IOU_MAX, p->iou, &p->n_iou, err);
}

static int read_recall_thresholds(const json_t *v, const struct at *at,
                                  struct coco_protocol *p,
                                  struct api_error *err)
{
    if (read_fractions(v, at, COCO_RECALL_MAX, p->recall, &p->n_recall, err))
        return -1;
    for (size_t i = 1; i < p->n_recall; i++)
        if (p->recall[i] <= p->recall[i - 1])
            return at_fail(err, PROBLEM_INVALID_VALUE,
                           &(struct at){at, NULL, i},
                           "is %s after %s; the thresholds must rise",
                           number_text(p->recall[i]).text,
                           number_text(p->recall[i - 1]).text);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Three, as the summary's recalls are of the first, second and third. */
static int read_max_detections(const json_t *v, const struct at *at,
                               struct coco_protocol *p, struct api_error *err)
{
    if (read_array(v, at, err))
        return -1;
    if (json_array_size(v) != COCO_LIMITS)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu values, must have 3, such as [1, 10, 100]",
                       json_array_size(v));
    for (size_t i = 0; i < COCO_LIMITS; i++) {
        struct at item = {at, NULL, i};
        int64_t n;
        if (read_integer(json_array_get(v, i), &item, &n, err))
            return -1;
        if (n < 1 || n > INT32_MAX)
            return at_fail(err, PROBLEM_INVALID_VALUE, &item,
                           "is %lld, must be from 1 to %d", (long long)n,
                           INT32_MAX);
        p->max_detections[i] = (uint32_t)n;
    }
    qsort(p->max_detections, COCO_LIMITS, sizeof(uint32_t), by_value);
    for (size_t i = 1; i < COCO_LIMITS; i++)
        if (p->max_detections[i] == p->max_detections[i - 1])
            return at_fail(err, PROBLEM_INVALID_VALUE, at,
                           "has %u twice; the three must differ",
                           p->max_detections[i]);
    return 0;
}

#define LETTERS                  \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

/* The pair v of two ends, and its name, which is to be of these letters. */
static int read_range(const char *name, const char *letters, const json_t *v,
                      const struct at *at, char out[COCO_AREA_NAME_MAX + 1],
                      struct api_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > COCO_AREA_NAME_MAX || strspn(name, letters) != len)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is no name of a range: 1 to %d letters, digits or any "
                       "of %s",
                       COCO_AREA_NAME_MAX,
                       strchr(letters, '+') ? "_-.+" : "_-.");
    memcpy(out, name, len + 1);
    if (read_array(v, at, err))
        return -1;
    if (json_array_size(v) != 2)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu numbers, must have 2: lowest and highest",
                       json_array_size(v));
    return 0;
}

static int read_area(const char *name, const json_t *v, const struct at *at,
                     struct coco_area *out, struct api_error *err)
{
    if (strspn(name, "0123456789") == strlen(name))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is no name of an area range: it must not be empty or "
                       "digits alone");
    if (read_range(name, LETTERS, v, at, out->name, err))
        return -1;
    if (read_number(json_array_get(v, 0), &(struct at){at, NULL, 0}, &out->lo,
                    err) ||
        read_number(json_array_get(v, 1), &(struct at){at, NULL, 1}, &out->hi,
                    err))
        return -1;
    if (out->lo > out->hi)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is [%g, %g]: the lowest area is above the highest",
                       out->lo, out->hi);
    return 0;
}

static int read_area_ranges(const json_t *v, const struct at *at,
                            struct coco_protocol *p, struct api_error *err)
{
    if (read_object(v, at, err))
        return -1;
    size_t n = json_object_size(v);
    if (n > COCO_AREAS_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu ranges, may have %d", n, COCO_AREAS_MAX);
    const char *name;
    json_t *range;
    p->n_areas = 0;
    p->area_all = COCO_AREAS_MAX;
    json_object_foreach((json_t *)(uintptr_t)v, name, range)
    {
        if (read_area(name, range, &(struct at){at, name, 0},
                      &p->area[p->n_areas], err))
            return -1;
        if (strcmp(name, "all") == 0)
            p->area_all = p->n_areas;
        p->n_areas++;
    }
    if (p->area_all == COCO_AREAS_MAX)
        return at_fail(err, PROBLEM_MISSING_MEMBER, at,
                       "must have the range \"all\", such as [0, 1e10]");
    return 0;
}

/* One end of a range of counts; lowest 0, highest may be null: no end. */
static int read_count_end(const json_t *v, const struct at *at, bool highest,
                          uint32_t *out, struct api_error *err)
{
    int64_t n;
    *out = UINT32_MAX;
    if (highest && json_is_null(v))
        return 0;
    if (read_integer(v, at, &n, err))
        return -1;
    if (n < 0 || n > UINT32_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %lld, must be from 0 to %lld%s", (long long)n,
                       (long long)UINT32_MAX,
                       highest ? ", or null for no end" : "");
    *out = (uint32_t)n;
    return 0;
}

static int read_count(const char *name, const json_t *v, const struct at *at,
                      struct coco_count *out, struct api_error *err)
{
    if (read_range(name, LETTERS "+", v, at, out->name, err) ||
        read_count_end(json_array_get(v, 0), &(struct at){at, NULL, 0}, false,
                       &out->lo, err) ||
        read_count_end(json_array_get(v, 1), &(struct at){at, NULL, 1}, true,
                       &out->hi, err))
        return -1;
    if (out->lo > out->hi)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is [%u, %u]: the lowest count is above the highest",
                       out->lo, out->hi);
    return 0;
}

static int read_count_ranges(const json_t *v, const struct at *at,
                             struct coco_protocol *p, struct api_error *err)
{
    const char *name;
    json_t *range;
    if (read_object(v, at, err))
        return -1;
    if (json_object_size(v) > COCO_COUNTS_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu ranges, may have %d", json_object_size(v),
                       COCO_COUNTS_MAX);
    p->n_counts = 0;
    json_object_foreach((json_t *)(uintptr_t)v, name, range)
    {
        if (read_count(name, range, &(struct at){at, name, 0},
                       &p->count[p->n_counts], err))
            return -1;
        p->n_counts++;
    }
    return 0;
}

static int read_use_categories(const json_t *v, const struct at *at,
                               struct coco_protocol *p, struct api_error *err)
{
    return read_boolean(v, at, &p->use_categories, err);
}

static int read_score_threshold(const json_t *v, const struct at *at,
                                struct coco_protocol *p, struct api_error *err)
{
    return read_number(v, at, &p->score_threshold, err);
}

static int read_per_image_iou(const json_t *v, const struct at *at,
                              struct coco_protocol *p, struct api_error *err)
{
    return read_within(v, at, 0, 1, &p->per_image_iou, err);
}

static int read_background_iou(const json_t *v, const struct at *at,
                               struct coco_protocol *p, struct api_error *err)
{
    return read_within(v, at, 0, 1, &p->background_iou, err);
}

static int read_calibration_bins(const json_t *v, const struct at *at,
                                 struct coco_protocol *p, struct api_error *err)
{
    int64_t n;
    if (read_integer(v, at, &n, err))
        return -1;
    if (n < 1 || n > COCO_BINS_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %lld, must be from 1 to %d", (long long)n,
                       COCO_BINS_MAX);
    p->n_bins = (size_t)n;
    return 0;
}

static int read_summation(const json_t *v, const struct at *at,
                          struct coco_protocol *p, struct api_error *err)
{
    static const char *const names[] = {"numpy1", "numpy2"};
    size_t row;
    if (read_choice(v, at, names, COUNT(names), &row, err))
        return -1;
    p->summation = row == 0 ? COCO_NUMPY1 : COCO_NUMPY2;
    return 0;
}

static const struct {
    const char *name;
    read_parameter *read;
} parameters[] = {
    {"iou_type", read_iou_type},
    {"iou_thresholds", read_iou_thresholds},
    {"recall_thresholds", read_recall_thresholds},
    {"max_detections", read_max_detections},
    {"area_ranges", read_area_ranges},
    {"use_categories", read_use_categories},
    {"summation", read_summation},
    {"score_threshold", read_score_threshold},
    {"per_image_iou", read_per_image_iou},
    {"background_iou", read_background_iou},
    {"calibration_bins", read_calibration_bins},
    {"count_ranges", read_count_ranges},
};

/*
 * What is on the background overlaps less than what matches; where the match
 * was lowered below the usual background, that goes with it.
 */
static void settle_background(const json_t *v, const struct at *at,
                              struct coco_protocol *p, struct api_error *err)
{
    if (p->background_iou <= p->per_image_iou)
        return;
    if (json_object_get(v, "background_iou"))
        at_fail(err, PROBLEM_INVALID_VALUE,
                &(struct at){at, "background_iou", 0},
                "is %s, must be at most per_image_iou, which is %s",
                number_text(p->background_iou).text,
                number_text(p->per_image_iou).text);
    else
        p->background_iou = p->per_image_iou;
}

int read_parameters(const json_t *v, const struct at *at,
                    struct detection_request *req, struct api_error *err)
{
    const char *names[COUNT(parameters) + OPTION_NAMES_MAX];
    size_t n = COUNT(parameters);
    if (!v)
        return 0;
    if (read_object(v, at, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        names[i] = parameters[i].name;
    n += option_names(names + n);
    read_known(v, at, names, n, err);
    for (size_t i = 0; i < COUNT(parameters); i++) {
        const json_t *m = json_object_get(v, parameters[i].name);
        if (m)
            parameters[i].read(m, &(struct at){at, parameters[i].name, 0},
                               &req->protocol, err);
    }
    settle_background(v, at, &req->protocol, err);
    read_options(v, at, &req->options, err);
    return err->n ? -1 : 0;
}
