#include "api/detection_levels.h"

#include <string.h>

enum { DOCUMENT_BYTES_KEPT = 1 << 20 };

/* How a step ended. */
enum progress {
    WENT_ON,    /* and there may be more to do */
    WANTS_MORE, /* what comes is not complete in the text at hand */
};

void levels_spent(struct levels *l)
{
    l->err.n = 0;
    l->failed = true;
    api_fail(&l->err, PROBLEM_MEMORY, NULL,
             "the columns do not fit in the memory of one request");
}

/* No JSON: nothing that was wrong before counts. */
static enum progress malformed(struct levels *l, const char *where,
                               const char *what)
{
    l->err.n = 0;
    l->failed = true;
    json_malformed(l->text, (size_t)(where - l->text), &l->origin, what,
                   &l->err);
    return WENT_ON;
}

/* There is no next character in the text at hand. */
static enum progress at_end(struct levels *l, const struct scan *s)
{
    return l->last ? malformed(l, s->end, "the text ends too early")
                   : WANTS_MORE;
}

void levels_move(struct levels *l, const char *to)
{
    size_t n = (size_t)(to - l->text);
    l->origin = json_advance(l->origin, l->text, n);
    l->text = to;
    l->rest -= n;
}

/*
 * The value from s->at on as a document, and s behind it.  NULL if it is not
 * complete, which leaves s, or no JSON, which ends it all.
 */
static const json_t *read_value(struct levels *l, struct scan *s,
                                const struct at *at)
{
    const char *end = scan_value_end(s->at, s->end, s->stop);
    struct api_error err;
    err.n = 0;
    if (!end && !l->last)
        return NULL;
    if (!end)
        end = s->end;
    if (end == s->at) {
        malformed(l, s->at, "a value is expected here");
        return NULL;
    }
    levels_move(l, s->at);
    struct json_origin origin = l->origin;
    origin.at = at;
    arena_clear(&l->documents, DOCUMENT_BYTES_KEPT);
    l->documents.stop = l->mem->stop;
    l->documents.bytes_max = l->mem->bytes_max - l->mem->bytes_used;
    const json_t *v = json_read_value(s->at, (size_t)(end - s->at), &origin,
                                      &l->documents, &err);
    s->at = end;
    if (!v) {
        l->err = err;
        l->failed = true;
    }
    return v;
}

static void push(struct levels *l, enum level_type type, const struct at *in,
                 const char *key, struct table *table)
{
    struct level *level = &l->level[l->depth++];
    level->type = type;
    level->state = AT_FIRST;
    level->self = (struct at){in, key, 0};
    level->at = key ? &level->self : NULL;
    level->table = table;
    level->n_keys = 0;
}

static void pop(struct levels *l)
{
    l->depth--;
    if (l->depth)
        l->level[l->depth - 1].state = AT_AFTER;
    else
        l->ended = true;
}

/*
 * A member that is read, or the outermost value: what it is as an object, if
 * it may be one, and what it has as a list, if it may be that.
 */
struct member {
    const char *key;
    enum level_type in;
    enum level_type object;  /* LEVEL_LIST = it may be none */
    const struct kind *kind; /* NULL = it may be no list */
    size_t table;            /* where in struct levels its rows go */
};

#define TABLE(name) offsetof(struct levels, name)
#define COLUMN(key, row)                                        \
    {                                                           \
        key, LEVEL_COLUMNS, LEVEL_LIST, &detection_column[row], \
            TABLE(column[row])                                  \
    }

static const struct member roots[] = {
    [DETECTION_BODY] = {.object = LEVEL_BODY},
    [DETECTION_BATCH] = {.object = LEVEL_BATCH},
    [DETECTION_GROUND_TRUTH] = {.object = LEVEL_GROUND_TRUTH},
    [DETECTION_LIST] = {.object = LEVEL_COLUMNS,
                        .kind = &detection_kind,
                        .table = TABLE(detections)},
};

static const struct member members[] = {
    {"ground_truth", LEVEL_BODY, LEVEL_GROUND_TRUTH, NULL, 0},
    {"detections", LEVEL_BODY, LEVEL_COLUMNS, &detection_kind,
     TABLE(detections)},
    {"image_ids", LEVEL_BATCH, LEVEL_LIST, &detection_column[DETECTION_IMAGE],
     TABLE(images)},
    {"detections", LEVEL_BATCH, LEVEL_COLUMNS, &detection_kind,
     TABLE(detections)},
    {"images", LEVEL_GROUND_TRUTH, LEVEL_LIST, &image_kind, TABLE(images)},
    {"annotations", LEVEL_GROUND_TRUTH, LEVEL_LIST, &annotation_kind,
     TABLE(annotations)},
    {"categories", LEVEL_GROUND_TRUTH, LEVEL_LIST, &category_kind,
     TABLE(categories)},
    COLUMN("image_id", DETECTION_IMAGE),
    COLUMN("category_id", DETECTION_CATEGORY),
    COLUMN("bbox", DETECTION_BOX),
    COLUMN("score", DETECTION_SCORE),
};

