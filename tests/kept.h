/*
 * A store of datasets and runs in arrays, and a cache beside it: what the
 * tests of handlers ask instead of a database.  Of one thread; it allocates
 * nothing but what the caller's arena gives.
 */
#ifndef EVALD_TESTS_KEPT_H
#define EVALD_TESTS_KEPT_H

#include "api/cache.h"
#include "api/store.h"

enum {
    KEPT_DATASETS = 200,
    KEPT_RUNS = 200,
    KEPT_IMAGES = 4096,
    KEPT_ENTRIES = 16,
    KEPT_POOL_BYTES = 1 << 23
};

struct kept_content {
    const char *sha256;
    struct span bytes;
};

struct kept_run {
    struct store_run row;
    const char *key, *digest;
    bool deleted;
};

struct kept_image {
    size_t run; /* a row */
    struct store_image image;
};

/* All that is in it; a copy of this can be put back later. */
struct kept_state {
    struct store_dataset dataset[KEPT_DATASETS]; /* by name */
    struct kept_content content[KEPT_DATASETS];
    struct kept_run run[KEPT_RUNS]; /* oldest first */
    struct kept_image image[KEPT_IMAGES];
    size_t n_datasets, n_contents, n_runs, n_images, pool_used;
};

struct kept {
    struct api_store store;
    struct api_cache cache;
    struct kept_state is;
    /* After so many calls more, one answers this instead; OK = none does. */
    enum store_status fail;
    size_t fail_after;
    size_t calls; /* so far */
    /* Called before finalize_run, as another request might be; or NULL. */
    void (*meanwhile)(struct kept *kept, const char *run);
    struct {
        char key[128];
        struct cache_entry entry;
        size_t users;
        bool alone, used;
    } entry[KEPT_ENTRIES];
    char pool[KEPT_POOL_BYTES];
};

/* Empty: all of it, or the cache alone. */
void kept_init(struct kept *kept);
void kept_init_cache(struct kept *kept);

/* Empties the cache, of which nobody has an entry. */
void kept_drop(struct kept *kept);

/* Drops what is of datasets alone, which the state of a run borrows from. */
void kept_drop_datasets(struct kept *kept);

#endif
