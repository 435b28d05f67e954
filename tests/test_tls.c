/* Certificates: what is read, what handshakes get, and their exchange. */
#include "server/tls.h"

#include "server/file.h"
#include "tests/certificate.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { DAY_S = 86400, WHY_BYTES = 400, STEPS_MAX = 1000, THREADS = 3 };

static char directory[] = "/tmp/evald-tls-XXXXXX";
static struct certificate root, middle, leaf, rsa, edwards, expired, future;

static const char *path(const char *name)
{
    static char text[4][80];
    static unsigned next;
    char *to = text[next++ % 4];
    snprintf(to, sizeof(text[0]), "%s/%s", directory, name);
    return to;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(file_write(path(name), text, strlen(text)), 0);
    chmod(path(name), 0600);
}

static void put_pair(const char *name, const struct certificate *c)
{
    char file[40];
    snprintf(file, sizeof(file), "%s.crt", name);
    certificate_write(path(file), &c, 1);
    snprintf(file, sizeof(file), "%s.key", name);
    certificate_write_key(path(file), c, NULL);
}

/* A leaf and eleven issuers, one above the other. */
static void make_deep_chain(void)
{
    struct certificate all[12];
    const struct certificate *up[12];
    for (size_t i = COUNT(all); i-- > 0;) {
        char name[32];
        snprintf(name, sizeof(name), "level %zu", i);
        all[i] = certificate_new(GNUTLS_PK_ECDSA, name,
                                 i + 1 < COUNT(all) ? &all[i + 1] : NULL, i > 0,
                                 -DAY_S, DAY_S);
        up[i] = &all[i];
    }
    certificate_write(path("deep.crt"), up, COUNT(up));
    certificate_write_key(path("deep.key"), up[0], NULL);
    for (size_t i = 0; i < COUNT(all); i++)
        certificate_free(&all[i]);
}

static void make_files(void)
{
    const struct certificate *chain[] = {&leaf, &middle};
    const struct certificate *turned[] = {&leaf, &root, &middle};
    const struct certificate *upside[] = {&middle, &leaf};
    put_pair("leaf", &leaf);
    put_pair("rsa", &rsa);
    put_pair("edwards", &edwards);
    put_pair("expired", &expired);
    put_pair("future", &future);
    certificate_write(path("chain.crt"), chain, 2);
    certificate_write(path("turned.crt"), turned, 3);
    certificate_write(path("upside.crt"), upside, 2);
    certificate_write_key(path("secret.key"), &leaf, "password");
    certificate_write_key(path("open.key"), &leaf, NULL);
    chmod(path("open.key"), 0644);
    make_deep_chain();
    put("empty", "");
    put("text", "hello\n");
    put("old.key", "-----BEGIN RSA PRIVATE KEY-----\n"
                   "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
                   "AAAA\n-----END RSA PRIVATE KEY-----\n");
    put("broken.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(mkfifo(path("pipe"), 0600), 0);
}

static int make(void **state)
{
    (void)state;
    long year = 365L * DAY_S;
    if (!mkdtemp(directory))
        return -1;
    root = certificate_new(GNUTLS_PK_ECDSA, "root", NULL, 1, -DAY_S, year);
    middle = certificate_new(GNUTLS_PK_ECDSA, "middle", &root, 1, -DAY_S, year);
    leaf = certificate_new(GNUTLS_PK_ECDSA, "leaf", &middle, 0, -DAY_S, year);
    rsa = certificate_new(GNUTLS_PK_RSA, "rsa", NULL, 0, -DAY_S, year);
    edwards = certificate_new(GNUTLS_PK_EDDSA_ED25519, "edwards", NULL, 0,
                              -DAY_S, year);
    expired = certificate_new(GNUTLS_PK_ECDSA, "expired", NULL, 0, -2 * DAY_S,
                              -DAY_S);
    future =
        certificate_new(GNUTLS_PK_ECDSA, "future", NULL, 0, DAY_S, 2 * DAY_S);
    make_files();
    return 0;
}

static int clear(void **state)
{
    struct certificate *all[] = {&root,    &middle,  &leaf,  &rsa,
                                 &edwards, &expired, &future};
    char command[64];
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++)
        certificate_free(all[i]);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command); /* NOLINT(cert-env33-c) */
}

