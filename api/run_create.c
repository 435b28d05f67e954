/* POST /v1/runs */
#include "api/detection_settings.h"
#include "api/detection_write.h"
#include "api/query.h"
#include "api/run.h"
#include "api/run_settings.h"
#include "api/suggest.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { DATASET, NAME, TAGS, PARAMETERS, EXPECTED };
static const char *const members[] = {[DATASET] = "dataset",
                                      [NAME] = "name",
                                      [TAGS] = "tags",
                                      [PARAMETERS] = "parameters",
                                      [EXPECTED] = "expected_images"};

/* 48 bits of time, 80 that are random, in Crockford's base 32. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
enum { TIME_DIGITS = 10, ALL_DIGITS = RUN_ID_BYTES - 1 };

void run_id_first(char id[RUN_ID_BYTES], int64_t ms)
{
    for (size_t i = 0; i < TIME_DIGITS; i++)
        id[i] = digits[(uint64_t)ms >> 5 * (TIME_DIGITS - 1 - i) & 31];
    id[TIME_DIGITS] = '\0';
}

bool run_id_is(const char *text)
{
    size_t n = strspn(text, digits);
    return n == ALL_DIGITS && text[n] == '\0';
}

static int make_id(char id[RUN_ID_BYTES], int64_t ms)
{
    uint8_t bits[ALL_DIGITS - TIME_DIGITS]; /* five are used of each */
    if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
        return -1;
    run_id_first(id, ms);
    for (size_t i = TIME_DIGITS; i < ALL_DIGITS; i++)
        id[i] = digits[bits[i - TIME_DIGITS] & 31];
    id[ALL_DIGITS] = '\0';
    return 0;
}

/* The parameters of a request in full, so that a later default is no matter. */
static const char *whole_parameters(const struct detection_request *req,
                                    struct arena *mem)
{
    const struct detection_options *o = &req->options;
    struct json_out out;
    json_out_init(&out, mem, false);
    out_open(&out, '{');
    write_parameters(&out, &req->protocol);
    if (o->curve_points)
        out_member_integer(&out, "curve_points", (int64_t)o->curve_points);
    write_numbers(&out, "score_thresholds", o->score, o->n_scores);
    out_member_number(&out, "suspect_score", o->suspect_score);
    out_key(&out, "intervals");
    out_open(&out, '{');
    out_member_integer(&out, "resamples", o->bootstrap.resamples);
    out_member_number(&out, "level", o->bootstrap.level);
    out_member_integer(&out, "seed", (int64_t)o->bootstrap.seed);
    out_close(&out, '}');
    out_close(&out, '}');
    out_bytes(&out, "", 1);
    return out.failed ? NULL : out.text;
}

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL, "no memory for the run");
}

/* Says that there is no such dataset, and which may be meant. */
static int unknown_dataset(struct api_call *call, const char *name)
{
    static const struct at at = {NULL, "dataset", 0};
    const struct api_store *store = call->env->store;
    const struct store_page page = {.limit = PAGE_MAX};
    struct store_dataset *d;
    size_t n = 0;
    const char **names = NULL, *near = NULL;
    if (store->list_datasets(store->self, &page, &d, &n, call->mem) == STORE_OK)
        names = arena_alloc(call->mem, n, sizeof(*names));
    for (size_t i = 0; i < n && names; i++)
        names[i] = d[i].name;
    if (names)
        near = suggest(name, names, n);
    return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                   "is \"%.100s\", which there is not; %s%s%s", name,
                   near ? "did you mean \"" : "PUT /v1/datasets/{name} first",
                   near ? near : "", near ? "\"?" : "");
}

static int find_dataset(struct api_call *call, const json_t *v,
                        struct store_dataset *d)
{
    static const struct at at = {NULL, "dataset", 0};
    const struct api_store *store = call->env->store;
    const char *name = json_string_value(v);
    if (!v)
        return at_fail(&call->err, PROBLEM_MISSING_MEMBER, &at,
                       "is missing; it must be the name of a dataset");
    if (!name)
        return at_fail(&call->err, PROBLEM_INVALID_VALUE, &at,
                       "is %s, must be the name of a dataset", json_kind(v));
    enum store_status status =
        store->get_dataset(store->self, name, d, call->mem);
    if (status == STORE_MISSING && !call->req->idempotency_key)
        return unknown_dataset(call, name);
    if (status == STORE_MISSING) {
        /* it was there, perhaps, when the run was opened with this key */
        *d = (struct store_dataset){
            .name = name, .sha256 = "", .images = INT64_MAX};
        return 0;
    }
    return status ? run_store_fault(call, status, "the dataset") : 0;
}

