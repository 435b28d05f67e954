#include "server/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_FD = 3,         /* of those that are handed over */
    MESSAGE_BYTES = 384,  /* the longest is a status */
    SEND_TIMEOUT_S = 1,   /* a full queue is emptied by then, or never */
    NAME_BYTES_MAX = 255, /* of a socket, by systemd's rules */
};

/* An unsigned number that is all of the variable, or 0. */
static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    return errno || *end ? 0 : value;
}

static bool is_for_this_process(const char *variable)
{
    return number_of(variable) == (uint64_t)getpid();
}

/* A path, or "@" and an abstract name; its length, or 0 if it is neither. */
static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
    size_t length = strlen(name);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || length < 2 ||
        length >= sizeof(address->sun_path))
        return 0;
    memcpy(address->sun_path, name, length);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* Returns the descriptor, or -1 with errno set. */
static int connect_to(const char *name)
{
    struct sockaddr_un address;
    struct timeval patience = {.tv_sec = SEND_TIMEOUT_S};
    socklen_t size = address_of(name, &address);
    if (size == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ==
            0 &&
        connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int notify_open(struct notify *n)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *n = (struct notify){.fd = -1};
    if (!name || !name[0])
        return 0;
    n->fd = connect_to(name);
    if (n->fd < 0)
        return -1;
    uint64_t limit_us = number_of("WATCHDOG_USEC");
    if (!getenv("WATCHDOG_PID") || is_for_this_process("WATCHDOG_PID"))
        n->alive_ms = limit_us / 2000 + (limit_us > 0 && limit_us < 2000);
    return 0;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    *n = (struct notify){.fd = -1};
}

static void tell(const struct notify *n, const char *message)
{
    ssize_t sent = 0;
    if (n->fd < 0)
        return;
    do
        sent = send(n->fd, message, strlen(message), 0);
    while (sent < 0 && errno == EINTR);
}

void notify_ready(const struct notify *n)
{
    tell(n, "READY=1");
}

/* With the time, by which the manager tells this reload from an earlier. */
void notify_reloading(const struct notify *n)
{
    char message[MESSAGE_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(n, message);
}

void notify_stopping(const struct notify *n, uint64_t within_ms)
{
    char message[MESSAGE_BYTES];
    snprintf(message, sizeof(message),
             "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
             within_ms < UINT64_MAX / 1000 ? within_ms * 1000 : UINT64_MAX);
    tell(n, message);
}

void notify_alive(const struct notify *n)
{
    tell(n, "WATCHDOG=1");
}

/* A line break would begin another variable. */
void notify_status(const struct notify *n, const char *format, ...)
{
    char status[NOTIFY_STATUS_BYTES], message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    for (char *p = status; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    snprintf(message, sizeof(message), "STATUS=%s", status);
    tell(n, message);
}

static bool option_is(int fd, int option, int want)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 &&
           value == want;
}

static bool is_tcp_listener(int fd)
{
    return (option_is(fd, SO_DOMAIN, AF_INET) ||
            option_is(fd, SO_DOMAIN, AF_INET6)) &&
           option_is(fd, SO_ACCEPTCONN, 1);
}

static bool set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* What the socket is for by its name; systemd's for the nameless is its
 * unit's or "unknown". */
static bool known_name(const char *name, bool *admin)
{
    static const char unit[] = ".socket";
    size_t length = strlen(name), tail = sizeof(unit) - 1;
    *admin = strcmp(name, "admin") == 0;
    return *admin || !name[0] || strcmp(name, "http") == 0 ||
           strcmp(name, "unknown") == 0 ||
           (length > tail && strcmp(name + length - tail, unit) == 0);
}

/* Moves *names, which colons separate and NULL ends, past the first one. */
static void next_name(const char **names, char name[NAME_BYTES_MAX + 1])
{
    size_t length = *names ? strcspn(*names, ":") : 0;
    int cut = (int)(length < NAME_BYTES_MAX ? length : NAME_BYTES_MAX);
    snprintf(name, NAME_BYTES_MAX + 1, "%.*s", cut, *names ? *names : "");
    if (*names)
        *names = (*names)[length] ? *names + length + 1 : NULL;
}

int notify_inherit(struct inherited *in, const char **why)
{
    static char text[NAME_BYTES_MAX + 128];
    char name[NAME_BYTES_MAX + 1];
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n = number_of("LISTEN_FDS");
    *in = (struct inherited){0};
    *why = text;
    if (n == 0 || !is_for_this_process("LISTEN_PID"))
        return 0;
    if (n > INHERITED_MAX) {
        snprintf(text, sizeof(text),
                 "LISTEN_FDS: %" PRIu64
                 " sockets are handed over, at most %d can be taken",
                 n, INHERITED_MAX);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        int fd = FIRST_FD + (int)i;
        bool admin;
        next_name(&names, name);
        if (!known_name(name, &admin)) {
            snprintf(text, sizeof(text),
                     "LISTEN_FDNAMES: %s must be http or admin", name);
            return -1;
        }
        if (!is_tcp_listener(fd) || !set_flags(fd)) {
            snprintf(text, sizeof(text),
                     "LISTEN_FDS: descriptor %d (%s) is no listening TCP "
                     "socket",
                     fd, name);
            return -1;
        }
        in->at[in->n].fd = fd;
        in->at[in->n++].admin = admin;
    }
    return 0;
}
