/*
 * How fast the operations are: float32, the kernels alone, on one thread
 * unless said otherwise, in time of the processor.  What is compared is timed
 * in turn, and ratios are medians of the rounds', so they hold on a machine
 * whose speed drifts.
 *
 *   operations           tables to read
 *   operations --rows    one quick round, "name<tab>nanoseconds per element"
 *                        a line, for operations.py
 */
#include "core/ops.h"
#include "core/random.h"
#include "server/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 7, SMALL = 10000, LARGE = 1000000, COPY = 10000000 };
enum { BOXES = 1000, NMS_BOXES = 10000, AT_LEAST_NS = 1000000 };
enum { WORK_BYTES = 1 << 29 };

enum what { FORWARD, BOTH, BACKWARD, WHATS };
static const char *const what_names[WHATS] = {"forward", "both", "backward"};

struct bench {
    struct pool *pool;
    bool rows;
    bool wall; /* several threads are timed: by the clock */
    bool cold; /* the last run had fresh memory */
    struct arena data, work;
};

/* What to run: a row, its inputs and what is wanted. */
struct load {
    const struct op *op;
    struct op_tensor in[OP_INPUTS_MAX];
    bool want[OP_OUTPUTS_MAX];
    bool fresh; /* memory that nobody has touched yet */
};

static void die(const char *what)
{
    fprintf(stderr, "bench: %s failed\n", what);
    exit(EXIT_FAILURE);
}

/* Of the clock on the wall, or of this thread alone. */
static double now_ns(bool wall)
{
    struct timespec t;
    clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double x[ROUNDS])
{
    qsort(x, ROUNDS, sizeof(*x), by_value);
    return x[ROUNDS / 2];
}

/* All working memory as one block that runs reuse; or none of it yet. */
static void warm(struct bench *b, bool fresh)
{
    if (fresh || b->cold)
        arena_free(&b->work);
    if (!fresh && (b->cold || !b->work.chunk) &&
        !arena_alloc(&b->work, WORK_BYTES, 1))
        die("taking memory");
    arena_clear(&b->work, SIZE_MAX);
    b->cold = fresh;
}

/* Nanoseconds of one run; negative if the row does not take the load. */
static double run_once(struct bench *b, const struct load *load,
                       const struct parallel *par)
{
    struct op_call call;
    struct op_fault fault;
    warm(b, load->fresh);
    op_call_init(&call, load->op, OP_FLOAT32, par, &b->work);
    memcpy(call.in, load->in, sizeof(call.in));
    memcpy(call.want, load->want, sizeof(call.want));
    double ns = -1;
    if (op_call_prepare(&call, &fault) == 0) {
        double start = now_ns(b->wall);
        if (op_call_run(&call))
            die(load->op->name);
        ns = now_ns(b->wall) - start;
    }
    return ns;
}

/* The mean of as many runs as one can measure. */
static double run_some(struct bench *b, const struct load *load,
                       const struct parallel *par)
{
    double total = 0, ns;
    size_t n = 0;
    for (; total < AT_LEAST_NS; n++) {
        if ((ns = run_once(b, load, par)) < 0)
            return ns;
        total += ns;
    }
    return total / (double)n;
}

/* On one thread, memory warm. */
static double measure(struct bench *b, const struct load *load)
{
    double ns[ROUNDS];
    if (run_once(b, load, &parallel_serial) < 0)
        return -1;
    if (b->rows) /* who asks repeats; the first is still a warming up */
        return run_some(b, load, &parallel_serial) < 0
                   ? -1
                   : run_some(b, load, &parallel_serial);
    for (size_t i = 0; i < ROUNDS; i++)
        ns[i] = run_some(b, load, &parallel_serial);
    return median(ns);
}

static const struct op *find(const char *group, const char *name)
{
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT32, op_isa_best())); i++)
        if (strcmp(op->group, group) == 0 && strcmp(op->name, name) == 0)
            return op;
    return NULL;
}

/* rows x columns numbers between low and high; columns 0: a list. */
static struct op_tensor numbers(struct bench *b, size_t rows, size_t columns,
                                double low, double high)
{
    size_t n = columns ? rows * columns : rows;
    struct op_tensor t = {.rank = columns ? 2 : 1, .dim = {rows, columns}};
    float *x = arena_alloc(&b->data, n, sizeof(*x));
    uint64_t seed = n;
    if (!x)
        die("taking memory");
    for (size_t i = 0; i < n; i++) {
        double u = (double)(random_next(&seed) >> 11) * 0x1p-53;
        x[i] = (float)(low + (high - low) * u);
    }
    t.n = n;
    t.data = x;
    return t;
}

