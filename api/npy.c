#include "api/npy.h"

#include "api/npy_type.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { MAGIC_BYTES = 6, ALIGN = 64, GROWTH_DIGITS = 21 };

static const char MAGIC[] = "\x93NUMPY";

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const char MINE = '<', OTHER = '>';
#else
static const char MINE = '>', OTHER = '<';
#endif

int npy_fail(struct npy *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->why, sizeof(a->why), format, args);
    va_end(args);
    return -1;
}

/* The header's text: a literal of Python. */
struct text {
    struct npy *a;
    const char *begin, *at, *end;
};

static int malformed(const struct text *t, const char *expected)
{
    return npy_fail(t->a, "has a malformed header: %s is expected at byte %zu",
                    expected, (size_t)(t->at - t->begin));
}

/* The next character that is no white space; '\0' at the end. */
static char peek(struct text *t)
{
    while (t->at < t->end && *t->at && strchr(" \t\n\r\f", *t->at))
        t->at++;
    if (t->at == t->end)
        return '\0';
    return *t->at;
}

static bool take(struct text *t, char c)
{
    if (peek(t) != c || t->at == t->end)
        return false;
    t->at++;
    return true;
}

struct word {
    const char *text;
    size_t len;
};

static bool is(const struct word *w, const char *s)
{
    return w->len == strlen(s) && memcmp(w->text, s, w->len) == 0;
}

/* What stands in single or double quotes, without escapes. */
static int read_string(struct text *t, struct word *w)
{
    char quote = peek(t);
    if (quote != '\'' && quote != '"')
        return malformed(t, "a string");
    w->text = ++t->at;
    while (t->at < t->end && *t->at != quote && *t->at != '\\' &&
           *t->at != '\n')
        t->at++;
    w->len = (size_t)(t->at - w->text);
    if (t->at == t->end || *t->at != quote)
        return malformed(t, "the end of a string");
    t->at++;
    return 0;
}

/* As much of the header as a message has room for. */
static int fail_descr(const struct text *t, const char *from, const char *to)
{
    char all[128] = "";
    size_t n = 0, len = (size_t)(to - from);
    for (size_t i = 0; i < npy_n_types; i++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "",
                              npy_types[i].name);
    return npy_fail(t->a,
                    "has the descr %.*s%s; read are %s, with <, >, = or | "
                    "before",
                    len < 60 ? (int)len : 60, from, len < 60 ? "" : "...", all);
}

static int read_descr(struct text *t)
{
    char quote = peek(t);
    const char *from = t->at;
    struct word w = {"", 0};
    if (quote == '[' || quote == '(' || quote == '{')
        return fail_descr(t, from, t->end);
    if (read_string(t, &w))
        return -1;
    for (size_t i = 0; i < npy_n_types && w.len == 3; i++)
        if (memcmp(w.text + 1, npy_types[i].name, 2) == 0)
            t->a->type = &npy_types[i];
    if (!t->a->type || !w.text[0] || !strchr("<>=|", w.text[0]))
        return fail_descr(t, from, t->at);
    t->a->swapped = w.text[0] == OTHER;
    return 0;
}

static int read_order(struct text *t)
{
    static const char *const words[] = {"False", "True"};
    (void)peek(t);
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(t->end - t->at) < n || memcmp(t->at, words[i], n) != 0)
            continue;
        t->at += n;
        t->a->fortran = i == 1;
        return 0;
    }
    return malformed(t, "True or False");
}

static int read_size(struct text *t, size_t *size)
{
    bool none = true;
    *size = 0;
    for ((void)peek(t); t->at < t->end && *t->at >= '0' && *t->at <= '9';
         t->at++, none = false)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, (size_t)(*t->at - '0'), size))
            return npy_fail(t->a, "has a dimension that cannot be counted");
    return none ? malformed(t, "a size of the shape") : 0;
}

/* (), (2,) or (2, 3) */
static int read_shape(struct text *t)
{
    struct npy *a = t->a;
    bool comma = true;
    if (!take(t, '('))
        return malformed(t, "a tuple such as (2, 3)");
    for (a->rank = 0; !take(t, ')'); a->rank++) {
        if (!comma)
            return malformed(t, "a comma of the shape");
        if (a->rank == NPY_RANK_MAX)
            return npy_fail(a, "has more than %d dimensions", NPY_RANK_MAX);
        if (read_size(t, &a->dim[a->rank]))
            return -1;
        comma = take(t, ',');
    }
    if (a->rank == 1 && !comma)
        return malformed(t, "a comma before the end of a shape of one size");
    return 0;
}

static const struct {
    const char *key;
    int (*read)(struct text *t);
} members[] = {
    {"descr", read_descr},
    {"fortran_order", read_order},
    {"shape", read_shape},
};

