#include "api/operation_scan.h"

#include <math.h>
#include <string.h>

/* Where a tensor's numbers go, one after the other. */
struct sink {
    struct scan *s;
    struct op_tensor *t;
    enum { NUMBERS, INTEGERS, FLAGS } as;
    size_t n;
    bool rank_known; /* the innermost array has been seen */
};

/* At most so many numbers can follow: one more than there are commas. */
static size_t numbers_max(const struct scan *s)
{
    size_t n = 1, left = (size_t)(s->end - s->at);
    enum { BLOCK = 128 };
    for (size_t i = 0; i < left; i += BLOCK) {
        uint8_t some = 0; /* one byte, so that many are counted at once */
        size_t end = left - i < BLOCK ? left : i + BLOCK;
        for (size_t j = i; j < end; j++)
            some = (uint8_t)(some + (s->at[j] == ','));
        n += some;
    }
    return n;
}

/* "NaN", "Infinity" or "-Infinity", quotes included. */
static bool scan_nonfinite(struct scan *s, double *out)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"\"NaN\"", NAN},
                 {"\"Infinity\"", INFINITY},
                 {"\"-Infinity\"", -INFINITY}};
    struct span word;
    if (!scan_string(s, &word))
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (word.len == strlen(names[i].name) &&
            memcmp(word.text, names[i].name, word.len) == 0) {
            *out = names[i].value;
            return true;
        }
    return false;
}

static bool scan_one(struct sink *k)
{
    size_t i = k->n++;
    int64_t *integers = k->t->data;
    double *numbers = k->t->data;
    char c = scan_peek(k->s);
    if (k->as == NUMBERS)
        return c == '"' ? scan_nonfinite(k->s, &numbers[i])
                        : scan_number(k->s, &numbers[i]);
    if (k->as == FLAGS && (c == 't' || c == 'f')) {
        integers[i] = c == 't';
        return scan_skip(k->s);
    }
    return scan_integer(k->s, &integers[i]);
}

static bool scan_list(struct sink *k)
{
    bool more = true;
    while (more)
        if (!scan_one(k) || !scan_more(k->s, ']', &more))
            return false;
    return true;
}

static bool scan_nested(struct sink *k, size_t depth);

/* The arrays of dimension depth + 1; how many. */
/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static bool scan_arrays(struct sink *k, size_t depth, size_t *n)
{
    bool more = true;
    for (*n = 0; more; ++*n)
        if (!scan_char(k->s, '[') || !scan_nested(k, depth + 1) ||
            !scan_more(k->s, ']', &more))
            return false;
    return true;
}

/* An innermost array, which is as deep as all others. */
static bool scan_innermost(struct sink *k, size_t depth, size_t *n)
{
    size_t before = k->n;
    k->rank_known = true;
    if (depth + 1 != k->t->rank)
        return false;
    if (scan_peek(k->s) == ']')
        k->s->at++;
    else if (!scan_list(k))
        return false;
    *n = k->n - before;
    return true;
}

/*
 * What follows a '[': dimension `depth` of the tensor.  The first array of
 * each depth says how long they are, all others must be the same.
 */
/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static bool scan_nested(struct sink *k, size_t depth)
{
    struct op_tensor *t = k->t;
    bool first = depth == t->rank;
    size_t n = 0;
    if (depth == OP_RANK_MAX || (first && k->rank_known))
        return false;
    if (first)
        t->rank++;
    if (!(scan_peek(k->s) == '[' ? scan_arrays(k, depth, &n)
                                 : scan_innermost(k, depth, &n)))
        return false;
    if (first)
        t->dim[depth] = n;
    return n == t->dim[depth];
}

static bool begin(struct sink *k, struct arena *mem)
{
    k->n = 0;
    k->t->data = arena_alloc(mem, numbers_max(k->s), sizeof(double));
    return k->t->data;
}

static bool finish(struct sink *k, struct arena *mem)
{
    size_t n = 1;
    for (size_t d = 0; d < k->t->rank; d++)
        if (__builtin_mul_overflow(n, k->t->dim[d], &n))
            return false;
    if (n != k->n)
        return false;
    k->t->n = n;
    arena_trim(mem, k->t->data, n * sizeof(double));
    return true;
}

static bool scan_shape(struct scan *s, struct op_tensor *t)
{
    bool more = true;
    t->rank = 0;
    if (!scan_char(s, '['))
        return false;
    if (scan_peek(s) == ']')
        return scan_char(s, ']');
    while (more) {
        int64_t n;
        if (t->rank == OP_RANK_MAX || !scan_integer(s, &n) || n < 0 ||
            !scan_more(s, ']', &more))
            return false;
        t->dim[t->rank++] = (size_t)n;
    }
    return true;
}

