/*
 * Allocations that fail when a test says so: those of arenas, or those of the
 * heap.
 *
 * The linker leads calls of arena_alloc and arena_zero here (--wrap, see the
 * Makefile).  Of the heap it is seen what anybody takes, the libraries too, as
 * a program's malloc goes before that of the C library.  A sanitizer must have
 * malloc for itself: then --wrap shows what evald's own code takes, jansson
 * by its hooks among it, and the other libraries' allocations do not fail.
 *
 * For one file of a test, with one thread.
 */
#ifndef EVALD_TESTS_FAILING_H
#define EVALD_TESTS_FAILING_H

#include "core/arena.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WRAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRAPS 1
#endif
#endif

enum failing_what { FAILING_NOTHING, FAILING_ARENA, FAILING_HEAP };

/* Which allocations fail, and what was seen since failing_begin. */
static struct {
    enum failing_what what;
    size_t first, last; /* counted from 0; both fail, and those between */
    size_t seen;
    ptrdiff_t live; /* blocks of the heap, since the program began */
} failing;

/* Counts what is allocated, and has it fail from first to last. */
static inline void failing_begin(enum failing_what what, size_t first,
                                 size_t last)
{
    failing.what = what;
    failing.first = first;
    failing.last = last;
    failing.seen = 0;
}

/* How many allocations there were. */
static inline size_t failing_end(void)
{
    failing.what = FAILING_NOTHING;
    return failing.seen;
}

static inline int fails(enum failing_what what)
{
    if (failing.what != what)
        return 0;
    size_t i = failing.seen++;
    return i >= failing.first && i <= failing.last;
}

void *__real_arena_alloc(struct arena *a, size_t n, size_t size);
void *__wrap_arena_alloc(struct arena *a, size_t n, size_t size);
void *__real_arena_zero(struct arena *a, size_t n, size_t size);
void *__wrap_arena_zero(struct arena *a, size_t n, size_t size);

void *__wrap_arena_alloc(struct arena *a, size_t n, size_t size)
{
    if (!fails(FAILING_ARENA))
        return __real_arena_alloc(a, n, size);
    a->failed = true;
    return NULL;
}

void *__wrap_arena_zero(struct arena *a, size_t n, size_t size)
{
    if (!fails(FAILING_ARENA))
        return __real_arena_zero(a, n, size);
    a->failed = true;
    return NULL;
}

#ifdef WRAPS
#define OURS(name) __wrap_##name
#define THEIRS(name) __real_##name
#define ALIGNED __real_aligned_alloc
#else
#define OURS(name) name
#define THEIRS(name) __libc_##name
#define ALIGNED __libc_memalign
#endif

void *THEIRS(malloc)(size_t n);
void *THEIRS(calloc)(size_t n, size_t size);
void *THEIRS(realloc)(void *p, size_t n);
void *ALIGNED(size_t align, size_t n);
void THEIRS(free)(void *p);
#ifdef WRAPS
void *OURS(malloc)(size_t n);
void *OURS(calloc)(size_t n, size_t size);
void *OURS(realloc)(void *p, size_t n);
void *OURS(aligned_alloc)(size_t align, size_t n);
void OURS(free)(void *p);
char *OURS(strdup)(const char *s);
#endif

static inline int heap_fails(void)
{
    if (!fails(FAILING_HEAP))
        return 0;
    errno = ENOMEM;
    return 1;
}

static inline void *counted(void *p)
{
    failing.live += p != NULL;
    return p;
}

void *OURS(malloc)(size_t n)
{
    return heap_fails() ? NULL : counted(THEIRS(malloc)(n));
}

void *OURS(calloc)(size_t n, size_t size)
{
    return heap_fails() ? NULL : counted(THEIRS(calloc)(n, size));
}

void *OURS(realloc)(void *p, size_t n)
{
    if (heap_fails())
        return NULL;
    void *larger = THEIRS(realloc)(p, n);
    failing.live += !p && larger;
    return larger;
}

void *OURS(aligned_alloc)(size_t align, size_t n)
{
    return heap_fails() ? NULL : counted(ALIGNED(align, n));
}

void OURS(free)(void *p)
{
    failing.live -= p != NULL;
    THEIRS(free)(p);
}

#ifdef WRAPS
char *OURS(strdup)(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = OURS(malloc)(n);
    return copy ? memcpy(copy, s, n) : NULL;
}
#endif

#endif