static const struct member *member_of(enum level_type in, struct span key)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].in == in && strlen(members[i].key) == key.len &&
            memcmp(members[i].key, key.text, key.len) == 0)
            return &members[i];
    return NULL;
}

/* A value that does not open as it should is read as a document, and told. */
static enum progress wrong_value(struct levels *l, const struct member *m,
                                 const struct at *at, struct scan *s)
{
    const json_t *v = read_value(l, s, at);
    if (!v)
        return l->failed ? WENT_ON : WANTS_MORE;
    if (m->kind)
        read_array(v, at, &l->err);
    else
        read_object(v, at, &l->err);
    return WENT_ON;
}

/* Reads the value of a member: opens it, or says that it is none of its kind.
 */
static enum progress member_value(struct levels *l, const struct member *m,
                                  const struct at *in, struct scan *s)
{
    struct at at = {in, m->key, 0};
    struct table *table = (struct table *)((char *)l + m->table);
    bool object = *s->at == '{' && m->object != LEVEL_LIST;
    bool opens = object || (*s->at == '[' && m->kind);
    enum progress p = WENT_ON;
    if (!opens)
        p = wrong_value(l, m, m->key ? &at : NULL, s);
    if (p == WANTS_MORE)
        return p;
    l->met[m->object] = true;
    if (m->kind)
        table_init(table, m->kind);
    if (opens) {
        l->opened[m->object] = true;
        l->columnar |= object && m->object == LEVEL_COLUMNS;
        push(l, object ? m->object : LEVEL_LIST, in, m->key, table);
        s->at++;
    }
    return p;
}

/* Appends a member to the settings, which are read when all is there. */
static void keep_setting(struct levels *l, struct span key, struct span value)
{
    struct json_out *out = &l->settings;
    out_format(out, "%s", out->len > 1 ? "," : "");
    out_bytes(out, key.text, key.len);
    out_format(out, ":");
    out_bytes(out, value.text, value.len);
    if (out->failed)
        levels_spent(l);
}

/* A value that is skipped, or is a setting. */
static enum progress other_value(struct levels *l, const struct level *level,
                                 struct span key, struct scan *s)
{
    const char *from = s->at;
    bool closed = strchr("[{\"", *from);
    struct at at = {level->at, level->key[level->n_keys - 1].text, 0};
    if (!scan_skip(s) || (s->at == s->end && !closed && !l->last)) {
        s->at = from;
        if (!read_value(l, s, &at))
            return l->failed ? WENT_ON : WANTS_MORE;
    }
    if (level->type == LEVEL_BODY || level->type == LEVEL_BATCH)
        keep_setting(l, key, (struct span){from, (size_t)(s->at - from)});
    return WENT_ON;
}

/*
 * Notes a key, given with its quotes and undone escapes.  Whoever has hundreds
 * of them in an object of four members has lost the way.
 */
static int note_key(struct levels *l, struct level *level, struct span key,
                    const char *where)
{
    for (size_t i = 0; i < level->n_keys; i++)
        if (level->key[i].len == key.len &&
            memcmp(level->key[i].text, key.text, key.len) == 0) {
            malformed(l, where, "this key is in its object twice");
            return -1;
        }
    if (level->n_keys == KEYS_MAX) {
        l->failed = true;
        l->err.n = 0;
        at_fail(&l->err, PROBLEM_INVALID_VALUE, level->at,
                "has more than %d members", KEYS_MAX);
        return -1;
    }
    if (!level->key)
        level->key = arena_alloc(l->mem, KEYS_MAX, sizeof(*level->key));
    char *copy = arena_alloc(l->mem, key.len + 1, 1);
    if (!level->key || !copy) {
        levels_spent(l);
        return -1;
    }
    memcpy(copy, key.text, key.len);
    copy[key.len] = '\0';
    level->key[level->n_keys++] = (struct span){copy, key.len};
    return 0;
}

/* The key at s, its escapes undone; *raw is how it stands in the text. */
static bool scan_member_key(struct levels *l, struct scan *s, struct span *raw,
                            struct span *key)
{
    const char *from = s->at;
    if (scan_string(s, raw) && !memchr(raw->text, '\\', raw->len)) {
        *key = (struct span){raw->text + 1, raw->len - 2};
        return true;
    }
    s->at = from;
    const json_t *v = read_value(l, s, NULL);
    *raw = (struct span){from, (size_t)(s->at - from)};
    *key = (struct span){json_string_value(v), json_string_length(v)};
    return v;
}

