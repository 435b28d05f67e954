#include "api/detection_reader.h"

#include "api/detection_levels.h"
#include "api/detection_read.h"
#include "core/key_sort.h"

#include <string.h>

enum {
    GUESSES_MAX = 16,
    PIECE_BYTES = 1 << 19, /* of a longer text, when it is cut up */
    CARRY_STEP = 1 << 12,
};

struct detection_reader {
    struct levels levels;
    const struct parallel *par;
    size_t expected;
    char *carry; /* text of earlier pieces that is not read yet */
    size_t carry_len, carry_capacity;
    size_t retry_at;         /* a longer carry may be complete */
    void *rows[GUESSES_MAX]; /* memory for what is read ahead */
    size_t row_bytes[GUESSES_MAX];
};

struct detection_reader *detection_reader_new(
    enum detection_part part, const char *name, struct detection_request *req,
    size_t expected, const struct parallel *par, struct arena *mem)
{
    struct detection_reader *r = arena_zero(mem, 1, sizeof(*r));
    if (!r)
        return NULL;
    r->par = par;
    r->expected = expected;
    r->levels.part = part;
    r->levels.name = name;
    r->levels.req = req;
    r->levels.mem = mem;
    r->levels.origin = (struct json_origin){NULL, 0, 1, 1};
    json_out_init(&r->levels.settings, mem, false);
    out_bytes(&r->levels.settings, "{", 1);
    arena_init(&r->levels.documents, mem->bytes_max);
    return r;
}

void detection_reader_expect(struct detection_reader *r, size_t expected)
{
    r->expected = expected;
}

/* Reads text that is at hand, and returns how much of it is done with. */
static size_t run(struct detection_reader *r, const char *text, size_t len,
                  const struct guess *guess, bool last)
{
    struct levels *l = &r->levels;
    struct scan s = {text, text + len};
    size_t left =
        r->expected > l->origin.byte ? r->expected - l->origin.byte : 0;
    l->text = text;
    l->rest = left > len ? left : len;
    l->guess = guess;
    l->last = last;
    levels_run(l, &s);
    size_t n = (size_t)(s.at - text);
    l->origin = json_advance(l->origin, text, n);
    return n;
}

static int keep(struct detection_reader *r, const char *text, size_t n)
{
    size_t need = r->carry_len + n;
    if (need > r->carry_capacity) {
        size_t capacity = need * 2;
        char *carry = arena_alloc(r->levels.mem, capacity, 1);
        if (!carry) {
            r->levels.failed = true;
            r->levels.err.n = 0;
            return api_fail(&r->levels.err, PROBLEM_MEMORY, NULL,
                            "one record does not fit in the memory of one "
                            "request");
        }
        if (r->carry_len)
            memcpy(carry, r->carry, r->carry_len);
        r->carry = carry;
        r->carry_capacity = capacity;
    }
    memcpy(r->carry + r->carry_len, text, n);
    r->carry_len = need;
    return 0;
}

/*
 * Completes what was carried over with a piece's beginning.  Returns how much
 * of the piece is done with.  What is carried on is looked at again when it
 * has doubled, so that a long record costs no more than twice its length.
 */
static size_t finish_carry(struct detection_reader *r, const char *text,
                           size_t len)
{
    size_t at = 0;
    while (r->carry_len > 0 && at < len && !r->levels.failed) {
        size_t before = r->carry_len, n = CARRY_STEP;
        if (before + n < r->retry_at)
            n = r->retry_at - before;
        if (n > len - at)
            n = len - at;
        if (keep(r, text + at, n))
            return len;
        at += n;
        if (r->carry_len < r->retry_at)
            continue;
        size_t done = run(r, r->carry, r->carry_len, NULL, false);
        if (done >= before) {
            r->carry_len = r->retry_at = 0;
            return at - n + (done - before);
        }
        r->carry_len -= done;
        memmove(r->carry, r->carry + done, r->carry_len);
        r->retry_at = 2 * r->carry_len;
    }
    return at;
}

static void take_one(struct detection_reader *r, const struct span *piece,
                     const struct guess *guess)
{
    size_t at = finish_carry(r, piece->text, piece->len);
    if (at == piece->len || r->levels.failed)
        return;
    at += run(r, piece->text + at, piece->len - at, guess, false);
    if (at < piece->len && !r->levels.failed) {
        keep(r, piece->text + at, piece->len - at);
        r->retry_at = 2 * r->carry_len;
    }
}

/* What several threads do: each guess is its own. */
struct ahead {
    const struct span *piece;
    const struct kind *likely;
    struct guess guess[GUESSES_MAX];
    void **rows;
};

static void look_ahead(void *context, size_t item, size_t worker)
{
    struct ahead *a = context;
    (void)worker;
    guess_make(&a->guess[item], a->likely, &a->piece[item], a->rows[item]);
}

