/*
 * Any bytes as a small scoring problem: core and the naive scorer of the
 * tests must agree on every value of every tensor, by bits.
 */
#include "core/coco_points.h"
#include "tests/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGES = 4, CATEGORIES = 3, ROWS_MAX = 24 };

/* The bytes, taken one after the other; 0 when there are no more. */
struct source {
    const uint8_t *at, *end;
};

static uint8_t take(struct source *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

/* Small whole numbers, so that overlaps tie and meet thresholds exactly. */
static void take_box(struct source *s, double box[4])
{
    static const double odd[] = {0, -3, 1e-170, 1e200, 0.1, 1024};
    for (size_t i = 0; i < 4; i++) {
        uint8_t b = take(s);
        box[i] = b < 240 ? b % 24 : odd[b % 6];
    }
}

static void take_rows(struct source *s, struct gt_row *gt, size_t n_gt,
                      struct dt_row *dt, size_t n_dt)
{
    static const double areas[] = {1024, 9216, 4, 1e5};
    for (size_t i = 0; i < n_gt; i++) {
        uint8_t b = take(s);
        gt[i] = (struct gt_row){.id = b & 128 ? b % 8 : (int64_t)i + 8,
                                .image = b % IMAGES,
                                .category = take(s) % (CATEGORIES + 1),
                                .area = areas[b / 4 % 4],
                                .crowd = b / 16 % 4 == 0};
        take_box(s, gt[i].box);
    }
    for (size_t i = 0; i < n_dt; i++) {
        uint8_t b = take(s);
        dt[i] = (struct dt_row){.image = b % IMAGES,
                                .category = take(s) % (CATEGORIES + 1),
                                .score = (double)(int8_t)take(s) / 16};
        take_box(s, dt[i].box);
    }
}

static void take_protocol(struct source *s, struct coco_protocol *p)
{
    uint8_t b = take(s);
    coco_protocol_init(p);
    p->use_categories = b & 1;
    p->summation = b & 2 ? COCO_NUMPY1 : COCO_NUMPY2;
    p->per_image_iou = b & 4 ? 0.5 : 0.33;
    if (b & 8)
        p->max_detections[1] = 2;
    p->n_iou = 3; /* few, as the naive scorer is slow */
    p->iou[1] = b & 16 ? 1 : 0.75;
    p->iou[2] = b & 32 ? 0 : 0.25;
    if (!(b & 64)) {
        p->n_recall = 3;
        p->recall[1] = 0.5;
        p->recall[2] = 1;
    }
}

static void compare(struct trial *s, char what)
{
    const struct oracle *o = &s->oracle;
    size_t recalls = what == 'r' ? 1 : o->n_recall;
    struct place p;
    for (p.t = 0; p.t < o->n_iou; p.t++)
        for (p.r = 0; p.r < recalls; p.r++)
            for (p.k = 0; p.k < o->n_classes; p.k++)
                for (p.a = 0; p.a < o->n_areas; p.a++)
                    for (p.m = 0; p.m < COCO_LIMITS; p.m++) {
                        size_t at = oracle_at(o, p.t, p.r, p.k, p.a, p.m);
                        double want = what == 'p' ? o->precision[at]
                                      : what == 's'
                                          ? o->scores[at]
                                          : o->recall[oracle_recall_at(
                                                o, p.t, p.k, p.a, p.m)];
                        if (!same_bits(core_at(s, what, p), want))
                            abort();
                    }
}

static void must_equal(uint64_t a, uint64_t b)
{
    if (a != b)
        abort();
}

/* The confusion's margins are what AP's matching counts, of every class. */
static void check_margins(const struct coco_confusion *c,
                          const struct coco_points *points, size_t n)
{
    uint64_t row[CATEGORIES + 1] = {0}, column[CATEGORIES + 1] = {0};
    for (size_t i = 0; i < c->n; i++) {
        row[c->cell[i].truth] += c->cell[i].count;
        column[c->cell[i].found] += c->cell[i].count;
    }
    for (size_t k = 0; k < n; k++) {
        must_equal(row[k], points[k].positives);
        must_equal(column[k],
                   (uint64_t)points[k].threshold.tp + points[k].threshold.fp);
    }
}

/* What is read from the same matches adds up with them. */
static void analyse(struct trial *s)
{
    static const double at[] = {0.5, -1, 2};
    const struct coco_result *r = &s->core;
    const struct coco_index *ix = &r->index;
    struct coco_confusion confusion;
    struct coco_points points[CATEGORIES + 1];
    struct coco_class_errors errors[CATEGORIES + 1];
    if (coco_confusion(&confusion, r, &s->verdicts, &s->mem,
                       &parallel_serial) ||
        coco_points(points, r, &s->verdicts, at, 3, &s->mem,
                    &parallel_serial) ||
        coco_errors(errors, r, &s->verdicts, &s->mem, &parallel_serial))
        abort();
    check_margins(&confusion, points, ix->n_classes);
    for (size_t k = 0; k <= ix->n_classes; k++) {
        must_equal(errors[k].count[COCO_FALSE_POSITIVE], points[k].all.fp);
        must_equal(errors[k].count[COCO_FALSE_NEGATIVE],
                   points[k].positives - points[k].all.tp);
        if (coco_f1(&points[k].best_f1, points[k].positives) <
            coco_f1(&points[k].at[0], points[k].positives))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t image[IMAGES] = {2, 0, 3, 1};
    static const int64_t category[CATEGORIES] = {2, 0, 1};
    struct source s = {data, data + size};
    struct gt_row gt[ROWS_MAX];
    struct dt_row dt[ROWS_MAX];
    struct problem p = {.n_images = IMAGES,
                        .n_categories = CATEGORIES,
                        .image = image,
                        .category = category,
                        .gt = gt,
                        .dt = dt};
    struct trial trial;
    take_protocol(&s, &p.protocol);
    p.n_gt = take(&s) % ROWS_MAX;
    p.n_dt = take(&s) % ROWS_MAX;
    take_rows(&s, gt, p.n_gt, dt, p.n_dt);
    trial_init(&trial, &p);
    trial_core(&trial, (struct coco_wanted){true, true, true},
               &parallel_serial);
    trial_oracle(&trial);
    compare(&trial, 'p');
    compare(&trial, 's');
    compare(&trial, 'r');
    for (size_t i = 0; i < COCO_NUMBERS; i++)
        if (!same_bits(core_number(&trial, i), trial.oracle.number[i]))
            abort();
    analyse(&trial);
    trial_free(&trial);
    return 0;
}