/* A member of an object: its key, and its value unless that is opened. */
static enum progress step_member(struct levels *l, struct level *level,
                                 struct scan *s)
{
    const char *from = s->at;
    struct span raw, key;
    if (*from != '"')
        return malformed(l, from, "a key in double quotes is expected here");
    if (!scan_member_key(l, s, &raw, &key))
        return l->failed ? WENT_ON : WANTS_MORE;
    const char *colon = (scan_peek(s), s->at);
    if (colon < s->end && *colon != ':')
        return malformed(l, colon, "a colon is expected here");
    if (colon < s->end)
        s->at++;
    scan_peek(s);
    if (s->at == s->end) {
        s->at = l->last ? s->end : from;
        return at_end(l, s);
    }
    const struct member *m = member_of(level->type, key);
    enum progress p;
    size_t n_keys = level->n_keys;
    if (note_key(l, level, key, raw.text + raw.len))
        return WENT_ON;
    level->state = AT_AFTER; /* once the value is read, or its level popped */
    p = m ? member_value(l, m, level->at, s) : other_value(l, level, raw, s);
    if (p == WANTS_MORE) { /* and will come here again */
        level->n_keys = n_keys;
        level->state = AT_NEXT;
        s->at = from;
    }
    return p;
}

/* Whether this is where the piece was read ahead from, as what it is. */
static bool is_guessed(const struct levels *l, const struct table *t,
                       const struct scan *s)
{
    return l->guess && s->at == l->guess->from &&
           t->kind == l->guess->rows.kind;
}

static enum progress step_item(struct levels *l, struct level *level,
                               struct scan *s)
{
    struct table *t = level->table;
    const char *from = s->at;
    size_t n = t->n;
    bool guessed = is_guessed(l, t, s);
    if (table_grow(t, guessed ? l->guess->rows.n : 1,
                   l->rest - (size_t)(from - l->text), l->mem)) {
        levels_spent(l);
        return WENT_ON;
    }
    if (guessed) {
        table_append(t, &l->guess->rows);
        s->at = l->guess->to;
        return WENT_ON;
    }
    bool closed = *from == '{' || *from == '[';
    if (table_scan(t, s) && (closed || s->at < s->end || l->last))
        return WENT_ON;
    t->n = n; /* a number may have been cut off */
    s->at = from;
    struct at at = {level->at, NULL, n};
    const json_t *v = read_value(l, s, &at);
    if (!v)
        return l->failed ? WENT_ON : WANTS_MORE;
    if (api_full(&l->err))
        t->n++; /* nobody will see more of them */
    else
        table_read(t, v, &at, &l->err);
    return WENT_ON;
}

/* What follows s->at in the innermost open list or object. */
static enum progress step(struct levels *l, struct scan *s)
{
    struct level *level = &l->level[l->depth - 1];
    bool list = level->type == LEVEL_LIST;
    char c = scan_peek(s), closing = list ? ']' : '}';
    if (s->at == s->end)
        return at_end(l, s);
    if (c == closing && level->state != AT_NEXT) {
        s->at++;
        pop(l);
        return WENT_ON;
    }
    if (level->state == AT_AFTER) {
        if (c != ',')
            return malformed(l, s->at,
                             list ? "a comma or ']' is expected here"
                                  : "a comma or '}' is expected here");
        s->at++;
        level->state = AT_NEXT;
        return WENT_ON;
    }
    enum progress p = list ? step_item(l, level, s) : step_member(l, level, s);
    if (list && p == WENT_ON)
        level->state = AT_AFTER;
    return p;
}

/* The outermost value: opened, or of the wrong kind. */
static enum progress begin(struct levels *l, struct scan *s)
{
    scan_peek(s);
    if (s->at == s->end && l->last && l->origin.byte == 0 && s->at == l->text) {
        l->failed = true;
        api_fail(&l->err, PROBLEM_MALFORMED_JSON, NULL,
                 "it is empty; a JSON document is expected");
        return WENT_ON;
    }
    if (s->at == s->end)
        return at_end(l, s);
    struct member root = roots[l->part];
    root.key = l->name;
    enum progress p = member_value(l, &root, NULL, s);
    l->begun = p == WENT_ON;
    l->ended = l->begun && l->depth == 0;
    return p;
}

static enum progress end(struct levels *l, struct scan *s)
{
    scan_peek(s);
    if (s->at < s->end)
        return malformed(l, s->at, "the text should end here");
    return WANTS_MORE;
}

void levels_run(struct levels *l, struct scan *s)
{
    enum progress p = WENT_ON;
    while (p == WENT_ON && !l->failed)
        p = !l->begun ? begin(l, s) : l->ended ? end(l, s) : step(l, s);
}