/* Pairs of files: whether they are taken, and what is said of them. */
static const struct {
    const char *cert, *key;
    bool good;
    const char *says; /* a part; "" = nothing at all */
} pairs[] = {
    {"leaf.crt", "leaf.key", true, ""},
    {"chain.crt", "leaf.key", true, ""},
    {"turned.crt", "leaf.key", true, ""},
    {"rsa.crt", "rsa.key", true, ""},
    {"edwards.crt", "edwards.key", true, ""},
    {"expired.crt", "expired.key", true, "expired.crt expired on 20"},
    {"future.crt", "future.key", true, "future.crt is not valid before 20"},
    {"leaf.crt", "open.key", true, "open.key can be read by every user"},
    {"leaf.crt", "rsa.key", false, "rsa.key is not that of the first"},
    {"upside.crt", "leaf.key", false, "leaf.key is not that of the first"},
    {"rsa.crt", "leaf.key", false, "leaf.key is not that of the first"},
    {"expired.crt", "leaf.key", false, "leaf.key is not that of the"},
    {"leaf.crt", "secret.key", false, "secret.key is encrypted; openssl pkey"},
    {"leaf.crt", "old.key", false, "old.key is encrypted"},
    {"leaf.crt", "text", false, "cannot use the key in"},
    {"leaf.crt", "leaf.crt", false, "cannot use the key in"},
    {"leaf.crt", "empty", false, "cannot use the key in"},
    {"leaf.crt", "none", false, "none: No such file"},
    {"leaf.crt", "pipe", false, "pipe: Invalid argument"},
    {"leaf.crt", ".", false, "Invalid argument"},
    {"none", "leaf.key", false, "none: No such file"},
    {"empty", "leaf.key", false, "empty has no certificate"},
    {"text", "leaf.key", false, "text has no certificate"},
    {"leaf.key", "leaf.key", false, "leaf.key has no certificate"},
    {"broken.crt", "leaf.key", false, "cannot use the certificates in"},
    {"deep.crt", "deep.key", false, "deep.crt has 12 certificates, at most 10"},
};

static void pairs_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        char why[WHY_BYTES] = "not set";
        struct tls *tls =
            tls_new(path(pairs[i].cert), path(pairs[i].key), why, sizeof(why));
        if (!!tls != pairs[i].good)
            fail_msg("%s, %s: %s", pairs[i].cert, pairs[i].key, why);
        if (*pairs[i].says ? !strstr(why, pairs[i].says) : *why)
            fail_msg("%s, %s say \"%s\"", pairs[i].cert, pairs[i].key, why);
        tls_free(tls);
    }
}

/* Both ends of a handshake, in one thread. */
struct talk {
    int fd[2];
    gnutls_certificate_credentials_t ours, theirs;
    gnutls_priority_t priority;
    gnutls_session_t server, client;
};

static void talk_begin(struct talk *t, const char *client_priority)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t->fd),
                     0);
    gnutls_certificate_allocate_credentials(&t->ours);
    gnutls_certificate_allocate_credentials(&t->theirs);
    gnutls_certificate_set_retrieve_function3(t->ours, tls_retrieve);
    assert_int_equal(gnutls_priority_init(&t->priority, tls_priorities, NULL),
                     0);
    gnutls_init(&t->server, GNUTLS_SERVER | GNUTLS_NONBLOCK);
    gnutls_init(&t->client,
                GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP);
    gnutls_priority_set(t->server, t->priority);
    assert_int_equal(
        gnutls_priority_set_direct(t->client, client_priority, NULL), 0);
    gnutls_credentials_set(t->server, GNUTLS_CRD_CERTIFICATE, t->ours);
    gnutls_credentials_set(t->client, GNUTLS_CRD_CERTIFICATE, t->theirs);
    gnutls_transport_set_int(t->server, t->fd[0]);
    gnutls_transport_set_int(t->client, t->fd[1]);
}

