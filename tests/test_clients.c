/* What clients do and how much they may, by a clock made of numbers. */
#include "server/clients.h"
#include "server/siphash.h"

#include "core/random.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static const uint64_t seed[2] = {1, 2};
static const uint64_t S = 1000000000, MS = 1000000; /* nanoseconds */

static struct client_key name(const char *text)
{
    return client_key_token(text);
}

static struct client_key number(uint64_t n)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    return client_key_token(text);
}

static struct client_key address(const char *text)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    memset(&at, 0, sizeof(at));
    at.any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    void *to =
        strchr(text, ':') ? (void *)&at.v6.sin6_addr : (void *)&at.v4.sin_addr;
    assert_int_equal(inet_pton(at.any.sa_family, text, to), 1);
    return client_key_address(&at.any);
}

static struct clients *made(struct clients_limits limits, size_t max)
{
    struct clients *c = clients_new(&limits, max, seed);
    assert_non_null(c);
    return c;
}

/* 0 if a request may begin, and it ends at once; else when to come again. */
static unsigned ask(struct clients *c, struct client_key key, uint64_t now)
{
    struct client *held;
    unsigned retry_after_s = 0;
    if (clients_begin(c, &key, now, &held, &retry_after_s)) {
        assert_null(held);
        assert_true(retry_after_s > 0);
        return retry_after_s;
    }
    clients_end(c, held);
    return 0;
}

static unsigned fail_at(struct clients *c, struct client_key key, uint64_t now)
{
    return clients_failed(c, &key, now);
}

static void the_hash_is_siphash(void **state)
{
    /* by OpenSSL's SIPHASH of 8 bytes; 0, 1, 8, 15 are its authors', too */
    static const struct {
        size_t n;
        uint64_t want;
    } rows[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {9, UINT64_C(0x9e0082df0ba9e4b0)},  {15, UINT64_C(0xa129ca6149be45e5)},
        {16, UINT64_C(0x3f2acc7f57c29bdb)}, {63, UINT64_C(0x958a324ceb064572)},
        {65, UINT64_C(0x36b6bedb91a25924)},
    };
    const uint64_t key[2] = {UINT64_C(0x0706050403020100),
                             UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char bytes[65];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(siphash(key, bytes, rows[i].n) == rows[i].want);
}

static void keys_tell_clients_apart(void **state)
{
    char longest[CLIENT_NAME_BYTES + 2];
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    const struct {
        struct client_key a, b;
        bool same;
    } rows[] = {
        {address("192.0.2.1"), address("192.0.2.1"), true},
        {address("192.0.2.1"), address("192.0.2.2"), false},
        {address("192.0.2.1"), address("::ffff:192.0.2.1"), true},
        {address("192.0.2.1"), address("::192.0.2.1"), false},
        {address("2001:db8::1"), address("2001:db8::2"), true},
        {address("2001:db8::1"), address("2001:db8::ffff:0:0:1"), true},
        {address("2001:db8:0:1::"), address("2001:db8:0:2::"), false},
        {address("::1"), address("127.0.0.1"), false},
        {name("a"), name("a"), true},
        {name("a"), name("b"), false},
        {name("a"), name("aa"), false},
        {name(""), name("a"), false},
        {name("\xc0\x00\x02\x01"), address("192.0.2.1"), false},
        {name(longest), name(longest + 1), true},
        {name(longest), name(longest + 2), false},
        {client_key_address((struct sockaddr *)&local), name(""), false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool same =
            rows[i].a.size == rows[i].b.size &&
            memcmp(rows[i].a.bytes, rows[i].b.bytes, rows[i].a.size) == 0;
        if (same != rows[i].same)
            fail_msg("row %zu", i);
    }
}

static void an_address_has_its_share_of_connections(void **state)
{
    struct clients *c = made((struct clients_limits){.connections = 2}, 8);
    struct client_key a = address("192.0.2.1"), b = address("192.0.2.2");
    struct client *first, *second, *third, *other;
    (void)state;
    assert_true(clients_open(c, &a, 0, &first));
    assert_true(clients_open(c, &a, 0, &second));
    assert_false(clients_open(c, &a, 0, &third));
    assert_null(third);
    assert_true(clients_open(c, &b, 0, &other));
    clients_close(c, first);
    assert_true(clients_open(c, &a, 0, &third));
    assert_false(clients_open(c, &a, 0, &first));
    assert_int_equal(clients_count(c).refused_connections, 2);
    clients_limit(c, &(struct clients_limits){.connections = 3});
    assert_true(clients_open(c, &a, 0, &first));
    clients_close(c, first);
    clients_close(c, second);
    clients_close(c, third);
    clients_close(c, other);
    clients_close(c, NULL);
    clients_free(c);
}

static void no_limit_is_no_limit(void **state)
{
    struct clients *c = made((struct clients_limits){0}, 8);
    struct client_key a = name("a");
    struct client *held;
    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        assert_true(clients_open(c, &a, 0, &held));
        assert_int_equal(ask(c, a, 0), 0);
    }
    clients_free(c);
    clients_free(NULL);
}

static void requests_come_at_a_rate_with_bursts(void **state)
{
    /* 2 a second, 3 at once */
    static const struct {
        uint64_t at_ms;
        unsigned want; /* Retry-After, 0 = may begin */
    } rows[] = {
        {1000, 0}, {1000, 0}, {1000, 0}, {1000, 1}, {1000, 1}, /* the burst */
        {1499, 1}, {1500, 0}, {1500, 1}, {1999, 1}, {2000, 0}, /* the rate */
        {3000, 0}, {3000, 0}, {3000, 1},                       /* two again */
        {9000, 0}, {9000, 0}, {9000, 0}, {9000, 1},            /* not more */
        {8000, 2}, /* a time that is late */
        {9500, 0}, {9500, 1},
    };
    struct clients *c = made((struct clients_limits){.rate = 2, .burst = 3}, 8);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned got = ask(c, name("a"), rows[i].at_ms * MS);
        if (got != rows[i].want)
            fail_msg("row %zu: %u", i, got);
    }
    assert_int_equal(ask(c, name("b"), 9500 * MS), 0);
    assert_int_equal(clients_count(c).refused_rate, 9);
    clients_free(c);
}

