#include "api/run_settings.h"

#include "api/json_out.h"
#include "api/query.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CURSOR_MAX = 200 };

void hex_sha256(const char *text, size_t n, char hex[SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, n, (const uint8_t *)text);
    sha256_digest(&sha, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

int cursor_fault(struct api_error *err)
{
    return api_fail(err, PROBLEM_INVALID_VALUE, "/cursor",
                    "cursor must be the \"next\" of the page before");
}

int read_page(const char *limit, const char *cursor, struct store_page *page,
              struct api_error *err)
{
    int64_t n = PAGE_DEFAULT;
    if (query_integer("limit", limit, 1, PAGE_MAX, &n, err))
        return -1;
    if (cursor && (*cursor == '\0' || strlen(cursor) > CURSOR_MAX))
        return cursor_fault(err);
    *page = (struct store_page){.after = cursor, .limit = (size_t)n + 1};
    return 0;
}

void write_next(struct json_out *out, const char *last)
{
    out_key(out, "next");
    if (last)
        out_string(out, last);
    else
        out_null(out);
}

/* A string of at most that many bytes. */
static int read_text(const json_t *v, const struct at *at, size_t max,
                     const char **text, struct api_error *err)
{
    if (!json_is_string(v))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is %s, must be a string", json_kind(v));
    if (json_string_length(v) > max)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu bytes, may have %zu", json_string_length(v),
                       max);
    *text = json_string_value(v);
    return 0;
}

int read_run_name(const json_t *v, const struct at *at, const char **name,
                  struct api_error *err)
{
    return v ? read_text(v, at, RUN_NAME_MAX, name, err) : 0;
}

struct tag {
    const char *key, *value; /* value NULL = removed */
};

static int by_key(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static struct tag *find(struct tag *tag, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(tag[i].key, key) == 0)
            return &tag[i];
    return NULL;
}

static int read_tag(const char *key, const json_t *v, const struct at *at,
                    bool merge, struct tag *tag, struct api_error *err)
{
    size_t n = strlen(key);
    *tag = (struct tag){key, NULL};
    if (n == 0 || n > TAG_KEY_MAX)
        return at_fail(
            err, PROBLEM_INVALID_VALUE, at,
            "is no key of a tag: it has %zu bytes, must have 1 to %d", n,
            TAG_KEY_MAX);
    if (strchr(key, ':'))
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "is no key of a tag: a colon ends the key in "
                       "?tag=key:value");
    if (merge && json_is_null(v))
        return 0;
    return read_text(v, at, TAG_VALUE_MAX, &tag->value, err);
}

static int write_tags(const struct tag *tag, size_t n, const struct at *at,
                      const char **tags, struct arena *mem,
                      struct api_error *err)
{
    struct json_out out;
    size_t there = 0;
    json_out_init(&out, mem, false);
    out_open(&out, '{');
    for (size_t i = 0; i < n; i++) {
        if (!tag[i].value)
            continue;
        out_member_string(&out, tag[i].key, tag[i].value);
        there++;
    }
    out_close(&out, '}');
    out_bytes(&out, "", 1);
    if (there > TAGS_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu tags, may have %d", there, TAGS_MAX);
    if (out.failed)
        return api_fail(err, PROBLEM_MEMORY, NULL, "no memory for the tags");
    *tags = out.text;
    return 0;
}

int read_tags(const json_t *v, const struct at *at, const char *old, bool merge,
              const char **tags, struct arena *mem, struct api_error *err)
{
    struct tag tag[2 * TAGS_MAX];
    size_t n = 0;
    const char *key;
    json_t *value;
    if (!v)
        return 0;
    if (read_object(v, at, err))
        return -1;
    if (json_object_size(v) > TAGS_MAX)
        return at_fail(err, PROBLEM_INVALID_VALUE, at,
                       "has %zu tags, may have %d", json_object_size(v),
                       TAGS_MAX);
    const json_t *before = json_read(old, strlen(old), mem, err);
    if (!before)
        return -1;
    json_object_foreach((json_t *)(uintptr_t)before, key,
                        value) if (n < TAGS_MAX) tag[n++] =
        (struct tag){key, json_string_value(value)};
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        struct tag *there = find(tag, n, key);
        if (read_tag(key, value, &(struct at){at, key, 0}, merge,
                     there ? there : &tag[n], err))
            return -1;
        n += there == NULL;
    }
    if (n)
        qsort(tag, n, sizeof(*tag), by_key);
    return write_tags(tag, n, at, tags, mem, err);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void write_members(struct json_out *out, const json_t *v)
{
    const char *key;
    json_t *member;
    out_open(out, '{');
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        out_key(out, key);
        write_json(out, member);
    }
    out_close(out, '}');
}

/* The depth is that of what json_read lets pass. */
/* NOLINTNEXTLINE(misc-no-recursion) */
void write_json(struct json_out *out, const json_t *v)
{
    if (json_is_object(v)) {
        write_members(out, v);
    } else if (json_is_array(v)) {
        out_open(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++)
            write_json(out, json_array_get(v, i));
        out_close(out, ']');
    } else if (json_is_string(v)) {
        out_string(out, json_string_value(v));
    } else if (json_is_integer(v)) {
        out_integer(out, json_integer_value(v));
    } else if (json_is_real(v)) {
        out_number(out, json_real_value(v));
    } else if (json_is_boolean(v)) {
        out_boolean(out, json_is_true(v));
    } else {
        out_null(out);
    }
}
