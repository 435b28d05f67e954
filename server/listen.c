#include "server/listen.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { BACKLOG = 1024, HOST_BYTES = 256 };

static int failed(int code, const char **why, const char *address,
                  const char *what)
{
    static char text[HOST_BYTES + 128];
    snprintf(text, sizeof(text), "--listen %.200s: %s", address, what);
    *why = text;
    return code;
}

/* Splits HOST:PORT, PORT a number; an IPv6 host loses its brackets. */
static int split(const char *address, char host[HOST_BYTES], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1])
        return -1;
    size_t n = (size_t)(colon - address);
    if (address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    } else if (memchr(address, ':', n)) {
        return -1;
    }
    if (n >= HOST_BYTES)
        return -1;
    memcpy(host, address, n);
    host[n] = '\0';
    *port = colon + 1;
    char *end;
    unsigned long number = strtoul(*port, &end, 10);
    return isdigit((unsigned char)**port) && !*end && number <= UINT16_MAX ? 0
                                                                           : -1;
}

bool listener_address(const char *address)
{
    char host[HOST_BYTES];
    const char *port;
    return split(address, host, &port) == 0;
}

static int bind_one(const struct sockaddr *at, socklen_t len, bool shared)
{
    int on = 1;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    IPPROTO_TCP);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, at, len) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Where the socket is reached: its own address, or loopback if it has all. */
static void describe(struct listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t size = sizeof(at);
    char host[INET6_ADDRSTRLEN] = "";
    memset(&at, 0, sizeof(at));
    getsockname(l->fd, &at.any, &size);
    if (at.any.sa_family == AF_INET6) {
        const struct in6_addr *a = &at.v6.sin6_addr;
        l->loopback = IN6_IS_ADDR_LOOPBACK(a);
        inet_ntop(AF_INET6, a, host, sizeof(host));
        snprintf(l->url, sizeof(l->url), "http://[%s]:%u",
                 IN6_IS_ADDR_UNSPECIFIED(a) ? "::1" : host,
                 ntohs(at.v6.sin6_port));
        return;
    }
    in_addr_t a = ntohl(at.v4.sin_addr.s_addr);
    l->loopback = a >> 24 == IN_LOOPBACKNET;
    inet_ntop(AF_INET, &at.v4.sin_addr, host, sizeof(host));
    snprintf(l->url, sizeof(l->url), "http://%s:%u",
             a == INADDR_ANY ? "127.0.0.1" : host, ntohs(at.v4.sin_port));
}

int listener_bind(struct listener *l, const char *address, bool shared,
                  const char **why)
{
    char host[HOST_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    *l = (struct listener){.fd = -1};
    if (split(address, host, &port))
        return failed(EX_USAGE, why, address,
                      "must be HOST:PORT or [IPV6]:PORT, such as "
                      "127.0.0.1:8080");
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc)
        return failed(EX_NOHOST, why, address, gai_strerror(rc));
    for (const struct addrinfo *a = found; a && l->fd < 0; a = a->ai_next)
        l->fd = bind_one(a->ai_addr, a->ai_addrlen, shared);
    int saved = errno;
    freeaddrinfo(found);
    if (l->fd < 0)
        return failed(EX_UNAVAILABLE, why, address, strerror(saved));
    describe(l);
    return 0;
}

int listener_another(const struct listener *l)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof(at);
    if (getsockname(l->fd, (struct sockaddr *)&at, &len))
        return -1;
    return bind_one((struct sockaddr *)&at, len, true);
}

void listener_adopt(struct listener *l, int fd)
{
    *l = (struct listener){.fd = fd};
    describe(l);
}

void listener_tls(struct listener *l)
{
    static const char plain[] = "http://", secure[] = "https://";
    char rest[URL_BYTES];
    snprintf(rest, sizeof(rest), "%s", l->url + sizeof(plain) - 1);
    snprintf(l->url, sizeof(l->url), "%s%.*s", secure,
             (int)(sizeof(l->url) - sizeof(secure)), rest);
}

int listener_listen(int fd)
{
    return listen(fd, BACKLOG);
}