static void bursts_are_as_the_rate_unless_told(void **state)
{
    static const struct {
        size_t rate, burst, want;
    } rows[] = {
        {5, 0, 5},        {5, 1, 1},
        {1, 7, 7},        {1, 0, 1},
        {3, 20, 20},      {1000000000, 4, 4},
        {SIZE_MAX, 4, 4}, {1, (size_t)1 << 55, 99},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct clients *c =
            made((struct clients_limits){.rate = rows[i].rate,
                                         .burst = rows[i].burst},
                 2);
        size_t n = 0;
        while (n < 99 && ask(c, name("a"), 0) == 0)
            n++;
        if (n != rows[i].want)
            fail_msg("row %zu: %zu", i, n);
        clients_free(c);
    }
}

/* What is refused for being too many costs nothing of the rate. */
static void requests_at_a_time_have_a_limit(void **state)
{
    struct clients *c = made(
        (struct clients_limits){.rate = 4, .burst = 4, .concurrency = 2}, 8);
    struct client_key a = name("a");
    struct client *held[2], *none;
    unsigned retry = 0;
    (void)state;
    assert_int_equal(clients_begin(c, &a, 0, &held[0], &retry), REASON_NONE);
    assert_int_equal(clients_begin(c, &a, 0, &held[1], &retry), REASON_NONE);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(clients_begin(c, &a, 0, &none, &retry),
                         REASON_CONCURRENCY);
        assert_null(none);
        assert_int_equal(retry, 1);
    }
    assert_int_equal(ask(c, name("b"), 0), 0);
    clients_end(c, held[0]);
    assert_int_equal(ask(c, a, 0), 0);
    assert_int_equal(ask(c, a, 0), 0);
    assert_int_equal(ask(c, a, 0), 1);
    clients_end(c, held[1]);
    clients_end(c, NULL);
    assert_int_equal(clients_count(c).refused_concurrency, 9);
    assert_int_equal(clients_count(c).refused_rate, 1);
    clients_free(c);
}

