/*
 * The memory of one request: a bump allocator with a budget.
 *
 * Everything a request needs is taken from its arena and given back at once
 * by arena_clear, so no path frees anything singly.  Blocks are aligned to 64
 * bytes.  Under AddressSanitizer memory that is not handed out is poisoned,
 * and a gap follows every block.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef EVALD_CORE_ARENA_H
#define EVALD_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* the newest, which serves allocations */
    size_t bytes_max;          /* the budget */
    size_t bytes_used;         /* handed out, rounding included */
    bool failed;               /* some allocation did not fit */
};

/* An empty arena that hands out at most bytes_max bytes between two clears. */
void arena_init(struct arena *a, size_t bytes_max);

/*
 * n items of size bytes each, uninitialised; n = 0 gives a valid pointer.
 * Returns NULL, and sets a->failed until the next clear, when the product
 * overflows, the budget is spent or the system has no memory: a function may
 * make several allocations and look at a->failed once.
 */
void *arena_alloc(struct arena *a, size_t n, size_t size)
    __attribute__((warn_unused_result));

/* As arena_alloc, every byte zero. */
void *arena_zero(struct arena *a, size_t n, size_t size)
    __attribute__((warn_unused_result));

/*
 * Has the next blocks come from one stretch of memory, if they are of no more
 * than that many bytes together and within the budget.  Memory that is never
 * written to costs nothing; in one stretch it is all kept by arena_clear.
 */
void arena_reserve(struct arena *a, size_t bytes);

/*
 * Gives back what the newest block has beyond its first n bytes: for what is
 * as large as it may become, until it is known how large it is.
 */
void arena_trim(struct arena *a, const void *newest, size_t n);

/* A moment to which arena_release goes back. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t chunk_used, bytes_used;
};

struct arena_mark arena_mark(const struct arena *a);

/* Takes back every block handed out since the mark, and forgets a failure. */
void arena_release(struct arena *a, struct arena_mark mark);

/* Takes every block back; keeps at most keep bytes of memory for reuse. */
void arena_clear(struct arena *a, size_t keep);

/* Takes every block back and returns all memory to the system. */
void arena_free(struct arena *a);

#endif
