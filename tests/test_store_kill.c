/*
 * A process that is killed at any moment while it acknowledges images: what it
 * has acknowledged is there when the store is opened again, and all of it adds
 * up.  EVALD_TORTURE is how often, 20 unless it is set.
 */
#include "tests/stored.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, BATCH = 3, BYTES = 3000, MOST_MS = 40 };

static struct stored the;

/* What a thread of the child does: its images, and where it tells of them. */
struct labour {
    int64_t first;
    int tell;
};

static void *acknowledge(void *context)
{
    const struct labour *l = context;
    struct arena mem;
    char id[RUN_ID_BYTES];
    arena_init(&mem, SIZE_MAX / 4);
    for (int64_t i = l->first;; i += BATCH) {
        struct store_image batch[BATCH];
        enum store_image_fate fate[BATCH];
        for (size_t k = 0; k < BATCH; k++)
            batch[k] = stored_image(i + (int64_t)k, 1, BYTES, &mem);
        if (the.calls->put_images(the.calls->self, stored_id(1, id), batch,
                                  BATCH, false, fate, &mem) != STORE_OK ||
            write(l->tell, &i, sizeof(i)) != sizeof(i))
            break;
        arena_clear(&mem, SIZE_MAX);
    }
    return NULL;
}

/* In the child, which does not end by itself. */
static void labour(int tell, int64_t round)
{
    pthread_t thread[THREADS];
    static struct labour l[THREADS];
    alarm(20);
    stored_reopen(&the);
    for (size_t i = 0; i < THREADS; i++) {
        l[i] = (struct labour){(round * THREADS + (int64_t)i) * 1000000, tell};
        if (pthread_create(&thread[i], NULL, acknowledge, &l[i]))
            _exit(1);
    }
    pthread_join(thread[0], NULL);
    _exit(1);
}

static void is_there(int64_t first)
{
    struct arena mem;
    char id[RUN_ID_BYTES];
    struct store_image image;
    arena_init(&mem, SIZE_MAX / 4);
    for (int64_t i = first; i < first + BATCH; i++) {
        enum store_status status = the.calls->get_image(
            the.calls->self, stored_id(1, id), i, &image, &mem);
        if (status != STORE_OK || !stored_is(&image, i, 1, BYTES))
            fail_msg("image %lld was acknowledged: %d", (long long)i, status);
    }
    arena_free(&mem);
}

/* The child lives from its first word for a while; how many words it said. */
static size_t listen_and_kill(pid_t child, int told, int64_t *word,
                              size_t n_max, unsigned *seed)
{
    struct pollfd ready = {.fd = told, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    long ns = rand_r(seed) % (MOST_MS * 1000) * 1000L;
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ssize_t n = read(told, word, n_max * sizeof(*word));
    assert_true(n > 0);
    return (size_t)n / sizeof(*word);
}

static size_t one_round(int64_t round, unsigned *seed)
{
    static int64_t word[8192]; /* a pipe holds no more */
    int pipes[2];
    char why[STORE_WHY_BYTES];
    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        labour(pipes[1], round);
    close(pipes[1]);
    size_t n = listen_and_kill(child, pipes[0], word,
                               sizeof(word) / sizeof(word[0]), seed);
    close(pipes[0]);
    stored_reopen(&the);
    for (size_t i = 0; i < n; i++)
        is_there(word[i]);
    if (store_check(the.store, why))
        fail_msg("%s", why);
    store_close(the.store);
    the.store = NULL;
    return n;
}

static void acknowledged_images_survive(void **state)
{
    const char *asked = getenv("EVALD_TORTURE");
    int64_t rounds = asked ? strtol(asked, NULL, 10) : 20;
    unsigned seed = (unsigned)time(NULL);
    size_t words = 0;
    char id[RUN_ID_BYTES];
    (void)state;
    stored_make(&the);
    stored_run(&the, stored_id(1, id));
    store_close(the.store);
    the.store = NULL;
    for (int64_t i = 0; i < rounds; i++)
        words += one_round(i, &seed);
    print_message("%lld kills, %zu batches acknowledged\n", (long long)rounds,
                  words);
    stored_remove(&the);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_images_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
