/* What a confined daemon can go on with, and what the log says of it. */
#include "tests/confined.h"

#include "server/store.h"
#include "tests/stored.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* What it could get back is dropped, too, by who may drop that. */
static int have_no_capabilities(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    size_t seen = 0;
    bool some = false;
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Cap", 3) == 0) {
            seen++;
            if (strncmp(line, "CapBnd", 6) != 0 || geteuid() == 0)
                some = some || strtoull(line + 7, NULL, 16) != 0;
        }
    if (f)
        fclose(f);
    return seen == 5 && !some ? 0 : EEXIST;
}

static void *in_thread(void *with)
{
    char *p = malloc(1 << 20);
    if (p)
        memset(p, 1, 1 << 20);
    free(p);
    return p ? with : NULL;
}

static int run_threads(void)
{
    enum { THREADS = 16 };
    pthread_t thread[THREADS];
    void *back = NULL;
    int rc = 0;
    for (size_t i = 0; i < THREADS && !rc; i++)
        rc = pthread_create(&thread[i], NULL, in_thread, &scene);
    for (size_t i = 0; i < THREADS && !rc; i++)
        rc = pthread_join(thread[i], &back);
    return rc || back ? rc : ENOMEM;
}

static int use_memory(void)
{
    for (size_t size = 1; size < (size_t)1 << 28; size *= 4) {
        char *p = malloc(size);
        char *q = p ? realloc(p, 2 * size) : NULL;
        if (q)
            q[2 * size - 1] = 1;
        free(q ? q : p);
        if (!q)
            return ENOMEM;
    }
    return 0;
}

static int accept_client(void)
{
    char byte = 'x';
    int fd = accept4(scene.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno;
    return result(send(fd, &byte, 1, MSG_NOSIGNAL) == 1 &&
                          recv(scene.client, &byte, 1, 0) == 1
                      ? 0
                      : -1);
}

static int send_datagram(void)
{
    char byte = 'x';
    return result(send(scene.datagram, &byte, 1, 0) == 1 &&
                          recv(scene.observer, &byte, 1, 0) == 1
                      ? 0
                      : -1);
}

/* Whether the file holds what the parent has put in its place. */
static int is_new(const char *path)
{
    char text[8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return errno;
    close(fd);
    return strcmp(text, "new") == 0 ? 0 : ESTALE;
}

static int read_new_tokens(void)
{
    return is_new(scene.tokens);
}

static int read_new_target(void)
{
    return is_new(scene.link);
}

static int write_ready_file(void)
{
    char path[PATH_BYTES];
    scene_name(path, "out/next");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
        return errno;
    return result(rename(path, scene.ready));
}

static int remove_ready_file(void)
{
    int rc = write_ready_file();
    return rc ? rc : result(unlink(scene.ready));
}

static int read_status(void)
{
    return reading("/proc/self/status");
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n > 2 ? 0 : errno;
}

/* A certificate that it signs itself, as files beside the tokens. */
static int write_pem(const char *name, const gnutls_datum_t *pem)
{
    char path[PATH_BYTES];
    scene_name(path, name);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(pem->data, 1, pem->size, f) != pem->size || fclose(f))
        return -1;
    return 0;
}

/* Connections for TLS, one for each attempt. */
static int tls_pairs[2][2];

static int make_scene_and_certificate(void **state)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem[2];
    time_t now = time(NULL);
    assert_int_equal(scene_make(state), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, tls_pairs[i]), 0);
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    gnutls_x509_privkey_generate(
        key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
        0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, "1", 1);
    gnutls_x509_crt_set_activation_time(cert, now - 60);
    gnutls_x509_crt_set_expiration_time(cert, now + 3600);
    gnutls_x509_crt_set_key(cert, key);
    int rc = gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0);
    assert_int_equal(rc, 0);
    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem[0]);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem[1]);
    rc = write_pem("in/cert", &pem[0]) | write_pem("in/key", &pem[1]);
    assert_int_equal(rc, 0);
    gnutls_free(pem[0].data);
    gnutls_free(pem[1].data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
    return 0;
}

struct side {
    unsigned role;
    int fd, rc;
    gnutls_certificate_credentials_t credentials;
    const char *priority;
};

/* Shakes hands and sends or takes a few records. */
static void *speak(void *context)
{
    struct side *side = context;
    gnutls_session_t session;
    static char zeros[1 << 14];
    char text[1 << 14];
    gnutls_init(&session, side->role);
    gnutls_priority_set_direct(session, side->priority, NULL);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, side->credentials);
    gnutls_transport_set_int(session, side->fd);
    do
        side->rc = gnutls_handshake(session);
    while (side->rc < 0 && !gnutls_error_is_fatal(side->rc));
    for (size_t i = 0; i < 8 && side->rc >= 0; i++)
        side->rc = (int)(side->role == GNUTLS_SERVER
                             ? gnutls_record_send(session, zeros, sizeof(zeros))
                             : gnutls_record_recv(session, text, sizeof(text)));
    gnutls_deinit(session);
    shutdown(side->fd, SHUT_WR);
    return NULL;
}

static int shake_hands(const int pair[2], const char *priority)
{
    char cert[PATH_BYTES], key[PATH_BYTES];
    gnutls_certificate_credentials_t credentials;
    pthread_t thread;
    scene_name(cert, "in/cert");
    scene_name(key, "in/key");
    gnutls_certificate_allocate_credentials(&credentials);
    if (gnutls_certificate_set_x509_key_file(credentials, cert, key,
                                             GNUTLS_X509_FMT_PEM) < 0)
        return EACCES;
    struct side server = {GNUTLS_SERVER, pair[0], 0, credentials, priority};
    struct side client = {GNUTLS_CLIENT, pair[1], 0, credentials, priority};
    if (pthread_create(&thread, NULL, speak, &server))
        return EAGAIN;
    speak(&client);
    pthread_join(thread, NULL);
    gnutls_certificate_free_credentials(credentials);
    return server.rc >= 0 && client.rc > 0 ? 0 : EPROTO;
}

