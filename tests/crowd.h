/* Ways to do items of work that must not be told from doing them in order. */
#ifndef EVALD_TESTS_CROWD_H
#define EVALD_TESTS_CROWD_H

#include "core/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static inline void run_reverse(const struct parallel *self, size_t n,
                               parallel_task *task, void *context)
{
    while (n-- > 0)
        task(context, n, n % self->width);
}

struct crowd {
    atomic_size_t next, worker;
    size_t n;
    parallel_task *task;
    void *context;
};

static inline void *take_items(void *crowd)
{
    struct crowd *c = crowd;
    size_t worker = atomic_fetch_add(&c->worker, 1);
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < c->n;)
        c->task(c->context, i, worker);
    return NULL;
}

static inline void run_threads(const struct parallel *self, size_t n,
                               parallel_task *task, void *context)
{
    struct crowd c = {.n = n, .task = task, .context = context};
    pthread_t thread[8];
    for (size_t i = 0; i < self->width; i++)
        if (pthread_create(&thread[i], NULL, take_items, &c))
            abort();
    for (size_t i = 0; i < self->width; i++)
        pthread_join(thread[i], NULL);
}

/* Last first on one thread, and all at once on three. */
static const struct parallel reverse = {.width = 2, .run = run_reverse};
static const struct parallel threads = {.width = 3, .run = run_threads};

#endif
