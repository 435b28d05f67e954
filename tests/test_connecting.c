/* What a confined daemon may reach that has a database. */
#include "tests/confined.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static uint16_t ports[2];
static struct sockaddr_in another; /* somebody listens, who is no database */
static struct sockaddr_un local = {.sun_family = AF_UNIX};
static int listeners[2];

static int make(void **state)
{
    socklen_t size = sizeof(another);
    assert_int_equal(scene_make(state), 0);
    ports[0] = ntohs(scene.address.sin_port);
    scene.connect = ports;
    another = scene.address;
    another.sin_port = 0;
    listeners[0] = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr *at = (struct sockaddr *)&another;
    assert_int_equal(bind(listeners[0], at, size), 0);
    assert_int_equal(listen(listeners[0], 8), 0);
    assert_int_equal(getsockname(listeners[0], at, &size), 0);
    scene_name(local.sun_path, "new");
    listeners[1] = socket(AF_UNIX, SOCK_STREAM, 0);
    at = (struct sockaddr *)&local;
    assert_int_equal(bind(listeners[1], at, sizeof(local)), 0);
    assert_int_equal(listen(listeners[1], 8), 0);
    return 0;
}

static int connect_to(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? errno : result(connect(fd, address, size));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int connect_to_database(void)
{
    return connect_to(AF_INET, &scene.address, sizeof(scene.address));
}

static int connect_elsewhere(void)
{
    return connect_to(AF_INET, &another, sizeof(another));
}

static int connect_to_local_database(void)
{
    return connect_to(AF_UNIX, &local, sizeof(local));
}

static int make_netlink_socket(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int bind_tcp(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return result(bind(scene.fresh, (struct sockaddr *)&any, sizeof(any)));
}

/* clang-format off */
static const struct attempt attempts[] = {
    {"connect to the database", connect_to_database, 0, BY_ALL, 0, 0},
    {"connect to it, by Landlock", connect_to_database, 0, BY_LANDLOCK, 4, 0},
    {"connect to it on this machine", connect_to_local_database, 0, BY_ALL,
     0, 0},
    {"connect to another port", connect_elsewhere, EACCES, BY_LANDLOCK, 4, 0},
    {"ask for networks", make_netlink_socket, ENOSYS, BY_FILTER, 0, 0},
    {"bind", bind_tcp, ENOSYS, BY_FILTER, 0, 0},
    {"bind, by Landlock", bind_tcp, EACCES, BY_LANDLOCK, 4, 0},
    {0},
};
/* clang-format on */

int main(void)
{
    int failed = attempts_test(attempts, make);
    close(listeners[0]);
    close(listeners[1]);
    return failed;
}
