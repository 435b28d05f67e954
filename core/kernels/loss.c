#include "core/kernels/loss.h"

#include "core/sum.h"

#include <assert.h>
#include <float.h>

/* Blocks per item of work: large against the cost of handing it out. */
enum { STRETCH = 32 };

/* What a worker has for a block. */
struct buffers {
    double *loss, *grad, *other, *difficulty, *weight, *scratch;
};

struct job {
    struct op_call *call;
    const struct loss_plan *plan;
    size_t samples, block;   /* in all, and in a block */
    double scale;            /* of the gradients */
    bool keep;               /* the losses as they are: reduction none */
    struct buffers *buffers; /* one per worker */
    struct sum *sums;        /* one per item */
};

/* ---- shapes ---- */

static size_t unreduced_rank(const struct op_call *call, bool rows)
{
    size_t rank = call->in[LOSS_INPUT].rank;
    return rows && rank > 0 ? rank - 1 : rank;
}

int loss_check_broadcast(const struct op_call *call, size_t input,
                         const struct op_tensor *to, size_t rank,
                         struct op_fault *fault)
{
    const struct op_tensor *w = &call->in[input];
    if (!w->data)
        return 0;
    if (w->rank > rank)
        return op_fail_shape(fault, input,
                             "has %zu dimensions, more than the %zu of "
                             "the loss",
                             w->rank, rank);
    for (size_t i = 0; i < w->rank; i++) {
        size_t have = w->dim[i], want = to->dim[rank - w->rank + i];
        if (have != want && have != 1)
            return op_fail_shape(fault, input,
                                 "has %zu in dimension %zu, must have %zu or 1",
                                 have, i, want);
    }
    return 0;
}

static int shape(struct op_call *call, bool rows, struct op_fault *fault)
{
    const struct op_tensor *in = &call->in[LOSS_INPUT];
    struct op_tensor *value = &call->out[LOSS_VALUE];
    size_t rank = unreduced_rank(call, rows);
    bool mean = call->param[LOSS_REDUCTION] == LOSS_MEAN;
    if (!isnan(call->param[LOSS_AVG_FACTOR]) && !mean)
        return op_fail_param(fault, LOSS_AVG_FACTOR,
                             "goes with reduction mean only");
    value->rank = call->param[LOSS_REDUCTION] == LOSS_NONE ? rank : 0;
    value->n = 1;
    for (size_t i = 0; i < value->rank; i++)
        value->n *= value->dim[i] = in->dim[i];
    return loss_check_broadcast(call, LOSS_WEIGHT, in, rank, fault);
}

int loss_shape(struct op_call *call, struct op_fault *fault)
{
    return shape(call, false, fault);
}

int loss_shape_rows(struct op_call *call, struct op_fault *fault)
{
    return shape(call, true, fault);
}

/* ---- weights ---- */

static void widen(const real *restrict x, size_t n, double *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i];
}

/* Where the element of `from` is that goes with element `at` of `to`. */
static size_t place(const struct op_tensor *from, const struct op_tensor *to,
                    size_t rank, size_t at)
{
    size_t place = 0, stride = 1;
    for (size_t i = 0; i < from->rank; i++) {
        size_t have = from->dim[from->rank - 1 - i];
        size_t dim = to->dim[rank - 1 - i];
        if (have != 1)
            place += at % dim * stride;
        stride *= have;
        at /= dim;
    }
    return place;
}

void loss_broadcast(const struct op_tensor *from, const struct op_tensor *to,
                    size_t rank, size_t first, size_t n, double *out)
{
    const real *x = from->data;
    size_t all = 1, last = rank > 0 ? to->dim[rank - 1] : 1;
    for (size_t i = 0; i < rank; i++)
        all *= to->dim[i];
    if (from->n == all) {
        widen(x + first, n, out);
        return;
    }
    bool same = from->rank == 0 || from->dim[from->rank - 1] != last;
    for (size_t i = 0; i < n;) {
        size_t left = last - (first + i) % last;
        size_t m = left < n - i ? left : n - i;
        const real *at = x + place(from, to, rank, first + i);
        if (same)
            for (size_t j = 0; j < m; j++)
                out[i + j] = at[0];
        else
            widen(at, m, out + i);
        i += m;
    }
}

/* ---- one block ---- */

static void weigh(double *restrict loss, const double *restrict weight,
                  size_t n)
{
    for (size_t i = 0; i < n; i++)
        loss[i] *= weight[i];
}

