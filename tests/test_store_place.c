/* Where a store is, who has it, and which version its tables have. */
#include "server/store_inner.h"

#include "tests/stored.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CALL(name, ...) the.calls->name(the.calls->self, __VA_ARGS__)

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

static unsigned mode_of(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        fail_msg("no %s", path);
    return st.st_mode & 0777;
}

static void files_are_the_owners_alone(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char path[256], id[RUN_ID_BYTES];
    (void)state;
    if (!stored_in_file(&the))
        skip();
    stored_run(&the, stored_id(1, id));
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", the.where, ends[i]);
        assert_int_equal(mode_of(path), 0600);
    }
    store_close(the.store);
    the.store = NULL;
    snprintf(path, sizeof(path), "%s-wal", the.where);
    assert_int_equal(access(path, F_OK), -1);
}

static void directories_are_made_two_deep(void **state)
{
    char dir[3][256], path[256], why[STORE_WHY_BYTES] = "";
    (void)state;
    if (!stored_in_file(&the))
        skip();
    snprintf(dir[0], sizeof(dir[0]), "%s/a", the.dir);
    snprintf(dir[1], sizeof(dir[1]), "%s/a/b", the.dir);
    snprintf(path, sizeof(path), "%s/a/b/x.db", the.dir);
    struct store *s =
        store_open(&(struct store_options){.where = path, .readers = 1}, why);
    if (!s)
        fail_msg("%s", why);
    store_close(s);
    assert_int_equal(mode_of(dir[0]), 0700);
    assert_int_equal(mode_of(dir[1]), 0700);
    assert_int_equal(unlink(path), 0);
    strcat(path, ".lock");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir[1]) | rmdir(dir[0]), 0);
    snprintf(path, sizeof(path), "%s/a/b/c/x.db", the.dir);
    assert_null(
        store_open(&(struct store_options){.where = path, .readers = 1}, why));
    assert_non_null(strstr(why, "cannot make the directory"));
    assert_non_null(strstr(why, "/a/b/c: No such file or directory"));
    snprintf(path, sizeof(path), "%s/runs.db/x.db", the.dir);
    assert_null(
        store_open(&(struct store_options){.where = path, .readers = 1}, why));
}

static void two_stores_on_one_file_are_refused(void **state)
{
    char why[STORE_WHY_BYTES] = "", want[300];
    const struct store_options o = {.where = the.where, .readers = 1};
    (void)state;
    if (!stored_in_file(&the))
        skip();
    assert_null(store_open(&o, why));
    snprintf(want, sizeof(want), "%s is in use by another evald (process %ld)",
             the.where, (long)getpid());
    assert_string_equal(why, want);
    pid_t child = fork();
    if (child == 0)
        _exit(store_open(&o, why) ? 1 : 0);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_reader_needs_no_lock_and_writes_nothing(void **state)
{
    char why[STORE_WHY_BYTES] = "", id[RUN_ID_BYTES];
    struct store_run r;
    (void)state;
    stored_run(&the, stored_id(1, id));
    struct store *s = store_open(&(struct store_options){.where = the.where,
                                                         .readers = 1,
                                                         .read_only = true},
                                 why);
    if (!s)
        fail_msg("%s", why);
    const struct api_store *calls = store_calls(s);
    assert_int_equal(calls->get_run(calls->self, id, &r, &mem), STORE_OK);
    assert_int_equal(calls->delete_run(calls->self, id), STORE_GONE);
    assert_int_equal(store_start(s), -1);
    assert_int_equal(store_check(s, why), 0);
    store_close(s);
    assert_int_equal(CALL(get_run, id, &r, &mem), STORE_OK);
}

static void a_store_that_is_none_is_refused(void **state)
{
    char path[256], why[STORE_WHY_BYTES] = "";
    (void)state;
    if (!stored_in_file(&the))
        skip();
    snprintf(path, sizeof(path), "%s/other", the.dir);
    struct store_options o = {.where = path, .readers = 1, .read_only = true};
    assert_null(store_open(&o, why));
    assert_non_null(strstr(why, "cannot open"));
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "this is a text, no database, at all", 35), 35);
    close(fd);
    o.read_only = false;
    assert_null(store_open(&o, why));
    assert_non_null(strstr(why, "file is not a database"));
}

