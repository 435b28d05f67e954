/*
 * Packed content, little endian: a head, then columns, those of eight bytes
 * first, so that a copy of the bytes is the columns:
 *   head      magic, 16 bytes of the SHA-256 of what follows them, counts
 *   columns   image and category ids; of the annotations id, image, category,
 *             box, area, whether it is a crowd, what is odd about it
 *   names     of each category 1, the name and a NUL, or 0 for none
 */
#include "api/dataset.h"

#include "api/run.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns are copied as they are"
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MAGIC_BYTES = 8, DIGEST_BYTES = 16 };
static const char magic[MAGIC_BYTES + 1] = "evaldgt1";

struct head {
    char magic[MAGIC_BYTES];
    uint8_t digest[DIGEST_BYTES];
    uint64_t n_images, n_categories, n; /* as struct coco_ground_truth */
    uint64_t name_bytes;
    uint64_t missing_area, ignore_overwritten, negative_size;
    uint64_t duplicate_categories;
};
_Static_assert(sizeof(struct head) % sizeof(uint64_t) == 0,
               "columns behind it are aligned");

/* The columns in their order. */
struct columns {
    const void *image, *category, *id, *image_id, *category_id, *box, *area;
    const void *crowd, *odd;
    const void *names;
};

/* Where in struct columns, bytes of one row, where in the head its rows are. */
static const struct {
    size_t place, width, rows;
} table[] = {
#define COLUMN(name, width, rows)                                          \
    {                                                                      \
        offsetof(struct columns, name), width, offsetof(struct head, rows) \
    }
    COLUMN(image, sizeof(int64_t), n_images),
    COLUMN(category, sizeof(int64_t), n_categories),
    COLUMN(id, sizeof(int64_t), n),
    COLUMN(image_id, sizeof(int64_t), n),
    COLUMN(category_id, sizeof(int64_t), n),
    COLUMN(box, 4 * sizeof(double), n),
    COLUMN(area, sizeof(double), n),
    COLUMN(crowd, sizeof(uint8_t), n),
    COLUMN(odd, sizeof(uint8_t), n),
    COLUMN(names, sizeof(char), name_bytes),
#undef COLUMN
};

/* The bytes of a column: counts are at most COCO_ROWS_MAX, so they fit. */
static size_t column_bytes(const struct head *head, size_t column)
{
    uint64_t rows;
    memcpy(&rows, (const char *)head + table[column].rows, sizeof(rows));
    return rows * table[column].width;
}

static size_t packed_bytes(const struct head *head)
{
    size_t n = sizeof(*head);
    for (size_t i = 0; i < COUNT(table); i++)
        n += column_bytes(head, i);
    return n;
}

/* Of what stands behind the digest itself. */
static void digest_of(const char *packed, size_t n,
                      uint8_t digest[DIGEST_BYTES])
{
    size_t from = offsetof(struct head, n_images);
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, n - from, (const uint8_t *)packed + from);
    sha256_digest(&sha, DIGEST_BYTES, digest);
}

/* Writes the names, or with out NULL says how many bytes they take. */
static size_t pack_names(const struct detection_request *req, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < req->gt.n_categories; i++) {
        const char *name = req->category_name[i];
        size_t len = name ? strlen(name) + 1 : 0;
        if (out)
            out[n] = name ? 1 : 0;
        if (out && name)
            memcpy(out + n + 1, name, len);
        n += 1 + len;
    }
    return n;
}

static struct head head_of(const struct detection_request *req)
{
    struct head head = {.n_images = req->gt.n_images,
                        .n_categories = req->gt.n_categories,
                        .n = req->gt.n,
                        .name_bytes = pack_names(req, NULL),
                        .missing_area = req->odd.missing_area,
                        .ignore_overwritten = req->odd.ignore_overwritten,
                        .negative_size = req->odd.negative_size,
                        .duplicate_categories = req->odd.duplicate_categories};
    memcpy(head.magic, magic, MAGIC_BYTES);
    return head;
}

char *dataset_pack(const struct detection_request *req, size_t *n,
                   struct arena *mem)
{
    struct head head = head_of(req);
    struct columns columns = {.image = req->gt.image,
                              .category = req->gt.category,
                              .id = req->gt.id,
                              .image_id = req->gt.image_id,
                              .category_id = req->gt.category_id,
                              .box = req->gt.box,
                              .area = req->gt.area,
                              .crowd = req->gt.crowd,
                              .odd = req->annotation_odd};
    char *names = arena_alloc(mem, head.name_bytes, 1);
    char *packed = arena_alloc(mem, packed_bytes(&head), 1);
    char *at = packed + sizeof(head);
    if (!names || !packed)
        return NULL;
    pack_names(req, names);
    columns.names = names;
    for (size_t i = 0; i < COUNT(table); i++) {
        const void *column;
        memcpy(&column, (char *)&columns + table[i].place, sizeof(column));
        size_t bytes = column_bytes(&head, i);
        if (bytes)
            stop_copy(mem->stop, at, column, bytes);
        at += bytes;
    }
    *n = (size_t)(at - packed);
    memcpy(packed, &head, sizeof(head));
    digest_of(packed, *n, head.digest);
    memcpy(packed, &head, sizeof(head));
    return is_stopped(mem->stop) ? NULL : packed;
}

