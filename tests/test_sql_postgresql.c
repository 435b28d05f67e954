/*
 * PostgreSQL behind sql.h.  EVALD_TEST_STORE is the URL of a database for
 * tests; without it only what needs none is tested.
 */
#include "server/postgresql.h"
#include "server/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sql *sql;

static struct sql_head *head(struct sql *of)
{
    return (struct sql_head *)of;
}

static struct sql *connect_now(void)
{
    char why[SQL_WHY_BYTES] = "";
    struct sql *new = sql_open_postgresql(getenv("EVALD_TEST_STORE"), why);
    if (!new)
        fail_msg("%s", why);
    return new;
}

static int make(void **state)
{
    (void)state;
    if (!getenv("EVALD_TEST_STORE"))
        return 0;
    sql = connect_now();
    return (int)head(sql)->driver->script(
        sql, "DROP TABLE IF EXISTS sqltest;"
             "CREATE TABLE sqltest(k BIGINT PRIMARY KEY, t TEXT, b BYTEA)");
}

static int unmake(void **state)
{
    (void)state;
    if (!sql)
        return 0;
    if (!head(sql)->lost)
        head(sql)->driver->script(sql, "DROP TABLE IF EXISTS sqltest");
    head(sql)->driver->close(sql);
    sql = NULL;
    return 0;
}

static void needs_database(void)
{
    if (!sql) {
        print_message("no EVALD_TEST_STORE\n");
        skip();
    }
}

static enum sql_status run(const struct sql_statement *s,
                           const struct sql_value *args, size_t n_args,
                           size_t n_sets, sql_visit *visit, void *context)
{
    return head(sql)->driver->run(sql, s, args, n_args, n_sets, visit, context);
}

static enum sql_status step(const struct sql_statement *s)
{
    return run(s, NULL, 0, 1, NULL, NULL);
}

static struct sql_value integer(int64_t i)
{
    return (struct sql_value){.type = SQL_INTEGER, .integer = i};
}

static struct sql_value bytes(enum sql_type type, const void *at, size_t n)
{
    return (struct sql_value){.type = type, .bytes = at, .n = n};
}

static const struct sql_statement
    add = {"INSERT INTO sqltest(k, t, b) VALUES($1, $2, $3)", NULL},
    get = {"SELECT t, b, k FROM sqltest WHERE k = $1", NULL},
    count = {"SELECT count(*) FROM sqltest", NULL},
    begin = {"BEGIN IMMEDIATE", "BEGIN"}, commit = {"COMMIT", NULL},
    rollback = {"ROLLBACK", NULL};

static int take_integer(void *context, size_t set, const struct sql_value *c,
                        size_t n)
{
    (void)set;
    (void)n;
    *(int64_t *)context = c[n - 1].integer;
    return c[n - 1].type != SQL_INTEGER;
}

static int64_t rows(void)
{
    int64_t n = -1;
    assert_int_equal(run(&count, NULL, 0, 1, take_integer, &n), SQL_OK);
    return n;
}

/* ---- values ---- */

static int check_values(void *context, size_t set, const struct sql_value *c,
                        size_t n)
{
    const struct sql_value *want = context;
    (void)set;
    assert_int_equal(n, 3);
    assert_int_equal(c[2].integer, want[0].integer);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(c[i].type, want[i + 1].type);
        assert_int_equal(c[i].n, want[i + 1].n);
        assert_memory_equal(c[i].n ? c[i].bytes : "",
                            want[i + 1].n ? want[i + 1].bytes : "", c[i].n);
        if (c[i].type == SQL_TEXT)
            assert_int_equal(((const char *)c[i].bytes)[c[i].n], '\0');
    }
    return 0;
}

static void values_come_back_as_they_were(void **state)
{
    static char large[3 << 20];
    (void)state;
    needs_database();
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 7 >> 3);
    const struct sql_value sets[][3] = {
        {integer(0), {.type = SQL_NULL}, {.type = SQL_NULL}},
        {integer(-1), bytes(SQL_TEXT, NULL, 0), bytes(SQL_BLOB, NULL, 0)},
        {integer(INT64_MIN), bytes(SQL_TEXT, "gr\xc3\xbc\xc3\x9f", 6),
         bytes(SQL_BLOB, "\0\xff\0", 3)},
        {integer(INT64_MAX), bytes(SQL_TEXT, "'$1\\", 4),
         bytes(SQL_BLOB, large, sizeof(large))},
    };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(run(&add, sets[i], 3, 1, NULL, NULL), SQL_OK);
        assert_int_equal(
            run(&get, sets[i], 1, 1, check_values, (void *)(uintptr_t)sets[i]),
            SQL_OK);
    }
    assert_int_equal(rows(), 4);
}

