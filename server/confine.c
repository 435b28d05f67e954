#include "server/confine.h"

#include "server/landlock.h"
#include "server/syscalls.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

bool confine_sanitized(void)
{
    return SANITIZED;
}

/* Links to a directory come from its parent, itself and those in it. */
static size_t other_threads(void)
{
    struct stat st;
    enum { LINKS = 3 }; /* with the caller's thread */
    if (SANITIZED || stat("/proc/self/task", &st) || st.st_nlink < LINKS)
        return 0;
    return (size_t)st.st_nlink - LINKS;
}

static bool has_capabilities(struct __user_cap_header_struct *head)
{
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, head, has))
        return true;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (has[i].effective || has[i].permitted || has[i].inheritable)
            return true;
    return false;
}

/*
 * What could come back goes first, as dropping it takes a capability itself.
 * Where that fails there may be none: what counts is what is left.
 */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof(none));
    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    (void)syscall(SYS_capset, &head, none);
    return !has_capabilities(&head);
}

/* A core dump would hold tokens, the private key and what clients sent. */
static bool forbid_dumps(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

int confine(const struct confine_paths *paths, struct confinement *got)
{
    *got = (struct confinement){.threads = other_threads(),
                                .root = geteuid() == 0};
    got->no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    got->landlock = landlock_restrict(paths);
    if (got->landlock < 0) {
        got->landlock_error = errno;
        got->landlock = 0;
    }
    got->no_capabilities = drop_capabilities();
    got->undumpable = forbid_dumps();
    got->calls = SANITIZED ? 0 : syscalls_restrict(paths->connect != NULL);
    if (got->calls < 0) {
        got->calls_error = errno;
        got->calls = 0;
    }
    return got->no_new_privs && got->no_capabilities && got->undumpable &&
                   got->landlock && (got->calls || SANITIZED) &&
                   got->threads == 0
               ? 0
               : -1;
}

/* "landlock 7" or "no landlock (Function not implemented)" */
static void say(char *to, size_t size, const char *what, int amount,
                const char *unit, int error)
{
    if (amount)
        snprintf(to, size, "%s %d%s", what, amount, unit);
    else
        snprintf(to, size, "no %s (%s)", what,
                 error ? strerror(error) : "built with a sanitizer");
}

void confinement_text(const struct confinement *c, char text[CONFINEMENT_BYTES])
{
    char landlock[64], calls[64], threads[64] = "";
    say(landlock, sizeof(landlock), "landlock", c->landlock, "",
        c->landlock_error);
    say(calls, sizeof(calls), "seccomp", c->calls, " calls", c->calls_error);
    if (c->threads)
        snprintf(threads, sizeof(threads), "; %zu threads are not", c->threads);
    snprintf(text, CONFINEMENT_BYTES, "confined: %s, %s, %s, %s, %s%s%s",
             c->no_new_privs ? "no new privileges" : "new privileges possible",
             c->no_capabilities ? "no capabilities" : "capabilities kept",
             c->undumpable ? "no dumps" : "dumps possible", landlock, calls,
             threads, c->root ? "; runs as root, which it need not" : "");
}
