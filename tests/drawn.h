/*
 * Random small problems that are all corner cases: ties, exact thresholds,
 * empty boxes, crowds, repeated ids.  Equal seeds give equal problems.
 */
#ifndef EVALD_TESTS_DRAWN_H
#define EVALD_TESTS_DRAWN_H

#include "tests/problem.h"

#include <math.h>

enum { GT_MAX = 2000, DT_MAX = 4000, IDS_MAX = 64 };

/* What a group of problems looks like. */
struct kind {
    const char *name;
    size_t images, categories, gt, dt; /* at most */
    bool unique_ids;
    bool undefined; /* boxes so small or large that IoU is 0/0 at times */
};

/* A problem with the memory of its rows. */
struct made {
    struct problem problem;
    int64_t image[IDS_MAX], category[IDS_MAX];
    struct gt_row gt[GT_MAX];
    struct dt_row dt[DT_MAX];
};

static inline void make_ids(struct random *r, int64_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        id[i] = (int64_t)i * 7 - 9;
    for (size_t i = n; i-- > 1;) {
        size_t j = below(r, i + 1);
        int64_t spare = id[i];
        id[i] = id[j];
        id[j] = spare;
    }
}

static inline void make_grids(struct random *r, struct coco_protocol *p)
{
    static const double iou[][4] = {{0.5, 0.75, 0.5, 0.9},
                                    {0.95, 0.5, 0.75, 0.25},
                                    {1, 0.5, 0.1, 1},
                                    {0, 1.0 / 3, 0.6, 0.75},
                                    {0.75, 0.2, 0.4, 2.0 / 3}};
    static const double recall[][5] = {{0, 0.25, 0.5, 0.75, 1},
                                       {0, 0.2, 0.4, 0.6, 0.8},
                                       {1, 1, 1, 1, 1},
                                       {0, 1, 1, 1, 1},
                                       {0.1, 1.0 / 3, 0.5, 2.0 / 3, 0.9},
                                       {0, 0, 0.3, 0.7, 1}};
    if (below(r, 4) != 0) {
        p->n_iou = 1 + below(r, 4);
        memcpy(p->iou, PICK(r, iou), sizeof(iou[0]));
    } else if (below(r, 4) == 0) {
        p->n_iou = COCO_IOU_MAX;
        for (size_t i = 0; i < p->n_iou; i++)
            p->iou[i] = (double)(i * 13 % 63 + 1) / 63;
    }
    if (below(r, 4) != 0) {
        p->n_recall = 1 + below(r, 5);
        memcpy(p->recall, PICK(r, recall), sizeof(recall[0]));
    }
}

static inline void make_protocol(struct random *r, struct coco_protocol *p)
{
    static const uint32_t limits[][COCO_LIMITS] = {
        {1, 10, 100}, {1, 2, 3}, {2, 3, 100}, {1, 100, 200}, {100, 101, 300}};
    static const double per_image[] = {0.5, 0.3, 1, 0, 0.75};
    static const double least[] = {0, 0.5, -2, 0.9};
    coco_protocol_init(p);
    make_grids(r, p);
    memcpy(p->max_detections, PICK(r, limits), sizeof(limits[0]));
    p->use_categories = below(r, 3) != 0;
    p->summation = below(r, 2) ? COCO_NUMPY1 : COCO_NUMPY2;
    p->per_image_iou = PICK(r, per_image);
    p->score_threshold = PICK(r, least);
    if (below(r, 4) == 0) { /* other names, and "all" elsewhere */
        p->area[3] = p->area[0];
        p->area[0] = (struct coco_area){"tiny", 2, 6};
        p->area_all = 3;
    }
}

static inline void make_box(struct random *r, const struct kind *kind,
                            double *box)
{
    static const double scale[] = {1, 1, 1, 0.1, 16, 32, 1.0 / 3};
    static const double extreme[] = {1e-170, 1e-200, 1e-161, 1, 1e160, 1e8};
    double unit = kind->undefined ? PICK(r, extreme) : PICK(r, scale);
    for (size_t i = 0; i < 2; i++) {
        box[i] = (double)below(r, 4) * unit;
        box[2 + i] = (double)(1 + below(r, 4)) * unit;
        if (below(r, 24) == 0)
            box[2 + i] = below(r, 2) ? 0 : -unit;
    }
}

static inline void make_gt(struct random *r, const struct kind *kind, size_t i,
                           struct made *m)
{
    const struct problem *p = &m->problem;
    static const double areas[] = {
        1024, 9216, 1e10, 0, 500, 5000, 10000, -1, 1e11, 0x1.0000000000001p10,
        6,    2};
    struct gt_row *g = &m->gt[i];
    *g = (struct gt_row){.id = (int64_t)(i + 1) * 3};
    g->image = m->image[below(r, p->n_images)];
    g->category = m->category[below(r, p->n_categories)];
    make_box(r, kind, g->box);
    g->area = below(r, 2) ? g->box[2] * g->box[3] : PICK(r, areas);
    g->crowd = below(r, 5) == 0;
    if (!(g->area < HUGE_VAL && g->area > -HUGE_VAL))
        g->area = 1e12;
    if (i > 0 && below(r, 12) == 0) /* one of these ids is 0 */
        g->id = below(r, 3) ? m->gt[below(r, i)].id : 0;
    if (kind->unique_ids)
        g->id = (int64_t)i;
    if (below(r, 40) == 0)
        g->category = 1000;
    if (below(r, 40) == 0)
        g->image = 1000;
}

/* Half of the detections lie on a ground truth, or just beside one. */
static inline void make_dt(struct random *r, const struct kind *kind, size_t i,
                           struct made *m)
{
    static const double scores[] = {0.9, 0.5, 0.5, 0.25, 0.0, -0.0, -1, 0.75};
    const struct problem *p = &m->problem;
    struct dt_row *d = &m->dt[i];
    *d = (struct dt_row){.image = m->image[below(r, p->n_images)],
                         .category = m->category[below(r, p->n_categories)],
                         .score = PICK(r, scores)};
    make_box(r, kind, d->box);
    if (p->n_gt > 0 && below(r, 2)) {
        const struct gt_row *g = &m->gt[below(r, p->n_gt)];
        if (g->image != 1000)
            d->image = g->image;
        d->category = g->category;
        memcpy(d->box, g->box, sizeof(d->box));
        if (below(r, 2))
            d->box[2 + below(r, 2)] *= below(r, 2) ? 0.5 : 1 - 5e-11;
    }
    if (below(r, 3) == 0)
        d->score = (double)below(r, 1000) / 1000 - 0.1;
    if (below(r, 40) == 0)
        d->category = below(r, 2) ? 1000 : -1;
}

static inline void make(uint64_t seed, const struct kind *kind, struct made *m)
{
    struct random r = {seed};
    struct problem *p = &m->problem;
    *p = (struct problem){
        .image = m->image, .category = m->category, .gt = m->gt, .dt = m->dt};
    make_protocol(&r, &p->protocol);
    p->n_images = 1 + below(&r, kind->images);
    p->n_categories = 1 + below(&r, kind->categories);
    size_t n_gt = below(&r, kind->gt + 1), n_dt = below(&r, kind->dt + 1);
    make_ids(&r, m->image, p->n_images);
    make_ids(&r, m->category, p->n_categories);
    for (; p->n_gt < n_gt; p->n_gt++)
        make_gt(&r, kind, p->n_gt, m);
    for (; p->n_dt < n_dt; p->n_dt++)
        make_dt(&r, kind, p->n_dt, m);
}

#endif
