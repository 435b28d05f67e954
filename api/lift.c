#include "api/lift.h"

#include "api/scan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK = 128, /* bytes that are counted together */
    ALIGN = 8    /* doubles: arrays begin where vectors like to */
};

/* Integers below it are doubles too. */
static const double EXACT_MAX = 0x1p53;

/* The wanted patterns that a place fulfils or lies on the way to. */
struct wanted {
    bool here;
    const char *rest[LIFT_WANTED_MAX]; /* "/" and so on, of n that go on */
    size_t n;
};

/* The pass over the text. */
struct pass {
    struct scan s;
    double *number; /* for all arrays */
    size_t used, max;
    struct lift_link link[LIFT_DEPTH_MAX]; /* the place at hand */
    struct lifted *out;
};

/* One array on its way into memory. */
struct sink {
    struct scan *s;
    struct op_tensor *t;
    double *to;
    bool rank_known; /* the innermost array has been seen */
};

/* "NaN", "Infinity" or "-Infinity", quotes included. */
static bool scan_nonfinite(struct scan *s, double *out)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"\"NaN\"", NAN},
                 {"\"Infinity\"", INFINITY},
                 {"\"-Infinity\"", -INFINITY}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i].name);
        if ((size_t)(s->end - s->at) >= n &&
            memcmp(s->at, names[i].name, n) == 0) {
            *out = names[i].value;
            s->at += n;
            return true;
        }
    }
    return false;
}

/* Whether the text of a number is that of an integer. */
static bool is_integer(const char *at, const char *end)
{
    while (at < end && *at != '.' && *at != 'e' && *at != 'E')
        at++;
    return at == end;
}

static inline bool scan_element(struct scan *s, double *out)
{
    bool quoted = scan_peek(s) == '"';
    const char *from = s->at;
    if (quoted)
        return scan_nonfinite(s, out);
    const char *end = scan_number_at(from, s->end, out);
    if (!end)
        return false;
    s->at = end;
    return fabs(*out) < EXACT_MAX || !is_integer(from, end);
}

/* What follows the '[' of an innermost array; how many numbers. */
static bool scan_numbers(struct sink *k, size_t *n)
{
    struct scan s = *k->s; /* a copy, which stays in registers */
    double *to = k->to;
    bool more = true, good = true;
    while (more && good && !is_stopped(s.stop))
        for (size_t i = 0; more && good && i < STOP_STRETCH; i++)
            good = scan_element(&s, to++) && scan_more(&s, ']', &more);
    *n = (size_t)(to - k->to);
    *k->s = s;
    k->to = to;
    return good && !more;
}

static bool scan_nested(struct sink *k, size_t depth);

/* The arrays of dimension depth + 1; how many. */
/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static bool scan_arrays(struct sink *k, size_t depth, size_t *n)
{
    bool more = true;
    for (*n = 0; more; ++*n)
        if ((*n % STOP_STRETCH == 0 && is_stopped(k->s->stop)) ||
            !scan_char(k->s, '[') || !scan_nested(k, depth + 1) ||
            !scan_more(k->s, ']', &more))
            return false;
    return true;
}

/*
 * What follows a '[': dimension `depth` of the array.  The first of each depth
 * says how long they are, all others must be the same.
 */
/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static bool scan_nested(struct sink *k, size_t depth)
{
    struct op_tensor *t = k->t;
    bool first = depth == t->rank, inner = scan_peek(k->s) != '[';
    size_t n;
    if (depth == OP_RANK_MAX || (first && k->rank_known))
        return false;
    if (first)
        t->rank++;
    if (inner) {
        k->rank_known = true;
        if (depth + 1 != t->rank)
            return false;
    }
    if (!(inner ? scan_numbers(k, &n) : scan_arrays(k, depth, &n)))
        return false;
    if (first)
        t->dim[depth] = n;
    return n == t->dim[depth];
}

/* Lifts the array at hand, at a wanted place; false if it is to stay. */
static bool lift_array(struct pass *p, size_t depth)
{
    struct lift *l = &p->out->lift[p->out->n];
    const char *from = p->s.at;
    struct sink k = {.s = &p->s, .t = &l->array, .to = p->number + p->used};
    if (p->out->n == p->max)
        return false;
    l->array = (struct op_tensor){.data = k.to};
    p->s.at++;
    if (!scan_nested(&k, 0)) {
        p->s.at = from;
        return false;
    }
    l->array.n = (size_t)(k.to - (double *)l->array.data);
    l->depth = depth;
    l->text = from;
    l->len = (size_t)(p->s.at - from);
    memcpy(l->link, p->link, sizeof(l->link));
    p->used += (l->array.n + ALIGN - 1) / ALIGN * ALIGN;
    p->out->n++;
    return true;
}

