/*
 * Children that confine themselves and then try something, in a scene of
 * files and sockets that was made before.
 */
#ifndef EVALD_TESTS_CONFINED_H
#define EVALD_TESTS_CONFINED_H

#include "server/confine.h"

#include <netinet/in.h>
#include <stdbool.h>

enum { PATH_BYTES = 96 };

/*
 * In a directory of its own:
 *   in/tokens    read again, and replaced by the parent by renaming
 *   in/link      leads to away/target; read again and replaced, too
 *   out/ready    the ready file
 *   kept/runs.db the store, which is not there yet
 *   other        a file of nobody's concern
 */
struct scene {
    char dir[32], tokens[PATH_BYTES], link[PATH_BYTES];
    char ready[PATH_BYTES], other[PATH_BYTES], store[PATH_BYTES];
    char target[PATH_BYTES], next[PATH_BYTES];
    int listener, client, fresh; /* TCP: listening, connected to it, new */
    struct sockaddr_in address;  /* the listener's */
    int datagram, observer;      /* connected to each other by a name */
    const uint16_t *connect;     /* ports; NULL unless the test says more */
};
extern struct scene scene;

/* What the scene's daemon would read again and write. */
struct confine_paths scene_paths(void);

void scene_name(char path[PATH_BYTES], const char *name);

enum how { BY_ALL, BY_LANDLOCK, BY_FILTER };

struct attempt {
    const char *name;
    int (*try)(void); /* returns 0 if it was possible, else errno; or NULL: */
    int want;         /* 0, or the errno that refuses it */
    enum how how;     /* how the child confines itself */
    int landlock;     /* the version it takes */
    long call;        /* a call whose arguments make no sense */
};

/* For attempts: 0, or errno if rc is negative. */
int result(long rc);

/* For attempts: 0 or errno of opening a file to read it. */
int reading(const char *path);

/* What this kernel has, below 1 if nothing. */
int landlock_version(void);

/* Exit codes of a child that is no errno, for a signal its negative number. */
enum { NOT_CONFINED = 255, NOT_TOLD = 254 };

/* What the attempt of a child ends with that has confined itself before. */
int attempt_run(const struct attempt *a);

/* The same without: what is refused to all shows nothing. */
int attempt_run_free(const struct attempt *a);

/*
 * A test per attempt, of at most ATTEMPTS_MAX, and one that what is refused
 * is possible when unconfined.  One without a name ends them.  make sets
 * up the scene.  Returns how many tests failed.
 */
enum { ATTEMPTS_MAX = 60 };
int attempts_test(const struct attempt *attempts, int (*make)(void **state));

/* Set-up and removal of the scene for cmocka's groups. */
int scene_make(void **state);
int scene_remove(void **state);

#endif
