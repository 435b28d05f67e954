/* What requests about datasets and runs have in common: names, tags, pages. */
#ifndef EVALD_API_RUN_SETTINGS_H
#define EVALD_API_RUN_SETTINGS_H

#include "api/json_out.h"
#include "api/json_read.h"
#include "api/store.h"

enum {
    PAGE_DEFAULT = 100,
    PAGE_MAX = 1000,
    TAGS_MAX = 64,
    TAG_KEY_MAX = 100, /* bytes */
    TAG_VALUE_MAX = 1000,
};

/*
 * ?limit= and ?cursor=, which is the key of the last item of a page.  The page
 * is one longer than what is shown, to see whether there are more.
 */
int read_page(const char *limit, const char *cursor, struct store_page *page,
              struct api_error *err);

/* Fails: this is no cursor. */
int cursor_fault(struct api_error *err);

/* The member "next" of a page: the cursor after it, or null. */
void write_next(struct json_out *out, const char *last);

/* A run's name: a string of at most RUN_NAME_MAX bytes; NULL leaves *name. */
int read_run_name(const json_t *v, const struct at *at, const char **name,
                  struct api_error *err);

/*
 * Tags as JSON with ascending keys, in mem: those of v on top of `old`, text of
 * that kind.  With `merge` null removes one, else it is a mistake.  v NULL
 * leaves *tags.
 */
int read_tags(const json_t *v, const struct at *at, const char *old, bool merge,
              const char **tags, struct arena *mem, struct api_error *err);

/* A value as text again, as numbers are written everywhere. */
void write_json(struct json_out *out, const json_t *v);

/* SHA-256 in hex, terminated. */
void hex_sha256(const char *text, size_t n, char hex[SHA256_HEX_BYTES]);

#endif