/* n boxes of sides up to 100 in a square of side 1000, as xyxy. */
static struct op_tensor boxes(struct bench *b, size_t n)
{
    struct op_tensor t = numbers(b, n, 4, 0, 1);
    float *x = t.data;
    for (size_t i = 0; i < 4 * n; i += 4)
        for (size_t k = 0; k < 2; k++) {
            x[i + k] *= 900;
            x[i + 2 + k] = x[i + k] + 1 + 99 * x[i + 2 + k];
        }
    return t;
}

/* The load of an activation; required inputs beside x are its like. */
static struct load activation(struct bench *b, const struct op *op,
                              struct op_tensor x, enum what what)
{
    struct load load = {.op = op, .in = {x}};
    size_t grad_output = op_input_row(op, "grad_output");
    load.want[op_output_row(op, "value")] = what != BACKWARD;
    load.want[op_output_row(op, "grad")] = what != FORWARD;
    /* Some rows have no gradient without that of their value. */
    if (what == BACKWARD ||
        (what == BOTH && run_once(b, &load, &parallel_serial) < 0))
        load.in[grad_output] = x;
    return load;
}

/* Whether a row is an activation: it answers value and grad from one x. */
static bool is_activation(const struct op *op)
{
    return strcmp(op->group, "activations") == 0;
}

/* Nanoseconds per element for each of `what`. */
static void time_activation(struct bench *b, const struct op *op,
                            struct op_tensor x, double ns[WHATS])
{
    for (int what = 0; what < WHATS; what++) {
        struct load load = activation(b, op, x, (enum what)what);
        ns[what] = measure(b, &load) / (double)x.n;
    }
}

/* The share of memcpy's speed, which is timed in turn. */
static double copy_share(struct bench *b, const struct op *op,
                         struct op_tensor x, float *to)
{
    struct load load = activation(b, op, x, FORWARD);
    double ratio[ROUNDS];
    if (run_once(b, &load, &parallel_serial) < 0)
        return -1;
    memcpy(to, x.data, x.n * sizeof(*to));
    for (size_t i = 0; i < ROUNDS; i++) {
        double start = now_ns(false);
        memcpy(to, x.data, x.n * sizeof(*to));
        __asm__ volatile("" ::"r"(to) : "memory"); /* it is used */
        double copy = now_ns(false) - start;
        ratio[i] = copy / run_once(b, &load, &parallel_serial);
    }
    return 100 * median(ratio);
}

/* A cell of a table. */
static void cell(double x, const char *format)
{
    if (x < 0)
        printf("%9s", "-");
    else
        printf(format, x);
}

static void activations(struct bench *b)
{
    const struct op_tensor small = numbers(b, 100, SMALL / 100, -6, 6);
    const struct op_tensor large = numbers(b, 1000, LARGE / 1000, -6, 6);
    const struct op_tensor copy = numbers(b, 1000, COPY / 1000, -6, 6);
    const struct op_tensor target = numbers(b, 1000, COPY / 1000, 0, 0);
    const struct op *op;
    printf("activations: ns per element, float32, one thread; and the share "
           "of memcpy's speed at %d elements\n%-14s%27d%27d%10s\n%-14s",
           COPY, "", SMALL, LARGE, "% of copy", "");
    for (int i = 0; i < 2; i++)
        printf("%9s%9s%9s", "forward", "both", "backward");
    printf("\n");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT32, op_isa_best())); i++) {
        double ns[2][WHATS];
        if (!is_activation(op))
            continue;
        time_activation(b, op, small, ns[0]);
        time_activation(b, op, large, ns[1]);
        printf("%-14s", op->name);
        for (size_t k = 0; k < 2; k++)
            for (size_t what = 0; what < WHATS; what++)
                cell(ns[k][what], "%9.2f");
        cell(copy_share(b, op, copy, target.data), "%10.0f");
        printf("\n");
    }
}

/* Times a load whose row may be missing, and divides by `per`. */
static void report(struct bench *b, const char *name, const struct load *load,
                   double per)
{
    double ns = load->op ? measure(b, load) : -1;
    if (ns < 0)
        fprintf(stderr, "bench: %s: no such row, or not for this\n", name);
    else if (b->rows)
        printf("%s\t%.9g\n", name, ns / per);
    else
        printf("  %-34s %9.3f ms %9.3f ns each\n", name, ns / 1e6, ns / per);
}

