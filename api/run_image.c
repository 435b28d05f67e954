/* GET /v1/runs/{id}/images/{image_id}: one image, box by box. */
#include "api/clock.h"
#include "api/run.h"
#include "api/run_query.h"

#include "core/coco_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One image as it is scored by itself. */
struct view {
    int64_t id;
    struct run *run;
    struct detection_report rep;
    /* Where a ground truth, or a detection as it came, is in the index. */
    uint32_t *gt_place, *dt_place; /* COCO_UNKNOWN = left out */
};

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                    "the image does not fit in the memory of one request");
}

/* The last part of the path. */
static int read_id(struct api_call *call, int64_t *id)
{
    const char *text = strrchr(call->rest, '/') + 1;
    size_t sign = *text == '-', digits = strspn(text + sign, "0123456789");
    errno = 0;
    *id = strtoll(text, NULL, 10);
    if (digits == 0 || text[sign + digits] || errno)
        return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                        "\"%.40s\" is not the id of an image, which is an "
                        "integer",
                        text);
    return 0;
}

/* What the store has of the image, which is one of the dataset. */
static int take_part(struct api_call *call, struct view *v,
                     struct coco_part *part)
{
    const struct api_store *store = call->env->store;
    const struct coco_protocol *p = &v->run->req.protocol;
    struct store_image image;
    enum store_status status =
        store->get_image(store->self, v->run->row.id, v->id, &image, call->mem);
    if (status == STORE_MISSING)
        return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                        "image %lld of the dataset has not come yet",
                        (long long)v->id);
    if (status)
        return run_store_fault(call, status, "the image");
    if (coco_part_open(part, (const uint8_t *)image.part.text, image.part.len,
                       p, run_classes(v->run)) ||
        part->image != v->id)
        return run_store_fault(call, STORE_BROKEN, "the image");
    return 0;
}

static uint32_t *no_places(size_t n, struct arena *mem)
{
    uint32_t *place = arena_alloc(mem, n, sizeof(*place));
    if (place)
        memset(place, 0xff, n * sizeof(*place)); /* COCO_UNKNOWN */
    return place;
}

/* By row what the index has by place. */
static int find_places(struct view *v, struct arena *mem)
{
    const struct coco_result *r = &v->rep.result;
    v->gt_place = no_places(r->gt->n, mem);
    v->dt_place = no_places(r->dt->n, mem);
    if (mem->failed)
        return -1;
    for (uint32_t i = 0; i < r->index.n_gt; i++)
        v->gt_place[r->index.gt[i]] = i;
    for (uint32_t i = 0; i < r->index.n_dt; i++)
        v->dt_place[r->index.dt[i]] = i;
    return 0;
}

/* Scores it as it would be among others. */
static int judge(struct api_call *call, struct view *v,
                 const struct coco_part *part)
{
    const struct parallel *par = call->env->par;
    struct arena *mem = call->mem;
    struct detection_report *rep = &v->rep;
    struct coco_result *r = &rep->result;
    size_t odd = 1;
    *rep = (struct detection_report){.req = &v->run->req, .par = par};
    r->protocol = &v->run->req.protocol;
    r->stop = par->stop;
    if (coco_join(r, &v->run->dataset->truths, part, 1, &odd, mem, par))
        return odd == 0 ? run_store_fault(call, STORE_BROKEN, "the image")
                        : no_memory(call);
    rep->image = arena_alloc(mem, 1, sizeof(*rep->image));
    if (!rep->image || detection_names(rep, mem) || find_places(v, mem) ||
        coco_by_image(&rep->by_image, &r->index, mem, par) ||
        coco_verdicts(&rep->verdicts, r, &rep->by_image, mem, par) ||
        coco_images(r, &rep->verdicts, &rep->by_image, true, rep->image, mem,
                    par))
        return no_memory(call);
    return 0;
}

/* The members category_id and name; a category may be of no dataset. */
static void write_named(struct json_out *out, const struct view *v, int64_t id)
{
    const struct coco_index *ix = &v->rep.result.index;
    size_t k = row_of_id(ix->category, ix->n_categories, id);
    out_member_integer(out, "category_id", id);
    out_key(out, "name");
    if (k < ix->n_categories && v->rep.name[k])
        out_string(out, v->rep.name[k]);
    else
        out_null(out);
}

static void write_optional(struct json_out *out, const char *key, bool there,
                           int64_t i)
{
    out_key(out, key);
    if (there)
        out_integer(out, i);
    else
        out_null(out);
}

