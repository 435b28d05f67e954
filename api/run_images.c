/* POST /v1/runs/{id}/images */
#include "api/clock.h"
#include "api/counts.h"
#include "api/json_read.h"
#include "api/query.h"
#include "api/run.h"
#include "core/key_sort.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SCRATCH_KEPT = 1 << 20 };

/* A batch on its way in: images as image_ids has them, and their detections. */
struct batch {
    struct api_call *call;
    const struct run *run;
    struct detection_request req; /* what was sent */
    size_t n;                     /* images */
    uint32_t *row;                /* of the dataset, per image */
    struct key_order by_id;       /* for detections to find theirs */
    /* the detections of image i are from[first[i]] to from[first[i + 1] - 1] */
    uint32_t *first, *from;
    struct store_image *image;
};

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                    "the batch does not fit in the memory of one request");
}

/* Every image must be one of the dataset's, and be there once. */
static void check_images(struct batch *b)
{
    const int64_t *id = b->req.gt.image;
    struct api_error *err = &b->call->err;
    struct at in = {NULL, "image_ids", 0};
    for (size_t i = 0; i < b->n && !api_full(err); i++) {
        size_t row = dataset_image(b->run->dataset, id[i]);
        b->row[i] = (uint32_t)row;
        if (row == SIZE_MAX)
            at_fail(err, PROBLEM_UNKNOWN_IMAGE, &(struct at){&in, NULL, i},
                    "is %lld, which dataset \"%s\" has not", (long long)id[i],
                    b->run->row.dataset);
    }
    for (size_t i = 1; i < b->n && !api_full(err); i++)
        if (b->by_id.key[i] == b->by_id.key[i - 1])
            at_fail(err, PROBLEM_DUPLICATE_IMAGE,
                    &(struct at){&in, NULL, b->by_id.row[i]},
                    "is %lld, as item %u already; send an image's detections "
                    "together",
                    (long long)id[b->by_id.row[i]], b->by_id.row[i - 1]);
}

static int sort_images(struct batch *b)
{
    struct arena *mem = b->call->mem;
    b->row = arena_alloc(mem, b->n, sizeof(*b->row));
    if (!b->row ||
        key_sort_ids(&b->by_id, b->req.gt.image, b->n, mem, mem->stop))
        return no_memory(b->call);
    return 0;
}

