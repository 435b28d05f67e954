#include "tests/kept_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *kept_bytes(struct kept *k, const void *bytes, size_t n)
{
    size_t room = (n + 1 + 7) / 8 * 8;
    char *to = k->pool + k->is.pool_used;
    if (room > KEPT_POOL_BYTES - k->is.pool_used)
        abort();
    k->is.pool_used += room;
    if (n)
        memcpy(to, bytes, n);
    to[n] = '\0';
    return to;
}

const char *kept_text(struct kept *k, const char *text)
{
    return text ? kept_bytes(k, text, strlen(text)) : NULL;
}

const char *kept_copy(const char *text, struct arena *mem)
{
    size_t n = text ? strlen(text) + 1 : 0;
    char *to = text ? arena_alloc(mem, n, 1) : NULL;
    return to ? memcpy(to, text, n) : NULL;
}

bool kept_fails(struct kept *k)
{
    k->calls++;
    return k->fail && k->fail_after-- == 0;
}

static struct kept_run *find_run(struct kept *k, const char *id)
{
    for (size_t i = 0; i < k->is.n_runs; i++)
        if (!k->is.run[i].deleted && strcmp(k->is.run[i].row.id, id) == 0)
            return &k->is.run[i];
    return NULL;
}

/* The texts of a row, which may be NULL. */
static void each_text(const struct store_run *from, struct store_run *to,
                      struct kept *k, struct arena *mem)
{
    const char *const in[] = {from->id,     from->name,       from->dataset,
                              from->sha256, from->parameters, from->protocol,
                              from->tags,   from->result};
    const char **const out[] = {&to->id,     &to->name,       &to->dataset,
                                &to->sha256, &to->parameters, &to->protocol,
                                &to->tags,   &to->result};
    *to = *from;
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        *out[i] = k ? kept_text(k, in[i]) : kept_copy(in[i], mem);
}

static enum store_status create_run(void *self, const struct store_new_run *r,
                                    struct store_run *found, bool *existed,
                                    struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    *existed = false;
    for (size_t i = 0; i < k->is.n_runs; i++) {
        const struct kept_run *run = &k->is.run[i];
        if (run->deleted || !run->key || !r->idempotency_key ||
            strcmp(run->key, r->idempotency_key) != 0)
            continue;
        if (strcmp(run->digest, r->request_digest) != 0)
            return STORE_CONFLICT;
        *existed = true;
        each_text(&run->row, found, NULL, mem);
        return mem->failed ? STORE_MEMORY : STORE_OK;
    }
    if (!kept_content(k, r->run.sha256))
        return STORE_MISSING;
    if (k->is.n_runs == KEPT_RUNS)
        abort();
    struct kept_run *run = &k->is.run[k->is.n_runs++];
    each_text(&r->run, &run->row, k, NULL);
    run->key = kept_text(k, r->idempotency_key);
    run->digest = kept_text(k, r->request_digest);
    run->deleted = false;
    return STORE_OK;
}

static enum store_status get_run(void *self, const char *id,
                                 struct store_run *r, struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    const struct kept_run *run = find_run(k, id);
    if (!run)
        return STORE_MISSING;
    each_text(&run->row, r, NULL, mem);
    return mem->failed ? STORE_MEMORY : STORE_OK;
}

/* Whether a run has the tag, whose text in JSON is plain in tests. */
static bool has_tag(const struct store_run *row,
                    const struct store_run_filter *f)
{
    char text[512];
    snprintf(text, sizeof(text), "\"%s\":\"%s%s", f->tag,
             f->tag_value ? f->tag_value : "", f->tag_value ? "\"" : "");
    return !f->tag || strstr(row->tags, text);
}

static bool passes(const struct kept_run *run, const struct store_run_filter *f)
{
    const struct store_run *row = &run->row;
    const char *state = row->state == RUN_OPEN ? "open" : "finalized";
    return !run->deleted &&
           (!f->page.after || strcmp(row->id, f->page.after) < 0) &&
           (!f->dataset || strcmp(row->dataset, f->dataset) == 0) &&
           (!f->state || strcmp(state, f->state) == 0) && has_tag(row, f);
}

static int newest_first(const void *a, const void *b)
{
    const struct store_run *x = a, *y = b;
    return strcmp(y->id, x->id);
}

static enum store_status list_runs(void *self,
                                   const struct store_run_filter *filter,
                                   struct store_run **r, size_t *n,
                                   struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    *n = 0;
    *r = arena_alloc(mem, k->is.n_runs, sizeof(**r));
    for (size_t i = 0; i < k->is.n_runs && *r; i++)
        if (passes(&k->is.run[i], filter))
            each_text(&k->is.run[i].row, &(*r)[(*n)++], NULL, mem);
    if (mem->failed)
        return STORE_MEMORY;
    if (*n)
        qsort(*r, *n, sizeof(**r), newest_first);
    *n = *n < filter->page.limit ? *n : filter->page.limit;
    return STORE_OK;
}

static enum store_status update_run(void *self, const char *id,
                                    const char *name, const char *tags,
                                    const char *old_tags)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    struct kept_run *run = find_run(k, id);
    if (!run)
        return STORE_MISSING;
    if (old_tags && strcmp(run->row.tags, old_tags) != 0)
        return STORE_CONFLICT;
    if (name)
        run->row.name = kept_text(k, name);
    if (tags)
        run->row.tags = kept_text(k, tags);
    return STORE_OK;
}

static enum store_status delete_run(void *self, const char *id)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    struct kept_run *run = find_run(k, id);
    if (!run)
        return STORE_MISSING;
    run->deleted = true;
    return STORE_OK;
}

