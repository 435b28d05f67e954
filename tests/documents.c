#include "tests/documents.h"

#include "api/detection_settings.h"
#include "api/json_read.h"

#include "api/detection_reader.h"
#include "core/random.h"
#include "tests/same_request.h"

#include <stdlib.h>
#include <string.h>

/* The columns of a list of objects, being filled. */
struct reader {
    struct detection_request *req;
    struct arena *mem;
    struct api_error *err;
};

static int no_memory(struct api_error *err)
{
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "the columns do not fit in the memory of one request");
}

/* The member key of the object v, or NULL; *at becomes its place. */
static const json_t *member(const json_t *v, const char *key,
                            const struct at *in, struct at *at)
{
    *at = (struct at){in, key, 0};
    return json_object_get(v, key);
}

static int member_integer(const json_t *v, const char *key, const struct at *in,
                          int64_t *out, struct api_error *err)
{
    struct at at;
    const json_t *m = member(v, key, in, &at);
    return read_integer(m, &at, out, err);
}

static int member_number(const json_t *v, const char *key, const struct at *in,
                         double *out, struct api_error *err)
{
    struct at at;
    const json_t *m = member(v, key, in, &at);
    return read_number(m, &at, out, err);
}

/* Four numbers x, y, width, height. */
static int read_box(const json_t *v, const struct at *at, double *out,
                    struct reader *r)
{
    if (read_array(v, at, r->err))
        return -1;
    if (json_array_size(v) != 4)
        return at_fail(r->err, PROBLEM_INVALID_VALUE, at,
                       "has %zu numbers, must have 4: x, y, width, height",
                       json_array_size(v));
    int rc = 0;
    for (size_t i = 0; i < 4; i++)
        rc |= read_number(json_array_get(v, i), &(struct at){at, NULL, i},
                          &out[i], r->err);
    if (rc == 0)
        r->req->odd.negative_size += out[2] < 0 || out[3] < 0;
    return rc;
}

static int member_box(const json_t *v, const struct at *in, double *out,
                      struct reader *r)
{
    struct at at;
    const json_t *m = member(v, "bbox", in, &at);
    return read_box(m, &at, out, r);
}

/* true, false, or a whole number that is 0 or not; a missing member is 0. */
static int read_flag(const json_t *v, const struct at *at, uint8_t *out,
                     struct api_error *err)
{
    int64_t n = 0;
    if (v && !json_is_boolean(v) && !json_is_number(v))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be 0, 1 or a boolean", json_kind(v));
    if (json_is_number(v) && read_integer(v, at, &n, err))
        return -1;
    *out = json_is_true(v) || n != 0;
    return 0;
}

/* Reads item i of a list, in *v, which is known to be an object. */
typedef void read_item(struct reader *r, const json_t *v, const struct at *at,
                       size_t i);

static int read_list(const json_t *list, const struct at *at, read_item *item,
                     struct reader *r)
{
    size_t n = json_array_size(list), before = r->err->n;
    for (size_t i = 0; i < n && !api_full(r->err); i++) {
        const json_t *v = json_array_get(list, i);
        struct at here = {at, NULL, i};
        if (read_object(v, &here, r->err) == 0)
            item(r, v, &here, i);
    }
    return r->err->n > before ? -1 : 0;
}

/* The columns are const for all but their reader. */
#define COLUMN(column) ((void *)(uintptr_t)(column))

static void read_image(struct reader *r, const json_t *v, const struct at *at,
                       size_t i)
{
    int64_t *id = COLUMN(r->req->gt.image);
    member_integer(v, "id", at, &id[i], r->err);
}

static void read_category(struct reader *r, const json_t *v,
                          const struct at *at, size_t i)
{
    int64_t *id = COLUMN(r->req->gt.category);
    member_integer(v, "id", at, &id[i], r->err);
    struct at here;
    const json_t *name = member(v, "name", at, &here);
    r->req->category_name[i] = NULL;
    if (!name || json_is_null(name))
        return;
    if (!json_is_string(name)) {
        at_fail(r->err, PROBLEM_INVALID_VALUE, &here, "is %s, must be a string",
                json_kind(name));
        return;
    }
    size_t bytes = json_string_length(name) + 1;
    char *copy = arena_alloc(r->mem, bytes, 1);
    if (copy)
        memcpy(copy, json_string_value(name), bytes);
    else
        no_memory(r->err);
    r->req->category_name[i] = copy;
}