/* The place of an image in image_ids, or COCO_UNKNOWN. */
static uint32_t place_of(const struct batch *b, int64_t id)
{
    uint64_t key = id_key(id);
    size_t lo = 0, hi = b->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (b->by_id.key[mid] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < b->n && b->by_id.key[lo] == key ? b->by_id.row[lo]
                                                : COCO_UNKNOWN;
}

static void not_listed(const struct batch *b, size_t i)
{
    char pointer[POINTER_BYTES];
    snprintf(pointer, sizeof(pointer),
             b->req.columnar ? "/detections/image_id/%zu"
                             : "/detections/%zu/image_id",
             i);
    api_fail(&b->call->err, PROBLEM_UNKNOWN_IMAGE, pointer,
             "detection %zu is on image %lld, which image_ids does not list", i,
             (long long)b->req.dt.image_id[i]);
}

/* Sorts the detections by image, those of one as they came. */
static int sort_detections(struct batch *b)
{
    const struct coco_detections *dt = &b->req.dt;
    struct arena *mem = b->call->mem;
    uint32_t *place = arena_alloc(mem, dt->n, sizeof(*place));
    b->first = arena_zero(mem, b->n + 2, sizeof(*b->first));
    b->from = arena_alloc(mem, dt->n, sizeof(*b->from));
    if (mem->failed)
        return no_memory(b->call);
    for (size_t i = 0; i < dt->n; i++) {
        bool again = i > 0 && dt->image_id[i] == dt->image_id[i - 1];
        place[i] = again ? place[i - 1] : place_of(b, dt->image_id[i]);
        if (place[i] == COCO_UNKNOWN)
            not_listed(b, i);
        else
            b->first[place[i] + 2]++;
        if (api_full(&b->call->err))
            break;
    }
    if (b->call->err.n)
        return -1;
    for (size_t i = 0; i < b->n; i++)
        b->first[i + 2] += b->first[i + 1];
    for (size_t i = 0; i < dt->n; i++)
        b->from[b->first[place[i] + 1]++] = (uint32_t)i;
    return 0;
}

/* The detections of image i in columns of their own. */
static int gather(const struct batch *b, size_t i, struct coco_detections *out,
                  struct arena *mem)
{
    const struct coco_detections *dt = &b->req.dt;
    size_t n = b->first[i + 1] - b->first[i];
    int64_t *image = arena_alloc(mem, n, sizeof(*image));
    int64_t *category = arena_alloc(mem, n, sizeof(*category));
    double *box = arena_alloc(mem, n, 4 * sizeof(*box));
    double *score = arena_alloc(mem, n, sizeof(*score));
    if (mem->failed)
        return -1;
    for (size_t k = 0; k < n; k++) {
        size_t row = b->from[b->first[i] + k];
        image[k] = dt->image_id[row];
        category[k] = dt->category_id[row];
        memcpy(box + 4 * k, dt->box + 4 * row, 4 * sizeof(*box));
        score[k] = dt->score[row];
    }
    *out = (struct coco_detections){.n = n,
                                    .image_id = image,
                                    .category_id = category,
                                    .box = box,
                                    .score = score};
    return 0;
}

/* What was sent for an image, as it came. */
static void digest(const struct coco_detections *dt,
                   uint8_t out[IMAGE_DIGEST_BYTES])
{
    uint64_t n = dt->n;
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, sizeof(n), (const uint8_t *)&n);
    sha256_update(&sha, n * sizeof(int64_t), (const uint8_t *)dt->category_id);
    sha256_update(&sha, n * 4 * sizeof(double), (const uint8_t *)dt->box);
    sha256_update(&sha, n * sizeof(double), (const uint8_t *)dt->score);
    sha256_digest(&sha, IMAGE_DIGEST_BYTES, out);
}

/* Matches image i with its ground truth, and packs what comes of it. */
static int match(struct batch *b, size_t i, struct arena *scratch)
{
    const struct parallel *par = b->call->env->par;
    struct coco_detections dt;
    struct coco_ground_truth gt;
    struct coco_result r = {
        .protocol = &b->run->req.protocol, .gt = &gt, .dt = &dt};
    struct store_image *image = &b->image[i];
    if (gather(b, i, &dt, scratch) ||
        coco_ground_truth_of_images(&gt, &b->run->dataset->truths, &b->row[i],
                                    1, scratch) ||
        coco_index(&r.index, &gt, &dt, r.protocol->use_categories, scratch,
                   par) ||
        coco_match(&r, true, scratch, par))
        return -1;
    uint8_t *part = coco_part_pack(&r, &image->part.len, b->call->mem);
    image->part.text = (const char *)part;
    image->image = b->req.gt.image[i];
    image->detections = (uint32_t)dt.n;
    digest(&dt, image->digest);
    return part ? 0 : -1;
}

static int match_all(struct batch *b)
{
    struct arena scratch, *mem = b->call->mem;
    int rc = 0;
    b->image = arena_zero(mem, b->n, sizeof(*b->image));
    if (!b->image)
        return no_memory(b->call);
    arena_init(&scratch, mem->bytes_max);
    scratch.parent = mem;
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        scratch.stop = mem->stop;
        scratch.bytes_max = mem->bytes_max - mem->bytes_used;
        rc = match(b, i, &scratch);
        arena_clear(&scratch, SCRATCH_KEPT);
    }
    arena_free(&scratch);
    return rc ? no_memory(b->call) : 0;
}