/* ---- many sets ---- */

enum { MANY = 1000 };

static int take_set(void *context, size_t set, const struct sql_value *c,
                    size_t n)
{
    size_t *seen = context;
    assert_int_equal(n, 3);
    assert_int_equal(set, *seen);
    assert_int_equal(c[2].integer, (int64_t)set);
    ++*seen;
    return 0;
}

static void many_sets_are_run_in_their_order(void **state)
{
    static struct sql_value args[MANY][3], keys[MANY];
    size_t seen = 0;
    (void)state;
    needs_database();
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = args[i][0] = integer((int64_t)i);
        args[i][1] = i % 2 ? bytes(SQL_TEXT, "x", 1) : (struct sql_value){0};
    }
    assert_int_equal(run(&add, args[0], 3, MANY, NULL, NULL), SQL_OK);
    assert_int_equal(rows(), MANY);
    assert_int_equal(run(&get, keys, 1, MANY, take_set, &seen), SQL_OK);
    assert_int_equal(seen, MANY);
    assert_int_equal(run(&get, keys, 1, 0, take_set, &seen), SQL_OK);
}

/* The second of three is there already; the connection is of use after. */
static void a_set_that_fails_ends_the_others(void **state)
{
    const struct sql_value args[3][3] = {
        {integer(1)}, {integer(1)}, {integer(2)}};
    (void)state;
    needs_database();
    assert_int_equal(step(&begin), SQL_OK);
    assert_int_equal(run(&add, args[0], 3, 3, NULL, NULL), SQL_AGAIN);
    assert_non_null(strstr(head(sql)->why, "duplicate key"));
    assert_int_equal(step(&commit), SQL_AGAIN); /* would have undone it */
    assert_non_null(strstr(head(sql)->why, "rolled back"));
    assert_int_equal(rows(), 0);
    assert_int_equal(step(&begin), SQL_OK);
    assert_int_equal(step(&rollback), SQL_OK);
}

/* ---- visitors ---- */

static const struct sql_statement series = {
    "SELECT k, repeat('x', 1000) FROM generate_series(1, 20000) k", NULL};

static int stop_at_three(void *context, size_t set, const struct sql_value *c,
                         size_t n)
{
    (void)set;
    (void)n;
    *(int64_t *)context = c[0].integer;
    return c[0].integer == 3;
}

/* In a transaction the connection stays, whatever is left of the result. */
static void a_visitor_ends_a_statement(void **state)
{
    int64_t seen = 0;
    (void)state;
    needs_database();
    assert_int_equal(step(&begin), SQL_OK);
    assert_int_equal(run(&series, NULL, 0, 1, stop_at_three, &seen),
                     SQL_STOPPED);
    assert_int_equal(seen, 3);
    assert_false(head(sql)->lost);
    assert_int_equal(rows(), 0);
    assert_int_equal(step(&commit), SQL_OK);
    assert_int_equal(run(&series, NULL, 0, 1, stop_at_three, &seen),
                     SQL_STOPPED);
    assert_true(head(sql)->lost);
    assert_int_equal(step(&begin), SQL_GONE);
}

static void a_type_that_is_not_known_is_broken(void **state)
{
    static const struct sql_statement numeric = {"SELECT 1.5", NULL};
    int64_t seen = 0;
    (void)state;
    needs_database();
    assert_int_equal(run(&numeric, NULL, 0, 1, take_integer, &seen),
                     SQL_BROKEN);
    assert_int_equal(rows(), 0);
}

/* ---- what goes wrong ---- */

