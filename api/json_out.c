#include "api/json_out.h"

#include "api/number.h"
#include "api/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    CAPACITY_FIRST = 4096,
    LOOK_BYTES = 1 << 16, /* written without a look at the stop */
    RUN = 256,            /* numbers that room is made for at once */
};

void json_out_init(struct json_out *out, struct arena *mem, bool pretty)
{
    *out = (struct json_out){.mem = mem, .pretty = pretty};
}

static bool grow_to(struct json_out *out, size_t capacity)
{
    char *text = arena_alloc(out->mem, capacity, 1);
    if (!text)
        return false;
    if (out->len)
        stop_copy(out->mem->stop, text, out->text, out->len);
    out->text = text;
    out->capacity = capacity;
    return true;
}

static bool grow(struct json_out *out, size_t n)
{
    size_t capacity = out->capacity ? out->capacity : CAPACITY_FIRST;
    while (capacity - out->len < n)
        capacity *= 2;
    return grow_to(out, capacity);
}

static bool reserve_more(struct json_out *out, size_t n)
{
    if (out->failed)
        return false;
    if (is_stopped(out->mem->stop) ||
        (n > out->capacity - out->len && !grow(out, n))) {
        out->failed = true;
        return false;
    }
    size_t rest = out->capacity - out->len - n;
    out->until = out->len + n + (rest < LOOK_BYTES ? rest : LOOK_BYTES);
    return true;
}

/* Makes room for n more bytes; false, once and for all, if there is none. */
static inline bool reserve(struct json_out *out, size_t n)
{
    return (!out->failed && n <= out->until - out->len) || reserve_more(out, n);
}

static inline void put(struct json_out *out, char c)
{
    if (reserve(out, 1))
        out->text[out->len++] = c;
}

void out_reserve(struct json_out *out, size_t n)
{
    if (!out->failed && n > out->capacity - out->len)
        out->failed = !grow(out, n);
}

bool out_try_reserve(struct json_out *out, size_t n)
{
    if (out->failed || out->mem->failed)
        return false;
    if (n <= out->capacity - out->len)
        return true;
    struct arena_mark mark = arena_mark(out->mem);
    bool starved = out->mem->starved;
    if (grow_to(out, out->len + n))
        return true;
    arena_release(out->mem, mark);
    out->mem->starved = starved;
    return false;
}

void out_bytes(struct json_out *out, const char *bytes, size_t n)
{
    if (!reserve(out, n))
        return;
    memcpy(out->text + out->len, bytes, n);
    out->len += n;
}

void out_format(struct json_out *out, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(out, (size_t)n + 1)) {
        vsnprintf(out->text + out->len, (size_t)n + 1, format, again);
        out->len += (size_t)n;
    }
    va_end(again);
}

static void new_line(struct json_out *out)
{
    put(out, '\n');
    for (unsigned i = 0; i < out->depth; i++)
        out_bytes(out, "  ", 2);
}

/* What stands between the value before, or the bracket, and this one. */
static void separate(struct json_out *out)
{
    if (out->keyed) {
        out->keyed = false;
        return;
    }
    if (out->comma)
        put(out, ',');
    if (out->pretty && out->depth)
        new_line(out);
}

void out_rewind(struct json_out *out, const struct json_out *before)
{
    out->len = before->len;
    out->comma = before->comma;
    out->keyed = before->keyed;
    out->depth = before->depth;
    out->last = before->last;
}

void out_open(struct json_out *out, char bracket)
{
    separate(out);
    put(out, bracket);
    out->comma = false;
    out->depth++;
}

void out_close(struct json_out *out, char bracket)
{
    out->depth--;
    if (out->pretty && out->comma)
        new_line(out);
    put(out, bracket);
    out->comma = true;
    if (out->pretty && out->depth == 0)
        put(out, '\n');
}

static void value(struct json_out *out, const char *text, size_t n)
{
    separate(out);
    out_bytes(out, text, n);
    out->comma = true;
}

static void escape(struct json_out *out, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i < sizeof(letters) - 1; i += 2)
        if ((unsigned char)letters[i] == c) {
            char pair[2] = {'\\', letters[i + 1]};
            out_bytes(out, pair, sizeof(pair));
            return;
        }
    out_format(out, "\\u%04x", c);
}