/* A pattern, or what is left of it. */
static void add(struct wanted *w, const char *rest)
{
    if (!*rest) {
        w->here = true;
        return;
    }
    assert(*rest == '/' && w->n < LIFT_WANTED_MAX);
    w->rest[w->n++] = rest;
}

/* What is left of a pattern behind a member or item, or NULL. */
static const char *behind(const char *rest, const struct lift_link *link)
{
    const char *segment = rest + 1;
    size_t n = 0;
    while (link->key && n < link->n && segment[n] == link->key[n] &&
           segment[n] != '/' && segment[n])
        n++;
    if (*segment == '*')
        n = 1;
    else if (!link->key || n != link->n)
        return NULL;
    return segment[n] == '/' || !segment[n] ? segment + n : NULL;
}

/* What is wanted of a member or item of a place. */
static struct wanted step(const struct wanted *w, const struct lift_link *link)
{
    struct wanted next = {.n = 0};
    for (size_t i = 0; i < w->n; i++) {
        const char *rest = behind(w->rest[i], link);
        if (rest)
            add(&next, rest);
    }
    return next;
}

/*
 * What follows walks over the text without judging it.  It need only be right
 * about valid documents and beginnings of them: about all others jansson has
 * the word.
 */

/* A string; whether it has escapes. */
static bool skip_string(struct scan *s)
{
    const char *at = s->at + 1, *end = s->end;
    bool escapes = false;
    for (size_t n = 0; at < end && *at != '"'; at++, n++) {
        if (n % STOP_STRETCH == 0 && is_stopped(s->stop))
            at = end - 1; /* the rest stays as it is */
        if (*at == '\\' && end - at > 1) {
            escapes = true;
            at++;
        }
    }
    s->at = at + (at < end);
    return escapes;
}

static void skip_value(struct scan *s)
{
    size_t open = 0, n = 0;
    for (scan_peek(s); s->at < s->end; s->at++) {
        char c = *s->at;
        if (++n % STOP_STRETCH == 0 && is_stopped(s->stop)) {
            s->at = s->end;
            return;
        }
        bool closes = c == ']' || c == '}';
        if (open == 0 && (closes || c == ',' || c == ' ' || c == '\n' ||
                          c == '\t' || c == '\r'))
            return; /* after a number or a word */
        if (c == '[' || c == '{')
            open++;
        if (c == '"') {
            skip_string(s);
            s->at--;
        }
        open -= closes;
        if (open == 0 && (closes || c == '"')) {
            s->at++;
            return;
        }
    }
}

static void walk(struct pass *p, const struct wanted *w, size_t depth);

