/*
 * Random problems cut into parts, an image each, and what is told of a result
 * by all that reads it.
 */
#ifndef EVALD_TESTS_PARTS_H
#define EVALD_TESTS_PARTS_H

#include "core/coco_live.h"
#include "core/coco_points.h"
#include "core/coco_replay.h"
#include "tests/drawn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct kind small = {"small", 5, 4, 14, 24, false, false};
static const struct kind undefined = {"undefined", 4, 3, 10, 16, false, true};
static const struct kind crowded = {"crowded", 2, 3, 40, 700, false, false};
static const struct kind wide = {"wide", 30, 12, 200, 500, false, false};

enum { KNOWN_GT = 5, KNOWN_DT = 6 };

/*
 * Image 10 has three ground truths of category 1, the last a crowd, and one of
 * category 3, which is met by nothing.  Detections 0 and 1 are on the first, 2
 * on the second, 3 and 4 on none, with one score; nobody knows the category
 * of 5.
 */
static inline void make_known(struct made *m)
{
    static const struct gt_row gt[KNOWN_GT] = {
        {1, 10, 1, {0, 0, 40, 40}, 1600, 0},
        {2, 10, 1, {100, 0, 40, 40}, 1600, 0},
        {3, 10, 1, {200, 0, 40, 40}, 1600, 1},
        {4, 10, 3, {300, 0, 40, 40}, 1600, 0},
        {5, 20, 1, {0, 0, 40, 40}, 1600, 0},
    };
    static const struct dt_row dt[KNOWN_DT] = {
        {10, 1, {0, 0, 40, 40}, 0.9},   {10, 1, {0, 0, 40, 39}, 0.8},
        {10, 1, {100, 0, 40, 40}, 0.7}, {10, 2, {0, 500, 9, 9}, 0.6},
        {10, 2, {0, 600, 9, 9}, 0.6},   {10, 1000, {0, 0, 9, -9}, 0.5},
    };
    m->problem = (struct problem){.n_images = 2,
                                  .n_categories = 3,
                                  .n_gt = KNOWN_GT,
                                  .n_dt = KNOWN_DT,
                                  .image = m->image,
                                  .category = m->category,
                                  .gt = m->gt,
                                  .dt = m->dt};
    coco_protocol_init(&m->problem.protocol);
    m->image[0] = 10, m->image[1] = 20;
    for (size_t k = 0; k < 3; k++)
        m->category[k] = (int64_t)k + 1;
    memcpy(m->gt, gt, sizeof(gt));
    memcpy(m->dt, dt, sizeof(dt));
}

/* A problem's parts, by image, at odd addresses. */
struct cut {
    struct trial whole;
    struct coco_truths truths;
    size_t n;
    struct coco_part part[IDS_MAX];
    uint8_t *block[IDS_MAX];
    size_t n_bytes[IDS_MAX];
};

/* The detections of an image, as they came. */
static inline struct coco_detections detections_of(struct trial *s,
                                                   int64_t image)
{
    size_t n = 0;
    int64_t *ids = trial_alloc(s, 2 * s->dt.n, sizeof(*ids));
    double *box = trial_alloc(s, 4 * s->dt.n, sizeof(*box));
    double *score = trial_alloc(s, s->dt.n, sizeof(*score));
    for (size_t i = 0; i < s->dt.n; i++) {
        if (s->dt.image_id[i] != image)
            continue;
        ids[n] = image;
        ids[s->dt.n + n] = s->dt.category_id[i];
        memcpy(box + 4 * n, s->dt.box + 4 * i, 4 * sizeof(*box));
        score[n++] = s->dt.score[i];
    }
    return (struct coco_detections){n, ids, ids + s->dt.n, box, score};
}

/* Matches image i alone. */
static inline void match_image(struct cut *c, uint32_t i, struct coco_result *r,
                               struct coco_ground_truth *gt,
                               struct coco_detections *dt)
{
    struct trial *s = &c->whole;
    *dt = detections_of(s, c->truths.index.image[i]);
    *r = (struct coco_result){.protocol = &s->protocol, .gt = gt, .dt = dt};
    if (coco_ground_truth_of_images(gt, &c->truths, &i, 1, &s->mem) ||
        coco_index(&r->index, gt, dt, s->protocol.use_categories, &s->mem,
                   &parallel_serial) ||
        coco_match(r, true, &s->mem, &parallel_serial))
        abort();
}

static inline void cut_image(struct cut *c, uint32_t i)
{
    struct trial *s = &c->whole;
    struct coco_result r;
    struct coco_ground_truth gt;
    struct coco_detections dt;
    struct arena_mark mark = arena_mark(&s->mem);
    match_image(c, i, &r, &gt, &dt);
    uint8_t *bytes = coco_part_pack(&r, &c->n_bytes[i], &s->mem);
    assert_non_null(bytes);
    c->block[i] = malloc(c->n_bytes[i] + 1);
    assert_non_null(c->block[i]);
    memcpy(c->block[i] + 1, bytes, c->n_bytes[i]);
    arena_release(&s->mem, mark);
    assert_int_equal(coco_part_open(&c->part[i], c->block[i] + 1, c->n_bytes[i],
                                    &s->protocol, c->truths.index.n_classes),
                     0);
}