/* The kind of the list that is open, if one is. */
static const struct kind *open_kind(const struct levels *l)
{
    const struct level *level = l->depth ? &l->level[l->depth - 1] : NULL;
    return level && level->type == LEVEL_LIST ? level->table->kind : NULL;
}

/* Memory for guesses about the pieces; false if there is none to spare. */
static bool make_room(struct detection_reader *r, const struct span *piece,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t bytes = guess_bytes(piece[i].len);
        if (bytes <= r->row_bytes[i])
            continue;
        r->rows[i] = arena_alloc(r->levels.mem, bytes, 1);
        r->row_bytes[i] = r->rows[i] ? bytes : 0;
        if (!r->rows[i])
            return false;
    }
    return true;
}

/* Up to GUESSES_MAX pieces. */
static void take_some(struct detection_reader *r, const struct span *piece,
                      size_t n)
{
    struct ahead ahead = {
        .piece = piece, .likely = open_kind(&r->levels), .rows = r->rows};
    bool many = n > 1 && r->par->width > 1 && make_room(r, piece, n);
    if (many)
        r->par->run(r->par, n, look_ahead, &ahead);
    for (size_t i = 0; i < n && !r->levels.failed; i++)
        take_one(r, &piece[i], many ? &ahead.guess[i] : NULL);
}

void detection_reader_take(struct detection_reader *r, const struct span *piece,
                           size_t n)
{
    struct span part[GUESSES_MAX];
    size_t n_parts = 0;
    for (size_t i = 0; i < n && !r->levels.failed; i++)
        for (size_t at = 0; at < piece[i].len; at += PIECE_BYTES) {
            size_t len = piece[i].len - at;
            part[n_parts++] = (struct span){
                piece[i].text + at, len < PIECE_BYTES ? len : PIECE_BYTES};
            if (n_parts == GUESSES_MAX) {
                take_some(r, part, n_parts);
                n_parts = 0;
            }
        }
    if (n_parts && !r->levels.failed)
        take_some(r, part, n_parts);
}

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
    uint64_t *key = arena_alloc(mem, n, sizeof(*key));
    uint32_t *row = arena_alloc(mem, n, sizeof(*row));
    uint64_t *spare_key = arena_alloc(mem, n, sizeof(*spare_key));
    uint32_t *spare_row = arena_alloc(mem, n, sizeof(*spare_row));
    size_t count = 0;
    if (mem->failed)
        return 0;
    for (size_t i = 0; i < n; i++) {
        key[i] = id_key(id[i]);
        row[i] = (uint32_t)i;
    }
    key_sort(n, key, row, spare_key, spare_row);
    for (size_t i = 1; i < n; i++) {
        if (key[i] != key[i - 1])
            continue;
        if (count < pairs_max)
            pair[count] = (struct id_pair){row[i - 1], row[i]};
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

/* The settings of a body: what is quickly told is told first. */
static void end_settings(struct levels *l, struct api_error *err)
{
    out_bytes(&l->settings, "}", 1);
    arena_clear(&l->documents, 0);
    const json_t *v =
        l->settings.failed
            ? NULL
            : json_read(l->settings.text, l->settings.len, &l->documents, err);
    if (l->settings.failed)
        no_memory(err);
    if (v)
        read_settings(v, l->req, err);
}

static void end_parts(struct levels *l, struct api_error *err)
{
    bool body = l->opened[LEVEL_BODY];
    struct at gt = {NULL, body ? "ground_truth" : l->name, 0};
    struct at dt = {NULL, body ? "detections" : l->name, 0};
    if (body)
        end_settings(l, err);
    make_columns(l);
    if (l->opened[LEVEL_GROUND_TRUTH])
        end_ground_truth(l, gt.key ? &gt : NULL);
    else if (body && !l->met[LEVEL_GROUND_TRUTH])
        read_object(NULL, &gt, &l->err);
    if (l->opened[LEVEL_COLUMNS])
        end_detections(l, dt.key ? &dt : NULL);
    else if (body && !l->met[LEVEL_COLUMNS])
        read_array(NULL, &dt, &l->err);
}

void detection_reader_free(struct detection_reader *r)
{
    arena_free(&r->levels.documents);
}

int detection_reader_finish(struct detection_reader *r, struct api_error *err)
{
    struct levels *l = &r->levels;
    if (!l->failed)
        run(r, r->carry ? r->carry : "", r->carry_len, NULL, true);
    if (!l->failed)
        end_parts(l, err);
    for (size_t i = 0; i < l->err.n && !api_full(err); i++)
        err->fault[err->n++] = l->err.fault[i];
    detection_reader_free(r);
    return err->n ? -1 : 0;
}
