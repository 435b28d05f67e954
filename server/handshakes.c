#include "server/handshakes.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

static void move(struct handshake *one, struct handshake **to)
{
    if (one->link)
        *one->link = one->next;
    if (one->link && one->next)
        one->next->link = one->link;
    one->next = to ? *to : NULL;
    one->link = to;
    if (one->next)
        one->next->link = &one->next;
    if (to)
        *to = one;
}

static int socket_of(const struct handshake *one)
{
    return MHD_get_connection_info(one->connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

static gnutls_session_t session_of(const struct handshake *one)
{
    return (gnutls_session_t)MHD_get_connection_info(
               one->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
        ->tls_session;
}

/* GnuTLS describes a session only when its handshake is done. */
static bool is_done(const struct handshake *one)
{
    char *description = gnutls_session_get_desc(session_of(one));
    bool done = description != NULL;
    gnutls_free(description);
    return done;
}

static void resume(struct handshakes *all, struct handshake *one)
{
    move(one, &all->awake);
    MHD_resume_connection(one->connection);
}

/* What there is more comes in the loop's next turn. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct handshakes *all = poll->data;
    struct epoll_event ready[EVENTS_MAX];
    (void)status;
    (void)events;
    int n = epoll_wait(all->epoll_fd, ready, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++)
        resume(all, ready[i].data.ptr);
    all->run(all->context);
}

int handshakes_init(struct handshakes *all, uv_loop_t *loop,
                    void (*run)(void *context), void *context)
{
    *all = (struct handshakes){.run = run, .context = context};
    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (all->epoll_fd < 0)
        return -1;
    int rc = uv_poll_init(loop, &all->poll, all->epoll_fd);
    if (rc) {
        close(all->epoll_fd);
        errno = -rc;
        return -1;
    }
    all->poll.data = all;
    uv_poll_start(&all->poll, UV_READABLE, on_readable);
    return 0;
}

void handshakes_add(struct handshakes *all, struct handshake *one,
                    struct MHD_Connection *connection)
{
    *one = (struct handshake){.connection = connection};
    struct epoll_event none = {.data.ptr = one};
    epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, socket_of(one), &none);
    move(one, &all->awake);
}

void handshakes_remove(struct handshakes *all, struct handshake *one)
{
    if (!one->connection)
        return;
    epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, socket_of(one), NULL);
    move(one, NULL);
    one->connection = NULL;
}

/* One shot: it is not heard of again before it is resumed and rests again. */
static void rest(struct handshakes *all, struct handshake *one)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT,
                                .data.ptr = one};
    if (epoll_ctl(all->epoll_fd, EPOLL_CTL_MOD, socket_of(one), &event)) {
        move(one, NULL);
        one->connection = NULL; /* unwatched, it would never be resumed */
        return;
    }
    move(one, &all->asleep);
    MHD_suspend_connection(one->connection);
}

void handshakes_rest(struct handshakes *all)
{
    while (all->awake) {
        if (is_done(all->awake))
            handshakes_remove(all, all->awake);
        else
            rest(all, all->awake);
    }
}

void handshakes_wake(struct handshakes *all)
{
    while (all->asleep)
        resume(all, all->asleep);
}

void handshakes_close(struct handshakes *all, uv_close_cb closed)
{
    uv_poll_stop(&all->poll);
    close(all->epoll_fd);
    uv_close((uv_handle_t *)&all->poll, closed);
}
