/*
 * Queries of runs' results: their keys and what they say.  Functions return
 * 0, or -1 with call->err set.
 */
#ifndef EVALD_API_RUN_QUERY_H
#define EVALD_API_RUN_QUERY_H

#include "api/detection_write.h"
#include "api/query.h"
#include "api/route.h"

#include <jansson.h>

/* Those that may come more than once, or with commas, are the first. */
enum run_key {
    KEY_CATEGORY,
    KEY_IOU,
    KEY_SCORE_THRESHOLDS,
    KEY_LISTS,
    KEY_CURVE_POINTS = KEY_LISTS,
    KEY_SUSPECT_SCORE,
    KEY_RESAMPLES,
    KEY_LEVEL,
    KEY_SEED,
    KEY_SORT,
    KEY_ORDER,
    KEY_LIMIT,
    KEY_CURSOR,
    KEY_FORCE,
    KEY_A,
    KEY_B,
    RUN_KEYS
};

/* Keys as bits, for those that a path has. */
#define KEY(key) (1u << (key))
#define KEYS_BOOTSTRAP (KEY(KEY_RESAMPLES) | KEY(KEY_LEVEL) | KEY(KEY_SEED))
#define KEYS_PAGE \
    (KEY(KEY_SORT) | KEY(KEY_ORDER) | KEY(KEY_LIMIT) | KEY(KEY_CURSOR))

struct run_query {
    const char *value[RUN_KEYS]; /* NULL = it is not there */
    const json_t *number;        /* those that are numbers, and lists of them */
};

/* The name of a key, and whether its value is text; else numbers. */
const char *run_key_name(enum run_key key);

/* Reads the query, which may have these keys. */
int run_query_read(struct api_call *call, unsigned wanted, struct run_query *q);

/* Changes the options that the query names. */
int run_query_options(struct api_call *call, const struct run_query *q,
                      struct detection_options *o);
int run_query_bootstrap(struct api_call *call, const struct run_query *q,
                        struct coco_bootstrap *how);

/* A limit from 1 to INT32_MAX; what *limit is if there is none. */
int run_query_limit(struct api_call *call, const struct run_query *q,
                    size_t *limit);

/* Which rows of a list are wanted. */
struct run_page {
    size_t sort; /* by which number of the row */
    bool descending;
    size_t from, limit; /* of the rows in that order */
};

/* A cursor is what one page says of where the next begins. */
enum { CURSOR_BYTES = 64 };

int run_query_page(struct api_call *call, const struct run_query *q,
                   const struct coco_protocol *p,
                   const struct row_numbers *numbers, struct run_page *page);

/* The classes and thresholds of category= and iou= become those shown. */
int run_query_filter(struct api_call *call, const struct run_query *q,
                     struct detection_report *rep);

/* The row of an id in n ids that rise, or n. */
size_t row_of_id(const int64_t *id, size_t n, int64_t wanted);

/*
 * *rows, of n in all, become those of the page: equal ones by id, ascending;
 * those where the number is null behind the others.  next is the cursor of
 * the next page, or "".
 */
int run_page_rows(struct api_call *call, const struct run_page *page,
                  const struct detection_report *rep,
                  const struct row_numbers *numbers, size_t n,
                  struct detection_rows *rows, char next[CURSOR_BYTES]);

#endif
