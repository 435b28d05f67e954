/* Runs as such: GET, list, PATCH, DELETE. */
#include "api/detection_write.h"
#include "api/query.h"
#include "api/run.h"
#include "api/run_settings.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int no_query(struct api_call *call)
{
    return query_values(call->req->query, NULL, 0, NULL, call->mem, &call->err);
}

/* What finalize has kept, in part. */
static int write_result(struct api_call *call, const char *result)
{
    static const char *const parts[] = {"summary", "summary_array", "warnings"};
    const json_t *v = json_read(result, strlen(result), call->mem, &call->err);
    if (!v)
        return -1;
    for (size_t i = 0; i < COUNT(parts); i++) {
        out_key(&call->out, parts[i]);
        write_json(&call->out, json_object_get(v, parts[i]));
    }
    return 0;
}

/* The summary so far; the counts of the row are made to go with it. */
static int write_live(struct api_call *call)
{
    struct run run;
    struct run_summary summary;
    struct detection_report *rep = arena_alloc(call->mem, 1, sizeof(*rep));
    if (!rep)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    int rc = run_open(call, &run) || run_live_summary(call, &run, &summary);
    if (rc == 0) {
        run_summary_report(&run, &summary, call->env->par, rep);
        run.row.images = summary.images;
        run.row.detections = summary.detections;
        run_write(&call->out, &run.row, &run.req.protocol);
        write_summary(&call->out, rep);
    }
    run_close(call, &run);
    return rc ? -1 : 0;
}

int run_get(struct api_call *call)
{
    struct store_run row;
    struct detection_request req;
    if (no_query(call) || run_row(call, &row))
        return -1;
    out_open(&call->out, '{');
    if (row.result) {
        if (run_parameters(call, &row, &req))
            return -1;
        run_write(&call->out, &row, &req.protocol);
        if (write_result(call, row.result))
            return -1;
    } else if (write_live(call)) {
        return -1;
    }
    out_close(&call->out, '}');
    return 0;
}

/* ?tag=key or ?tag=key:value */
static int read_tag_filter(struct api_call *call, const char *tag,
                           struct store_run_filter *filter)
{
    size_t n = tag ? strcspn(tag, ":") : 0;
    char *key = arena_alloc(call->mem, n + 1, 1);
    if (!tag)
        return 0;
    if (!key)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the query");
    memcpy(key, tag, n);
    key[n] = '\0';
    filter->tag = key;
    filter->tag_value = tag[n] ? tag + n + 1 : NULL;
    return 0;
}

static int read_filter(struct api_call *call, struct store_run_filter *filter)
{
    enum { DATASET, STATE, TAG, LIMIT, CURSOR };
    static const char *const names[] = {[DATASET] = "dataset",
                                        [STATE] = "state",
                                        [TAG] = "tag",
                                        [LIMIT] = "limit",
                                        [CURSOR] = "cursor"};
    const char *value[COUNT(names)];
    if (query_values(call->req->query, names, COUNT(names), value, call->mem,
                     &call->err) ||
        read_page(value[LIMIT], value[CURSOR], &filter->page, &call->err) ||
        read_tag_filter(call, value[TAG], filter))
        return -1;
    if (value[CURSOR] && !run_id_is(value[CURSOR]))
        return cursor_fault(&call->err);
    filter->dataset = value[DATASET];
    filter->state = value[STATE];
    if (filter->state && strcmp(filter->state, "open") != 0 &&
        strcmp(filter->state, "finalized") != 0)
        return api_fail(&call->err, PROBLEM_INVALID_VALUE, "/state",
                        "state is \"%.60s\", must be open or finalized",
                        filter->state);
    return 0;
}

int run_list(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    struct store_run_filter filter = {0};
    struct json_out *out = &call->out;
    struct store_run *row;
    size_t n;
    if (read_filter(call, &filter))
        return -1;
    enum store_status status =
        store->list_runs(store->self, &filter, &row, &n, call->mem);
    if (status)
        return run_store_fault(call, status, "the runs");
    bool more = n == filter.page.limit;
    n -= more;
    out_open(out, '{');
    out_key(out, "runs");
    out_open(out, '[');
    for (size_t i = 0; i < n && !out->failed; i++) {
        out_open(out, '{');
        run_write(out, &row[i], NULL);
        out_close(out, '}');
    }
    out_close(out, ']');
    write_next(out, more ? row[n - 1].id : NULL);
    out_close(out, '}');
    return 0;
}

/* What is to be changed; NULL = left as it is. */
static int read_patch(struct api_call *call, const struct store_run *row,
                      const char **name, const char **tags)
{
    enum { NAME, TAGS };
    static const char *const members[] = {[NAME] = "name", [TAGS] = "tags"};
    struct api_error *err = &call->err;
    const json_t *m[COUNT(members)];
    const json_t *v = json_read(call->body, call->body_len, call->mem, err);
    if (!v || read_object(v, NULL, err) ||
        read_members(v, NULL, members, COUNT(members), m, err))
        return -1;
    read_run_name(m[NAME], &(struct at){NULL, members[NAME], 0}, name, err);
    read_tags(m[TAGS], &(struct at){NULL, members[TAGS], 0}, row->tags, true,
              tags, call->mem, err);
    return err->n ? -1 : 0;
}

enum { PATCH_TRIES = 100 };

/* Tags are merged with what they are now: others may be at it. */
static int patch_once(struct api_call *call, struct store_run *row,
                      enum store_status *status)
{
    const struct api_store *store = call->env->store;
    const char *name = NULL, *tags = NULL;
    *status = STORE_OK;
    if (run_row(call, row) || read_patch(call, row, &name, &tags))
        return -1;
    if (name || tags)
        *status = store->update_run(store->self, row->id, name, tags,
                                    tags ? row->tags : NULL);
    return 0;
}

int run_patch(struct api_call *call)
{
    struct store_run row;
    struct detection_request req;
    enum store_status status = STORE_CONFLICT;
    if (no_query(call))
        return -1;
    for (size_t i = 0; i < PATCH_TRIES && status == STORE_CONFLICT; i++)
        if (patch_once(call, &row, &status))
            return -1;
    if (status)
        return run_store_fault(call, status, "run of this id");
    if (run_row(call, &row) || run_parameters(call, &row, &req))
        return -1;
    out_open(&call->out, '{');
    run_write(&call->out, &row, &req.protocol);
    out_close(&call->out, '}');
    return 0;
}

int run_delete(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    struct store_run row;
    if (no_query(call) || run_row(call, &row))
        return -1;
    enum store_status status = store->delete_run(store->self, row.id);
    if (status)
        return run_store_fault(call, status, "run of this id");
    call->res->status = 204;
    return 0;
}
