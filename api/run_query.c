/* What the queries of runs' results ask. */
#include "api/run_query.h"

#include "api/detection_settings.h"
#include "api/number.h"
#include "core/key_sort.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool text; /* else a number, or numbers */
} keys[RUN_KEYS] = {
    [KEY_CATEGORY] = {"category", false},
    [KEY_IOU] = {"iou", false},
    [KEY_SCORE_THRESHOLDS] = {"score_thresholds", false},
    [KEY_CURVE_POINTS] = {"curve_points", false},
    [KEY_SUSPECT_SCORE] = {"suspect_score", false},
    [KEY_RESAMPLES] = {"resamples", false},
    [KEY_LEVEL] = {"level", false},
    [KEY_SEED] = {"seed", false},
    [KEY_SORT] = {"sort", true},
    [KEY_ORDER] = {"order", true},
    [KEY_LIMIT] = {"limit", false},
    [KEY_CURSOR] = {"cursor", true},
    [KEY_FORCE] = {"force", true},
    [KEY_A] = {"a", true},
    [KEY_B] = {"b", true},
};

const char *run_key_name(enum run_key key)
{
    return keys[key].name;
}

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                    "the query does not fit in the memory of one request");
}

/* Where a key is, for a message. */
static struct at at_key(enum run_key key)
{
    return (struct at){NULL, keys[key].name, 0};
}

/* Whether a document can have it: else its reader would name a place there. */
static bool fits(const char *number)
{
    errno = 0;
    if (number[strcspn(number, ".eE")])
        return isfinite(strtod(number, NULL));
    strtoll(number, NULL, 10);
    return errno == 0;
}

/* A number is one in JSON; what is none becomes a string, to be refused. */
static void write_number(struct json_out *out, enum run_key key,
                         const char *value, struct api_error *err)
{
    struct at at = at_key(key);
    if (!query_is_number(value))
        out_string(out, value);
    else if (fits(value))
        out_raw(out, value);
    else
        at_fail(err, PROBLEM_INVALID_VALUE, &at,
                "is %.60s, which is too large for a number of 64 bits", value);
}

static void write_numbers_of(struct json_out *out, enum run_key key,
                             const char *value, struct api_error *err)
{
    size_t n = strlen(value);
    char *list = arena_alloc(out->mem, n + 1, 1);
    const char *item;
    out_open(out, '[');
    if (list)
        memcpy(list, value, n + 1);
    while ((item = query_item(&list)))
        write_number(out, key, item, err);
    out_close(out, ']');
}

/* The numbers as a document, so that they are read as those of bodies are. */
static const json_t *read_numbers(struct api_call *call,
                                  const struct run_query *q)
{
    struct api_error *err = &call->err;
    struct json_out text;
    json_out_init(&text, call->mem, false);
    out_open(&text, '{');
    for (enum run_key key = 0; key < RUN_KEYS; key++) {
        if (!q->value[key] || keys[key].text)
            continue;
        out_key(&text, keys[key].name);
        if (key < KEY_LISTS)
            write_numbers_of(&text, key, q->value[key], err);
        else
            write_number(&text, key, q->value[key], err);
    }
    out_close(&text, '}');
    if (err->n)
        return NULL;
    if (!text.failed && !call->mem->failed)
        return json_read(text.text, text.len, call->mem, &call->err);
    no_memory(call);
    return NULL;
}

int run_query_read(struct api_call *call, unsigned wanted, struct run_query *q)
{
    const char *names[RUN_KEYS], *value[RUN_KEYS];
    size_t n = 0, lists = 0;
    *q = (struct run_query){.number = NULL};
    for (size_t key = 0; key < RUN_KEYS; key++)
        if (wanted & KEY(key)) {
            names[n++] = keys[key].name;
            lists += key < KEY_LISTS;
        }
    if (query_read(call->req->query, names, n, lists, value, call->mem,
                   &call->err))
        return -1;
    n = 0;
    for (size_t key = 0; key < RUN_KEYS; key++)
        if (wanted & KEY(key))
            q->value[key] = value[n++];
    q->number = read_numbers(call, q);
    return q->number ? 0 : -1;
}

