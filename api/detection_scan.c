#include "api/detection_scan.h"

#include "api/detection_read.h"

#include <assert.h>
#include <string.h>

enum { FIELDS_MAX = 8 };

enum field_type { INTEGER, NUMBER, BOX, FLAG, NAME };

/* A member of a record that is kept, and what it is. */
struct field {
    const char *key;
    enum field_type type;
    bool required;
};

struct kind {
    struct field field[FIELDS_MAX];
    size_t n;
};

static const struct kind images = {{{"id", INTEGER, true}}, 1};
static const struct kind categories = {
    {{"id", INTEGER, true}, {"name", NAME, false}}, 2};
static const struct kind detections = {{{"image_id", INTEGER, true},
                                        {"category_id", INTEGER, true},
                                        {"bbox", BOX, true},
                                        {"score", NUMBER, true}},
                                       4};
enum { ID, IMAGE, CATEGORY, BOUNDS, AREA, CROWD, IGNORE };
static const struct kind annotations = {
    {[ID] = {"id", INTEGER, true},
     [IMAGE] = {"image_id", INTEGER, true},
     [CATEGORY] = {"category_id", INTEGER, true},
     [BOUNDS] = {"bbox", BOX, true},
     [AREA] = {"area", NUMBER, false},
     [CROWD] = {"iscrowd", FLAG, false},
     [IGNORE] = {"ignore", FLAG, false}},
    7};

/* A list of records on its way into columns, one per field. */
struct table {
    const struct kind *kind;
    void *column[FIELDS_MAX];
    size_t n;
    struct detection_oddities *odd;
    struct arena *mem;
};

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

/* Columns that take a row for every object that may yet come. */
static bool make_table(struct table *t, const struct kind *kind,
                       const struct scan *s, struct detection_request *req,
                       struct arena *mem)
{
    *t = (struct table){.kind = kind, .odd = &req->odd, .mem = mem};
    if (s->objects > COCO_ROWS_MAX)
        return false;
    for (size_t f = 0; f < kind->n; f++) {
        size_t size = width(kind->field[f].type);
        t->column[f] = arena_alloc(mem, s->objects, size);
        if (!t->column[f])
            return false;
    }
    return true;
}

static bool scan_box(struct scan *s, double box[4], struct table *t)
{
    bool more = true;
    if (!scan_char(s, '['))
        return false;
    for (size_t i = 0; i < 4; i++)
        if (!more || !scan_number(s, &box[i]) || !scan_more(s, ']', &more))
            return false;
    t->odd->negative_size += box[2] < 0 || box[3] < 0;
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

/* A string or null; jansson undoes escapes. */
static bool scan_name(struct scan *s, const char **name, struct arena *mem)
{
    struct span span;
    *name = NULL;
    if (scan_peek(s) == 'n')
        return scan_skip(s);
    if (!scan_string(s, &span))
        return false;
    json_t *string = json_loadb(span.text, span.len, JSON_DECODE_ANY, NULL);
    size_t bytes = json_string_length(string) + 1;
    char *copy = string ? arena_alloc(mem, bytes, 1) : NULL;
    if (copy)
        memcpy(copy, json_string_value(string), bytes);
    json_decref(string);
    *name = copy;
    return copy;
}

/* Where the record at hand has its field f. */
static void *value_at(const struct table *t, size_t f)
{
    return (char *)t->column[f] + t->n * width(t->kind->field[f].type);
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
        return scan_box(s, to, t);
    case FLAG:
        return scan_flag(s, to);
    case NAME:
        return scan_name(s, to, t->mem);
    }
    return false;
}

static bool key_is(struct span key, const char *name)
{
    return strlen(name) == key.len && memcmp(name, key.text, key.len) == 0;
}

/* The field of this key, looked for from `next` on, or n. */
static size_t field_of(const struct kind *kind, struct span key, size_t next)
{
    for (size_t i = 0; i < kind->n; i++) {
        size_t f = next + i < kind->n ? next + i : next + i - kind->n;
        if (key_is(key, kind->field[f].key))
            return f;
    }
    return kind->n;
}

/* One record; bit f of *found says that it has field f. */
static bool scan_record(struct scan *s, struct table *t, unsigned *found)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0, next = 0;
    bool more = true;
    *found = 0;
    for (size_t f = 0; f < t->kind->n; f++)
        if (!t->kind->field[f].required)
            memset(value_at(t, f), 0, width(t->kind->field[f].type));
    if (!scan_char(s, '{'))
        return false;
    while (more) {
        if (!scan_key(s, &key, seen, &n_seen))
            return false;
        size_t f = field_of(t->kind, key, next);
        if (f == t->kind->n ? !scan_skip(s) : !scan_field(s, t, f))
            return false;
        if (f < t->kind->n) {
            *found |= 1u << f;
            next = f + 1 < t->kind->n ? f + 1 : 0;
        }
        if (!scan_more(s, '}', &more))
            return false;
    }
    for (size_t f = 0; f < t->kind->n; f++)
        if (t->kind->field[f].required && !(*found >> f & 1))
            return false;
    return true;
}

