/*
 * What runs need of a store, as functions that whoever answers requests hands
 * in: api/ knows what is kept, the server where (SQLite, PostgreSQL).
 *
 * Calls wait until they are done, so they are for workers; any number of
 * threads may call at once.  What a write call answers with STORE_OK is
 * committed and durable.  Results are copied into the arena handed in.
 */
#ifndef EVALD_API_STORE_H
#define EVALD_API_STORE_H

#include "api/api.h"
#include "api/etag.h"
#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_status {
    STORE_OK,
    STORE_MISSING,  /* there is no such thing */
    STORE_CONFLICT, /* something else is in its place; nothing has changed */
    STORE_REFUSED,  /* a condition does not hold; nothing has changed */
    STORE_CLOSED,   /* the run is finalized; nothing has changed */
    STORE_FULL,     /* no space left, or beyond a quota: see why */
    STORE_GONE,     /* the database cannot be reached now; try again */
    STORE_MEMORY,   /* the arena is spent */
    STORE_STOPPED,  /* a visitor ended it, or the request was stopped */
    STORE_BROKEN,   /* the database is damaged, or answers what cannot be */
};

enum {
    SHA256_HEX_BYTES = 65, /* with the NUL */
    RUN_ID_BYTES = 27,     /* 26 characters, ascending with time of creation */
    DATASET_NAME_MAX = 100,
    RUN_NAME_MAX = 200,
    STORE_WHY_BYTES = 200,
    IMAGE_DIGEST_BYTES = 16,
};

struct store_dataset {
    const char *name;
    const char *sha256; /* of the JSON that was put, in hex */
    int64_t images, annotations, categories;
    int64_t bytes;                  /* of the content as it is kept */
    int64_t created_ms, updated_ms; /* since 1970 */
};

enum store_run_state { RUN_OPEN, RUN_FINALIZED };

struct store_run {
    const char *id, *name;  /* name may be "" */
    const char *dataset;    /* its name when the run was opened */
    const char *sha256;     /* of its content */
    const char *parameters; /* JSON object, as section 5 of the API, whole */
    const char *protocol;   /* hash: "sha256:..." */
    const char *tags;       /* JSON object of strings, keys ascending */
    enum store_run_state state;
    int64_t expected_images;
    int64_t created_ms, updated_ms, finalized_ms; /* finalized 0 = not yet */
    int64_t images, detections, bytes; /* of the images that are in */
    /*
     * Goes up by one with each image that is added or replaced, which keeps
     * the number; what has a greater one has come later.
     */
    int64_t seq;
    int64_t replaced; /* how many images were replaced so far */
    /* JSON that finalize answered; NULL = not yet, and in lists. */
    const char *result;
};

/* A new run; idempotency_key may be NULL. */
struct store_new_run {
    struct store_run run; /* state open, nothing in it */
    const char *idempotency_key;
    const char *request_digest; /* of what was asked, in hex */
};

struct store_image {
    int64_t image;                      /* id */
    uint8_t digest[IMAGE_DIGEST_BYTES]; /* of what was sent for it */
    int64_t seq;                        /* given by the store */
    uint32_t detections;
    struct span part; /* core/coco_part.h */
};

enum store_image_fate {
    IMAGE_ADDED,
    IMAGE_REPEATED,
    IMAGE_REPLACED,
    IMAGE_CONFLICT
};

/* After the key of the last page, or NULL = from the first. */
struct store_page {
    const char *after;
    size_t limit;
};

struct store_run_filter {
    const char *dataset;         /* NULL = any */
    const char *state;           /* "open", "finalized"; NULL = any */
    const char *tag, *tag_value; /* key; value NULL = any; NULL = no filter */
    struct store_page page;      /* newest first; after = an id */
};

typedef int store_image_visit(void *context, const struct store_image *image);

struct api_store {
    void *self;

    /*
     * Names content, and sets the bytes and times of *d.  *created: the name
     * is new; *same: it had this content already, and nothing changes.
     * STORE_CONFLICT: it has other content that finalized runs were scored on,
     * and `replace` is false.  STORE_REFUSED: see etag_permits.
     */
    enum store_status (*put_dataset)(void *self, struct store_dataset *d,
                                     struct span content, bool replace,
                                     const struct etag_condition *when,
                                     bool *created, bool *same);
    enum store_status (*get_dataset)(void *self, const char *name,
                                     struct store_dataset *d,
                                     struct arena *mem);
    /* The packed content, by its hash; in mem. */
    enum store_status (*get_content)(void *self, const char *sha256,
                                     struct span *content, struct arena *mem);
    /* By name, ascending; *d becomes *n of them in mem. */
    enum store_status (*list_datasets)(void *self,
                                       const struct store_page *page,
                                       struct store_dataset **d, size_t *n,
                                       struct arena *mem);
    /* Runs keep the content that they were opened on. */
    enum store_status (*delete_dataset)(void *self, const char *name,
                                        const struct etag_condition *when);

    /*
     * STORE_OK with *existed: a run was opened with this key and request
     * before; it is *found.  STORE_CONFLICT: with this key, but another
     * request.  STORE_MISSING: the content has gone meanwhile.
     */
    enum store_status (*create_run)(void *self, const struct store_new_run *r,
                                    struct store_run *found, bool *existed,
                                    struct arena *mem);
    enum store_status (*get_run)(void *self, const char *id,
                                 struct store_run *r, struct arena *mem);
    enum store_status (*list_runs)(void *self,
                                   const struct store_run_filter *filter,
                                   struct store_run **r, size_t *n,
                                   struct arena *mem);
    /*
     * NULL leaves name or tags as they are.  STORE_CONFLICT: the tags are not
     * those that they are to take the place of.
     */
    enum store_status (*update_run)(void *self, const char *id,
                                    const char *name, const char *tags,
                                    const char *old_tags);
    enum store_status (*delete_run)(void *self, const char *id);
    /*
     * Closes the run if it is open and nothing has come since seq:
     * STORE_CONFLICT if something has.  STORE_CLOSED: somebody else has closed
     * it, who had the same numbers.
     */
    enum store_status (*finalize_run)(void *self, const char *id, int64_t seq,
                                      const char *result);

    /*
     * Adds n images of one batch, all of them or, with STORE_CONFLICT, none;
     * fate[i] says of each what became of it, or what was in the way.  An
     * image whose digest is the stored one's is repeated, also in a run that
     * is finalized; others are not taken there: STORE_CLOSED.
     */
    enum store_status (*put_images)(void *self, const char *run,
                                    const struct store_image *image, size_t n,
                                    bool replace, enum store_image_fate *fate,
                                    struct arena *mem);
    /*
     * Visits the images whose seq is above that, by seq or by image id.
     * image->part is for the visit only.  A visitor that returns non-zero ends
     * it: STORE_STOPPED.
     */
    enum store_status (*each_image)(void *self, const char *run,
                                    int64_t after_seq, bool by_image,
                                    store_image_visit *visit, void *context);
    /* One image; its part in mem. */
    enum store_status (*get_image)(void *self, const char *run, int64_t image,
                                   struct store_image *out, struct arena *mem);

    /* Whether it answers now, for /readyz. */
    bool (*ready)(void *self);
    /* Why the calling thread's last call failed, for a log or 507's detail. */
    const char *(*why)(void *self);
};

#endif
