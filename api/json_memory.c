#include "api/json_memory.h"

#include "api/json_build.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 16, ALIGN = 16 };

/*
 * Where jansson's blocks come from while this thread loads a document, and
 * where to go when there are no more: jansson 2.14 does not survive every
 * NULL (its lexer loses the end of a long string), so it is never given one.
 * Nothing is lost by leaving it, as all it holds is in the arena.
 */
struct pile {
    struct arena *mem;
    char *at;
    size_t left;
    const char *text; /* what jansson has not asked for yet */
    size_t len;
    jmp_buf spent;
};

static _Thread_local struct pile *pile;

static void *take(size_t n)
{
    if (!pile)
        return malloc(n);
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n > pile->left) {
        size_t bytes = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        pile->at = arena_alloc(pile->mem, bytes, 1);
        pile->left = pile->at ? bytes : 0;
        if (!pile->at)
            longjmp(pile->spent, 1);
    }
    void *p = pile->at;
    pile->at += n;
    pile->left -= n;
    return p;
}

static void give(void *p)
{
    if (!pile)
        free(p);
}

/* jansson has one pair of functions for the whole program: before main. */
__attribute__((constructor)) static void set_functions(void)
{
    json_set_alloc_funcs(take, give);
}

/*
 * The next bytes of the text.  jansson takes a kilobyte at a time, and is left
 * here, too, once nobody wants the document any more.
 */
static size_t next_bytes(void *to, size_t room, void *of)
{
    struct pile *p = of;
    size_t n = p->len < room ? p->len : room;
    if (is_stopped(p->mem->stop))
        longjmp(p->spent, 1);
    memcpy(to, p->text, n);
    p->text += n;
    p->len -= n;
    return n;
}

json_t *json_load_in(const char *text, size_t len, struct arena *mem,
                     json_error_t *error, bool *spent)
{
    struct pile here = {.mem = mem, .text = text, .len = len};
    struct arena_mark mark = arena_mark(mem);
    *spent = false;
    if (setjmp(here.spent)) {
        pile = NULL;
        *spent = true;
        return NULL;
    }
    pile = &here;
    json_t *doc = json_build(text, len, mem->stop);
    if (!doc) {
        if (is_stopped(mem->stop)) /* giving back takes its time, too */
            longjmp(here.spent, 1);
        arena_release(mem, mark);
        here.left = 0;
        doc = json_load_callback(
            next_bytes, &here, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
    }
    pile = NULL;
    return doc;
}