/* The members that an annotation may lack, but for those that are then 0. */
static void complete_annotation(struct table *t, unsigned found)
{
    double *area = t->column[AREA];
    const double *boxes = t->column[BOUNDS], *box = boxes + 4 * t->n;
    const uint8_t *crowd = t->column[CROWD], *ignore = t->column[IGNORE];
    assert(area && boxes && crowd && ignore); /* make_table has seen to it */
    if (!(found >> AREA & 1)) {
        area[t->n] = box[2] * box[3];
        t->odd->missing_area++;
    }
    if (found >> IGNORE & 1)
        t->odd->ignore_overwritten += ignore[t->n] != crowd[t->n];
}

static bool scan_list(struct scan *s, struct table *t)
{
    bool more = true;
    unsigned found;
    if (!scan_char(s, '['))
        return false;
    if (scan_peek(s) == ']')
        return scan_char(s, ']');
    while (more) {
        if (!scan_record(s, t, &found))
            return false;
        if (t->kind == &annotations)
            complete_annotation(t, found);
        t->n++;
        if (!scan_more(s, ']', &more))
            return false;
    }
    return true;
}

static void keep_images(struct detection_request *req, const struct table *t)
{
    req->gt.n_images = t->n;
    req->gt.image = t->column[0];
}

static void keep_categories(struct detection_request *req,
                            const struct table *t)
{
    req->gt.n_categories = t->n;
    req->gt.category = t->column[0];
    req->category_name = t->column[1];
}

static void keep_annotations(struct detection_request *req,
                             const struct table *t)
{
    req->gt.n = t->n;
    req->gt.id = t->column[ID];
    req->gt.image_id = t->column[IMAGE];
    req->gt.category_id = t->column[CATEGORY];
    req->gt.box = t->column[BOUNDS];
    req->gt.area = t->column[AREA];
    req->gt.crowd = t->column[CROWD];
}

/* The lists of a ground truth. */
static const struct {
    const char *key;
    const struct kind *kind;
    void (*keep)(struct detection_request *req, const struct table *t);
} lists[] = {
    {"images", &images, keep_images},
    {"annotations", &annotations, keep_annotations},
    {"categories", &categories, keep_categories},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

static size_t list_of(struct span key)
{
    size_t l = 0;
    while (l < LISTS && !key_is(key, lists[l].key))
        l++;
    return l;
}

bool scan_ground_truth(struct scan *s, struct detection_request *req,
                       struct arena *mem)
{
    struct span seen[SCAN_MEMBERS_MAX], key;
    size_t n_seen = 0, n_lists = 0;
    bool more = true;
    struct table t;
    if (!scan_char(s, '{'))
        return false;
    while (more) {
        if (!scan_key(s, &key, seen, &n_seen))
            return false;
        size_t l = list_of(key);
        if (l == LISTS) {
            if (!scan_skip(s))
                return false;
        } else {
            if (!make_table(&t, lists[l].kind, s, req, mem) ||
                !scan_list(s, &t))
                return false;
            lists[l].keep(req, &t);
            n_lists++;
        }
        if (!scan_more(s, '}', &more))
            return false;
    }
    req->odd.duplicate_categories =
        repeated_ids(req->gt.category, req->gt.n_categories, NULL, 0, mem);
    return n_lists == LISTS &&
           repeated_ids(req->gt.image, req->gt.n_images, NULL, 0, mem) == 0 &&
           !mem->failed;
}

bool scan_detections(struct scan *s, struct detection_request *req,
                     struct arena *mem)
{
    struct table t;
    if (!make_table(&t, &detections, s, req, mem) || !scan_list(s, &t))
        return false;
    req->dt = (struct coco_detections){.n = t.n,
                                       .image_id = t.column[0],
                                       .category_id = t.column[1],
                                       .box = t.column[2],
                                       .score = t.column[3]};
    return true;
}

/* Appends one member to the text of an object that is being made. */
static void copy_member(struct json_out *out, struct span key,
                        struct span value)
{
    out_format(out, "%s\"", out->len > 1 ? "," : "");
    out_bytes(out, key.text, key.len);
    out_format(out, "\":");
    out_bytes(out, value.text, value.len);
}

bool scan_body(struct scan *s, struct detection_request *req, struct arena *mem,
               struct json_out *settings)
{
    struct span seen[SCAN_MEMBERS_MAX], key, value;
    size_t n_seen = 0, n_data = 0;
    bool more = true, ok;
    out_bytes(settings, "{", 1);
    if (!scan_char(s, '{'))
        return false;
    while (more) {
        if (!scan_key(s, &key, seen, &n_seen))
            return false;
        if (key_is(key, "ground_truth")) {
            ok = scan_ground_truth(s, req, mem);
            n_data++;
        } else if (key_is(key, "detections")) {
            ok = scan_detections(s, req, mem);
            n_data++;
        } else {
            value.text = s->at;
            ok = scan_skip(s);
            value.len = (size_t)(s->at - value.text);
            copy_member(settings, key, value);
        }
        if (!ok || !scan_more(s, '}', &more))
            return false;
    }
    out_bytes(settings, "}", 1);
    return n_data == 2 && !settings->failed;
}

bool scan_ends(struct scan *s)
{
    scan_peek(s);
    return s->at == s->end;
}
