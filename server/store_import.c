/* Reads a portable file into a store. */
#include "server/store_portable.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES_AT_ONCE = 64, COLUMNS_MAX = 20, IMAGE_COLUMNS = 5 };

struct input {
    FILE *from;
    struct sha256_ctx sha256;
    struct store *store;
    struct store_amounts *amounts;
    char *why;
    /* Columns, and the images that wait for the others of their run. */
    struct sql_value column[COLUMNS_MAX];
    struct sql_value waiting[IMAGES_AT_ONCE * (IMAGE_COLUMNS + 1)];
    size_t n_waiting;
    struct arena mem; /* of what waits, and of one record */
    bool any_run, skips;
    int64_t run; /* its number here */
};

static int fault(struct input *in, const char *what)
{
    snprintf(in->why, STORE_WHY_BYTES, "%s", what);
    return -1;
}

static int refused(struct input *in)
{
    snprintf(in->why, STORE_WHY_BYTES, "%.190s",
             sql_why(in->store->writer.sql));
    return -1;
}

static int get(struct input *in, void *bytes, size_t n)
{
    if (fread(bytes, 1, n, in->from) != n)
        return fault(in, ferror(in->from) ? strerror(errno)
                                          : "the file ends too soon");
    sha256_update(&in->sha256, n, bytes);
    return 0;
}

static int get_bytes(struct input *in, struct sql_value *v, enum sql_type type,
                     uint64_t n)
{
    char *bytes =
        n <= RECORD_BYTES_MAX ? arena_alloc(&in->mem, (size_t)n + 1, 1) : NULL;
    if (!bytes)
        return fault(in, n <= RECORD_BYTES_MAX ? "no memory"
                                               : "a record is too long");
    bytes[n] = '\0';
    *v = (struct sql_value){type, 0, bytes, (size_t)n};
    return n ? get(in, bytes, (size_t)n) : 0;
}

static int get_column(struct input *in, char want, struct sql_value *v)
{
    uint8_t head[9];
    uint64_t number = 0;
    if (get(in, head, sizeof(head)))
        return -1;
    for (size_t i = 0; i < 8; i++)
        number |= (uint64_t)head[i + 1] << (8 * i);
    *v = (struct sql_value){.type = SQL_NULL};
    if (want == 'T' && head[0] == 'n')
        return 0;
    if (head[0] != (want == 'T' ? 't' : want))
        return fault(in, "a record is not what it should be");
    if (head[0] != 'i')
        return get_bytes(in, v, head[0] == 't' ? SQL_TEXT : SQL_BLOB, number);
    *v = sql_integer((int64_t)number);
    return 0;
}

static int get_columns(struct input *in, const char *columns)
{
    for (size_t i = 0; columns[i]; i++)
        if (get_column(in, columns[i], &in->column[i]))
            return -1;
    return 0;
}

/* Writes the images that wait. */
static int flush(struct input *in)
{
    struct sql *sql = in->store->writer.sql;
    const struct sql_statement *add = &store_records[KIND_IMAGE].add;
    enum sql_status rc =
        ((struct sql_head *)sql)
            ->driver->run(sql, add, in->waiting, IMAGE_COLUMNS + 1,
                          in->n_waiting, NULL, NULL);
    in->n_waiting = 0;
    arena_clear(&in->mem, (size_t)1 << 24);
    return rc == SQL_OK ? 0 : refused(in);
}

static int add_image(struct input *in)
{
    if (!in->any_run)
        return fault(in, "an image comes before its run");
    if (in->skips) {
        in->amounts->there[KIND_IMAGE]++;
        arena_clear(&in->mem, (size_t)1 << 24);
        return 0;
    }
    struct sql_value *set = in->waiting + in->n_waiting * (IMAGE_COLUMNS + 1);
    memcpy(set, in->column, IMAGE_COLUMNS * sizeof(*set));
    set[IMAGE_COLUMNS] = sql_integer(in->run);
    return ++in->n_waiting == IMAGES_AT_ONCE ? flush(in) : 0;
}

