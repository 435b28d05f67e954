#include "core/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define poison(p, n) __asan_poison_memory_region(p, n)
#define unpoison(p, n) __asan_unpoison_memory_region(p, n)
enum { GAP = 64 };
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum {
    ALIGN = 64,
    CHUNK_BYTES_MIN = 1 << 16,
    RESERVE_BYTES_MIN = 4 * ALIGN, /* what a chunk may need for itself */
};

struct arena_chunk {
    struct arena_chunk *older;
    void *block; /* of malloc, that it lies in */
    size_t size; /* bytes of data */
    size_t used;
    _Alignas(ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t bytes_max)
{
    *a = (struct arena){.bytes_max = bytes_max};
}

static struct arena *payer(struct arena *a)
{
    return a->parent ? a->parent : a;
}

/* Has the budget pay for all that is held and more bytes of a chunk. */
static bool pay(struct arena *a, size_t more)
{
    size_t all = a->held + more;
    if (!a->budget || all <= a->paid)
        return true;
    if (!budget_take(a->budget, all - a->paid))
        return false;
    a->paid = all;
    return true;
}

/* Gives back what is neither held nor reserved. */
static void pay_back(struct arena *a)
{
    size_t wanted = a->held > a->reserved ? a->held : a->reserved;
    if (!a->budget || a->paid <= wanted)
        return;
    budget_give(a->budget, a->paid - wanted);
    a->paid = wanted;
}

static size_t aligned(size_t bytes)
{
    return bytes / ALIGN * ALIGN + ALIGN;
}

/*
 * Not by aligned_alloc: that of glibc before 2.38 asks for more than it keeps,
 * so that a block which was given back never fits the next one of its size.
 */
static struct arena_chunk *chunk_alloc(size_t size)
{
    char *block = malloc(ALIGN + sizeof(struct arena_chunk) + size);
    if (!block)
        return NULL;
    struct arena_chunk *c = (void *)(block + ALIGN - (uintptr_t)block % ALIGN);
    *c = (struct arena_chunk){.block = block, .size = size};
    return c;
}

/*
 * Data of the next chunk.  Each is as large as all before it, or half of that
 * where it must be paid for, so there are few of them; what is paid already is
 * used up first.
 */
static size_t chunk_size(const struct arena *a, const struct arena *p,
                         size_t need)
{
    size_t size = a->chunk ? a->chunk->size * 2 : CHUNK_BYTES_MIN;
    size_t left = p->paid - p->held, head = sizeof(struct arena_chunk);
    if (p->budget && a->chunk)
        size = a->bytes_used / 2 > CHUNK_BYTES_MIN ? a->bytes_used / 2
                                                   : CHUNK_BYTES_MIN;
    if (size > a->bytes_max)
        size = a->bytes_max;
    if (size < need)
        size = need;
    size = aligned(size);
    if (p->budget && size + head > left && aligned(need) + head <= left)
        size = (left - head) / ALIGN * ALIGN;
    return size;
}

/* Whether there would be room for it if nobody else had any. */
static bool could_pay(const struct arena *p, size_t least)
{
    size_t need = sizeof(struct arena_chunk) + least;
    return p->beside + p->held + need <= p->budget->max;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
    struct arena *p = payer(a);
    size_t size = chunk_size(a, p, need), least = aligned(need);
    if (!pay(p, sizeof(struct arena_chunk) + size)) {
        size = least; /* without room for more */
        if (!pay(p, sizeof(struct arena_chunk) + size)) {
            a->starved = p->starved = could_pay(p, least);
            return NULL;
        }
    }
    struct arena_chunk *c = chunk_alloc(size);
    if (!c) {
        pay_back(p);
        return NULL;
    }
    c->older = a->chunk;
    p->held += sizeof(*c) + size;
    poison(c->data, c->size);
    a->chunk = c;
    return c;
}

static void *fail(struct arena *a)
{
    a->failed = true;
    return NULL;
}

/* With the gap, and up to the next block's beginning. */
static size_t rounded(size_t bytes)
{
    return (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
}

void arena_reserve(struct arena *a, size_t bytes)
{
    size_t left = a->bytes_max - a->bytes_used;
    if (bytes > left)
        bytes = left;
    bytes += bytes / 8; /* the next time fits, too */
    left = payer(a)->paid - payer(a)->held;
    if (payer(a)->budget && bytes > left)
        bytes = left > RESERVE_BYTES_MIN ? left - RESERVE_BYTES_MIN : 0;
    if (!a->chunk || bytes > a->chunk->size - a->chunk->used)
        (void)chunk_new(a, bytes);
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return fail(a);
    bytes = rounded(bytes);
    if (bytes > a->bytes_max - a->bytes_used || is_stopped(a->stop))
        return fail(a);
    struct arena_chunk *c = a->chunk;
    if (!c || bytes > c->size - c->used)
        c = chunk_new(a, bytes);
    if (!c)
        return fail(a);
    void *p = c->data + c->used;
    c->used += bytes;
    a->bytes_used += bytes;
    unpoison(p, n * size);
    return p;
}

void *arena_zero(struct arena *a, size_t n, size_t size)
{
    char *p = arena_alloc(a, n, size);
    for (size_t i = 0, end; p && (end = stop_reach(a->stop, i, n * size)) > i;
         i = end)
        memset(p + i, 0, end - i);
    return p;
}

void arena_trim(struct arena *a, const void *newest, size_t n)
{
    struct arena_chunk *c = a->chunk;
    size_t at = (size_t)((const unsigned char *)newest - c->data);
    size_t used = at + rounded(n);
    assert(used <= c->used);
    a->bytes_used -= c->used - used;
    c->used = used;
    poison(c->data + at + n, c->size - at - n);
}

static void chunk_free(struct arena *a, struct arena_chunk *c)
{
    payer(a)->held -= sizeof(*c) + c->size;
    unpoison(c->data, c->size);
    free(c->block);
}

bool arena_prepay(struct arena *a, size_t bytes)
{
    if (!a->budget || bytes <= a->reserved)
        return true;
    if (bytes > a->held && !pay(a, bytes - a->held))
        return false;
    a->reserved = bytes;
    return true;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->chunk, a->chunk ? a->chunk->used : 0,
                               a->bytes_used};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
    while (a->chunk != mark.chunk) {
        struct arena_chunk *older = a->chunk->older;
        chunk_free(a, a->chunk);
        a->chunk = older;
    }
    pay_back(payer(a));
    if (a->chunk) {
        a->chunk->used = mark.chunk_used;
        poison(a->chunk->data + mark.chunk_used,
               a->chunk->size - mark.chunk_used);
    }
    a->bytes_used = mark.bytes_used;
    a->failed = false;
}

void arena_clear(struct arena *a, size_t keep)
{
    struct arena_chunk *kept = NULL;
    for (struct arena_chunk *c = a->chunk, *older; c; c = older) {
        older = c->older;
        if (!kept && c->size <= keep)
            kept = c;
        else
            chunk_free(a, c);
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
        poison(kept->data, kept->size);
    }
    a->reserved = 0;
    pay_back(payer(a));
    *a = (struct arena){.chunk = kept,
                        .bytes_max = a->bytes_max,
                        .budget = a->budget,
                        .parent = a->parent,
                        .held = a->held,
                        .paid = a->paid};
}

void arena_free(struct arena *a)
{
    arena_clear(a, 0);
}