static void read_annotation(struct reader *r, const json_t *v,
                            const struct at *at, size_t i)
{
    struct coco_ground_truth *gt = &r->req->gt;
    int64_t *id = COLUMN(gt->id), *image = COLUMN(gt->image_id);
    int64_t *category = COLUMN(gt->category_id);
    double *box = (double *)COLUMN(gt->box) + 4 * i;
    double *area = (double *)COLUMN(gt->area) + i;
    uint8_t *crowd = (uint8_t *)COLUMN(gt->crowd) + i, ignore = 0;
    struct at here;
    member_integer(v, "id", at, &id[i], r->err);
    member_integer(v, "image_id", at, &image[i], r->err);
    member_integer(v, "category_id", at, &category[i], r->err);
    int no_box = member_box(v, at, box, r);
    const json_t *m = member(v, "area", at, &here);
    if (m) {
        read_number(m, &here, area, r->err);
    } else if (!no_box) {
        *area = box[2] * box[3];
        r->req->odd.missing_area++;
    }
    m = member(v, "iscrowd", at, &here);
    read_flag(m, &here, crowd, r->err);
    m = member(v, "ignore", at, &here);
    if (m && read_flag(m, &here, &ignore, r->err) == 0)
        r->req->odd.ignore_overwritten += ignore != *crowd;
}

static void read_detection(struct reader *r, const json_t *v,
                           const struct at *at, size_t i)
{
    struct coco_detections *dt = &r->req->dt;
    int64_t *image = COLUMN(dt->image_id), *category = COLUMN(dt->category_id);
    double *box = COLUMN(dt->box), *score = COLUMN(dt->score);
    member_integer(v, "image_id", at, &image[i], r->err);
    member_integer(v, "category_id", at, &category[i], r->err);
    member_box(v, at, box + 4 * i, r);
    member_number(v, "score", at, &score[i], r->err);
}

struct id_pair {
    size_t first, again;
};

/* Those of the first pairs_max go to pair; sorted by id, as they are told. */
static size_t repeated_ids(const int64_t *id, size_t n, struct id_pair *pair,
                           size_t pairs_max, struct arena *mem)
{
    size_t count = 0;
    (void)mem;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i; k-- > 0;)
            if (id[k] == id[i]) {
                if (count < pairs_max)
                    pair[count] = (struct id_pair){k, i};
                count++;
                break;
            }
    return count;
}

static void refuse_repeated_images(struct reader *r, const struct at *at)
{
    struct id_pair pair[FAULTS_MAX];
    const int64_t *id = r->req->gt.image;
    size_t n = repeated_ids(id, r->req->gt.n_images, pair, FAULTS_MAX, r->mem);
    for (size_t i = 0; i < n && i < FAULTS_MAX; i++) {
        struct at item = {at, NULL, pair[i].again};
        at_fail(r->err, PROBLEM_DUPLICATE_IMAGE, &(struct at){&item, "id", 0},
                "is %lld, the id of image %zu already",
                (long long)id[pair[i].again], pair[i].first);
    }
    if (r->mem->failed)
        no_memory(r->err);
}

/* The columns of gt for this many rows. */
static int alloc_ground_truth(struct detection_request *req, size_t images,
                              size_t annotations, size_t categories,
                              struct arena *mem)
{
    size_t n = annotations;
    if (n > COCO_ROWS_MAX || images > COCO_ROWS_MAX ||
        categories > COCO_ROWS_MAX)
        return -1;
    req->gt = (struct coco_ground_truth){
        .n_images = images,
        .n_categories = categories,
        .n = n,
        .image = arena_alloc(mem, images, sizeof(int64_t)),
        .category = arena_alloc(mem, categories, sizeof(int64_t)),
        .id = arena_alloc(mem, n, sizeof(int64_t)),
        .image_id = arena_alloc(mem, n, sizeof(int64_t)),
        .category_id = arena_alloc(mem, n, sizeof(int64_t)),
        .box = arena_alloc(mem, n, 4 * sizeof(double)),
        .area = arena_alloc(mem, n, sizeof(double)),
        .crowd = arena_alloc(mem, n, sizeof(uint8_t)),
    };
    req->category_name =
        arena_alloc(mem, categories, sizeof(*req->category_name));
    return mem->failed ? -1 : 0;
}