static void narrow(const double *restrict x, size_t n, real *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (real)x[i];
}

/* Gradients of samples, in place: times scale and times weight if given. */
static void weigh_rows(double *restrict grad, const double *restrict weight,
                       double scale, size_t n, size_t width)
{
    if (!weight)
        for (size_t i = 0; i < n * width; i++)
            grad[i] *= scale;
    else if (width == 1)
        for (size_t i = 0; i < n; i++)
            grad[i] = grad[i] * weight[i] * scale;
    else
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < width; k++)
                grad[i * width + k] *= weight[i] * scale;
}

static double norm(const double *x, size_t n)
{
    double most = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(x[i]) <= most))
            most = fabs(x[i]);
    if (most == 0 || !isfinite(most))
        return most;
    for (size_t i = 0; i < n; i++)
        sum += x[i] / most * (x[i] / most);
    return n == 1 ? most : most * sqrt(sum);
}

/* What the diagnostics see of a block; its gradients are weighed already. */
static void note_samples(const struct job *job, const struct loss_span *s)
{
    const struct op_samples *to = job->call->samples;
    size_t losses = job->plan->losses;
    assert(s->grad && s->difficulty); /* get_buffers gives them to stats */
    for (size_t i = 0; i < s->n; i++) {
        double loss = 0;
        for (size_t k = 0; k < losses; k++)
            loss += s->loss[i * losses + k];
        to->loss[s->first + i] = loss;
        to->grad[s->first + i] = norm(s->grad + i * s->width, s->width);
        to->difficulty[s->first + i] = s->difficulty[i];
    }
}

static void finish_grad(const struct job *job, const struct loss_span *s,
                        double *grad, struct op_tensor *out)
{
    size_t n = s->n * s->width;
    bool own = job->plan->losses > 1; /* weighed by map already */
    weigh_rows(grad, own ? NULL : s->weight, job->scale, s->n, s->width);
    if (out->data)
        narrow(grad, n, (real *)out->data + s->first * s->width);
}

static struct sum run_block(const struct job *job, const struct buffers *b,
                            size_t first, size_t n)
{
    struct op_call *call = job->call;
    const struct loss_plan *plan = job->plan;
    const struct op_tensor *in = call->in;
    size_t losses = n * plan->losses;
    if (b->weight)
        loss_broadcast(&in[LOSS_WEIGHT], &in[LOSS_INPUT],
                       unreduced_rank(call, plan->losses < plan->width),
                       first * plan->losses, losses, b->weight);
    bool alike = in[LOSS_TARGET].n == in[LOSS_INPUT].n;
    const real *target = alike ? in[LOSS_TARGET].data : NULL;
    struct loss_span s = {
        .n = n,
        .first = first,
        .width = plan->width,
        .call = call,
        .state = plan->state,
        .param = call->param,
        .input = (const real *)in[LOSS_INPUT].data + first * plan->width,
        .target = target ? target + first * plan->width : NULL,
        .weight = b->weight,
        .loss = b->loss,
        .grad = b->grad,
        .grad_other = b->other,
        .difficulty = b->difficulty,
        .scratch = b->scratch,
    };
    call->op->map(&s);
    if (op_stopped(call))
        return (struct sum){0, 0};
    if (s.weight)
        weigh(s.loss, s.weight, losses);
    if (s.grad)
        finish_grad(job, &s, s.grad, &call->out[LOSS_GRAD]);
    if (s.grad_other)
        finish_grad(job, &s, s.grad_other, &call->out[LOSS_OUTPUTS]);
    if (call->samples)
        note_samples(job, &s);
    struct op_tensor *value = &call->out[LOSS_VALUE];
    if (value->data && job->keep)
        narrow(s.loss, losses, (real *)value->data + first * plan->losses);
    return sum_block(value->data && !job->keep ? losses : 0, s.loss);
}

static void run_stretch(void *context, size_t item, size_t worker)
{
    struct job *job = context;
    size_t at = item * STRETCH * job->block, end = at + STRETCH * job->block;
    struct sum sum = {0, 0};
    if (end > job->samples)
        end = job->samples;
    for (size_t n; at < end && !op_stopped(job->call); at += n) {
        n = end - at < job->block ? end - at : job->block;
        sum = sum_join(sum, run_block(job, &job->buffers[worker], at, n));
    }
    job->sums[item] = sum;
}

/* ---- all ---- */