/* NOLINTNEXTLINE(misc-no-recursion): LIFT_DEPTH_MAX deep */
static void walk_member(struct pass *p, const struct wanted *w, size_t depth)
{
    struct scan *s = &p->s;
    struct wanted next = {.n = 0};
    if (scan_peek(s) != '"')
        return;
    const char *key = s->at + 1;
    bool escapes = skip_string(s);
    if (!escapes && s->at > key) {
        p->link[depth] = (struct lift_link){key, (size_t)(s->at - 1 - key)};
        next = step(w, &p->link[depth]);
    }
    if (scan_char(s, ':'))
        walk(p, &next, depth + 1);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIFT_DEPTH_MAX deep */
static void walk_item(struct pass *p, const struct wanted *w, size_t depth,
                      size_t item)
{
    p->link[depth] = (struct lift_link){NULL, item};
    struct wanted next = step(w, &p->link[depth]);
    walk(p, &next, depth + 1);
}

/* NOLINTNEXTLINE(misc-no-recursion): LIFT_DEPTH_MAX deep */
static void walk_inside(struct pass *p, const struct wanted *w, size_t depth)
{
    struct scan *s = &p->s;
    char open = *s->at++, closing = open == '{' ? '}' : ']';
    bool more = scan_peek(s) != closing;
    assert(depth < LIFT_DEPTH_MAX);
    if (!more)
        s->at++;
    for (size_t item = 0; more; item++) {
        if (item % STOP_STRETCH == 0 && is_stopped(s->stop)) {
            s->at = s->end;
            return;
        }
        if (open == '{')
            walk_member(p, w, depth);
        else
            walk_item(p, w, depth, item);
        if (!scan_more(s, closing, &more)) {
            s->at = s->end; /* no document: the rest stays as it is */
            return;
        }
    }
}

/* A value, of which the arrays that are wanted are lifted. */
/* NOLINTNEXTLINE(misc-no-recursion): LIFT_DEPTH_MAX deep */
static void walk(struct pass *p, const struct wanted *w, size_t depth)
{
    char c = scan_peek(&p->s);
    if (c == '[' && w->here && lift_array(p, depth))
        return;
    if ((c == '[' || c == '{') && w->n > 0)
        walk_inside(p, w, depth);
    else
        skip_value(&p->s);
}

/* At most so many numbers are in arrays: each is before one of these. */
static size_t numbers_max(const char *text, size_t len, const atomic_bool *stop)
{
    size_t n = 1; /* the one that the text ends after */
    for (size_t i = 0; i < len && !is_stopped(stop); i += BLOCK) {
        uint8_t some = 0; /* one byte, so that many are counted at once */
        size_t end = len - i < BLOCK ? len : i + BLOCK;
        for (size_t j = i; j < end; j++)
            some = (uint8_t)(some + ((text[j] == ',') | (text[j] == ']')));
        n += some;
    }
    return n;
}

/* Fills *lifted; where memory is short nothing is lifted. */
static void lift(const char *text, size_t len, const char *const *wanted,
                 size_t max, struct arena *mem, struct lifted *lifted)
{
    struct pass p = {.s = {.at = text, .end = text + len, .stop = mem->stop},
                     .out = lifted};
    struct wanted w = {.n = 0};
    size_t n = numbers_max(text, len, mem->stop);
    for (size_t i = 0; wanted[i]; i++)
        add(&w, wanted[i]);
    p.max = n < max ? n : max;
    lifted->lift = arena_alloc(mem, p.max, sizeof(*lifted->lift));
    p.number = arena_alloc(mem, n + p.max * ALIGN, sizeof(*p.number));
    if (!lifted->lift || !p.number || is_stopped(mem->stop))
        return;
    walk(&p, &w, 0);
    arena_trim(mem, p.number, p.used * sizeof(*p.number));
}

/* The text with null for what was lifted; NULL if there is no memory. */
static char *skeleton(const char *text, size_t len, const struct lifted *lifted,
                      struct arena *mem, size_t *out_len)
{
    static const char null[] = {'n', 'u', 'l', 'l'};
    const char *from = text;
    size_t n = len + lifted->n * sizeof(null);
    for (size_t i = 0; i < lifted->n; i++)
        n -= lifted->lift[i].len;
    char *out = arena_alloc(mem, n, 1), *to = out;
    *out_len = n;
    for (size_t i = 0; out && i < lifted->n; i++) {
        const struct lift *l = &lifted->lift[i];
        n = (size_t)(l->text - from);
        stop_copy(mem->stop, to, from, n);
        to = mempcpy(to + n, null, sizeof(null));
        from = l->text + l->len;
    }
    if (out)
        stop_copy(mem->stop, to, from, (size_t)(text + len - from));
    return is_stopped(mem->stop) ? NULL : out;
}

const json_t *lift_read(const char *text, size_t len, const char *const *wanted,
                        size_t max, struct arena *mem, struct lifted *lifted,
                        struct api_error *err)
{
    struct arena_mark mark = arena_mark(mem);
    size_t n, n_err = err->n;
    const json_t *doc = NULL;
    *lifted = (struct lifted){.n = 0};
    lift(text, len, wanted, max, mem, lifted);
    if (lifted->n > 0) {
        char *rest = skeleton(text, len, lifted, mem, &n);
        doc = rest ? json_read(rest, n, mem, err) : NULL;
    }
    if (doc || is_stopped(mem->stop))
        return doc;
    /* nothing lifted, or a fault, which has its place in the whole text */
    arena_release(mem, mark);
    *lifted = (struct lifted){.n = 0};
    err->n = n_err;
    return json_read(text, len, mem, err);
}

static bool is_at(const struct lift *l, const struct at *at)
{
    size_t d = l->depth;
    for (; at && d > 0; at = at->in) {
        const struct lift_link *link = &l->link[--d];
        if (!at->key != !link->key)
            return false;
        if (at->key ? strlen(at->key) != link->n ||
                          memcmp(at->key, link->key, link->n) != 0
                    : at->item != link->n)
            return false;
    }
    return !at && d == 0;
}

struct op_tensor *lift_find(struct lifted *lifted, const struct at *at)
{
    for (size_t n = lifted ? lifted->n : 0, i = 0; i < n; i++) {
        size_t row = (lifted->next + i) % n;
        if (is_at(&lifted->lift[row], at)) {
            lifted->next = row + 1;
            return &lifted->lift[row].array;
        }
    }
    return NULL;
}
