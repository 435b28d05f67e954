/* What to answer with, and what is asked of that. */
#include "api/detection_settings.h"
#include "api/number.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { CURVE_POINTS_MIN = 2, CURVE_POINTS_MAX = 1000000 };

typedef int read_option(const json_t *v, const struct at *at,
                        struct detection_options *o, struct api_error *err);

/* An integer from lo to hi. */
static int read_count(const json_t *v, const struct at *at, int64_t lo,
                      int64_t hi, int64_t *out, struct api_error *err)
{
    if (read_integer(v, at, out, err))
        return -1;
    if (*out < lo || *out > hi)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %lld, must be from %lld to %lld", (long long)*out,
                       (long long)lo, (long long)hi);
    return 0;
}

static int read_curve_points(const json_t *v, const struct at *at,
                             struct detection_options *o, struct api_error *err)
{
    int64_t n;
    if (read_count(v, at, CURVE_POINTS_MIN, CURVE_POINTS_MAX, &n, err))
        return -1;
    o->curve_points = (size_t)n;
    return 0;
}

static int read_score_thresholds(const json_t *v, const struct at *at,
                                 struct detection_options *o,
                                 struct api_error *err)
{
    if (read_array(v, at, err))
        return -1;
    o->n_scores = json_array_size(v);
    if (o->n_scores > SCORES_ASKED_MAX) {
        size_t n = o->n_scores;
        o->n_scores = 0;
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu values, may have %d", n, SCORES_ASKED_MAX);
    }
    for (size_t i = 0; i < o->n_scores; i++)
        if (read_number(json_array_get(v, i), &(struct at){at, NULL, i},
                        &o->score[i], err))
            return -1;
    return 0;
}

static int read_suspect_score(const json_t *v, const struct at *at,
                              struct detection_options *o,
                              struct api_error *err)
{
    return read_number(v, at, &o->suspect_score, err);
}

static int read_level(const json_t *v, const struct at *at, double *level,
                      struct api_error *err)
{
    if (read_number(v, at, level, err))
        return -1;
    if (!(*level > 0 && *level < 1))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be more than 0 and less than 1, such as "
                       "0.95",
                       number_text(*level).text);
    return 0;
}

enum { RESAMPLES, LEVEL, SEED, BOOTSTRAP_NAMES };
static const char *const bootstrap_names[] = {"resamples", "level", "seed"};

int read_bootstrap(const json_t *v, const struct at *at,
                   struct coco_bootstrap *how, struct api_error *err)
{
    const json_t *m[BOOTSTRAP_NAMES];
    struct at name[BOOTSTRAP_NAMES];
    int64_t n;
    for (size_t i = 0; i < BOOTSTRAP_NAMES; i++) {
        name[i] = (struct at){at, bootstrap_names[i], 0};
        m[i] = json_object_get(v, bootstrap_names[i]);
    }
    if (m[RESAMPLES]) {
        if (read_count(m[RESAMPLES], &name[RESAMPLES], 1, COCO_RESAMPLES_MAX,
                       &n, err))
            return -1;
        how->resamples = (uint32_t)n;
    }
    if (m[LEVEL] && read_level(m[LEVEL], &name[LEVEL], &how->level, err))
        return -1;
    if (m[SEED]) {
        if (read_count(m[SEED], &name[SEED], 0, INT64_MAX, &n, err))
            return -1;
        how->seed = (uint64_t)n;
    }
    return 0;
}

static int read_intervals(const json_t *v, const struct at *at,
                          struct detection_options *o, struct api_error *err)
{
    return read_object(v, at, err) ||
                   read_known(v, at, bootstrap_names, BOOTSTRAP_NAMES, err) ||
                   read_bootstrap(v, at, &o->bootstrap, err)
               ? -1
               : 0;
}

static const struct {
    const char *name;
    read_option *read;
} options[] = {
    {"curve_points", read_curve_points},
    {"score_thresholds", read_score_thresholds},
    {"suspect_score", read_suspect_score},
    {"intervals", read_intervals},
};
_Static_assert(COUNT(options) <= OPTION_NAMES_MAX, "room for the names");

void detection_options_init(struct detection_options *o)
{
    *o = (struct detection_options){
        .suspect_score = 0.5,
        .bootstrap = {.resamples = 1000, .level = 0.95, .seed = 0},
    };
}

size_t option_names(const char *names[OPTION_NAMES_MAX])
{
    for (size_t i = 0; i < COUNT(options); i++)
        names[i] = options[i].name;
    return COUNT(options);
}

void read_options(const json_t *v, const struct at *at,
                  struct detection_options *o, struct api_error *err)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        const json_t *m = json_object_get(v, options[i].name);
        if (m)
            options[i].read(m, &(struct at){at, options[i].name, 0}, o, err);
    }
}

/* In the order of the answer; bit i of enum detection_output is row i. */
static const char *const outputs[] = {
    "summary",   "per_class", "per_image",   "curves", "operating_points",
    "confusion", "errors",    "calibration", "lrp",    "slices",
    "intervals", "arrays",
};
_Static_assert(OUTPUTS_ALL == (1 << COUNT(outputs)) - 1, "a name for each bit");

const char *const *detection_output_names(size_t *n)
{
    *n = COUNT(outputs);
    return outputs;
}

bool detection_output_named(const char *name, unsigned *bit)
{
    for (size_t i = 0; i < COUNT(outputs); i++)
        if (strcmp(name, outputs[i]) == 0) {
            *bit = 1u << i;
            return true;
        }
    return false;
}

int read_outputs(const json_t *v, const struct at *at,
                 struct detection_request *req, struct api_error *err)
{
    if (!v)
        return 0;
    if (read_array(v, at, err))
        return -1;
    req->outputs = 0;
    for (size_t i = 0; i < json_array_size(v) && !api_full(err); i++) {
        size_t row;
        if (read_choice(json_array_get(v, i), &(struct at){at, NULL, i},
                        outputs, COUNT(outputs), &row, err) == 0)
            req->outputs |= 1u << row;
    }
    return err->n ? -1 : 0;
}
