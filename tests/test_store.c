/* Every call of the store and every status, on either database. */
#include "tests/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CALL(name, ...) the.calls->name(the.calls->self, __VA_ARGS__)
#define SHA_A "a000000000000000000000000000000000000000000000000000000000000004"
#define SHA_B "b000000000000000000000000000000000000000000000000000000000000004"

static struct stored the;
static struct arena mem;

static int make(void **state)
{
    (void)state;
    arena_init(&mem, SIZE_MAX / 4);
    stored_make(&the);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    stored_remove(&the);
    arena_free(&mem);
    return 0;
}

static const struct etag_condition always;

static enum store_status put(const char *name, const char *sha256,
                             const char *content, bool replace, bool *created,
                             bool *same)
{
    struct store_dataset d = {.name = name,
                              .sha256 = sha256,
                              .images = 7,
                              .annotations = 8,
                              .categories = 9};
    struct span span = {content, strlen(content)};
    return CALL(put_dataset, &d, span, replace, &always, created, same);
}

static void dataset_is(const char *name, const char *sha256, int64_t bytes)
{
    struct store_dataset d;
    assert_int_equal(CALL(get_dataset, name, &d, &mem), STORE_OK);
    assert_string_equal(d.name, name);
    assert_string_equal(d.sha256, sha256);
    assert_int_equal(d.images, 7);
    assert_int_equal(d.annotations, 8);
    assert_int_equal(d.categories, 9);
    assert_int_equal(d.bytes, bytes);
    assert_true(d.created_ms > 0 && d.updated_ms >= d.created_ms);
}

