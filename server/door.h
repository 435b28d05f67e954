/*
 * The sockets that clients come in by.
 *
 * Clients are accepted here rather than by libmicrohttpd, which at its limit
 * leaves them in the backlog without a word, and spins when descriptors are
 * used up.  Here they are counted, and turned away with an answer.
 */
#ifndef EVALD_SERVER_DOOR_H
#define EVALD_SERVER_DOOR_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

struct door;

/* Takes over an accepted, non-blocking socket. */
typedef void door_welcome(void *context, int fd, const struct sockaddr *peer,
                          socklen_t len);

/*
 * Opens a door on fd, a listening, non-blocking socket, which it takes over.
 * NULL when there is no memory; fd stays the caller's then.
 */
struct door *door_new(uv_loop_t *loop, int fd, door_welcome *welcome,
                      void *context) __attribute__((warn_unused_result));

/*
 * Closes it: who has knocked is let in still.  Where others listen on the same
 * address (shared), new clients are left to them first, so that nobody who is
 * half in is lost.  The door frees itself, and tells whoever waits.
 */
void door_close(struct door *door, bool shared, void (*closed)(void *context));

#endif
