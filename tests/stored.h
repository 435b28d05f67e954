/*
 * Stores for tests: the one that EVALD_TEST_STORE names, emptied first, or a
 * file of SQLite in a directory of its own.
 */
#ifndef EVALD_TESTS_STORED_H
#define EVALD_TESTS_STORED_H

#include "server/store.h"

struct stored {
    char dir[64];    /* "" = none */
    char where[200]; /* the file's path, or the URL */
    struct store *store;
    const struct api_store *calls;
};

/* An empty store, opened and started; fails the test if that fails. */
void stored_make(struct stored *s);
/* The same place with other options; where is set here. */
void stored_make_with(struct stored *s, const struct store_options *o);
/* Closes it, and opens it again with the options of the first time. */
void stored_reopen(struct stored *s);
/* Closes it and removes the directory. */
void stored_remove(struct stored *s);

/* Whether it is a file of SQLite. */
bool stored_in_file(const struct stored *s);

/* Content "c" of the dataset "d", and a run of that id on it; they must fit. */
void stored_dataset(const struct stored *s, const char *name,
                    const char *content);
void stored_run(const struct stored *s, const char *id);

/*
 * An image whose part of so many bytes, and digest, follow from its id and
 * version.  The part is in mem.
 */
struct store_image stored_image(int64_t id, uint64_t version, size_t bytes,
                                struct arena *mem);
/* Whether it is that image, but for seq. */
bool stored_is(const struct store_image *image, int64_t id, uint64_t version,
               size_t bytes);

/* Ids of runs that ascend with k. */
const char *stored_id(unsigned k, char id[RUN_ID_BYTES]);

#endif