static void datasets_are_named_and_renamed(void **state)
{
    bool created, same;
    struct span content;
    struct store_dataset d;
    (void)state;
    assert_int_equal(CALL(get_dataset, "x", &d, &mem), STORE_MISSING);
    assert_int_equal(put("x", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    assert_true(created && !same);
    dataset_is("x", SHA_A, 4);
    assert_int_equal(put("x", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    assert_true(!created && same);
    assert_int_equal(put("y", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    assert_true(created && !same);
    assert_int_equal(put("x", SHA_B, "bbbbb", false, &created, &same),
                     STORE_OK);
    assert_true(!created && !same);
    dataset_is("x", SHA_B, 5);
    assert_int_equal(CALL(get_content, SHA_B, &content, &mem), STORE_OK);
    assert_int_equal(content.len, 5);
    assert_memory_equal(content.text, "bbbbb", 5);
    assert_int_equal(CALL(get_content, SHA_A, &content, &mem), STORE_OK);
    assert_int_equal(CALL(delete_dataset, "y", &always), STORE_OK);
    assert_int_equal(CALL(get_content, SHA_A, &content, &mem), STORE_MISSING);
    assert_int_equal(CALL(delete_dataset, "y", &always), STORE_MISSING);
    assert_int_equal(store_stats(the.store).bytes, 5);
}

static void datasets_are_listed_by_bytes_of_their_names(void **state)
{
    static const char *const names[] = {"A", "Z", "a", "a-", "a.b", "a0", "b"};
    bool created, same;
    struct store_dataset *d;
    size_t n;
    (void)state;
    for (size_t i = 7; i-- > 0;)
        assert_int_equal(put(names[i], SHA_A, "aaaa", false, &created, &same),
                         STORE_OK);
    struct store_page page = {NULL, 3};
    for (size_t at = 0; at < 7; at += 3) {
        assert_int_equal(CALL(list_datasets, &page, &d, &n, &mem), STORE_OK);
        assert_int_equal(n, at + 3 <= 7 ? 3 : 7 - at);
        for (size_t i = 0; i < n; i++)
            assert_string_equal(d[i].name, names[at + i]);
        page.after = d[n - 1].name;
    }
    assert_int_equal(CALL(list_datasets, &page, &d, &n, &mem), STORE_OK);
    assert_int_equal(n, 0);
}

static struct store_run run_of(const char *id)
{
    struct store_run r;
    assert_int_equal(CALL(get_run, id, &r, &mem), STORE_OK);
    return r;
}

static void used_content_is_not_replaced_unasked(void **state)
{
    bool created, same;
    char id[RUN_ID_BYTES];
    struct span content;
    (void)state;
    stored_run(&the, stored_id(1, id));
    const char *sha256 = run_of(id).sha256;
    assert_int_equal(put("d", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    assert_int_equal(CALL(get_content, sha256, &content, &mem), STORE_OK);
    stored_dataset(&the, "d", "c");
    assert_int_equal(CALL(finalize_run, id, 0, "{}"), STORE_OK);
    assert_int_equal(put("d", SHA_A, "aaaa", false, &created, &same),
                     STORE_CONFLICT);
    assert_int_equal(CALL(get_content, SHA_A, &content, &mem), STORE_MISSING);
    assert_int_equal(put("d", SHA_A, "aaaa", true, &created, &same), STORE_OK);
    assert_true(!created && !same);
    assert_int_equal(CALL(get_content, sha256, &content, &mem), STORE_OK);
    assert_int_equal(CALL(delete_dataset, "d", &always), STORE_OK);
    assert_int_equal(CALL(get_content, SHA_A, &content, &mem), STORE_MISSING);
    assert_int_equal(CALL(delete_run, id), STORE_OK);
    assert_int_equal(CALL(get_content, sha256, &content, &mem), STORE_MISSING);
}

static void a_run_comes_back_as_it_was_made(void **state)
{
    char id[RUN_ID_BYTES];
    struct store_run r;
    (void)state;
    assert_int_equal(CALL(get_run, stored_id(1, id), &r, &mem), STORE_MISSING);
    stored_run(&the, id);
    stored_reopen(&the);
    r = run_of(id);
    assert_string_equal(r.id, id);
    assert_string_equal(r.name, "run");
    assert_string_equal(r.dataset, "d");
    assert_string_equal(r.parameters, "{\"p\":1}");
    assert_string_equal(r.protocol, "sha256:0");
    assert_string_equal(r.tags, "{\"a\":\"b\"}");
    assert_int_equal(r.state, RUN_OPEN);
    assert_int_equal(r.expected_images, 1000);
    assert_true(r.created_ms > 0 && r.updated_ms == r.created_ms);
    assert_true(!r.finalized_ms && !r.images && !r.detections && !r.bytes);
    assert_true(!r.seq && !r.replaced && !r.result);
}

static enum store_status create(const char *id, const char *sha256,
                                const char *key, const char *digest,
                                struct store_run *found, bool *existed)
{
    const struct store_new_run new = {.run = {.id = id,
                                              .dataset = "d",
                                              .sha256 = sha256,
                                              .expected_images = 1},
                                      .idempotency_key = key,
                                      .request_digest = digest};
    return CALL(create_run, &new, found, existed, &mem);
}

static void a_run_is_made_once_for_a_key(void **state)
{
    char a[RUN_ID_BYTES], b[RUN_ID_BYTES];
    bool existed, created, same;
    struct store_run found;
    (void)state;
    stored_id(1, a);
    stored_id(2, b);
    assert_int_equal(create(a, SHA_A, "k", "x", &found, &existed),
                     STORE_MISSING);
    assert_int_equal(put("d", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    assert_int_equal(create(a, SHA_A, "k", "x", &found, &existed), STORE_OK);
    assert_false(existed);
    assert_int_equal(create(b, SHA_A, "k", "x", &found, &existed), STORE_OK);
    assert_true(existed);
    assert_string_equal(found.id, a);
    assert_int_equal(create(b, SHA_A, "k", "y", &found, &existed),
                     STORE_CONFLICT);
    assert_int_equal(CALL(get_run, b, &found, &mem), STORE_MISSING);
    assert_int_equal(create(a, SHA_A, NULL, NULL, &found, &existed),
                     STORE_CONFLICT);
    assert_int_equal(create(b, SHA_A, NULL, NULL, &found, &existed), STORE_OK);
    assert_int_equal(CALL(delete_run, a), STORE_OK);
    assert_int_equal(create(a, SHA_A, "k", "y", &found, &existed), STORE_OK);
    assert_false(existed);
}

static void a_run_is_updated_finalized_and_deleted(void **state)
{
    char id[RUN_ID_BYTES];
    (void)state;
    stored_id(1, id);
    assert_int_equal(CALL(update_run, id, "n", NULL, NULL), STORE_MISSING);
    assert_int_equal(CALL(finalize_run, id, 0, "{}"), STORE_MISSING);
    assert_int_equal(CALL(delete_run, id), STORE_MISSING);
    stored_run(&the, id);
    assert_int_equal(CALL(update_run, id, "n", NULL, NULL), STORE_OK);
    assert_string_equal(run_of(id).name, "n");
    assert_string_equal(run_of(id).tags, "{\"a\":\"b\"}");
    assert_int_equal(CALL(update_run, id, NULL, "{}", NULL), STORE_OK);
    assert_string_equal(run_of(id).name, "n");
    assert_string_equal(run_of(id).tags, "{}");
    assert_int_equal(CALL(finalize_run, id, 1, "{}"), STORE_CONFLICT);
    assert_int_equal(run_of(id).state, RUN_OPEN);
    assert_int_equal(CALL(finalize_run, id, 0, "{\"r\":1}"), STORE_OK);
    assert_int_equal(run_of(id).state, RUN_FINALIZED);
    assert_string_equal(run_of(id).result, "{\"r\":1}");
    assert_true(run_of(id).finalized_ms > 0);
    assert_int_equal(CALL(finalize_run, id, 0, "{\"r\":2}"), STORE_CLOSED);
    assert_string_equal(run_of(id).result, "{\"r\":1}");
    assert_int_equal(CALL(delete_run, id), STORE_OK);
    assert_int_equal(CALL(delete_run, id), STORE_MISSING);
}

static enum store_status put_images(const char *id,
                                    const struct store_image *image, size_t n,
                                    bool replace, enum store_image_fate *fate)
{
    return CALL(put_images, id, image, n, replace, fate, &mem);
}

static void fates_are(const enum store_image_fate *fate, const char *want)
{
    for (size_t i = 0; want[i]; i++)
        assert_int_equal("arRc"[fate[i]], want[i]);
}

/* The images of a run by id, or by seq: "7:1 9:3", id and seq. */
struct list {
    char text[200];
    size_t n, most;
};

static int note(void *context, const struct store_image *image)
{
    struct list *list = context;
    size_t at = strlen(list->text);
    snprintf(list->text + at, sizeof(list->text) - at, "%s%lld:%lld",
             at ? " " : "", (long long)image->image, (long long)image->seq);
    return ++list->n == list->most;
}

static void images_are(const char *id, int64_t after, bool by_image,
                       const char *want)
{
    struct list list = {.most = SIZE_MAX};
    assert_int_equal(CALL(each_image, id, after, by_image, note, &list),
                     STORE_OK);
    assert_string_equal(list.text, want);
}

static void images_are_added_repeated_and_replaced(void **state)
{
    char id[RUN_ID_BYTES];
    enum store_image_fate fate[4];
    struct store_image one;
    (void)state;
    stored_run(&the, stored_id(1, id));
    struct store_image batch[] = {stored_image(9, 1, 100, &mem),
                                  stored_image(-7, 1, 0, &mem),
                                  stored_image(8, 1, 30000, &mem)};
    assert_int_equal(put_images(id, batch, 3, false, fate), STORE_OK);
    fates_are(fate, "aaa");
    images_are(id, 0, false, "9:1 -7:2 8:3");
    images_are(id, 1, true, "-7:2 8:3");
    assert_int_equal(put_images(id, batch, 3, false, fate), STORE_OK);
    fates_are(fate, "rrr");
    struct store_image other[] = {batch[0], stored_image(8, 2, 50, &mem),
                                  stored_image(1, 1, 10, &mem)};
    assert_int_equal(put_images(id, other, 3, false, fate), STORE_CONFLICT);
    fates_are(fate, "rca");
    images_are(id, 0, true, "-7:2 8:3 9:1");
    assert_int_equal(put_images(id, other, 3, true, fate), STORE_OK);
    fates_are(fate, "rRa");
    images_are(id, 0, true, "-7:2 1:5 8:4 9:1");
    images_are(id, 3, false, "8:4 1:5");
    assert_int_equal(CALL(get_image, id, 8, &one, &mem), STORE_OK);
    assert_true(stored_is(&one, 8, 2, 50) && one.seq == 4);
    assert_int_equal(CALL(get_image, id, -7, &one, &mem), STORE_OK);
    assert_true(stored_is(&one, -7, 1, 0));
    assert_int_equal(CALL(get_image, id, 2, &one, &mem), STORE_MISSING);
    struct store_run r = run_of(id);
    assert_true(r.images == 4 && r.seq == 5 && r.replaced == 1);
    assert_int_equal(r.bytes, 100 + 0 + 50 + 10);
    assert_int_equal(r.detections,
                     3 * batch[0].detections + other[1].detections);
}

static void a_closed_run_takes_nothing_new(void **state)
{
    char id[RUN_ID_BYTES], none[RUN_ID_BYTES];
    enum store_image_fate fate[2];
    (void)state;
    stored_run(&the, stored_id(1, id));
    struct store_image batch[] = {stored_image(1, 1, 10, &mem),
                                  stored_image(2, 1, 10, &mem)};
    struct store_image other = stored_image(1, 2, 10, &mem);
    assert_int_equal(put_images(stored_id(2, none), batch, 2, false, fate),
                     STORE_MISSING);
    assert_int_equal(put_images(id, batch, 1, false, fate), STORE_OK);
    assert_int_equal(CALL(finalize_run, id, 0, "{}"), STORE_CONFLICT);
    assert_int_equal(CALL(finalize_run, id, 1, "{}"), STORE_OK);
    assert_int_equal(put_images(id, batch, 1, false, fate), STORE_OK);
    fates_are(fate, "r");
    assert_int_equal(put_images(id, batch, 2, false, fate), STORE_CLOSED);
    assert_int_equal(put_images(id, &other, 1, true, fate), STORE_CLOSED);
    images_are(id, 0, true, "1:1");
}

static void a_visitor_ends_its_visits(void **state)
{
    char id[RUN_ID_BYTES], none[RUN_ID_BYTES];
    enum store_image_fate fate[3];
    struct list list = {.most = 2};
    (void)state;
    stored_run(&the, stored_id(1, id));
    images_are(id, 0, true, "");
    struct store_image batch[] = {stored_image(1, 1, 10, &mem),
                                  stored_image(2, 1, 10, &mem),
                                  stored_image(3, 1, 10, &mem)};
    assert_int_equal(put_images(id, batch, 3, false, fate), STORE_OK);
    assert_int_equal(CALL(each_image, id, 0, true, note, &list), STORE_STOPPED);
    assert_string_equal(list.text, "1:1 2:2");
    assert_int_equal(CALL(each_image, stored_id(2, none), 0, true, note, &list),
                     STORE_MISSING);
}

static void a_spent_arena_is_told(void **state)
{
    char id[RUN_ID_BYTES];
    enum store_image_fate fate[1];
    struct arena none;
    struct store_run r, *rs;
    struct store_dataset d, *ds;
    struct store_image one;
    struct span content;
    size_t n;
    (void)state;
    stored_run(&the, stored_id(1, id));
    struct store_image image = stored_image(1, 1, 10, &mem);
    assert_int_equal(put_images(id, &image, 1, false, fate), STORE_OK);
    const char *sha256 = run_of(id).sha256;
    arena_init(&none, 0);
    assert_int_equal(CALL(get_run, id, &r, &none), STORE_MEMORY);
    assert_int_equal(CALL(get_dataset, "d", &d, &none), STORE_MEMORY);
    assert_int_equal(CALL(get_image, id, 1, &one, &none), STORE_MEMORY);
    assert_int_equal(CALL(get_content, sha256, &content, &none), STORE_MEMORY);
    assert_int_equal(
        CALL(list_datasets, &(struct store_page){NULL, 3}, &ds, &n, &none),
        STORE_MEMORY);
    assert_int_equal(CALL(list_runs,
                          &(struct store_run_filter){.page = {NULL, 3}}, &rs,
                          &n, &none),
                     STORE_MEMORY);
    assert_int_equal(CALL(put_images, id, &image, 1, false, fate, &none),
                     STORE_MEMORY);
    arena_free(&none);
}

static void runs_are(const struct store_run_filter *filter, const char *want)
{
    struct store_run *r;
    size_t n;
    char text[64] = "";
    assert_int_equal(CALL(list_runs, filter, &r, &n, &mem), STORE_OK);
    for (size_t i = 0; i < n; i++)
        snprintf(text + i, 2, "%s", r[i].id + RUN_ID_BYTES - 2);
    assert_string_equal(text, want);
    for (size_t i = 0; i < n; i++)
        assert_null(r[i].result);
}

static void runs_are_listed_newest_first(void **state)
{
    char id[RUN_ID_BYTES];
    bool created, same;
    (void)state;
    for (unsigned k = 1; k < 8; k++)
        stored_run(&the, stored_id(k, id));
    assert_int_equal(put("e", SHA_A, "aaaa", false, &created, &same), STORE_OK);
    struct store_run found;
    assert_int_equal(create(stored_id(8, id), SHA_A, "k", "x", &found, &same),
                     STORE_OK);
    for (unsigned k = 2; k < 5; k++)
        assert_int_equal(CALL(finalize_run, stored_id(k, id), 0, "{}"),
                         STORE_OK);
    for (unsigned k = 4; k < 7; k++)
        assert_int_equal(CALL(update_run, stored_id(k, id), NULL,
                              "{\"a\":\"x:y\",\"t\":\"\"}", NULL),
                         STORE_OK);
    const struct {
        struct store_run_filter filter;
        const char *want;
    } rows[] = {
        {{.page = {NULL, 100}}, "87654321"},
        {{.page = {NULL, 3}}, "876"},
        {{.page = {stored_id(6, id), 3}}, "543"},
        {{.page = {NULL, 100}, .state = "finalized"}, "432"},
        {{.page = {NULL, 100}, .state = "open"}, "87651"},
        {{.page = {NULL, 100}, .dataset = "d"}, "87654321"},
        {{.page = {NULL, 100}, .dataset = "e"}, ""},
        {{.page = {NULL, 100}, .tag = "a"}, "7654321"},
        {{.page = {NULL, 100}, .tag = "a", .tag_value = "b"}, "7321"},
        {{.page = {NULL, 100}, .tag = "a", .tag_value = "x:y"}, "654"},
        {{.page = {NULL, 100}, .tag = "t", .tag_value = ""}, "654"},
        {{.page = {NULL, 100}, .tag = "t"}, "654"},
        {{.page = {NULL, 100}, .tag = "t", .state = "finalized"}, "4"},
        {{.page = {NULL, 100}, .tag = "no"}, ""},
        {{.page = {NULL, 100}, .dataset = "d", .tag = "t"}, "654"},
        {{.page = {stored_id(6, id), 100},
          .dataset = "d",
          .state = "open",
          .tag = "a",
          .tag_value = "x:y"},
         "5"},
        {{.page = {NULL, 100}, .dataset = "e", .tag = "a"}, ""},
        {{.page = {NULL, 100}, .tag = "' OR 1=1 --"}, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        runs_are(&rows[i].filter, rows[i].want);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(datasets_are_named_and_renamed),
        TEST(datasets_are_listed_by_bytes_of_their_names),
        TEST(used_content_is_not_replaced_unasked),
        TEST(a_run_comes_back_as_it_was_made),
        TEST(a_run_is_made_once_for_a_key),
        TEST(a_run_is_updated_finalized_and_deleted),
        TEST(images_are_added_repeated_and_replaced),
        TEST(a_closed_run_takes_nothing_new),
        TEST(a_visitor_ends_its_visits),
        TEST(a_spent_arena_is_told),
        TEST(runs_are_listed_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
