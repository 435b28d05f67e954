/* Ground truth under a name: PUT, GET, list, DELETE. */
#include "api/clock.h"
#include "api/query.h"
#include "api/run.h"
#include "api/run_settings.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static int check_name(const char *name, struct api_error *err)
{
    size_t n = strlen(name);
    if (n > 0 && n <= DATASET_NAME_MAX && strspn(name, letters) == n &&
        !strchr("._-", name[0]))
        return 0;
    return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                    "\"%.100s\" is no name of a dataset: 1 to %d letters, "
                    "digits or any of ._-, first a letter or digit",
                    name, DATASET_NAME_MAX);
}

static void write_dataset(struct json_out *out, const struct store_dataset *d)
{
    out_open(out, '{');
    out_member_string(out, "name", d->name);
    out_member_string(out, "sha256", d->sha256);
    out_member_integer(out, "images", d->images);
    out_member_integer(out, "annotations", d->annotations);
    out_member_integer(out, "categories", d->categories);
    out_member_integer(out, "bytes", d->bytes);
    write_time(out, "created_at", d->created_ms);
    write_time(out, "updated_at", d->updated_ms);
    out_close(out, '}');
}

static int answer(struct api_call *call, const struct store_dataset *d)
{
    char *tag = arena_alloc(call->mem, ETAG_SHA256_BYTES, 1);
    if (!tag)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the answer");
    etag_of_sha256(d->sha256, tag);
    call->res->etag = tag;
    write_dataset(&call->out, d);
    return 0;
}

/* A fault about the dataset that the path names. */
static int fault(struct api_call *call, enum store_status status)
{
    char what[DATASET_NAME_MAX + 32];
    snprintf(what, sizeof(what), "dataset \"%.*s\"", DATASET_NAME_MAX,
             call->rest);
    return run_store_fault(call, status, what);
}

static struct etag_condition condition(const struct api_call *call)
{
    return (struct etag_condition){call->req->if_match,
                                   call->req->if_none_match};
}

int dataset_get(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    struct store_dataset d;
    if (query_values(call->req->query, NULL, 0, NULL, call->mem, &call->err))
        return -1;
    enum store_status status =
        store->get_dataset(store->self, call->rest, &d, call->mem);
    return status ? fault(call, status) : answer(call, &d);
}

/* Reads the body into columns, and these into bytes. */
static int pack(struct api_call *call, struct store_dataset *d,
                struct span *content)
{
    struct detection_request req;
    double start = clock_ms();
    char *hex = arena_alloc(call->mem, SHA256_HEX_BYTES, 1);
    detection_request_init(&req);
    if (decode_detection(DETECTION_GROUND_TRUTH, call->body, call->body_len,
                         &req, call->env->par, call->mem, &call->err))
        return -1;
    call->res->parse_ms = clock_ms() - start;
    content->text = dataset_pack(&req, &content->len, call->mem);
    if (!content->text || !hex)
        return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                        "no memory for the content");
    hex_sha256(call->body, call->body_len, hex);
    d->sha256 = hex;
    d->images = (int64_t)req.gt.n_images;
    d->annotations = (int64_t)req.gt.n;
    d->categories =
        (int64_t)(req.gt.n_categories - req.odd.duplicate_categories);
    d->bytes = (int64_t)content->len;
    return 0;
}

int dataset_put(struct api_call *call)
{
    static const char *const names[] = {"replace"};
    const struct api_store *store = call->env->store;
    const char *value[COUNT(names)];
    struct store_dataset d = {.name = call->rest};
    struct span content;
    bool replace = false, created, same;
    if (query_values(call->req->query, names, COUNT(names), value, call->mem,
                     &call->err) ||
        query_flag(names[0], value[0], &replace, &call->err) ||
        check_name(d.name, &call->err) || pack(call, &d, &content))
        return -1;
    d.created_ms = d.updated_ms = now_ms();
    struct etag_condition when = condition(call);
    enum store_status status = store->put_dataset(
        store->self, &d, content, replace, &when, &created, &same);
    if (status == STORE_CONFLICT)
        return api_fail(&call->err, PROBLEM_CONFLICT, NULL,
                        "dataset \"%s\" has other content, which finalized "
                        "runs were scored on; ?replace names the new one so, "
                        "and those runs keep theirs",
                        call->rest);
    if (status)
        return fault(call, status);
    if (created) {
        call->res->status = 201;
        call->res->location = call->req->path;
    }
    return answer(call, &d);
}

int dataset_delete(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    if (query_values(call->req->query, NULL, 0, NULL, call->mem, &call->err))
        return -1;
    struct etag_condition when = condition(call);
    enum store_status status =
        store->delete_dataset(store->self, call->rest, &when);
    if (status)
        return fault(call, status);
    call->res->status = 204;
    return 0;
}

int dataset_list(struct api_call *call)
{
    static const char *const names[] = {"limit", "cursor"};
    const struct api_store *store = call->env->store;
    const char *value[COUNT(names)];
    struct store_page page;
    struct store_dataset *d;
    size_t n;
    if (query_values(call->req->query, names, COUNT(names), value, call->mem,
                     &call->err) ||
        read_page(value[0], value[1], &page, &call->err))
        return -1;
    enum store_status status =
        store->list_datasets(store->self, &page, &d, &n, call->mem);
    if (status)
        return run_store_fault(call, status, "the datasets");
    struct json_out *out = &call->out;
    bool more = n == page.limit;
    n -= more;
    out_open(out, '{');
    out_key(out, "datasets");
    out_open(out, '[');
    for (size_t i = 0; i < n && !out->failed; i++)
        write_dataset(out, &d[i]);
    out_close(out, ']');
    write_next(out, more ? d[n - 1].name : NULL);
    out_close(out, '}');
    return 0;
}
