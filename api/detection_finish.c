/* Tables that have been read become a request; what only shows now is told. */
#include "api/detection_levels.h"
#include "api/detection_settings.h"
#include "core/key_sort.h"

/* Two places with the same id. */
struct id_pair {
    size_t first, again;
};

/*
 * How many of n ids are there already; the first pairs_max of them, in the
 * order of the ids, go to pair.  0 with mem->failed when there is no memory.
 */
static size_t repeated_ids(const int64_t *id, size_t n, struct id_pair *pair,
                           size_t pairs_max, struct arena *mem)
{
    struct key_order by;
    size_t count = 0;
    if (key_sort_ids(&by, id, n, mem, mem->stop))
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (by.key[i] != by.key[i - 1])
            continue;
        if (count < pairs_max)
            pair[count] = (struct id_pair){by.row[i - 1], by.row[i]};
        count++;
    }
    return count;
}

static int no_memory(struct api_error *err)
{
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "the columns do not fit in the memory of one request");
}

static void check_ids(struct detection_request *req, const struct at *images,
                      struct arena *mem, struct api_error *err)
{
    struct id_pair pair[FAULTS_MAX];
    struct arena_mark mark = arena_mark(mem);
    const int64_t *id = req->gt.image;
    size_t n = repeated_ids(id, req->gt.n_images, pair, FAULTS_MAX, mem);
    for (size_t i = 0; i < n && i < FAULTS_MAX; i++) {
        struct at item = {images, NULL, pair[i].again};
        at_fail(err, PROBLEM_DUPLICATE_IMAGE, &(struct at){&item, "id", 0},
                "is %lld, the id of image %zu already",
                (long long)id[pair[i].again], pair[i].first);
    }
    req->odd.duplicate_categories =
        repeated_ids(req->gt.category, req->gt.n_categories, NULL, 0, mem);
    if (mem->failed)
        no_memory(err);
    arena_release(mem, mark);
}

/* Every table has columns, be they empty. */
static void make_columns(struct levels *l)
{
    struct table *tables[] = {&l->images, &l->categories, &l->annotations,
                              l->columnar ? NULL : &l->detections};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (tables[i] && tables[i]->kind && table_grow(tables[i], 1, 0, l->mem))
            no_memory(&l->err);
    for (size_t i = 0; i < DETECTION_FIELDS && l->columnar; i++)
        if (l->column[i].kind && table_grow(&l->column[i], 1, 0, l->mem))
            no_memory(&l->err);
}

static void add_odd(struct detection_oddities *sum, const struct table *t)
{
    sum->missing_area += t->odd.missing_area;
    sum->ignore_overwritten += t->odd.ignore_overwritten;
    sum->negative_size += t->odd.negative_size;
}

/* A list that is not there. */
static void check_there(struct levels *l, const struct table *t,
                        const struct at *in, const char *key)
{
    if (!t->kind)
        read_array(NULL, &(struct at){in, key, 0}, &l->err);
}

static void end_ground_truth(struct levels *l, const struct at *at)
{
    struct detection_request *req = l->req;
    check_there(l, &l->images, at, "images");
    check_there(l, &l->annotations, at, "annotations");
    check_there(l, &l->categories, at, "categories");
    req->gt = (struct coco_ground_truth){
        .n_images = l->images.n,
        .n_categories = l->categories.n,
        .n = l->annotations.n,
        .image = l->images.column[IMAGE_ID],
        .category = l->categories.column[CATEGORY_ID],
        .id = l->annotations.column[ANNOTATION_ID],
        .image_id = l->annotations.column[ANNOTATION_IMAGE],
        .category_id = l->annotations.column[ANNOTATION_CATEGORY],
        .box = l->annotations.column[ANNOTATION_BOX],
        .area = l->annotations.column[ANNOTATION_AREA],
        .crowd = l->annotations.column[ANNOTATION_CROWD],
    };
    req->category_name = l->categories.column[CATEGORY_NAME];
    req->annotation_odd = l->annotations.column[ANNOTATION_IGNORE];
    add_odd(&req->odd, &l->annotations);
    if (l->err.n == 0)
        check_ids(req, &(struct at){at, "images", 0}, l->mem, &l->err);
}

/* One array per member, all of the same length. */
static void end_columns(struct levels *l, const struct at *at)
{
    struct table *c = l->column;
    for (size_t i = 0; i < DETECTION_FIELDS; i++)
        check_there(l, &c[i], at, detection_kind.field[i].key);
    for (size_t i = 1; i < DETECTION_FIELDS && l->err.n == 0; i++)
        if (c[i].n != c[0].n)
            at_fail(&l->err, PROBLEM_INVALID_VALUE,
                    &(struct at){at, detection_kind.field[i].key, 0},
                    "has %zu items, image_id has %zu", c[i].n, c[0].n);
    for (size_t i = 0; i < DETECTION_FIELDS; i++)
        l->detections.column[i] = c[i].column[0];
    l->detections.n = c[0].n;
    l->detections.odd = c[DETECTION_BOX].odd;
}

static void end_detections(struct levels *l, const struct at *at)
{
    struct detection_request *req = l->req;
    struct table *t = &l->detections;
    req->columnar = l->columnar;
    if (l->columnar)
        end_columns(l, at);
    req->dt =
        (struct coco_detections){.n = t->n,
                                 .image_id = t->column[DETECTION_IMAGE],
                                 .category_id = t->column[DETECTION_CATEGORY],
                                 .box = t->column[DETECTION_BOX],
                                 .score = t->column[DETECTION_SCORE]};
    add_odd(&req->odd, t);
}

/* A batch has no other members. */
static void read_no_settings(const json_t *v, struct detection_request *req,
                             struct api_error *err)
{
    static const char *const members[] = {"image_ids", "detections"};
    (void)req;
    read_known(v, NULL, members, 2, err);
}

/*
 * The other members of a body or batch: what is quickly told is told first.
 */
static void end_settings(struct levels *l, struct api_error *err,
                         void (*read)(const json_t *v,
                                      struct detection_request *req,
                                      struct api_error *err))
{
    out_bytes(&l->settings, "}", 1);
    arena_clear(&l->documents, 0);
    l->documents.stop = l->mem->stop;
    const json_t *v =
        l->settings.failed
            ? NULL
            : json_read(l->settings.text, l->settings.len, &l->documents, err);
    if (l->settings.failed)
        no_memory(err);
    if (v)
        read(v, l->req, err);
}

static void end_batch(struct levels *l)
{
    check_there(l, &l->images, NULL, "image_ids");
    l->req->gt.image = l->images.column[IMAGE_ID];
    l->req->gt.n_images = l->images.n;
}

void levels_finish(struct levels *l, struct api_error *err)
{
    bool body = l->opened[LEVEL_BODY], batch = l->opened[LEVEL_BATCH];
    struct at gt = {NULL, body ? "ground_truth" : l->name, 0};
    struct at dt = {NULL, body || batch ? "detections" : l->name, 0};
    if (body || batch)
        end_settings(l, err, body ? read_settings : read_no_settings);
    make_columns(l);
    if (batch)
        end_batch(l);
    if (l->opened[LEVEL_GROUND_TRUTH])
        end_ground_truth(l, gt.key ? &gt : NULL);
    else if (body && !l->met[LEVEL_GROUND_TRUTH])
        read_object(NULL, &gt, &l->err);
    if (l->opened[LEVEL_COLUMNS])
        end_detections(l, dt.key ? &dt : NULL);
    else if ((body || batch) && !l->met[LEVEL_COLUMNS])
        read_array(NULL, &dt, &l->err);
}