static void failures_wait_longer_and_longer(void **state)
{
    static const struct {
        uint64_t at_s;
        size_t times;
        unsigned want; /* of the last of them */
    } rows[] = {
        {100, 1, 0},   {100, 9, 0},     {100, 1, 12},   /* the eleventh */
        {100, 1, 18},  {100, 1, 24},    {110, 1, 20},   /* one each six s */
        {129, 1, 7},   {136, 1, 0},     {136, 1, 12},   /* after the wait */
        {700, 10, 0},  {700, 1, 12},    {700, 98, 600}, /* all forgiven */
        {700, 1, 600}, {700, 999, 600}, {1299, 1, 7},   /* not longer */
        {1306, 1, 0},
    };
    struct clients *c = made((struct clients_limits){0}, 8);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned got = 0;
        for (size_t k = 0; k < rows[i].times; k++)
            got = fail_at(c, address("192.0.2.1"), rows[i].at_s * S);
        if (got != rows[i].want)
            fail_msg("row %zu: %u", i, got);
        assert_int_equal(fail_at(c, number(i), rows[i].at_s * S), 0);
        /* with a valid token it is let in all the time */
        assert_int_equal(ask(c, address("192.0.2.1"), rows[i].at_s * S), 0);
    }
    assert_true(clients_count(c).refused_failures > 1000);
    clients_free(c);
}

static void entries_that_tell_nothing_are_used_again(void **state)
{
    struct clients *c = made((struct clients_limits){.rate = 1, .burst = 2}, 3);
    struct client_key kept = name("kept");
    struct client *held;
    (void)state;
    assert_true(clients_open(c, &kept, 0, &held));
    assert_int_equal(ask(c, name("a"), 0), 0);
    assert_int_equal(ask(c, name("b"), 0), 0);
    assert_int_equal(clients_count(c).tracked, 3);
    assert_int_equal(ask(c, name("c"), 0), 0); /* a and b tell: not tracked */
    assert_int_equal(clients_count(c).untracked, 1);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(ask(c, name("c"), 0), 0);
    assert_int_equal(clients_count(c).untracked, 10);
    assert_int_equal(ask(c, name("c"), S), 0); /* now they do not */
    assert_int_equal(ask(c, name("c"), S), 0);
    assert_int_equal(ask(c, name("c"), S), 1);
    assert_int_equal(clients_count(c).untracked, 10);
    assert_int_equal(ask(c, name("d"), S), 0);
    assert_int_equal(clients_count(c).untracked, 10);
    assert_int_equal(ask(c, name("c"), S), 1); /* c was not the one to go */
    clients_limit(c, &(struct clients_limits){.connections = 1});
    struct client *again;
    assert_false(clients_open(c, &kept, 99 * S, &again)); /* nor ever kept */
    clients_close(c, held);
    clients_free(c);
}

/* Some that stay for ten minutes do not hide those behind them. */
static void entries_that_stay_do_not_hide_others(void **state)
{
    enum { STAY = 20, MAX = 40 };
    struct clients *c = made((struct clients_limits){0}, MAX);
    (void)state;
    for (uint64_t i = 0; i < STAY; i++)
        for (size_t k = 0; k < 200; k++)
            (void)fail_at(c, number(i), 0);
    for (uint64_t i = STAY; i < MAX; i++)
        assert_int_equal(fail_at(c, number(i), 0), 0);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(fail_at(c, number(1000 + i), 10 * S + i * S), 0);
    assert_true(clients_count(c).untracked < 100); /* else all of them */
    for (uint64_t i = 0; i < STAY; i++)
        assert_true(fail_at(c, number(i), 10 * S) > 0);
    clients_free(c);
}

/* An untracked one is not closed on behalf of one that came later. */
static void untracked_clients_close_nothing(void **state)
{
    struct clients *c = made((struct clients_limits){.connections = 1}, 1);
    struct client_key a = name("a"), b = name("b");
    struct client *of_a, *of_b, *of_b_later, *none;
    (void)state;
    assert_true(clients_open(c, &a, 0, &of_a));
    assert_true(clients_open(c, &b, 0, &of_b));
    assert_null(of_b);
    clients_close(c, of_a);
    assert_true(clients_open(c, &b, 0, &of_b_later));
    assert_non_null(of_b_later);
    clients_close(c, of_b);
    assert_false(clients_open(c, &b, 0, &none));
    clients_close(c, of_b_later);
    clients_free(c);
}

static void a_table_of_none_lets_all_in(void **state)
{
    struct clients *c = made((struct clients_limits){.rate = 1}, 0);
    (void)state;
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(ask(c, name("a"), 0), 0);
    assert_int_equal(clients_count(c).untracked, 9);
    clients_free(c);
    const struct clients_limits none = {0};
    assert_null(clients_new(&none, SIZE_MAX / 2, seed));
}