/* Whether the handshake is done. */
static bool talk_shake_hands(struct talk *t)
{
    int a = GNUTLS_E_AGAIN, b = GNUTLS_E_AGAIN;
    for (int i = 0; i < STEPS_MAX && (a || b); i++) {
        if (b)
            b = gnutls_handshake(t->client);
        if (a)
            a = gnutls_handshake(t->server);
        if ((a && gnutls_error_is_fatal(a)) || (b && gnutls_error_is_fatal(b)))
            return false;
    }
    return a == 0 && b == 0;
}

static void talk_end(struct talk *t)
{
    gnutls_deinit(t->client);
    gnutls_deinit(t->server);
    gnutls_priority_deinit(t->priority);
    gnutls_certificate_free_credentials(t->ours);
    gnutls_certificate_free_credentials(t->theirs);
    close(t->fd[0]);
    close(t->fd[1]);
}

/* How many certificates the client was sent; the first is c's. */
static unsigned sent(const struct talk *t, const struct certificate *c)
{
    gnutls_datum_t der;
    unsigned n;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(t->client, &n);
    assert_non_null(chain);
    gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_DER, &der);
    if (der.size != chain->size || memcmp(der.data, chain->data, der.size) != 0)
        fail_msg("another certificate was sent");
    gnutls_free(der.data);
    return n;
}

static struct tls *open_tls(const char *cert, const char *key)
{
    char why[WHY_BYTES];
    struct tls *tls = tls_new(path(cert), path(key), why, sizeof(why));
    if (!tls)
        fail_msg("%s", why);
    tls_serve(tls);
    return tls;
}

#define ONLY(versions) "NORMAL:-VERS-ALL:+VERS-" versions

/* What a client offers, and whether they come to terms. */
static const struct {
    const char *cert, *key, *client;
    gnutls_protocol_t version; /* 0 = they do not */
} offers[] = {
    {"leaf.crt", "leaf.key", "NORMAL", GNUTLS_TLS1_3},
    {"rsa.crt", "rsa.key", "NORMAL", GNUTLS_TLS1_3},
    {"edwards.crt", "edwards.key", "NORMAL", GNUTLS_TLS1_3},
    {"leaf.crt", "leaf.key", ONLY("TLS1.2"), GNUTLS_TLS1_2},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2"), GNUTLS_TLS1_2},
    {"edwards.crt", "edwards.key", ONLY("TLS1.2"), GNUTLS_TLS1_2},
    {"rsa.crt", "rsa.key", ONLY("TLS1.1"), 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.0"), 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-KX-ALL:+RSA", 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-KX-ALL:+DHE-RSA", 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-CIPHER-ALL:+AES-128-CBC", 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-CIPHER-ALL:+AES-128-CCM-8", 0},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-CIPHER-ALL:+CHACHA20-POLY1305",
     GNUTLS_TLS1_2},
    {"rsa.crt", "rsa.key", ONLY("TLS1.3") ":-CIPHER-ALL:+AES-256-GCM",
     GNUTLS_TLS1_3},
    {"leaf.crt", "leaf.key", "NORMAL:-GROUP-ALL:+GROUP-SECP256R1",
     GNUTLS_TLS1_3},
    {"rsa.crt", "rsa.key", ONLY("TLS1.2") ":-SIGN-ALL:+SIGN-RSA-SHA1", 0},
};

static void clients_get_what_is_strong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(offers); i++) {
        struct tls *tls = open_tls(offers[i].cert, offers[i].key);
        struct talk t;
        talk_begin(&t, offers[i].client);
        bool agreed = talk_shake_hands(&t);
        if (agreed != (offers[i].version != 0))
            fail_msg("%s, %s: agreed %d", offers[i].cert, offers[i].client,
                     agreed);
        if (agreed)
            assert_int_equal(gnutls_protocol_get_version(t.client),
                             offers[i].version);
        talk_end(&t);
        tls_free(tls);
    }
}

/* Most clients have a key for X25519 ready; another group costs a trip. */
static void no_client_is_asked_twice(void **state)
{
    (void)state;
    struct tls *tls = open_tls("leaf.crt", "leaf.key");
    struct talk t;
    talk_begin(&t, "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1");
    assert_true(talk_shake_hands(&t));
    assert_int_equal(gnutls_group_get(t.client), GNUTLS_GROUP_X25519);
    talk_end(&t);
    tls_free(tls);
}

