/*
 * The service manager that started the daemon: what it is told (sd_notify(3)'s
 * protocol) and which sockets it hands over (sd_listen_fds(3)), by what it
 * has put into the environment.  Without it everything here does nothing.
 */
#ifndef EVALD_SERVER_NOTIFY_H
#define EVALD_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notify {
    int fd; /* connected; -1 = nobody wants to be told */
    /*
     * How often to call notify_alive, half of what the manager waits before
     * it kills; 0 = never.
     */
    uint64_t alive_ms;
};

/*
 * Opens the way to the manager; to be called once, before confinement, which
 * allows no further socket.  Returns 0, also when there is no manager, or -1
 * with errno set when there is one that cannot be reached.
 */
int notify_open(struct notify *n) __attribute__((warn_unused_result));
void notify_close(struct notify *n);

/*
 * Each sends one datagram and waits a second at most for room.  What cannot
 * be sent is lost: the manager has its own time limits.
 *
 * notify_ready: it serves, after the start and again after each reload.
 * notify_reloading: it has begun to reload.
 * notify_stopping: it will end, within so many milliseconds; these replace
 * the manager's own limit.
 * notify_alive: for the manager's watchdog.
 * notify_status: one line for people, cut at NOTIFY_STATUS_BYTES.
 */
void notify_ready(const struct notify *n);
void notify_reloading(const struct notify *n);
void notify_stopping(const struct notify *n, uint64_t within_ms);
void notify_alive(const struct notify *n);
enum { NOTIFY_STATUS_BYTES = 256 };
void notify_status(const struct notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum { INHERITED_MAX = 8 };

/* Listening sockets that were handed over. */
struct inherited {
    size_t n;
    struct {
        int fd;     /* TCP, listening, non-blocking, close-on-exec */
        bool admin; /* for health and metrics; else for everything */
    } at[INHERITED_MAX];
};

/*
 * Takes what is handed over: sockets by the name "admin" or "http"; those
 * that were not named in their unit are for http.  Returns 0, with n = 0 when
 * there are none, or -1 with one line in *why, borrowed until the next call.
 * To be called once, before descriptors are opened.
 */
int notify_inherit(struct inherited *in, const char **why)
    __attribute__((warn_unused_result));

#endif
