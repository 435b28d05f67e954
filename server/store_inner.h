/*
 * What the files of the store share.
 *
 *   store.c           opens, starts, closes; the calls
 *   store_place.c     where it is: directories, the lock, the usual path
 *   store_schema.c    tables, and how older ones become today's
 *   store_reader.c    connections that read
 *   store_writer.c    the thread that writes: groups, transactions
 *   store_pulse.c     the thread that looks whether the database is there
 *   store_datasets.c, store_runs.c, store_images.c
 *                     what is asked of either
 *   store_keep.c      what is deleted in the end
 */
#ifndef EVALD_SERVER_STORE_INNER_H
#define EVALD_SERVER_STORE_INNER_H

#include "server/postgresql.h"
#include "server/sql.h"
#include "server/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum { READERS_MAX = 256 };

/* ---- statements ---- */

struct sql_value sql_integer(int64_t i);
struct sql_value sql_text(const char *text); /* NULL is NULL */
struct sql_value sql_blob(const void *bytes, size_t n);

/* Runs a statement once. */
enum sql_status sql_run(struct sql *sql, const struct sql_statement *s,
                        const struct sql_value *args, size_t n_args,
                        sql_visit *visit, void *context);

/* Bounds what is waited for, see struct sql_head. */
void sql_limit(struct sql *sql, int answer_ms, const atomic_bool *stop);

/* The first integers of a row, for statements that have one or none. */
struct sql_row {
    bool found;
    int64_t integer[8];
};
sql_visit sql_take_row;

const char *sql_why(const struct sql *sql);

/* A text or blob of a result, in mem, with a NUL behind; NULL: no memory. */
const char *store_copy(const struct sql_value *text, struct arena *mem);

/* SQLite or PostgreSQL, whichever `where` names. */
struct sql *store_connect(const char *where, bool writes,
                          char why[SQL_WHY_BYTES]);

/* Bounds waiting for the database, as there are clients that wait for it. */
void store_limit(struct store *s, struct sql *sql);

/* The same for this store, whose database may go away meanwhile. */
struct sql *store_reconnect(struct store *s, bool writes,
                            char why[SQL_WHY_BYTES]);

/* ---- schema ---- */

/* Statements that make version i + 1 of i, from 0. */
struct store_migration {
    const char *sqlite, *postgresql;
};

/* Brings the tables to version n; -1 with a line in why. */
int store_migrate(struct sql *sql, const struct store_migration *m, size_t n,
                  char why[STORE_WHY_BYTES]);
/* 0 if they are of version n already. */
int store_migrated(struct sql *sql, size_t n, char why[STORE_WHY_BYTES]);

extern const struct store_migration store_migrations[];
extern const size_t store_version;

/* ---- place ---- */

/* Makes the directory of path, of at most its last two levels. */
int store_make_directory(const char *path, char why[STORE_WHY_BYTES]);
/* A descriptor that holds PATH.lock; -1: somebody else does, or it fails. */
int store_lock(const char *path, char why[STORE_WHY_BYTES]);

/* ---- reading ---- */

struct store_readers {
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    size_t n, n_idle;
    struct sql *connection[READERS_MAX]; /* idle; NULL = to be made */
};

void store_readers_init(struct store_readers *r, size_t n);
void store_readers_close(struct store_readers *r);

/*
 * Runs a statement on a connection of the pool, which is waited for.  One that
 * turns out to be lost before it has given a row is replaced.
 */
enum store_status store_read(struct store *s, const struct sql_statement *text,
                             const struct sql_value *args, size_t n_args,
                             sql_visit *visit, void *context);

/* Fills an item from a row; false when mem is spent. */
typedef bool store_fill(void *item, const struct sql_value *column,
                        struct arena *mem);

/* Rows as the items of an array. */
struct store_items {
    store_fill *fill;
    void *item; /* NULL: there was no memory for them */
    size_t size, n_max, n;
    struct arena *mem;
};

/* As store_read; STORE_MEMORY when mem is spent, or item too short. */
enum store_status store_read_items(struct store *s,
                                   const struct sql_statement *text,
                                   const struct sql_value *args, size_t n_args,
                                   struct store_items *to);

/* The one row there is, as store_read_items, or STORE_MISSING. */
enum store_status store_read_item(struct store *s,
                                  const struct sql_statement *text,
                                  const struct sql_value *args, size_t n_args,
                                  store_fill *fill, void *item,
                                  struct arena *mem);

/* ---- whether it is there ---- */

struct store_pulse {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    bool started, asked;
    atomic_bool ending, away;

    /* the thread's */
    struct sql *sql;
    int64_t wait_ms; /* until it connects again */
    unsigned failed; /* how often it could not */
};

void store_pulse_init(struct store_pulse *p);
/* Nothing for a database that is a file. */
int store_pulse_start(struct store *s);
void store_pulse_end(struct store *s);

/* Has it looked at once, for somebody to whom it seems to be away. */
void store_pulse_ask(struct store *s);