static void others(struct bench *b)
{
    const struct op_tensor ours = boxes(b, BOXES), theirs = boxes(b, BOXES + 1);
    const struct op_tensor many = boxes(b, NMS_BOXES);
    const struct op_tensor scores = numbers(b, NMS_BOXES, 0, 0, 1);
    const struct op_tensor logits = numbers(b, LARGE, 0, -4, 4);
    struct op_tensor classes = numbers(b, LARGE, 0, 0, 1.2);
    for (size_t i = 0; i < LARGE; i++)
        ((float *)classes.data)[i] = ((float *)classes.data)[i] > 1;
    const double pairs = (double)BOXES * (BOXES + 1), n = LARGE;
    static const char *const metrics[][2] = {{"iou", "iou matrix"},
                                             {"giou", "giou matrix"},
                                             {"diou", "diou matrix"},
                                             {"ciou", "ciou matrix"}};
    static const char *const losses[][2] = {
        {"focal", "focal, gradient"},
        {"balanced_l1", "balanced_l1, gradient"},
        {"ghm_c", "ghm_c, gradient"}};
    if (!b->rows)
        printf("boxes and losses: matrices of %d x %d, %d boxes, %d elements\n",
               BOXES, BOXES + 1, NMS_BOXES, LARGE);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
        struct load load = {.op = find("boxes", metrics[i][0]),
                            .in = {ours, theirs},
                            .want = {true}};
        report(b, metrics[i][1], &load, pairs);
        load.fresh = true;
        if (!b->rows)
            report(b, "  the same, fresh memory", &load, pairs);
    }
    struct load nms = {
        .op = find("boxes", "nms"), .in = {many, scores}, .want = {true}};
    report(b, "nms of boxes", &nms, NMS_BOXES);
    for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++) {
        struct load load = {.op = find("losses", losses[i][0]),
                            .in = {logits, classes},
                            .want = {true}};
        if (load.op)
            load.want[op_output_row(load.op, "grad")] = true;
        report(b, losses[i][1], &load, n);
    }
}

/* One worker over two, in turn. */
static void workers(struct bench *b, const char *name, const struct op *op,
                    struct op_tensor x, struct op_tensor y)
{
    const struct load load = {.op = op, .in = {x, y}, .want = {true}};
    const struct parallel *two = pool_parallel(b->pool);
    double ratio[ROUNDS];
    if (!load.op || run_once(b, &load, two) < 0)
        return;
    for (size_t i = 0; i < ROUNDS; i++) {
        double one = run_once(b, &load, &parallel_serial);
        ratio[i] = one / run_once(b, &load, two);
    }
    printf("  %-34s %9.2f times as fast on 2 workers\n", name, median(ratio));
}

/* What operations.py compares: a round of all of it. */
static void rows(struct bench *b)
{
    const struct op_tensor x = numbers(b, 1000, LARGE / 1000, -6, 6);
    const struct op *op;
    for (size_t i = 0; (op = op_row(i, OP_FLOAT32, op_isa_best())); i++) {
        double ns[WHATS];
        if (!is_activation(op))
            continue;
        time_activation(b, op, x, ns);
        for (size_t what = 0; what < WHATS; what++)
            if (ns[what] >= 0)
                printf("%s %s\t%.9g\n", op->name, what_names[what], ns[what]);
    }
    others(b);
}

static void run(struct bench *b)
{
    if (b->rows) {
        rows(b);
        return;
    }
    activations(b);
    others(b);
    const struct op_tensor none = {0};
    b->wall = true;
    workers(b, "mish of 10,000,000", find("activations", "mish"),
            numbers(b, COPY, 0, -6, 6), none);
    workers(b, "giou matrix, 3,000 x 3,000", find("boxes", "giou"),
            boxes(b, 3000), boxes(b, 3000));
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const size_t no_jobs[LANES];
    b.rows = argc == 2 && strcmp(argv[1], "--rows") == 0;
    arena_init(&b.data, SIZE_MAX / 4);
    arena_init(&b.work, SIZE_MAX / 4);
    b.pool = pool_new(2, 0, no_jobs);
    if (!b.pool)
        die("starting the pool");
    run(&b);
    pool_free(b.pool);
    arena_free(&b.data);
    arena_free(&b.work);
    return 0;
}
