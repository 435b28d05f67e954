/*
 * Runs beside scoring at once: what it takes to match images one by one and to
 * pack them, to join them again, and to keep a summary live while they arrive.
 * Whatever is compared is timed in turn, on two workers and memory that is
 * fresh each time, as it is for a request.
 *
 *   runs [GROUND_TRUTH DETECTIONS]   default: a made-up set of 5,000 images
 *                                    and 500,000 detections
 */
#include "api/detection.h"
#include "api/sample.h"
#include "core/coco_live.h"
#include "server/file.h"
#include "server/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, LATE = 16 /* images that arrive while asked */ };

struct bench {
    struct pool *pool;
    const struct parallel *par;
    struct detection_request req;
    struct arena columns, parts_mem;
    struct coco_truths truths;
    struct coco_part *part; /* by image */
    size_t n, bytes;
    bool known;
    double value[COCO_VALUES_MAX]; /* of the summary */
};

static double now(void)
{
    return (double)uv_hrtime() / 1e9;
}

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof(*x), by_value);
    return x[n / 2];
}

static void read_texts(struct bench *b, const char *gt, size_t gt_len,
                       const char *dt, size_t dt_len)
{
    struct api_error err = {0};
    detection_request_init(&b->req);
    must(decode_detection(DETECTION_GROUND_TRUTH, gt, gt_len, &b->req, b->par,
                          &b->columns, &err),
         "reading the ground truth");
    must(decode_detection(DETECTION_LIST, dt, dt_len, &b->req, b->par,
                          &b->columns, &err),
         "reading the detections");
}

static void read_data(struct bench *b, int argc, char **argv)
{
    size_t gt_len, dt_len;
    if (argc == 3) {
        char *gt, *dt;
        must(file_read(argv[1], &gt, &gt_len), argv[1]);
        must(file_read(argv[2], &dt, &dt_len), argv[2]);
        read_texts(b, gt, gt_len, dt, dt_len);
        free(gt);
        free(dt);
        return;
    }
    const struct sample_options options = {.images = 5000,
                                           .classes = 80,
                                           .objects = 8,
                                           .detections = 100,
                                           .seed = 0};
    struct arena mem;
    struct json_out gt, dt;
    arena_init(&mem, SIZE_MAX / 4);
    json_out_init(&gt, &mem, false);
    json_out_init(&dt, &mem, false);
    sample_write(&options, &gt, &dt);
    must(gt.failed || dt.failed, "making the sample");
    read_texts(b, gt.text, gt.len, dt.text, dt.len);
    arena_free(&mem);
}

/* The detections by image, then as they came. */
static void sort_by_image(struct bench *b)
{
    struct coco_detections *dt = &b->req.dt, out = {.n = dt->n};
    struct coco_index ix;
    must(coco_index(&ix, &b->req.gt, dt, false, &b->columns, b->par),
         "indexing");
    int64_t *ids = arena_alloc(&b->columns, 2 * dt->n, sizeof(*ids));
    double *box = arena_alloc(&b->columns, 5 * dt->n, sizeof(*box));
    must(b->columns.failed || ix.n_dt != dt->n, "sorting");
    for (size_t i = 0; i < dt->n; i++) {
        size_t row = ix.dt[i];
        ids[i] = dt->image_id[row];
        ids[dt->n + i] = dt->category_id[row];
        memcpy(box + 4 * i, dt->box + 4 * row, 4 * sizeof(*box));
        box[4 * dt->n + i] = dt->score[row];
    }
    out.image_id = ids, out.category_id = ids + dt->n;
    out.box = box, out.score = box + 4 * dt->n;
    *dt = out;
}

/* Matches and packs every image alone; seconds. */
static double make_parts(struct bench *b)
{
    const struct coco_detections *all = &b->req.dt;
    struct arena mem;
    arena_init(&mem, SIZE_MAX / 4);
    b->n = b->truths.index.n_images;
    b->part = arena_alloc(&b->columns, b->n, sizeof(*b->part));
    double start = now();
    for (size_t at = 0, i = 0; i < b->n; i++, arena_clear(&mem, SIZE_MAX)) {
        struct coco_ground_truth gt;
        size_t begin = at, n_bytes;
        uint32_t image = (uint32_t)i;
        while (at < all->n && all->image_id[at] == b->truths.index.image[i])
            at++;
        struct coco_detections dt = {at - begin, all->image_id + begin,
                                     all->category_id + begin,
                                     all->box + 4 * begin, all->score + begin};
        struct coco_result r = {
            .protocol = &b->req.protocol, .gt = &gt, .dt = &dt};
        must(coco_ground_truth_of_images(&gt, &b->truths, &image, 1, &mem) ||
                 coco_index(&r.index, &gt, &dt, true, &mem, &parallel_serial) ||
                 coco_match(&r, true, &mem, &parallel_serial),
             "matching an image");
        uint8_t *bytes = coco_part_pack(&r, &n_bytes, &b->parts_mem);
        must(!bytes ||
                 coco_part_open(&b->part[i], bytes, n_bytes, &b->req.protocol,
                                b->truths.index.n_classes),
             "packing");
        b->bytes += n_bytes;
    }
    double seconds = now() - start;
    arena_free(&mem);
    return seconds;
}

/* Seconds of each, on fresh memory; each begins with the one before it. */
struct times {
    double index, score;
    double join, all;
};

