/* GET /v1/compare */
#include "api/run_compare.h"

#include "api/clock.h"
#include "api/json_read.h"
#include "api/run_query.h"
#include "core/key_sort.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    KEYS = KEYS_BOOTSTRAP | KEY(KEY_A) | KEY(KEY_B) | KEY(KEY_FORCE) |
           KEY(KEY_LIMIT),
    IMAGES_SHOWN = 100,
};

static int no_memory(struct api_call *call)
{
    api_fail(&call->err, PROBLEM_MEMORY, NULL,
             "the comparison needs more than the memory of one request");
    return -1;
}

/* What is asked beside the two runs. */
struct asked {
    struct run_query query;
    bool force;
    size_t images_max;
};

/* resamples=0 asks for no intervals. */
static int read_bootstrap_of(struct api_call *call, const struct run_query *q,
                             struct comparison *c)
{
    const char *resamples = q->value[KEY_RESAMPLES];
    struct detection_options usual;
    detection_options_init(&usual);
    c->how = usual.bootstrap;
    c->resampled = !resamples || strcmp(resamples, "0") != 0;
    return c->resampled ? run_query_bootstrap(call, q, &c->how) : 0;
}

static int read_query(struct api_call *call, struct asked *asked,
                      struct comparison *c)
{
    const struct run_query *q = &asked->query;
    if (run_query_read(call, KEYS, &asked->query))
        return -1;
    for (enum run_key key = KEY_A; key <= KEY_B; key++)
        if (!q->value[key] || !q->value[key][0])
            return at_fail(&call->err, PROBLEM_MISSING_MEMBER,
                           &(struct at){NULL, run_key_name(key), 0},
                           "is missing in the query, must be the id of a run");
    asked->images_max = IMAGES_SHOWN;
    return run_query_limit(call, q, &asked->images_max) ||
                   query_flag(run_key_name(KEY_FORCE), q->value[KEY_FORCE],
                              &asked->force, &call->err) ||
                   read_bootstrap_of(call, q, c)
               ? -1
               : 0;
}

/* run_open takes the run that the path names, which is one of the query. */
static int open_run(struct api_call *call, const char *id, struct run *run)
{
    const char *rest = call->rest;
    call->rest = strchr(id, '/') ? "" : id;
    int rc = run_open(call, run);
    call->rest = rest;
    return rc;
}

/* The parameters in which two runs differ, with commas between them. */
static int differing(struct api_call *call, const struct comparison *c,
                     char *names, size_t room)
{
    const json_t *p[2], *v;
    const char *key;
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *text = c->run[i].row.parameters;
        p[i] = json_read(text, strlen(text), call->mem, &call->err);
        if (!p[i])
            return -1;
    }
    json_object_foreach((json_t *)(uintptr_t)p[0], key, v)
    {
        if (n < room && !json_equal(v, json_object_get(p[1], key)))
            n += (size_t)snprintf(names + n, room - n, "%s%s", n ? ", " : "",
                                  key);
    }
    return 0;
}

/* What keeps numbers of the two from meaning the same. */
static int refuse_others(struct api_call *call, const struct comparison *c)
{
    char names[DETAIL_BYTES / 2] = "";
    if (!c->same_protocol && differing(call, c, names, sizeof(names)))
        return -1;
    if (!c->same_protocol)
        api_fail(&call->err, PROBLEM_INCOMPARABLE, NULL,
                 "the runs differ in %s%s; ?force compares them all the same",
                 names[0] ? names : "their protocol",
                 c->same_dataset ? "" : ", and are on different datasets");
    else if (!c->same_dataset)
        api_fail(&call->err, PROBLEM_INCOMPARABLE, NULL,
                 "the runs are on different datasets, %.40s (sha256 %.8s) and "
                 "%.40s (%.8s); ?force compares them all the same",
                 c->run[0].row.dataset, c->run[0].row.sha256,
                 c->run[1].row.dataset, c->run[1].row.sha256);
    return call->err.n ? -1 : 0;
}

static int score(struct api_call *call, struct comparison *c, size_t i)
{
    c->rep[i] = arena_alloc(call->mem, 1, sizeof(*c->rep[i]));
    if (!c->rep[i])
        return no_memory(call);
    c->run[i].req.outputs =
        OUTPUT_SUMMARY | OUTPUT_PER_CLASS | OUTPUT_PER_IMAGE;
    return run_score(call, &c->run[i], c->rep[i]);
}

