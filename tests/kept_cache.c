/* The cache of tests/kept.h: of one thread, so nobody can wait for an entry. */
#include "tests/kept.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct cache_entry *hold(void *self, const char *key, bool alone,
                                const atomic_bool *stop)
{
    struct kept *k = self;
    size_t i = 0;
    if (is_stopped(stop))
        return NULL;
    while (i < KEPT_ENTRIES &&
           !(k->entry[i].used && strcmp(k->entry[i].key, key) == 0))
        i++;
    for (size_t f = 0; f < KEPT_ENTRIES && i == KEPT_ENTRIES; f++)
        if (!k->entry[f].used)
            i = f;
    assert(i < KEPT_ENTRIES);
    if (!k->entry[i].used) {
        snprintf(k->entry[i].key, sizeof(k->entry[i].key), "%s", key);
        k->entry[i].used = true;
        k->entry[i].entry.value = NULL;
        arena_init(&k->entry[i].entry.mem, (size_t)1 << 28);
    }
    alone |= !k->entry[i].entry.value;
    assert(!k->entry[i].alone && !(alone && k->entry[i].users));
    k->entry[i].alone = alone;
    k->entry[i].users++;
    return &k->entry[i].entry;
}

static void empty(struct kept *k, size_t i)
{
    arena_free(&k->entry[i].entry.mem);
    k->entry[i].used = false;
}

static void release(void *self, struct cache_entry *entry, bool drop)
{
    struct kept *k = self;
    size_t i = 0;
    while (&k->entry[i].entry != entry)
        i++;
    assert(k->entry[i].users > 0);
    k->entry[i].users--;
    k->entry[i].alone = false;
    assert(!drop || k->entry[i].users == 0);
    if (drop)
        empty(k, i);
}

void kept_drop(struct kept *k)
{
    for (size_t i = 0; i < KEPT_ENTRIES; i++)
        if (k->entry[i].used)
            empty(k, i);
}

void kept_drop_datasets(struct kept *k)
{
    for (size_t i = 0; i < KEPT_ENTRIES; i++)
        if (k->entry[i].used && strncmp(k->entry[i].key, "dataset:", 8) == 0)
            empty(k, i);
}

void kept_init_cache(struct kept *k)
{
    memset(k->entry, 0, sizeof(k->entry));
    k->cache = (struct api_cache){k, hold, release};
}
