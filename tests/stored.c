#include "tests/stored.h"

#include "server/sql.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct store_options first;

static void drop_tables(const char *url)
{
    char why[SQL_WHY_BYTES] = "";
    struct sql *sql = sql_open_postgresql(url, why);
    if (!sql)
        fail_msg("%s", why);
    const struct sql_driver *driver = ((struct sql_head *)sql)->driver;
    enum sql_status rc = driver->script(
        sql,
        "DROP TABLE IF EXISTS images, trash, runs, datasets, contents, meta");
    assert_int_equal(rc, SQL_OK);
    driver->close(sql);
}

static void choose_place(struct stored *s)
{
    const char *url = getenv("EVALD_TEST_STORE");
    *s = (struct stored){.dir = ""};
    if (url && *url) {
        snprintf(s->where, sizeof(s->where), "%s", url);
        drop_tables(url);
        return;
    }
    snprintf(s->dir, sizeof(s->dir), "/tmp/evald-store-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->where, sizeof(s->where), "%s/runs.db", s->dir);
}

static void start(struct stored *s)
{
    char why[STORE_WHY_BYTES] = "";
    struct store_options o = first;
    o.where = s->where;
    s->store = store_open(&o, why);
    if (!s->store)
        fail_msg("%s", why);
    assert_int_equal(store_start(s->store), 0);
    s->calls = store_calls(s->store);
}

void stored_make_with(struct stored *s, const struct store_options *o)
{
    first = *o;
    choose_place(s);
    start(s);
}

void stored_make(struct stored *s)
{
    stored_make_with(s, &(struct store_options){.readers = 4});
}

void stored_reopen(struct stored *s)
{
    store_close(s->store);
    start(s);
}

void stored_remove(struct stored *s)
{
    char path[512];
    store_close(s->store);
    DIR *dir = *s->dir ? opendir(s->dir) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", s->dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlink(path);
    }
    if (dir)
        closedir(dir);
    if (*s->dir)
        (void)rmdir(s->dir);
    *s = (struct stored){.store = NULL};
}

bool stored_in_file(const struct stored *s)
{
    return *s->dir;
}

void stored_dataset(const struct stored *s, const char *name,
                    const char *content)
{
    bool created, same;
    char sha256[SHA256_HEX_BYTES];
    snprintf(sha256, sizeof(sha256), "%064zx", strlen(content));
    sha256[0] = content[0];
    struct store_dataset d = {.name = name,
                              .sha256 = sha256,
                              .images = 1000,
                              .annotations = 20,
                              .categories = 3};
    struct span span = {content, strlen(content)};
    const struct etag_condition always = {NULL, NULL};
    enum store_status status = s->calls->put_dataset(
        s->calls->self, &d, span, false, &always, &created, &same);
    if (status != STORE_OK)
        fail_msg("%d: %s", status, s->calls->why(s->calls->self));
}

void stored_run(const struct stored *s, const char *id)
{
    struct store_run found;
    struct arena mem;
    bool existed;
    char sha256[SHA256_HEX_BYTES];
    stored_dataset(s, "d", "c");
    snprintf(sha256, sizeof(sha256), "%064zx", (size_t)1);
    sha256[0] = 'c';
    const struct store_new_run new = {.run = {.id = id,
                                              .name = "run",
                                              .dataset = "d",
                                              .sha256 = sha256,
                                              .parameters = "{\"p\":1}",
                                              .protocol = "sha256:0",
                                              .tags = "{\"a\":\"b\"}",
                                              .expected_images = 1000}};
    arena_init(&mem, SIZE_MAX / 4);
    enum store_status status =
        s->calls->create_run(s->calls->self, &new, &found, &existed, &mem);
    if (status != STORE_OK || existed)
        fail_msg("%d: %s", status, s->calls->why(s->calls->self));
    arena_free(&mem);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x7fb5d329728ea185;
    x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44d;
    return x ^ (x >> 33);
}

static void fill(unsigned char *to, size_t n, int64_t id, uint64_t version)
{
    uint64_t seed = mix((uint64_t)id + 1) ^ mix(version + 77);
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(mix(seed + i / 8) >> (i % 8 * 8));
}

struct store_image stored_image(int64_t id, uint64_t version, size_t bytes,
                                struct arena *mem)
{
    unsigned char *part = arena_alloc(mem, bytes, 1);
    assert_non_null(part);
    fill(part, bytes, id, version);
    struct store_image image = {.image = id,
                                .detections = (uint32_t)(mix(version) % 50),
                                .part = {(const char *)part, bytes}};
    fill(image.digest, IMAGE_DIGEST_BYTES, id, ~version);
    return image;
}

bool stored_is(const struct store_image *image, int64_t id, uint64_t version,
               size_t bytes)
{
    struct arena mem;
    arena_init(&mem, SIZE_MAX / 4);
    struct store_image want = stored_image(id, version, bytes, &mem);
    bool is = image->image == id && image->detections == want.detections &&
              memcmp(image->digest, want.digest, IMAGE_DIGEST_BYTES) == 0 &&
              image->part.len == bytes &&
              memcmp(image->part.text, want.part.text, bytes) == 0;
    arena_free(&mem);
    return is;
}

const char *stored_id(unsigned k, char id[RUN_ID_BYTES])
{
    snprintf(id, RUN_ID_BYTES, "01J%023u", k);
    return id;
}