static bool same_ids(const int64_t *a, size_t n_a, const int64_t *b, size_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

/*
 * Ids that rise in two lists become rows in one: those of both, and others
 * too where `all`.
 */
static size_t merge(const int64_t *const id[2], const size_t n[2], bool all,
                    struct compared_row *out)
{
    size_t i = 0, j = 0, k = 0;
    while (i < n[0] || j < n[1]) {
        bool both = i < n[0] && j < n[1];
        bool first = both ? id[0][i] <= id[1][j] : i < n[0];
        bool second = both ? id[1][j] <= id[0][i] : j < n[1];
        if (all || (first && second))
            out[k++] = (struct compared_row){
                {first ? i : SIZE_MAX, second ? j : SIZE_MAX}};
        i += first;
        j += second;
    }
    return k;
}

/* Without categories there is one class, which is like no category. */
static int merge_classes(struct comparison *c, struct arena *mem)
{
    const struct coco_index *const ix[2] = {&c->rep[0]->result.index,
                                            &c->rep[1]->result.index};
    const int64_t *const id[2] = {ix[0]->category, ix[1]->category};
    const size_t n[2] = {ix[0]->n_classes, ix[1]->n_classes};
    bool named[2];
    for (size_t i = 0; i < 2; i++)
        named[i] = c->run[i].req.protocol.use_categories;
    c->class = arena_alloc(mem, n[0] + n[1], sizeof(*c->class));
    if (!c->class)
        return -1;
    if (named[0] && named[1]) {
        c->n_classes = merge(id, n, true, c->class);
    } else if (!named[0] && !named[1]) {
        c->class[c->n_classes++] = (struct compared_row){{0, 0}};
    } else {
        for (size_t k = 0; k < n[0]; k++)
            c->class[c->n_classes++] = (struct compared_row){{k, SIZE_MAX}};
        for (size_t k = 0; k < n[1]; k++)
            c->class[c->n_classes++] = (struct compared_row){{SIZE_MAX, k}};
    }
    return 0;
}

static int merge_images(struct comparison *c, struct arena *mem)
{
    const struct coco_index *a = &c->rep[0]->result.index;
    const struct coco_index *b = &c->rep[1]->result.index;
    const int64_t *const id[2] = {a->image, b->image};
    const size_t n[2] = {a->n_images, b->n_images};
    c->image = arena_alloc(mem, n[0] + n[1], sizeof(*c->image));
    if (!c->image)
        return -1;
    c->n_images = merge(id, n, false, c->image);
    c->same_images = same_ids(id[0], n[0], id[1], n[1]);
    return 0;
}

double compared_delta(const struct compared *c)
{
    return c->b - c->a;
}

/* Rows with the largest change first; those without one last. */
static uint64_t change_key(struct compared c)
{
    double delta = compared_delta(&c);
    return isnan(delta) ? UINT64_MAX : score_key(fabs(delta));
}

/* By f1, then AP, then id: sorts are stable, so the last comes first. */
static int sort_images(struct comparison *c, struct arena *mem)
{
    static struct compared (*const by[])(const struct comparison *c,
                                         size_t i) = {compared_ap, compared_f1};
    size_t n = c->n_images;
    struct key_order order = key_order_alloc(n, mem);
    struct compared_row *sorted = arena_alloc(mem, n, sizeof(*sorted));
    if (mem->failed)
        return -1;
    for (uint32_t i = 0; i < n; i++)
        order.row[i] = i;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < n && !is_stopped(mem->stop); i++)
            order.key[i] = change_key(by[k](c, order.row[i]));
        if (key_sort(&order, n, mem->stop))
            return -1;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = c->image[order.row[i]];
    c->image = sorted;
    return 0;
}

/* The same images resampled for both. */
static int resample(struct comparison *c, struct arena *mem,
                    const struct parallel *par)
{
    const struct coco_result *r[2] = {&c->rep[0]->result, &c->rep[1]->result};
    const struct coco_index *a = &r[0]->index, *b = &r[1]->index;
    const struct coco_replay *replay[2];
    if (!c->resampled || !c->same_images || !c->same_protocol ||
        !same_ids(a->category, a->n_categories, b->category, b->n_categories))
        return 0;
    size_t rows = coco_number_count(r[0]->protocol) + a->n_classes;
    c->interval = arena_alloc(mem, rows, sizeof(*c->interval));
    for (size_t i = 0; i < 2; i++) {
        replay[i] = coco_replay_new(r[i], true, mem, par);
        if (!replay[i])
            return -1;
    }
    return c->interval ? coco_paired_intervals(r, replay, &c->how, c->interval,
                                               mem, par)
                       : -1;
}

