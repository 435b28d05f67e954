/* Bootstrap confidence intervals: images drawn with replacement. */
#include "core/coco_replay.h"
#include "core/key_sort.h"
#include "core/random.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { RUNS = 2 }; /* that are compared, at most */

/* In place of a number that is not defined; less than all that are. */
static const double undefined = -2;

/* What one worker needs. */
struct scratch {
    struct coco_take *take[RUNS];
    uint32_t *weight;    /* per image */
    struct key_order by; /* one per resample */
};

struct job {
    const struct coco_result *r; /* of the first run */
    const struct coco_replay *const *replay;
    size_t n_runs;
    const struct coco_bootstrap *how;
    size_t n_numbers;
    struct coco_number number[COCO_VALUES_MAX]; /* the first is AP */
    double *value; /* [n_numbers + n_classes][resamples] */
    struct coco_interval *out;
    struct scratch *scratch;
    const atomic_bool *stop;
};

/* How often each of n images is drawn in n draws. */
static void draw(uint32_t *weight, size_t n, uint64_t state,
                 const atomic_bool *stop)
{
    memset(weight, 0, n * sizeof(*weight));
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            weight[random_below(&state, (uint32_t)n)]++;
}

/* What is asked about: the number, or by how much it is more in the second. */
static double asked(const struct job *job,
                    const struct coco_result *const *played, size_t number,
                    size_t k)
{
    double value = 0;
    for (size_t i = 0; i < job->n_runs; i++) {
        double here = coco_value(played[i], &job->number[number], k);
        if (here < 0)
            return undefined;
        value = here - value;
    }
    return value;
}

static void score_resample(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    const struct scratch *s = &job->scratch[worker];
    const struct coco_index *ix = &job->r->index;
    const struct coco_result *played[RUNS];
    size_t resamples = job->how->resamples;
    double *value = job->value + item;
    draw(s->weight, ix->n_images, random_stream(job->how->seed, item),
         job->stop);
    for (size_t i = 0; i < job->n_runs; i++)
        played[i] = coco_replay_play(job->replay[i], s->weight, s->take[i]);
    for (size_t i = 0; i < job->n_numbers; i++, value += resamples)
        *value = asked(job, played, i, COCO_ALL_CLASSES);
    for (size_t k = 0; k < ix->n_classes; k++, value += resamples)
        *value = asked(job, played, 0, k);
}

/* Of n > 0 values, those of rows from the highest down; as numpy has it. */
static double quantile(const double *value, const uint32_t *row, size_t n,
                       double q)
{
    double at = (double)(n - 1) * q, below = floor(at), part = at - below;
    size_t i = n - 1 - (size_t)below;
    double a = value[row[i]], b = value[row[i > 0 ? i - 1 : 0]];
    return part < 0.5 ? a + (b - a) * part : b - (b - a) * (1 - part);
}

/* From the distance to one of them, so that equal ones have none. */
static double deviation(const double *value, const uint32_t *row, size_t n)
{
    double sum = 0, squares = 0, origin = value[row[0]];
    for (size_t i = 0; i < n; i++)
        sum += value[row[i]] - origin;
    for (size_t i = 0; i < n; i++) {
        double d = value[row[i]] - origin - sum / (double)n;
        squares += d * d;
    }
    return sqrt(squares / (double)(n - 1));
}

/* Undefined ones are the last. */
static void find_interval(void *context, size_t item, size_t worker)
{
    const struct job *job = context;
    const struct scratch *s = &job->scratch[worker];
    uint32_t resamples = job->how->resamples, n = 0;
    const double *value = job->value + item * resamples;
    struct coco_interval out = {NAN, NAN, NAN, 0};
    for (uint32_t i = 0; i < resamples; i++) {
        s->by.key[i] = score_key(value[i]);
        s->by.row[i] = i;
        n += value[i] > undefined;
    }
    if (key_sort(&s->by, resamples, job->stop))
        return;
    out.defined = n;
    if (n > 0) {
        out.low = quantile(value, s->by.row, n, (1 - job->how->level) / 2);
        out.high = quantile(value, s->by.row, n, (1 + job->how->level) / 2);
    }
    if (n > 1)
        out.std = deviation(value, s->by.row, n);
    job->out[item] = out;
}

static int make_scratch(struct job *job, size_t workers, struct arena *mem)
{
    size_t n = job->how->resamples, n_images = job->r->index.n_images;
    job->scratch = arena_alloc(mem, workers, sizeof(*job->scratch));
    for (size_t w = 0; w < workers && !mem->failed; w++) {
        job->scratch[w] = (struct scratch){
            .weight = arena_alloc(mem, n_images, sizeof(uint32_t)),
            .by = key_order_alloc(n, mem),
        };
        for (size_t i = 0; i < job->n_runs && !mem->failed; i++)
            job->scratch[w].take[i] = coco_take_new(job->replay[i], mem);
    }
    return mem->failed ? -1 : 0;
}

/* Of one run, or of what the second has more than the first. */
static int find_intervals(struct job *job, struct arena *mem,
                          const struct parallel *par)
{
    struct arena_mark mark = arena_mark(mem);
    job->stop = par->stop;
    job->n_numbers = coco_number_count(job->r->protocol);
    for (size_t i = 0; i < job->n_numbers; i++)
        job->number[i] = coco_number(job->r->protocol, i);
    size_t rows = job->n_numbers + job->r->index.n_classes;
    job->value =
        arena_alloc(mem, rows, job->how->resamples * sizeof(*job->value));
    if (make_scratch(job, par->width, mem))
        return -1;
    par->run(par, job->how->resamples, score_resample, job);
    if (parallel_stopped(par))
        return -1;
    par->run(par, rows, find_interval, job);
    arena_release(mem, mark);
    return parallel_stopped(par) ? -1 : 0;
}

int coco_intervals(const struct coco_result *r,
                   const struct coco_replay *replay,
                   const struct coco_bootstrap *how, struct coco_interval *out,
                   struct arena *mem, const struct parallel *par)
{
    struct job job = {
        .r = r, .replay = &replay, .n_runs = 1, .how = how, .out = out};
    return find_intervals(&job, mem, par);
}

int coco_paired_intervals(const struct coco_result *const r[2],
                          const struct coco_replay *const replay[2],
                          const struct coco_bootstrap *how,
                          struct coco_interval *out, struct arena *mem,
                          const struct parallel *par)
{
    assert(r[0]->index.n_images == r[1]->index.n_images &&
           r[0]->index.n_classes == r[1]->index.n_classes);
    struct job job = {
        .r = r[0], .replay = replay, .n_runs = RUNS, .how = how, .out = out};
    return find_intervals(&job, mem, par);
}