static enum store_status finalize_run(void *self, const char *id, int64_t seq,
                                      const char *result)
{
    struct kept *k = self;
    if (k->meanwhile)
        k->meanwhile(k, id);
    FAIL_IF_TOLD(k);
    struct kept_run *run = find_run(k, id);
    if (!run)
        return STORE_MISSING;
    if (run->row.state == RUN_FINALIZED)
        return STORE_CLOSED;
    if (run->row.seq != seq)
        return STORE_CONFLICT;
    run->row.state = RUN_FINALIZED;
    run->row.finalized_ms = 1700000000123;
    run->row.result = kept_text(k, result);
    return STORE_OK;
}

static struct kept_image *find_image(struct kept *k, size_t run, int64_t id)
{
    for (size_t i = 0; i < k->is.n_images; i++)
        if (k->is.image[i].run == run && k->is.image[i].image.image == id)
            return &k->is.image[i];
    return NULL;
}

static enum store_image_fate fate_of(const struct kept_image *there,
                                     const struct store_image *image,
                                     bool replace)
{
    if (!there)
        return IMAGE_ADDED;
    if (memcmp(there->image.digest, image->digest, IMAGE_DIGEST_BYTES) == 0)
        return IMAGE_REPEATED;
    return replace ? IMAGE_REPLACED : IMAGE_CONFLICT;
}

static void take(struct kept *k, size_t run, struct kept_image *there,
                 const struct store_image *image)
{
    struct store_run *row = &k->is.run[run].row;
    if (there) {
        row->replaced++;
        row->detections -= there->image.detections;
        row->bytes -= (int64_t)there->image.part.len;
    } else {
        if (k->is.n_images == KEPT_IMAGES)
            abort();
        there = &k->is.image[k->is.n_images++];
        row->images++;
    }
    *there = (struct kept_image){run, *image};
    there->image.part.text = kept_bytes(k, image->part.text, image->part.len);
    there->image.seq = ++row->seq;
    row->detections += image->detections;
    row->bytes += (int64_t)image->part.len;
}

static enum store_status put_images(void *self, const char *run,
                                    const struct store_image *image, size_t n,
                                    bool replace, enum store_image_fate *fate,
                                    struct arena *mem)
{
    struct kept *k = self;
    bool conflict = false, new = false;
    (void)mem;
    FAIL_IF_TOLD(k);
    struct kept_run *found = find_run(k, run);
    if (!found)
        return STORE_MISSING;
    size_t row = (size_t)(found - k->is.run);
    for (size_t i = 0; i < n; i++) {
        fate[i] =
            fate_of(find_image(k, row, image[i].image), &image[i], replace);
        conflict |= fate[i] == IMAGE_CONFLICT;
        new |= fate[i] != IMAGE_REPEATED;
    }
    if (new && found->row.state == RUN_FINALIZED)
        return STORE_CLOSED;
    if (conflict)
        return STORE_CONFLICT;
    for (size_t i = 0; i < n; i++)
        if (fate[i] != IMAGE_REPEATED)
            take(k, row, find_image(k, row, image[i].image), &image[i]);
    return STORE_OK;
}

static bool by_image; /* how images are compared, for qsort */

static int compare(const void *a, const void *b)
{
    const struct store_image *x = a, *y = b;
    int64_t p = by_image ? x->image : x->seq, q = by_image ? y->image : y->seq;
    return (p > q) - (p < q);
}

static enum store_status each_image(void *self, const char *run,
                                    int64_t after_seq, bool sorted,
                                    store_image_visit *visit, void *context)
{
    static struct store_image image[KEPT_IMAGES];
    struct kept *k = self;
    size_t n = 0;
    FAIL_IF_TOLD(k);
    struct kept_run *found = find_run(k, run);
    if (!found)
        return STORE_MISSING;
    for (size_t i = 0; i < k->is.n_images; i++)
        if (k->is.image[i].run == (size_t)(found - k->is.run) &&
            k->is.image[i].image.seq > after_seq)
            image[n++] = k->is.image[i].image;
    by_image = sorted;
    qsort(image, n, sizeof(*image), compare);
    for (size_t i = 0; i < n; i++)
        if (visit(context, &image[i]))
            return STORE_STOPPED;
    return STORE_OK;
}

static enum store_status get_image(void *self, const char *run, int64_t image,
                                   struct store_image *out, struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    struct kept_run *found = find_run(k, run);
    const struct kept_image *there =
        found ? find_image(k, (size_t)(found - k->is.run), image) : NULL;
    if (!there)
        return STORE_MISSING;
    char *part = arena_alloc(mem, there->image.part.len, 1);
    if (!part)
        return STORE_MEMORY;
    memcpy(part, there->image.part.text, there->image.part.len);
    *out = there->image;
    out->part.text = part;
    return STORE_OK;
}

static bool is_ready(void *self)
{
    return !((struct kept *)self)->fail;
}

static const char *why(void *self)
{
    (void)self;
    return "the limit of the store is 9 bytes";
}

void kept_init(struct kept *k)
{
    memset(&k->is, 0, sizeof(k->is));
    k->fail = STORE_OK;
    k->calls = 0;
    k->meanwhile = NULL;
    kept_init_cache(k);
    k->store = (struct api_store){
        .self = k,
        .create_run = create_run,
        .get_run = get_run,
        .list_runs = list_runs,
        .update_run = update_run,
        .delete_run = delete_run,
        .finalize_run = finalize_run,
        .put_images = put_images,
        .each_image = each_image,
        .get_image = get_image,
        .ready = is_ready,
        .why = why,
    };
    kept_init_datasets(k);
}
