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

enum { ALIGN = 64, CHUNK_BYTES_MIN = 1 << 16 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* bytes of data */
    size_t used;
    _Alignas(ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t bytes_max)
{
    *a = (struct arena){.bytes_max = bytes_max};
}

/* Each chunk is as large as all before it, so there are few of them. */
static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
    size_t size = a->chunk ? a->chunk->size * 2 : CHUNK_BYTES_MIN;
    if (size > a->bytes_max)
        size = a->bytes_max;
    if (size < need)
        size = need;
    size = size / ALIGN * ALIGN + ALIGN;
    struct arena_chunk *c = aligned_alloc(ALIGN, sizeof(*c) + size);
    if (!c)
        return NULL;
    *c = (struct arena_chunk){.older = a->chunk, .size = size};
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
    if (!a->chunk || bytes > a->chunk->size - a->chunk->used)
        (void)chunk_new(a, bytes + bytes / 8); /* the next time fits, too */
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return fail(a);
    bytes = rounded(bytes);
    if (bytes > a->bytes_max - a->bytes_used)
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
    void *p = arena_alloc(a, n, size);
    if (p)
        memset(p, 0, n * size);
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

static void chunk_free(struct arena_chunk *c)
{
    unpoison(c->data, c->size);
    free(c);
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
        chunk_free(a->chunk);
        a->chunk = older;
    }
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
            chunk_free(c);
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
        poison(kept->data, kept->size);
    }
    *a = (struct arena){.chunk = kept, .bytes_max = a->bytes_max};
}

void arena_free(struct arena *a)
{
    arena_clear(a, 0);
}