static double defined(double x)
{
    return x > -1 ? x : (double)NAN;
}

/* The number of that name that run i has. */
static double number_of(const struct comparison *c, size_t i, const char *name)
{
    const struct coco_protocol *p = &c->run[i].req.protocol;
    for (size_t k = 0; k < coco_number_count(p); k++)
        if (strcmp(coco_number(p, k).name, name) == 0)
            return defined(c->rep[i]->value[k]);
    return NAN;
}

struct compared compared_number(const struct comparison *c, size_t i)
{
    struct coco_number number = coco_number(&c->run[0].req.protocol, i);
    return (struct compared){
        defined(c->rep[0]->value[i]),
        number_of(c, 1, number.name),
        c->interval ? &c->interval[i] : NULL,
    };
}

static double class_ap(const struct comparison *c, size_t i, size_t k)
{
    const struct coco_protocol *p = &c->run[i].req.protocol;
    struct coco_number ap = coco_number(p, 0);
    return k == SIZE_MAX ? (double)NAN
                         : defined(coco_value(&c->rep[i]->result, &ap, k));
}

struct compared compared_class(const struct comparison *c, size_t i)
{
    const struct compared_row *row = &c->class[i];
    size_t numbers = coco_number_count(&c->run[0].req.protocol);
    return (struct compared){
        class_ap(c, 0, row->row[0]),
        class_ap(c, 1, row->row[1]),
        c->interval ? &c->interval[numbers + row->row[0]] : NULL,
    };
}

static const struct coco_image *image_of(const struct comparison *c, size_t i,
                                         size_t run)
{
    return &c->rep[run]->image[c->image[i].row[run]];
}

struct compared compared_f1(const struct comparison *c, size_t i)
{
    return (struct compared){image_f1(image_of(c, i, 0)),
                             image_f1(image_of(c, i, 1)), NULL};
}

struct compared compared_ap(const struct comparison *c, size_t i)
{
    return (struct compared){defined(image_of(c, i, 0)->ap),
                             defined(image_of(c, i, 1)->ap), NULL};
}

size_t compared_owner(const struct compared_row *row)
{
    return row->row[0] == SIZE_MAX;
}

/* The runs are open; they are looked at before anything is computed. */
static int compare(struct api_call *call, const struct asked *asked,
                   struct comparison *c)
{
    struct arena *mem = call->mem;
    double start = clock_ms();
    const struct store_run *a = &c->run[0].row, *b = &c->run[1].row;
    c->same_protocol = strcmp(a->protocol, b->protocol) == 0;
    c->same_dataset = strcmp(a->sha256, b->sha256) == 0;
    if (!asked->force && refuse_others(call, c))
        return -1;
    if (score(call, c, 0) || score(call, c, 1))
        return -1;
    if (merge_classes(c, mem) || merge_images(c, mem) || sort_images(c, mem) ||
        resample(c, mem, call->env->par))
        return no_memory(call);
    double computed = clock_ms();
    call->res->compute_ms = computed - start;
    if (call_wants_text(call))
        run_compare_text(&call->out, c, asked->images_max);
    else
        run_compare_write(&call->out, c, asked->images_max);
    call->res->encode_ms = clock_ms() - computed;
    return 0;
}

int run_compare(struct api_call *call)
{
    struct comparison *c = arena_zero(call->mem, 1, sizeof(*c));
    struct asked asked = {.force = false};
    int rc;
    if (!c)
        return no_memory(call);
    if (read_query(call, &asked, c))
        return -1;
    rc = open_run(call, asked.query.value[KEY_A], &c->run[0]);
    rc = rc || open_run(call, asked.query.value[KEY_B], &c->run[1]) ||
                 compare(call, &asked, c)
             ? -1
             : 0;
    for (size_t i = 0; i < 2; i++)
        run_close(call, &c->run[i]);
    return rc;
}
