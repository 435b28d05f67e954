#include "api/detection_table.h"

#include <string.h>

static void complete_annotation(struct table *t, unsigned found);
static void complete_box(struct table *t, unsigned found);

/* The shortest of each: every number one digit, no blanks. */
const struct kind image_kind = {{{"id", INTEGER, true}}, 1, 9, NULL};
const struct kind category_kind = {
    {{"id", INTEGER, true}, {"name", NAME, false}}, 2, 9, NULL};
const struct kind annotation_kind = {
    {[ANNOTATION_ID] = {"id", INTEGER, true},
     [ANNOTATION_IMAGE] = {"image_id", INTEGER, true},
     [ANNOTATION_CATEGORY] = {"category_id", INTEGER, true},
     [ANNOTATION_BOX] = {"bbox", BOX, true},
     [ANNOTATION_AREA] = {"area", NUMBER, false},
     [ANNOTATION_CROWD] = {"iscrowd", FLAG, false},
     [ANNOTATION_IGNORE] = {"ignore", FLAG, false}},
    7,
    55,
    complete_annotation};
const struct kind detection_kind = {
    {[DETECTION_IMAGE] = {"image_id", INTEGER, true},
     [DETECTION_CATEGORY] = {"category_id", INTEGER, true},
     [DETECTION_BOX] = {"bbox", BOX, true},
     [DETECTION_SCORE] = {"score", NUMBER, true}},
    4,
    58,
    complete_box};
const struct kind detection_column[DETECTION_FIELDS] = {
    [DETECTION_IMAGE] = {{{NULL, INTEGER, true}}, 1, 2, NULL},
    [DETECTION_CATEGORY] = {{{NULL, INTEGER, true}}, 1, 2, NULL},
    [DETECTION_BOX] = {{{NULL, BOX, true}}, 1, 10, complete_box},
    [DETECTION_SCORE] = {{{NULL, NUMBER, true}}, 1, 2, NULL}};

/* Bytes of one value in a column. */
static size_t width(enum field_type type)
{
    static const size_t widths[] = {[INTEGER] = sizeof(int64_t),
                                    [NUMBER] = sizeof(double),
                                    [BOX] = 4 * sizeof(double),
                                    [FLAG] = sizeof(uint8_t),
                                    [NAME] = sizeof(const char *)};
    return widths[type];
}

size_t table_row_bytes(const struct kind *kind)
{
    size_t bytes = 0;
    for (size_t f = 0; f < kind->n; f++)
        bytes += width(kind->field[f].type);
    return bytes;
}

static struct quoted_key quote(const char *key)
{
    struct quoted_key q = {.len = strlen(key) + 3};
    char text[sizeof(q.word)] = "", mask[sizeof(q.mask)] = "";
    if (q.len > sizeof(text))
        return (struct quoted_key){.len = 0};
    memcpy(text + 1, key, q.len - 3);
    text[0] = text[q.len - 2] = '"';
    text[q.len - 1] = ':';
    memset(mask, 0xff, q.len);
    memcpy(q.word, text, sizeof(text));
    memcpy(q.mask, mask, sizeof(mask));
    return q;
}

void table_init(struct table *t, const struct kind *kind)
{
    *t = (struct table){.kind = kind};
    for (size_t f = 0; f < kind->n; f++)
        if (kind->field[f].key)
            t->key[f] = quote(kind->field[f].key);
}

/* Flags come last in every kind, so that all else stays aligned. */
void table_over(struct table *t, const struct kind *kind, void *memory,
                size_t n)
{
    char *at = memory;
    table_init(t, kind);
    t->capacity = n;
    for (size_t f = 0; f < kind->n; f++) {
        t->column[f] = at;
        at += n * width(kind->field[f].type);
    }
}

int table_grow(struct table *t, size_t rows, size_t rest, struct arena *mem)
{
    size_t more = rest / t->kind->bytes_min + rows;
    if (rows <= t->capacity - t->n)
        return 0;
    if (more < t->capacity)
        more = t->capacity; /* rest was a guess, and too low */
    size_t capacity = t->n + more;
    if (capacity > COCO_ROWS_MAX)
        capacity = COCO_ROWS_MAX;
    if (rows > capacity - t->n)
        return -1;
    for (size_t f = 0; f < t->kind->n; f++) {
        size_t bytes = width(t->kind->field[f].type);
        void *column = arena_alloc(mem, capacity, bytes);
        if (!column)
            return -1;
        if (t->n)
            stop_copy(mem->stop, column, t->column[f], t->n * bytes);
        t->column[f] = column;
    }
    t->capacity = capacity;
    t->mem = mem;
    return 0;
}

/* Where the row at hand has its field f. */
static void *value_at(const struct table *t, size_t f)
{
    return (char *)t->column[f] + t->n * width(t->kind->field[f].type);
}