/* Many clients over few entries, against counts that are kept apart. */
static void the_table_agrees_with_a_plain_one(void **state)
{
    enum { CLIENTS = 50, MAX = 8, HELD = 64, LIMIT = 3 };
    size_t open[CLIENTS] = {0};
    struct {
        size_t who;
        struct client *entry;
    } held[HELD];
    size_t n = 0;
    uint64_t random = 7;
    struct clients *c =
        made((struct clients_limits){.connections = LIMIT}, MAX);
    (void)state;
    for (uint64_t turn = 0; turn < 200000; turn++) {
        if (n == HELD || (n > 0 && random_next(&random) % 2)) {
            size_t i = random_next(&random) % n;
            open[held[i].who] -= held[i].entry != NULL;
            clients_close(c, held[i].entry);
            held[i] = held[--n];
            continue;
        }
        size_t who = random_next(&random) % CLIENTS;
        struct client_key key = number(who);
        bool may = clients_open(c, &key, turn, &held[n].entry);
        assert_int_equal(may, open[who] < LIMIT);
        held[n].who = who;
        open[who] += may && held[n].entry;
        n += may;
    }
    while (n > 0)
        clients_close(c, held[--n].entry);
    assert_int_equal(clients_count(c).tracked, MAX);
    clients_free(c);
}

/* Threads with clients in common: their limits hold at every time. */
enum {
    THREADS = 4,
    SHARED = 12,
    TURNS = 20000,
    AT_A_TIME = 2,
    WAIT_MAX_S = 600
};

struct stress {
    struct clients *clients;
    atomic_int begun[SHARED], opened[SHARED];
    atomic_size_t wrong;
};

static void stress_once(struct stress *s, size_t who, uint64_t now)
{
    struct client_key key = number(who);
    struct client *connection, *request;
    unsigned retry;
    if (!clients_open(s->clients, &key, now, &connection))
        return;
    if (connection && atomic_fetch_add(&s->opened[who], 1) >= AT_A_TIME)
        atomic_fetch_add(&s->wrong, 1);
    if (!clients_begin(s->clients, &key, now, &request, &retry)) {
        if (request && atomic_fetch_add(&s->begun[who], 1) >= AT_A_TIME)
            atomic_fetch_add(&s->wrong, 1);
        if (request)
            atomic_fetch_sub(&s->begun[who], 1);
        clients_end(s->clients, request);
    }
    if (clients_failed(s->clients, &key, now) > WAIT_MAX_S)
        atomic_fetch_add(&s->wrong, 1);
    if (connection)
        atomic_fetch_sub(&s->opened[who], 1);
    clients_close(s->clients, connection);
}

static void *stress_thread(void *context)
{
    struct stress *s = context;
    uint64_t random = (uintptr_t)&random;
    for (uint64_t turn = 0; turn < TURNS; turn++)
        stress_once(s, random_next(&random) % SHARED, turn * S);
    return NULL;
}

static void limits_hold_over_threads(void **state)
{
    struct stress s = {
        .clients = made((struct clients_limits){.connections = AT_A_TIME,
                                                .rate = 1000000,
                                                .concurrency = AT_A_TIME},
                        SHARED - 2)};
    const uint64_t when = (TURNS + 9999) * S;
    pthread_t thread[THREADS];
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, stress_thread, &s),
                         0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_int_equal(clients_count(s.clients).tracked, SHARED - 2);
    for (uint64_t i = 0; i < SHARED - 2; i++) { /* all have been given back */
        struct client_key key = number(1000 + i);
        struct client *held[AT_A_TIME];
        for (size_t k = 0; k < AT_A_TIME; k++) {
            assert_true(clients_open(s.clients, &key, when, &held[k]));
            assert_non_null(held[k]);
        }
    }
    clients_free(s.clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash),
        cmocka_unit_test(keys_tell_clients_apart),
        cmocka_unit_test(an_address_has_its_share_of_connections),
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(requests_come_at_a_rate_with_bursts),
        cmocka_unit_test(bursts_are_as_the_rate_unless_told),
        cmocka_unit_test(requests_at_a_time_have_a_limit),
        cmocka_unit_test(failures_wait_longer_and_longer),
        cmocka_unit_test(entries_that_tell_nothing_are_used_again),
        cmocka_unit_test(entries_that_stay_do_not_hide_others),
        cmocka_unit_test(untracked_clients_close_nothing),
        cmocka_unit_test(a_table_of_none_lets_all_in),
        cmocka_unit_test(the_table_agrees_with_a_plain_one),
        cmocka_unit_test(limits_hold_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
