/*
 * A filter of system calls (seccomp): those that the daemon needs to serve
 * are let through, all others fail with ENOSYS.
 *
 * A list of what is allowed, for a list of what is forbidden misses what
 * kernels learn later.  ENOSYS, since the C library falls back to an older
 * call then, where EPERM would be an error: so a newer library does well on
 * an old list.
 */
#ifndef EVALD_SERVER_SYSCALLS_H
#define EVALD_SERVER_SYSCALLS_H

#include <stdbool.h>

/*
 * Filters the calls of all threads there are and will be, for good.  Needs
 * no_new_privs.  With `connects`, streams to other machines and to sockets of
 * this one may be opened: to where, Landlock says.  Returns how many calls are
 * let through, or -1 with errno set.
 */
int syscalls_restrict(bool connects) __attribute__((warn_unused_result));

#endif