static inline void cut_init(struct cut *c, const struct problem *p)
{
    trial_init(&c->whole, p);
    assert_false(coco_truths_init(&c->truths, &c->whole.gt,
                                  p->protocol.use_categories, &c->whole.mem,
                                  &parallel_serial));
    c->n = c->truths.index.n_images;
    for (uint32_t i = 0; i < c->n; i++)
        cut_image(c, i);
}

static inline void cut_free(struct cut *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->block[i]);
    arena_free(&c->whole.mem);
}

/*
 * The problem of the images that are in, by hand: their ground truth as the
 * oracle meets it in the whole, or the whole's rows as they are if `as_is`;
 * detections by image, then as they came.
 */
static inline void choose(const struct cut *c, const struct made *m,
                          const bool *in, bool as_is, struct made *out)
{
    struct arena mem;
    size_t n_met;
    arena_init(&mem, 1 << 24);
    const size_t *met =
        oracle_met(&c->whole.protocol, &c->whole.gt, &n_met, &mem);
    struct problem *q = &out->problem;
    *q = m->problem;
    q->image = out->image;
    q->gt = out->gt;
    q->dt = out->dt;
    q->n_images = q->n_gt = q->n_dt = 0;
    for (size_t i = 0; i < c->n; i++) {
        int64_t id = c->truths.index.image[i];
        if (!in[i])
            continue;
        out->image[q->n_images++] = id;
        for (size_t j = 0; j < n_met && !as_is; j++)
            if (m->gt[met[j]].image == id)
                out->gt[q->n_gt++] = m->gt[met[j]];
        for (size_t j = 0; j < m->problem.n_dt; j++)
            if (m->dt[j].image == id)
                out->dt[q->n_dt++] = m->dt[j];
    }
    if (as_is) {
        q->n_gt = m->problem.n_gt;
        memcpy(out->gt, m->gt, q->n_gt * sizeof(*out->gt));
    }
    arena_free(&mem);
}

/* Joins the parts of the images that are in. */
static inline int join(struct cut *c, const bool *in, struct coco_result *r,
                       size_t *odd, struct arena *mem,
                       const struct parallel *par)
{
    struct coco_part part[IDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (in[i])
            part[n++] = c->part[i];
    *r = (struct coco_result){.protocol = &c->whole.protocol};
    int rc = coco_join(r, &c->truths, part, n, odd, mem, par);
    assert_true(*odd == n || rc != 0);
    return rc;
}

/* All that is read from a result that was matched. */
struct told {
    double number[COCO_VALUES_MAX];
    struct coco_by_image by;
    struct coco_verdicts v;
    struct coco_image *images;
    struct coco_confusion confusion;
    struct coco_class_errors *errors;
    struct coco_points *points;
    struct coco_interval *intervals;
};

static const double asked_scores[] = {0.5, 0, 0.9};
enum { ASKED = 3 };

/* 0, or -1 when memory is spent, or when stopped. */
static inline int tell(struct told *t, struct coco_result *r, struct arena *mem,
                       const struct parallel *par)
{
    static const struct coco_wanted all = {true, true, true};
    static const struct coco_bootstrap how = {5, 0.9, 3};
    size_t rows = r->index.n_classes + 1;
    t->images = arena_alloc(mem, r->index.n_images, sizeof(*t->images));
    t->errors = arena_alloc(mem, rows, sizeof(*t->errors));
    t->points = arena_alloc(mem, rows, sizeof(*t->points));
    t->intervals =
        arena_alloc(mem, rows + COCO_VALUES_MAX, sizeof(*t->intervals));
    if (mem->failed || coco_accumulate(r, all, mem, par))
        return -1;
    for (size_t i = 0; i < coco_number_count(r->protocol); i++) {
        struct coco_number number = coco_number(r->protocol, i);
        t->number[i] = coco_value(r, &number, COCO_ALL_CLASSES);
    }
    struct coco_replay *replay = coco_replay_new(r, true, mem, par);
    return !replay || coco_intervals(r, replay, &how, t->intervals, mem, par) ||
                   coco_by_image(&t->by, &r->index, mem, par) ||
                   coco_verdicts(&t->v, r, &t->by, mem, par) ||
                   coco_images(r, &t->v, &t->by, true, t->images, mem, par) ||
                   coco_confusion(&t->confusion, r, &t->v, mem, par) ||
                   coco_errors(t->errors, r, &t->v, mem, par) ||
                   coco_points(t->points, r, &t->v, asked_scores, ASKED, mem,
                               par)
               ? -1
               : 0;
}

#endif
