/* The insides of detection_html.h: what its sections share, and each of them.
 */
#ifndef EVALD_API_DETECTION_PAGE_H
#define EVALD_API_DETECTION_PAGE_H

#include "api/detection_html.h"
#include "api/svg.h"

#include <math.h>

/* The style sheet, in pieces up to NULL. */
extern const char *const page_style[];

/* A report on its way to a page. */
struct page {
    struct json_out *out;
    const struct detection_report *rep;
    double *ap;      /* per class; NaN where it is not defined */
    uint32_t *worst; /* the classes, lowest AP first, those without one last */
};

/* Of a number that is -1 where it is not defined: NaN there. */
static inline double page_defined(double x)
{
    return x > -1 ? x : (double)NAN;
}

/* How to name class k; id is room for a number. */
enum { PAGE_ID_BYTES = 32 };
const char *page_class(const struct page *p, size_t k, char id[PAGE_ID_BYTES]);

/* 2 tp / (2 tp + fp + fn); NaN where nothing is found or to be found. */
double page_f1(const struct coco_image *image);

/* The score from which on a detection is confident. */
double page_confident(const struct page *p);

/*
 * The rows of the highest keys of those offered, best first; of equal keys
 * those of the highest second key, then those offered first.
 */
enum { PAGE_TOP_MAX = 50 };
struct page_top {
    size_t max, n; /* max is at most PAGE_TOP_MAX */
    struct {
        double key, second;
        size_t row;
    } item[PAGE_TOP_MAX];
};
void page_offer(struct page_top *top, double key, double second, size_t row);

/* The name of the kind of error that costs class k most, a dash if none does.
 */
const char *page_largest_error(const struct page *p, size_t k, double *gain);

/* [low, high] */
void page_interval(struct json_out *out, const struct coco_interval *x);

/* A figure's words: "<figcaption>" and its end. */
void page_caption(struct json_out *out, const char *words);

void page_summary(const struct page *p);
void page_errors(const struct page *p);
void page_curves(const struct page *p);
void page_classes(const struct page *p);
void page_confusion(const struct page *p);
void page_points(const struct page *p);
void page_calibration(const struct page *p);
void page_slices(const struct page *p);
void page_images(const struct page *p);
void page_suspects(const struct page *p);
void page_protocol(const struct page *p);

#endif