static int speak_tls13(void)
{
    return shake_hands(tls_pairs[0], "NORMAL:-VERS-ALL:+VERS-TLS1.3");
}

static int speak_tls12(void)
{
    return shake_hands(tls_pairs[1], "NORMAL:-VERS-ALL:+VERS-TLS1.2");
}

static int get_random(void)
{
    char bytes[16];
    return result(getrandom(bytes, sizeof(bytes), 0)) ||
           reading("/dev/urandom");
}

static int ask_limits(void)
{
    struct rlimit limit;
    struct rusage usage;
    return result(getrlimit(RLIMIT_NOFILE, &limit)) ||
           result(getrusage(RUSAGE_SELF, &usage));
}

/* clang-format off */
static const struct attempt attempts[] = {
    {"have no capabilities", have_no_capabilities, 0, BY_ALL, 0, 0},
    {"run threads", run_threads, 0, BY_ALL, 0, 0},
    {"use memory", use_memory, 0, BY_ALL, 0, 0},
    {"accept a client", accept_client, 0, BY_ALL, 0, 0},
    {"send a notification", send_datagram, 0, BY_ALL, 0, 0},
    {"read tokens that were replaced", read_new_tokens, 0, BY_ALL, 0, 0},
    {"read what a link leads to, replaced", read_new_target, 0, BY_ALL, 0, 0},
    {"write the ready file", write_ready_file, 0, BY_ALL, 0, 0},
    {"remove the ready file", remove_ready_file, 0, BY_ALL, 0, 0},
    {"read its status", read_status, 0, BY_ALL, 0, 0},
    {"count its descriptors", count_descriptors, 0, BY_ALL, 0, 0},
    {"load a certificate and speak TLS 1.3", speak_tls13, 0, BY_ALL, 0, 0},
    {"load a certificate and speak TLS 1.2", speak_tls12, 0, BY_ALL, 0, 0},
    {"get random bytes", get_random, 0, BY_ALL, 0, 0},
    {"ask for its limits", ask_limits, 0, BY_ALL, 0, 0},
    {0},
};
/* clang-format on */

/* Writes until the log of SQLite has gone into the file, and reads it all. */
static int use_store(struct stored *s)
{
    enum { BATCH = 16, BATCHES = 60, BYTES = 10000 };
    struct store_image batch[BATCH];
    enum store_image_fate fate[BATCH];
    struct arena mem;
    char id[RUN_ID_BYTES], why[STORE_WHY_BYTES];
    int rc = 0;
    stored_run(s, stored_id(1, id));
    arena_init(&mem, SIZE_MAX / 4);
    for (int64_t i = 0; i < BATCHES && !rc; i++) {
        for (int64_t k = 0; k < BATCH; k++)
            batch[k] = stored_image(i * BATCH + k, 1, BYTES, &mem);
        rc = s->calls->put_images(s->calls->self, id, batch, BATCH, false, fate,
                                  &mem)
                 ? EIO
                 : 0;
        arena_clear(&mem, SIZE_MAX);
    }
    arena_free(&mem);
    if (!rc && store_check(s->store, why))
        rc = EBADMSG;
    return rc;
}

/* As the daemon: it is opened before, and started after. */
static int keep_a_store(void)
{
    char why[STORE_WHY_BYTES];
    struct confinement got;
    struct confine_paths where = scene_paths();
    struct stored s = {.store = NULL};
    alarm(20);
    s.store = store_open(
        &(struct store_options){.where = scene.store, .readers = 2}, why);
    if (!s.store)
        return NOT_TOLD;
    if (confine(&where, &got) && !got.no_new_privs)
        return NOT_CONFINED;
    if (store_start(s.store))
        return errno;
    s.calls = store_calls(s.store);
    int rc = use_store(&s);
    store_close(s.store);
    char wal[PATH_BYTES];
    scene_name(wal, "kept/runs.db-wal");
    return rc ? rc : access(wal, F_OK) == 0 ? ENOTEMPTY : 0;
}

static void a_confined_process_keeps_its_store(void **state)
{
    const struct attempt a = {.try = keep_a_store};
    (void)state;
    assert_int_equal(attempt_run_free(&a), 0);
}

static void the_log_says_what_holds(void **state)
{
    static const struct {
        struct confinement got;
        const char *want;
    } rows[] = {
        {{true, true, true, 7, 91, 0, 0, 0, false},
         "confined: no new privileges, no capabilities, no dumps, landlock 7, "
         "seccomp 91 calls"},
        {{true, true, true, 0, 91, ENOSYS, 0, 0, true},
         "confined: no new privileges, no capabilities, no dumps, no landlock "
         "(Function not implemented), seccomp 91 calls; runs as root, which it "
         "need not"},
        {{false, false, false, 1, 0, 0, EPERM, 3, false},
         "confined: new privileges possible, capabilities kept, dumps "
         "possible, landlock 1, no seccomp (Operation not permitted); "
         "3 threads are not"},
        {{true, true, true, 7, 0, 0, 0, 0, false},
         "confined: no new privileges, no capabilities, no dumps, landlock 7, "
         "no seccomp (built with a sanitizer)"},
    };
    char text[CONFINEMENT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        confinement_text(&rows[i].got, text);
        assert_string_equal(text, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_says_what_holds),
        cmocka_unit_test_setup_teardown(a_confined_process_keeps_its_store,
                                        scene_make, scene_remove),
    };
    int failed = attempts_test(attempts, make_scene_and_certificate);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