static int read_expected(const json_t *v, int64_t images, int64_t *expected,
                         struct api_error *err)
{
    static const struct at at = {NULL, "expected_images", 0};
    *expected = images;
    if (!v)
        return 0;
    if (read_integer(v, &at, expected, err))
        return -1;
    if (*expected < 1 || *expected > images)
        return at_fail(err, PROBLEM_INVALID_VALUE, &at,
                       "is %lld, must be from 1 to %lld, the images of the "
                       "dataset",
                       (long long)*expected, (long long)images);
    return 0;
}

/* Reads the body; every fault in it is told. */
static int read_body(struct api_call *call, struct store_run *run,
                     struct detection_request *req)
{
    struct at at[COUNT(members)];
    const json_t *m[COUNT(members)];
    struct api_error *err = &call->err;
    struct store_dataset d;
    const json_t *v = json_read(call->body, call->body_len, call->mem, err);
    if (!v || read_object(v, NULL, err))
        return -1;
    for (size_t i = 0; i < COUNT(members); i++)
        at[i] = (struct at){NULL, members[i], 0};
    read_members(v, NULL, members, COUNT(members), m, err);
    for (size_t i = 0; i < COUNT(members); i++)
        m[i] = json_object_get(v, members[i]);
    int rc = find_dataset(call, m[DATASET], &d);
    read_run_name(m[NAME], &at[NAME], &run->name, err);
    read_tags(m[TAGS], &at[TAGS], "{}", false, &run->tags, call->mem, err);
    read_parameters(m[PARAMETERS], &at[PARAMETERS], req, err);
    if (rc == 0)
        read_expected(m[EXPECTED], d.images, &run->expected_images, err);
    if (err->n)
        return -1;
    run->dataset = d.name;
    run->sha256 = d.sha256;
    return 0;
}

static int check_key(const char *key, struct api_error *err)
{
    enum { KEY_MAX = 255 };
    size_t n = key ? strlen(key) : 1;
    bool visible = true;
    for (size_t i = 0; key && i < n; i++)
        visible &= key[i] > ' ' && key[i] < 0x7f;
    if (n > 0 && n <= KEY_MAX && visible)
        return 0;
    return api_fail(err, PROBLEM_INVALID_VALUE, NULL,
                    "Idempotency-Key has %zu characters, must have 1 to %d "
                    "that are visible ASCII",
                    n, KEY_MAX);
}

/* Completes what the body said. */
static int complete(struct api_call *call, struct store_new_run *new,
                    const struct detection_request *req)
{
    struct store_run *run = &new->run;
    char *id = arena_alloc(call->mem, RUN_ID_BYTES, 1);
    char *hash = arena_alloc(call->mem, PROTOCOL_HASH_BYTES, 1);
    char *digest = arena_alloc(call->mem, SHA256_HEX_BYTES, 1);
    run->parameters = whole_parameters(req, call->mem);
    if (!id || !hash || !digest || !run->parameters ||
        detection_protocol_hash(&req->protocol, call->mem, hash))
        return no_memory(call);
    run->created_ms = run->updated_ms = now_ms();
    if (make_id(id, run->created_ms))
        return api_fail(&call->err, PROBLEM_INTERNAL, NULL,
                        "the system has no random numbers");
    hex_sha256(call->body, call->body_len, digest);
    run->id = id;
    run->protocol = hash;
    new->idempotency_key = call->req->idempotency_key;
    new->request_digest = digest;
    return 0;
}

static int answer(struct api_call *call, const struct store_run *run,
                  bool existed)
{
    struct detection_request req;
    size_t n = strlen("/v1/runs/") + RUN_ID_BYTES;
    char *location = arena_alloc(call->mem, n, 1);
    if (!location)
        return no_memory(call);
    if (run_parameters(call, run, &req))
        return -1;
    snprintf(location, n, "/v1/runs/%s", run->id);
    call->res->location = location;
    call->res->status = existed ? 200 : 201;
    out_open(&call->out, '{');
    run_write(&call->out, run, &req.protocol);
    out_close(&call->out, '}');
    return 0;
}

int run_create(struct api_call *call)
{
    const struct api_store *store = call->env->store;
    struct store_new_run new = {.run = {.name = "", .tags = "{}"}};
    struct store_run found;
    struct detection_request req;
    bool existed;
    detection_request_init(&req);
    if (query_values(call->req->query, NULL, 0, NULL, call->mem, &call->err) ||
        check_key(call->req->idempotency_key, &call->err) ||
        read_body(call, &new.run, &req) || complete(call, &new, &req))
        return -1;
    enum store_status status =
        store->create_run(store->self, &new, &found, &existed, call->mem);
    if (status == STORE_CONFLICT)
        return api_fail(&call->err, PROBLEM_CONFLICT, NULL,
                        "a run was opened with this Idempotency-Key and "
                        "another body; every new run needs a key of its own");
    if (status == STORE_MISSING)
        return unknown_dataset(call, new.run.dataset);
    if (status)
        return run_store_fault(call, status, "the run");
    return answer(call, existed ? &found : &new.run, existed);
}
