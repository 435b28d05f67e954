/* Datasets of the store in arrays. */
#include "tests/kept_inner.h"

#include <stdlib.h>
#include <string.h>

static struct store_dataset *find_dataset(struct kept *k, const char *name)
{
    for (size_t i = 0; i < k->is.n_datasets; i++)
        if (strcmp(k->is.dataset[i].name, name) == 0)
            return &k->is.dataset[i];
    return NULL;
}

struct kept_content *kept_content(struct kept *k, const char *sha256)
{
    for (size_t i = 0; i < k->is.n_contents; i++)
        if (strcmp(k->is.content[i].sha256, sha256) == 0)
            return &k->is.content[i];
    return NULL;
}

static bool is_scored(struct kept *k, const struct store_dataset *d)
{
    for (size_t i = 0; i < k->is.n_runs; i++)
        if (!k->is.run[i].deleted && k->is.run[i].row.state == RUN_FINALIZED &&
            strcmp(k->is.run[i].row.dataset, d->name) == 0 &&
            strcmp(k->is.run[i].row.sha256, d->sha256) == 0)
            return true;
    return false;
}

/* Where a new name goes, with room made for it. */
static struct store_dataset *add_dataset(struct kept *k, const char *name)
{
    size_t i = k->is.n_datasets++;
    if (i == KEPT_DATASETS)
        abort();
    for (; i > 0 && strcmp(k->is.dataset[i - 1].name, name) > 0; i--)
        k->is.dataset[i] = k->is.dataset[i - 1];
    k->is.dataset[i] = (struct store_dataset){.name = kept_text(k, name)};
    return &k->is.dataset[i];
}

static bool permits(const struct etag_condition *when,
                    const struct store_dataset *there)
{
    char tag[ETAG_SHA256_BYTES];
    if (there)
        etag_of_sha256(there->sha256, tag);
    return etag_permits(when, there ? tag : NULL);
}

static enum store_status put_dataset(void *self, struct store_dataset *d,
                                     struct span content, bool replace,
                                     const struct etag_condition *when,
                                     bool *created, bool *same)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    struct store_dataset *there = find_dataset(k, d->name);
    if (!permits(when, there))
        return STORE_REFUSED;
    *created = !there;
    *same = there && strcmp(there->sha256, d->sha256) == 0;
    if (there && !*same && !replace && is_scored(k, there)) {
        *d = *there;
        return STORE_CONFLICT;
    }
    if (!kept_content(k, d->sha256)) {
        if (k->is.n_contents == KEPT_DATASETS)
            abort();
        k->is.content[k->is.n_contents++] = (struct kept_content){
            kept_text(k, d->sha256),
            {kept_bytes(k, content.text, content.len), content.len}};
    }
    if (there)
        d->created_ms = there->created_ms;
    if (*same)
        d->updated_ms = there->updated_ms;
    if (*same)
        return STORE_OK;
    if (!there)
        there = add_dataset(k, d->name);
    const char *name = there->name;
    *there = *d;
    there->name = name;
    there->sha256 = kept_content(k, d->sha256)->sha256;
    return STORE_OK;
}

static void copy_dataset(struct store_dataset *to,
                         const struct store_dataset *from, struct arena *mem)
{
    *to = *from;
    to->name = kept_copy(from->name, mem);
    to->sha256 = kept_copy(from->sha256, mem);
}

static enum store_status get_dataset(void *self, const char *name,
                                     struct store_dataset *d, struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    const struct store_dataset *there = find_dataset(k, name);
    if (!there)
        return STORE_MISSING;
    copy_dataset(d, there, mem);
    return mem->failed ? STORE_MEMORY : STORE_OK;
}

static enum store_status get_content(void *self, const char *sha256,
                                     struct span *content, struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    const struct kept_content *there = kept_content(k, sha256);
    if (!there)
        return STORE_MISSING;
    char *to = arena_alloc(mem, there->bytes.len, 1);
    if (!to)
        return STORE_MEMORY;
    memcpy(to, there->bytes.text, there->bytes.len);
    *content = (struct span){to, there->bytes.len};
    return STORE_OK;
}

static enum store_status list_datasets(void *self,
                                       const struct store_page *page,
                                       struct store_dataset **d, size_t *n,
                                       struct arena *mem)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    *n = 0;
    *d = arena_alloc(mem, k->is.n_datasets, sizeof(**d));
    for (size_t i = 0; i < k->is.n_datasets && *n < page->limit && *d; i++)
        if (!page->after || strcmp(k->is.dataset[i].name, page->after) > 0)
            copy_dataset(&(*d)[(*n)++], &k->is.dataset[i], mem);
    return mem->failed ? STORE_MEMORY : STORE_OK;
}

static enum store_status delete_dataset(void *self, const char *name,
                                        const struct etag_condition *when)
{
    struct kept *k = self;
    FAIL_IF_TOLD(k);
    struct store_dataset *there = find_dataset(k, name);
    if (!there)
        return STORE_MISSING;
    if (!permits(when, there))
        return STORE_REFUSED;
    size_t after = (size_t)(k->is.dataset + k->is.n_datasets - (there + 1));
    memmove(there, there + 1, after * sizeof(*there));
    k->is.n_datasets--;
    return STORE_OK;
}

void kept_init_datasets(struct kept *k)
{
    k->store.put_dataset = put_dataset;
    k->store.get_dataset = get_dataset;
    k->store.get_content = get_content;
    k->store.list_datasets = list_datasets;
    k->store.delete_dataset = delete_dataset;
}
