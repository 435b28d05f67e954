#include "server/uploads.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SWEEP_MS = 500 };

static int socket_of(const struct request *r)
{
    return MHD_get_connection_info(r->connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

/* The client has closed its side, and all that it sent has been read. */
static bool is_gone(const struct request *r)
{
    struct pollfd p = {.fd = socket_of(r), .events = POLLRDHUP};
    int unread = 0;
    return poll(&p, 1, 0) == 1 && ioctl(p.fd, FIONREAD, &unread) == 0 &&
           unread == 0;
}

/*
 * A client may close its side once it has sent all, and libmicrohttpd may
 * just be about to hand us the last of it: only who is found gone twice, a
 * sweep apart, will not send the rest.
 */
static void on_sweep(uv_timer_t *sweep)
{
    const struct uploads *u = sweep->data;
    for (struct request *r = u->first; r; r = r->next) {
        bool gone = is_gone(r);
        if (gone && r->seemed_gone)
            shutdown(socket_of(r), SHUT_RDWR);
        r->seemed_gone = gone;
    }
}

void uploads_init(struct uploads *u, uv_loop_t *loop)
{
    u->first = NULL;
    uv_timer_init(loop, &u->sweep);
    u->sweep.data = u;
}

void uploads_add(struct uploads *u, struct request *r)
{
    if (!u->first)
        uv_timer_start(&u->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    r->next = u->first;
    r->link = &u->first;
    if (r->next)
        r->next->link = &r->next;
    u->first = r;
}

void uploads_remove(struct uploads *u, struct request *r)
{
    if (!r->link)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->link = NULL;
    if (!u->first)
        uv_timer_stop(&u->sweep);
}

void uploads_end(const struct uploads *u)
{
    for (const struct request *r = u->first; r; r = r->next)
        shutdown(socket_of(r), SHUT_RDWR);
}