static int read_member(struct text *t, bool seen[COUNT(members)])
{
    struct word key = {"", 0};
    if (read_string(t, &key))
        return -1;
    if (!take(t, ':'))
        return malformed(t, "a colon");
    for (size_t i = 0; i < COUNT(members); i++) {
        if (!is(&key, members[i].key))
            continue;
        if (seen[i])
            return npy_fail(t->a, "has '%s' twice in its header",
                            members[i].key);
        seen[i] = true;
        return members[i].read(t);
    }
    return npy_fail(t->a,
                    "has '%.*s' in its header, which may have descr, "
                    "fortran_order and shape",
                    key.len < 40 ? (int)key.len : 40, key.text);
}

static int read_dict(struct text *t)
{
    bool seen[COUNT(members)] = {false}, comma = true;
    if (!take(t, '{'))
        return malformed(t, "{");
    while (!take(t, '}')) {
        if (!comma)
            return malformed(t, "a comma");
        if (read_member(t, seen))
            return -1;
        comma = take(t, ',');
    }
    for (size_t i = 0; i < COUNT(members); i++)
        if (!seen[i])
            return npy_fail(t->a, "has no '%s' in its header", members[i].key);
    if (peek(t) || t->at < t->end)
        return malformed(t, "nothing more");
    return 0;
}

/* Whether the data is as long as shape and type say. */
static int check_length(struct npy *a, size_t len)
{
    size_t bytes;
    a->n = 1;
    for (size_t d = 0; d < a->rank; d++)
        if (__builtin_mul_overflow(a->n, a->dim[d], &a->n))
            return npy_fail(a, "has more elements than can be counted");
    if (__builtin_mul_overflow(a->n, npy_size(a->type), &bytes))
        return npy_fail(a, "has more elements than can be counted");
    if (bytes == len)
        return 0;
    return npy_fail(a, "has %zu bytes of data, must have %zu: %zu of %s", len,
                    bytes, a->n, a->type->name);
}

/* Little-endian, of n bytes. */
static size_t read_length(const char *p, size_t n)
{
    size_t len = 0;
    while (n-- > 0)
        len = len << 8 | (unsigned char)p[n];
    return len;
}

int npy_open(struct npy *a, const char *text, size_t len)
{
    memset(a, 0, sizeof(*a));
    if (len < MAGIC_BYTES || memcmp(text, MAGIC, MAGIC_BYTES) != 0)
        return npy_fail(a, "does not begin as a .npy file does, with "
                           "\\x93NUMPY");
    if (len < MAGIC_BYTES + 2)
        return npy_fail(a, "ends within its header");
    unsigned major = (unsigned char)text[MAGIC_BYTES];
    unsigned minor = (unsigned char)text[MAGIC_BYTES + 1];
    if (major < 1 || major > 3 || minor != 0)
        return npy_fail(a, "is of .npy version %u.%u; read are 1.0, 2.0, 3.0",
                        major, minor);
    size_t width = major == 1 ? 2 : 4, before = MAGIC_BYTES + 2 + width;
    if (len < before)
        return npy_fail(a, "ends within its header");
    size_t header = read_length(text + before - width, width);
    if (header > NPY_HEADER_MAX)
        return npy_fail(a, "has a header of %zu bytes, may have %d", header,
                        NPY_HEADER_MAX);
    if (header > len - before)
        return npy_fail(a, "ends within its header");
    struct text t = {a, text + before, text + before, text + before + header};
    if (read_dict(&t))
        return -1;
    a->data = t.end;
    return check_length(a, len - before - header);
}

/* Spaces, up to n bytes. */
static size_t pad(char *head, size_t at, size_t n)
{
    while (at < n)
        head[at++] = ' ';
    return at;
}

/*
 * The dict, room for its first dimension to grow to GROWTH_DIGITS, and spaces
 * and a line end up to the next multiple of ALIGN; where it ends on one, numpy
 * goes on to the next.
 */
size_t npy_head(char head[NPY_HEAD_BYTES], const char *type, size_t rank,
                const size_t *dim)
{
    size_t room = NPY_HEAD_BYTES, n = MAGIC_BYTES + 4;
    n += (size_t)snprintf(head + n, room - n,
                          "{'descr': '%c%s', 'fortran_order': False, "
                          "'shape': (",
                          MINE, type);
    for (size_t d = 0; d < rank; d++)
        n += (size_t)snprintf(head + n, room - n, d ? ", %zu" : "%zu", dim[d]);
    n += (size_t)snprintf(head + n, room - n, rank == 1 ? ",), }" : "), }");
    if (rank > 0) {
        size_t digits = (size_t)snprintf(NULL, 0, "%zu", dim[0]);
        n = pad(head, n, n + GROWTH_DIGITS - digits);
    }
    n = pad(head, n, n + ALIGN - (n + 1) % ALIGN);
    head[n++] = '\n';
    memcpy(head, MAGIC, MAGIC_BYTES);
    head[MAGIC_BYTES] = 1;
    head[MAGIC_BYTES + 1] = 0;
    head[MAGIC_BYTES + 2] = (char)((n - MAGIC_BYTES - 4) & 255);
    head[MAGIC_BYTES + 3] = (char)((n - MAGIC_BYTES - 4) >> 8);
    return n;
}