/* Fields of the kind that have this type, which is at most one. */
static const double *box_of(const struct table *t)
{
    size_t f = 0;
    while (t->kind->field[f].type != BOX)
        f++;
    return value_at(t, f);
}

static void complete_box(struct table *t, unsigned found)
{
    const double *box = box_of(t);
    (void)found;
    t->odd.negative_size += box[2] < 0 || box[3] < 0;
}

static void complete_annotation(struct table *t, unsigned found)
{
    const double *box = box_of(t);
    const uint8_t *crowd = value_at(t, ANNOTATION_CROWD);
    uint8_t *ignore = value_at(t, ANNOTATION_IGNORE);
    double *area = value_at(t, ANNOTATION_AREA);
    bool no_area = !(found >> ANNOTATION_AREA & 1);
    bool overwritten = found >> ANNOTATION_IGNORE & 1 && *ignore != *crowd;
    complete_box(t, found);
    if (no_area)
        *area = box[2] * box[3];
    t->odd.missing_area += no_area;
    t->odd.ignore_overwritten += overwritten;
    /* nobody reads it as it was: it becomes what is odd about the row */
    *ignore = (uint8_t)((no_area ? ODD_MISSING_AREA : 0) |
                        (overwritten ? ODD_IGNORE_OVERWRITTEN : 0));
}

/* Fields that are not required are 0, or NULL, unless they are found. */
static void clear_row(struct table *t)
{
    for (size_t f = 0; f < t->kind->n; f++)
        if (!t->kind->field[f].required)
            memset(value_at(t, f), 0, width(t->kind->field[f].type));
}

static void end_row(struct table *t, unsigned found)
{
    if (t->kind->complete)
        t->kind->complete(t, found);
    t->n++;
}

static bool scan_box(struct scan *s, double box[4])
{
    struct scan b = *s; /* a copy, which stays in registers */
    bool more = scan_char(&b, '[');
    for (size_t i = 0; i < 4; i++) {
        scan_peek(&b);
        const char *end = scan_number_at(b.at, b.end, &box[i]);
        b.at = end;
        if (!more || !end || !scan_more(&b, ']', &more))
            return false;
    }
    s->at = b.at;
    return !more;
}

/* true, false or a whole number that is 0 or not. */
static bool scan_flag(struct scan *s, uint8_t *flag)
{
    int64_t n;
    char c = scan_peek(s);
    if (c == 't' || c == 'f') {
        *flag = c == 't';
        return scan_skip(s);
    }
    if (!scan_integer(s, &n))
        return false;
    *flag = n != 0;
    return true;
}

/* A string without escapes, or null. */
static bool scan_name(struct scan *s, const char **name, struct arena *mem)
{
    struct span span;
    *name = NULL;
    if (scan_peek(s) == 'n')
        return scan_skip(s);
    if (!scan_string(s, &span) || memchr(span.text, '\\', span.len))
        return false;
    char *copy = arena_alloc(mem, span.len - 1, 1);
    if (!copy)
        return false;
    memcpy(copy, span.text + 1, span.len - 2);
    copy[span.len - 2] = '\0';
    *name = copy;
    return true;
}

static bool scan_field(struct scan *s, struct table *t, size_t f)
{
    void *to = value_at(t, f);
    switch (t->kind->field[f].type) {
    case INTEGER:
        return scan_integer(s, to);
    case NUMBER:
        return scan_number(s, to);
    case BOX:
        return scan_box(s, to);
    case FLAG:
        return scan_flag(s, to);
    case NAME:
        return scan_name(s, to, t->mem);
    }
    return false;
}

/* "key": as nearly everyone writes it, if that is what comes. */
static inline bool scan_expected(struct scan *s, const struct quoted_key *key)
{
    uint64_t word[2];
    scan_peek(s);
    if ((size_t)(s->end - s->at) < sizeof(word) || key->len == 0)
        return false;
    memcpy(word, s->at, sizeof(word));
    if (((word[0] ^ key->word[0]) & key->mask[0]) |
        ((word[1] ^ key->word[1]) & key->mask[1]))
        return false;
    s->at += key->len;
    return true;
}

/* The keys of a record so far: its fields as bits, and others. */
struct keys {
    unsigned found;
    struct span other[SCAN_MEMBERS_MAX];
    size_t n_others;
};

/* A key that was not expected: the field it is, or n for a member to skip. */
static bool scan_other(struct scan *s, const struct kind *kind,
                       struct keys *keys, size_t *f)
{
    struct span key;
    if (!scan_key(s, &key, keys->other, &keys->n_others))
        return false;
    for (*f = 0; *f < kind->n; ++*f)
        if (strlen(kind->field[*f].key) == key.len &&
            memcmp(kind->field[*f].key, key.text, key.len) == 0)
            return !(keys->found >> *f & 1);
    return true;
}

