/*
 * Things that requests make and later ones use: datasets in columns, the state
 * of runs whose images arrive.  Whoever answers requests hands it in; api/
 * decides what they are.
 *
 * An entry has a key, memory of its own, and one user at a time or many
 * readers.  What nobody uses may be dropped at any moment, so whatever is in
 * one must be possible to make again.
 */
#ifndef EVALD_API_CACHE_H
#define EVALD_API_CACHE_H

#include "core/arena.h"

struct cache_entry {
    void *value;      /* NULL = fresh, or emptied */
    struct arena mem; /* for value; the cache clears and frees it */
};

struct api_cache {
    void *self;
    /*
     * The entry of key, made if there is none; waits for those who have it.
     * NULL when there is no memory, or when *stop is set.
     *   alone  true: to change it; false: to read it, with others at once,
     *          but alone if value is NULL: whoever gets it then fills it
     */
    struct cache_entry *(*hold)(void *self, const char *key, bool alone,
                                const atomic_bool *stop);
    /* Ends that; the entry is emptied first if `drop`. */
    void (*release)(void *self, struct cache_entry *entry, bool drop);
};

#endif