static int read_batch(struct batch *b)
{
    struct api_call *call = b->call;
    double start = clock_ms();
    detection_request_init(&b->req);
    if (decode_detection(DETECTION_BATCH, call->body, call->body_len, &b->req,
                         call->env->par, call->mem, &call->err))
        return -1;
    call->res->parse_ms = clock_ms() - start;
    b->n = b->req.gt.n_images;
    if (sort_images(b))
        return -1;
    check_images(b);
    return sort_detections(b) || call->err.n ? -1 : 0;
}

static int tell_conflicts(const struct batch *b,
                          const enum store_image_fate *fate)
{
    struct at in = {NULL, "image_ids", 0};
    for (size_t i = 0; i < b->n && !api_full(&b->call->err); i++)
        if (fate[i] == IMAGE_CONFLICT)
            at_fail(&b->call->err, PROBLEM_IMAGE_CONFLICT,
                    &(struct at){&in, NULL, i},
                    "is %lld, which is in the run with other detections; "
                    "?on_conflict=replace takes these",
                    (long long)b->image[i].image);
    return b->call->err.n ? -1
                          : run_store_fault(b->call, STORE_CONFLICT, "the run");
}

static void write_answer(struct json_out *out, const struct store_run *row,
                         const struct batch *b,
                         const enum store_image_fate *fate)
{
    static const char *const names[] = {[IMAGE_ADDED] = "added",
                                        [IMAGE_REPEATED] = "repeated",
                                        [IMAGE_REPLACED] = "replaced"};
    int64_t count[IMAGE_CONFLICT + 1] = {0};
    for (size_t i = 0; i < b->n; i++)
        count[fate[i]]++;
    out_open(out, '{');
    out_member_string(out, "run", row->id);
    for (size_t i = 0; i < COUNT(names); i++)
        out_member_integer(out, names[i], count[i]);
    out_member_integer(out, "images", row->images);
    out_member_integer(out, "detections", row->detections);
    out_member_integer(out, "expected_images", row->expected_images);
    out_close(out, '}');
}

static int put(struct batch *b, bool replace)
{
    struct api_call *call = b->call;
    const struct api_store *store = call->env->store;
    enum store_image_fate *fate = arena_zero(call->mem, b->n, sizeof(*fate));
    struct store_run row;
    if (!fate)
        return no_memory(call);
    enum store_status status = store->put_images(
        store->self, b->run->row.id, b->image, b->n, replace, fate, call->mem);
    if (status == STORE_CONFLICT)
        return tell_conflicts(b, fate);
    if (status)
        return run_store_fault(call, status, "the run");
    if (run_row(call, &row))
        return -1;
    write_answer(&call->out, &row, b, fate);
    return 0;
}

static int read_query(struct api_call *call, bool *replace)
{
    static const char *const names[] = {"on_conflict"};
    const char *value[COUNT(names)];
    if (query_values(call->req->query, names, COUNT(names), value, call->mem,
                     &call->err))
        return -1;
    *replace = value[0] && strcmp(value[0], "replace") == 0;
    if (value[0] && !*replace && strcmp(value[0], "error") != 0)
        return api_fail(&call->err, PROBLEM_INVALID_VALUE, "/on_conflict",
                        "on_conflict is \"%.60s\", must be replace or error",
                        value[0]);
    return 0;
}

/* Parses, matches and packs: all that needs no store but the run's row. */
static int take(struct batch *b, bool replace)
{
    struct api_call *call = b->call;
    if (read_batch(b))
        return -1;
    double start = clock_ms();
    if (match_all(b))
        return -1;
    call->res->compute_ms = clock_ms() - start;
    counts_evaluation(call->env->counts, b->req.dt.n, b->n);
    return put(b, replace);
}

int run_images(struct api_call *call)
{
    struct run run;
    bool replace = false;
    int rc = run_open(call, &run) || read_query(call, &replace);
    struct batch b = {.call = call, .run = &run};
    rc = rc || take(&b, replace) ? -1 : 0;
    run_close(call, &run);
    return rc;
}
