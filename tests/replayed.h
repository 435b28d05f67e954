/*
 * Random problems whose images can be copied or left out for real, and how
 * core/ plays them with weights instead.
 */
#ifndef EVALD_TESTS_REPLAYED_H
#define EVALD_TESTS_REPLAYED_H

#include "core/coco_replay.h"
#include "tests/problem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { IMAGES = 40, CATEGORIES = 8, GT_MAX = 800, DT_MAX = 3000, COPIES = 3 };

/* What a group of problems looks like. */
struct kind {
    size_t images, categories, gt, dt; /* at most */
    int64_t first_id;                  /* 0 is a match that counts as none */
    bool ties;                         /* among scores */
};

/* Of many images. */
static const struct kind wide = {IMAGES, 5, 120, 300, 1, false};

/* A problem with the memory of its rows. */
struct made {
    struct problem problem;
    int64_t image[IMAGES * COPIES], category[CATEGORIES];
    struct gt_row gt[GT_MAX];
    struct dt_row dt[DT_MAX];
};

static inline void made_init(struct made *m)
{
    m->problem = (struct problem){
        .image = m->image, .category = m->category, .gt = m->gt, .dt = m->dt};
    coco_protocol_init(&m->problem.protocol);
}

static inline void make_protocol(struct random *r, struct coco_protocol *p)
{
    static const uint32_t limits[][COCO_LIMITS] = {
        {1, 10, 100}, {1, 2, 3}, {2, 3, 100}, {1, 100, 200}, {100, 101, 300}};
    static const double recall[][4] = {
        {0, 0.25, 0.5, 1}, {0, 0, 1.0 / 3, 0.6}, {1, 1, 1, 1}};
    memcpy(p->max_detections, PICK(r, limits), sizeof(limits[0]));
    p->use_categories = below(r, 3) != 0;
    p->summation = below(r, 2) ? COCO_NUMPY1 : COCO_NUMPY2;
    p->per_image_iou = below(r, 2) ? 0.5 : 0.3;
    if (below(r, 3) == 0) {
        p->n_recall = 4;
        memcpy(p->recall, PICK(r, recall), sizeof(recall[0]));
    }
    if (below(r, 3) == 0)
        p->iou[0] = 0.95, p->iou[9] = 0.2; /* need not rise */
    if (below(r, 4) == 0)
        p->n_iou = COCO_IOU_MAX;
    for (size_t t = 10; t < p->n_iou; t++)
        p->iou[t] = (double)(t * 13 % 63 + 1) / 64;
    if (below(r, 3) == 0) { /* other names, and "all" elsewhere */
        p->area[3] = p->area[0];
        p->area[0] = (struct coco_area){"tiny", 2, 300};
        p->area_all = 3;
    }
}

static inline void make_box(struct random *r, double *box)
{
    static const double scale[] = {1, 8, 16, 32};
    double unit = PICK(r, scale);
    for (size_t i = 0; i < 2; i++) {
        box[i] = (double)below(r, 5) * unit;
        box[2 + i] = (double)(1 + below(r, 6)) * unit;
    }
}

/* Half of the detections lie on a ground truth, or just beside one. */
static inline struct dt_row make_dt(struct random *r, const struct problem *p)
{
    struct dt_row d = {.image = p->image[below(r, p->n_images)],
                       .category = p->category[below(r, p->n_categories)]};
    make_box(r, d.box);
    if (p->n_gt == 0 || below(r, 2))
        return d;
    const struct gt_row *g = &p->gt[below(r, p->n_gt)];
    d.image = g->image;
    d.category = g->category;
    memcpy(d.box, g->box, sizeof(d.box));
    d.box[2] *= 1 - (double)below(r, 8) / 16;
    return d;
}

/* Rows of a later image may stand first. */
static inline void make(uint64_t seed, const struct kind *kind, struct made *m)
{
    struct random r = {seed};
    made_init(m);
    struct problem *p = &m->problem;
    make_protocol(&r, &p->protocol);
    p->n_images = 1 + below(&r, kind->images);
    p->n_categories = 1 + below(&r, kind->categories);
    for (size_t i = 0; i < p->n_images; i++)
        m->image[i] = (int64_t)(p->n_images - i) * 3;
    for (size_t i = 0; i < p->n_categories; i++)
        m->category[i] = (int64_t)i + 1;
    size_t n_gt = below(&r, kind->gt + 1), n_dt = below(&r, kind->dt + 1);
    for (; p->n_gt < n_gt; p->n_gt++) {
        struct gt_row *g = &m->gt[p->n_gt];
        *g =
            (struct gt_row){.id = kind->first_id + (int64_t)p->n_gt,
                            .image = p->image[below(&r, p->n_images)],
                            .category = p->category[below(&r, p->n_categories)],
                            .crowd = below(&r, 6) == 0};
        make_box(&r, g->box);
        g->area = g->box[2] * g->box[3];
    }
    for (; p->n_dt < n_dt; p->n_dt++) {
        size_t rank = p->n_dt * 7919 % 3001; /* a prime above DT_MAX */
        m->dt[p->n_dt] = make_dt(&r, p);
        m->dt[p->n_dt].score =
            kind->ties ? (double)below(&r, 8) / 8 : (double)rank / 3001;
    }
}

static inline int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The problem with weight[i] copies of its i-th image by id. */
static inline void copy_images(const struct made *m, const uint32_t *weight,
                               struct made *out)
{
    const struct problem *p = &m->problem;
    int64_t image[IMAGES];
    made_init(out);
    struct problem *q = &out->problem;
    q->protocol = p->protocol;
    q->n_categories = p->n_categories;
    memcpy(out->category, m->category, sizeof(out->category));
    memcpy(image, m->image, p->n_images * sizeof(*image));
    qsort(image, p->n_images, sizeof(*image), by_id);
    for (size_t i = 0; i < p->n_images; i++)
        for (uint32_t copy = 0; copy < weight[i]; copy++) {
            int64_t id = image[i] * IMAGES + copy;
            assert_true(q->n_images < IMAGES * COPIES);
            out->image[q->n_images++] = id;
            for (size_t j = 0; j < p->n_gt; j++)
                if (p->gt[j].image == image[i]) {
                    assert_true(q->n_gt < GT_MAX);
                    out->gt[q->n_gt] = p->gt[j];
                    out->gt[q->n_gt].id += copy * GT_MAX;
                    out->gt[q->n_gt++].image = id;
                }
            for (size_t j = 0; j < p->n_dt; j++)
                if (p->dt[j].image == image[i]) {
                    assert_true(q->n_dt < DT_MAX);
                    out->dt[q->n_dt] = p->dt[j];
                    out->dt[q->n_dt++].image = id;
                }
        }
}

/* A problem scored, and what plays it again. */
struct player {
    struct trial trial;
    struct coco_replay *replay;
    struct coco_take *take;
};

static inline void player_init(struct player *p, const struct problem *problem,
                               const struct parallel *par)
{
    trial_init(&p->trial, problem);
    trial_core(&p->trial, (struct coco_wanted){0}, par);
    p->replay = coco_replay_new(&p->trial.core, true, &p->trial.mem, par);
    assert_non_null(p->replay);
    p->take = coco_take_new(p->replay, &p->trial.mem);
    assert_non_null(p->take);
}

static inline void player_free(struct player *p)
{
    arena_free(&p->trial.mem);
}

static inline void agree(double got, double want, const char *what,
                         uint64_t seed)
{
    if (!same_bits(got, want))
        fail_msg("%s: %.17g, not %.17g (seed %llu)", what, got, want,
                 (unsigned long long)seed);
}

#endif