static void chains_are_sent_from_the_leaf_up(void **state)
{
    static const struct {
        const char *cert;
        unsigned n;
    } rows[] = {{"leaf.crt", 1}, {"chain.crt", 2}, {"turned.crt", 3}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls *tls = open_tls(rows[i].cert, "leaf.key");
        struct talk t;
        unsigned status = 1;
        talk_begin(&t, "NORMAL");
        gnutls_certificate_set_x509_trust(t.theirs, &root.crt, 1);
        assert_true(talk_shake_hands(&t));
        assert_int_equal(sent(&t, &leaf), rows[i].n);
        assert_int_equal(
            gnutls_certificate_verify_peers3(t.client, "localhost", &status),
            0);
        assert_int_equal(status == 0, rows[i].n > 1);
        talk_end(&t);
        tls_free(tls);
    }
}

static void copy_file(const char *from, const char *to)
{
    char *text;
    size_t len;
    assert_int_equal(file_read(path(from), &text, &len), 0);
    assert_int_equal(file_write(path(to), text, len), 0);
    chmod(path(to), 0600);
    free(text);
}

static void use_pair(const char *cert, const char *key)
{
    copy_file(cert, "now.crt");
    copy_file(key, "now.key");
}

/* A handshake that began before the reload ends with what it began with. */
static void a_reload_is_for_later_handshakes(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct talk before, after;
    use_pair("leaf.crt", "leaf.key");
    struct tls *tls = open_tls("now.crt", "now.key");
    talk_begin(&before, "NORMAL");
    talk_begin(&after, "NORMAL");
    assert_int_equal(gnutls_handshake(before.client), GNUTLS_E_AGAIN);
    assert_int_equal(gnutls_handshake(before.server), GNUTLS_E_AGAIN);
    use_pair("rsa.crt", "rsa.key");
    assert_int_equal(tls_reload(tls, why, sizeof(why)), 0);
    assert_string_equal(why, "");
    assert_true(talk_shake_hands(&before));
    assert_true(talk_shake_hands(&after));
    sent(&before, &leaf);
    sent(&after, &rsa);
    tls_free(tls); /* sessions go on without */
    assert_int_equal(gnutls_record_send(before.server, "x", 1), 1);
    talk_end(&before);
    talk_end(&after);
}

static void a_failed_reload_changes_nothing(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct talk t;
    use_pair("leaf.crt", "leaf.key");
    struct tls *tls = open_tls("now.crt", "now.key");
    use_pair("leaf.crt", "rsa.key");
    assert_int_equal(tls_reload(tls, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "is not that of the first certificate"));
    talk_begin(&t, "NORMAL");
    assert_true(talk_shake_hands(&t));
    sent(&t, &leaf);
    talk_end(&t);
    tls_free(tls);
}

static void without_a_certificate_handshakes_fail(void **state)
{
    (void)state;
    struct talk t;
    tls_free(open_tls("leaf.crt", "leaf.key"));
    talk_begin(&t, "NORMAL");
    assert_false(talk_shake_hands(&t));
    talk_end(&t);
}

static atomic_int running;

static void *shake_hands(void *context)
{
    for (int i = 0; i < 40; i++) {
        struct talk t;
        talk_begin(&t, "NORMAL");
        if (!talk_shake_hands(&t))
            atomic_fetch_add((atomic_int *)context, 1);
        talk_end(&t);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void threads_shake_hands_while_files_change(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    atomic_int failed = 0;
    char why[WHY_BYTES];
    struct tls *tls = open_tls("leaf.crt", "leaf.key");
    running = THREADS;
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, shake_hands, &failed);
    do
        assert_int_equal(tls_reload(tls, why, sizeof(why)), 0);
    while (running > 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
    tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_or_refused),
        cmocka_unit_test(clients_get_what_is_strong),
        cmocka_unit_test(no_client_is_asked_twice),
        cmocka_unit_test(chains_are_sent_from_the_leaf_up),
        cmocka_unit_test(a_reload_is_for_later_handshakes),
        cmocka_unit_test(a_failed_reload_changes_nothing),
        cmocka_unit_test(without_a_certificate_handshakes_fail),
        cmocka_unit_test(threads_shake_hands_while_files_change),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