static int read_ground_truth(const json_t *v, const struct at *at,
                             struct detection_request *req, struct arena *mem,
                             struct api_error *err)
{
    struct reader r = {req, mem, err};
    struct at at_images, at_annotations, at_categories;
    if (read_object(v, at, err))
        return -1;
    const json_t *images = member(v, "images", at, &at_images);
    const json_t *annotations = member(v, "annotations", at, &at_annotations);
    const json_t *categories = member(v, "categories", at, &at_categories);
    int rc = read_array(images, &at_images, err);
    rc |= read_array(annotations, &at_annotations, err);
    rc |= read_array(categories, &at_categories, err);
    if (rc)
        return -1;
    if (alloc_ground_truth(req, json_array_size(images),
                           json_array_size(annotations),
                           json_array_size(categories), mem))
        return no_memory(err);
    if (read_list(images, &at_images, read_image, &r) == 0)
        refuse_repeated_images(&r, &at_images);
    if (read_list(categories, &at_categories, read_category, &r) == 0)
        req->odd.duplicate_categories =
            repeated_ids(req->gt.category, req->gt.n_categories, NULL, 0, mem);
    return read_list(annotations, &at_annotations, read_annotation, &r);
}

static int alloc_detections(struct coco_detections *dt, size_t n,
                            struct arena *mem)
{
    if (n > COCO_ROWS_MAX)
        return -1;
    *dt = (struct coco_detections){
        .n = n,
        .image_id = arena_alloc(mem, n, sizeof(int64_t)),
        .category_id = arena_alloc(mem, n, sizeof(int64_t)),
        .box = arena_alloc(mem, n, 4 * sizeof(double)),
        .score = arena_alloc(mem, n, sizeof(double)),
    };
    return mem->failed ? -1 : 0;
}

/* One array per member, all of the same length. */
static int read_columns(const json_t *v, const struct at *at, struct reader *r)
{
    static const char *const names[] = {"image_id", "category_id", "bbox",
                                        "score"};
    enum { COLUMNS = sizeof(names) / sizeof(names[0]) };
    const json_t *column[COLUMNS];
    struct at here[COLUMNS];
    int rc = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        column[c] = member(v, names[c], at, &here[c]);
        rc |= read_array(column[c], &here[c], r->err);
    }
    if (rc)
        return -1;
    size_t n = json_array_size(column[0]);
    for (size_t c = 1; c < COLUMNS; c++)
        if (json_array_size(column[c]) != n)
            return at_fail(r->err, PROBLEM_INVALID_VALUE, &here[c],
                           "has %zu items, image_id has %zu",
                           json_array_size(column[c]), n);
    struct coco_detections *dt = &r->req->dt;
    if (alloc_detections(dt, n, r->mem))
        return no_memory(r->err);
    r->req->columnar = true;
    int64_t *image = COLUMN(dt->image_id), *category = COLUMN(dt->category_id);
    double *box = COLUMN(dt->box), *score = COLUMN(dt->score);
    for (size_t i = 0; i < n && !api_full(r->err); i++) {
        struct at item[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++)
            item[c] = (struct at){&here[c], NULL, i};
        read_integer(json_array_get(column[0], i), &item[0], &image[i], r->err);
        read_integer(json_array_get(column[1], i), &item[1], &category[i],
                     r->err);
        read_box(json_array_get(column[2], i), &item[2], box + 4 * i, r);
        read_number(json_array_get(column[3], i), &item[3], &score[i], r->err);
    }
    return r->err->n ? -1 : 0;
}

static int read_detections(const json_t *v, const struct at *at,
                           struct detection_request *req, struct arena *mem,
                           struct api_error *err)
{
    struct reader r = {req, mem, err};
    if (json_is_object(v))
        return read_columns(v, at, &r);
    if (read_array(v, at, err))
        return -1;
    if (alloc_detections(&req->dt, json_array_size(v), mem))
        return no_memory(err);
    return read_list(v, at, read_detection, &r);
}

int read_document(const char *text, size_t len, struct detection_request *req,
                  struct arena *mem, struct api_error *err)
{
    struct at gt = {NULL, "ground_truth", 0}, dt = {NULL, "detections", 0};
    const json_t *v = json_read(text, len, mem, err);
    if (!v || read_object(v, NULL, err))
        return -1;
    read_settings(v, req, err);
    read_ground_truth(json_object_get(v, gt.key), &gt, req, mem, err);
    read_detections(json_object_get(v, dt.key), &dt, req, mem, err);
    return err->n ? -1 : 0;
}

