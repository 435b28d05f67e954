#include "core/kernels/map.h"

/* Elements per item of work: large against the cost of handing it out. */
enum { STRETCH = 1 << 15 };

static void run_stretch(void *context, size_t item, size_t worker)
{
    const struct op_call *c = context;
    const real *x = c->in[0].data, *g = c->in[1].data;
    real *value = c->out[0].data, *grad = c->out[1].data;
    size_t at = item * STRETCH, left = c->in[0].n - at;
    (void)worker;
    struct span s = {
        .n = left < STRETCH ? left : STRETCH,
        .x = x + at,
        .grad_output = g ? g + at : NULL,
        .value = value ? value + at : NULL,
        .grad = grad ? grad + at : NULL,
        .param = c->param,
    };
    c->op->map(&s);
}

int map_run(struct op_call *c)
{
    size_t items = (c->in[0].n + STRETCH - 1) / STRETCH;
    if (items == 1)
        run_stretch(c, 0, 0);
    else
        c->par->run(c->par, items, run_stretch, c);
    return 0;
}