int run_query_options(struct api_call *call, const struct run_query *q,
                      struct detection_options *o)
{
    read_options(q->number, NULL, o, &call->err);
    return call->err.n ? -1 : run_query_bootstrap(call, q, &o->bootstrap);
}

int run_query_bootstrap(struct api_call *call, const struct run_query *q,
                        struct coco_bootstrap *how)
{
    return read_bootstrap(q->number, NULL, how, &call->err);
}

int run_query_limit(struct api_call *call, const struct run_query *q,
                    size_t *limit)
{
    struct at at = at_key(KEY_LIMIT);
    const json_t *v = json_object_get(q->number, at.key);
    int64_t n;
    if (!v)
        return 0;
    if (read_integer(v, &at, &n, &call->err))
        return -1;
    if (n < 1 || n > INT32_MAX)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                       "is %lld, must be from 1 to %d", (long long)n,
                       INT32_MAX);
    *limit = (size_t)n;
    return 0;
}

static int read_sort(struct api_call *call, const char *value,
                     const struct coco_protocol *p,
                     const struct row_numbers *numbers, size_t *sort)
{
    enum { NAMES_MAX = COCO_VALUES_MAX + 16 };
    char buf[NAMES_MAX][ROW_NUMBER_BYTES];
    const char *names[NAMES_MAX];
    struct at at = at_key(KEY_SORT);
    size_t n = 0;
    while (n < NAMES_MAX && (names[n] = numbers->name(p, n, buf[n])))
        n++;
    return value ? read_word(value, &at, names, n, sort, &call->err) : 0;
}

static int read_order(struct api_call *call, const char *value,
                      bool *descending)
{
    static const char *const names[] = {"asc", "desc"};
    struct at at = at_key(KEY_ORDER);
    size_t row = 0;
    if (value && read_word(value, &at, names, 2, &row, &call->err))
        return -1;
    *descending = row == 1;
    return 0;
}

/* A position in rows sorted in one way. */
static void write_cursor(const struct run_page *page, size_t from,
                         char cursor[CURSOR_BYTES])
{
    snprintf(cursor, CURSOR_BYTES, "%zu.%zu%s", from, page->sort,
             page->descending ? "d" : "a");
}

static int read_cursor(struct api_call *call, const char *value,
                       struct run_page *page)
{
    char same[CURSOR_BYTES] = "";
    struct at at = at_key(KEY_CURSOR);
    unsigned long long from = value ? strtoull(value, NULL, 10) : 0;
    if (!value)
        return 0;
    if (from <= UINT32_MAX)
        write_cursor(page, from, same);
    if (strcmp(same, value) != 0)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                       "is \"%.40s\", which is not the next of a page with "
                       "this sort and order",
                       value);
    page->from = from;
    return 0;
}

int run_query_page(struct api_call *call, const struct run_query *q,
                   const struct coco_protocol *p,
                   const struct row_numbers *numbers, struct run_page *page)
{
    *page = (struct run_page){.limit = SIZE_MAX};
    return read_sort(call, q->value[KEY_SORT], p, numbers, &page->sort) ||
                   read_order(call, q->value[KEY_ORDER], &page->descending) ||
                   run_query_limit(call, q, &page->limit) ||
                   read_cursor(call, q->value[KEY_CURSOR], page)
               ? -1
               : 0;
}

size_t row_of_id(const int64_t *id, size_t n, int64_t wanted)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (id[mid] < wanted)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && id[lo] == wanted ? lo : n;
}

static int read_category(struct api_call *call,
                         const struct detection_report *rep, const json_t *v,
                         size_t i, size_t *k)
{
    const struct coco_index *ix = &rep->result.index;
    struct at list = at_key(KEY_CATEGORY), at = {&list, NULL, i};
    int64_t id;
    if (read_integer(v, &at, &id, &call->err))
        return -1;
    if (!rep->req->protocol.use_categories)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &list,
                       "is of no use here: the run does not use categories");
    *k = row_of_id(ix->category, ix->n_categories, id);
    if (*k == ix->n_categories)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                       "is %lld, which is no category of the dataset",
                       (long long)id);
    return 0;
}