static int add_row(struct input *in, enum store_kind kind)
{
    const struct store_record *r = &store_records[kind];
    struct sql_row row = {.found = false};
    if (sql_run(in->store->writer.sql, &r->add, in->column, strlen(r->columns),
                sql_take_row, &row) != SQL_OK)
        return refused(in);
    in->amounts->there[kind] += !row.found;
    if (kind == KIND_RUN) {
        in->any_run = true;
        in->skips = !row.found;
        in->run = row.integer[0];
    }
    arena_clear(&in->mem, (size_t)1 << 24);
    return 0;
}

static int add_record(struct input *in, enum store_kind kind)
{
    if (kind != KIND_IMAGE && in->n_waiting && flush(in))
        return -1;
    if (get_columns(in, store_records[kind].columns))
        return -1;
    in->amounts->n[kind]++;
    return kind == KIND_IMAGE ? add_image(in) : add_row(in, kind);
}

static int get_end(struct input *in, const struct sha256_ctx *before)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx whole = *before;
    if ((in->n_waiting && flush(in)) || get_columns(in, "b"))
        return -1;
    sha256_digest(&whole, sizeof(digest), digest);
    if (in->column[0].n != sizeof(digest) ||
        memcmp(in->column[0].bytes, digest, sizeof(digest)) != 0)
        return fault(in, "the file is damaged");
    return getc(in->from) == EOF ? 0 : fault(in, "more than a store is there");
}

/* 1 when that was the end. */
static int get_record(struct input *in)
{
    const struct sha256_ctx before = in->sha256;
    char letter;
    if (get(in, &letter, 1))
        return -1;
    for (size_t kind = 0; kind < KINDS; kind++)
        if (store_records[kind].letter == letter)
            return add_record(in, (enum store_kind)kind);
    if (letter != STORE_END)
        return fault(in, "a record is of no kind");
    return get_end(in, &before) ? -1 : 1;
}

static int get_all(struct input *in)
{
    char magic[32];
    size_t n = strlen(store_magic);
    int rc;
    if (get(in, magic, n))
        return -1;
    if (memcmp(magic, store_magic, n) != 0)
        return fault(in, "this is no store, or a newer evald has written it");
    do
        rc = get_record(in);
    while (rc == 0);
    return rc < 0 ? -1 : 0;
}

/* Content that nothing of what was added refers to. */
static const struct sql_statement drop_contents = {
    "DELETE FROM contents WHERE"
    " NOT EXISTS(SELECT 1 FROM runs r WHERE r.sha256 = contents.sha256) AND"
    " NOT EXISTS(SELECT 1 FROM datasets d WHERE d.sha256 = contents.sha256)",
    NULL};

int store_import(struct store *s, FILE *from, struct store_amounts *a,
                 char why[STORE_WHY_BYTES])
{
    static const struct sql_statement begin = {"BEGIN IMMEDIATE", "BEGIN"},
                                      commit = {"COMMIT", NULL},
                                      rollback = {"ROLLBACK", NULL};
    struct input *in = calloc(1, sizeof(*in));
    struct sql *sql = s->writer.sql;
    int rc = -1;
    *a = (struct store_amounts){.n = {0}};
    if (!in) {
        snprintf(why, STORE_WHY_BYTES, "no memory");
        return -1;
    }
    in->from = from;
    in->store = s;
    in->amounts = a;
    in->why = why;
    sha256_init(&in->sha256);
    arena_init(&in->mem, SIZE_MAX / 4);
    if (sql_run(sql, &begin, NULL, 0, NULL, NULL) != SQL_OK)
        refused(in);
    else if (get_all(in) == 0)
        rc = sql_run(sql, &drop_contents, NULL, 0, NULL, NULL) == SQL_OK &&
                     sql_run(sql, &commit, NULL, 0, NULL, NULL) == SQL_OK
                 ? 0
                 : refused(in);
    if (rc)
        sql_run(sql, &rollback, NULL, 0, NULL, NULL);
    arena_free(&in->mem);
    free(in);
    return rc;
}