struct loss_plan loss_plan(const struct op_call *call, size_t width,
                           size_t losses)
{
    size_t samples = width > 0 ? call->in[LOSS_INPUT].n / width : 0;
    return (struct loss_plan){
        .width = width,
        .losses = losses,
        .count = (double)(samples * losses),
    };
}

/* What the sum is divided by. */
static double denominator(const struct op_call *call, double count)
{
    const struct op_tensor *in = &call->in[LOSS_INPUT];
    double avg_factor = call->param[LOSS_AVG_FACTOR];
    double reduction = call->param[LOSS_REDUCTION];
    if (reduction == LOSS_MEAN)
        return isnan(avg_factor) ? count : avg_factor;
    if (reduction == LOSS_BATCHMEAN)
        return in->rank > 0 ? (double)in->dim[0] : 1;
    return 1;
}

static struct op_samples *get_samples(struct op_call *call, size_t n)
{
    struct op_samples *s = call->samples;
    s->n = n;
    s->loss = arena_alloc(call->mem, n, sizeof(double));
    s->grad = arena_alloc(call->mem, n, sizeof(double));
    s->difficulty = arena_alloc(call->mem, n, sizeof(double));
    return s;
}

/* Memory for every worker; how much depends on what is wanted. */
static int get_buffers(struct job *job, size_t workers)
{
    const struct op_call *call = job->call;
    const struct loss_plan *plan = job->plan;
    bool stats = call->samples;
    size_t n = job->block, wide = job->block * plan->width;
    const struct {
        bool wanted;
        size_t n;
    } parts[] = {
        {true, n * plan->losses},
        {stats || call->out[LOSS_GRAD].data, wide},
        {plan->other && call->out[LOSS_OUTPUTS].data, wide},
        {stats, n},
        {call->in[LOSS_WEIGHT].data, n * plan->losses},
        {plan->scratch, wide},
    };
    enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
    for (size_t w = 0; w < workers; w++) {
        double *part[PARTS] = {NULL};
        for (size_t i = 0; i < PARTS; i++)
            if (parts[i].wanted)
                part[i] = arena_alloc(call->mem, parts[i].n, sizeof(double));
        job->buffers[w] = (struct buffers){part[0], part[1], part[2],
                                           part[3], part[4], part[5]};
    }
    return call->mem->failed ? -1 : 0;
}

static void put_value(const struct job *job, size_t items, double divisor)
{
    struct sum sum = {0, 0};
    for (size_t i = 0; i < items; i++)
        sum = sum_join(sum, job->sums[i]);
    real *value = job->call->out[LOSS_VALUE].data;
    if (value && !job->keep)
        *value = (real)(sum_total(sum) / divisor);
}

int loss_run_plan(struct op_call *call, const struct loss_plan *plan)
{
    size_t width = plan->width > 0 ? plan->width : 1;
    size_t samples = call->in[LOSS_INPUT].n / width;
    size_t block = width < LOSS_BLOCK ? LOSS_BLOCK / width : 1;
    size_t items = (samples + STRETCH * block - 1) / (STRETCH * block);
    size_t workers = items > 1 ? call->par->width : 1;
    double divisor = denominator(call, plan->count);
    struct job job = {
        .call = call,
        .plan = plan,
        .samples = samples,
        .block = samples < block ? samples : block,
        .scale = fmin(1 / divisor, DBL_MAX),
        .keep = call->param[LOSS_REDUCTION] == LOSS_NONE,
        .buffers = arena_alloc(call->mem, workers, sizeof(*job.buffers)),
        .sums = arena_alloc(call->mem, items, sizeof(*job.sums)),
    };
    if (call->samples)
        get_samples(call, samples);
    if (call->mem->failed || get_buffers(&job, workers) != 0)
        return -1;
    if (items == 1)
        run_stretch(&job, 0, 0);
    else
        call->par->run(call->par, items, run_stretch, &job);
    if (op_stopped(call))
        return -1;
    put_value(&job, items, divisor);
    return 0;
}

int loss_run(struct op_call *call)
{
    struct loss_plan plan = loss_plan(call, 1, 1);
    return loss_run_plan(call, &plan);
}

int loss_run_rows(struct op_call *call)
{
    const struct op_tensor *in = &call->in[LOSS_INPUT];
    struct loss_plan plan = loss_plan(call, in->dim[in->rank - 1], 1);
    return loss_run_plan(call, &plan);
}