/* Whether these are bytes that dataset_pack made. */
static bool is_whole(struct span packed, struct head *head)
{
    uint8_t digest[DIGEST_BYTES];
    if (packed.len < sizeof(*head))
        return false;
    memcpy(head, packed.text, sizeof(*head));
    if (memcmp(head->magic, magic, MAGIC_BYTES) != 0 ||
        head->n_images > COCO_ROWS_MAX || head->n_categories > COCO_ROWS_MAX ||
        head->n > COCO_ROWS_MAX || head->name_bytes > packed.len ||
        packed_bytes(head) != packed.len)
        return false;
    digest_of(packed.text, packed.len, digest);
    return memcmp(digest, head->digest, DIGEST_BYTES) == 0;
}

/* Finds the names again; false if they are not as many as categories. */
static bool open_names(struct dataset *d, const char *names, size_t n)
{
    const char *end = names + n;
    for (size_t i = 0; i < d->gt.n_categories; i++) {
        if (names == end)
            return false;
        bool named = *names++;
        const char *nul =
            named ? memchr(names, 0, (size_t)(end - names)) : NULL;
        if (named && !nul)
            return false;
        d->category_name[i] = named ? names : NULL;
        names = named ? nul + 1 : names;
    }
    return names == end;
}

size_t dataset_image(const struct dataset *d, int64_t id)
{
    uint32_t row = coco_truths_image(&d->truths, id);
    return row == COCO_UNKNOWN ? SIZE_MAX : row;
}

int dataset_open(struct dataset *d, struct span packed, bool use_categories,
                 struct arena *mem, const struct parallel *par)
{
    static atomic_uint_fast64_t opened;
    struct head head;
    *d = (struct dataset){.serial = atomic_fetch_add(&opened, 1) + 1};
    if (!is_whole(packed, &head))
        return -2;
    char *copy = arena_alloc(mem, packed.len, 1), *at = copy + sizeof(head);
    d->category_name =
        arena_alloc(mem, head.n_categories, sizeof(*d->category_name));
    if (mem->failed)
        return -1;
    stop_copy(mem->stop, copy, packed.text, packed.len);
    if (is_stopped(mem->stop))
        return -1;
    struct columns c;
    for (size_t i = 0; i < COUNT(table); i++) {
        const void *column = at;
        memcpy((char *)&c + table[i].place, &column, sizeof(column));
        at += column_bytes(&head, i);
    }
    d->gt = (struct coco_ground_truth){.n_images = head.n_images,
                                       .n_categories = head.n_categories,
                                       .n = head.n,
                                       .image = c.image,
                                       .category = c.category,
                                       .id = c.id,
                                       .image_id = c.image_id,
                                       .category_id = c.category_id,
                                       .box = c.box,
                                       .area = c.area,
                                       .crowd = c.crowd};
    d->annotation_odd = c.odd;
    d->odd = (struct detection_oddities){
        .missing_area = head.missing_area,
        .ignore_overwritten = head.ignore_overwritten,
        .negative_size = head.negative_size,
        .duplicate_categories = head.duplicate_categories};
    d->n_classes_by_category = head.n_categories - head.duplicate_categories;
    if (!open_names(d, c.names, head.name_bytes))
        return -2;
    if (coco_truths_init(&d->truths, &d->gt, use_categories, mem, par))
        return -1;
    d->n_images = d->truths.index.n_images;
    d->image = d->truths.index.image;
    if (d->n_images != d->gt.n_images)
        return -2; /* two have the same id */
    return dataset_sort_annotations(d, mem);
}

/* Has it from the store, into an entry that is alone with it. */
static int fill(struct api_call *call, const char *sha256, bool use_categories,
                struct cache_entry *entry)
{
    const struct api_store *store = call->env->store;
    struct arena_mark mark = arena_mark(call->mem);
    struct span packed;
    enum store_status status =
        store->get_content(store->self, sha256, &packed, call->mem);
    if (status)
        return run_store_fault(call, status, "the content of this dataset");
    struct dataset *d = arena_alloc(&entry->mem, 1, sizeof(*d));
    int rc =
        d ? dataset_open(d, packed, use_categories, &entry->mem, call->env->par)
          : -1;
    arena_release(call->mem, mark);
    if (rc == -1)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the dataset");
    if (rc)
        return api_fail(&call->err, PROBLEM_INTERNAL, NULL,
                        "the content of the dataset is damaged");
    entry->value = d;
    return 0;
}

/* Holds the entry and sees to it that it is filled; *was: it was already. */
static int hold(struct api_call *call, const char *sha256, bool use_categories,
                struct cache_entry **entry, bool *was)
{
    const struct api_cache *cache = call->env->cache;
    char key[sizeof("dataset:") + SHA256_HEX_BYTES + sizeof(":whole")];
    snprintf(key, sizeof(key), "dataset:%.*s%s", SHA256_HEX_BYTES - 1, sha256,
             use_categories ? "" : ":whole");
    *entry = cache->hold(cache->self, key, false, call->mem->stop);
    if (!*entry) {
        api_fail(&call->err, PROBLEM_MEMORY, NULL, "no memory for the dataset");
        return -1;
    }
    *was = (*entry)->value;
    if (*was || fill(call, sha256, use_categories, *entry) == 0)
        return 0;
    cache->release(cache->self, *entry, true);
    *entry = NULL;
    return -1;
}

/* Who fills an entry is alone with it: others need not wait for the rest. */
const struct dataset *dataset_hold(struct api_call *call, const char *sha256,
                                   bool use_categories,
                                   struct cache_entry **entry)
{
    bool was = false;
    if (hold(call, sha256, use_categories, entry, &was))
        return NULL;
    if (!was) {
        dataset_release(call, *entry);
        if (hold(call, sha256, use_categories, entry, &was))
            return NULL;
    }
    return (*entry)->value;
}

void dataset_release(struct api_call *call, struct cache_entry *entry)
{
    if (entry)
        call->env->cache->release(call->env->cache->self, entry, false);
}