/* Each class once, rising, whatever the order they were asked in. */
static int filter_classes(struct api_call *call, const json_t *list,
                          struct detection_report *rep)
{
    size_t n_classes = rep->result.index.n_classes, n = 0, k = 0;
    bool *wanted = arena_zero(call->mem, n_classes, sizeof(*wanted));
    uint32_t *row = arena_alloc(call->mem, n_classes, sizeof(*row));
    if (!wanted || !row)
        return no_memory(call);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (read_category(call, rep, json_array_get(list, i), i, &k))
            return -1;
        wanted[k] = true;
    }
    for (k = 0; k < n_classes; k++)
        if (wanted[k])
            row[n++] = (uint32_t)k;
    rep->shown.classes = (struct detection_rows){row, n};
    return 0;
}

/* As far as a person writes them: 0.55 may have been computed. */
static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static int filter_threshold(struct api_call *call, const json_t *v, size_t i,
                            struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    struct at list = at_key(KEY_IOU), at = {&list, NULL, i};
    uint64_t found = 0;
    double iou;
    if (read_number(v, &at, &iou, &call->err))
        return -1;
    for (size_t t = 0; t < p->n_iou; t++)
        if (is_near(p->iou[t], iou))
            found |= UINT64_C(1) << t;
    rep->shown.thresholds |= found;
    if (found)
        return 0;
    return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                   "is %s, which is none of the run's iou_thresholds",
                   number_text(iou).text);
}

int run_query_filter(struct api_call *call, const struct run_query *q,
                     struct detection_report *rep)
{
    const json_t *iou = json_object_get(q->number, run_key_name(KEY_IOU));
    const json_t *category =
        json_object_get(q->number, run_key_name(KEY_CATEGORY));
    for (size_t i = 0; i < json_array_size(iou); i++)
        if (filter_threshold(call, json_array_get(iou, i), i, rep))
            return -1;
    return category ? filter_classes(call, category, rep) : 0;
}

/* Rising keys are rows in the order of the page. */
static uint64_t sort_key(double x, bool descending)
{
    return isnan(x) ? UINT64_MAX : score_key(descending ? x : -x);
}

/* All of the n rows, as a list that can be sorted. */
static int sort_rows(struct api_call *call, const struct run_page *page,
                     const struct detection_report *rep,
                     const struct row_numbers *numbers, size_t n,
                     struct detection_rows *rows)
{
    struct arena *mem = call->mem;
    struct key_order by = key_order_alloc(n, mem);
    if (mem->failed)
        return no_memory(call);
    for (size_t i = 0, end; (end = stop_reach(mem->stop, i, n)) > i;)
        for (; i < end; i++) {
            by.row[i] = (uint32_t)row_shown(rows, i);
            by.key[i] = sort_key(numbers->value(rep, page->sort, by.row[i]),
                                 page->descending);
        }
    *rows = (struct detection_rows){by.row, n};
    return key_sort(&by, n, mem->stop);
}

int run_page_rows(struct api_call *call, const struct run_page *page,
                  const struct detection_report *rep,
                  const struct row_numbers *numbers, size_t n,
                  struct detection_rows *rows, char next[CURSOR_BYTES])
{
    n = rows_shown(rows, n);
    size_t from = page->from < n ? page->from : n;
    size_t shown = page->limit < n - from ? page->limit : n - from;
    next[0] = '\0';
    if (from + shown < n)
        write_cursor(page, from + shown, next);
    if (page->sort == 0 && !page->descending && shown == n)
        return 0; /* they are in this order */
    if (sort_rows(call, page, rep, numbers, n, rows))
        return -1;
    rows->row += from;
    rows->n = shown;
    return 0;
}