/* What is fast is to be right, too. */
static void check_values(struct bench *b, const struct coco_result *r)
{
    double value[COCO_VALUES_MAX];
    size_t n = coco_number_count(r->protocol);
    for (size_t i = 0; i < n; i++) {
        struct coco_number number = coco_number(r->protocol, i);
        value[i] = coco_value(r, &number, COCO_ALL_CLASSES);
    }
    if (!b->known)
        memcpy(b->value, value, sizeof(value));
    b->known = true;
    must(memcmp(b->value, value, n * sizeof(*value)), "having the same bits");
}

static void time_once(struct bench *b, struct times *t)
{
    struct arena mem;
    struct coco_result r = {
        .protocol = &b->req.protocol, .gt = &b->req.gt, .dt = &b->req.dt};
    arena_init(&mem, SIZE_MAX / 4);
    double start = now();
    must(coco_index(&r.index, r.gt, r.dt, true, &mem, b->par), "indexing");
    t->index = now() - start;
    must(coco_score(&r, (struct coco_wanted){.truths = true}, &mem, b->par),
         "scoring");
    t->score = now() - start;
    check_values(b, &r);
    arena_free(&mem);
}

static void time_joined(struct bench *b, struct times *t)
{
    struct arena mem;
    struct coco_result r = {.protocol = &b->req.protocol};
    size_t odd;
    arena_init(&mem, SIZE_MAX / 4);
    double start = now();
    must(coco_join(&r, &b->truths, b->part, b->n, &odd, &mem, b->par),
         "joining");
    t->join = now() - start;
    must(coco_accumulate(&r, (struct coco_wanted){0}, &mem, b->par),
         "accumulating");
    t->all = now() - start;
    check_values(b, &r);
    arena_free(&mem);
}

static void time_joins(struct bench *b)
{
    double score[ROUNDS], join[ROUNDS], all[ROUNDS], ratio[ROUNDS];
    double index[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        struct times t;
        time_once(b, &t);
        time_joined(b, &t);
        index[i] = t.index, score[i] = t.score;
        join[i] = t.join, all[i] = t.all;
        ratio[i] = t.all / t.score;
    }
    printf("  at once          %7.1f ms  (%.1f of them the index)\n",
           1e3 * median(score, ROUNDS), 1e3 * median(index, ROUNDS));
    printf("  join             %7.1f ms\n", 1e3 * median(join, ROUNDS));
    double middle = median(all, ROUNDS);
    printf("  join, accumulate %7.1f ms, %.2f of at once (lowest %.1f ms)\n",
           1e3 * middle, median(ratio, ROUNDS), 1e3 * all[0]);
}

/* Asks whenever some more have arrived, at the end of a run. */
static void time_live(struct bench *b)
{
    double add = 0, ask[ROUNDS], first, value[COCO_VALUES_MAX];
    struct arena mem, scratch;
    size_t late = LATE * ROUNDS < b->n ? b->n - LATE * ROUNDS : 0, at = 0;
    arena_init(&mem, SIZE_MAX / 4);
    arena_init(&scratch, SIZE_MAX / 4);
    struct coco_live *live = coco_live_new(&b->req.protocol, &b->truths, &mem);
    must(!live, "starting live");
    double start = now();
    for (; at < late; at++)
        must(coco_live_add(live, &b->part[at]), "adding");
    add = now() - start;
    must(coco_live_values(live, value, &scratch, b->par), "asking");
    first = now() - start - add;
    for (size_t i = 0; i < ROUNDS; i++) {
        for (size_t j = 0; j < LATE && at < b->n; j++)
            must(coco_live_add(live, &b->part[at++]), "adding");
        arena_free(&scratch);
        start = now();
        must(coco_live_values(live, value, &scratch, b->par), "asking");
        ask[i] = now() - start;
    }
    must(at == b->n &&
             memcmp(b->value, value,
                    coco_number_count(&b->req.protocol) * sizeof(*value)) != 0,
         "having the same bits live");
    printf("  live: add        %7.1f us per image, first values %.1f ms\n",
           1e6 * add / (double)late, 1e3 * first);
    printf("        ask again  %7.1f ms after %d more images (AP %.6f)\n",
           1e3 * median(ask, ROUNDS), LATE, value[0]);
    printf("        memory     %7.1f bytes per detection, %.1f to ask\n",
           (double)mem.bytes_used / (double)b->req.dt.n,
           (double)scratch.bytes_used / (double)b->req.dt.n);
    arena_free(&mem);
    arena_free(&scratch);
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const size_t no_jobs[LANES];
    arena_init(&b.columns, SIZE_MAX / 4);
    arena_init(&b.parts_mem, SIZE_MAX / 4);
    b.pool = pool_new(2, 0, no_jobs);
    must(!b.pool, "starting the pool");
    b.par = pool_parallel(b.pool);
    read_data(&b, argc, argv);
    sort_by_image(&b);
    double start = now();
    must(coco_truths_init(&b.truths, &b.req.gt, true, &b.columns, b.par),
         "sorting the ground truth by image");
    double truths = now() - start, pack = make_parts(&b);
    printf("runs: %zu detections of %zu images, 2 workers, fresh memory\n",
           b.req.dt.n, b.n);
    printf("  match and pack   %7.1f us per image, on 1 worker (truths %.1f "
           "ms)\n",
           1e6 * pack / (double)b.n, 1e3 * truths);
    printf("  parts            %7.1f bytes per detection\n",
           (double)b.bytes / (double)b.req.dt.n);
    time_joins(&b);
    time_live(&b);
    pool_free(b.pool);
    arena_free(&b.columns);
    arena_free(&b.parts_mem);
    return 0;
}
