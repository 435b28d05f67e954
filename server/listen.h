/* Addresses: HOST:PORT to a listening socket, and back to words. */
#ifndef EVALD_SERVER_LISTEN_H
#define EVALD_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

enum { URL_BYTES = 128 };

struct listener {
    int fd;
    bool loopback;       /* reached from this machine only */
    char url[URL_BYTES]; /* http://HOST:PORT, with the port it got */
};

/*
 * Binds to address, "HOST:PORT" or "[v6]:PORT"; port 0 is any free one.  With
 * shared, others that do the same may listen there, too, and the kernel deals
 * clients out to all of them.  Returns 0, or one of sysexits.h (EX_USAGE for
 * what is no address) with one line in *why, borrowed until the next call.
 * The caller closes fd.
 */
int listener_bind(struct listener *l, const char *address, bool shared,
                  const char **why);

/* Whether address has that form. */
bool listener_address(const char *address);

/* One more socket that shares what l, bound as shared, listens on; -1. */
int listener_another(const struct listener *l);

/* Takes over a socket that somebody else has opened. */
void listener_adopt(struct listener *l, int fd);

/* Says in url that it speaks TLS. */
void listener_tls(struct listener *l);

/* Lets clients in; 0, or -1 with errno set. */
int listener_listen(int fd);

#endif
