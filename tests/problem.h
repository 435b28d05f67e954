/*
 * Small scoring problems as rows, and both opinions on them.
 *
 * Tests write annotations and detections a row at a time; core/ wants
 * columns.  A trial is a problem scored by core/ and by the oracle.
 */
#ifndef EVALD_TESTS_PROBLEM_H
#define EVALD_TESTS_PROBLEM_H

#include "core/coco.h"
#include "core/random.h"
#include "tests/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gt_row {
    int64_t id, image, category;
    double box[4], area;
    uint8_t crowd;
};

struct dt_row {
    int64_t image, category;
    double box[4], score;
};

struct random {
    uint64_t state;
};

static inline uint64_t next(struct random *r)
{
    return random_next(&r->state);
}

static inline size_t below(struct random *r, size_t n)
{
    return (size_t)(next(r) % n);
}

#define PICK(r, table) ((table)[below((r), sizeof(table) / sizeof(*(table)))])

/* Borrows its rows. */
struct problem {
    struct coco_protocol protocol;
    size_t n_images, n_categories, n_gt, n_dt;
    const int64_t *image, *category;
    const struct gt_row *gt;
    const struct dt_row *dt;
};

struct trial {
    struct arena mem;
    struct coco_protocol protocol;
    struct coco_ground_truth gt;
    struct coco_detections dt;
    struct coco_result core;
    struct coco_by_image by_image;
    struct coco_verdicts verdicts;
    struct coco_image *images; /* core's, or NULL */
    struct oracle oracle;
};

static inline void *trial_alloc(struct trial *s, size_t n, size_t size)
{
    void *p = arena_zero(&s->mem, n, size);
    if (!p)
        abort();
    return p;
}

static inline void ground_truth_columns(struct trial *s,
                                        const struct problem *p)
{
    size_t n = p->n_gt;
    int64_t *ids = trial_alloc(s, 3 * n, sizeof(*ids));
    double *box = trial_alloc(s, 4 * n, sizeof(*box));
    double *area = trial_alloc(s, n, sizeof(*area));
    uint8_t *crowd = trial_alloc(s, n, sizeof(*crowd));
    for (size_t i = 0; i < n; i++) {
        ids[i] = p->gt[i].id;
        ids[n + i] = p->gt[i].image;
        ids[2 * n + i] = p->gt[i].category;
        memcpy(box + 4 * i, p->gt[i].box, sizeof(p->gt[i].box));
        area[i] = p->gt[i].area;
        crowd[i] = p->gt[i].crowd;
    }
    s->gt = (struct coco_ground_truth){.n_images = p->n_images,
                                       .n_categories = p->n_categories,
                                       .n = n,
                                       .image = p->image,
                                       .category = p->category,
                                       .id = ids,
                                       .image_id = ids + n,
                                       .category_id = ids + 2 * n,
                                       .box = box,
                                       .area = area,
                                       .crowd = crowd};
}

static inline void detection_columns(struct trial *s, const struct problem *p)
{
    size_t n = p->n_dt;
    int64_t *ids = trial_alloc(s, 2 * n, sizeof(*ids));
    double *box = trial_alloc(s, 4 * n, sizeof(*box));
    double *score = trial_alloc(s, n, sizeof(*score));
    for (size_t i = 0; i < n; i++) {
        ids[i] = p->dt[i].image;
        ids[n + i] = p->dt[i].category;
        memcpy(box + 4 * i, p->dt[i].box, sizeof(p->dt[i].box));
        score[i] = p->dt[i].score;
    }
    s->dt = (struct coco_detections){.n = n,
                                     .image_id = ids,
                                     .category_id = ids + n,
                                     .box = box,
                                     .score = score};
}

/* Columns of p, in memory of s. */
static inline void trial_init(struct trial *s, const struct problem *p)
{
    *s = (struct trial){.protocol = p->protocol};
    arena_init(&s->mem, (size_t)4 << 30);
    ground_truth_columns(s, p);
    detection_columns(s, p);
}

/* Scores with core/; with wanted.truths the images too. */
static inline void trial_core(struct trial *s, struct coco_wanted wanted,
                              const struct parallel *par)
{
    s->core = (struct coco_result){
        .protocol = &s->protocol, .gt = &s->gt, .dt = &s->dt};
    s->images = NULL;
    if (coco_index(&s->core.index, &s->gt, &s->dt, s->protocol.use_categories,
                   &s->mem, par) ||
        coco_score(&s->core, wanted, &s->mem, par))
        abort();
    if (!wanted.truths)
        return;
    s->images = trial_alloc(s, s->core.index.n_images, sizeof(*s->images));
    if (coco_by_image(&s->by_image, &s->core.index, &s->mem, par) ||
        coco_verdicts(&s->verdicts, &s->core, &s->by_image, &s->mem, par) ||
        coco_images(&s->core, &s->verdicts, &s->by_image, true, s->images,
                    &s->mem, par))
        abort();
}

static inline void trial_oracle(struct trial *s)
{
    oracle_score(&s->oracle, &s->protocol, &s->gt, &s->dt);
}

static inline void trial_free(struct trial *s)
{
    oracle_free(&s->oracle);
    arena_free(&s->mem);
}

/* One place in the tensors. */
struct place {
    size_t t, r, k, a, m;
};

/* What core/ has at a place: 'p'recision, 's'core or 'r'ecall. */
static inline double core_at(const struct trial *s, char what, struct place at)
{
    const struct coco_class *class = &s->core.class[at.k];
    if (class->positives[at.a] == 0)
        return -1;
    if (what == 'r')
        return class->recall[coco_recall_row(&s->core, at.a, at.m, at.t)];
    size_t i =
        coco_precision_row(&s->core, at.a, at.m, at.t) * s->protocol.n_recall +
        at.r;
    return what == 'p' ? class->precision[i] : class->scores[i];
}

static inline double core_number(const struct trial *s, size_t i)
{
    struct coco_number number = coco_number(&s->protocol, i);
    return coco_value(&s->core, &number, COCO_ALL_CLASSES);
}

static inline bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

#endif
