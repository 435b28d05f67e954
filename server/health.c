/* evald health: the health check of a container that has no curl. */
#include "server/commands.h"
#include "server/options.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

enum { TIMEOUT_S = 3, HOST_BYTES = 256 };

/* Splits http://HOST:PORT; a path after it does no harm. */
static int split(const char *url, char host[HOST_BYTES], char port[8])
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return -1;
    url += sizeof(scheme) - 1;
    if (sscanf(url, "[%255[0-9a-fA-F:.]]:%7[0-9]", host, port) == 2)
        return 0;
    return sscanf(url, "%255[^:/]:%7[0-9]", host, port) == 2 ? 0 : -1;
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &found))
        return -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd =
            socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        if (connect(fd, a->ai_addr, a->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Whether /livez answers 200. */
static bool alive(int fd, const char *host)
{
    char request[HOST_BYTES + 64], answer[16] = "";
    bool v6 = strchr(host, ':');
    int n = snprintf(request, sizeof(request),
                     "GET /livez HTTP/1.1\r\nHost: %s%s%s\r\n"
                     "Connection: close\r\n\r\n",
                     v6 ? "[" : "", host, v6 ? "]" : "");
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    ssize_t got = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
    return got > 0 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static int command_health(int argc, char **argv)
{
    char host[HOST_BYTES], port[8];
    size_t operands;
    int code = options_read(&health_command, argc, argv, NULL, &operands);
    if (code >= 0)
        return code;
    const char *url = operands ? argv[1] : "http://127.0.0.1:8080";
    if (split(url, host, port)) {
        fprintf(stderr, "evald health: not http://HOST:PORT: %s\n", url);
        return EX_USAGE;
    }
    int fd = connect_to(host, port);
    bool ok = fd >= 0 && alive(fd, host);
    if (fd >= 0)
        close(fd);
    printf("%s: %s\n", url, ok ? "alive" : "does not answer");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command health_command = {
    .name = "health",
    .brief = "ask a running evald whether it lives",
    .usage = "[URL]",
    .help = "Asks URL (http://127.0.0.1:8080) for /livez; exits 0 if it is "
            "alive, else 1.",
    .operands_max = 1,
    .run = command_health,
};