/* How many characters can stand as they are, and are ASCII. */
static size_t plain(const char *s)
{
    size_t n = 0;
    while (s[n] >= ' ' && (s[n] & 0x80) == 0 && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

static void quoted(struct json_out *out, const char *s)
{
    const char *end = s + strlen(s);
    put(out, '"');
    while (s < end) {
        size_t n = plain(s);
        out_bytes(out, s, n);
        s += n;
        if (s == end)
            break;
        n = utf8_sequence(s, end);
        if (n == 0)
            out_bytes(out, "\xef\xbf\xbd", 3);
        else if (n == 1 && (*s < ' ' || *s == '"' || *s == '\\'))
            escape(out, (unsigned char)*s);
        else
            out_bytes(out, s, n);
        s += n ? n : 1;
    }
    put(out, '"');
}

void out_key(struct json_out *out, const char *key)
{
    separate(out);
    quoted(out, key);
    out_bytes(out, ": ", out->pretty ? 2 : 1);
    out->keyed = true;
}

void out_string(struct json_out *out, const char *s)
{
    separate(out);
    quoted(out, s);
    out->comma = true;
}

void out_integer(struct json_out *out, int64_t i)
{
    char text[NUMBER_BYTES], *end = text + sizeof(text), *p = end;
    uint64_t rest = i < 0 ? -(uint64_t)i : (uint64_t)i;
    do
        *--p = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (i < 0)
        *--p = '-';
    value(out, p, (size_t)(end - p));
}

void out_boolean(struct json_out *out, bool b)
{
    value(out, b ? "true" : "false", b ? 4 : 5);
}

void out_null(struct json_out *out)
{
    value(out, "null", 4);
}

/* Room for a number where the next value goes, or NULL. */
static char *number_room(struct json_out *out)
{
    separate(out);
    out->comma = true;
    return reserve(out, NUMBER_BYTES) ? out->text + out->len : NULL;
}

/* Writes x at room, which is the end of the text. */
static void put_number(struct json_out *out, double x, char *room)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (out->last.len > 0 && out->last.bits == bits) {
        memcpy(room, out->text + out->last.at, out->last.len);
    } else {
        out->last.bits = bits;
        out->last.at = out->len;
        out->last.len = number_write(x, room);
    }
    out->len += out->last.len;
}

void out_number(struct json_out *out, double x)
{
    char *room = isfinite(x) ? number_room(out) : NULL;
    if (!isfinite(x))
        out_null(out);
    else if (room)
        put_number(out, x, room);
}

void out_float(struct json_out *out, float x)
{
    char *room = isfinite(x) ? number_room(out) : NULL;
    if (!isfinite(x))
        out_null(out);
    else if (room)
        out->len += number_write_float(x, room);
}

/* What separate writes between two items, where there is room for it. */
static inline char *put_gap(const struct json_out *out, char *p)
{
    const size_t indent = 2 * (size_t)out->depth;
    *p++ = ',';
    if (!out->pretty)
        return p;
    *p++ = '\n';
    memset(p, ' ', indent);
    return p + indent;
}

/* Whether item i > 0 has the bits of the one before. */
static inline bool is_same(const void *x, size_t i, bool single)
{
    size_t size = single ? sizeof(float) : sizeof(double);
    const char *item = (const char *)x + i * size;
    return memcmp(item, item - size, size) == 0;
}

/* n finite numbers; the first finds out what stands before it. */
static inline void numbers(struct json_out *out, const void *x, size_t n,
                           bool single)
{
    const size_t bytes = NUMBER_BYTES + 2 + 2 * (size_t)out->depth;
    const float *floats = x;
    const double *doubles = x;
    if (n > 0)
        single ? out_float(out, floats[0]) : out_number(out, doubles[0]);
    for (size_t i = 1; i < n;) {
        size_t end = n - i < RUN ? n : i + RUN;
        if (!reserve(out, (end - i) * bytes) || !out->text)
            return;
        char *p = out->text + out->len;
        size_t len = 0; /* of the number before, as far as it is in this run */
        for (; i < end; i++) {
            const char *before = p - len;
            p = put_gap(out, p);
            if (len > 0 && is_same(x, i, single))
                memcpy(p, before, len);
            else
                len = single ? number_write_float(floats[i], p)
                             : number_write(doubles[i], p);
            p += len;
        }
        out->len = (size_t)(p - out->text);
    }
}

size_t out_numbers(struct json_out *out, const double *x, size_t n)
{
    size_t finite = 0;
    while (finite < n && isfinite(x[finite]))
        finite++;
    numbers(out, x, finite, false);
    return finite;
}

size_t out_floats(struct json_out *out, const float *x, size_t n)
{
    size_t finite = 0;
    while (finite < n && isfinite(x[finite]))
        finite++;
    numbers(out, x, finite, true);
    return finite;
}

void out_raw(struct json_out *out, const char *json)
{
    value(out, json, strlen(json));
}

void out_member_string(struct json_out *out, const char *key, const char *s)
{
    out_key(out, key);
    out_string(out, s);
}

void out_member_integer(struct json_out *out, const char *key, int64_t i)
{
    out_key(out, key);
    out_integer(out, i);
}

void out_member_number(struct json_out *out, const char *key, double x)
{
    out_key(out, key);
    out_number(out, x);
}
