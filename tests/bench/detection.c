/*
 * How fast detections are scored: detections per second on one and on two
 * workers, what reading and writing JSON take beside it, and what each output
 * costs.  Whatever is compared is timed in turn, so the ratios hold on a
 * machine whose speed drifts.
 *
 *   detection [GROUND_TRUTH DETECTIONS]   default: a made-up set of 5,000
 *                                         images and 500,000 detections
 */
#include "api/detection.h"
#include "api/sample.h"
#include "server/file.h"
#include "server/pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, PARSE_ROUNDS = 3, OUTPUT_ROUNDS = 5 };

struct bench {
    struct pool *pool;
    const char *gt, *dt;
    size_t gt_len, dt_len;
    struct detection_request req;
    struct arena columns, work;
    double parse[PARSE_ROUNDS], one[ROUNDS], two[ROUNDS], ratio[ROUNDS];
    double cold, encode[ROUNDS];
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

static double parse(struct bench *b, const struct parallel *par)
{
    struct api_error err = {0};
    arena_clear(&b->columns, SIZE_MAX);
    detection_request_init(&b->req);
    double start = now();
    must(decode_detection(DETECTION_GROUND_TRUTH, b->gt, b->gt_len, &b->req,
                          par, &b->columns, &err),
         "reading the ground truth");
    must(decode_detection(DETECTION_LIST, b->dt, b->dt_len, &b->req, par,
                          &b->columns, &err),
         "reading the detections");
    return now() - start;
}

/* Seconds to score; *encode gets those to write the answer. */
static double score(struct bench *b, const struct parallel *par, double *encode)
{
    static struct detection_report rep;
    struct api_error err = {0};
    struct json_out out;
    arena_clear(&b->work, SIZE_MAX);
    double start = now();
    must(detection_score(&b->req, &rep, &b->work, par, &err), "scoring");
    double scored = now();
    json_out_init(&out, &b->work, false);
    detection_write(&out, &rep);
    *encode = now() - scored;
    return scored - start;
}

static void run(struct bench *b)
{
    const struct parallel *two = pool_parallel(b->pool);
    double ignored;
    for (size_t i = 0; i < PARSE_ROUNDS; i++)
        b->parse[i] = parse(b, &parallel_serial);
    b->cold = score(b, &parallel_serial, &ignored);
    score(b, two, &ignored);
    for (size_t i = 0; i < ROUNDS; i++) {
        b->one[i] = score(b, &parallel_serial, &b->encode[i]);
        b->two[i] = score(b, two, &ignored);
        b->ratio[i] = b->one[i] / b->two[i];
    }
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

/*
 * Bytes per detection without which these outputs cannot be scored: found by
 * trying, to a thousandth.
 */
static double least_memory(struct bench *b, unsigned outputs)
{
    static struct detection_report rep;
    size_t lo = 0, hi = 1024 * b->req.dt.n;
    b->req.outputs = outputs;
    while (hi - lo > hi / 1000 + 1) {
        size_t mid = lo + (hi - lo) / 2;
        struct api_error err = {0};
        struct arena mem;
        arena_init(&mem, mid);
        if (detection_score(&b->req, &rep, &mem, pool_parallel(b->pool), &err))
            lo = mid;
        else
            hi = mid;
        arena_free(&mem);
    }
    b->req.outputs = OUTPUT_SUMMARY;
    return (double)hi / (double)b->req.dt.n;
}

static void report(struct bench *b)
{
    double n = (double)b->req.dt.n, parsed = median(b->parse, PARSE_ROUNDS);
    double one = median(b->one, ROUNDS), two = median(b->two, ROUNDS);
    double encode = median(b->encode, ROUNDS);
    printf("detection scoring: %zu detections, %zu ground truths, %zu images, "
           "%zu categories\n",
           b->req.dt.n, b->req.gt.n, b->req.gt.n_images,
           b->req.gt.n_categories);
    printf("  1 worker    %7.3f s  %11.0f detections/s  (lowest %.3f, fresh "
           "memory %.3f)\n",
           one, n / one, b->one[0], b->cold);
    printf("  2 workers   %7.3f s  %11.0f detections/s  (lowest %.3f)\n", two,
           n / two, b->two[0]);
    printf("  1 over 2    %7.2f    (median of %d pairs)\n",
           median(b->ratio, ROUNDS), ROUNDS);
    printf("  parse       %7.3f s  %11.1f MB/s, %.0f %% of parse + score on 1 "
           "worker + write\n",
           parsed, (double)(b->gt_len + b->dt_len) / 1e6 / parsed,
           100 * parsed / (parsed + one + encode));
    printf("  write       %7.3f s  (summary)\n", encode);
    printf("  memory      %7.1f bytes of working memory per detection, "
           "columns not counted\n",
           least_memory(b, OUTPUT_SUMMARY));
}

/*
 * Scoring and writing with these outputs over the same with the summary alone,
 * the median of pairs; *seconds gets the least.
 */
static double output_ratio(struct bench *b, unsigned outputs, size_t rounds,
                           double *seconds)
{
    const struct parallel *two = pool_parallel(b->pool);
    double ratio[OUTPUT_ROUNDS], encode;
    *seconds = INFINITY;
    for (size_t i = 0; i < rounds; i++) {
        b->req.outputs = OUTPUT_SUMMARY;
        double plain = score(b, two, &encode) + encode;
        b->req.outputs = OUTPUT_SUMMARY | outputs;
        double with = score(b, two, &encode) + encode;
        ratio[i] = with / plain;
        *seconds = fmin(*seconds, with);
    }
    b->req.outputs = OUTPUT_SUMMARY;
    return median(ratio, rounds);
}

/* Many at once; and with what a request has beside, its reading. */
static void report_all(struct bench *b, const char *name, unsigned outputs)
{
    const struct parallel *two = pool_parallel(b->pool);
    double whole[PARSE_ROUNDS], encode, least;
    double ratio = output_ratio(b, outputs, OUTPUT_ROUNDS, &least);
    for (size_t i = 0; i < PARSE_ROUNDS; i++) {
        double read = parse(b, two);
        double plain = score(b, two, &encode) + encode;
        b->req.outputs |= outputs;
        whole[i] = read + score(b, two, &encode) + encode;
        whole[i] /= read + plain;
        b->req.outputs = OUTPUT_SUMMARY;
    }
    printf("    %-17s %7.2f  (%.3f s; %.2f with reading)\n", name, ratio, least,
           median(whole, PARSE_ROUNDS));
}

static void report_outputs(struct bench *b)
{
    size_t n;
    const char *const *names = detection_output_names(&n);
    double least;
    printf("  outputs, scored and written on 2 workers, over the summary "
           "alone:\n");
    for (size_t i = 0; i < n; i++) {
        unsigned bit = 1u << i;
        size_t rounds = bit == OUTPUT_INTERVALS ? 1 : OUTPUT_ROUNDS;
        double ratio = output_ratio(b, bit, rounds, &least);
        printf("    %-17s %7.2f  (%.3f s, %.1f bytes per detection)\n",
               names[i], ratio, least, least_memory(b, OUTPUT_SUMMARY | bit));
    }
    unsigned all = OUTPUTS_ALL & ~(unsigned)OUTPUT_INTERVALS;
    report_all(b, "all but intervals", all);
    report_all(b, "  and arrays", all & ~(unsigned)OUTPUT_ARRAYS);
}

/* The made-up set, kept for the life of the program. */
static void make_sample(struct bench *b, struct arena *mem)
{
    const struct sample_options options = {.images = 5000,
                                           .classes = 80,
                                           .objects = 8,
                                           .detections = 100,
                                           .seed = 0};
    struct json_out gt, dt;
    json_out_init(&gt, mem, false);
    json_out_init(&dt, mem, false);
    sample_write(&options, &gt, &dt);
    must(gt.failed || dt.failed, "making the sample");
    b->gt = gt.text, b->gt_len = gt.len;
    b->dt = dt.text, b->dt_len = dt.len;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct arena data;
    static const size_t no_jobs[LANES];
    char *gt = NULL, *dt = NULL;
    arena_init(&data, SIZE_MAX / 4);
    arena_init(&b.columns, SIZE_MAX / 4);
    arena_init(&b.work, SIZE_MAX / 4);
    if (argc == 3) {
        must(file_read(argv[1], &gt, &b.gt_len), argv[1]);
        must(file_read(argv[2], &dt, &b.dt_len), argv[2]);
        b.gt = gt, b.dt = dt;
    } else {
        make_sample(&b, &data);
    }
    b.pool = pool_new(2, 0, no_jobs);
    must(!b.pool, "starting the pool");
    run(&b);
    report(&b);
    report_outputs(&b);
    pool_free(b.pool);
    free(gt);
    free(dt);
    arena_free(&b.columns);
    arena_free(&b.work);
    arena_free(&data);
    return 0;
}
