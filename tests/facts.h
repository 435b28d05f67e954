/* What tests of facts share: a call with its memory, and what it noted. */
#ifndef EVALD_TESTS_FACTS_H
#define EVALD_TESTS_FACTS_H

#include "core/op.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FACTS_MEMORY = 64 << 20 };

/* A call, and the memory of it all. */
struct trial {
    struct arena mem;
    struct op_call call;
};

static inline void trial_init(struct trial *t, enum op_type type,
                              const struct parallel *par)
{
    memset(t, 0, sizeof(*t));
    arena_init(&t->mem, FACTS_MEMORY);
    t->call.type = type;
    t->call.par = par;
    t->call.mem = &t->mem;
}

static inline const struct op_fact *find(const struct trial *t,
                                         const char *name)
{
    for (size_t i = 0; i < t->call.n_facts; i++)
        if (strcmp(t->call.fact[i].name, name) == 0)
            return &t->call.fact[i];
    return NULL;
}

static inline const double *values(const struct trial *t, const char *name,
                                   size_t n)
{
    const struct op_fact *f = find(t, name);
    if (!f || f->n != n)
        fail_msg("%s is missing or not %zu long", name, n);
    return f->value; /* NOLINT: fail_msg does not return */
}

static inline double fact(const struct trial *t, const char *name)
{
    return *values(t, name, 1);
}

static inline bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* Both null, or equal but for a part of `scale`. */
static inline void near(const struct trial *t, const char *name,
                        long double want, double part, long double scale)
{
    double got = fact(t, name);
    if (isnan(got) && isnan((double)want))
        return;
    /* Below the smallest number nothing can be told. */
    long double margin = part > 0 ? part * fabsl(scale) + 0x1p-1074L : 0;
    if (!(fabsl(got - want) <= margin))
        fail_msg("%s is %.17g, not %.17Lg", name, got, want);
}

static inline void equal(const struct trial *t, const char *name, double want)
{
    near(t, name, want, 0, 0);
}

#endif