static void errors_have_their_meaning(void **state)
{
    static const struct {
        const char *code;
        enum sql_status want;
    } errors[] = {
        {"53100", SQL_FULL},  {"40001", SQL_AGAIN},  {"40P01", SQL_AGAIN},
        {"55P03", SQL_AGAIN}, {"42601", SQL_BROKEN}, {"XX001", SQL_BROKEN},
        {"53200", SQL_GONE},
    };
    char text[200];
    (void)state;
    needs_database();
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct sql *own = connect_now();
        snprintf(text, sizeof(text),
                 "DO $$ BEGIN RAISE 'says %s' USING ERRCODE = '%s'; END $$",
                 errors[i].code, errors[i].code);
        if (head(own)->driver->script(own, text) != errors[i].want)
            fail_msg("%s: want %d", errors[i].code, errors[i].want);
        assert_string_equal(strstr(head(own)->why, errors[i].code),
                            errors[i].code);
        assert_int_equal(head(own)->lost, errors[i].want == SQL_GONE);
        head(own)->driver->close(own);
    }
}

static void a_lost_connection_is_told(void **state)
{
    static const struct sql_statement self = {
        "SELECT CAST(pg_backend_pid() AS BIGINT)", NULL};
    static const struct sql_statement end = {
        "SELECT pg_terminate_backend(CAST($1 AS INTEGER))", NULL};
    int64_t pid = 0;
    (void)state;
    needs_database();
    struct sql *other = connect_now();
    assert_int_equal(
        head(other)->driver->run(other, &self, NULL, 0, 1, take_integer, &pid),
        SQL_OK);
    assert_int_equal(
        run(&end, (struct sql_value[]){integer(pid)}, 1, 1, NULL, NULL),
        SQL_OK);
    assert_int_equal(
        head(other)->driver->run(other, &count, NULL, 0, 1, NULL, NULL),
        SQL_GONE);
    assert_true(head(other)->lost);
    assert_true(*head(other)->why);
    head(other)->driver->close(other);
    assert_int_equal(rows(), 0);
}

/* ---- finding it ---- */

static void an_url_says_the_same_with_addresses(void **state)
{
    struct postgresql_place place;
    char why[SQL_WHY_BYTES] = "";
    (void)state;
    assert_int_equal(
        postgresql_find(&place,
                        "postgresql://me:p%2Fw%26%25@127.0.0.1:1,127.0.0.2:2/"
                        "db?sslrootcert=/x/ca.pem&application_name=a%20b",
                        why),
        0);
    assert_true(postgresql_is(place.url));
    assert_int_equal(place.ports[0], 1);
    assert_int_equal(place.ports[1], 2);
    assert_int_equal(place.ports[2], 0);
    assert_string_equal(place.files[0], "/x/ca.pem");
    assert_null(place.files[1]);
    static const char *const parts[] = {"hostaddr=127.0.0.1,127.0.0.2&",
                                        "port=1,2&",
                                        "&user=me&",
                                        "&password=p%2Fw%26%25&",
                                        "&dbname=db&",
                                        "&sslrootcert=%2Fx%2Fca.pem&",
                                        "&application_name=a%20b&",
                                        "&gssencmode=disable"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(place.url, parts[i]))
            fail_msg("no %s in %s", parts[i], place.url);
    postgresql_place_clear(&place);
}

static void a_socket_has_no_port(void **state)
{
    struct postgresql_place place;
    char why[SQL_WHY_BYTES] = "";
    (void)state;
    assert_int_equal(
        postgresql_find(&place, "postgresql://me@/db?host=/run/x", why), 0);
    assert_int_equal(place.ports[0], 0);
    assert_non_null(strstr(place.url, "host=%2Frun%2Fx&hostaddr=&"));
    postgresql_place_clear(&place);
}

static void what_is_no_url_is_told_without_its_secret(void **state)
{
    struct postgresql_place place;
    char why[SQL_WHY_BYTES] = "";
    (void)state;
    assert_int_equal(
        postgresql_find(&place, "postgresql://me:geheim@[::1/db", why), -1);
    assert_null(strstr(why, "geheim"));
    assert_non_null(strstr(why, "cannot be understood"));
    assert_null(sql_open_postgresql("postgresql://me:geheim@127.0.0.1:1/"
                                    "geheim?connect_timeout=2",
                                    why));
    assert_null(strstr(why, "geheim"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_come_back_as_they_were, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(many_sets_are_run_in_their_order, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_set_that_fails_ends_the_others, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_visitor_ends_a_statement, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_type_that_is_not_known_is_broken,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(errors_have_their_meaning, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_told, make,
                                        unmake),
        cmocka_unit_test(an_url_says_the_same_with_addresses),
        cmocka_unit_test(a_socket_has_no_port),
        cmocka_unit_test(what_is_no_url_is_told_without_its_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
