/*
 * The memory of one request: a bump allocator with a budget.
 *
 * Everything a request needs is taken from its arena and given back at once
 * by arena_clear, so no path frees anything singly.  Blocks are aligned to 64
 * bytes.  Under AddressSanitizer memory that is not handed out is poisoned,
 * and a gap follows every block.
 *
 * An arena may pay for its memory from a budget that it shares with others:
 * set a->budget after arena_init, before anything else.  It pays for whole
 * chunks, which it takes from the system, and not for what it hands out of
 * them.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef EVALD_CORE_ARENA_H
#define EVALD_CORE_ARENA_H

#include "core/budget.h"
#include "core/stop.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* the newest, which serves allocations */
    size_t bytes_max;          /* to be handed out at most */
    size_t bytes_used;         /* handed out, rounding included */
    bool failed;               /* some allocation did not fit, or was stopped */
    /*
     * NULL, or the flag of the request that the memory is for (stop.h): once
     * it is set nothing is handed out.  arena_clear forgets it.
     */
    const atomic_bool *stop;
    /* Shared memory; NULL = it need not be paid for. */
    struct budget *budget;
    /*
     * NULL, or an arena that pays for this one as for itself: for what is
     * cleared more often than the rest.  This one is freed first.
     */
    struct arena *parent;
    /* Of who pays: */
    size_t held;     /* bytes of chunks, what they need themselves included */
    size_t paid;     /* taken from the budget, at least held; else 0 */
    size_t reserved; /* below this paid is not lowered: see arena_prepay */
    size_t beside;   /* of the budget, had by its owner: until arena_clear */
    bool starved;    /* others had what it asked for, since the last clear */
};
/*
 * An empty arena, without a budget, that hands out at most bytes_max bytes
 * between two clears.
 */
void arena_init(struct arena *a, size_t bytes_max);

/*
 * n items of size bytes each, uninitialised; n = 0 gives a valid pointer.
 * Returns NULL, and sets a->failed until the next clear, when the product
 * overflows, bytes_max is reached, the system has no memory, the budget has no
 * room or the request is stopped: a function may make several allocations and
 * look at a->failed once.  a->starved says that the budget had the room if this
 * arena were the only one: trying again later may help.
 */
void *arena_alloc(struct arena *a, size_t n, size_t size)
    __attribute__((warn_unused_result));

/* As arena_alloc, every byte zero, unless the request is stopped meanwhile. */
void *arena_zero(struct arena *a, size_t n, size_t size)
    __attribute__((warn_unused_result));

/*
 * Has the next blocks come from one stretch of memory, if they are of no more
 * than that many bytes together and within bytes_max.  Memory that is never
 * written to costs nothing; in one stretch it is all kept by arena_clear. Under
 * a budget, where it would cost, it is no more than what is paid already.
 */
void arena_reserve(struct arena *a, size_t bytes);

/*
 * Gives back what the newest block has beyond its first n bytes: for what is
 * as large as it may become, until it is known how large it is.
 */
void arena_trim(struct arena *a, const void *newest, size_t n);

/*
 * A reservation: pays for all memory up to so many bytes, chunks that are held
 * already included, which makes later failure for want of a budget as rare as
 * the estimate is good.  False, and nothing changed, when the budget has no
 * room.  It stands until arena_clear or arena_free; a smaller one after it
 * changes nothing.  Without a budget there is nothing to do: true.
 */
bool arena_prepay(struct arena *a, size_t bytes)
    __attribute__((warn_unused_result));

/* A moment to which arena_release goes back. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t chunk_used, bytes_used;
};

struct arena_mark arena_mark(const struct arena *a);

/*
 * Takes back every block handed out since the mark, and forgets a failure.
 * Chunks that were new since then are returned and what was paid for them is
 * given back, but for the reservation: who has been admitted for so much goes
 * on, and may need it again.
 */
void arena_release(struct arena *a, struct arena_mark mark);

/*
 * Takes every block back; keeps at most keep bytes of memory for reuse.  The
 * reservation ends; paid is what is kept.
 */
void arena_clear(struct arena *a, size_t keep);

/*
 * Takes every block back, returns all memory to the system and gives the
 * budget all that was paid.
 */
void arena_free(struct arena *a);

#endif