static bool is_key(const struct span *key, const char *name)
{
    return key->len == strlen(name) && memcmp(key->text, name, key->len) == 0;
}

/* {"shape": …, "data": …} in either order. */
static bool scan_flat(struct sink *k, struct arena *mem)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0;
    bool more = true;
    k->t->data = NULL;
    k->t->rank = OP_RANK_MAX + 1;
    k->s->at++;
    while (more) {
        if (!scan_key(k->s, &key, seen, &n_seen))
            return false;
        if (is_key(&key, "shape")) {
            if (!scan_shape(k->s, k->t))
                return false;
        } else if (!is_key(&key, "data") || !begin(k, mem) ||
                   !scan_char(k->s, '[') ||
                   (scan_peek(k->s) == ']' ? !scan_char(k->s, ']')
                                           : !scan_list(k))) {
            return false;
        }
        if (!scan_more(k->s, '}', &more))
            return false;
    }
    return k->t->data && k->t->rank <= OP_RANK_MAX && finish(k, mem);
}

static bool scan_tensor(struct scan *s, const struct op_port *port,
                        struct op_tensor *t, bool *flat, struct arena *mem)
{
    struct sink k = {.s = s, .t = t};
    char c = scan_peek(s);
    k.as = port->kind == OP_FLAG    ? FLAGS
           : port->kind == OP_INDEX ? INTEGERS
                                    : NUMBERS;
    *flat = c == '{';
    if (*flat)
        return scan_flat(&k, mem);
    t->rank = 0;
    if (!begin(&k, mem))
        return false;
    if (c != '[')
        return scan_one(&k) && finish(&k, mem);
    s->at++;
    return scan_nested(&k, 0) && finish(&k, mem);
}

static bool scan_inputs(struct scan *s, const struct op *op, struct arena *mem,
                        struct operation_inputs *inputs)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0;
    bool more = true;
    if (!scan_char(s, '{'))
        return false;
    while (more) {
        size_t i = 0;
        if (!scan_key(s, &key, seen, &n_seen))
            return false;
        while (op->in[i].name && !is_key(&key, op->in[i].name))
            if (++i == OP_INPUTS_MAX)
                return false;
        if (!op->in[i].name)
            return false;
        if (!scan_tensor(s, &op->in[i], &inputs->in[i], &inputs->flat[i],
                         mem) ||
            !scan_more(s, '}', &more))
            return false;
    }
    return true;
}

/* An object of members that are text. */
static bool join(const struct span *piece, size_t n, struct arena *mem,
                 struct span *out)
{
    size_t bytes = 2 + n, at = 0;
    for (size_t i = 0; i < n; i++)
        bytes += piece[i].len;
    char *text = arena_alloc(mem, bytes, 1);
    if (!text)
        return false;
    text[at++] = '{';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text[at++] = ',';
        memcpy(text + at, piece[i].text, piece[i].len);
        at += piece[i].len;
    }
    text[at++] = '}';
    *out = (struct span){text, at};
    return true;
}

/* The members of the body: inputs are read, the others copied to rest. */
static bool scan_body(struct scan *s, const struct op *op, struct arena *mem,
                      struct operation_inputs *inputs, struct span *rest)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0, n = 0;
    struct span piece[SCAN_MEMBERS_MAX];
    bool more = true;
    if (!scan_char(s, '{'))
        return false;
    while (more) {
        if (!scan_key(s, &key, seen, &n_seen))
            return false;
        if (is_key(&key, "inputs")) {
            if (!scan_inputs(s, op, mem, inputs))
                return false;
        } else {
            const char *from = key.text - 1;
            if (!scan_skip(s))
                return false;
            piece[n++] = (struct span){from, (size_t)(s->at - from)};
        }
        if (!scan_more(s, '}', &more))
            return false;
    }
    return scan_peek(s) == '\0' && s->at == s->end && n < n_seen &&
           join(piece, n, mem, rest);
}

bool operation_scan(const char *text, size_t len, const struct op *op,
                    struct arena *mem, struct operation_inputs *inputs,
                    struct span *rest)
{
    struct scan s = {.at = text, .end = text + len};
    struct arena_mark mark = arena_mark(mem);
    *inputs = (struct operation_inputs){.flat = {false}};
    if (scan_body(&s, op, mem, inputs, rest))
        return true;
    arena_release(mem, mark);
    return false;
}