static void write_truth(struct json_out *out, const struct view *v, size_t row)
{
    const struct coco_result *r = &v->rep.result;
    const struct coco_verdicts *verdicts = &v->rep.verdicts;
    uint32_t place = v->gt_place[row];
    bool counts = verdicts->counts[place];
    bool found = counts && !coco_is_missed(r, verdicts, place);
    out_open(out, '{');
    out_member_integer(out, "annotation_id", r->gt->id[row]);
    write_named(out, v, r->gt->category_id[row]);
    write_numbers(out, "bbox", r->gt->box + 4 * row, 4);
    out_member_number(out, "area", r->gt->area[row]);
    out_member_integer(out, "iscrowd", r->gt->crowd[row]);
    out_member_string(out, "status",
                      !counts ? "ignored"
                      : found ? "found"
                              : "missed");
    write_optional(out, "detection", found,
                   found ? r->index.dt[verdicts->found[place]] : 0);
    out_close(out, '}');
}

static const char *status_of(const struct view *v, uint32_t place)
{
    static const char *const others[] = {
        [COCO_TRUE_POSITIVE] = "true_positive",
        [COCO_IGNORED] = "ignored",
        [COCO_CUT] = "cut",
    };
    if (place == COCO_UNKNOWN)
        return "unknown_category";
    uint8_t kind = v->rep.verdicts.kind[place];
    return kind < COCO_FALSE_KINDS ? coco_fix_name[kind] : others[kind];
}

static void write_found(struct json_out *out, const struct view *v, size_t row)
{
    const struct coco_result *r = &v->rep.result;
    const struct coco_verdicts *verdicts = &v->rep.verdicts;
    uint32_t place = v->dt_place[row];
    uint32_t truth =
        place == COCO_UNKNOWN ? COCO_UNKNOWN : verdicts->truth[place];
    bool met = truth != COCO_UNKNOWN;
    out_open(out, '{');
    out_member_integer(out, "detection", (int64_t)row);
    write_named(out, v, r->dt->category_id[row]);
    write_numbers(out, "bbox", r->dt->box + 4 * row, 4);
    out_member_number(out, "score", r->dt->score[row]);
    out_member_string(out, "status", status_of(v, place));
    out_key(out, "shown");
    out_boolean(out, r->dt->score[row] >= r->protocol->score_threshold);
    write_optional(out, "annotation_id", met,
                   met ? r->gt->id[r->index.gt[truth]] : 0);
    out_member_number(out, "iou",
                      met ? coco_match_iou(r, verdicts, place) : (double)NAN);
    out_close(out, '}');
}

/* The row of per_image, where lists stand for the two counts of their length.
 */
static void write_view(struct json_out *out, const struct view *v)
{
    const struct coco_result *r = &v->rep.result;
    out_open(out, '{');
    out_member_string(out, "run", v->run->row.id);
    out_member_integer(out, "image_id", v->id);
    write_image_scores(out, &v->rep, 0);
    out_key(out, "ground_truths");
    out_open(out, '[');
    for (size_t i = 0; i < r->gt->n && !out->failed; i++)
        if (v->gt_place[i] != COCO_UNKNOWN)
            write_truth(out, v, i);
    out_close(out, ']');
    out_key(out, "detections");
    out_open(out, '[');
    for (size_t i = 0; i < r->dt->n && !out->failed; i++)
        write_found(out, v, i);
    out_close(out, ']');
    out_close(out, '}');
}

static int answer(struct api_call *call, struct run *run,
                  const struct run_query *q, int64_t id)
{
    struct view *v = arena_alloc(call->mem, 1, sizeof(*v));
    struct coco_part part;
    double start = clock_ms();
    if (!v)
        return no_memory(call);
    v->id = id;
    v->run = run;
    if (dataset_image(run->dataset, id) == SIZE_MAX)
        return api_fail(&call->err, PROBLEM_NOT_FOUND, NULL,
                        "image %lld is not in the dataset of the run",
                        (long long)id);
    if (run_query_options(call, q, &run->req.options) ||
        take_part(call, v, &part) || judge(call, v, &part))
        return -1;
    call->res->compute_ms = clock_ms() - start;
    write_view(&call->out, v);
    return 0;
}

int run_image(struct api_call *call)
{
    struct run_query q;
    struct run run;
    int64_t id;
    if (read_id(call, &id) || run_query_read(call, KEY(KEY_SUSPECT_SCORE), &q))
        return -1;
    int rc = run_open(call, &run);
    rc = rc || answer(call, &run, &q, id) ? -1 : 0;
    run_close(call, &run);
    return rc;
}
