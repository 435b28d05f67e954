#include "server/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ENTRIES_MAX = 1024, /* that are unused: an empty one is small */
    IDLE_S = 300,
    LOOK_MS = 50, /* how often one that waits looks at its stop flag */
};

/* An entry and who has it. */
struct held {
    struct cache_entry entry; /* first: found by it */
    struct held *next;        /* the latest used first */
    size_t readers, waiting;
    bool alone;  /* somebody has it to change it */
    bool filled; /* it had a value when it was last let go */
    time_t used_s;
    char key[];
};

struct cache {
    struct api_cache calls;
    struct budget budget;
    pthread_mutex_t mutex; /* guards what follows, and who has what */
    pthread_cond_t freed;  /* somebody has let go */
    struct held *first;
    struct cache_stats stats;
};

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool is_idle(const struct held *h)
{
    return h->readers == 0 && !h->alone && h->waiting == 0;
}

static void forget(struct cache *cache, struct held **link)
{
    struct held *h = *link;
    *link = h->next;
    arena_free(&h->entry.mem);
    free(h);
    cache->stats.entries--;
    cache->stats.evictions++;
}

/* The last, and so the longest unused, of those that nobody has. */
static struct held **oldest_idle(struct cache *cache)
{
    struct held **oldest = NULL;
    for (struct held **link = &cache->first; *link; link = &(*link)->next)
        if (is_idle(*link))
            oldest = link;
    return oldest;
}

/* Lets go of what is old, and of more while less than half is free. */
static void make_room(struct cache *cache)
{
    struct held **oldest;
    time_t now = now_s();
    while ((oldest = oldest_idle(cache))) {
        bool crowded = budget_is_crowded(&cache->budget) ||
                       cache->stats.entries > ENTRIES_MAX;
        if (!crowded && now - (*oldest)->used_s < IDLE_S)
            return;
        forget(cache, oldest);
    }
}

/* Moves the entry of key to the front; NULL = there is none. */
static struct held *find(struct cache *cache, const char *key)
{
    struct held **link = &cache->first;
    while (*link && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    struct held *h = *link;
    if (!h)
        return NULL;
    *link = h->next;
    h->next = cache->first;
    cache->first = h;
    return h;
}

static struct held *add(struct cache *cache, const char *key)
{
    size_t n = strlen(key) + 1;
    struct held *h = calloc(1, sizeof(*h) + n);
    if (!h)
        return NULL;
    memcpy(h->key, key, n);
    arena_init(&h->entry.mem, cache->budget.max);
    h->entry.mem.budget = &cache->budget;
    h->next = cache->first;
    cache->first = h;
    cache->stats.entries++;
    return h;
}

static void wait_a_little(struct cache *cache)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&cache->freed, &cache->mutex, &until);
}

static bool is_free(const struct held *h, bool alone)
{
    return !h->alone && (!alone || h->readers == 0);
}

static struct cache_entry *hold(void *self, const char *key, bool alone,
                                const atomic_bool *stop)
{
    struct cache *cache = self;
    pthread_mutex_lock(&cache->mutex);
    struct held *h = find(cache, key);
    bool hit = h && h->filled;
    cache->stats.hits += hit;
    cache->stats.misses += !hit;
    if (!hit)
        make_room(cache);
    h = find(cache, key); /* which may have gone for the room */
    h = h ? h : add(cache, key);
    bool mine = false;
    if (h) {
        h->waiting++;
        /* who finds it empty is to fill it, and so needs it alone */
        while (!(mine = is_free(h, alone || !h->filled)) && !is_stopped(stop))
            wait_a_little(cache);
        h->waiting--;
    }
    if (mine) {
        h->alone = alone || !h->filled;
        h->readers += !h->alone;
        h->used_s = now_s();
    }
    pthread_mutex_unlock(&cache->mutex);
    return mine ? &h->entry : NULL;
}

static void release(void *self, struct cache_entry *entry, bool drop)
{
    struct cache *cache = self;
    struct held *h = (struct held *)entry;
    pthread_mutex_lock(&cache->mutex);
    if (h->alone)
        h->alone = false;
    else
        h->readers--;
    if (drop && h->readers == 0) {
        entry->value = NULL;
        arena_clear(&entry->mem, 0);
    }
    h->filled = entry->value;
    if (drop)
        make_room(cache); /* and h may be gone */
    pthread_mutex_unlock(&cache->mutex);
    pthread_cond_broadcast(&cache->freed);
}

struct cache *cache_new(size_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof(*cache));
    pthread_condattr_t attr;
    if (!cache)
        return NULL;
    cache->calls =
        (struct api_cache){.self = cache, .hold = hold, .release = release};
    cache->budget.max = bytes_max;
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->freed, &attr);
    pthread_condattr_destroy(&attr);
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    while (cache->first)
        forget(cache, &cache->first);
    pthread_cond_destroy(&cache->freed);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

const struct api_cache *cache_calls(const struct cache *cache)
{
    return &cache->calls;
}

struct cache_stats cache_stats(struct cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    struct cache_stats stats = cache->stats;
    pthread_mutex_unlock(&cache->mutex);
    stats.bytes = atomic_load(&cache->budget.used);
    stats.bytes_max = cache->budget.max;
    return stats;
}