/*
 * The members of a record.  They come in the same order in record after
 * record, mostly that of the fields, so the field after the last one is tried
 * first.
 */
static bool scan_members(struct scan *s, struct table *t, struct keys *keys)
{
    const struct kind *kind = t->kind;
    size_t next = 0, f;
    bool more = true;
    while (more) {
        bool expected = next < kind->n && !(keys->found >> next & 1) &&
                        scan_expected(s, &t->key[next]);
        f = next;
        if (!expected && !scan_other(s, kind, keys, &f))
            return false;
        if (f < kind->n) {
            keys->found |= 1u << f;
            next = f + 1 < kind->n ? f + 1 : 0;
        }
        if (!(f < kind->n ? scan_field(s, t, f) : scan_skip(s)) ||
            !scan_more(s, '}', &more))
            return false;
    }
    return true;
}

static bool scan_record(struct scan *s, struct table *t, unsigned *found)
{
    struct keys keys;
    keys.found = 0;
    keys.n_others = 0;
    clear_row(t);
    if (!scan_char(s, '{') || !scan_members(s, t, &keys))
        return false;
    for (size_t f = 0; f < t->kind->n; f++)
        if (t->kind->field[f].required && !(keys.found >> f & 1))
            return false;
    *found = keys.found;
    return true;
}

bool table_scan(struct table *t, struct scan *s)
{
    unsigned found = 1;
    bool ok =
        t->kind->field[0].key ? scan_record(s, t, &found) : scan_field(s, t, 0);
    if (ok)
        end_row(t, found);
    return ok;
}

/* Four numbers x, y, width, height. */
static int read_box(const json_t *v, const struct at *at, double out[4],
                    struct api_error *err)
{
    int rc = 0;
    if (read_array(v, at, err))
        return -1;
    if (json_array_size(v) != 4)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu numbers, must have 4: x, y, width, height",
                       json_array_size(v));
    for (size_t i = 0; i < 4; i++)
        rc |= read_number(json_array_get(v, i), &(struct at){at, NULL, i},
                          &out[i], err);
    return rc;
}

/* true, false, or a whole number that is 0 or not. */
static int read_flag(const json_t *v, const struct at *at, uint8_t *out,
                     struct api_error *err)
{
    int64_t n = 0;
    if (!json_is_boolean(v) && !json_is_number(v))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be 0, 1 or a boolean", json_kind(v));
    if (json_is_number(v) && read_integer(v, at, &n, err))
        return -1;
    *out = json_is_true(v) || n != 0;
    return 0;
}

static int read_name(const json_t *v, const struct at *at, const char **name,
                     struct arena *mem, struct api_error *err)
{
    if (json_is_null(v))
        return 0;
    if (!json_is_string(v))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be a string", json_kind(v));
    size_t bytes = json_string_length(v) + 1;
    char *copy = arena_alloc(mem, bytes, 1);
    if (!copy)
        return at_fail(err, PROBLEM_MEMORY, at,
                       "does not fit in the memory of one request");
    memcpy(copy, json_string_value(v), bytes);
    *name = copy;
    return 0;
}

static int read_field(struct table *t, size_t f, const json_t *v,
                      const struct at *at, struct api_error *err)
{
    void *to = value_at(t, f);
    switch (t->kind->field[f].type) {
    case INTEGER:
        return read_integer(v, at, to, err);
    case NUMBER:
        return read_number(v, at, to, err);
    case BOX:
        return read_box(v, at, to, err);
    case FLAG:
        return read_flag(v, at, to, err);
    case NAME:
        return read_name(v, at, to, t->mem, err);
    }
    return -1;
}

/* A record with a fault is not completed: what is odd about it is moot. */
void table_read(struct table *t, const json_t *v, const struct at *at,
                struct api_error *err)
{
    const struct kind *kind = t->kind;
    unsigned found = 0;
    int rc = 0;
    clear_row(t);
    if (!kind->field[0].key) {
        rc = read_field(t, 0, v, at, err);
    } else if (read_object(v, at, err)) {
        rc = -1;
    } else {
        for (size_t f = 0; f < kind->n; f++) {
            const struct field *field = &kind->field[f];
            const json_t *m = json_object_get(v, field->key);
            struct at place = {at, field->key, 0};
            if (m || field->required)
                rc |= read_field(t, f, m, &place, err);
            found |= m ? 1u << f : 0;
        }
    }
    if (rc == 0)
        end_row(t, found);
    else
        t->n++;
}

void table_append(struct table *t, const struct table *rows)
{
    for (size_t f = 0; f < t->kind->n; f++)
        memcpy(value_at(t, f), rows->column[f],
               rows->n * width(t->kind->field[f].type));
    t->n += rows->n;
    t->odd.missing_area += rows->odd.missing_area;
    t->odd.ignore_overwritten += rows->odd.ignore_overwritten;
    t->odd.negative_size += rows->odd.negative_size;
}
