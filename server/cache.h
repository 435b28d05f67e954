/*
 * What requests leave for later ones (api/cache.h), within a budget of its own:
 * when that runs short, or nobody has come for it for some minutes, what is
 * not in use goes, the longest unused first.
 */
#ifndef EVALD_SERVER_CACHE_H
#define EVALD_SERVER_CACHE_H

#include "api/cache.h"

#include <stdint.h>

struct cache;

/* bytes_max: of all entries together.  NULL when there is no memory. */
struct cache *cache_new(size_t bytes_max) __attribute__((warn_unused_result));

/* Nobody holds an entry any more; NULL is none. */
void cache_free(struct cache *cache);

const struct api_cache *cache_calls(const struct cache *cache);

struct cache_stats {
    size_t entries, bytes, bytes_max;
    uint64_t hits, misses, evictions;
};
struct cache_stats cache_stats(struct cache *cache);

#endif
