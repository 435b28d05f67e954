/*
 * Landlock: which files the process and its later threads may open from now
 * on.  See landlock(7) and the kernel's Documentation/userspace-api.
 */
#ifndef EVALD_SERVER_LANDLOCK_H
#define EVALD_SERVER_LANDLOCK_H

#include "server/confine.h"

/*
 * Takes from the calling thread, for good, the right to open files but those
 * that server/confine.h names, to bind or connect TCP sockets, and to signal
 * processes or reach abstract sockets that are not its own, as far as this
 * kernel knows these rights.  Needs no_new_privs.  Returns the version of
 * Landlock the kernel has, or -1 with errno set and nothing taken.
 */
int landlock_restrict(const struct confine_paths *paths)
    __attribute__((warn_unused_result));

#endif
