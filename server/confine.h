/*
 * What the daemon gives up once it is ready to serve: whoever gets to run
 * code in it by a malformed request finds no program to start, no file to
 * write but the store's, next to none to read, nowhere to connect to but the
 * database, and no privilege.
 *
 * All of it is best effort: an old kernel or a container may have no
 * Landlock or forbid filters.  Then the daemon goes on with the rest and says
 * what is missing.  Builds with sanitizers have no filter and may read all
 * files, as their reports need both.
 */
#ifndef EVALD_SERVER_CONFINE_H
#define EVALD_SERVER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct confine_paths {
    /*
     * Files that are read again on reload; NULL ends them, or there are none.
     * What lies in their directories stays readable, and in those they are
     * links to, since files are replaced by renaming.  Of a file in "/", only
     * itself.
     */
    const char *const *read;
    /* Written, and removed in the end: its directory stays writable; or NULL */
    const char *ready_file;
    /*
     * A database of SQLite, or NULL: it and what is beside it may be read,
     * written and removed, and files may be made there.
     */
    const char *store;
    /*
     * TCP ports that may be connected to, on any machine, and 0 at their end;
     * sockets of this machine may be, too.  NULL: nothing may.
     */
    const uint16_t *connect;
};

struct confinement {
    bool no_new_privs;    /* set-user-ID programs give nothing */
    bool undumpable;      /* no core dump, no debugger of the same user */
    bool no_capabilities; /* not even of user 0 */
    int landlock;         /* the kernel's version of it, 0 = without */
    int calls;            /* system calls that are let through, 0 = all are */
    int landlock_error, calls_error; /* an errno that says why, or 0 */
    size_t threads; /* others than the caller's, which keep their rights */
    bool root;      /* still user 0, who owns too many files */
};

enum { CONFINEMENT_BYTES = 256 };

/*
 * To be called when all listening sockets are bound and listening and the
 * notification socket is connected, but before any thread is started: only
 * threads that come after it are held by all of it.  What stays possible:
 * to accept and serve connections, to start threads, to poll, to read
 * paths->read and what is beside them, this process's own /proc/self and the
 * machine's /sys/fs/cgroup.  Leaves a descriptor open, on purpose.
 * Returns 0 when everything holds, -1 when something is missing.
 */
int confine(const struct confine_paths *paths, struct confinement *got)
    __attribute__((warn_unused_result));

/* One line for the log: "confined: no new privileges, landlock 6, ..." */
void confinement_text(const struct confinement *c,
                      char text[CONFINEMENT_BYTES]);

/* Whether this build is for finding faults, and confines itself less. */
bool confine_sanitized(void);

#endif