/* Three workers at once, as far as results can tell: items in any order. */
static void run_scrambled(const struct parallel *self, size_t n,
                          parallel_task *task, void *context)
{
    for (size_t i = 0; i < n; i++)
        task(context, (n - 1 - i) ^ (n % 2 ? 0 : 1), i % self->width);
}
static const struct parallel scrambled = {.width = 3, .run = run_scrambled};

/* Each piece in memory of its own, so that a step beyond it is seen. */
static void take_pieces(struct detection_reader *r, const char *text,
                        size_t len, uint64_t seed)
{
    enum { TOGETHER = 5 };
    static const size_t longest[] = {1, 7, 60, 400, 3000, 100000};
    size_t max = longest[random_next(&seed) % 6];
    struct span piece[TOGETHER];
    while (len > 0) {
        size_t n = 0;
        for (; n < TOGETHER && len > 0; n++) {
            size_t some = 1 + random_next(&seed) % max;
            some = some < len ? some : len;
            char *copy = malloc(some);
            if (!copy)
                abort();
            memcpy(copy, text, some);
            piece[n] = (struct span){copy, some};
            text += some;
            len -= some;
        }
        detection_reader_take(r, piece, n);
        for (size_t i = 0; i < n; i++)
            free((void *)(uintptr_t)piece[i].text);
    }
}

static int read_pieces(const char *text, size_t len, uint64_t seed,
                       struct detection_request *req, struct arena *mem,
                       struct api_error *err)
{
    struct detection_reader *r = detection_reader_new(
        DETECTION_BODY, NULL, req, seed % 3 ? len : 0, &scrambled, mem);
    if (!r)
        abort();
    take_pieces(r, text, len, seed);
    return detection_reader_finish(r, err);
}

static bool same_fault(const struct api_fault *a, const struct api_fault *b)
{
    return a->kind == b->kind && strcmp(a->pointer, b->pointer) == 0 &&
           strcmp(a->detail, b->detail) == 0;
}

/* However a text is cut, its faults are the same, and in the same order. */
static bool equal_faults(const struct api_error *a, const struct api_error *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (!same_fault(&a->fault[i], &b->fault[i]))
            return false;
    return a->n == b->n;
}

static bool is_syntax(const struct api_error *err)
{
    return err->n && (err->fault[0].kind == PROBLEM_MALFORMED_JSON ||
                      err->fault[0].kind == PROBLEM_NUMBER_RANGE);
}

/*
 * Of a text that is no JSON only the first fault counts.  A document is first
 * searched for NUL bytes, and a number that is too large is told even where
 * no number may be.
 */
static bool same_faults(const struct api_error *a, const struct api_error *b,
                        bool has_nul)
{
    const struct api_fault *f = a->fault, *g = b->fault;
    if (!a->n != !b->n || is_syntax(a) != is_syntax(b))
        return false;
    if (a->n != 1 || b->n != 1)
        return true;
    if (is_syntax(b) && (has_nul || f->kind == PROBLEM_MALFORMED_JSON))
        return true;
    return same_fault(f, g);
}

bool reads_alike(const char *text, size_t len, uint64_t seed, bool *taken)
{
    static struct detection_request whole, pieces, document;
    struct api_error err[3] = {{.n = 0}};
    struct arena mem[3];
    for (size_t i = 0; i < 3; i++)
        arena_init(&mem[i], (size_t)64 << 20);
    detection_request_init(&whole);
    detection_request_init(&pieces);
    detection_request_init(&document);
    decode_detection(DETECTION_BODY, text, len, &whole, &parallel_serial,
                     &mem[0], &err[0]);
    read_pieces(text, len, seed, &pieces, &mem[1], &err[1]);
    read_document(text, len, &document, &mem[2], &err[2]);
    bool has_nul = len && memchr(text, '\0', len);
    bool alike = same_faults(&err[0], &err[2], has_nul) &&
                 equal_faults(&err[0], &err[1]);
    *taken = err[2].n == 0;
    if (*taken)
        alike = alike && same_request(&whole, &document) &&
                same_request(&pieces, &document);
    for (size_t i = 0; i < 3; i++)
        arena_free(&mem[i]);
    return alike;
}
