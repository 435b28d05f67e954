/* Requests about datasets and runs, answered over a store in arrays. */
#ifndef EVALD_TESTS_ASKED_H
#define EVALD_TESTS_ASKED_H

#include "api/api.h"
#include "tests/kept.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ASKED_BYTES = 1 << 29 };

/* What became of a request; the texts are in mem. */
struct answer {
    int status;
    const char *body; /* terminated */
    size_t len;
    const char *type, *etag, *location;
    struct arena mem;
};

struct question {
    const char *method, *path, *query, *body;
    const char *key, *if_none_match, *type, *accept;
};

static inline struct answer ask(struct kept *kept, const struct question *q)
{
    struct api_env env = {.par = &parallel_serial,
                          .body_bytes_max = ASKED_BYTES,
                          .workers = 2,
                          .store = kept ? &kept->store : NULL,
                          .cache = kept ? &kept->cache : NULL};
    struct api_request req = {.method = q->method,
                              .path = q->path,
                              .query = q->query ? q->query : "",
                              .content_type = q->type   ? q->type
                                              : q->body ? "application/json"
                                                        : NULL,
                              .accept = q->accept,
                              .request_id = "7",
                              .if_none_match = q->if_none_match,
                              .idempotency_key = q->key,
                              .length_known = q->body,
                              .content_length = q->body ? strlen(q->body) : 0,
                              .body = q->body ? q->body : "",
                              .body_len = q->body ? strlen(q->body) : 0};
    static size_t depth; /* requests may be asked while another is answered */
    struct answer a = {0};
    struct api_response res;
    depth++;
    arena_init(&a.mem, ASKED_BYTES);
    api_find(&req);
    if (api_admit(&env, &req, &a.mem, &res))
        api_answer(&env, &req, &a.mem, &res);
    char *text = arena_alloc(&a.mem, res.body_len + 1, 1);
    assert_non_null(text);
    if (res.body_len)
        memcpy(text, res.body, res.body_len);
    text[res.body_len] = '\0';
    a.status = res.status;
    a.body = text;
    a.len = res.body_len;
    a.type = res.content_type;
    a.etag = res.etag;
    a.location = res.location;
    depth--;
    for (size_t i = 0; kept && depth == 0 && i < KEPT_ENTRIES; i++)
        assert_true(!kept->entry[i].used || kept->entry[i].users == 0);
    return a;
}

/* Asks, and fails unless the status is that. */
static inline struct answer must(struct kept *kept, int status,
                                 const struct question *q)
{
    struct answer a = ask(kept, q);
    if (a.status != status)
        fail_msg("%s %s?%s: %d, not %d: %.600s", q->method, q->path,
                 q->query ? q->query : "", a.status, status, a.body);
    return a;
}

static inline void done(struct answer *a)
{
    arena_free(&a->mem);
}

/* As must, for who wants no more than the status. */
static inline void expect(struct kept *kept, int status,
                          const struct question *q)
{
    struct answer a = must(kept, status, q);
    done(&a);
}

#endif