/* Nothing need be tried while it is. */
bool store_is_away(const struct store *s);
extern const char store_away[]; /* what is said then */

/* ---- writing ---- */

struct store_writer {
    struct sql *sql; /* NULL = lost */
    int64_t now_ms;
    int64_t bytes;       /* of all that is kept, as far as it is committed */
    int64_t group_bytes; /* what this transaction adds to it */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;
    bool started, ending;
    struct store_write *first, **last; /* what waits */
    struct store_stats stats;

    int64_t again_ms, wait_ms; /* when to connect again, and the wait after */
    int64_t sweep_ms, keep_ms; /* when to look for what is to go */
    int64_t ask_ms;            /* when to sum up again */
    bool trash;                /* images of runs that have gone may be left */
};

/* Something to be written, on its caller's stack. */
struct store_write {
    /* A run's id or a dataset's name: all take their locks in this order. */
    const char *key;
    /*
     * Looks first, then writes, within the group's transaction; sets status.
     * Called again if that is.  Unless it returns SQL_OK nothing of the group
     * stays.
     */
    enum sql_status (*apply)(struct store *s, struct store_write *w);
    enum store_status status;
    char why[STORE_WHY_BYTES];

    /* the writer's */
    struct store_write *next;
    size_t order;
    bool done;
    pthread_cond_t answered;
};

struct store {
    struct store_options options; /* where is a copy */
    struct api_store calls;
    int lock;
    struct store_readers readers;
    struct store_pulse pulse;
    struct store_writer writer;
};

/* Waits until it is committed, or is not to be. */
enum store_status store_write(struct store *s, struct store_write *w);

int store_writer_start(struct store *s);
void store_writer_end(struct store *s);

/* For apply: whether so many more bytes are within --store-max. */
bool store_has_room(const struct store *s, struct store_write *w,
                    int64_t bytes);

/* What all is, as the tables say. */
enum sql_status store_sum(struct sql *sql, int64_t *bytes);

/* Says why the calling thread's call fails. */
void store_say(const char *why);
const char *store_said(void);
enum store_status store_status_of(enum sql_status status);

/* A thread without signals; an errno. */
int store_thread(pthread_t *thread, const char *name, void *run(void *),
                 struct store *s);

int64_t store_now_ms(void);       /* since 1970 */
int64_t store_monotonic_ms(void); /* never goes back */

/* ---- what goes ---- */

/*
 * Takes a run out of sight that nobody has touched since before_ms, and notes
 * its images as trash.
 */
enum sql_status store_drop_run(struct store *s, const char *id,
                               int64_t before_ms, bool *found);
/* Locks content, which stays until the commit then, if it is there. */
enum sql_status store_hold_content(struct store *s, const char *sha256,
                                   bool *found);
/* Deletes content that nobody has any more. */
enum sql_status store_drop_content(struct store *s, const char *sha256);
/* One small transaction's worth of deleting; *more = there is more. */
enum sql_status store_sweep(struct store *s, bool *more);
/* Takes runs out of sight that nobody has touched for keep_ms. */
enum sql_status store_expire(struct store *s);

/* ---- calls ---- */

enum store_status store_put_dataset(void *self, struct store_dataset *d,
                                    struct span content, bool replace,
                                    const struct etag_condition *when,
                                    bool *created, bool *same);
enum store_status store_get_dataset(void *self, const char *name,
                                    struct store_dataset *d, struct arena *mem);
enum store_status store_get_content(void *self, const char *sha256,
                                    struct span *content, struct arena *mem);
enum store_status store_list_datasets(void *self, const struct store_page *page,
                                      struct store_dataset **d, size_t *n,
                                      struct arena *mem);
enum store_status store_delete_dataset(void *self, const char *name,
                                       const struct etag_condition *when);

enum store_status store_create_run(void *self, const struct store_new_run *r,
                                   struct store_run *found, bool *existed,
                                   struct arena *mem);
enum store_status store_get_run(void *self, const char *id, struct store_run *r,
                                struct arena *mem);
enum store_status store_list_runs(void *self,
                                  const struct store_run_filter *filter,
                                  struct store_run **r, size_t *n,
                                  struct arena *mem);
enum store_status store_update_run(void *self, const char *id, const char *name,
                                   const char *tags, const char *old_tags);
enum store_status store_delete_run(void *self, const char *id);
enum store_status store_finalize_run(void *self, const char *id, int64_t seq,
                                     const char *result);

enum store_status store_put_images(void *self, const char *run,
                                   const struct store_image *image, size_t n,
                                   bool replace, enum store_image_fate *fate,
                                   struct arena *mem);
enum store_status store_each_image(void *self, const char *run,
                                   int64_t after_seq, bool by_image,
                                   store_image_visit *visit, void *context);
enum store_status store_get_image(void *self, const char *run, int64_t image,
                                  struct store_image *out, struct arena *mem);

#endif
