#include "server/door.h"

#include "server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ACCEPTS_MAX = 64, /* in one turn of the loop */
    REST_MS = 100,    /* when descriptors are used up */
    LEAVE_MS = 250,   /* for handshakes under way, before it closes */
    HOPS_ALL = 255,   /* only who is next to us may say so */
};

struct door {
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    int spare_fd; /* to be closed for a moment when there is no other */
    unsigned open_handles;
    bool leaves_clients; /* to others at the same address */
    door_welcome *welcome;
    void (*closed)(void *context);
    void *context;
};

/* Lets a client in that there is no descriptor for, to turn it out. */
static void accept_to_close(struct door *d)
{
    close(d->spare_fd);
    int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    d->spare_fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *timer)
{
    struct door *d = timer->data;
    uv_poll_start(&d->poll, UV_READABLE, on_poll);
}

static void rest(struct door *d)
{
    accept_to_close(d);
    if (d->closed)
        return;
    log_error("no descriptor for another client: see ulimit -n");
    uv_poll_stop(&d->poll);
    uv_timer_start(&d->timer, on_rested, REST_MS, 0);
}

/*
 * Packets with fewer hops left than this are dropped; 0 takes them all.  On a
 * listening socket that is what would begin a connection, not what goes on
 * with one: whoever knocks tries again in a second, and then the others have
 * the door.  It needs no capability, as a filter does on some kernels.
 */
static void need_hops(int fd, int hops)
{
    int four = setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
    int six =
        setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof(hops));
    if (four && six)
        log_info("new clients cannot be left to others for certain: %s",
                 strerror(errno));
}

/* false when nobody waits any more. */
static bool accept_one(struct door *d)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(d->fd, (struct sockaddr *)&peer, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (d->leaves_clients)
            need_hops(fd, 0); /* it has what the door has */
        d->welcome(d->context, fd, (struct sockaddr *)&peer, len);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM)
        rest(d);
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX && accept_one(d); i++)
        continue;
}

struct door *door_new(uv_loop_t *loop, int fd, door_welcome *welcome,
                      void *context)
{
    struct door *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    d->fd = fd;
    d->spare_fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
    d->welcome = welcome;
    d->context = context;
    d->open_handles = 2;
    uv_timer_init(loop, &d->timer);
    uv_poll_init(loop, &d->poll, fd);
    d->poll.data = d->timer.data = d;
    uv_poll_start(&d->poll, UV_READABLE, on_poll);
    return d;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct door *d = handle->data;
    if (--d->open_handles > 0)
        return;
    close(d->fd);
    close(d->spare_fd);
    d->closed(d->context);
    free(d);
}

static void on_leave(uv_timer_t *timer)
{
    struct door *d = timer->data;
    while (accept_one(d))
        continue;
    uv_poll_stop(&d->poll);
    uv_close((uv_handle_t *)&d->poll, on_handle_closed);
    uv_close((uv_handle_t *)&d->timer, on_handle_closed);
}

void door_close(struct door *d, bool shared, void (*closed)(void *context))
{
    d->closed = closed;
    d->leaves_clients = shared;
    if (shared)
        need_hops(d->fd, HOPS_ALL);
    uv_timer_start(&d->timer, on_leave, shared ? LEAVE_MS : 0, 0);
}
