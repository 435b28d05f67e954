#include "core/coco.h"

#include <stdio.h>
#include <string.h>

/*
 * numpy.linspace(lo, hi, n): i * step + lo with the last forced to hi.  The
 * grids of COCO are made so; i / 100 differs in the last bit at 10 points.
 */
static void linspace(double lo, double hi, size_t n, double *out)
{
    double step = (hi - lo) / (double)(n - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (double)i * step + lo;
    out[n - 1] = hi;
}

void coco_protocol_init(struct coco_protocol *p)
{
    *p = (struct coco_protocol){
        .n_iou = 10,
        .n_recall = 101,
        .n_areas = 4,
        .area = {{"all", 0, 1e10},
                 {"small", 0, 1024},
                 {"medium", 1024, 9216},
                 {"large", 9216, 1e10}},
        .max_detections = {1, 10, 100},
        .use_categories = true,
        .summation = COCO_NUMPY1,
        .per_image_iou = 0.5,
        .background_iou = 0.1,
        .n_bins = 15,
        .n_counts = 4,
        .count = {{"1", 1, 1},
                  {"2-4", 2, 4},
                  {"5-9", 5, 9},
                  {"10+", 10, UINT32_MAX}},
    };
    linspace(0.5, 0.95, p->n_iou, p->iou);
    linspace(0, 1, p->n_recall, p->recall);
}

/* The rows of pycocotools' summary; limit is a row of max_detections. */
static const struct {
    const char *name, *area;
    double iou;
    int limit;
    bool recall;
} numbers[COCO_NUMBERS] = {
    {"AP", "all", 0, -1, false},          {"AP50", "all", 0.5, 2, false},
    {"AP75", "all", 0.75, 2, false},      {"AP_small", "small", 0, 2, false},
    {"AP_medium", "medium", 0, 2, false}, {"AP_large", "large", 0, 2, false},
    {"AR_", "all", 0, 0, true},           {"AR_", "all", 0, 1, true},
    {"AR_", "all", 0, 2, true},           {"AR_small", "small", 0, 2, true},
    {"AR_medium", "medium", 0, 2, true},  {"AR_large", "large", 0, 2, true},
};

/* Whether an area range is one of those the twelve numbers know. */
static bool is_standard(const char *area)
{
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        if (strcmp(area, numbers[i].area) == 0)
            return true;
    return false;
}

size_t coco_number_count(const struct coco_protocol *p)
{
    size_t n = COCO_NUMBERS;
    for (size_t a = 0; a < p->n_areas; a++)
        n += is_standard(p->area[a].name) ? 0 : 2;
    return n;
}

static struct coco_number standard(const struct coco_protocol *p, size_t i)
{
    struct coco_number n = {.recall = numbers[i].recall,
                            .iou = numbers[i].iou,
                            .area = numbers[i].area,
                            .limit = 100};
    if (numbers[i].limit >= 0)
        n.limit = p->max_detections[numbers[i].limit];
    if (strcmp(numbers[i].name, "AR_") == 0)
        snprintf(n.name, sizeof(n.name), "AR_%u", n.limit);
    else
        snprintf(n.name, sizeof(n.name), "%s", numbers[i].name);
    return n;
}

struct coco_number coco_number(const struct coco_protocol *p, size_t i)
{
    if (i < COCO_NUMBERS)
        return standard(p, i);
    size_t k = (i - COCO_NUMBERS) / 2, a = 0;
    for (;; a++)
        if (!is_standard(p->area[a].name) && k-- == 0)
            break;
    struct coco_number n = {.recall = (i - COCO_NUMBERS) % 2 == 1,
                            .area = p->area[a].name,
                            .limit = p->max_detections[COCO_LIMITS - 1]};
    snprintf(n.name, sizeof(n.name), "%s_%s", n.recall ? "AR" : "AP", n.area);
    return n;
}