/* Runs a script on the store's database, which nobody has open. */
static void run_script(const char *text)
{
    char why[SQL_WHY_BYTES] = "";
    struct sql *sql = store_connect(the.where, true, why);
    assert_non_null(sql);
    const struct sql_driver *driver = ((struct sql_head *)sql)->driver;
    if (driver->script(sql, text) != SQL_OK)
        fail_msg("%s", sql_why(sql));
    driver->close(sql);
}

static void what_a_newer_evald_has_made_is_refused(void **state)
{
    char why[STORE_WHY_BYTES] = "";
    struct store_options o = {.where = the.where, .readers = 1};
    (void)state;
    store_close(the.store);
    the.store = NULL;
    run_script("UPDATE meta SET value = '99' WHERE key = 'version'");
    for (int i = 0; i < 2; i++) {
        o.read_only = i;
        assert_null(store_open(&o, why));
        assert_string_equal(why, "the store has version 99, this evald knows 1:"
                                 " use a newer evald");
    }
    run_script("UPDATE meta SET value = '0' WHERE key = 'version'");
    assert_null(store_open(&o, why));
    assert_non_null(strstr(why, "the store has version 0, which is older"));
}

/* Steps that later versions might take. */
static const struct store_migration later[] = {
    {"", ""},
    {"ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
     "UPDATE runs SET colour = 'blue'",
     "ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
     "UPDATE runs SET colour = 'blue'"},
    {"UPDATE runs SET name = colour", "UPDATE runs SET name = colour"},
    {"UPDATE runs SET name = 'gone'; SELECT nonsense",
     "UPDATE runs SET name = 'gone'; SELECT nonsense"},
};

static int climb(size_t n, char why[SQL_WHY_BYTES])
{
    struct sql *sql = store_connect(the.where, true, why);
    assert_non_null(sql);
    int rc = store_migrate(sql, later, n, why);
    ((struct sql_head *)sql)->driver->close(sql);
    return rc;
}

static void older_tables_are_brought_up_to_date(void **state)
{
    char why[SQL_WHY_BYTES] = "", id[RUN_ID_BYTES];
    struct store_run r;
    (void)state;
    stored_run(&the, stored_id(1, id));
    store_close(the.store);
    the.store = NULL;
    assert_int_equal(climb(4, why), -1); /* all of it or nothing */
    assert_non_null(strstr(why, "nonsense"));
    assert_int_equal(climb(3, why), 0);
    assert_int_equal(climb(3, why), 0);
    assert_int_equal(climb(2, why), -1);
    assert_string_equal(
        why, "the store has version 3, this evald knows 2: use a newer evald");
    run_script("UPDATE meta SET value = '1' WHERE key = 'version'");
    stored_reopen(&the);
    assert_int_equal(CALL(get_run, id, &r, &mem), STORE_OK);
    assert_string_equal(r.name, "blue");
}

static void the_usual_path_is_below_the_users_state(void **state)
{
    char path[64], home[256];
    (void)state;
    snprintf(home, sizeof(home), "%s", getenv("HOME") ? getenv("HOME") : "");
    setenv("XDG_STATE_HOME", "/x", 1);
    assert_int_equal(store_default_path(path, sizeof(path)), 0);
    assert_string_equal(path, "/x/evald/runs.db");
    assert_int_equal(store_default_path(path, 16), -1);
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", "/h", 1);
    assert_int_equal(store_default_path(path, sizeof(path)), 0);
    assert_string_equal(path, "/h/.local/state/evald/runs.db");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(store_default_path(path, sizeof(path)), -1);
    setenv("HOME", home, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(files_are_the_owners_alone),
        TEST(directories_are_made_two_deep),
        TEST(two_stores_on_one_file_are_refused),
        TEST(a_reader_needs_no_lock_and_writes_nothing),
        TEST(a_store_that_is_none_is_refused),
        TEST(what_a_newer_evald_has_made_is_refused),
        TEST(older_tables_are_brought_up_to_date),
        cmocka_unit_test(the_usual_path_is_below_the_users_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
