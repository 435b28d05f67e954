/* Who lends its thread for so many items, and then wants no more of them. */
#ifndef EVALD_TESTS_COUNTING_H
#define EVALD_TESTS_COUNTING_H

#include "core/parallel.h"

/* Sets the flag when so many items have been done, in whatever run. */
struct counting {
    struct parallel par;
    atomic_bool stop;
    size_t left;
};

static inline void run_counting(const struct parallel *self, size_t n,
                                parallel_task *task, void *context)
{
    struct counting *c = self->owner;
    for (size_t i = 0; i < n; i++) {
        if (c->left == 0)
            atomic_store(&c->stop, true);
        if (parallel_stopped(self))
            return;
        c->left--;
        task(context, i, i % self->width);
    }
}

static inline void counting_init(struct counting *c, size_t items)
{
    c->par = (struct parallel){
        .width = 3, .run = run_counting, .owner = c, .stop = &c->stop};
    atomic_init(&c->stop, false);
    c->left = items;
}

#endif
