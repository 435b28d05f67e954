/* Handshakes that wait cost nothing, and go on when their client does. */
#include "server/answers.h"
#include "server/handshakes.h"

#include "server/tls.h"
#include "tests/certificate.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A loop that spins turns tens of thousands of times in that time. */
enum {
    WAIT_MS = 200,
    TURNS_MAX = 100,
    STEPS_MAX = 2000,
    CLIENTS = 100,
    ANSWER_BYTES = 300000 /* more than is sent at a time */
};

static char directory[] = "/tmp/evald-handshakes-XXXXXX";
static char cert[64], key[64];

/* A daemon on a loop, as the server has it, that answers with many bytes. */
struct server {
    uv_loop_t loop;
    uv_poll_t poll;
    uv_timer_t timer, end;
    uv_idle_t again;
    struct MHD_Daemon *daemon;
    struct handshakes handshakes;
    struct tls *tls;
    uint16_t port;
    size_t turns, open, answered;
};

static void pump(void *context);

static void on_again(uv_idle_t *handle)
{
    pump(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    pump(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    pump(handle->data);
}

static void pump(void *context)
{
    struct server *s = context;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    s->turns++;
    MHD_run(s->daemon);
    handshakes_rest(&s->handshakes);
    uv_idle_stop(&s->again);
    uv_timer_stop(&s->timer);
    if (MHD_get_timeout(s->daemon, &wait_ms) != MHD_YES)
        return;
    if (wait_ms == 0)
        uv_idle_start(&s->again, on_again);
    else
        uv_timer_start(&s->timer, on_timer, wait_ms, 0);
}

static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    static char text[ANSWER_BYTES];
    struct server *s = context;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_size;
    if (!*state) { /* an answer this early would end the connection */
        *state = s;
        return MHD_YES;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(
        sizeof(text), text, MHD_RESPMEM_PERSISTENT);
    s->answered++;
    enum MHD_Result rc = answers_queue(connection, 200, r);
    MHD_destroy_response(r);
    return rc;
}

static void on_connection(void *context, struct MHD_Connection *connection,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = calloc(1, sizeof(struct handshake));
        handshakes_add(&s->handshakes, *socket_context, connection);
        s->open++;
        return;
    }
    handshakes_remove(&s->handshakes, *socket_context);
    free(*socket_context);
    s->open--;
}

static int server_begin(void **state)
{
    struct server *s = calloc(1, sizeof(*s));
    char why[256];
    if (!s || uv_loop_init(&s->loop))
        return -1;
    s->tls = tls_new(cert, key, why, sizeof(why));
    tls_serve(s->tls);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TLS, 0, NULL, NULL,
        on_request, s, MHD_OPTION_HTTPS_PRIORITIES, tls_priorities,
        MHD_OPTION_HTTPS_CERT_CALLBACK2, tls_retrieve,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    if (!s->daemon || handshakes_init(&s->handshakes, &s->loop, pump, s))
        return -1;
    s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    uv_timer_init(&s->loop, &s->timer);
    uv_timer_init(&s->loop, &s->end);
    uv_idle_init(&s->loop, &s->again);
    uv_poll_init(
        &s->loop, &s->poll,
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    s->timer.data = s->again.data = s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    *state = s;
    return 0;
}

static int server_end(void **state)
{
    struct server *s = *state;
    uv_poll_stop(&s->poll);
    handshakes_wake(&s->handshakes);
    MHD_stop_daemon(s->daemon);
    handshakes_close(&s->handshakes, NULL);
    uv_close((uv_handle_t *)&s->poll, NULL);
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->end, NULL);
    uv_close((uv_handle_t *)&s->again, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&s->loop) || s->open > 0 ? -1 : 0;
    tls_free(s->tls);
    free(s);
    return rc;
}

static void on_end(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Runs the loop for WAIT_MS; how often it turned. */
static size_t run(struct server *s)
{
    size_t before = s->turns;
    uv_update_time(&s->loop);
    uv_timer_start(&s->end, on_end, WAIT_MS, 0);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return s->turns - before;
}

static int dial(const struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(s->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

struct client {
    int fd;
    gnutls_certificate_credentials_t trust;
    gnutls_session_t session;
};

static struct client client_begin(const struct server *s, const char *priority)
{
    struct client c = {.fd = dial(s)};
    gnutls_certificate_allocate_credentials(&c.trust);
    gnutls_init(&c.session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_priority_set_direct(c.session, priority, NULL);
    gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, c.trust);
    gnutls_transport_set_int(c.session, c.fd);
    struct timeval none = {.tv_usec = 1};
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
    return c;
}

static void client_end(struct client *c)
{
    close(c->fd);
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->trust);
}

/* Both sides in turn until the handshake is done. */
static void shake_hands(struct server *s, struct client *c)
{
    int rc = GNUTLS_E_AGAIN;
    for (int i = 0; i < STEPS_MAX && rc; i++) {
        rc = gnutls_handshake(c->session);
        assert_false(rc && gnutls_error_is_fatal(rc));
        uv_run(&s->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(rc, 0);
}

/* Whether what has come is a head and the whole body. */
static bool is_whole(const char *answer, size_t len)
{
    const char *end = memmem(answer, len, "\r\n\r\n", 4);
    return end && len == (size_t)(end + 4 - answer) + ANSWER_BYTES;
}

/* A request's answer has come, in as many records as it may be. */
static void ask(struct server *s, struct client *c)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static char answer[ANSWER_BYTES + 1024];
    size_t len = 0;
    assert_int_equal(gnutls_record_send(c->session, text, strlen(text)),
                     strlen(text));
    for (int i = 0; i < STEPS_MAX && !is_whole(answer, len); i++) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        ssize_t n =
            gnutls_record_recv(c->session, answer + len, sizeof(answer) - len);
        len += n > 0 ? (size_t)n : 0;
    }
    assert_memory_equal(answer, "HTTP/1.1 200 OK", 15);
    assert_true(is_whole(answer, len));
}

static const char *const versions[] = {
    "NORMAL:-VERS-ALL:+VERS-TLS1.3",
    "NORMAL:-VERS-ALL:+VERS-TLS1.2",
};

/* What a client has sent before it stops. */
static void a_silent_client_costs_nothing(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {{"", 0}, {"\x16", 1}, {"\x16\x03\x01\x02\x00\x01", 6}};
    struct server *s = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial(s);
        assert_int_equal(write(fd, rows[i].bytes, rows[i].n), rows[i].n);
        size_t turns = run(s);
        if (turns > TURNS_MAX)
            fail_msg("after %zu bytes: %zu turns", rows[i].n, turns);
        assert_int_equal(s->open, 1);
        close(fd);
        run(s);
        assert_int_equal(s->open, 0);
    }
}

static void half_a_handshake_costs_nothing(void **state)
{
    struct server *s = *state;
    for (size_t i = 0; i < 2; i++) {
        struct client c = client_begin(s, versions[i]);
        assert_int_equal(gnutls_handshake(c.session), GNUTLS_E_AGAIN);
        size_t turns = run(s);
        if (turns > TURNS_MAX)
            fail_msg("%s: %zu turns", versions[i], turns);
        shake_hands(s, &c);
        ask(s, &c);
        ask(s, &c);
        client_end(&c);
        run(s);
        assert_int_equal(s->open, 0);
    }
}

static void other_bytes_end_the_connection(void **state)
{
    struct server *s = *state;
    static const char text[] = "GET / HTTP/1.1\r\n\r\n";
    int fd = dial(s);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    run(s);
    assert_int_equal(s->open, 0);
    close(fd);
}

/* As a deadline ends it. */
static void shutdown_ends_one_that_waits(void **state)
{
    struct server *s = *state;
    struct client c = client_begin(s, versions[0]);
    assert_int_equal(gnutls_handshake(c.session), GNUTLS_E_AGAIN);
    run(s);
    assert_non_null(s->handshakes.asleep);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        s->handshakes.asleep->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    shutdown(info->connect_fd, SHUT_RDWR);
    run(s);
    assert_int_equal(s->open, 0);
    client_end(&c);
}

/* More than one reading of events; some are there still when it stops. */
static void many_wait_at_a_time(void **state)
{
    struct server *s = *state;
    static struct client all[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        all[i] = client_begin(s, versions[i % 2]);
        assert_int_equal(gnutls_handshake(all[i].session), GNUTLS_E_AGAIN);
    }
    for (int i = 0; i < 50 && s->open < CLIENTS; i++)
        run(s);
    run(s);
    assert_int_equal(s->open, CLIENTS);
    assert_true(run(s) <= TURNS_MAX);
    for (size_t i = 0; i < CLIENTS / 2; i++) {
        shake_hands(s, &all[i]);
        ask(s, &all[i]);
    }
    assert_int_equal(s->answered, CLIENTS / 2);
    for (size_t i = 0; i < CLIENTS; i += 3) {
        client_end(&all[i]);
        all[i].session = NULL;
    }
    run(s);
    assert_int_equal(s->open, CLIENTS - (CLIENTS + 2) / 3);
    server_end(state);
    *state = NULL;
    for (size_t i = 0; i < CLIENTS; i++)
        if (all[i].session)
            client_end(&all[i]);
}

static int end_if_there(void **state)
{
    return *state ? server_end(state) : 0;
}

static int make(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(cert, sizeof(cert), "%s/crt", directory);
    snprintf(key, sizeof(key), "%s/key", directory);
    struct certificate c =
        certificate_new(GNUTLS_PK_ECDSA, "localhost", NULL, 0, -3600, 3600);
    const struct certificate *only = &c;
    certificate_write(cert, &only, 1);
    certificate_write_key(key, &c, NULL);
    certificate_free(&c);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    return unlink(cert) || unlink(key) || rmdir(directory) ? -1 : 0;
}

#define WITH_SERVER(test) \
    cmocka_unit_test_setup_teardown(test, server_begin, end_if_there)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_silent_client_costs_nothing),
        WITH_SERVER(half_a_handshake_costs_nothing),
        WITH_SERVER(other_bytes_end_the_connection),
        WITH_SERVER(shutdown_ends_one_that_waits),
        WITH_SERVER(many_wait_at_a_time),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
