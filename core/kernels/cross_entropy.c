/*
 * The cross entropy of classes.  Of the sum of exponentials the largest, which
 * is 1, is kept apart: the loss of a sample that is all but certain is the
 * logarithm of 1 plus the rest.
 */
#include "core/kernels/cross_entropy.h"

#include "core/kernels/loss.h"
#include "core/kernels/row.h"
#include "core/sum.h"

/* The sum of the classes' weights, which are ones where none are given. */
static double class_weights(const struct op_call *call)
{
    const struct op_tensor *w = &call->in[LOSS_INPUTS];
    const real *weight = w->data;
    struct sum sum = {0, 0};
    if (!weight)
        return (double)call->in[LOSS_INPUT].dim[1];
    for (size_t k = 0; k < w->n; k++)
        sum = sum_add(sum, weight[k]);
    return sum_total(sum);
}

/* The same of the targets that count. */
static double target_weights(const struct op_call *call)
{
    const int64_t *target = call->in[LOSS_TARGET].data;
    const real *weight = call->in[LOSS_INPUTS].data;
    const atomic_bool *stop = call->par->stop;
    double ignored = call->param[CROSS_ENTROPY_IGNORE];
    size_t n = call->in[LOSS_TARGET].n;
    struct sum sum = {0, 0};
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            if ((double)target[i] != ignored)
                sum = sum_add(sum, weight ? (double)weight[target[i]] : 1);
    return sum_total(sum);
}

/* A row of logits: its first maximum, and e^(x - maximum) of all. */
struct softmax {
    const real *x;
    size_t c, top;
    double *exp;
    double rest, sum; /* of exp: without the maximum's 1, and with it */
    double log;       /* of sum */
};

/* To be used on a row whose exp is filled. */
static struct softmax softmax_of(const real *x, size_t c, size_t top,
                                 double *exp)
{
    double most = x[top];
    exp[top] = 0;
    double rest = row_sum(c, exp);
    exp[top] = 1;
    if (isnan(most))
        rest = most;
    return (struct softmax){x, c, top, exp, rest, 1 + rest, log1p_(rest)};
}

/* -ln p of class k: a sum of two numbers that are not negative. */
static double surprise(const struct softmax *s, size_t k)
{
    return (k == s->top ? 0 : (double)s->x[s->top] - s->x[k]) + s->log;
}

/* 1 - p of class k. */
static double doubt(const struct softmax *s, size_t k)
{
    return (k == s->top ? s->rest : s->sum - s->exp[k]) / s->sum;
}

/* The loss and gradient of a row under the target and the smoothing. */
static double row_loss(const struct loss_span *s, const struct softmax *row,
                       size_t target, double *grad)
{
    const real *weight = s->call->in[LOSS_INPUTS].data;
    double smoothing = s->param[CROSS_ENTROPY_SMOOTHING];
    double all = *(const double *)s->state, each = smoothing / (double)row->c;
    double hard = (1 - smoothing) * (weight ? (double)weight[target] : 1);
    double loss = hard > 0 ? hard * surprise(row, target) : 0;
    for (size_t k = 0; each > 0 && k < row->c; k++) {
        double w = each * (weight ? (double)weight[k] : 1);
        loss += w > 0 ? w * surprise(row, k) : 0;
    }
    if (!grad)
        return loss;
    double inverse = 1 / row->sum, share = hard * inverse;
    for (size_t k = 0; k < row->c; k++)
        grad[k] = row->exp[k] * share;
    grad[target] = -hard * doubt(row, target);
    for (size_t k = 0; each > 0 && k < row->c; k++)
        grad[k] += each * (row->exp[k] * inverse * all -
                           (weight ? (double)weight[k] : 1));
    return loss;
}

void cross_entropy_map(const void *span)
{
    const struct loss_span *s = span;
    const int64_t *target = s->call->in[LOSS_TARGET].data;
    double ignored = s->param[CROSS_ENTROPY_IGNORE], *exp = s->scratch;
    const atomic_bool *stop = s->call->par->stop;
    size_t c = s->width, top[LOSS_BLOCK] = {0};
    for (size_t i = 0; i < s->n && !op_stopped(s->call); i++) {
        const real *x = s->input + i * c;
        top[i] = row_find(c, x, row_max(c, x));
        double most = x[top[i]];
        for (size_t k = 0; k < c; k++)
            exp[i * c + k] = x[k] - most;
    }
    for (size_t i = 0, end; (end = stop_reach(stop, i, s->n * c)) > i; i = end)
        row_exp_of(end - i, exp + i, LOW);
    for (size_t i = 0; i < s->n && !op_stopped(s->call); i++) {
        const real *x = s->input + i * c;
        double *grad = s->grad ? s->grad + i * c : NULL;
        int64_t t = target[s->first + i];
        bool counts = (double)t != ignored;
        struct softmax row = softmax_of(x, c, top[i], exp + i * c);
        s->loss[i] = counts ? row_loss(s, &row, (size_t)t, grad) : 0;
        for (size_t k = 0; grad && !counts && k < c; k++)
            grad[k] = 0;
        if (s->difficulty)
            s->difficulty[i] = counts ? doubt(&row, (size_t)t) : 0;
    }
}

int cross_entropy_check(const struct op_call *call, struct op_fault *fault)
{
    const struct op_tensor *t = &call->in[LOSS_TARGET];
    const int64_t *target = t->data;
    size_t c = call->in[LOSS_INPUT].dim[1];
    double ignored = call->param[CROSS_ENTROPY_IGNORE];
    if (c == 0 && t->n > 0)
        return op_fail_shape(fault, LOSS_INPUT, "has no classes");
    for (size_t i = 0; i < t->n; i++)
        if ((double)target[i] != ignored &&
            !(target[i] >= 0 && (uint64_t)target[i] < c))
            return op_fail_input(
                fault, LOSS_TARGET, i,
                "is %lld, must be from 0 to %zu, or ignore_index",
                (long long)target[i], c - 1);
    return 0;
}

int cross_entropy_run(struct op_call *call)
{
    size_t c = call->in[LOSS_INPUT].dim[1];
    double all = class_weights(call);
    struct loss_plan plan = loss_plan(call, c, 1);
    plan.count = target_weights(call);
    plan.scratch = true;
    plan.state = &all;
    return loss_run_plan(call, &plan);
}
